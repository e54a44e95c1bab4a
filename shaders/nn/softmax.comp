#version 450
// Softmax along one dimension: a tensor seen as (outer, depth, inner).  One invocation computes one row of `depth`.
#include "common.glsl"

layout(local_size_x_id = 0) in;

layout(binding = 0) readonly buffer Source { float source[]; };
layout(binding = 1) buffer Destination { float destination[]; };

layout(push_constant) uniform Push {
    uint rows;  // outer · inner
    uint depth, inner;
} p;

void main() {
    const uint index = linear_index();
    if (index >= p.rows) return;
    const uint base = index / p.inner * p.depth * p.inner + index % p.inner;
    float peak = source[base];
    for (uint i = 1; i < p.depth; ++i) peak = max(peak, source[base + i * p.inner]);
    float sum = 0.0;
    for (uint i = 0; i < p.depth; ++i) {
        const float e = exp(source[base + i * p.inner] - peak);
        destination[base + i * p.inner] = e;
        sum += e;
    }
    for (uint i = 0; i < p.depth; ++i) destination[base + i * p.inner] /= sum;
}
