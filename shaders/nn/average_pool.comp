#version 450
// Average pooling and its reverse, which spreads evenly by the same divisor.  Planes of H × W, dense; one invocation
// computes one element.
//
// variant: forward -DFORWARD
// variant: reverse -DREVERSE
#include "common.glsl"

layout(local_size_x_id = 0) in;

layout(binding = 0) readonly buffer Source { float source[]; };
layout(binding = 1) buffer Destination { float destination[]; };

layout(push_constant) uniform Push {
    uint items;
    int height, width;  // of the pool's input
    int out_height, out_width;
    int kernel_y, kernel_x, stride_y, stride_x, pad_y, pad_x, pad_y_end, pad_x_end;
    uint count_padding;
    uint accumulate;
} p;

// How many places window (v, u) counts, 1 for one that sees nothing.  Padding counts only up to its own end: what
// ceil_mode adds beyond never does.
float divisor(int v, int u) {
    const int y0 = v * p.stride_y - p.pad_y;
    const int x0 = u * p.stride_x - p.pad_x;
    int y1 = y0 + p.kernel_y;
    int x1 = x0 + p.kernel_x;
    if (p.count_padding != 0) {
        y1 = min(y1, p.height + p.pad_y_end);
        x1 = min(x1, p.width + p.pad_x_end);
        return float((y1 - y0) * (x1 - x0));
    }
    return float(max(min(y1, p.height) - max(y0, 0), 1) * max(min(x1, p.width) - max(x0, 0), 1));
}

void main() {
    const uint index = linear_index();
    if (index >= p.items) return;
    float sum = 0.0;
#ifdef FORWARD
    const int u = int(index) % p.out_width;
    const int v = int(index) / p.out_width % p.out_height;
    const uint base = index / uint(p.out_width * p.out_height) * uint(p.height * p.width);
    const int y0 = max(v * p.stride_y - p.pad_y, 0);
    const int x0 = max(u * p.stride_x - p.pad_x, 0);
    const int y1 = min(v * p.stride_y - p.pad_y + p.kernel_y, p.height);
    const int x1 = min(u * p.stride_x - p.pad_x + p.kernel_x, p.width);
    for (int y = y0; y < y1; ++y) {
        float row = 0.0;
        for (int x = x0; x < x1; ++x) row += source[base + uint(y * p.width + x)];
        sum += row;
    }
    sum /= divisor(v, u);
#else
    const int x = int(index) % p.width;
    const int y = int(index) / p.width % p.height;
    const uint base = index / uint(p.width * p.height) * uint(p.out_height * p.out_width);
    const int v0 = max(0, (y + p.pad_y - p.kernel_y + p.stride_y) / p.stride_y);
    const int v1 = min(p.out_height - 1, (y + p.pad_y) / p.stride_y);
    const int u0 = max(0, (x + p.pad_x - p.kernel_x + p.stride_x) / p.stride_x);
    const int u1 = min(p.out_width - 1, (x + p.pad_x) / p.stride_x);
    for (int v = v0; v <= v1; ++v)
        for (int u = u0; u <= u1; ++u) sum += source[base + uint(v * p.out_width + u)] / divisor(v, u);
#endif
    if (p.accumulate != 0) sum += destination[index];
    destination[index] = sum;
}
