#version 450
// y[n, c, …] = scale[c] · x[n, c, …] + shift[c]: batch normalisation in inference; its reverse leaves the shift out.
// parameters holds (scale, shift) by channel.  One invocation computes one element.
#include "common.glsl"

layout(local_size_x_id = 0) in;

layout(binding = 0) readonly buffer Source { float source[]; };
layout(binding = 1) readonly buffer Parameters { vec2 parameters[]; };
layout(binding = 2) buffer Destination { float destination[]; };

layout(push_constant) uniform Push {
    uint items;
    uint first;  // of the whole tensor's elements
    uint channels, plane;
    uint use_shift, accumulate;
} p;

void main() {
    const uint index = linear_index();
    if (index >= p.items) return;
    const vec2 parameter = parameters[(p.first + index) / p.plane % p.channels];
    float value = source[index] * parameter.x;
    if (p.use_shift != 0) value += parameter.y;
    if (p.accumulate != 0) value += destination[index];
    destination[index] = value;
}
