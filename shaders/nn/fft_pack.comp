#version 450
// (N, C, H, W) to the planes that a Fourier transform takes: [image][tile][channel][row][column], zeros where a tile
// reaches over the border, each row followed by two floats of room.  Tiles overlap by what a kernel reaches (overlap-save).
//
// One invocation writes two neighbours of a row.  The workgroup's y is the channel, its z image and tile.
//
// variant: texels -DTEXELS
// variant: buffer
#include "common.glsl"

layout(local_size_x_id = 0) in;
// A rectifier on the way: 0 none; else R crosses it by rule: 1 deconv, 2 guided, 3 gradient (see unary.comp).
layout(constant_id = 1) const uint rectifier = 0;
const uint DECONV = 1, GRADIENT = 3;

#ifdef TEXELS
layout(binding = 0) uniform samplerBuffer source;
layout(binding = 2) uniform samplerBuffer forward;  // positive where the rectified unit was on
#define SOURCE(i) texelFetch(source, int(i)).x
#define FORWARD(i) texelFetch(forward, int(i)).x
#else
layout(binding = 0) readonly buffer Source { float source[]; };
layout(binding = 2) readonly buffer Forward { float forward[]; };
#define SOURCE(i) source[i]
#define FORWARD(i) forward[i]
#endif
layout(binding = 1) writeonly buffer Destination { vec2 destination[]; };

layout(push_constant) uniform Push {
    uint channels, height, width;       // of the source
    uint pairs, row_pairs;              // that hold pixels, of a tile and of a row
    uint rows;                          // of a tile
    uint tiles, row_tiles;              // of an image, of a row of tiles
    int step_y, step_x;                 // source places from one tile to the next
    int first_y, first_x;               // the source place at the first tile's beginning
    uint forward_first, forward_items;  // the source's first element in the whole signal; the period of `forward`
} p;

float pixel(uint base, int y, int x) {
    const bool inside = y >= 0 && x >= 0 && y < int(p.height) && x < int(p.width);
    const uint at = base + (inside ? uint(y) * p.width + uint(x) : 0);
    float v = SOURCE(at);
    if (rectifier != 0 && rectifier != GRADIENT) v = max(v, 0.0);
    bool on = inside;
    if (rectifier > DECONV) on = on && FORWARD(remainder(p.forward_first + at, p.forward_items)) > 0.0;
    return on ? v : 0.0;
}

void main() {
    const uint at = gl_WorkGroupID.x * workgroup + gl_LocalInvocationID.x;
    if (at >= p.pairs) return;
    const uint image = gl_WorkGroupID.z / p.tiles;
    const uint tile = gl_WorkGroupID.z % p.tiles;
    const uint row = quotient(at, p.row_pairs);
    const uint pair = at - row * p.row_pairs;
    const int y = int(tile / p.row_tiles) * p.step_y + p.first_y + int(row);
    const int x = int(tile % p.row_tiles) * p.step_x + p.first_x + int(pair) * 2;
    const uint base = (image * p.channels + gl_WorkGroupID.y) * p.height * p.width;
    const uint to = ((gl_WorkGroupID.z * p.channels + gl_WorkGroupID.y) * p.rows + row) * (p.row_pairs + 1) + pair;
    destination[to] = vec2(pixel(base, y, x), pixel(base, y, x + 1));
}
