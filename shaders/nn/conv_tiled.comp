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
//   weights: [group][block][k][HEIGHT], zeros where a block or the last step is not full.  `by_taps`: channels are a
//            multiple of DEPTH, so that a step has one tap and needs one test; steps go through the taps of DEPTH channels
//            before the next ones, so that a cache keeps what the taps share.  Else k = channel · taps + tap.
//
// Few tiles leave a GPU idle: the steps are then shared out to `parts` (the workgroup's z), whose sums follow each other
// in the destination, without bias and activation, for sum_parts.comp.
//
// HALF multiplies in half precision, and adds up in it DEPTH at a time.  MATRIX multiplies halves by cooperative
// matrices of 16 × 16, which sum in floats: a subgroup of 32 has DOWN · ACROSS of them.  Its weights are
// [group][block][step][DEPTH / 8][HEIGHT][8].  Both may read and write feature maps of halves, eight channels together
// ([image][channel / 8][row][column][8]): `to_halves`, and `from_halves`, where k = tap · channels + channel if not
// `by_taps`, and an invocation's loads have one tap.
//
// variant: 64x64 -DHEIGHT=64 -DWIDTH=64 -DDEPTH=8 -DTHREADS=64
// variant: 128x64 -DHEIGHT=128 -DWIDTH=64 -DDEPTH=8 -DTHREADS=128
// variant: 128x32 -DHEIGHT=128 -DWIDTH=32 -DDEPTH=8 -DTHREADS=64
// variant: half -DHEIGHT=64 -DWIDTH=64 -DDEPTH=16 -DTHREADS=64 -DHALF
// variant: matrix -DHEIGHT=64 -DWIDTH=64 -DDEPTH=32 -DTHREADS=128 -DMATRIX -DDOWN=2 -DACROSS=2
// variant: matrix64 -DHEIGHT=64 -DWIDTH=64 -DDEPTH=64 -DTHREADS=128 -DMATRIX -DDOWN=2 -DACROSS=2
// variant: matrix128x128 -DHEIGHT=128 -DWIDTH=128 -DDEPTH=32 -DTHREADS=128 -DMATRIX -DDOWN=4 -DACROSS=4
// variant: matrix16x128 -DHEIGHT=16 -DWIDTH=128 -DDEPTH=64 -DTHREADS=128 -DMATRIX -DDOWN=1 -DACROSS=2
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
#if defined(HALF) || defined(MATRIX)
layout(constant_id = 9) const bool from_halves = false;
layout(constant_id = 10) const bool to_halves = false;
#else
const bool from_halves = false;
#endif

layout(binding = 0) readonly buffer Source { float source[]; };
layout(binding = 0) readonly buffer SourceHalves { uvec4 source_eights[]; };  // in its place, `from_halves`
layout(binding = 1) readonly buffer Weights { Packed weights[]; };
layout(binding = 2) readonly buffer Bias { float bias[]; };
layout(binding = 3) buffer Destination { float destination[]; };
layout(binding = 3) buffer DestinationFours { uvec2 destination_fours[]; };  // in its place, `to_halves`
layout(binding = 3) buffer DestinationEights { uvec4 destination_eights[]; };

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
const uint SUMS = WIDTH / 4 + 1;  // at the end, in fours: a row of the sums, of which a pass writes ROWS
const uint ROWS = min(HEIGHT, 32);
shared uvec4 tile[2 * (HEIGHT + WIDTH) * PITCH];
const uint SUBGROUPS_A_ROW = WIDTH / (ACROSS * 16);
#else
const uint PACKED = 4;
const uint COLUMNS = WIDTH / 8;  // invocations side by side
shared Vector left[2][DEPTH][HEIGHT / 4];
shared Vector right[2][DEPTH][WIDTH / 4];
#endif

const uint LEFT_ENTRIES = DEPTH * HEIGHT / PACKED;
const uint LEFT_LOADS = (LEFT_ENTRIES + THREADS - 1) / THREADS;
const uint RIGHT_LOADS = DEPTH * WIDTH / THREADS;  // scalars, one k after the other

// What this invocation loads of each step: entries of the left side, and some k of one place of the right side.
Packed next_left[LEFT_LOADS];
float next_right[RIGHT_LOADS];
uvec4 next_eights[(RIGHT_LOADS + 7) / 8];  // the same, `from_halves`
uint left_first, source_base;
int corner_y, corner_x;

// The step that is fetched next; its tap and first channel, `by_taps`.
uint fetched, fetched_channel;
int fetched_y, fetched_x;

