#version 450
// A convolution as a matrix product by tiles in shared memory, whose right side is gathered as it is read (implicit
// GEMM): forward passes, reverses (phase by phase where they are strided; the taps then step backwards), and with one
// tap the products between Winograd's transforms.
//
//   y[n, g, o, place] = b[g, o] + Σ_k  w[g, o, k] x[n, g, channel(k), place · stride − pad + tap(k) · dilation]
//
// A workgroup computes HEIGHT output channels at WIDTH places; each invocation 8 of them at 8.  While a step of DEPTH k
// is multiplied, the next one is on its way to registers; two halves of shared memory, so one barrier a step.
//
//   weights: [group][block][k][HEIGHT], zeros where a block or the last step is not full.  `by_taps`:
//            k = tap · channels + channel, channels a multiple of DEPTH, so that a step has one tap and needs one test;
//            else k = channel · taps + tap, for few channels.
//
// Few tiles leave a GPU idle: the steps are then shared out to `parts` (the workgroup's z), whose sums follow each other
// in the destination, without bias and activation, for sum_parts.comp.
//
// HALF multiplies in half precision, and adds up in it DEPTH at a time.  MATRIX multiplies halves by cooperative
// matrices of 16 × 16, which sum in floats: a subgroup of 32 has DOWN · ACROSS of them.  Its weights are
// [group][block][step][HEIGHT][DEPTH].
//
// variant: 64x64 -DHEIGHT=64 -DWIDTH=64 -DDEPTH=8 -DTHREADS=64
// variant: 128x64 -DHEIGHT=128 -DWIDTH=64 -DDEPTH=8 -DTHREADS=128
// variant: 128x32 -DHEIGHT=128 -DWIDTH=32 -DDEPTH=8 -DTHREADS=64
// variant: half -DHEIGHT=64 -DWIDTH=64 -DDEPTH=16 -DTHREADS=64 -DHALF
// variant: matrix -DHEIGHT=64 -DWIDTH=64 -DDEPTH=32 -DTHREADS=128 -DMATRIX -DDOWN=2 -DACROSS=2
// variant: matrix128x128 -DHEIGHT=128 -DWIDTH=128 -DDEPTH=32 -DTHREADS=256 -DMATRIX -DDOWN=2 -DACROSS=4
#ifdef MATRIX
#extension GL_KHR_memory_scope_semantics : require
#extension GL_NV_cooperative_matrix : require
#extension GL_KHR_shader_subgroup_basic : require
#endif
#if defined(HALF) || defined(MATRIX)
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#endif
#include "common.glsl"

#ifdef HALF
#define Scalar float16_t
#define Vector f16vec4
#define Packed uvec2  // four weights
Vector unpack(Packed four) { return f16vec4(unpackFloat2x16(four.x), unpackFloat2x16(four.y)); }
#elif defined(MATRIX)
#define Packed uvec4  // eight
#else
#define Scalar float
#define Vector vec4
#define Packed vec4
Vector unpack(Packed four) { return four; }
#endif

layout(local_size_x = THREADS) in;
layout(constant_id = 1) const uint taps_y = 1;
layout(constant_id = 2) const uint taps_x = 1;
layout(constant_id = 3) const bool with_bias = false;
layout(constant_id = 4) const bool accumulate = false;
layout(constant_id = 5) const bool relu = false;
layout(constant_id = 6) const bool rectified = false;  // max(x, 0) of the source
layout(constant_id = 7) const bool by_taps = false;
layout(constant_id = 8) const bool spread = false;  // the places do not follow each other in the destination

layout(binding = 0) readonly buffer Source { float source[]; };
layout(binding = 1) readonly buffer Weights { Packed weights[]; };
layout(binding = 2) readonly buffer Bias { float bias[]; };
layout(binding = 3) buffer Destination { float destination[]; };

