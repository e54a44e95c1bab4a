#version 450
// MaxUnpool: each value goes to the place its switch names; and its reverse, which gathers from there.  One invocation
// handles one pooled element.  Switches are places y·map_width + x, counted in the map that the window alone gives; the
// unpooled plane may go on to the right of it and below (output_shape).
//
// variant: forward -DFORWARD
// variant: reverse -DREVERSE
#include "common.glsl"

layout(local_size_x_id = 0) in;

layout(binding = 0) readonly buffer Source { float source[]; };
layout(binding = 1) buffer Destination { float destination[]; };
layout(binding = 2) readonly buffer Switches { uint switches[]; };

layout(push_constant) uniform Push {
    uint items;          // pooled elements
    uint pooled_plane;   // elements of a pooled plane
    uint height, width;  // of an unpooled plane
    uint map_width;
    uint switch_items;   // pooled elements that have switches: copies of R share them
    uint accumulate;
} p;

void main() {
    const uint index = linear_index();
    if (index >= p.items) return;
    const uint place = switches[index % p.switch_items];
    const uint y = place / p.map_width;
    const uint x = place % p.map_width;
    const bool inside = y < p.height && x < p.width;
    const uint at = (index / p.pooled_plane * p.height + y) * p.width + x;
#ifdef FORWARD
    if (inside) destination[at] = source[index];
#else
    float value = inside ? source[at] : 0.0;
    if (p.accumulate != 0) value += destination[index];
    destination[index] = value;
#endif
}
