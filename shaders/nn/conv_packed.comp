#version 450
// A convolution over packed channels (pack.comp): any taps on a regular grid, so forward passes, reverses with stride 1,
// single phases of a strided reverse, and (with one tap) matrix products.
//
//   y[n, g, o, place] = b[g, o] + Σ_{taps, i}  w[g, o, tap, i] x[n, g, i, place · stride + tap]
//
// A workgroup is one subgroup of LANES invocations.  It computes BLOCK output channels at LANES · PLACES places; each
// lane has PLACES of them, LANES apart.  All memory is read as four-component texels: sources by place, weights by
// output channel, and those are then handed round the subgroup by shuffles with constant indices, two instructions each.
// A source that was packed for this has a border, so no tap needs a test; a tensor that is packed anyway has none
// (TESTED).
//
// TURNED, for few places, it is the other way round: a lane has four of the output channels at all of the workgroup's
// LANES · PLACES places, and the sources are handed round.
//
//   source:      [image][group][channel / 4][place][4], or dense
//   weights:     [group][block][tap y][tap x][channel / 4][BLOCK][4]
//   destination: dense, or, QUADS, [image][group][channel / 4][place][4]
//
// PHASES: of a strided reverse, all phases together.  Output channels are [channel][phase y][phase x], and a place of the
// grid has a destination place for each phase.
//
// POOLED: places go by windows of 2×2, and the destination is those windows' maxima, with switches; UNPOOLED: each
// place's value goes to where its window's switch says, the window's other places are zero (max_pool_packed.comp).
//
// PLAIN reads a dense source instead, (N, C, H, W), a component at a time: where a single tap has few output channels,
// and where few channels are read (a small image's, the chosen one's), that costs less than packing first.
//
// variant: 32x4 -DBLOCK=32 -DPLACES=4 [wide]
// variant: 16x4 -DBLOCK=16 -DPLACES=4 -DMOST=4 [wide]
// variant: turned32x2 -DBLOCK=32 -DPLACES=2 -DTURNED [wide]
// variant: 16x2 -DBLOCK=16 -DPLACES=2 [wide]
// variant: 12x8 -DBLOCK=12 -DPLACES=8 [wide]
// variant: 8x4 -DBLOCK=8 -DPLACES=4 [wide]
// variant: 4x8 -DBLOCK=4 -DPLACES=8 [wide]
// variant: plain32x4 -DBLOCK=32 -DPLACES=4 -DPLAIN [wide]
// variant: plain16x4 -DBLOCK=16 -DPLACES=4 -DPLAIN [wide]
// variant: plain.turned32x2 -DBLOCK=32 -DPLACES=2 -DPLAIN -DTURNED [wide]
// variant: plain16x2 -DBLOCK=16 -DPLACES=2 -DPLAIN [wide]
// variant: plain12x8 -DBLOCK=12 -DPLACES=8 -DPLAIN [wide]
// variant: plain8x4 -DBLOCK=8 -DPLACES=4 -DPLAIN [wide]
// variant: plain4x8 -DBLOCK=4 -DPLACES=8 -DPLAIN [wide]
#include "common.glsl"
#include "quads.glsl"
#extension GL_KHR_shader_subgroup_shuffle : require

layout(local_size_x_id = 0) in;
// What costs little outside the loop is not constant: fewer kernels are compiled.
layout(constant_id = 1) const bool accumulate = false;
layout(constant_id = 2) const bool rectified = false;  // max(x, 0) of the source
layout(constant_id = 3) const bool TESTED = false;     // taps outside the source are zero
layout(constant_id = 4) const bool QUADS = false;
layout(constant_id = 5) const uint STEP = 1;  // blocks of four source channels a step: 1, 2 or, up to MOST, 4
layout(constant_id = 6) const bool PHASES = false;
layout(constant_id = 7) const uint pooling = 0;
const bool POOLED = pooling == 1, UNPOOLED = pooling == 2;  // only of QUADS

#ifndef MOST
#define MOST 2
#endif

