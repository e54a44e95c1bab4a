#version 450
// As many multiplications and additions as fit, all in registers: what the device can do at most.  One invocation does
// 2 · 16 · 8 · `rounds` of them.
#include "common.glsl"

layout(local_size_x_id = 0) in;

layout(binding = 0) buffer Values { float values[]; };

layout(push_constant) uniform Push {
    uint rounds;
    float factor;
} p;

void main() {
    const uint index = linear_index();
    const float start = float(index) * 1e-6;
    float sum[16];
    [[unroll]] for (uint j = 0; j < 16; ++j) sum[j] = start + float(j);
    for (uint k = 0; k < p.rounds; ++k)
        [[unroll]] for (uint r = 0; r < 8; ++r)
            [[unroll]] for (uint j = 0; j < 16; ++j) sum[j] = sum[j] * p.factor + start;
    float total = 0.0;
    [[unroll]] for (uint j = 0; j < 16; ++j) total += sum[j];
    if (total == -1.0) values[0] = total;  // never, but the driver cannot know
}
