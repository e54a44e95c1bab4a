#version 450
// The largest magnitude and the mean of every plane of a tensor.  One workgroup of 64 handles one plane.
#include "common.glsl"

layout(local_size_x = 64) in;

layout(binding = 0) readonly buffer Source { float source[]; };
layout(binding = 1) writeonly buffer Stats { vec2 stats[]; };  // (largest magnitude, mean)

layout(push_constant) uniform Push {
    uint planes, plane;
} p;

shared vec2 parts[64];

void main() {
    const uint index = linear_group();
    if (index >= p.planes) return;
    const uint lane = gl_LocalInvocationID.x;
    vec2 part = vec2(0.0);
    for (uint i = lane; i < p.plane; i += 64) {
        const float value = source[index * p.plane + i];
        part = vec2(max(part.x, abs(value)), part.y + value);
    }
    parts[lane] = part;
    barrier();
    for (uint half_size = 32; half_size > 0; half_size /= 2) {
        if (lane < half_size) {
            const vec2 other = parts[lane + half_size];
            parts[lane] = vec2(max(parts[lane].x, other.x), parts[lane].y + other.y);
        }
        barrier();
    }
    if (lane == 0) stats[index] = vec2(parts[0].x, parts[0].y / float(p.plane));
}
