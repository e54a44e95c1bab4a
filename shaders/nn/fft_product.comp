#version 450
// A convolution where it is a product, between the transforms of fft_pack.comp's planes and fft_unpack.comp's:
//
//   Y[column, g, o, f] = Σ_i  C[g, o, i, f] X[column, g, i, f]
//
// complex, a column being an image's tile and f a frequency.  One invocation computes BLOCK output channels of COLUMNS
// columns at two neighbouring frequencies, one texel.  The workgroup's x counts columns, its y runs of frequencies, its
// z blocks of output channels of all groups: what follows each other shares the weights.
//
//   source:  [column][group][channel][pair of frequencies][2][2], the last dimension real and imaginary part
//   weights: [group][block][run][source channel][BLOCK][invocation of the workgroup][2][2], zeros where there is none
//
// variant: 4x4.texels -DBLOCK=4 -DCOLUMNS=4 -DTEXELS
// variant: 4x2.texels -DBLOCK=4 -DCOLUMNS=2 -DTEXELS
// variant: 4x1.texels -DBLOCK=4 -DCOLUMNS=1 -DTEXELS
// variant: 4x4.buffer -DBLOCK=4 -DCOLUMNS=4
// variant: 4x2.buffer -DBLOCK=4 -DCOLUMNS=2
// variant: 4x1.buffer -DBLOCK=4 -DCOLUMNS=1
#include "common.glsl"

layout(local_size_x_id = 0) in;

#ifdef TEXELS
layout(binding = 0) uniform samplerBuffer source;
layout(binding = 1) uniform samplerBuffer weights;
#define SOURCE(i) texelFetch(source, int(i))
#define WEIGHT(i) texelFetch(weights, int(i))
#else
layout(binding = 0) readonly buffer Source { vec4 source[]; };
layout(binding = 1) readonly buffer Weights { vec4 weights[]; };
#define SOURCE(i) source[i]
#define WEIGHT(i) weights[i]
#endif
layout(binding = 2) writeonly buffer Destination { vec4 destination[]; };

layout(push_constant) uniform Push {
    uint columns, groups;
    uint pairs, runs;               // of frequencies
    uint source_channels;           // of one group
    uint destination_channels, blocks;
} p;

void main() {
    const uint pair = gl_WorkGroupID.y * workgroup + gl_LocalInvocationID.x;
    const uint group = gl_WorkGroupID.z / p.blocks;
    const uint block = gl_WorkGroupID.z % p.blocks;
    // What lies behind the last column or frequency computes the last one again.
    uint from[COLUMNS];
    [[unroll]] for (uint q = 0; q < COLUMNS; ++q) {
        const uint column = min(gl_WorkGroupID.x * COLUMNS + q, p.columns - 1);
        from[q] = (column * p.groups + group) * p.source_channels * p.pairs + min(pair, p.pairs - 1);
    }
    vec4 sum[COLUMNS][BLOCK];
    [[unroll]] for (uint q = 0; q < COLUMNS; ++q)
        [[unroll]] for (uint o = 0; o < BLOCK; ++o) sum[q][o] = vec4(0.0);
    uint w = (gl_WorkGroupID.z * p.runs + gl_WorkGroupID.y) * p.source_channels * BLOCK * workgroup +
             gl_LocalInvocationID.x;
    for (uint i = 0; i < p.source_channels; ++i) {
        vec4 x[COLUMNS];
        [[unroll]] for (uint q = 0; q < COLUMNS; ++q) {
            x[q] = SOURCE(from[q]);
            from[q] += p.pairs;
        }
        [[unroll]] for (uint o = 0; o < BLOCK; ++o) {
            const vec4 c = WEIGHT(w);
            w += workgroup;
            [[unroll]] for (uint q = 0; q < COLUMNS; ++q) {
                sum[q][o].x += c.x * x[q].x - c.y * x[q].y;
                sum[q][o].y += c.x * x[q].y + c.y * x[q].x;
                sum[q][o].z += c.z * x[q].z - c.w * x[q].w;
                sum[q][o].w += c.z * x[q].w + c.w * x[q].z;
            }
        }
    }
    if (pair >= p.pairs) return;
    [[unroll]] for (uint q = 0; q < COLUMNS; ++q) {
        const uint column = gl_WorkGroupID.x * COLUMNS + q;
        if (column >= p.columns) continue;
        uint to = ((column * p.groups + group) * p.destination_channels + block * BLOCK) * p.pairs + pair;
        [[unroll]] for (uint o = 0; o < BLOCK; ++o) {
            if (block * BLOCK + o < p.destination_channels) destination[to] = sum[q][o];
            to += p.pairs;
        }
    }
}
