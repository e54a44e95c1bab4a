#version 450
// All feature maps of a tensor as one picture: a grid of tiles, each map in its own tile, brightness by activation
// relative to the layer's largest (its square root, so that weak maps can be seen), what is negative in blue.  One
// invocation computes one pixel.
#include "common.glsl"

layout(local_size_x_id = 0) in;

layout(binding = 0) readonly buffer Source { float source[]; };
layout(binding = 1) readonly buffer Peaks { uvec2 peaks[]; };         // (bits of the value, place) by channel
layout(binding = 2) readonly buffer Selections { ivec4 selections[]; };  // the second's y is the strongest channel
layout(binding = 3) writeonly buffer PictureBuffer { uint picture[]; };

layout(push_constant) uniform Push {
    uint picture_width, picture_height;
    uint columns;
    uint tile_width, tile_height;  // with the gap
    uint scale;                    // pixels of the picture for one of the map
    uint channels, map_width, map_height;
    uint background;
} p;

void main() {
    const uint index = linear_index();
    if (index >= p.picture_width * p.picture_height) return;
    const uint x = index % p.picture_width;
    const uint y = index / p.picture_width;
    const uint channel = y / p.tile_height * p.columns + x / p.tile_width;
    const uint u = x % p.tile_width / p.scale;
    const uint v = y % p.tile_height / p.scale;
    if (channel >= p.channels || u >= p.map_width || v >= p.map_height) {
        picture[index] = p.background;
        return;
    }
    const float largest = uintBitsToFloat(peaks[selections[1].y].x);
    const float value = source[(channel * p.map_height + v) * p.map_width + u];
    const float size = largest > 0.0 ? sqrt(min(abs(value) / largest, 1.0)) : 0.0;
    const vec3 colour = value >= 0.0 ? vec3(size) : vec3(0.1, 0.25, 0.9) * size;
    picture[index] = packUnorm4x8(vec4(colour, 1.0));
}
