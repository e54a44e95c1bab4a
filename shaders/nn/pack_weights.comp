#version 450
// Weights into the layout that another shader wants, by a table (WeightLayout): packed[i] = plain[table[i]], or 0.
// One invocation writes one element.
#include "common.glsl"

layout(local_size_x_id = 0) in;

layout(binding = 0) readonly buffer Plain { float plain[]; };
layout(binding = 1) readonly buffer Table { uint table[]; };
layout(binding = 2) writeonly buffer Packed { float packed[]; };

layout(push_constant) uniform Push { uint items; } p;

void main() {
    const uint index = linear_index();
    if (index >= p.items) return;
    const uint from = table[index];
    packed[index] = from == 0xffffffffu ? 0.0 : plain[from];
}