void begin_fetching(uint step_index) {
    fetched = step_index;
    if (!by_taps) return;
    fetched_channel = step_index / (taps_y * taps_x) * DEPTH;
    const uint tap = step_index % (taps_y * taps_x);
    fetched_y = int(tap / taps_x);
    fetched_x = int(tap % taps_x);
}

// Fetches one step, and goes on to the next; the last, `end` − 1, is fetched again, for nothing: no branch between loads
// and what hides them.
void fetch(uint end) {
    const uint my_depth = gl_LocalInvocationID.x / WIDTH * RIGHT_LOADS;
    const uint w = left_first + fetched * LEFT_ENTRIES;
    [[unroll]] for (uint i = 0; i < LEFT_LOADS; ++i) next_left[i] = weights[w + i * THREADS];
    const uint plane = p.source_height * p.source_width;
    if (from_halves || by_taps) {
        int tap_y = fetched_y;
        int tap_x = fetched_x;
        uint channel = fetched_channel + my_depth;
        if (!by_taps) {
            const uint k = fetched * DEPTH + my_depth;
            const uint tap = quotient(k, p.source_channels);
            channel = k - tap * p.source_channels;
            tap_y = int(tap / taps_x);
            tap_x = int(tap % taps_x);
        }
        const int y = corner_y + tap_y * p.dilation_y;
        const int x = corner_x + tap_x * p.dilation_x;
        const bool inside = tap_y < int(taps_y) && y >= 0 && x >= 0 && y < int(p.source_height) && x < int(p.source_width);
        const uint place = inside ? uint(y) * p.source_width + uint(x) : 0;
        if (from_halves) {
            const uint from = source_base + channel / 8 * plane + place;
            [[unroll]] for (uint i = 0; i < RIGHT_LOADS / 8; ++i) next_eights[i] = source_eights[from + i * plane];
            [[unroll]] for (uint i = 0; i < RIGHT_LOADS / 8; ++i)
                next_eights[i] = inside ? next_eights[i] : uvec4(0);
        } else {
            const uint from = source_base + channel * plane + place;
            [[unroll]] for (uint i = 0; i < RIGHT_LOADS; ++i) next_right[i] = source[from + i * plane];
            [[unroll]] for (uint i = 0; i < RIGHT_LOADS; ++i)
                next_right[i] = inside ? next_right[i] : 0.0;
        }
    } else {
        [[unroll]] for (uint i = 0; i < RIGHT_LOADS; ++i) {
            const uint k = fetched * DEPTH + my_depth + i;
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
    if (fetched + 1 >= end) return;
    ++fetched;
    ++fetched_x;
    if (fetched_x == int(taps_x)) {
        fetched_x = 0;
        ++fetched_y;
    }
    if (fetched_y == int(taps_y)) {
        fetched_y = 0;
        fetched_channel += DEPTH;
    }
}

// What was fetched, to one half of the shared memory.
void share(uint half_of) {
    const uint thread = gl_LocalInvocationID.x;
    const uint my_place = thread % WIDTH;
    const uint my_depth = thread / WIDTH * RIGHT_LOADS;
    [[unroll]] for (uint i = 0; i < LEFT_LOADS; ++i) {
        const uint entry = thread + i * THREADS;
        if (LEFT_ENTRIES % THREADS != 0 && entry >= LEFT_ENTRIES) break;
#ifdef MATRIX
        tile[(half_of * HEIGHT + entry % HEIGHT) * PITCH + entry / HEIGHT] = next_left[i];
#else
        left[half_of][entry / (HEIGHT / 4)][entry % (HEIGHT / 4)] = unpack(next_left[i]);
#endif
    }
#if defined(HALF) || defined(MATRIX)
    if (from_halves) {
        [[unroll]] for (uint i = 0; i < RIGHT_LOADS / 8; ++i) {
            // A half's sign clears all of it.
            if (rectified) next_eights[i] &= ~((next_eights[i] >> 15 & 0x00010001) * 0xffff);
#ifdef MATRIX
            tile[RIGHT + (half_of * WIDTH + my_place) * PITCH + my_depth / 8 + i] = next_eights[i];
#else
            [[unroll]] for (uint j = 0; j < 8; ++j)
                right[half_of][my_depth + i * 8 + j][my_place / 4][my_place % 4] =
                    Scalar(unpackHalf2x16(next_eights[i][j / 2])[j % 2]);
#endif
        }
        return;
    }
#endif
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

// Where a place of all images lies in the destination: its image's group, and the place in a plane.
struct To {
    uint group, place;
};

To where(uint to) {
    const uint image = quotient(to, p.places);
    uint place = to - image * p.places;
    if (spread) {
        const uint y = quotient(place, p.grid_width);
        place = p.destination_first + y * p.destination_y + (place - y * p.grid_width) * p.destination_x;
    }
    return To(image * p.groups + gl_WorkGroupID.y / p.blocks, place);
}

uint plane_size() { return spread ? p.destination_plane : p.places; }

float bias_of(uint channel) {
    return with_bias ? bias[gl_WorkGroupID.y / p.blocks * p.destination_channels + channel] : 0.0;
}

void put(uint channel, To to, float value) {
    if (channel >= p.destination_channels) return;
    const uint part_first = gl_WorkGroupID.z * p.total * p.groups * p.destination_channels;
    const uint index = part_first + (to.group * p.destination_channels + channel) * plane_size() + to.place;
    value += bias_of(channel);
    if (accumulate) value += destination[index];
    if (relu) value = value < 0.0 ? 0.0 : value;  // a NaN stays
    destination[index] = value;
}

#if defined(HALF) || defined(MATRIX)
// Four channels of `to_halves`, as they are stored; before them there is `old`.
uvec2 finished(uint channel, vec4 value, uvec2 old) {
    [[unroll]] for (uint i = 0; i < 4; ++i) value[i] += bias_of(channel + i);
    if (accumulate) value += unpack_halves(old);
    [[unroll]] for (uint i = 0; i < 4; ++i)
        if (relu) value[i] = value[i] < 0.0 ? 0.0 : value[i];
    return pack_halves(value);
}

// Of eight channels, the first of which is `channel`.
uint index_of_eight(uint channel, To to) {
    return (to.group * (p.destination_channels / 8) + channel / 8) * plane_size() + to.place;
}
#endif

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
                  p.source_width / (from_halves ? 8 : 1);
    left_first = gl_WorkGroupID.y * p.steps * LEFT_ENTRIES + min(thread, LEFT_ENTRIES - 1);

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
        begin_fetching(begin);
        fetch(end);
        share(0);
    }
    barrier();
    for (uint step_index = begin; step_index < end; ++step_index) {
        fetch(end);
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
    const uint mine = first + thread % WIDTH;
    const To to = where(min(mine, p.total - 1));
    [[unroll]] for (uint pass = 0; pass < HEIGHT; pass += ROWS) {
        [[unroll]] for (uint i = 0; i < DOWN; ++i)
            if ((row + i * 16) / ROWS * ROWS == pass)
                [[unroll]] for (uint j = 0; j < ACROSS; ++j)
                    coopMatStoreNV(sum[i][j], tile, (row + i * 16 - pass) * SUMS + (column + j * 16) / 4, SUMS, false);
        barrier();
        if (to_halves) {
            for (uint i = thread / WIDTH * 8; i < ROWS && mine < p.total; i += THREADS / WIDTH * 8) {
                const uint channel = block_first + pass + i;
                if (channel >= p.destination_channels) break;
                vec4 eight[2];
                [[unroll]] for (uint j = 0; j < 8; ++j)
                    eight[j / 4][j % 4] = uintBitsToFloat(tile[(i + j) * SUMS + thread % WIDTH / 4][thread % 4]);
                const uint index = index_of_eight(channel, to);
                const uvec4 old = accumulate ? destination_eights[index] : uvec4(0);
                destination_eights[index] =
                    uvec4(finished(channel, eight[0], old.xy), finished(channel + 4, eight[1], old.zw));
            }
        } else {
            for (uint i = thread / WIDTH; i < ROWS && mine < p.total; i += THREADS / WIDTH)
                put(block_first + pass + i, to, uintBitsToFloat(tile[i * SUMS + thread % WIDTH / 4][thread % 4]));
        }
        barrier();
    }
#else
    [[unroll]] for (uint j = 0; j < 8; ++j) {
        const uint mine = first + column * 4 + j / 4 * (WIDTH / 2) + j % 4;
        if (mine >= p.total) continue;
        const To to = where(mine);
#ifdef HALF
        if (to_halves) {
            [[unroll]] for (uint i = 0; i < 2; ++i) {
                const uint channel = block_first + row * 4 + i * (HEIGHT / 2);
                if (channel >= p.destination_channels) break;
                const uint index = index_of_eight(channel, to) * 2 + channel / 4 % 2;
                const uvec2 old = accumulate ? destination_fours[index] : uvec2(0);
                destination_fours[index] = finished(channel, sum[i][j], old);
            }
            continue;
        }
#endif
        [[unroll]] for (uint i = 0; i < 8; ++i)
            put(block_first + row * 4 + i / 4 * (HEIGHT / 2) + i % 4, to, sum[i / 4][j][i % 4]);
    }
#endif
}
