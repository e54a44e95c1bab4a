#version 450
// The display's scale, all in one: the 99.5th percentile of the magnitudes in the box, their largest, and the range of
// all values of the image.  One workgroup handles one copy of a small picture, where seven dispatches with barriers
// between them (scale.comp, histogram.comp) take longer than the work.
//
// The percentile is the largest number that enough magnitudes reach.  Its bits are found three at a time, from the top,
// by counting how many magnitudes reach each of seven thresholds.
//
// variant: buffer
// variant: texels -DTEXELS
#include "common.glsl"
#include "image/scale.glsl"

layout(local_size_x_id = 0) in;

#ifdef TEXELS
layout(binding = 0) uniform samplerBuffer values;
#define VALUE(i) texelFetch(values, int(i)).x
#else
layout(binding = 0) readonly buffer Values { float values[]; };
#define VALUE(i) values[i]
#endif
layout(binding = 1) readonly buffer Selections { ivec4 selections[]; };
layout(binding = 2) buffer States { State states[]; };
layout(binding = 3) readonly buffer Viewing {
    float seconds;
    float gain, gamma;
    float alone;  // as in scale.comp
} viewing;

layout(push_constant) uniform Push {
    FieldBox field;
    uint colours;
    uint round;  // of scale.comp
} p;

shared uint reached[7];
shared uint largest, low, high;

const int shifts[11] = int[](29, 26, 23, 20, 17, 14, 11, 8, 5, 2, 0);

void main() {
    const uint copy = gl_WorkGroupID.x;
    const int lane = int(gl_LocalInvocationID.x);
    const int pixels = p.field.width * p.field.height;
    const int base = int(copy * p.colours) * pixels;
    const ivec4 box = box_of(p.field, selections[2 * copy]);
    if (lane == 0) {
        largest = 0;
        low = 0xffffffffu;
        high = 0;
        for (int k = 0; k < 7; ++k) reached[k] = 0;
    }
    barrier();
    uint my_low = 0xffffffffu;
    uint my_high = 0;
    for (int i = lane; i < pixels * int(p.colours); i += int(workgroup)) {
        const uint order = ordered(VALUE(base + i));
        my_low = min(my_low, order);
        my_high = max(my_high, order);
    }
    atomicMin(low, my_low);
    atomicMax(high, my_high);

    const uint enough = uint((box.z - box.x) * (box.w - box.y)) * p.colours / 200 + 1;
    uint found = 0;
    for (int round = 0; round < 11; ++round) {
        const uint step = 1u << shifts[round];
        uint counts[7] = uint[](0, 0, 0, 0, 0, 0, 0);
        uint my_largest = 0;
        for (int c = 0; c < int(p.colours); ++c) {
            for (int y = box.y; y < box.w; ++y) {
                const int row = base + c * pixels + y * p.field.width;
                for (int x = box.x + lane; x < box.z; x += int(workgroup)) {
                    const uint bits = floatBitsToUint(VALUE(row + x)) & 0x7fffffffu;
                    my_largest = max(my_largest, bits);
                    [[unroll]] for (uint k = 0; k < 7; ++k) counts[k] += bits >= found + (k + 1) * step ? 1 : 0;
                }
            }
        }
        if (round == 0) atomicMax(largest, my_largest);
        [[unroll]] for (uint k = 0; k < 7; ++k) atomicAdd(reached[k], counts[k]);
        barrier();
        uint more = 0;
        for (uint k = 0; k < 7; ++k) more += reached[k] >= enough ? 1 : 0;
        found += more * step;
        barrier();
        if (lane == 0) {
            for (int k = 0; k < 7; ++k) reached[k] = 0;
        }
        barrier();
    }
    if (lane == 0) {
        State state = states[copy];
        state.largest = largest;
        state.low = low;
        state.high = high;
        const bool alone = viewing.seconds < 0.0 || (viewing.alone > 0.0 && float(copy) >= viewing.alone);
        states[copy] = settled(state, uintBitsToFloat(found), viewing.seconds, alone);
    }
}
