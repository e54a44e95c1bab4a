#version 450
// Batch normalisation's running mean and variance, which inference uses: r ← (1 − share) · r + share · (the batch's),
// the variance unbiased.  One invocation does one channel.
#include "common.glsl"

layout(local_size_x_id = 0) in;

layout(binding = 0) readonly buffer Statistics { vec4 statistics[]; };  // two a channel, see nn/channel_totals.comp
layout(binding = 1) buffer Mean { float mean[]; };
layout(binding = 2) buffer Variance { float variance[]; };

layout(push_constant) uniform Push {
    uint channels;
    float share, unbiased;  // unbiased: n / (n − 1)
} p;

void main() {
    const uint channel = linear_index();
    if (channel >= p.channels) return;
    const vec4 s = statistics[channel * 2];
    mean[channel] += p.share * (s.x - mean[channel]);
    variance[channel] += p.share * (s.y * p.unbiased - variance[channel]);
}
