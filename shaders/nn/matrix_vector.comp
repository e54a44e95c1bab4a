#version 450
// Fully connected layers, and their reverse, by the matrix as it is stored: a few rows of A times a large matrix B that
// is read once.  As gemm.comp, without batches.
//
//   DOT: B's elements follow each other along the sum:     y[m, n] = Σ_k a[m, k] b[n, k]
//   SUM: B's elements follow each other along the outputs: y[m, n] = Σ_k a[m, k] b[k, n]
//
// A workgroup is one subgroup of eight.  DOT computes 8 columns: a lane takes every eighth group of four k, and the
// lanes' sums are added at the end.  SUM computes 128 columns: a lane has 4 · 4 of them, and A's elements are handed
// round the subgroup.  ROWS rows each; B and (DOT) A are read as four-component texels.
//
// variant: dot1 -DDOT -DROWS=1
// variant: dot4 -DDOT -DROWS=4
// variant: sum1 -DROWS=1
// variant: sum4 -DROWS=4
#include "common.glsl"
#extension GL_KHR_shader_subgroup_shuffle : require

layout(local_size_x_id = 0) in;

layout(binding = 0) uniform samplerBuffer a;  // SUM: one component
layout(binding = 1) uniform samplerBuffer b;
layout(binding = 2) readonly buffer C { float c[]; };
layout(binding = 3) buffer Y { float y[]; };

layout(push_constant) uniform Push {
    uint rows, columns, depth;
    uint a_first, a_row;  // in A's texels
    uint b_step;          // from one n (DOT) or k (SUM) to the next, in texels
    uint c_first, c_row, c_column;
    uint y_first, y_row, y_column;
    float alpha, beta;
    uint accumulate;
} p;

const uint LANES = 8;

void write(uint row, uint column, float sum) {
    if (row >= p.rows || column >= p.columns) return;
    const uint at = p.y_first + row * p.y_row + column * p.y_column;
    float value = p.alpha * sum;
    if (p.beta != 0.0) value += p.beta * c[p.c_first + row * p.c_row + column * p.c_column];
    if (p.accumulate != 0) value += y[at];
    y[at] = value;
}

void main() {
    const uint lane = gl_LocalInvocationID.x;
    const uint row = gl_WorkGroupID.y * ROWS;
    uint at_a[ROWS];
    [[unroll]] for (uint r = 0; r < ROWS; ++r) at_a[r] = p.a_first + min(row + r, p.rows - 1) * p.a_row;
#ifdef DOT
    const uint first = gl_WorkGroupID.x * LANES;
    const uint quads = p.depth / 4;
    float sum[ROWS][LANES];
    uint at_b[LANES];
    [[unroll]] for (uint n = 0; n < LANES; ++n) {
        at_b[n] = min(first + n, p.columns - 1) * p.b_step;
        [[unroll]] for (uint r = 0; r < ROWS; ++r) sum[r][n] = 0.0;
    }
    for (uint start = 0; start < quads; start += LANES) {
        const uint k = min(start + lane, quads - 1);
        vec4 x[ROWS];
        [[unroll]] for (uint r = 0; r < ROWS; ++r) {
            x[r] = texelFetch(a, int(at_a[r] + k));
            x[r] = start + lane < quads ? x[r] : vec4(0.0);
        }
        [[unroll]] for (uint n = 0; n < LANES; ++n) {
            const vec4 w = texelFetch(b, int(at_b[n] + k));
            [[unroll]] for (uint r = 0; r < ROWS; ++r)
                sum[r][n] += (w.x * x[r].x + w.y * x[r].y) + (w.z * x[r].z + w.w * x[r].w);
        }
    }
    [[unroll]] for (uint r = 0; r < ROWS; ++r) {
        float mine = 0.0;
        [[unroll]] for (uint n = 0; n < LANES; ++n) {
            float total = sum[r][n];
            total += subgroupShuffle(total, lane ^ 4);
            total += subgroupShuffle(total, lane ^ 2);
            total += subgroupShuffle(total, lane ^ 1);
            mine = lane == n ? total : mine;
        }
        write(row + r, first + lane, mine);
    }
#else
    const uint SHARES = 4;  // groups of four columns of a lane
    const uint first = gl_WorkGroupID.x * LANES * SHARES + lane;
    const uint quads = p.columns / 4;
    vec4 sum[ROWS][SHARES];
    uint at_b[SHARES];
    [[unroll]] for (uint q = 0; q < SHARES; ++q) {
        at_b[q] = min(first + q * LANES, quads - 1);
        [[unroll]] for (uint r = 0; r < ROWS; ++r) sum[r][q] = vec4(0.0);
    }
    for (uint start = 0; start < p.depth; start += LANES) {
        float x[ROWS];
        [[unroll]] for (uint r = 0; r < ROWS; ++r) {
            x[r] = texelFetch(a, int(at_a[r] + min(start + lane, p.depth - 1))).x;
            x[r] = start + lane < p.depth ? x[r] : 0.0;
        }
        [[unroll]] for (uint j = 0; j < LANES; ++j) {
            float factor[ROWS];
            [[unroll]] for (uint r = 0; r < ROWS; ++r) factor[r] = subgroupShuffle(x[r], j);
            const uint k = min(start + j, p.depth - 1) * p.b_step;
            [[unroll]] for (uint q = 0; q < SHARES; ++q) {
                const vec4 w = texelFetch(b, int(k + at_b[q]));
                [[unroll]] for (uint r = 0; r < ROWS; ++r) sum[r][q] += factor[r] * w;
            }
        }
    }
    [[unroll]] for (uint r = 0; r < ROWS; ++r)
        [[unroll]] for (uint q = 0; q < SHARES; ++q)
            [[unroll]] for (uint j = 0; j < 4; ++j) write(row + r, (first + q * LANES) * 4 + j, sum[r][q][j]);
#endif
}