layout(push_constant) uniform Push {
    uint total;                       // places of all images
    uint places, grid_width;          // of one image
    uint groups, blocks;              // blocks: of one group
    uint source_channels;             // of one group
    uint source_height, source_width;
    uint destination_channels;        // of one group
    uint steps, part_steps;           // of all parts, and of one
    int stride_y, stride_x, pad_y, pad_x, dilation_y, dilation_x;
    uint destination_plane, destination_first, destination_y, destination_x;  // `spread`: in elements
} p;

#ifdef MATRIX
const uint PACKED = 8;
const uint PITCH = DEPTH / 8 + 1;  // in eights: a row of the left side, a column of the right one; no bank conflicts
const uint RIGHT = 2 * HEIGHT * PITCH;
const uint SUMS = WIDTH / 4 + 1;  // at the end, in fours: a row of the sums, of which a pass writes 64
shared uvec4 tile[2 * (HEIGHT + WIDTH) * PITCH];
const uint SUBGROUPS_A_ROW = WIDTH / (ACROSS * 16);
#else
const uint PACKED = 4;
const uint COLUMNS = WIDTH / 8;  // invocations side by side
shared Vector left[2][DEPTH][HEIGHT / 4];
shared Vector right[2][DEPTH][WIDTH / 4];
#endif

const uint LEFT_LOADS = DEPTH * HEIGHT / PACKED / THREADS;
const uint RIGHT_LOADS = DEPTH * WIDTH / THREADS;  // scalars, one k after the other

// What this invocation loads of each step: entries of the left side, and some k of one place of the right side.
Packed next_left[LEFT_LOADS];
float next_right[RIGHT_LOADS];
uint left_first, source_base;
int corner_y, corner_x;

void fetch(uint step_index) {
    const uint my_depth = gl_LocalInvocationID.x / WIDTH * RIGHT_LOADS;
    const uint w = left_first + step_index * (DEPTH * HEIGHT / PACKED);
    [[unroll]] for (uint i = 0; i < LEFT_LOADS; ++i) next_left[i] = weights[w + i * THREADS];
    const uint plane = p.source_height * p.source_width;
    if (by_taps) {
        const uint tap_steps = p.source_channels / DEPTH;  // of one tap
        const uint tap = step_index / tap_steps;
        const uint tap_row = tap / taps_x;
        const int y = corner_y + int(tap_row) * p.dilation_y;
        const int x = corner_x + int(tap - tap_row * taps_x) * p.dilation_x;
        const bool inside = y >= 0 && x >= 0 && y < int(p.source_height) && x < int(p.source_width);
        const uint from = source_base + ((step_index - tap * tap_steps) * DEPTH + my_depth) * plane +
                          (inside ? uint(y) * p.source_width + uint(x) : 0);
        [[unroll]] for (uint i = 0; i < RIGHT_LOADS; ++i) next_right[i] = source[from + i * plane];
        [[unroll]] for (uint i = 0; i < RIGHT_LOADS; ++i) next_right[i] = inside ? next_right[i] : 0.0;
    } else {
        [[unroll]] for (uint i = 0; i < RIGHT_LOADS; ++i) {
            const uint k = step_index * DEPTH + my_depth + i;
            const uint channel = k / (taps_y * taps_x);
            const uint tap = k - channel * (taps_y * taps_x);
            const uint tap_row = tap / taps_x;
            const int y = corner_y + int(tap_row) * p.dilation_y;
            const int x = corner_x + int(tap - tap_row * taps_x) * p.dilation_x;
            const bool inside = channel < p.source_channels && y >= 0 && x >= 0 && y < int(p.source_height) &&
                                x < int(p.source_width);
            const uint from = inside ? channel * plane + uint(y) * p.source_width + uint(x) : 0;
            next_right[i] = source[source_base + from];
            next_right[i] = inside ? next_right[i] : 0.0;
        }
    }
}

