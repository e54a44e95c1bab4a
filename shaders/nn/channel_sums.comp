#version 450
// Sums over each channel of (N, C, plane), in parts: for each channel and chunk of images every invocation of a
// workgroup leaves one, and channel_totals.comp adds them up in their order.
//
//   moments: (count, mean, Σ (x − mean)², 0) of x
//   reverse: (Σ R, Σ R · x̂, 0, 0), R the signal, x̂ = (x − mean) / √(variance + ε); with `rectified`, R counts where
//            scale · x + shift > 0
//   total:   (Σ R, 0, 0, 0)
//
// variant: moments -DMOMENTS
// variant: reverse -DREVERSE
// variant: total
// variant: moments4 -DMOMENTS -DWIDE
// variant: reverse4 -DREVERSE -DWIDE
// variant: total4 -DWIDE
#include "common.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const bool rectified = false;

// WIDE: four elements at once, as texels; the plane is a multiple of four.
#ifdef WIDE
#define VALUE vec4
layout(binding = 0) uniform samplerBuffer source;
#define SOURCE(i) texelFetch(source, int(i))
#else
#define VALUE float
layout(binding = 0) readonly buffer Source { float source[]; };
#define SOURCE(i) source[i]
#endif
layout(binding = 1) writeonly buffer Parts { vec4 parts[]; };
#ifdef REVERSE
#ifdef WIDE
layout(binding = 2) uniform samplerBuffer x;
#define X(i) texelFetch(x, int(i))
#else
layout(binding = 2) readonly buffer Input { float x[]; };
#define X(i) x[i]
#endif
layout(binding = 3) readonly buffer Statistics { vec4 statistics[]; };  // two a channel, see channel_totals.comp
#endif

layout(push_constant) uniform Push {
    uint images, chunk;    // chunk: images of one
    uint chunks;
    uint channels, plane;  // plane in VALUEs
    float epsilon;
} p;

#ifdef WIDE
float total(vec4 v) { return (v.x + v.y) + (v.z + v.w); }
vec4 on(vec4 v) { return vec4(greaterThan(v, vec4(0.0))); }
#else
float total(float v) { return v; }
float on(float v) { return v > 0.0 ? 1.0 : 0.0; }
#endif

void main() {
    const uint lane = gl_LocalInvocationID.x;
    const uint channel = gl_WorkGroupID.y;
    const uint first = gl_WorkGroupID.x * p.chunk;
    const uint end = min(first + p.chunk, p.images);
    VALUE sum = VALUE(0.0);
    VALUE second = VALUE(0.0);
#ifdef MOMENTS
    // About a value near the mean, so that the squares do not cancel.
    const VALUE pivot = VALUE(SOURCE((first * p.channels + channel) * p.plane));
    float count = 0.0;
#endif
#ifdef REVERSE
    const vec4 s = statistics[channel * 2];
    const float inverse = 1.0 / sqrt(s.y + p.epsilon);
#endif
    for (uint n = first; n < end; ++n) {
        const uint base = (n * p.channels + channel) * p.plane;
        // Sums by image are short: what they lose is little.
        VALUE part = VALUE(0.0);
        VALUE part_second = VALUE(0.0);
        for (uint place = lane; place < p.plane; place += workgroup) {
            VALUE value = SOURCE(base + place);
#if defined(MOMENTS)
            value -= pivot;
            part_second += value * value;
            count += 1.0;
#elif defined(REVERSE)
            const VALUE at = X(base + place);
            if (rectified) value *= on(s.z * at + s.w);
            part_second += value * ((at - s.x) * inverse);
#endif
            part += value;
        }
        sum += part;
        second += part_second;
    }
    vec4 result = vec4(total(sum), total(second), 0.0, 0.0);
#ifdef MOMENTS
#ifdef WIDE
    // Each component has a pivot of its own.
    const float all = count * 4.0;
    const vec4 means = pivot + sum / max(count, 1.0);
    const float mean = 0.25 * total(means);
    const vec4 apart = means - mean;
    const vec4 squares = second - sum * sum / max(count, 1.0) + count * apart * apart;
    result = vec4(all, mean, total(squares), 0.0);
#else
    const float shift = sum / max(count, 1.0);
    result = vec4(count, pivot + shift, second - sum * shift, 0.0);
#endif
#endif
    parts[(channel * p.chunks + gl_WorkGroupID.x) * workgroup + lane] = result;
}
