#version 450
// max_pool.comp on packed tensors, [image][channel / 4][row][column][4], switches too: one invocation computes four
// channels of a place; on the way back, along an axis with stride 2, of the two places between which no window begins,
// for they look at the same windows, and reading those is what takes the time.  For CPUs' drivers, which read four
// components of a texel at once; and for feature maps of halves, [image][channel / 8][row][column][8], of which an
// invocation computes eight channels.  Switches have as many to a place, in whole words.
//
// variant: forward -DFORWARD -DFOURS=1 [wide]
// variant: reverse -DREVERSE -DFOURS=1 [wide]
// variant: forward.halves -DFORWARD -DFOURS=2 -DHALVES
// variant: reverse.halves -DREVERSE -DFOURS=2 -DHALVES
#include "common.glsl"
#include "quads.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const int kernel_y = 1;
layout(constant_id = 2) const int kernel_x = 1;
layout(constant_id = 3) const int stride_y = 1;
layout(constant_id = 4) const int stride_x = 1;
layout(constant_id = 5) const int dilation_y = 1;
layout(constant_id = 6) const int dilation_x = 1;

#ifdef HALVES
layout(binding = 0) readonly buffer Source { uvec4 source[]; };
layout(binding = 1) buffer Destination { uvec4 destination[]; };
layout(binding = 2) buffer Switches { uvec4 switches[]; };
#define SWITCHES(i) switches[i]
#else
layout(binding = 0) uniform samplerBuffer source;
layout(binding = 1) buffer Destination { Quad destination[]; };
#ifdef FORWARD
layout(binding = 2) writeonly buffer Switches { QuadBits switches[]; };
#else
layout(binding = 2) uniform usamplerBuffer switches;
#endif
#define SWITCHES(i) texelFetch(switches, int(i))
#endif

#define Values vec4[FOURS]  // of an invocation's channels
#ifdef HALVES
Values unpack(uvec4 eight) { return Values(unpack_halves(eight.xy), unpack_halves(eight.zw)); }
Values source_at(uint i) { return unpack(source[i]); }
Values destination_at(uint i) { return unpack(destination[i]); }
void put(uint i, Values value) { destination[i] = uvec4(pack_halves(value[0]), pack_halves(value[1])); }
#else
Values source_at(uint i) { return Values(texelFetch(source, int(i))); }
Values destination_at(uint i) { return Values(from_quad(destination[i])); }
void put(uint i, Values value) { destination[i] = to_quad(value[0]); }
#endif

layout(push_constant) uniform Push {
    uint items;  // invocations; all here counts what one of them computes, and a plane is one of that many channels
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
    Values best;
    uvec4 place[FOURS];
    [[unroll]] for (uint f = 0; f < FOURS; ++f) {
        best[f] = vec4(0.0);
        place[f] = uvec4(nowhere);
    }
    for (int k = 0; k < kernel_y; ++k) {
        const int y = y0 + k * dilation_y;
        for (int l = 0; l < kernel_x; ++l) {
            const int x = x0 + l * dilation_x;
            const bool inside = y >= 0 && x >= 0 && y < int(p.height) && x < int(p.width);
            const uint here = inside ? uint(y) * p.width + uint(x) : 0;
            const Values value = source_at(base + here);
            [[unroll]] for (uint f = 0; f < FOURS; ++f)
                [[unroll]] for (uint j = 0; j < 4; ++j) {
                    // A NaN is never greater, but a first one is taken: it shows itself.
                    const bool taken = inside && (place[f][j] == nowhere || value[f][j] > best[f][j]);
                    best[f][j] = taken ? value[f][j] : best[f][j];
                    place[f][j] = taken ? here : place[f][j];
                }
        }
    }
    // A window wholly in the padding has no maximum.
    [[unroll]] for (uint f = 0; f < FOURS; ++f)
        [[unroll]] for (uint j = 0; j < 4; ++j)
            best[f][j] = place[f][j] == nowhere ? uintBitsToFloat(0xff800000u) : best[f][j];
    put(index, best);
    [[unroll]] for (uint f = 0; f < FOURS; ++f)
        if (p.keep_switches != 0) switches[index * FOURS + f] = to_quad(place[f]);
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
    const int reach_y = (kernel_y - 1) * dilation_y + 1;
    const int reach_x = (kernel_x - 1) * dilation_x + 1;
    const int windows_y = (kernel_y - 1) * dilation_y / stride_y + 1;
    const int windows_x = (kernel_x - 1) * dilation_x / stride_x + 1;
    const int v1 = int(uint(y + p.pad_y) / uint(stride_y));
    const int u1 = int(uint(x + p.pad_x) / uint(stride_x));
    Values sum[2][2];
    [[unroll]] for (int r = 0; r < 2; ++r)
        [[unroll]] for (int c = 0; c < 2; ++c)
            [[unroll]] for (uint f = 0; f < FOURS; ++f) sum[r][c][f] = vec4(0.0);
    for (int i = windows_y - 1; i >= 0; --i) {
        for (int j = windows_x - 1; j >= 0; --j) {
            const int v = v1 - i;
            const int u = u1 - j;
            const bool inside = v >= 0 && u >= 0 && v < int(p.out_height) && u < int(p.out_width);
            const uint at = inside ? uint(v) * p.out_width + uint(u) : 0;
            const Values value = source_at(base + at);
            uvec4 place[FOURS];
            [[unroll]] for (uint f = 0; f < FOURS; ++f) place[f] = SWITCHES((switch_base + at) * FOURS + f);
            [[unroll]] for (int r = 0; r < 2; ++r)
                [[unroll]] for (int c = 0; c < 2; ++c)
                    // A block begins with a window: its second row lies in no window that begins k − 1 rows before.
                    if (r < block_y && c < block_x && (block_y == 1 || r + i * stride_y < reach_y) &&
                        (block_x == 1 || c + j * stride_x < reach_x)) {
                        const uint here = uint((y + r) * int(p.width) + x + c);
                        [[unroll]] for (uint f = 0; f < FOURS; ++f)
                            [[unroll]] for (uint k = 0; k < 4; ++k)
                                sum[r][c][f][k] += inside && place[f][k] == here ? value[f][k] : 0.0;
                    }
        }
    }
    [[unroll]] for (int r = 0; r < 2; ++r)
        [[unroll]] for (int c = 0; c < 2; ++c)
            if (r < block_y && c < block_x && y + r >= 0 && x + c >= 0 && y + r < int(p.height) &&
                x + c < int(p.width)) {
                const uint to = plane * p.height * p.width + uint((y + r) * int(p.width) + x + c);
                Values value = sum[r][c];
                if (p.accumulate != 0) {
                    const Values old = destination_at(to);
                    [[unroll]] for (uint f = 0; f < FOURS; ++f) value[f] += old[f];
                }
                put(to, value);
            }
#endif
}
