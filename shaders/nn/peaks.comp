#version 450
// The largest value of every plane of a tensor, and its place; ties go to the first in row-major order.
//
// One workgroup of 64 handles one plane; or, where barriers cost more than they save, one invocation does (SINGLE).
//
// variant: group
// variant: single -DSINGLE
#include "common.glsl"

#ifdef SINGLE
layout(local_size_x_id = 0) in;
layout(binding = 0) uniform samplerBuffer source;
#define SOURCE(i) texelFetch(source, int(i)).x
#else
layout(local_size_x = 64) in;
layout(binding = 0) readonly buffer Source { float source[]; };
#define SOURCE(i) source[i]
#endif
layout(binding = 1) writeonly buffer Peaks { uvec2 peaks[]; };  // (bits of the value, place)

layout(push_constant) uniform Push {
    uint planes, plane;
} p;

#ifdef SINGLE
void main() {
    const uint index = linear_index();
    if (index >= p.planes) return;
    const uint base = index * p.plane;
    float best = SOURCE(base);
    uint place = 0;
    for (uint i = 1; i < p.plane; ++i) {
        const float value = SOURCE(base + i);
        const bool larger = value > best;
        best = larger ? value : best;
        place = larger ? i : place;
    }
    peaks[index] = uvec2(floatBitsToUint(best), place);
}
#else
shared float values[64];
shared uint places[64];

void main() {
    const uint index = linear_group();
    if (index >= p.planes) return;
    const uint lane = gl_LocalInvocationID.x;
    const uint base = index * p.plane;
    float best = uintBitsToFloat(0xff800000u);
    uint place = 0xffffffffu;
    for (uint i = lane; i < p.plane; i += 64) {
        const float value = SOURCE(base + i);
        if (value > best || place == 0xffffffffu) {
            best = value;
            place = i;
        }
    }
    values[lane] = best;
    places[lane] = place;
    barrier();
    for (uint half_size = 32; half_size > 0; half_size /= 2) {
        if (lane < half_size) {
            const float other = values[lane + half_size];
            const uint there = places[lane + half_size];
            if (there != 0xffffffffu &&
                (places[lane] == 0xffffffffu || other > values[lane] ||
                 (other == values[lane] && there < places[lane]))) {
                values[lane] = other;
                places[lane] = there;
            }
        }
        barrier();
    }
    if (lane == 0) peaks[index] = uvec2(floatBitsToUint(values[0]), places[0]);
}
#endif
