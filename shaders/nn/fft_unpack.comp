#version 450
// What is valid of each tile after the inverse transform, [image][tile][channel][row][column] with two floats of room a
// row, to (N, C, H, W), with bias and rectifier.  One invocation writes one element; the workgroup's y is the channel,
// its z the image.
//
// variant: texels -DTEXELS
// variant: buffer
#include "common.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const bool with_bias = false;
layout(constant_id = 2) const bool accumulate = false;
layout(constant_id = 3) const bool relu = false;

#ifdef TEXELS
layout(binding = 0) uniform samplerBuffer source;
#define SOURCE(i) texelFetch(source, int(i)).x
#else
layout(binding = 0) readonly buffer Source { float source[]; };
#define SOURCE(i) source[i]
#endif
layout(binding = 1) readonly buffer Bias { float bias[]; };
layout(binding = 2) buffer Destination { float destination[]; };

layout(push_constant) uniform Push {
    uint channels, places, width;  // of the destination
    uint rows, row;                // of a tile; floats of one of its rows
    uint tiles, row_tiles;         // of an image, of a row of tiles
    uint step_y, step_x;           // places that a tile makes
} p;

void main() {
    const uint at = gl_WorkGroupID.x * workgroup + gl_LocalInvocationID.x;
    if (at >= p.places) return;
    const uint y = quotient(at, p.width);
    const uint x = at - y * p.width;
    const uint tile_y = quotient(y, p.step_y);
    const uint tile_x = quotient(x, p.step_x);
    const uint plane = (gl_WorkGroupID.z * p.tiles + tile_y * p.row_tiles + tile_x) * p.channels + gl_WorkGroupID.y;
    float value = SOURCE((plane * p.rows + y - tile_y * p.step_y) * p.row + x - tile_x * p.step_x);
    if (with_bias) value += bias[gl_WorkGroupID.y];
    const uint to = (gl_WorkGroupID.z * p.channels + gl_WorkGroupID.y) * p.places + at;
    if (accumulate) value += destination[to];
    if (relu) value = value < 0.0 ? 0.0 : value;  // a NaN stays
    destination[to] = value;
}
