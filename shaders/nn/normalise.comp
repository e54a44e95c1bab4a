#version 450
// Batch normalisation in training, by the statistics of channel_totals.comp.
//
//   forward: y = scale · x + shift, and max(y, 0) with `rectified`
//   reverse: the signal at x: scale · R + a · x + b; with `rectified` R counts where y > 0
//
// One invocation computes one element, or (WIDE) four.
//
// variant: forward
// variant: reverse -DREVERSE
// variant: forward4 -DWIDE
// variant: reverse4 -DREVERSE -DWIDE
#include "common.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const bool rectified = false;
layout(constant_id = 2) const bool accumulate = false;

#ifdef WIDE
#define VALUE vec4
layout(binding = 0) uniform samplerBuffer x;
#define X(i) texelFetch(x, int(i))
#else
#define VALUE float
layout(binding = 0) readonly buffer Input { float x[]; };
#define X(i) x[i]
#endif
layout(binding = 1) readonly buffer Statistics { vec4 statistics[]; };
layout(binding = 2) buffer Destination { VALUE destination[]; };
#ifdef REVERSE
#ifdef WIDE
layout(binding = 3) uniform samplerBuffer source;
#define SOURCE(i) texelFetch(source, int(i))
#else
layout(binding = 3) readonly buffer SignalIn { float source[]; };
#define SOURCE(i) source[i]
#endif
#endif

layout(push_constant) uniform Push {
    uint items;
    uint first;            // of the whole tensor's VALUEs
    uint channels, plane;  // plane in VALUEs
} p;

void main() {
    const uint index = linear_index();
    if (index >= p.items) return;
    const uint channel = remainder(quotient(p.first + index, p.plane), p.channels);
    const vec4 s = statistics[channel * 2];
    const VALUE at = X(index);
    VALUE value = s.z * at + s.w;
#ifdef REVERSE
    const vec4 back = statistics[channel * 2 + 1];
    VALUE signal = SOURCE(index);
#ifdef WIDE
    if (rectified) signal *= vec4(greaterThan(value, vec4(0.0)));
#else
    if (rectified) signal = value > 0.0 ? signal : 0.0;
#endif
    value = back.x * signal + back.y * at + back.z;
    if (accumulate) value += destination[index];
#else
#ifdef WIDE
    if (rectified) value = mix(value, vec4(0.0), lessThan(value, vec4(0.0)));  // a NaN stays
#else
    if (rectified) value = value < 0.0 ? 0.0 : value;
#endif
#endif
    destination[index] = value;
}
