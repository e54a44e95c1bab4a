#version 450
// The reverse of a convolution into few channels, as a network's first layer has them: all of an image's places and
// taps at once, so that each source texel is read once for all that it goes into, and no product is with a zero.
//
//   x[n, i, Y − pad_y, X − pad_x] = Σ_{o, k, l}  w[o, i, k, l] R[n, o, (Y − k) / STRIDE, (X − l) / STRIDE]
//
// over the taps that leave no remainder.  A workgroup is one subgroup; a lane computes all CHANNELS of the
// ROWS · STRIDE × COLUMNS · STRIDE places that a block of ROWS × COLUMNS source places begins, whose taps reach REACH
// places back from there.  Weights are by lane and handed round, see conv_packed.comp.
//
// UNPOOLED: the source is R at the output of a max pool behind the convolution, 3×3 with stride 2, and unpooling by its
// switches is part of reading: blocks lie so that their first source row and column are the middle of windows'.
//
//   source, switches: [image][channel / 4][row][column][4]
//   weights:          [channel / 4][CHANNELS][KERNEL][KERNEL][4]
//   destination:      dense
//
// variant: 3s1 -DKERNEL=3 -DSTRIDE=1 -DROWS=2 -DCOLUMNS=4
// variant: 3s2 -DKERNEL=3 -DSTRIDE=2 -DROWS=2 -DCOLUMNS=4
// variant: 7s2 -DKERNEL=7 -DSTRIDE=2 -DROWS=2 -DCOLUMNS=4
#include "common.glsl"
#extension GL_KHR_shader_subgroup_shuffle : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const bool rectified = false;  // max(x, 0) of the source
layout(constant_id = 2) const bool UNPOOLED = false;

const uint LANES = 8;
const uint CHANNELS = 3;
const uint WEIGHTS = CHANNELS * KERNEL * KERNEL;  // texels for four source channels
const uint SHARES = (WEIGHTS + LANES - 1) / LANES;
const int REACH = (KERNEL - 1) / STRIDE;
const int SOURCE_ROWS = ROWS + REACH, SOURCE_COLUMNS = COLUMNS + REACH;
const int WINDOW_ROWS = SOURCE_ROWS / 2 + 1, WINDOW_COLUMNS = SOURCE_COLUMNS / 2 + 1;

layout(binding = 0) uniform samplerBuffer source;
layout(binding = 1) uniform samplerBuffer weights;
layout(binding = 2) uniform usamplerBuffer switches;
layout(binding = 3) buffer Destination { float destination[]; };

layout(push_constant) uniform Push {
    uint total, blocks, blocks_a_row;  // of all images, of one, of one's row
    int first_y, first_x;              // source place of the first block, without its reach
    int pad_y, pad_x;
    uint source_height, source_width;
    uint channel_blocks;               // of four source channels
    uint channels, height, width;      // of the destination
    uint windows_y, windows_x;         // UNPOOLED: of the pool, …
    int pool_y, pool_x;                // … whose padding, …
    uint switch_images;                // … and the images that have switches
    uint first_image;
    uint image;                        // of the source, texels from one to the next
} p;

