#version 450
// The gradient of a convolution's weights, for any device:
//
//   parts[chunk][o][i][k][l] = Σ_{n in chunk} Σ_{v, u}  R[n, o, v, u] x[n, i, v·sy − py + k·dy, u·sx − px + l·dx]
//
// One invocation sums OUTPUTS output channels for one input channel and tap over one chunk of images; neighbours are
// neighbours in (i, k, l), so R is read at uniform addresses.  The chunks are added up by sum_parts.comp, in their
// order: the result is the same on every run.
#include "common.glsl"

layout(local_size_x_id = 0) in;

layout(binding = 0) readonly buffer Source { float source[]; };
layout(binding = 1) readonly buffer SignalIn { float signal[]; };
layout(binding = 2) writeonly buffer Parts { float parts[]; };

layout(push_constant) uniform Push {
    uint images, chunk;                             // chunk: images of one
    uint groups, in_channels, out_channels, blocks;  // channels of one group, blocks of OUTPUTS of it
    uint in_height, in_width, out_height, out_width;
    int kernel_y, kernel_x, stride_y, stride_x, pad_y, pad_x, dilation_y, dilation_x;
} p;

const uint OUTPUTS = 4;

// The first u ≥ 0 with u · stride + offset ≥ 0.
int first_inside(int offset, int stride) { return offset >= 0 ? 0 : (-offset + stride - 1) / stride; }
// One past the last u < count with u · stride + offset < size.
int end_inside(int offset, int stride, int size, int count) {
    return offset >= size ? 0 : min(count, (size - 1 - offset) / stride + 1);
}

void main() {
    const uint taps = uint(p.kernel_y * p.kernel_x);
    const uint index = gl_WorkGroupID.x * workgroup + gl_LocalInvocationID.x;
    if (index >= p.in_channels * taps) return;
    const uint i = index / taps;
    const int k = int(index % taps) / p.kernel_x;
    const int l = int(index % taps) % p.kernel_x;
    const uint group = gl_WorkGroupID.y / p.blocks;
    const uint first_o = gl_WorkGroupID.y % p.blocks * OUTPUTS;
    const int offset_y = k * p.dilation_y - p.pad_y;
    const int offset_x = l * p.dilation_x - p.pad_x;
    const int begin_y = first_inside(offset_y, p.stride_y);
    const int begin_x = first_inside(offset_x, p.stride_x);
    const int end_y = end_inside(offset_y, p.stride_y, int(p.in_height), int(p.out_height));
    const int end_x = end_inside(offset_x, p.stride_x, int(p.in_width), int(p.out_width));
    const uint out_plane = p.out_height * p.out_width;

    float sum[OUTPUTS];
    [[unroll]] for (uint o = 0; o < OUTPUTS; ++o) sum[o] = 0.0;
    const uint first = gl_WorkGroupID.z * p.chunk;
    for (uint n = first; n < min(first + p.chunk, p.images); ++n) {
        const uint x_plane = ((n * p.groups + group) * p.in_channels + i) * p.in_height * p.in_width;
        const uint r_plane = ((n * p.groups + group) * p.out_channels + first_o) * out_plane;
        for (int v = begin_y; v < end_y; ++v) {
            float part[OUTPUTS];
            [[unroll]] for (uint o = 0; o < OUTPUTS; ++o) part[o] = 0.0;
            uint x = x_plane + uint(v * p.stride_y + offset_y) * p.in_width + uint(begin_x * p.stride_x + offset_x);
            uint r = r_plane + uint(v) * p.out_width + uint(begin_x);
            for (int u = begin_x; u < end_x; ++u) {
                const float value = source[x];
                [[unroll]] for (uint o = 0; o < OUTPUTS; ++o)
                    if (first_o + o < p.out_channels) part[o] += value * signal[r + o * out_plane];
                x += uint(p.stride_x);
                ++r;
            }
            [[unroll]] for (uint o = 0; o < OUTPUTS; ++o) sum[o] += part[o];
        }
    }
    [[unroll]] for (uint o = 0; o < OUTPUTS; ++o)
        if (first_o + o < p.out_channels) {
            const uint channel = (gl_WorkGroupID.z * p.groups + group) * p.out_channels + first_o + o;
            parts[channel * p.in_channels * taps + index] = sum[o];
        }
}
