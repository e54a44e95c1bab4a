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
// WHOLE: windows that neither overlap nor leave anything between them; one invocation fills a window.
//
// variant: forward -DFORWARD
// variant: reverse -DREVERSE
// variant: whole -DREVERSE -DWHOLE
// variant: forward.texels -DFORWARD -DTEXELS
#include "common.glsl"

layout(local_size_x_id = 0) in;

// The window: constants, so that divisions by its strides are none and its loops' lengths are known.
layout(constant_id = 1) const int kernel_y = 1;
layout(constant_id = 2) const int kernel_x = 1;
layout(constant_id = 3) const int stride_y = 1;
layout(constant_id = 4) const int stride_x = 1;
layout(constant_id = 5) const int dilation_y = 1;
layout(constant_id = 6) const int dilation_x = 1;

#ifdef TEXELS
layout(binding = 0) uniform samplerBuffer source;
#define SOURCE(i) texelFetch(source, int(i)).x
#else
layout(binding = 0) readonly buffer Source { float source[]; };
#define SOURCE(i) source[i]
#endif
#ifdef FORWARD
layout(binding = 1) writeonly buffer Destination { float destination[]; };
layout(binding = 2) writeonly buffer Switches { uint switches[]; };
#else
layout(binding = 1) buffer Destination { float destination[]; };
layout(binding = 2) readonly buffer Switches { uint switches[]; };
#endif

layout(push_constant) uniform Push {
    uint items;             // elements of the destination; WHOLE: of the source
    uint height, width;     // of the pool's input
    uint out_height, out_width;
    int pad_y, pad_x;
    uint keep_switches;     // forward
    uint switch_planes;     // reverse: planes of the switches; the copies of R share them
    uint accumulate;
} p;

void main() {
    const uint index = linear_index();
    if (index >= p.items) return;
#ifdef FORWARD
    const uint row = quotient(index, p.out_width);
    const uint plane = quotient(row, p.out_height);
    const int u = int(index - row * p.out_width);
    const int v = int(row - plane * p.out_height);
    const uint base = plane * p.height * p.width;
    const int y0 = v * stride_y - p.pad_y;
    const int x0 = u * stride_x - p.pad_x;
    float best = 0.0;
    uint place = 0xffffffffu;
    for (int k = 0; k < kernel_y; ++k) {
        const int y = y0 + k * dilation_y;
        for (int l = 0; l < kernel_x; ++l) {
            const int x = x0 + l * dilation_x;
            const bool inside = y >= 0 && x >= 0 && y < int(p.height) && x < int(p.width);
            const uint here = inside ? uint(y) * p.width + uint(x) : 0;
            const float value = SOURCE(base + here);
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
#elif defined(WHOLE)
    const uint row = quotient(index, p.out_width);
    const uint plane = quotient(row, p.out_height);
    const uint out_plane = p.out_height * p.out_width;
    const uint place = switches[remainder(plane, p.switch_planes) * out_plane + index - plane * out_plane];
    const float value = SOURCE(index);
    const uint corner = (row - plane * p.out_height) * kernel_y * p.width + (index - row * p.out_width) * kernel_x;
    for (uint k = 0; k < kernel_y; ++k)
        for (uint l = 0; l < kernel_x; ++l) {
            const uint here = corner + k * p.width + l;
            float sum = here == place ? value : 0.0;
            if (p.accumulate != 0) sum += destination[plane * p.height * p.width + here];
            destination[plane * p.height * p.width + here] = sum;
        }
#else
    const uint row = quotient(index, p.width);
    const uint plane = quotient(row, p.height);
    const int x = int(index - row * p.width);
    const int y = int(row - plane * p.height);
    const uint out_plane = p.out_height * p.out_width;
    const uint base = plane * out_plane;
    const uint switch_base = remainder(plane, p.switch_planes) * out_plane;
    const uint here = uint(y) * p.width + uint(x);
    // Windows v with v·stride − pad + k·dilation = y for some k.
    // The last of them, and as many before it as any place may have: the same number for all invocations.
    const int windows_y = (kernel_y - 1) * dilation_y / stride_y + 1;
    const int windows_x = (kernel_x - 1) * dilation_x / stride_x + 1;
    const int v1 = int(uint(y + p.pad_y) / uint(stride_y));
    const int u1 = int(uint(x + p.pad_x) / uint(stride_x));
    float sum = 0.0;
    for (int i = windows_y - 1; i >= 0; --i) {
        for (int j = windows_x - 1; j >= 0; --j) {
            const int v = v1 - i;
            const int u = u1 - j;
            const bool inside = v >= 0 && u >= 0 && v < int(p.out_height) && u < int(p.out_width);
            const uint at = inside ? uint(v) * p.out_width + uint(u) : 0;
            const bool chosen = inside && switches[switch_base + at] == here;
            sum += chosen ? SOURCE(base + at) : 0.0;
        }
    }
    if (p.accumulate != 0) sum += destination[index];
    destination[index] = sum;
#endif
}
