#version 450
// A convolution as a matrix product by tiles in shared memory, whose right side is gathered as it is read (implicit
// GEMM): forward passes, and reverses with stride 1 (a convolution by the mirrored kernel).
//
//   y[n, g, o, place] = b[g, o] + Σ_k  w[g, o, k] x[n, g, channel(k), place · stride − pad + tap(k) · dilation]
//
// A workgroup computes SIDE output channels at SIDE places; each invocation 8 of them at 4, sixteen apart, so that
// neighbours write neighbours.  Steps of DEPTH k: all load, all multiply.
//
//   weights: [group][block][k][SIDE], k = channel · taps + tap, zeros where a block or the last step is not full
#include "common.glsl"

const uint SIDE = 64;
const uint DEPTH = 16;
const uint THREADS = 128;

layout(local_size_x = 128) in;
layout(constant_id = 1) const uint taps_y = 1;
layout(constant_id = 2) const uint taps_x = 1;
layout(constant_id = 3) const bool with_bias = false;
layout(constant_id = 4) const bool accumulate = false;
layout(constant_id = 5) const bool relu = false;
layout(constant_id = 6) const bool rectified = false;  // max(x, 0) of the source

layout(binding = 0) readonly buffer Source { float source[]; };
layout(binding = 1) readonly buffer Weights { vec4 weights[]; };
layout(binding = 2) readonly buffer Bias { float bias[]; };
layout(binding = 3) buffer Destination { float destination[]; };

layout(push_constant) uniform Push {
    uint total;                       // places of all images
    uint places, grid_width;          // of one image
    uint groups, blocks;              // blocks: of one group
    uint source_channels;             // of one group
    uint source_height, source_width;
    uint destination_channels;        // of one group
    uint steps;
    int stride_y, stride_x, pad_y, pad_x, dilation_y, dilation_x;
} p;

shared vec4 left[DEPTH][SIDE / 4];
shared float right[DEPTH][SIDE];

void main() {
    const uint thread = gl_LocalInvocationID.x;
    const uint group = gl_WorkGroupID.y / p.blocks;
    const uint block = gl_WorkGroupID.y % p.blocks;
    const uint first = gl_WorkGroupID.x * SIDE;
    const uint taps = taps_y * taps_x;
    const uint source_plane = p.source_height * p.source_width;

    // The place whose values this invocation loads, for every other k of a step.
    const uint my_place = thread % SIDE;
    const uint at = min(first + my_place, p.total - 1);
    const uint image = quotient(at, p.places);
    const uint y_of = quotient(at - image * p.places, p.grid_width);
    const int corner_y = int(y_of) * p.stride_y - p.pad_y;
    const int corner_x = int(at - image * p.places - y_of * p.grid_width) * p.stride_x - p.pad_x;
    const uint source_base = (image * p.groups + group) * p.source_channels * source_plane;

    const uint column = thread % 16;
    const uint row = thread / 16;
    vec4 sum[2][4];  // eight output channels, four places
    [[unroll]] for (uint i = 0; i < 2; ++i)
        [[unroll]] for (uint j = 0; j < 4; ++j) sum[i][j] = vec4(0.0);

    uint w = gl_WorkGroupID.y * p.steps * DEPTH * (SIDE / 4) + thread;
    for (uint step_index = 0; step_index < p.steps; ++step_index) {
        [[unroll]] for (uint i = 0; i < DEPTH * SIDE / 4 / THREADS; ++i) {
            const uint entry = thread + i * THREADS;
            left[entry / (SIDE / 4)][entry % (SIDE / 4)] = weights[w + i * THREADS];
        }
        w += DEPTH * SIDE / 4;
        [[unroll]] for (uint i = 0; i < DEPTH * SIDE / THREADS; ++i) {
            const uint depth = thread / SIDE + i * (THREADS / SIDE);
            const uint k = step_index * DEPTH + depth;
            const uint channel = k / taps;
            const uint tap = k - channel * taps;
            const uint tap_row = tap / taps_x;
            const int y = corner_y + int(tap_row) * p.dilation_y;
            const int x = corner_x + int(tap - tap_row * taps_x) * p.dilation_x;
            float value = 0.0;
            if (channel < p.source_channels && y >= 0 && x >= 0 && y < int(p.source_height) && x < int(p.source_width))
                value = source[source_base + channel * source_plane + uint(y) * p.source_width + uint(x)];
            right[depth][my_place] = rectified ? max(value, 0.0) : value;
        }
        barrier();
        [[unroll]] for (uint depth = 0; depth < DEPTH; ++depth) {
            const vec4 a = left[depth][row * 2];
            const vec4 b = left[depth][row * 2 + 1];
            [[unroll]] for (uint j = 0; j < 4; ++j) {
                const float value = right[depth][column + j * 16];
                sum[0][j] += a * value;
                sum[1][j] += b * value;
            }
        }
        barrier();
    }

    [[unroll]] for (uint j = 0; j < 4; ++j) {
        const uint to = first + column + j * 16;
        if (to >= p.total) continue;
        const uint to_image = quotient(to, p.places);
        const uint place = to - to_image * p.places;
        [[unroll]] for (uint i = 0; i < 8; ++i) {
            const uint channel = block * SIDE + row * 8 + i;
            if (channel < p.destination_channels) {
                const uint all = group * p.destination_channels + channel;
                const uint index = (to_image * p.groups * p.destination_channels + all) * p.places + place;
                float value = sum[i / 4][j][i % 4];
                if (with_bias) value += bias[all];
                if (accumulate) value += destination[index];
                if (relu) value = value < 0.0 ? 0.0 : value;  // a NaN stays
                destination[index] = value;
            }
        }
    }
}
