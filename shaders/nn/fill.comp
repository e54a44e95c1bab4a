#version 450
// Sets every element to one value.
//
// variant: one
// variant: four -DFOUR
#include "common.glsl"

layout(local_size_x_id = 0) in;

#ifdef FOUR
#define VALUE vec4
#else
#define VALUE float
#endif
layout(binding = 0) writeonly buffer Destination { VALUE destination[]; };

layout(push_constant) uniform Push {
    uint items;
    float value;
} p;

void main() {
    const uint index = linear_index();
    if (index < p.items) destination[index] = VALUE(p.value);
}