const uint LANES = 8;
const uint SHARES = (BLOCK + LANES - 1) / LANES;  // texels of weights that a lane loads for four channels
#ifdef TURNED
const uint SUM_PLACES = LANES * PLACES, SUM_OUTPUTS = BLOCK / LANES;  // of a lane
#else
const uint SUM_PLACES = PLACES, SUM_OUTPUTS = BLOCK;
#endif

layout(binding = 0) uniform samplerBuffer source;
layout(binding = 1) uniform samplerBuffer weights;
layout(binding = 2) uniform samplerBuffer bias;  // one component
layout(binding = 3) buffer Destination { float destination[]; };
layout(binding = 3) buffer DestinationQuads { Quad quads[]; };
layout(binding = 4) readonly buffer Selections { ivec4 selections[]; };
layout(binding = 5) writeonly buffer Switches { QuadBits switches[]; };
layout(binding = 6) uniform usamplerBuffer kept_switches;
layout(binding = 7) uniform samplerBuffer before;  // of QUADS, `accumulate`: the destination again, read faster so

#include "pooling.glsl"

layout(push_constant) uniform Push {
    uint total;                                  // places of all images; of one where `chosen`
    uint places, grid_width;                     // of one image
    uint groups, blocks;                         // blocks: of one group
    uint channels;                               // blocks of four source channels of one group
    uint plane, image;                           // texels of one such block, and of an image
    uint taps_y, taps_x;
    uint stride_y, stride_x;                     // texels from one place to the next
    int tap_first;                               // from the source's beginning
    int tap_y, tap_x;                            // texels from one tap to the next
    uint destination_channels;                   // of one group
    uint destination_plane, destination_first, destination_y, destination_x;
    uint source_channels;                        // of one group
    uint first_image;                            // `chosen`: of the source, as the selections count
    int first_channel;                           // and what they call its channel 0
    // TESTED, in rows and columns: the source's; rows from one place and from one tap to the next; the first tap.
    uint height, width;
    int place_y, row, first_y, first_x;
    uint flags;
    uint phases, extent;                         // PHASES: of rows, and columns above; the destination's rows, columns
                                                 // (UNPOOLED: the switches' images, which all copies share)
} p;
const uint WITH_BIAS = 1, RELU = 2, KEEP_SWITCHES = 8;
// The source is zero but for the channel that its image's selection names (−2: all).  Images are rows of workgroups.
const uint CHOSEN = 4;

// Four channels of a place.
vec4 fetch(uint at, uint c) {
#ifdef PLAIN
    // The last block's missing channels repeat its last, and have weights of zero.
    vec4 x;
    [[unroll]] for (uint j = 0; j < 4; ++j)
        x[j] = texelFetch(source, int(at + min(c * 4 + j, p.source_channels - 1) * p.plane)).x;
#else
    const vec4 x = texelFetch(source, int(at + c * p.plane));
#endif
    return rectified ? max(x, vec4(0.0)) : x;
}

// Where a dense destination has output o of a group, from the place of its first on; and its phase's row and column.
struct Output {
    uint offset, row, column;
};
Output output_of(uint o) {
    if (!PHASES) return Output(o * p.destination_plane, 0, 0);
    const uint columns = p.phases >> 16;
    const uint channel = quotient(o, (p.phases & 0xffff) * columns);
    const uint phase = o - channel * (p.phases & 0xffff) * columns;
    const uint row = quotient(phase, columns);
    const uint column = phase - row * columns;
    return Output(channel * p.destination_plane + row * (p.extent >> 16) + column, row, column);
}
bool inside(Output o, uint row, uint column) {
    return !PHASES || (row + o.row < (p.extent & 0xffff) && column + o.column < (p.extent >> 16));
}

