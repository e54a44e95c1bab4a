#version 450
// Y[b, m, n] (+)= alpha · Σ_k A[b, m, k] · B[b, k, n]  + C[m, n]: fully connected layers, their reverse (by B's steps
// swapped), and matrix products.  One invocation computes ROWS values of one column n; neighbours are neighbours in n.
// A's elements are then at uniform addresses of a workgroup.
//
// All four matrices are given by steps in elements; b is the workgroup's z.
//
// DOT and SUM are for few rows on GPUs: a workgroup shares the depth of one column (DOT: B's elements follow each other
// in depth) or of 32 (SUM: from column to column), so that neighbours read neighbours, and adds up what each has.
//
// variant: plain -DPLAIN
// variant: dot -DDOT
// variant: sum -DSUM
#include "common.glsl"

#ifdef PLAIN
layout(local_size_x_id = 0) in;
#else
const uint THREADS = 128;
#ifdef DOT
const uint COLUMNS = 1;
#else
const uint COLUMNS = 32;
#endif
const uint SHARES = THREADS / COLUMNS;  // of the depth
layout(local_size_x = 128) in;
#endif

layout(binding = 0) readonly buffer A { float a[]; };
layout(binding = 1) readonly buffer B { float b[]; };
layout(binding = 2) readonly buffer C { float c[]; };
layout(binding = 3) buffer Y { float y[]; };

layout(push_constant) uniform Push {
    uint rows, columns, depth;
    uint a_first, c_first, y_first;
    uint a_batch, a_row, a_depth;
    uint b_batch, b_depth, b_column;
    uint c_row, c_column;
    uint y_batch, y_row, y_column;
    float alpha, beta;  // beta 0: C is not read
    uint accumulate;
    uint batch_modulus;  // B's batch is b modulo this: the way back runs several copies over one forward tensor
} p;

const uint ROWS = 4;

#ifndef PLAIN
shared float parts[THREADS][ROWS];
#endif

void main() {
#ifdef PLAIN
    const uint column = gl_WorkGroupID.x * workgroup + gl_LocalInvocationID.x;
    if (column >= p.columns) return;
    const uint begin = 0;
    const uint step = 1;
#else
    const uint thread = gl_LocalInvocationID.x;
    const uint column = gl_WorkGroupID.x * COLUMNS + thread % COLUMNS;
    const uint begin = thread / COLUMNS;
    const uint step = SHARES;
#endif
    const uint first = gl_WorkGroupID.y * ROWS;
    const uint batch = gl_WorkGroupID.z;

    uint at_a[ROWS];
    float sum[ROWS];
    [[unroll]] for (uint r = 0; r < ROWS; ++r) {
        at_a[r] = p.a_first + batch * p.a_batch + min(first + r, p.rows - 1) * p.a_row + begin * p.a_depth;
        sum[r] = 0.0;
    }
    uint at_b = (batch % p.batch_modulus) * p.b_batch + min(column, p.columns - 1) * p.b_column + begin * p.b_depth;
    // Four partial sums a row would cost registers; blocks of the sum keep the error small for long rows.
    for (uint start = begin; start < p.depth; start += 256 * step) {
        float part[ROWS];
        [[unroll]] for (uint r = 0; r < ROWS; ++r) part[r] = 0.0;
        const uint end = min(start + 256 * step, p.depth);
        for (uint k = start; k < end; k += step) {
            const float right = b[at_b];
            at_b += p.b_depth * step;
            [[unroll]] for (uint r = 0; r < ROWS; ++r) {
                part[r] += a[at_a[r]] * right;
                at_a[r] += p.a_depth * step;
            }
        }
        [[unroll]] for (uint r = 0; r < ROWS; ++r) sum[r] += part[r];
    }
#ifndef PLAIN
    [[unroll]] for (uint r = 0; r < ROWS; ++r) parts[thread][r] = sum[r];
    for (uint half_of = THREADS / 2; half_of >= COLUMNS; half_of /= 2) {
        barrier();
        if (thread < half_of)
            [[unroll]] for (uint r = 0; r < ROWS; ++r) parts[thread][r] += parts[thread + half_of][r];
    }
    if (thread >= COLUMNS || column >= p.columns) return;
    [[unroll]] for (uint r = 0; r < ROWS; ++r) sum[r] = parts[thread][r];
#endif
    [[unroll]] for (uint r = 0; r < ROWS; ++r) {
        const uint row = first + r;
        if (row < p.rows) {
            const uint at = p.y_first + batch * p.y_batch + row * p.y_row + column * p.y_column;
            float value = p.alpha * sum[r];
            if (p.beta != 0.0) value += p.beta * c[p.c_first + row * p.c_row + column * p.c_column];
            if (p.accumulate != 0) value += y[at];
            y[at] = value;
        }
    }
}
