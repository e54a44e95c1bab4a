#version 450
// Direct convolution and its adjoint, register-blocked: no shared memory, no barrier.
//
//   forward: y[n, o, v, u] = b[o] + Σ_{i, k, l}  w[o, i, k, l] x[n, i, v·sy − py + k·dy, u·sx − px + l·dx]
//   reverse: r[n, i, v, u] =        Σ_{o, k, l}  w[o, i, k, l] R[n, o, (v + py − k·dy) / sy, (u + px − l·dx) / sx]
//            over the k, l for which the divisions leave no remainder and stay inside R
//
// One invocation computes BLOCK destination channels at PIXELS destination places of one image.  Tensors are
// (N, C, H, W), dense.  Weights are packed as [group][block][source channel][k][l][BLOCK], so that a workgroup, whose
// invocations share the block, reads them at uniform addresses.  With a stride the reverse visits the places of one
// phase (v mod sy, u mod sx) together: then all of a workgroup's invocations take the same taps.
//
// With SUBGROUP the workgroup is one subgroup of that many invocations: each loads its share of the block's weights, and
// they are handed round.  A CPU's driver reads an address that all invocations share once for each of them; a broadcast
// is a register shuffle.
//
// A destination of halves, eight channels together, [image][channel / 8][row][column][8], may be written by blocks of 16.
//
// AHEAD channels are loaded before they are multiplied: a GPU waits for memory once for all of them.
//
// variant: forward16x4s8 -DBLOCK=16 -DPIXELS=4 -DSUBGROUP=8 -DTEXELS
// variant: reverse16x4s8 -DBLOCK=16 -DPIXELS=4 -DSUBGROUP=8 -DREVERSE -DTEXELS
// variant: forward16x4s4 -DBLOCK=16 -DPIXELS=4 -DSUBGROUP=4
// variant: reverse16x4s4 -DBLOCK=16 -DPIXELS=4 -DSUBGROUP=4 -DREVERSE
// variant: forward16x4 -DBLOCK=16 -DPIXELS=4
// variant: forward16x1 -DBLOCK=16 -DPIXELS=1
// variant: forward4x4 -DBLOCK=4 -DPIXELS=4
// variant: reverse16x4 -DBLOCK=16 -DPIXELS=4 -DREVERSE
// variant: reverse16x1 -DBLOCK=16 -DPIXELS=1 -DREVERSE
// variant: reverse4x4 -DBLOCK=4 -DPIXELS=4 -DREVERSE
// variant: forward4x1 -DBLOCK=4 -DPIXELS=1 -DAHEAD=8
// variant: reverse4x1 -DBLOCK=4 -DPIXELS=1 -DAHEAD=8 -DREVERSE
#include "common.glsl"

#ifdef SUBGROUP
#extension GL_KHR_shader_subgroup_ballot : require
const uint share = BLOCK / SUBGROUP;  // weights that one invocation loads
#endif

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const bool pointwise = false;  // 1×1, stride 1, no padding: source place = destination place
layout(constant_id = 2) const bool rectified = false;  // max(x, 0) of the source
#if BLOCK == 16 && !defined(SUBGROUP)
layout(constant_id = 3) const bool to_halves = false;
#endif

#ifdef TEXELS
layout(binding = 0) uniform samplerBuffer source;
layout(binding = 1) uniform samplerBuffer weights;
#define SOURCE(i) texelFetch(source, int(i)).x
#define WEIGHT(i) texelFetch(weights, int(i)).x
#else
layout(binding = 0) readonly buffer Source { float source[]; };
#define SOURCE(i) source[i]
#define WEIGHT(i) weights[i]
#endif
#ifdef TEXELS
#elif defined(SUBGROUP)
layout(binding = 1) readonly buffer Weights { float weights[]; };
#else
layout(binding = 1) readonly buffer Weights { vec4 weights[]; };
#endif
layout(binding = 2) readonly buffer Bias { float bias[]; };
layout(binding = 2) readonly buffer Selections { ivec4 selections[]; };  // in its place, where `chosen`
layout(binding = 3) buffer Destination { float destination[]; };
layout(binding = 3) buffer DestinationFours { uvec2 destination_fours[]; };  // in its place, `to_halves`

layout(push_constant) uniform Push {
    uint source_channels;       // of one group
    uint source_height, source_width;
    uint destination_channels;  // of one group
    uint destination_height, destination_width;
    uint groups, blocks;        // blocks: of one group
    int kernel_y, kernel_x, stride_y, stride_x, pad_y, pad_x, dilation_y, dilation_x;
    uint has_bias, accumulate, relu;
    // The source is zero but for the channel that its image's selection names (−2: all), counted from first_channel.
    uint chosen, first_image;
    int first_channel;
} p;

