#version 450
// Thumbnails of a batch of projections: copy k goes to the tile of its channel in a grid of all channels.  One
// invocation computes one pixel of one tile.
#include "common.glsl"
#include "image/resample.glsl"

layout(local_size_x_id = 0) in;

layout(binding = 0) readonly buffer Pictures { uint pictures[]; };      // RGBA, one copy after the other
layout(binding = 1) readonly buffer Selections { ivec4 selections[]; };  // two a copy; the first's x is its channel
layout(binding = 2) writeonly buffer PictureBuffer { uint picture[]; };

layout(push_constant) uniform Push {
    uint items;
    uint first_copy;  // copies before it are none of ours
    uint width, height;  // of a copy's picture
    uint picture_width, columns, tile_width, tile_height, gap;
    uint channels;
} p;

void main() {
    const uint index = linear_index();
    if (index >= p.items) return;
    const uint pixels = p.tile_width * p.tile_height;
    const uint copy = p.first_copy + index / pixels;
    const int channel = selections[2 * copy].x;
    if (channel < 0 || uint(channel) >= p.channels) return;
    const uint x = index % p.tile_width;
    const uint y = index / p.tile_width % p.tile_height;
    const Taps across = taps_along(int(p.width), 0.0, float(p.width), int(p.tile_width), int(x));
    const Taps down = taps_along(int(p.height), 0.0, float(p.height), int(p.tile_height), int(y));
    vec4 sum = vec4(0.0);
    for (int v = down.first; v <= down.last; ++v) {
        vec4 row = vec4(0.0);
        for (int u = across.first; u <= across.last; ++u) {
            row += tap_weight(across, u) *
                   unpackUnorm4x8(pictures[(copy * p.height + uint(v)) * p.width + uint(u)]);
        }
        sum += tap_weight(down, v) * row;
    }
    const uint column = uint(channel) % p.columns;
    const uint line = uint(channel) / p.columns;
    const uint at = (line * (p.tile_height + p.gap) + y) * p.picture_width + column * (p.tile_width + p.gap) + x;
    picture[at] = packUnorm4x8(vec4(sum.rgb, 1.0));
}
