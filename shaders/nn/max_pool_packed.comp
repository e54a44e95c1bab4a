#version 450
// max_pool.comp on packed tensors, [image][channel / 4][row][column][4], switches too: one invocation computes four
// channels of a place.  For CPUs' drivers, which read four components of a texel at once.
//
// variant: forward -DFORWARD
// variant: reverse -DREVERSE
#include "common.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const int kernel_y = 1;
layout(constant_id = 2) const int kernel_x = 1;
layout(constant_id = 3) const int stride_y = 1;
layout(constant_id = 4) const int stride_x = 1;
layout(constant_id = 5) const int dilation_y = 1;
layout(constant_id = 6) const int dilation_x = 1;

layout(binding = 0) uniform samplerBuffer source;
#ifdef FORWARD
layout(binding = 1) writeonly buffer Destination { vec4 destination[]; };
layout(binding = 2) writeonly buffer Switches { uvec4 switches[]; };
#else
layout(binding = 1) buffer Destination { vec4 destination[]; };
layout(binding = 2) uniform usamplerBuffer switches;
#endif

layout(push_constant) uniform Push {
    uint items;  // of the destination, as all here in texels; a plane is one of four channels' values
    uint height, width;
    uint out_height, out_width;
    int pad_y, pad_x;
    uint keep_switches;
    uint switch_planes;
    uint accumulate;
} p;

void main() {
    const uint index = linear_index();
    if (index >= p.items) return;
#ifdef FORWARD
    const uint row = quotient(index, p.out_width);
    const uint plane = quotient(row, p.out_height);
    const uint base = plane * p.height * p.width;
    const int y0 = int(row - plane * p.out_height) * stride_y - p.pad_y;
    const int x0 = int(index - row * p.out_width) * stride_x - p.pad_x;
    const uint nowhere = 0xffffffffu;
    vec4 best = vec4(0.0);
    uvec4 place = uvec4(nowhere);
    for (int k = 0; k < kernel_y; ++k) {
        const int y = y0 + k * dilation_y;
        for (int l = 0; l < kernel_x; ++l) {
            const int x = x0 + l * dilation_x;
            const bool inside = y >= 0 && x >= 0 && y < int(p.height) && x < int(p.width);
            const uint here = inside ? uint(y) * p.width + uint(x) : 0;
            const vec4 value = texelFetch(source, int(base + here));
            [[unroll]] for (uint j = 0; j < 4; ++j) {
                // A NaN is never greater, but a first one is taken: it shows itself.
                const bool taken = inside && (place[j] == nowhere || value[j] > best[j]);
                best[j] = taken ? value[j] : best[j];
                place[j] = taken ? here : place[j];
            }
        }
    }
    // A window wholly in the padding has no maximum.
    [[unroll]] for (uint j = 0; j < 4; ++j) best[j] = place[j] == nowhere ? uintBitsToFloat(0xff800000u) : best[j];
    destination[index] = best;
    if (p.keep_switches != 0) switches[index] = place;
#else
    const uint row = quotient(index, p.width);
    const uint plane = quotient(row, p.height);
    const int x = int(index - row * p.width);
    const int y = int(row - plane * p.height);
    const uint out_plane = p.out_height * p.out_width;
    const uint base = plane * out_plane;
    const uint switch_base = remainder(plane, p.switch_planes) * out_plane;
    const uint here = uint(y) * p.width + uint(x);
    // The windows that may hold this place: see max_pool.comp.
    const int windows_y = (kernel_y - 1) * dilation_y / stride_y + 1;
    const int windows_x = (kernel_x - 1) * dilation_x / stride_x + 1;
    const int v1 = int(uint(y + p.pad_y) / uint(stride_y));
    const int u1 = int(uint(x + p.pad_x) / uint(stride_x));
    vec4 sum = vec4(0.0);
    for (int i = windows_y - 1; i >= 0; --i) {
        for (int j = windows_x - 1; j >= 0; --j) {
            const int v = v1 - i;
            const int u = u1 - j;
            const bool inside = v >= 0 && u >= 0 && v < int(p.out_height) && u < int(p.out_width);
            const uint at = inside ? uint(v) * p.out_width + uint(u) : 0;
            const uvec4 place = texelFetch(switches, int(switch_base + at));
            const vec4 value = texelFetch(source, int(base + at));
            [[unroll]] for (uint c = 0; c < 4; ++c) sum[c] += inside && place[c] == here ? value[c] : 0.0;
        }
    }
    if (p.accumulate != 0) sum += destination[index];
    destination[index] = sum;
#endif
}
