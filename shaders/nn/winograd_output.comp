#version 450
// Winograd's output transform: y = Aᵀ m A of every tile of products m, [point][group][channel][image, tile row, tile
// column], to a dense tensor, with bias and rectifier.
//
// One invocation makes one tile of one channel.  The workgroup's y is the channel, counted over groups.
//
// variant: 2 -DTILE=2
// variant: 4 -DTILE=4
// variant: 2.dense -DTILE=2 -DDENSE
// variant: 4.dense -DTILE=4 -DDENSE
#include "common.glsl"
#include "winograd.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const bool with_bias = false;
layout(constant_id = 2) const bool accumulate = false;
layout(constant_id = 3) const bool relu = false;

#ifdef DENSE
layout(binding = 0) readonly buffer Products { float products[]; };
layout(binding = 1) readonly buffer Bias { float bias[]; };
#define FETCH(from, i) from[i]
#else
layout(binding = 0) uniform samplerBuffer products;
layout(binding = 1) uniform samplerBuffer bias;
#define FETCH(from, i) texelFetch(from, int(i)).x
#endif
layout(binding = 2) buffer Destination { float destination[]; };

layout(push_constant) uniform Push {
    uint tiles, image_tiles, row_tiles;
    uint channels;  // of all groups
    uint height, width;
    uint parts, step_part;  // DENSE: partial sums of the products
} p;

void main() {
    const uint tile = gl_WorkGroupID.x * workgroup + gl_LocalInvocationID.x;
    if (tile >= p.tiles) return;
    const uint channel = gl_WorkGroupID.y;
    const uint image = quotient(tile, p.image_tiles);
    const uint here = tile - image * p.image_tiles;
    const uint tile_y = quotient(here, p.row_tiles);
    const uint y0 = tile_y * TILE;
    const uint x0 = (here - tile_y * p.row_tiles) * TILE;

    const uint step_point = p.channels * p.tiles;
    uint from = channel * p.tiles + tile;
    float half_way[POINTS][TILE];
    [[unroll]] for (uint r = 0; r < POINTS; ++r) {
        float m[POINTS];
        [[unroll]] for (uint c = 0; c < POINTS; ++c) {
            m[c] = FETCH(products, from);
#ifdef DENSE
            for (uint i = 1; i < p.parts; ++i) m[c] += products[from + i * p.step_part];
#endif
            from += step_point;
        }
        from_points(m, half_way[r]);
    }
    const float shift = with_bias ? FETCH(bias, channel) : 0.0;
    const uint to = (image * p.channels + channel) * p.height * p.width + y0 * p.width + x0;
    [[unroll]] for (uint c = 0; c < TILE; ++c) {
        float m[POINTS];
        float y[TILE];
        [[unroll]] for (uint r = 0; r < POINTS; ++r) m[r] = half_way[r][c];
        from_points(m, y);
        [[unroll]] for (uint r = 0; r < TILE; ++r) {
            if (y0 + r < p.height && x0 + c < p.width) {
                float value = y[r] + shift;
                if (accumulate) value += destination[to + r * p.width + c];
                if (relu) value = value < 0.0 ? 0.0 : value;  // a NaN stays
                destination[to + r * p.width + c] = value;
            }
        }
    }
}