void main() {
    const bool with_bias = (p.flags & WITH_BIAS) != 0;
    const bool relu = (p.flags & RELU) != 0;
    const bool chosen = (p.flags & CHOSEN) != 0;
    const bool keep_switches = (p.flags & KEEP_SWITCHES) != 0;
    const uint lane = gl_LocalInvocationID.x;
    const uint group = gl_WorkGroupID.y / p.blocks;
    const uint block = gl_WorkGroupID.y % p.blocks;
    const uint first = gl_WorkGroupID.x * (LANES * PLACES) + lane;

    uint from[PLACES];
    uint to[PLACES];
    int tap_y[PLACES];  // of the first tap, where it is tested
    int tap_x[PLACES];
    uint number[PLACES];  // of the place, among all
    uint row[PLACES];  // of the destination
    uint column[PLACES];
    uint corner[PLACES];  // of the place's window
    uint switch_at[PLACES];
    const uint phases = PHASES ? (p.phases & 0xffff) * (p.phases >> 16) : 1;
    const uint destination_channels = PHASES ? quotient(p.destination_channels, phases) : p.destination_channels;
#ifdef PLAIN
    const uint group_at = group * p.source_channels * p.plane;
#else
    const uint group_at = group * p.channels * p.plane;
#endif
    const uint destination_blocks = (p.destination_channels + 3) / 4;
    [[unroll]] for (uint q = 0; q < PLACES; ++q) {
        // Lanes without a place compute the last one again: a subgroup stays together.
#ifdef TURNED
        number[q] = first + q * LANES;
#else
        // A lane has all places of a window.
        number[q] = POOLED ? (gl_WorkGroupID.x * (LANES * PLACES / 4) + q / 4 * LANES + lane) * 4 + q % 4
                           : first + q * LANES;
#endif
        const uint at = min(number[q], p.total - 1);
        const uint image = chosen ? gl_WorkGroupID.z : quotient(at, p.places);
        const uint place = chosen ? at : at - image * p.places;
        // Windows, and in them places, where it is pooled.
        const uint cell = POOLED ? place / 4 : place;
        const uint cell_y = quotient(cell, p.grid_width);
        const uint cell_x = cell - cell_y * p.grid_width;
        const uint y = POOLED ? 2 * cell_y + place % 4 / 2 : cell_y;
        const uint x = POOLED ? 2 * cell_x + place % 2 : cell_x;
        from[q] = uint(int(group_at + image * p.image + y * p.stride_y + x * p.stride_x) + p.tap_first);
        tap_y[q] = int(y) * p.place_y + p.first_y;
        tap_x[q] = int(x * p.stride_x) + p.first_x;
        row[q] = PHASES ? y * (p.phases & 0xffff) : y;
        column[q] = PHASES ? x * (p.phases >> 16) : cell_x;
        corner[q] = 4 * cell - 2 * cell_x;
        const uint first_plane = QUADS ? (image * p.groups + group) * destination_blocks + block * (BLOCK / 4)
                                       : (image * p.groups + group) * destination_channels;
        to[q] = first_plane * p.destination_plane + p.destination_first + cell_y * p.destination_y +
                cell_x * p.destination_x;
        if (UNPOOLED)
            switch_at[q] = to[q] - (image - remainder(p.first_image + image, p.extent)) * p.groups *
                                       destination_blocks * p.destination_plane;
    }

    float sum[SUM_PLACES][SUM_OUTPUTS];
    [[unroll]] for (uint q = 0; q < SUM_PLACES; ++q)
        [[unroll]] for (uint o = 0; o < SUM_OUTPUTS; ++o) sum[q][o] = 0.0;

    uint begin = 0;  // blocks of four source channels
    uint end = p.channels;
    if (chosen) {
        const uvec2 channels = chosen_channels(selections[2 * (p.first_image + gl_WorkGroupID.z)].x,
                                               p.first_channel + int(group * p.source_channels), p.source_channels);
        begin = channels.x / 4;
        end = (channels.x + channels.y + 3) / 4;
    }
#ifdef TURNED
    const uint own = lane * SHARES, step_share = 1;  // the lane's outputs follow each other
#else
    const uint own = BLOCK < LANES ? lane % BLOCK : lane, step_share = LANES;
#endif
    // The lanes that a block has no weights for read the last again.
    const uint last_share = min((SHARES - 1) * step_share, BLOCK - 1 - min(own, BLOCK - 1));
    uint w = (gl_WorkGroupID.y * p.taps_y * p.taps_x * p.channels + begin) * BLOCK + own;
    // One loop over taps and channels: nested ones cost a CPU's driver more than these few selections.
    const uint steps = p.taps_y * p.taps_x * (end - begin) / STEP;
    uint c = begin;
    uint l = 0;
    int tap = 0;
    int rows = 0;
    int columns = 0;
    for (uint step_index = 0; step_index < steps; ++step_index) {
        vec4 share[MOST][SHARES];
        vec4 x[MOST][PLACES];
        [[unroll]] for (uint h = 0; h < MOST; ++h)
            if (h < STEP)
                [[unroll]] for (uint i = 0; i < SHARES; ++i)
                    share[h][i] = texelFetch(weights, int(w + h * BLOCK + (BLOCK % LANES != 0 && i == SHARES - 1 ? last_share : i * step_share)));
        [[unroll]] for (uint q = 0; q < PLACES; ++q) {
            const bool tap_inside = !TESTED || (uint(tap_y[q] + rows) < p.height && uint(tap_x[q] + columns) < p.width);
            [[unroll]] for (uint h = 0; h < MOST; ++h)
                if (h < STEP) {
                    x[h][q] = fetch(tap_inside ? uint(int(from[q]) + tap) : group_at, c + h);
                    if (TESTED) x[h][q] = tap_inside ? x[h][q] : vec4(0.0);
                }
        }
        // A sum's products one after the other: it is read from the stack and written to it (through the loop's mask)
        // once a step.
#ifdef TURNED
        [[unroll]] for (uint place = 0; place < SUM_PLACES; ++place) {
            float value[MOST][4];
            [[unroll]] for (uint h = 0; h < MOST; ++h)
                if (h < STEP)
                    [[unroll]] for (uint j = 0; j < 4; ++j)
                        value[h][j] = subgroupShuffle(x[h][place / LANES][j], place % LANES);
            [[unroll]] for (uint o = 0; o < SUM_OUTPUTS; ++o)
                [[unroll]] for (uint h = 0; h < MOST; ++h)
                    if (h < STEP)
                        [[unroll]] for (uint j = 0; j < 4; ++j) sum[place][o] += share[h][o][j] * value[h][j];
        }
#else
        [[unroll]] for (uint o = 0; o < BLOCK; ++o) {
            float weight[MOST][4];
            [[unroll]] for (uint h = 0; h < MOST; ++h)
                if (h < STEP)
                    [[unroll]] for (uint j = 0; j < 4; ++j)
                        weight[h][j] = subgroupShuffle(share[h][o / LANES][j], o % LANES);
            [[unroll]] for (uint q = 0; q < PLACES; ++q)
                [[unroll]] for (uint h = 0; h < MOST; ++h)
                    if (h < STEP)
                        [[unroll]] for (uint j = 0; j < 4; ++j) sum[q][o] += weight[h][j] * x[h][q][j];
        }
#endif
        w += STEP * BLOCK;
        c += STEP;
        const bool next_tap = c == end;
        c = next_tap ? begin : c;
        w += next_tap ? (p.channels - (end - begin)) * BLOCK : 0;
        l += next_tap ? 1 : 0;
        tap += next_tap ? p.tap_x : 0;
        if (TESTED) columns += next_tap ? p.tap_x : 0;
        const bool next_row = l == p.taps_x;
        if (TESTED) {
            rows += next_row ? p.row : 0;
            columns = next_row ? 0 : columns;
        }
        l = next_row ? 0 : l;
        tap += next_row ? p.tap_y - int(p.taps_x) * p.tap_x : 0;
    }

#ifdef TURNED
    const uint first_output = block * BLOCK + lane * SUM_OUTPUTS;
    vec4 shift = vec4(0.0);
    if (with_bias)
        [[unroll]] for (uint j = 0; j < 4; ++j) {
            const uint o = min(first_output + j, p.destination_channels - 1);
            shift[j] = texelFetch(bias, int(quotient(group * p.destination_channels + o, phases))).x;
        }
    const uint own_plane = lane * p.destination_plane;
    [[unroll]] for (uint place = 0; place < SUM_PLACES; ++place) {
        const uint q = place / LANES;
        const uint at = subgroupShuffle(to[q], place % LANES);
        const uint at_row = subgroupShuffle(row[q], place % LANES);
        const uint at_column = subgroupShuffle(column[q], place % LANES);
        const uint at_corner = subgroupShuffle(corner[q], place % LANES);
        const uint at_switch = subgroupShuffle(switch_at[q], place % LANES) + own_plane;
        vec4 value = vec4(sum[place][0], sum[place][1], sum[place][2], sum[place][3]) + shift;
        if (gl_WorkGroupID.x * (LANES * PLACES) + place >= p.total || first_output >= p.destination_channels) continue;
        if (POOLED) {
            if (place % 4 != 0) continue;
            vec4 values[4];
            [[unroll]] for (uint k = 0; k < 4; ++k) {
                [[unroll]] for (uint j = 0; j < 4; ++j) values[k][j] = sum[place / 4 * 4 + k][j] + shift[j];
                values[k] = rectified_if(relu, values[k]);
            }
            put_window(at + own_plane, at_corner, 2 * p.destination_y, values, keep_switches);
        } else if (UNPOOLED) {
            put_unpooled(4 * (at + own_plane) - 2 * at_column, at_corner, 2 * p.destination_y, at_switch, value);
        } else if (QUADS) {
            if (accumulate) value += texelFetch(before, int(at + own_plane));
            quads[at + own_plane] = to_quad(rectified_if(relu, value));
        } else {
            [[unroll]] for (uint j = 0; j < 4; ++j) {
                const Output o = output_of(first_output + j);
                if (first_output + j >= p.destination_channels || !inside(o, at_row, at_column)) continue;
                if (accumulate) value[j] += destination[at + o.offset];
                destination[at + o.offset] = rectified_if(relu, value[j]);
            }
        }
    }
#else
    float biases[SHARES];
    [[unroll]] for (uint i = 0; i < SHARES; ++i) {
        const uint o = group * p.destination_channels +
                       min(block * BLOCK + lane + i * LANES, p.destination_channels - 1);
        const float value = texelFetch(bias, int(with_bias ? quotient(o, phases) : 0)).x;
        biases[i] = with_bias ? value : 0.0;
    }
    if (QUADS) {
        [[unroll]] for (uint o = 0; o < BLOCK; o += 4) {
            if (block * BLOCK + o < p.destination_channels) {
                vec4 shift;
                [[unroll]] for (uint j = 0; j < 4; ++j)
                    shift[j] = subgroupShuffle(biases[(o + j) / LANES], (o + j) % LANES);
                const uint plane = o / 4 * p.destination_plane;
                [[unroll]] for (uint q = 0; q < PLACES; ++q) {
                    vec4 value = vec4(sum[q][o], sum[q][o + 1], sum[q][o + 2], sum[q][o + 3]) + shift;
                    if (number[q] < p.total) {
                        if (POOLED) {
                            vec4 values[4];
                            [[unroll]] for (uint k = 0; k < 4; ++k) {
                                const uint place = min(q / 4 * 4 + k, PLACES - 1);
                                [[unroll]] for (uint j = 0; j < 4; ++j) values[k][j] = sum[place][o + j] + shift[j];
                                values[k] = rectified_if(relu, values[k]);
                            }
                            if (q % 4 == 0)
                                put_window(to[q] + plane, corner[q], 2 * p.destination_y, values, keep_switches);
                        } else if (UNPOOLED) {
                            put_unpooled(4 * (to[q] + plane) - 2 * column[q], corner[q], 2 * p.destination_y,
                                         switch_at[q] + plane, value);
                        } else {
                            if (accumulate) value += texelFetch(before, int(to[q] + plane));
                            quads[to[q] + plane] = to_quad(rectified_if(relu, value));
                        }
                    }
                }
            }
        }
        return;
    }
    [[unroll]] for (uint o = 0; o < BLOCK; ++o) {
        // The same for the whole subgroup.
        if (block * BLOCK + o < p.destination_channels) {
            const float shift = subgroupShuffle(biases[o / LANES], o % LANES);
            const Output here = output_of(block * BLOCK + o);
            [[unroll]] for (uint q = 0; q < PLACES; ++q) {
                float value = sum[q][o] + shift;
                const uint at = to[q] + here.offset;
                if (number[q] < p.total && inside(here, row[q], column[q])) {
                    if (accumulate) value += destination[at];
                    destination[at] = rectified_if(relu, value);
                }
            }
        }
    }
#endif
}
