#version 450
// A row of tiles: chosen planes of a tensor, each enlarged or shrunk into a box of a picture.  A pixel takes the entry
// of the largest magnitude under it, so that what is sparse does not get lost.  Brightness is relative to the largest
// magnitude in the tensor's chosen planes (its square root, so that weak planes can be seen).  One invocation computes
// one pixel of one tile.
//
// Of a signal zero is grey, what is positive goes to warm white, what is negative to blue; of an activation zero is
// black.  SWITCHES marks the places that a max pool's switches name, one an invocation.
//
// variant: signal
// variant: activation -DACTIVATION
// variant: switches -DSWITCHES
#include "common.glsl"

layout(local_size_x_id = 0) in;

#ifdef SWITCHES
layout(binding = 0) readonly buffer Source { uint source[]; };  // switches, (channels, pooled places)
#else
layout(binding = 0) readonly buffer Source { float source[]; };
#endif
layout(binding = 1) readonly buffer Stats { vec2 stats[]; };     // of plane_stats.comp
layout(binding = 2) readonly buffer Choices { int choices[]; };  // channel of each tile; negative: none
layout(binding = 3) buffer PictureBuffer { uint picture[]; };

layout(push_constant) uniform Push {
    uint items;
    uint picture_width, left, top;           // where the first tile begins
    uint tile_width, tile_height, tile_step;  // pixels; step from one tile to the next
    uint count, first_choice;
    uint map_width, map_height;
    uint pooled;  // places of a pooled plane (switches only)
} p;

void main() {
    const uint index = linear_index();
    if (index >= p.items) return;
#ifdef SWITCHES
    const uint tile = index / p.pooled;
    const int channel = choices[p.first_choice + tile];
    if (channel < 0) return;
    const uint place = source[uint(channel) * p.pooled + index % p.pooled];
    const uint v = place / p.map_width;
    const uint u = place % p.map_width;
    if (v >= p.map_height) return;
    // The pixels under which the tile itself looks for this entry: see below.
    const uint x1 = ((u + 1) * p.tile_width + p.map_width - 1) / p.map_width;
    const uint y1 = ((v + 1) * p.tile_height + p.map_height - 1) / p.map_height;
    const uint x0 = min((u * p.tile_width + p.map_width - 1) / p.map_width, x1 - 1);
    const uint y0 = min((v * p.tile_height + p.map_height - 1) / p.map_height, y1 - 1);
    for (uint y = y0; y < y1; ++y) {
        for (uint x = x0; x < x1; ++x) {
            const uint at = (p.top + y) * p.picture_width + p.left + tile * p.tile_step + x;
            // Only where no signal was placed: grey is zero.
            if ((picture[at] & 0xffffffu) == 0x404040u) picture[at] = packUnorm4x8(vec4(0.16, 0.40, 0.38, 1.0));
        }
    }
#else
    const uint tile = index / (p.tile_width * p.tile_height);
    const uint x = index % p.tile_width;
    const uint y = index / p.tile_width % p.tile_height;
    const uint at = (p.top + y) * p.picture_width + p.left + tile * p.tile_step + x;
    const int channel = choices[p.first_choice + tile];
    if (channel < 0) {
        picture[at] = 0xff1c1a18u;
        return;
    }
    float largest = 0.0;
    for (uint i = 0; i < p.count; ++i) {
        const int c = choices[p.first_choice + i];
        if (c >= 0) largest = max(largest, stats[c].x);
    }
    const uint u0 = x * p.map_width / p.tile_width;
    const uint v0 = y * p.map_height / p.tile_height;
    const uint u1 = max(u0 + 1, (x + 1) * p.map_width / p.tile_width);
    const uint v1 = max(v0 + 1, (y + 1) * p.map_height / p.tile_height);
    float value = 0.0;
    for (uint v = v0; v < v1; ++v) {
        for (uint u = u0; u < u1; ++u) {
            const float here = source[(uint(channel) * p.map_height + v) * p.map_width + u];
            if (abs(here) > abs(value)) value = here;
        }
    }
    const float size = largest > 0.0 ? sqrt(min(abs(value) / largest, 1.0)) : 0.0;
#ifdef ACTIVATION
    const vec3 colour = value >= 0.0 ? vec3(size) : vec3(0.1, 0.25, 0.9) * size;
#else
    const vec3 zero = vec3(64.0 / 255.0);
    const vec3 colour = mix(zero, value >= 0.0 ? vec3(1.0, 0.93, 0.75) : vec3(0.15, 0.45, 1.0), size);
#endif
    picture[at] = packUnorm4x8(vec4(colour, 1.0));
#endif
}
