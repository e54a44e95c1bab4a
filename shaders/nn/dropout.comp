#version 450
// Dropout in training (Srivastava et al. 2014), and its reverse: an element stays, divided by the share that stays, or
// becomes zero, by a random number of its own.  The number is a hash of (seed, step, node, element): forward and reverse
// draw the same without keeping a mask, and so does a run that is taken up again.  One invocation does one element.
#include "common.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const bool accumulate = false;

layout(binding = 0) readonly buffer Source { float source[]; };
layout(binding = 1) buffer Destination { float destination[]; };
layout(binding = 2) readonly buffer Step { uint step[]; };  // seed, step

layout(push_constant) uniform Push {
    uint items, first;
    uint node;
    float ratio;  // that is dropped
} p;

// PCG (Jarzynski and Olano 2020, "Hash functions for GPU rendering").
uint hash(uint v) {
    const uint state = v * 747796405u + 2891336453u;
    const uint word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
    return (word >> 22u) ^ word;
}

void main() {
    const uint index = linear_index();
    if (index >= p.items) return;
    const uint random = hash(p.first + index + hash(p.node + hash(step[1] + hash(step[0]))));
    const float kept = float(random >> 8u) * (1.0 / 16777216.0) >= p.ratio ? 1.0 / (1.0 - p.ratio) : 0.0;
    float value = source[index] * kept;
    if (accumulate) value += destination[index];
    destination[index] = value;
}
