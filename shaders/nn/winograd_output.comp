#version 450
// Winograd's output transform: y = Aᵀ m A of every tile of products m, [point][group][channel / 4][image, tile row, tile
// column][4], to a dense tensor or a packed one, with bias and rectifier.
//
// One invocation makes one tile of four channels.  The workgroup's y is the block of four channels, counted over groups.
// DENSE: of one channel, from [point][channel][image, tile row, tile column].
//
// variant: 2 -DTILE=2 [wide]
// variant: 4 -DTILE=4 [wide]
// variant: 2.dense -DTILE=2 -DDENSE
// variant: 4.dense -DTILE=4 -DDENSE
#include "common.glsl"
#include "quads.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const bool with_bias = false;
layout(constant_id = 2) const bool accumulate = false;
layout(constant_id = 3) const bool relu = false;
layout(constant_id = 4) const bool packed_destination = false;
layout(constant_id = 5) const uint pooling = 0;  // see conv_packed.comp

#ifdef DENSE
#define Value float
const uint BLOCK = 1;
layout(binding = 0) readonly buffer Products { float products[]; };
layout(binding = 1) readonly buffer Bias { float bias[]; };
#define PRODUCTS(i) products[i]
#define BIAS(i) bias[i]
#define CHANNEL(value, j) value
#else
#define Value vec4
const uint BLOCK = 4;
layout(binding = 0) uniform samplerBuffer products;
layout(binding = 1) uniform samplerBuffer bias;
#define PRODUCTS(i) texelFetch(products, int(i))
#define BIAS(i) texelFetch(bias, int(i)).x
#define CHANNEL(value, j) value[j]
#endif
layout(binding = 2) buffer Destination { float destination[]; };
#ifndef DENSE
layout(binding = 2) buffer DestinationQuads { Quad quads[]; };
layout(binding = 3) writeonly buffer Switches { QuadBits switches[]; };
layout(binding = 4) uniform usamplerBuffer kept_switches;
layout(binding = 5) uniform samplerBuffer before;  // see conv_packed.comp
#include "pooling.glsl"
#endif
#include "winograd.glsl"

layout(push_constant) uniform Push {
    uint tiles, first_tile;  // of this run, counted over images
    uint image_tiles, row_tiles;
    uint channels, groups;  // channels of one group
    uint blocks;            // of its channels
    uint height, width;
    uint parts, step_part;  // DENSE: partial sums of the products
    uint keep_switches;     // pooled
    uint first_image, switch_images;  // unpooled
} p;

void main() {
    const uint tile = gl_WorkGroupID.x * workgroup + gl_LocalInvocationID.x;
    if (tile >= p.tiles) return;
    const uint group = gl_WorkGroupID.y / p.blocks;
    const uint block = gl_WorkGroupID.y % p.blocks;
    const uint image = quotient(p.first_tile + tile, p.image_tiles);
    const uint here = p.first_tile + tile - image * p.image_tiles;
    const uint tile_y = quotient(here, p.row_tiles);
    const uint y0 = tile_y * TILE;
    const uint x0 = (here - tile_y * p.row_tiles) * TILE;

    const uint step_point = p.groups * p.blocks * p.tiles;
    uint from = gl_WorkGroupID.y * p.tiles + tile;
    Value half_way[POINTS][TILE];
    [[unroll]] for (uint r = 0; r < POINTS; ++r) {
        Value m[POINTS];
        [[unroll]] for (uint c = 0; c < POINTS; ++c) {
            m[c] = PRODUCTS(from);
#ifdef DENSE
            for (uint i = 1; i < p.parts; ++i) m[c] += products[from + i * p.step_part];
#endif
            from += step_point;
        }
        from_points(m, half_way[r]);
    }
    Value shift = Value(0.0);
    if (with_bias)
        [[unroll]] for (uint j = 0; j < BLOCK; ++j)
            CHANNEL(shift, j) = BIAS(group * p.channels + min(block * BLOCK + j, p.channels - 1));
    const uint plane = p.height * p.width;
    const uint first = packed_destination ? (image * p.groups + group) * p.blocks + block
                                          : (image * p.groups + group) * p.channels + block * BLOCK;
    const uint to = first * plane + y0 * p.width + x0;
#ifndef DENSE
    vec4 windows[TILE / 2][4];  // of two columns
#endif
    [[unroll]] for (uint c = 0; c < TILE; ++c) {
        Value m[POINTS];
        Value y[TILE];
        [[unroll]] for (uint r = 0; r < POINTS; ++r) m[r] = half_way[r][c];
        from_points(m, y);
        [[unroll]] for (uint r = 0; r < TILE; ++r) {
            if (y0 + r >= p.height || x0 + c >= p.width) continue;
            const uint at = to + r * p.width + c;
            Value value = y[r] + shift;
#ifndef DENSE
            if (packed_destination) {
                if (accumulate) value += texelFetch(before, int(at));
                value = rectified_if(relu, value);
                const uint y = y0 + r;
                const uint x = x0 + c;
                if (pooling == 1) {
                    windows[r / 2][r % 2 * 2 + c % 2] = value;
                    if (r % 2 == 1 && c % 2 == 1)
                        put_window(first * plane / 4 + y / 2 * (p.width / 2) + x / 2, (y - 1) * p.width + x - 1, p.width,
                                   windows[r / 2], p.keep_switches != 0);
                } else if (pooling == 2) {
                    const uint switch_image = remainder(p.first_image + image, p.switch_images);
                    const uint corner = 4 * y * p.width + 2 * x;
                    put_unpooled(first * plane * 4 + corner, corner, 2 * p.width,
                                 at - (image - switch_image) * p.groups * p.blocks * plane, value);
                } else {
                    quads[at] = to_quad(value);
                }
                continue;
            }
#endif
            [[unroll]] for (uint j = 0; j < BLOCK; ++j) {
                float one = CHANNEL(value, j);
                if (block * BLOCK + j >= p.channels) continue;
                if (accumulate) one += destination[at + j * plane];
                if (relu) one = one < 0.0 ? 0.0 : one;  // a NaN stays
                destination[at + j * plane] = one;
            }
        }
    }
}
