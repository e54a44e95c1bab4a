#version 450
// Max unpooling by scattering: each value goes to its switch.  Windows that overlap could meet there, so a dispatch takes
// only those of one colour, (v mod colours_y, u mod colours_x), which do not overlap; colours follow each other, and
// values add up in a fixed order.  The destination is zero before (or holds what is added to).
//
// One invocation moves one pooled value.  Cheaper than gathering (max_pool.comp) where reads cost as much as writes.
#include "common.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const bool alone = false;  // one colour, and nothing to add to: no need to read

layout(binding = 0) uniform samplerBuffer source;
layout(binding = 1) buffer Destination { float destination[]; };
layout(binding = 2) uniform usamplerBuffer switches;

layout(push_constant) uniform Push {
    uint items;
    uint plane;             // elements of the destination's planes
    uint out_height, out_width;
    uint grid_height, grid_width;  // windows of the colour
    uint first_y, first_x, colours_y, colours_x;
    uint switch_items;      // copies of R share the switches
} p;

void main() {
    const uint index = linear_index();
    if (index >= p.items) return;
    const uint row = quotient(index, p.grid_width);
    const uint plane = quotient(row, p.grid_height);
    const uint v = (row - plane * p.grid_height) * p.colours_y + p.first_y;
    const uint u = (index - row * p.grid_width) * p.colours_x + p.first_x;
    const uint from = (plane * p.out_height + v) * p.out_width + u;
    const uint place = texelFetch(switches, int(remainder(from, p.switch_items))).x;
    const float value = texelFetch(source, int(from)).x;
    if (place < p.plane) {  // a window wholly in the padding has none
        const uint to = plane * p.plane + place;
        destination[to] = alone ? value : destination[to] + value;
    }
}
