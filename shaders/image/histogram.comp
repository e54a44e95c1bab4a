#version 450
// Counts magnitudes by some of their bits, inside the box; in the first round also their largest, and the range of all
// values of the image.  A workgroup counts a run of pixels in shared memory; y is the colour, z the copy.
//
// variant: buffer
// variant: texels -DTEXELS
#include "common.glsl"
#include "image/scale.glsl"

layout(local_size_x = 64) in;

#ifdef TEXELS
layout(binding = 0) uniform samplerBuffer values;
#define VALUE(i) texelFetch(values, int(i)).x
#else
layout(binding = 0) readonly buffer Values { float values[]; };
#define VALUE(i) values[i]
#endif
layout(binding = 1) readonly buffer Selections { ivec4 selections[]; };
layout(binding = 2) buffer States { State states[]; };
layout(binding = 3) buffer Histogram { uint histogram[]; };

layout(push_constant) uniform Push {
    FieldBox field;
    uint colours, round;
} p;

const uint RUN = 4096;  // pixels of a workgroup
const uint shifts[3] = uint[](20, 10, 0);

shared uint counts[BINS];
shared uint largest, low, high;

void main() {
    const uint copy = gl_WorkGroupID.z;
    const uint lane = gl_LocalInvocationID.x;
    for (uint i = lane; i < BINS; i += 64) counts[i] = 0;
    if (lane == 0) {
        largest = 0;
        low = 0xffffffffu;
        high = 0;
    }
    barrier();
    const uint pixels = uint(p.field.width * p.field.height);
    const uint base = (copy * p.colours + gl_WorkGroupID.y) * pixels;
    const ivec4 box = box_of(p.field, selections[2 * copy]);
    const uint prefix = states[copy].prefix;
    uint zeros = 0;
    uint my_largest = 0;
    uint my_low = 0xffffffffu;
    uint my_high = 0;
    const uint first = gl_WorkGroupID.x * RUN;
    for (uint i = first + lane; i < min(first + RUN, pixels); i += 64) {
        const float value = VALUE(base + i);
        const uint bits = floatBitsToUint(value) & 0x7fffffffu;
        const int y = int(quotient(i, uint(p.field.width)));
        const int x = int(i) - y * p.field.width;
        const bool inside = x >= box.x && y >= box.y && x < box.z && y < box.w;
        if (p.round == 0) {
            const uint order = ordered(value);
            my_low = min(my_low, order);
            my_high = max(my_high, order);
            if (inside) my_largest = max(my_largest, bits);
        }
        // Most of a projection is zero: those are counted apart, without contention.
        const bool counts_here = inside && (p.round == 0 || (bits >> (shifts[p.round] + 10)) == prefix);
        if (counts_here) {
            const uint bin = p.round == 0 ? bits >> 20 : (bits >> shifts[p.round]) & 1023u;
            if (bin == 0) {
                ++zeros;
            } else {
                atomicAdd(counts[bin], 1);
            }
        }
    }
    atomicAdd(counts[0], zeros);
    if (p.round == 0) {
        atomicMax(largest, my_largest);
        atomicMin(low, my_low);
        atomicMax(high, my_high);
    }
    barrier();
    for (uint i = lane; i < BINS; i += 64) {
        if (counts[i] > 0) atomicAdd(histogram[copy * BINS + i], counts[i]);
    }
    if (lane == 0 && p.round == 0) {
        atomicMax(states[copy].largest, largest);
        atomicMin(states[copy].low, low);
        atomicMax(states[copy].high, high);
    }
}