// To one half of the shared memory.
void share(uint half_of) {
    const uint thread = gl_LocalInvocationID.x;
    const uint my_place = thread % WIDTH;
    const uint my_depth = thread / WIDTH * RIGHT_LOADS;
    [[unroll]] for (uint i = 0; i < LEFT_LOADS; ++i) {
        const uint entry = thread + i * THREADS;
#ifdef MATRIX
        tile[(half_of * HEIGHT + entry / (DEPTH / 8)) * PITCH + entry % (DEPTH / 8)] = next_left[i];
#else
        left[half_of][entry / (HEIGHT / 4)][entry % (HEIGHT / 4)] = unpack(next_left[i]);
#endif
    }
    [[unroll]] for (uint i = 0; i < RIGHT_LOADS; ++i) {
        if (rectified) next_right[i] = max(next_right[i], 0.0);
#if defined(HALF) || defined(MATRIX)
        next_right[i] = clamp(next_right[i], -65504.0, 65504.0);  // an infinite value would make others NaN
#endif
    }
#ifdef MATRIX
    [[unroll]] for (uint i = 0; i < RIGHT_LOADS / 8; ++i) {
        uvec4 eight;
        [[unroll]] for (uint j = 0; j < 4; ++j)
            eight[j] = packHalf2x16(vec2(next_right[i * 8 + j * 2], next_right[i * 8 + j * 2 + 1]));
        tile[RIGHT + (half_of * WIDTH + my_place) * PITCH + my_depth / 8 + i] = eight;
    }
#else
    [[unroll]] for (uint i = 0; i < RIGHT_LOADS; ++i)
        right[half_of][my_depth + i][my_place / 4][my_place % 4] = Scalar(next_right[i]);
#endif
}

// Where place `to` of all images lies in the first channel of its image's group.
uint place_index(uint to) {
    const uint image = quotient(to, p.places);
    uint plane = p.places;
    uint place = to - image * p.places;
    if (spread) {
        plane = p.destination_plane;
        const uint y = quotient(place, p.grid_width);
        place = p.destination_first + y * p.destination_y + (place - y * p.grid_width) * p.destination_x;
    }
    const uint part_first = gl_WorkGroupID.z * p.total * p.groups * p.destination_channels;
    return part_first + (image * p.groups + gl_WorkGroupID.y / p.blocks) * p.destination_channels * plane + place;
}

void put(uint channel, uint place_at, float value) {
    if (channel >= p.destination_channels) return;
    const uint index = place_at + channel * (spread ? p.destination_plane : p.places);
    if (with_bias) value += bias[gl_WorkGroupID.y / p.blocks * p.destination_channels + channel];
    if (accumulate) value += destination[index];
    if (relu) value = value < 0.0 ? 0.0 : value;  // a NaN stays
    destination[index] = value;
}

