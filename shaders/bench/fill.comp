#version 450
// Sets every element to one value: the least that a dispatch can do.
#include "common.glsl"

layout(local_size_x_id = 0) in;

layout(binding = 0) writeonly buffer Destination { float destination[]; };

layout(push_constant) uniform Push {
    uint items;
    float value;
} p;

void main() {
    const uint index = linear_index();
    if (index < p.items) destination[index] = p.value;
}
