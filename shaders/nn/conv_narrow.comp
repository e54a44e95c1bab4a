#version 450
// A 1×1 convolution from few channels, the waist: a lane keeps all of them of its places, and makes one block of outputs
// after the other from them, so that no sum is carried from turn to turn.
//
//   y[n, o, place] = b[o] + Σ_c  w[o, c] x[n, c, place]
//
// PAIRED: the waist is itself made here, by the 1×1 convolution before it, and is not written.  Where that is not all
// of it, `added` says that it has the rest already.
//
//   x[n, c, place] = (x[n, c, place] +) Σ_s  v[c, s] z[n, s, place]
//
// A workgroup is one subgroup of LANES invocations with PLACES places each, LANES apart; weights are by lane and handed
// round, see conv_packed.comp.
//
//   waist, destination: [image][group][channel / 4][place][4]
//   weights:            [group][output / BLOCK][channel / 4][BLOCK][4], zeros where a block is not full
//   before:             [image][channel / 4][place][4]
//   before_weights:     [channel / 4 of z, up to a multiple of STEP][WAIST][4], zeros where the waist is not full
//
// variant: 16 -DWAIST=16 -DBLOCK=8 -DSTEP=2 [wide]
// variant: 32 -DWAIST=32 -DBLOCK=8 -DSTEP=2 [wide]
// variant: 48 -DWAIST=48 -DBLOCK=4 -DSTEP=1 [wide]
// variant: 64 -DWAIST=64 -DBLOCK=4 -DSTEP=1 [wide]
// variant: 96 -DWAIST=96 -DBLOCK=4 -DSTEP=1 [wide]
#include "common.glsl"
#include "quads.glsl"
#extension GL_KHR_shader_subgroup_shuffle : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const bool accumulate = false;
layout(constant_id = 2) const bool rectified = false;  // max(x, 0) of the waist
layout(constant_id = 3) const bool with_bias = false;
layout(constant_id = 4) const bool relu = false;
layout(constant_id = 5) const bool PAIRED = false;
layout(constant_id = 6) const bool added = false;
layout(constant_id = 7) const bool before_rectified = false;

const uint LANES = 8, PLACES = 4;
const uint WAIST_BLOCKS = WAIST / 4;
const uint SHARES = WAIST_BLOCKS * BLOCK / LANES;  // texels of weights that a lane loads for a block of outputs
const uint BEFORE_SHARES = WAIST / LANES;          // for four channels of z

layout(binding = 0) uniform samplerBuffer waist;
layout(binding = 1) uniform samplerBuffer weights;
layout(binding = 2) uniform samplerBuffer bias;  // one component
layout(binding = 3) writeonly buffer Destination { Quad destination[]; };
layout(binding = 4) uniform samplerBuffer kept;  // `accumulate`: the destination again, read faster so
layout(binding = 5) uniform samplerBuffer before;
layout(binding = 6) uniform samplerBuffer before_weights;

layout(push_constant) uniform Push {
    uint total, places;                      // of all images, of one
    uint waist_blocks, waist_image;          // blocks of four channels of a group; texels from one image to the next
    uint before_blocks, before_image;
    uint destination_channels, groups;       // channels of one group
    uint blocks, share;                      // of BLOCK outputs: a group's, and those that a workgroup makes
} p;

