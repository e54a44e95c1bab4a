#version 450
// A Gaussian along one axis, cut at three standard deviations, edges clamped.  One invocation computes one pixel of one
// plane; z is the plane.
#include "common.glsl"

layout(local_size_x_id = 0) in;

layout(binding = 0) readonly buffer Source { float source[]; };
layout(binding = 1) writeonly buffer Destination { float destination[]; };

layout(push_constant) uniform Push {
    int width, height;
    uint vertical;
    float sigma;
} p;

void main() {
    const uint pixel = linear_index();
    const int pixels = p.width * p.height;
    if (pixel >= uint(pixels)) return;
    const int base = int(gl_WorkGroupID.z) * pixels;
    const int x = int(pixel) % p.width;
    const int y = int(pixel) / p.width;
    const int radius = int(ceil(3.0 * p.sigma));
    float sum = 0.0;
    float weights = 0.0;
    for (int k = -radius; k <= radius; ++k) {
        const float weight = exp(-float(k * k) / (2.0 * p.sigma * p.sigma));
        const int at = p.vertical != 0 ? clamp(y + k, 0, p.height - 1) * p.width + x
                                       : y * p.width + clamp(x + k, 0, p.width - 1);
        sum += weight * source[base + at];
        weights += weight;
    }
    destination[base + int(pixel)] = sum / weights;
}