const uint vectors = BLOCK / 4;

float source_at(uint i) {
    const float value = SOURCE(i);
    return rectified ? max(value, 0.0) : value;
}

// The BLOCK weights at vector index w.
#ifdef SUBGROUP
#define LOAD_WEIGHTS(w)                                                                       \
    vec4 weight[vectors];                                                                     \
    {                                                                                         \
        float mine[share];                                                                    \
        [[unroll]] for (uint i = 0; i < share; ++i)                                           \
            mine[i] = WEIGHT((w) * 4 + i * SUBGROUP + gl_SubgroupInvocationID);              \
        [[unroll]] for (uint i = 0; i < BLOCK; ++i)                                           \
            weight[i / 4][i % 4] = subgroupBroadcast(mine[i / SUBGROUP], i % SUBGROUP);       \
    }
#else
#define LOAD_WEIGHTS(w)   \
    vec4 weight[vectors]; \
    [[unroll]] for (uint v = 0; v < vectors; ++v) weight[v] = weights[(w) + v];
#endif

void main() {
    const uint group = gl_WorkGroupID.y / p.blocks;
    const uint block = gl_WorkGroupID.y % p.blocks;
#ifdef REVERSE
    const uint phases = uint(p.stride_y * p.stride_x);
    const uint image = gl_WorkGroupID.z / phases;
    const uint phase = gl_WorkGroupID.z % phases;
    const uint phase_y = phase / uint(p.stride_x);
    const uint phase_x = phase % uint(p.stride_x);
    const uint grid_height = (p.destination_height + uint(p.stride_y) - 1 - phase_y) / uint(p.stride_y);
    const uint grid_width = (p.destination_width + uint(p.stride_x) - 1 - phase_x) / uint(p.stride_x);
#else
    const uint image = gl_WorkGroupID.z;
    const uint grid_height = p.destination_height;
    const uint grid_width = p.destination_width;
#endif
    const uint places = grid_height * grid_width;
    const uint first = (gl_WorkGroupID.x * workgroup) * PIXELS + gl_LocalInvocationID.x;
    // No early return: a subgroup's invocations stay together, those without a place compute the last one again.

    // Places are workgroup apart, so that neighbours in a workgroup are neighbours in memory.
    int place_y[PIXELS];
    int place_x[PIXELS];
    [[unroll]] for (uint q = 0; q < PIXELS; ++q) {
        const uint at = min(first + q * workgroup, places - 1);
#ifdef REVERSE
        place_y[q] = int(at / grid_width) * p.stride_y + int(phase_y);
        place_x[q] = int(at % grid_width) * p.stride_x + int(phase_x);
#else
        place_y[q] = int(at / grid_width);
        place_x[q] = int(at % grid_width);
#endif
    }

    vec4 sum[PIXELS][vectors];
    [[unroll]] for (uint q = 0; q < PIXELS; ++q)
        [[unroll]] for (uint v = 0; v < vectors; ++v) sum[q][v] = vec4(0.0);

    const uint source_plane = p.source_height * p.source_width;
    const uint source_base = (image * p.groups + group) * p.source_channels * source_plane;
    const uint taps = uint(p.kernel_y * p.kernel_x);
    const uint weight_step = taps * vectors;
    uvec2 channels = uvec2(0, p.source_channels);  // the first, and how many
    if (p.chosen != 0)
        channels = chosen_channels(selections[2 * (p.first_image + image)].x,
                                   p.first_channel + int(group * p.source_channels), p.source_channels);
    const uint source_first = source_base + channels.x * source_plane;
    const uint weight_base = ((group * p.blocks + block) * p.source_channels + channels.x) * weight_step;

    if (pointwise) {
        uint at[PIXELS];
        [[unroll]] for (uint q = 0; q < PIXELS; ++q)
            at[q] = source_first + uint(place_y[q]) * p.source_width + uint(place_x[q]);
        uint w = weight_base;
        for (uint c = 0; c < channels.y; ++c) {
            LOAD_WEIGHTS(w)
            w += vectors;
            [[unroll]] for (uint q = 0; q < PIXELS; ++q) {
                const float x = source_at(at[q]);
                at[q] += source_plane;
                [[unroll]] for (uint v = 0; v < vectors; ++v) sum[q][v] += weight[v] * x;
            }
        }
    } else {
        for (int k = 0; k < p.kernel_y; ++k) {
            for (int l = 0; l < p.kernel_x; ++l) {
                uint at[PIXELS];
                bool inside[PIXELS];
#ifdef REVERSE
                // A multiple of the stride keeps the numerator from being negative, for which % is not defined.
                const int lift_y = p.kernel_y * p.dilation_y * p.stride_y;
                const int lift_x = p.kernel_x * p.dilation_x * p.stride_x;
                if ((int(phase_y) + p.pad_y - k * p.dilation_y + lift_y) % p.stride_y != 0 ||
                    (int(phase_x) + p.pad_x - l * p.dilation_x + lift_x) % p.stride_x != 0)
                    continue;
#endif
                [[unroll]] for (uint q = 0; q < PIXELS; ++q) {
#ifdef REVERSE
                    // Exact, for there is no remainder; a negative numerator stays negative.
                    const int y = (place_y[q] + p.pad_y - k * p.dilation_y) / p.stride_y;
                    const int x = (place_x[q] + p.pad_x - l * p.dilation_x) / p.stride_x;
#else
                    const int y = place_y[q] * p.stride_y - p.pad_y + k * p.dilation_y;
                    const int x = place_x[q] * p.stride_x - p.pad_x + l * p.dilation_x;
#endif
                    inside[q] = y >= 0 && x >= 0 && y < int(p.source_height) && x < int(p.source_width);
                    at[q] = source_first + (inside[q] ? uint(y) * p.source_width + uint(x) : 0);
                }
                uint w = weight_base + uint(k * p.kernel_x + l) * vectors;
                uint c = 0;
#ifdef AHEAD
                for (; c + AHEAD <= channels.y; c += AHEAD) {
                    float x[AHEAD];
                    vec4 weight[AHEAD];
                    [[unroll]] for (uint i = 0; i < AHEAD; ++i) {
                        x[i] = source_at(at[0] + i * source_plane);
                        weight[i] = weights[w + i * weight_step];
                    }
                    [[unroll]] for (uint i = 0; i < AHEAD; ++i) sum[0][0] += weight[i] * (inside[0] ? x[i] : 0.0);
                    at[0] += AHEAD * source_plane;
                    w += AHEAD * weight_step;
                }
#endif
                for (; c < channels.y; ++c) {
                    LOAD_WEIGHTS(w)
                    w += weight_step;
                    [[unroll]] for (uint q = 0; q < PIXELS; ++q) {
                        const float value = source_at(at[q]);
                        const float x = inside[q] ? value : 0.0;
                        at[q] += source_plane;
                        [[unroll]] for (uint v = 0; v < vectors; ++v) sum[q][v] += weight[v] * x;
                    }
                }
            }
        }
    }

    const uint plane = p.destination_height * p.destination_width;
    [[unroll]] for (uint q = 0; q < PIXELS; ++q) {
        if (first + q * workgroup < places) {
            const uint place = uint(place_y[q]) * p.destination_width + uint(place_x[q]);
#if BLOCK == 16 && !defined(SUBGROUP)
            if (to_halves) {
                [[unroll]] for (uint v = 0; v < vectors; ++v) {
                    const uint all = group * p.destination_channels + block * BLOCK + v * 4;
                    const uint eights = p.groups * p.destination_channels / 8;
                    const uint at = ((image * eights + all / 8) * plane + place) * 2 + all / 4 % 2;
                    vec4 value = sum[q][v];
                    if (p.accumulate != 0) value += unpack_halves(destination_fours[at]);
                    [[unroll]] for (uint j = 0; j < 4; ++j) {
                        if (p.has_bias != 0) value[j] += bias[all + j];
                        if (p.relu != 0) value[j] = value[j] < 0.0 ? 0.0 : value[j];
                    }
                    destination_fours[at] = pack_halves(value);
                }
                continue;
            }
#endif
            [[unroll]] for (uint j = 0; j < BLOCK; ++j) {
                const uint channel = block * BLOCK + j;
                if (channel < p.destination_channels) {
                    const uint all = group * p.destination_channels + channel;
                    const uint at = (image * p.groups * p.destination_channels + all) * plane + place;
                    float value = sum[q][j / 4][j % 4];
                    if (p.has_bias != 0) value += bias[all];
                    if (p.accumulate != 0) value += destination[at];
                    if (p.relu != 0) value = value < 0.0 ? 0.0 : value;  // a NaN stays
                    destination[at] = value;
                }
            }
        }
    }
}
