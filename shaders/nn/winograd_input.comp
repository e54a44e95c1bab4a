#version 450
// Winograd's input transform: V = Bᵀ d B of every tile d of every channel, packed for the products that follow
// (conv_packed.comp): [point][group][channel / 4][image, tile row, tile column][4].
//
// One invocation transforms one tile of four channels of a dense tensor, (N, C, H, W), or of a packed one.  The
// workgroup's y is the block of four channels, counted over groups.  DENSE: of one channel,
// [point][group][channel][image, tile row, tile column], for conv_tiled.comp.
//
// variant: 2 -DTILE=2 [wide]
// variant: 4 -DTILE=4 [wide]
// variant: 2.dense -DTILE=2 -DDENSE
// variant: 4.dense -DTILE=4 -DDENSE
#include "common.glsl"
#include "quads.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const bool rectified = false;  // max(x, 0) on the way
layout(constant_id = 2) const bool packed_source = false;

#ifdef DENSE
#define Value float
#define Stored float
#define STORED(value) value
const uint BLOCK = 1;
layout(binding = 0) readonly buffer Source { float source[]; };
#define SOURCE(i) source[i]
#define CHANNEL(value, j) value
#else
#define Value vec4
#define Stored Quad
#define STORED(value) to_quad(value)
const uint BLOCK = 4;
layout(binding = 0) uniform samplerBuffer source;
#define SOURCE(i) texelFetch(source, int(i)).x
#define CHANNEL(value, j) value[j]
#endif
#include "winograd.glsl"
layout(binding = 1) writeonly buffer Points { Stored points[]; };

layout(push_constant) uniform Push {
    uint tiles, first_tile;         // of this run, counted over images
    uint image_tiles, row_tiles;    // of an image, of a row of it
    uint channels, blocks, groups;       // channels and blocks of them of one group
    uint height, width;
    int first_y, first_x;                // the source place of the first tile's corner
    uint image;                          // texels from one image of a packed source to the next
} p;

void main() {
    const uint tile = gl_WorkGroupID.x * workgroup + gl_LocalInvocationID.x;
    if (tile >= p.tiles) return;
    const uint group = gl_WorkGroupID.y / p.blocks;
    const uint block = gl_WorkGroupID.y % p.blocks;
    const uint image = quotient(p.first_tile + tile, p.image_tiles);
    const uint here = p.first_tile + tile - image * p.image_tiles;
    const uint tile_y = quotient(here, p.row_tiles);
    const int y0 = int(tile_y * TILE) + p.first_y;
    const int x0 = int((here - tile_y * p.row_tiles) * TILE) + p.first_x;
    const uint plane = p.height * p.width;
    const uint image_group = image * p.groups + group;

    Value v[POINTS][POINTS];
    [[unroll]] for (uint r = 0; r < POINTS; ++r) {
        const int y = y0 + int(r);
        [[unroll]] for (uint c = 0; c < POINTS; ++c) {
            const int x = x0 + int(c);
            const bool inside = y >= 0 && y < int(p.height) && x >= 0 && x < int(p.width);
            const uint at = inside ? uint(y) * p.width + uint(x) : 0;
            Value value;
#ifndef DENSE
            if (packed_source)
                value = texelFetch(source, int(image * p.image + gl_WorkGroupID.y * plane + at));
            else
#endif
                [[unroll]] for (uint j = 0; j < BLOCK; ++j) {
                    const uint channel = block * BLOCK + j;
                    const float one = SOURCE((image_group * p.channels + min(channel, p.channels - 1)) * plane + at);
                    CHANNEL(value, j) = channel < p.channels ? one : 0.0;
                }
            if (rectified) value = max(value, Value(0.0));
            v[r][c] = inside ? value : Value(0.0);
        }
        to_points(v[r]);
    }
    [[unroll]] for (uint c = 0; c < POINTS; ++c) {
        Value column[POINTS];
        [[unroll]] for (uint r = 0; r < POINTS; ++r) column[r] = v[r][c];
        to_points(column);
        [[unroll]] for (uint r = 0; r < POINTS; ++r) v[r][c] = column[r];
    }
    const uint step_point = p.groups * p.blocks * p.tiles;
    uint at = gl_WorkGroupID.y * p.tiles + tile;
    [[unroll]] for (uint r = 0; r < POINTS; ++r)
        [[unroll]] for (uint c = 0; c < POINTS; ++c) {
            points[at] = STORED(v[r][c]);
            at += step_point;
        }
}
