#version 450
// destination[a][b][c] (+)= Σ_part parts[…] + bias[b]: partial sums added up in their order, so that the result is the
// same on every run.  One invocation makes one element.
#include "common.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const bool accumulate = false;
layout(constant_id = 2) const bool with_bias = false;
layout(constant_id = 3) const bool relu = false;

layout(binding = 0) readonly buffer Parts { float parts[]; };
layout(binding = 1) buffer Destination { float destination[]; };
layout(binding = 2) readonly buffer Bias { float bias[]; };

layout(push_constant) uniform Push {
    uint items, b, c;
    uint step_a, step_b, step_part;  // in `parts`; c follow each other
    uint count;
    // Where c lies in a plane of the destination, as a place of a grid.
    uint grid_width, plane, first, step_y, step_x;
} p;

void main() {
    const uint index = linear_index();
    if (index >= p.items) return;
    const uint at_c = index % p.c;
    const uint at_b = index / p.c % p.b;
    uint at = index / p.c / p.b * p.step_a + at_b * p.step_b + at_c;
    float sum = 0.0;
    for (uint i = 0; i < p.count; ++i) {
        sum += parts[at];
        at += p.step_part;
    }
    if (with_bias) sum += bias[at_b];
    const uint row = at_c / p.grid_width;
    const uint to = index / p.c * p.plane + p.first + row * p.step_y + (at_c - row * p.grid_width) * p.step_x;
    if (accumulate) sum += destination[to];
    if (relu) sum = sum < 0.0 ? 0.0 : sum;  // a NaN stays
    destination[to] = sum;
}
