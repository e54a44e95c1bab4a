#version 450
// max_pool.comp on packed tensors, [image][channel / 4][row][column][4], switches too: one invocation computes four
// channels of a place; on the way back, along an axis with stride 2, of the two places between which no window begins,
// for they look at the same windows, and reading those is what takes the time.  For CPUs' drivers, which read four
// components of a texel at once.
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
    uint items;  // invocations; all here counts texels, and a plane is one of four channels' values
    uint height, width;
    uint out_height, out_width;
    int pad_y, pad_x;
    uint keep_switches;
    uint switch_planes;
    uint accumulate;
    uint rows, columns;  // reverse: invocations of a plane
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
    const uint row = quotient(index, p.columns);
    const uint plane = quotient(row, p.rows);
    const int block_y = stride_y == 2 ? 2 : 1;
    const int block_x = stride_x == 2 ? 2 : 1;
    const int y = int(row - plane * p.rows) * block_y - (block_y - 1) * p.pad_y;
    const int x = int(index - row * p.columns) * block_x - (block_x - 1) * p.pad_x;
    const uint out_plane = p.out_height * p.out_width;
    const uint base = plane * out_plane;
    const uint switch_base = remainder(plane, p.switch_planes) * out_plane;
    // The windows that may hold these places: see max_pool.comp.
    const int windows_y = (kernel_y - 1) * dilation_y / stride_y + 1;
    const int windows_x = (kernel_x - 1) * dilation_x / stride_x + 1;
    const int v1 = int(uint(y + p.pad_y) / uint(stride_y));
    const int u1 = int(uint(x + p.pad_x) / uint(stride_x));
    vec4 sum[2][2];
    [[unroll]] for (int r = 0; r < 2; ++r)
        [[unroll]] for (int c = 0; c < 2; ++c) sum[r][c] = vec4(0.0);
    for (int i = windows_y - 1; i >= 0; --i) {
        for (int j = windows_x - 1; j >= 0; --j) {
            const int v = v1 - i;
            const int u = u1 - j;
            const bool inside = v >= 0 && u >= 0 && v < int(p.out_height) && u < int(p.out_width);
            const uint at = inside ? uint(v) * p.out_width + uint(u) : 0;
            const uvec4 place = texelFetch(switches, int(switch_base + at));
            const vec4 value = texelFetch(source, int(base + at));
            [[unroll]] for (int r = 0; r < 2; ++r)
                [[unroll]] for (int c = 0; c < 2; ++c)
                    if (r < block_y && c < block_x) {
                        const uint here = uint((y + r) * int(p.width) + x + c);
                        [[unroll]] for (uint k = 0; k < 4; ++k)
                            sum[r][c][k] += inside && place[k] == here ? value[k] : 0.0;
                    }
        }
    }
    [[unroll]] for (int r = 0; r < 2; ++r)
        [[unroll]] for (int c = 0; c < 2; ++c)
            if (r < block_y && c < block_x && y + r >= 0 && x + c >= 0 && y + r < int(p.height) &&
                x + c < int(p.width)) {
                const uint to = plane * p.height * p.width + uint((y + r) * int(p.width) + x + c);
                vec4 value = sum[r][c];
                if (p.accumulate != 0) value += destination[to];
                destination[to] = value;
            }
#endif
}
