#version 450
// Max pooling with switches, and its reverse (unpooling).
//
//   forward: y[n, c, v, u] = max over the window of x; switch[n, c, v, u] = the place y·W + x of that maximum in its
//            plane.  Padding is −∞ and never a switch; ties go to the first in row-major order.
//   reverse: r[n, c, y, x] = Σ of R[n, c, v, u] over the windows whose switch is (y, x).  Gathered, so that overlapping
//            windows add up in a fixed order and without atomics.
//
// One invocation computes one element.  Tensors are (N, C, H, W), dense; the way back may hold several copies of R over
// one set of switches.
//
// variant: forward -DFORWARD
// variant: reverse -DREVERSE
#include "common.glsl"

layout(local_size_x_id = 0) in;

layout(binding = 0) readonly buffer Source { float source[]; };
#ifdef FORWARD
layout(binding = 1) writeonly buffer Destination { float destination[]; };
layout(binding = 2) writeonly buffer Switches { uint switches[]; };
#else
layout(binding = 1) buffer Destination { float destination[]; };
layout(binding = 2) readonly buffer Switches { uint switches[]; };
#endif

layout(push_constant) uniform Push {
    uint items;             // elements of the destination
    uint height, width;     // of the pool's input
    uint out_height, out_width;
    int kernel_y, kernel_x, stride_y, stride_x, pad_y, pad_x, dilation_y, dilation_x;
    uint keep_switches;     // forward
    uint switch_planes;     // reverse: planes of the switches; the copies of R share them
    uint accumulate;
} p;

void main() {
    const uint index = linear_index();
    if (index >= p.items) return;
#ifdef FORWARD
    const int u = int(index % p.out_width);
    const int v = int(index / p.out_width % p.out_height);
    const uint base = index / (p.out_width * p.out_height) * p.height * p.width;
    const int y0 = v * p.stride_y - p.pad_y;
    const int x0 = u * p.stride_x - p.pad_x;
    float best = 0.0;
    uint place = 0xffffffffu;
    for (int k = 0; k < p.kernel_y; ++k) {
        const int y = y0 + k * p.dilation_y;
        for (int l = 0; l < p.kernel_x; ++l) {
            const int x = x0 + l * p.dilation_x;
            const bool inside = y >= 0 && x >= 0 && y < int(p.height) && x < int(p.width);
            const uint here = inside ? uint(y) * p.width + uint(x) : 0;
            const float value = source[base + here];
            // A NaN is never greater, but a first one is taken: it shows itself.
            if (inside && (place == 0xffffffffu || value > best)) {
                best = value;
                place = here;
            }
        }
    }
    // A window wholly in the padding has no maximum.
    destination[index] = place == 0xffffffffu ? uintBitsToFloat(0xff800000u) : best;
    if (p.keep_switches != 0) switches[index] = place;
#else
    const int x = int(index % p.width);
    const int y = int(index / p.width % p.height);
    const uint plane = index / (p.width * p.height);
    const uint out_plane = p.out_height * p.out_width;
    const uint base = plane * out_plane;
    const uint switch_base = (plane % p.switch_planes) * out_plane;
    const uint here = uint(y) * p.width + uint(x);
    // Windows v with v·stride − pad + k·dilation = y for some k.
    const int reach_y = (p.kernel_y - 1) * p.dilation_y;
    const int reach_x = (p.kernel_x - 1) * p.dilation_x;
    const int v0 = max(0, (y + p.pad_y - reach_y + p.stride_y - 1) / p.stride_y);
    const int v1 = min(int(p.out_height) - 1, (y + p.pad_y) / p.stride_y);
    const int u0 = max(0, (x + p.pad_x - reach_x + p.stride_x - 1) / p.stride_x);
    const int u1 = min(int(p.out_width) - 1, (x + p.pad_x) / p.stride_x);
    float sum = 0.0;
    for (int v = v0; v <= v1; ++v) {
        for (int u = u0; u <= u1; ++u) {
            const uint at = uint(v) * p.out_width + uint(u);
            if (switches[switch_base + at] == here) sum += source[base + at];
        }
    }
    if (p.accumulate != 0) sum += destination[index];
    destination[index] = sum;
#endif
}
