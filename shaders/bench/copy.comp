#version 450
// Copies, sixteen bytes an invocation and step: what memory can do at most, where the driver's own copies do less.
#include "common.glsl"

layout(local_size_x_id = 0) in;

layout(binding = 0) readonly buffer Source { vec4 source[]; };
layout(binding = 1) writeonly buffer Destination { vec4 destination[]; };

layout(push_constant) uniform Push { uint items; } p;  // invocations

void main() {
    const uint index = linear_index();
    if (index >= p.items) return;
    vec4 values[4];
    [[unroll]] for (uint i = 0; i < 4; ++i) values[i] = source[index + i * p.items];
    [[unroll]] for (uint i = 0; i < 4; ++i) destination[index + i * p.items] = values[i];
}
