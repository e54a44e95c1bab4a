#version 450
// destination[a][b][c] (+)= Σ_part parts[…] + bias[b]: partial sums added up in their order, so that the result is the
// same on every run.  One invocation makes one element; of a destination of halves, eight channels together, b counts
// channels and an invocation makes eight.
//
// variant: floats
// variant: halves -DHALVES
#include "common.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const bool accumulate = false;
layout(constant_id = 2) const bool with_bias = false;
layout(constant_id = 3) const bool relu = false;

layout(binding = 0) readonly buffer Parts { float parts[]; };
#ifdef HALVES
layout(binding = 1) buffer Destination { uvec4 destination[]; };
#else
layout(binding = 1) buffer Destination { float destination[]; };
#endif
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
    const uint row = at_c / p.grid_width;
    const uint to = index / p.c * p.plane + p.first + row * p.step_y + (at_c - row * p.grid_width) * p.step_x;
#ifdef HALVES
    const uint at_b = index / p.c % (p.b / 8) * 8;
    uint at = index / p.c / (p.b / 8) * p.step_a + at_b * p.step_b + at_c;
    float sum[8];
    [[unroll]] for (uint j = 0; j < 8; ++j) sum[j] = with_bias ? bias[at_b + j] : 0.0;
    for (uint i = 0; i < p.count; i += 4) {
        float more[4][8];  // a GPU waits for memory once for all of them
        [[unroll]] for (uint k = 0; k < 4; ++k)
            [[unroll]] for (uint j = 0; j < 8; ++j)
                more[k][j] = parts[at + min(i + k, p.count - 1) * p.step_part + j * p.step_b];
        [[unroll]] for (uint k = 0; k < 4; ++k)
            [[unroll]] for (uint j = 0; j < 8; ++j) sum[j] += i + k < p.count ? more[k][j] : 0.0;
    }
    vec4 low = vec4(sum[0], sum[1], sum[2], sum[3]);
    vec4 high = vec4(sum[4], sum[5], sum[6], sum[7]);
    if (accumulate) {
        low += unpack_halves(destination[to].xy);
        high += unpack_halves(destination[to].zw);
    }
    [[unroll]] for (uint j = 0; j < 4; ++j) {
        if (relu) low[j] = low[j] < 0.0 ? 0.0 : low[j];  // a NaN stays
        if (relu) high[j] = high[j] < 0.0 ? 0.0 : high[j];
    }
    destination[to] = uvec4(pack_halves(low), pack_halves(high));
#else
    const uint at_b = index / p.c % p.b;
    uint at = index / p.c / p.b * p.step_a + at_b * p.step_b + at_c;
    float sum = 0.0;
    for (uint i = 0; i < p.count; ++i) {
        sum += parts[at];
        at += p.step_part;
    }
    if (with_bias) sum += bias[at_b];
    if (accumulate) sum += destination[to];
    if (relu) sum = sum < 0.0 ? 0.0 : sum;  // a NaN stays
    destination[to] = sum;
#endif
}