void main() {
    const uint thread = gl_LocalInvocationID.x;
    const uint first = gl_WorkGroupID.x * WIDTH;
    const uint begin = gl_WorkGroupID.z * p.part_steps;
    const uint end = min(begin + p.part_steps, p.steps);

    const uint at = min(first + thread % WIDTH, p.total - 1);
    const uint image = quotient(at, p.places);
    const uint y_of = quotient(at - image * p.places, p.grid_width);
    corner_y = int(y_of) * p.stride_y - p.pad_y;
    corner_x = int(at - image * p.places - y_of * p.grid_width) * p.stride_x - p.pad_x;
    source_base = (image * p.groups + gl_WorkGroupID.y / p.blocks) * p.source_channels * p.source_height *
                  p.source_width;
    left_first = gl_WorkGroupID.y * p.steps * (DEPTH * HEIGHT / PACKED) + thread;

#ifdef MATRIX
    const uint row = gl_SubgroupID / SUBGROUPS_A_ROW * (DOWN * 16);
    const uint column = gl_SubgroupID % SUBGROUPS_A_ROW * (ACROSS * 16);
    fcoopmatNV<32, gl_ScopeSubgroup, 16, 16> sum[DOWN][ACROSS];
    [[unroll]] for (uint i = 0; i < DOWN; ++i)
        [[unroll]] for (uint j = 0; j < ACROSS; ++j) sum[i][j] = fcoopmatNV<32, gl_ScopeSubgroup, 16, 16>(0.0);
#else
    const uint column = thread % COLUMNS;
    const uint row = thread / COLUMNS;
    vec4 sum[2][8];  // channels of the upper and the lower half; places of the left half, then of the right
    [[unroll]] for (uint i = 0; i < 2; ++i)
        [[unroll]] for (uint j = 0; j < 8; ++j) sum[i][j] = vec4(0.0);
#endif

    if (begin < end) {
        fetch(begin);
        share(0);
    }
    barrier();
    for (uint step_index = begin; step_index < end; ++step_index) {
        // The last step fetches itself again, for nothing: no branch between loads and what hides them.
        fetch(min(step_index + 1, end - 1));
        const uint half_of = (step_index - begin) % 2;
#ifdef MATRIX
        [[unroll]] for (uint depth = 0; depth < DEPTH; depth += 16) {
            fcoopmatNV<16, gl_ScopeSubgroup, 16, 16> a[DOWN];
            fcoopmatNV<16, gl_ScopeSubgroup, 16, 16> x[ACROSS];
            [[unroll]] for (uint i = 0; i < DOWN; ++i)
                coopMatLoadNV(a[i], tile, (half_of * HEIGHT + row + i * 16) * PITCH + depth / 8, PITCH, false);
            [[unroll]] for (uint j = 0; j < ACROSS; ++j)
                coopMatLoadNV(x[j], tile, RIGHT + (half_of * WIDTH + column + j * 16) * PITCH + depth / 8, PITCH, true);
            [[unroll]] for (uint i = 0; i < DOWN; ++i)
                [[unroll]] for (uint j = 0; j < ACROSS; ++j) sum[i][j] = coopMatMulAddNV(a[i], x[j], sum[i][j]);
        }
#else
#ifdef HALF
        f16vec4 part[2][8];
        [[unroll]] for (uint i = 0; i < 2; ++i)
            [[unroll]] for (uint j = 0; j < 8; ++j) part[i][j] = f16vec4(0.0);
#else
#define part sum
#endif
        [[unroll]] for (uint depth = 0; depth < DEPTH; ++depth) {
            const Vector a = left[half_of][depth][row];
            const Vector b = left[half_of][depth][row + HEIGHT / 8];
            const Vector x[2] = {right[half_of][depth][column], right[half_of][depth][column + COLUMNS]};
            [[unroll]] for (uint j = 0; j < 8; ++j) {
                part[0][j] = fma(a, Vector(x[j / 4][j % 4]), part[0][j]);
                part[1][j] = fma(b, Vector(x[j / 4][j % 4]), part[1][j]);
            }
        }
#ifdef HALF
        [[unroll]] for (uint i = 0; i < 2; ++i)
            [[unroll]] for (uint j = 0; j < 8; ++j) sum[i][j] += vec4(part[i][j]);
#endif
#endif
        share(1 - half_of);
        barrier();
    }

    const uint block_first = gl_WorkGroupID.y % p.blocks * HEIGHT;
#ifdef MATRIX
    const uint to = first + thread % WIDTH;
    const uint place_at = place_index(min(to, p.total - 1));
    [[unroll]] for (uint pass = 0; pass < HEIGHT; pass += 64) {
        if (row / 64 * 64 == pass)
            [[unroll]] for (uint i = 0; i < DOWN; ++i)
                [[unroll]] for (uint j = 0; j < ACROSS; ++j)
                    coopMatStoreNV(sum[i][j], tile, (row - pass + i * 16) * SUMS + (column + j * 16) / 4, SUMS, false);
        barrier();
        for (uint i = thread / WIDTH; i < 64 && to < p.total; i += THREADS / WIDTH)
            put(block_first + pass + i, place_at, uintBitsToFloat(tile[i * SUMS + thread % WIDTH / 4][thread % 4]));
        barrier();
    }
#else
    [[unroll]] for (uint j = 0; j < 8; ++j) {
        const uint to = first + column * 4 + j / 4 * (WIDTH / 2) + j % 4;
        if (to >= p.total) continue;
        const uint place_at = place_index(to);
        [[unroll]] for (uint i = 0; i < 8; ++i)
            put(block_first + row * 4 + i / 4 * (HEIGHT / 2) + i % 4, place_at, sum[i / 4][j][i % 4]);
    }
#endif
}