void main() {
    const uint lane = gl_LocalInvocationID.x;
    uint number[PLACES];
    uint from[PLACES];
    uint before_from[PLACES];
    uint to[PLACES];
    const uint group = gl_WorkGroupID.z;
    const uint destination_blocks = (p.destination_channels + 3) / 4;
    [[unroll]] for (uint q = 0; q < PLACES; ++q) {
        number[q] = (gl_WorkGroupID.x * PLACES + q) * LANES + lane;
        const uint at = min(number[q], p.total - 1);  // a subgroup stays together
        const uint image = quotient(at, p.places);
        const uint place = at - image * p.places;
        from[q] = image * p.waist_image + group * p.waist_blocks * p.places + place;
        before_from[q] = image * p.before_image + place;
        to[q] = (image * p.groups + group) * destination_blocks * p.places + place;
    }

    float x[PLACES][WAIST];
    if (PAIRED) {
        [[unroll]] for (uint q = 0; q < PLACES; ++q)
            [[unroll]] for (uint c = 0; c < WAIST; ++c) x[q][c] = 0.0;
        for (uint s = 0; s < p.before_blocks; s += STEP) {
            vec4 share[STEP][BEFORE_SHARES];
            vec4 z[STEP][PLACES];
            [[unroll]] for (uint h = 0; h < STEP; ++h) {
                [[unroll]] for (uint i = 0; i < BEFORE_SHARES; ++i)
                    share[h][i] = texelFetch(before_weights, int((s + h) * WAIST + i * LANES + lane));
                const uint block = min(s + h, p.before_blocks - 1);
                [[unroll]] for (uint q = 0; q < PLACES; ++q) {
                    z[h][q] = texelFetch(before, int(before_from[q] + block * p.places));
                    if (before_rectified) z[h][q] = max(z[h][q], vec4(0.0));
                }
            }
            [[unroll]] for (uint c = 0; c < WAIST; ++c) {
                float weight[STEP][4];
                [[unroll]] for (uint h = 0; h < STEP; ++h)
                    [[unroll]] for (uint j = 0; j < 4; ++j)
                        weight[h][j] = subgroupShuffle(share[h][c / LANES][j], c % LANES);
                [[unroll]] for (uint q = 0; q < PLACES; ++q)
                    [[unroll]] for (uint h = 0; h < STEP; ++h)
                        [[unroll]] for (uint j = 0; j < 4; ++j) x[q][c] += weight[h][j] * z[h][q][j];
            }
        }
    }
    [[unroll]] for (uint q = 0; q < PLACES; ++q)
        [[unroll]] for (uint b = 0; b < WAIST_BLOCKS; ++b) {
            const bool there = b < p.waist_blocks;
            vec4 value = vec4(0.0);
            if (!PAIRED || added) value = texelFetch(waist, int(from[q] + (there ? b : 0) * p.places));
            if (PAIRED)
                [[unroll]] for (uint j = 0; j < 4; ++j) value[j] += x[q][4 * b + j];
            if (rectified) value = max(value, vec4(0.0));
            if (!there) value = vec4(0.0);
            [[unroll]] for (uint j = 0; j < 4; ++j) x[q][4 * b + j] = value[j];
        }

    const uint block_weights = p.waist_blocks * BLOCK;
    const uint last_weight = p.groups * p.blocks * block_weights - 1;
    const uint first = gl_WorkGroupID.y * p.share;
    const uint end = min(first + p.share, p.blocks);
    for (uint b = first; b < end; ++b) {
        vec4 share[SHARES];
        [[unroll]] for (uint i = 0; i < SHARES; ++i)
            // Behind a waist that is not full lie the next block's, which meet zeros.
            share[i] = texelFetch(weights, int(min((group * p.blocks + b) * block_weights + i * LANES + lane, last_weight)));
        float shift = 0.0;
        if (with_bias) {
            const uint o = min(b * BLOCK + lane % BLOCK, p.destination_channels - 1);
            shift = texelFetch(bias, int(group * p.destination_channels + o)).x;
        }
        [[unroll]] for (uint o = 0; o < BLOCK; o += 4) {
            vec4 sum[PLACES];
            [[unroll]] for (uint j = 0; j < 4; ++j) {
                const float start = with_bias ? subgroupShuffle(shift, o + j) : 0.0;
                [[unroll]] for (uint q = 0; q < PLACES; ++q) sum[q][j] = start;
                [[unroll]] for (uint c = 0; c < WAIST_BLOCKS; ++c) {
                    const uint t = c * BLOCK + o + j;
                    [[unroll]] for (uint k = 0; k < 4; ++k) {
                        const float weight = subgroupShuffle(share[t / LANES][k], t % LANES);
                        [[unroll]] for (uint q = 0; q < PLACES; ++q) sum[q][j] += weight * x[q][4 * c + k];
                    }
                }
            }
            const uint block = b * (BLOCK / 4) + o / 4;
            // The same for the whole subgroup.
            if (block < destination_blocks)
                [[unroll]] for (uint q = 0; q < PLACES; ++q)
                    if (number[q] < p.total) {
                        const uint at = to[q] + block * p.places;
                        if (accumulate) sum[q] += texelFetch(kept, int(at));
                        destination[at] = to_quad(rectified_if(relu, sum[q]));
                    }
        }
    }
}
