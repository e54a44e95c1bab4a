#version 450
// Winograd's input transform: V = Bᵀ d B of every tile d of every channel, packed for the products that follow
// (conv_packed.comp): [point][group][channel / 4][image, tile row, tile column][4].
//
// One invocation transforms one tile of four channels of a dense tensor, (N, C, H, W).  The workgroup's y is the block
// of four channels, counted over groups.  DENSE: of one channel, [point][group][channel][image, tile row, tile column],
// for conv_tiled.comp.
//
// variant: 2 -DTILE=2
// variant: 4 -DTILE=4
// variant: 2.dense -DTILE=2 -DDENSE
// variant: 4.dense -DTILE=4 -DDENSE
#include "common.glsl"
#include "winograd.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const bool rectified = false;  // max(x, 0) on the way

#ifdef DENSE
const uint BLOCK = 1;
#define Block float
#define CHANNEL(value, j) value
layout(binding = 0) readonly buffer Source { float source[]; };
#define SOURCE(i) source[i]
#else
const uint BLOCK = 4;
#define Block vec4
#define CHANNEL(value, j) value[j]
layout(binding = 0) uniform samplerBuffer source;
#define SOURCE(i) texelFetch(source, int(i)).x
#endif
layout(binding = 1) writeonly buffer Points { Block points[]; };

layout(push_constant) uniform Push {
    uint tiles, image_tiles, row_tiles;  // of all images, of one, of a row of it
    uint channels, blocks, groups;       // channels and blocks of them of one group
    uint height, width;
    int first_y, first_x;                // the source place of the first tile's corner
} p;

void main() {
    const uint tile = gl_WorkGroupID.x * workgroup + gl_LocalInvocationID.x;
    if (tile >= p.tiles) return;
    const uint group = gl_WorkGroupID.y / p.blocks;
    const uint block = gl_WorkGroupID.y % p.blocks;
    const uint image = quotient(tile, p.image_tiles);
    const uint here = tile - image * p.image_tiles;
    const uint tile_y = quotient(here, p.row_tiles);
    const int y0 = int(tile_y * TILE) + p.first_y;
    const int x0 = int((here - tile_y * p.row_tiles) * TILE) + p.first_x;
    const uint plane = p.height * p.width;
    const uint image_base = (image * p.groups + group) * p.channels;

    Block v[POINTS][POINTS];
    [[unroll]] for (uint j = 0; j < BLOCK; ++j) {
        const uint channel = block * BLOCK + j;
        const uint base = (image_base + min(channel, p.channels - 1)) * plane;
        float d[POINTS][POINTS];
        [[unroll]] for (uint r = 0; r < POINTS; ++r) {
            const int y = y0 + int(r);
            const bool row_inside = y >= 0 && y < int(p.height) && channel < p.channels;
            [[unroll]] for (uint c = 0; c < POINTS; ++c) {
                const int x = x0 + int(c);
                const bool inside = row_inside && x >= 0 && x < int(p.width);
                float value = SOURCE(base + (inside ? uint(y) * p.width + uint(x) : 0));
                if (rectified) value = max(value, 0.0);
                d[r][c] = inside ? value : 0.0;
            }
            to_points(d[r]);
        }
        [[unroll]] for (uint c = 0; c < POINTS; ++c) {
            float column[POINTS];
            [[unroll]] for (uint r = 0; r < POINTS; ++r) column[r] = d[r][c];
            to_points(column);
            [[unroll]] for (uint r = 0; r < POINTS; ++r) CHANNEL(v[r][c], j) = column[r];
        }
    }
    const uint step_point = p.groups * p.blocks * p.tiles;
    uint at = gl_WorkGroupID.y * p.tiles + tile;
    [[unroll]] for (uint r = 0; r < POINTS; ++r)
        [[unroll]] for (uint c = 0; c < POINTS; ++c) {
            points[at] = v[r][c];
            at += step_point;
        }
}