void main() {
    const uint lane = gl_LocalInvocationID.x;
    const uint number = gl_WorkGroupID.x * LANES + lane;
    const uint here = min(number, p.total - 1);  // a subgroup stays together
    const uint image = quotient(here, p.blocks);
    const uint block = here - image * p.blocks;
    const uint block_row = quotient(block, p.blocks_a_row);
    const int y = p.first_y + int(block_row) * ROWS;  // of the source
    const int x = p.first_x + int(block - block_row * p.blocks_a_row) * COLUMNS;

    const uint plane = UNPOOLED ? p.windows_y * p.windows_x : p.source_height * p.source_width;
    const uint first_texel = image * p.image;
    const uint first_switch = remainder(p.first_image + image, p.switch_images) * p.channel_blocks * plane;
    const int window_y = UNPOOLED ? (y - REACH + p.pool_y - 1) / 2 : 0;
    const int window_x = UNPOOLED ? (x - REACH + p.pool_x - 1) / 2 : 0;

    float sum[CHANNELS][ROWS * STRIDE][COLUMNS * STRIDE];
    [[unroll]] for (int i = 0; i < CHANNELS; ++i)
        [[unroll]] for (int r = 0; r < ROWS * STRIDE; ++r)
            [[unroll]] for (int c = 0; c < COLUMNS * STRIDE; ++c) sum[i][r][c] = 0.0;

    for (uint o = 0; o < p.channel_blocks; ++o) {
        vec4 share[SHARES];
        [[unroll]] for (uint i = 0; i < SHARES; ++i)
            share[i] = texelFetch(weights, int(o * WEIGHTS + min(i * LANES + lane, WEIGHTS - 1)));
        vec4 value[SOURCE_ROWS][SOURCE_COLUMNS];
        if (UNPOOLED) {
            [[unroll]] for (int r = 0; r < SOURCE_ROWS; ++r)
                [[unroll]] for (int c = 0; c < SOURCE_COLUMNS; ++c) value[r][c] = vec4(0.0);
            [[unroll]] for (int v = 0; v < WINDOW_ROWS; ++v)
                [[unroll]] for (int u = 0; u < WINDOW_COLUMNS; ++u) {
                    const bool inside = uint(window_y + v) < p.windows_y && uint(window_x + u) < p.windows_x;
                    const uint at = o * plane + (inside ? uint((window_y + v) * int(p.windows_x) + window_x + u) : 0);
                    vec4 signal = texelFetch(source, int(first_texel + at));
                    signal = inside ? signal : vec4(0.0);
                    const uvec4 place = texelFetch(switches, int(first_switch + at));
                    // Of the window's first place.
                    const int corner = (y - REACH - 1 + 2 * v) * int(p.source_width) + x - REACH - 1 + 2 * u;
                    [[unroll]] for (int k = 0; k < 3; ++k)
                        [[unroll]] for (int l = 0; l < 3; ++l) {
                            const int r = 2 * v - 1 + k;
                            const int c = 2 * u - 1 + l;
                            if (r >= 0 && c >= 0 && r < SOURCE_ROWS && c < SOURCE_COLUMNS)
                                [[unroll]] for (uint j = 0; j < 4; ++j)
                                    value[r][c][j] += int(place[j]) - corner == k * int(p.source_width) + l ? signal[j] : 0.0;
                        }
                }
        } else {
            [[unroll]] for (int r = 0; r < SOURCE_ROWS; ++r)
                [[unroll]] for (int c = 0; c < SOURCE_COLUMNS; ++c) {
                    const int row = y - REACH + r;
                    const int column = x - REACH + c;
                    const bool inside = uint(row) < p.source_height && uint(column) < p.source_width;
                    const vec4 texel = texelFetch(source, int(first_texel + o * plane + (inside ? uint(row * int(p.source_width) + column) : 0)));
                    value[r][c] = inside ? texel : vec4(0.0);
                }
        }
        if (rectified)
            [[unroll]] for (int r = 0; r < SOURCE_ROWS; ++r)
                [[unroll]] for (int c = 0; c < SOURCE_COLUMNS; ++c) value[r][c] = max(value[r][c], vec4(0.0));
        // Phase by phase, so that few sums are under way at a time.
        [[unroll]] for (int i = 0; i < CHANNELS; ++i)
            [[unroll]] for (int phase = 0; phase < STRIDE * STRIDE; ++phase)
                [[unroll]] for (int tap = 0; tap < (REACH + 1) * (REACH + 1); ++tap) {
                    const int k = phase / STRIDE + tap / (REACH + 1) * STRIDE;
                    const int l = phase % STRIDE + tap % (REACH + 1) * STRIDE;
                    if (k < KERNEL && l < KERNEL) {
                        const int t = (i * KERNEL + k) * KERNEL + l;
                        float weight[4];
                        [[unroll]] for (uint j = 0; j < 4; ++j)
                            weight[j] = subgroupShuffle(share[t / LANES][j], t % LANES);
                        [[unroll]] for (int r = 0; r < ROWS; ++r)
                            [[unroll]] for (int c = 0; c < COLUMNS; ++c)
                                [[unroll]] for (uint j = 0; j < 4; ++j)
                                    sum[i][r * STRIDE + k % STRIDE][c * STRIDE + l % STRIDE] +=
                                        weight[j] * value[r - k / STRIDE + REACH][c - l / STRIDE + REACH][j];
                    }
                }
    }

    if (number >= p.total) return;
    [[unroll]] for (int i = 0; i < CHANNELS; ++i)
        if (i < p.channels)
            [[unroll]] for (int r = 0; r < ROWS * STRIDE; ++r) {
                const int row = y * STRIDE + r - p.pad_y;
                if (uint(row) < p.height)
                    [[unroll]] for (int c = 0; c < COLUMNS * STRIDE; ++c) {
                        const int column = x * STRIDE + c - p.pad_x;
                        if (uint(column) < p.width)
                            destination[((image * p.channels + i) * p.height + row) * p.width + column] = sum[i][r][c];
                    }
            }
}
