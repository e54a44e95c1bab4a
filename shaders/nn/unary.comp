#version 450
// Functions of one element and the way back through them, by rule.
//
//   rectifiers (Relu, Clip with min ≥ 0):  deconv: max(R, 0); gradient: R where the unit is on, else 0;
//                                          guided: max(R, 0) where it is on, else 0
//   all others, d the derivative at x:     deconv: |d| · max(R, 0); gradient: d · R; guided: d · max(R, 0)
//
// One invocation computes one element, or (where everything is read as texels, or is of halves) four.  The way back may
// hold several copies of R over one x.
//
// variant: forward -DFORWARD
// variant: reverse -DREVERSE
// variant: forward.texels -DFORWARD -DTEXELS [wide]
// variant: reverse.texels -DREVERSE -DTEXELS [wide]
// variant: forward.halves -DFORWARD -DHALVES
// variant: reverse.halves -DREVERSE -DHALVES
#include "common.glsl"
#include "quads.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint operation = 0;
layout(constant_id = 2) const uint rule = 0;  // 0 deconv, 1 guided, 2 gradient

const uint RELU = 0, LEAKY_RELU = 1, CLIP_RECTIFIER = 2, CLIP = 3, SIGMOID = 4, HARD_SIGMOID = 5, HARD_SWISH = 6, TANH = 7;
const uint DECONV = 0, GUIDED = 1, GRADIENT = 2;

#ifdef TEXELS
layout(binding = 0) uniform samplerBuffer source;
layout(binding = 1) buffer Destination { Quad destination[]; };
layout(binding = 2) uniform samplerBuffer x;  // for Relu its output serves as well
#define FOUR(from, i) texelFetch(from, int(i))
#define FOURS
#elif defined(HALVES)
layout(binding = 0) readonly buffer Source { uvec2 source[]; };
layout(binding = 1) buffer Destination { uvec2 destination[]; };
layout(binding = 2) readonly buffer Input { uvec2 x[]; };
#define FOUR(from, i) unpack_halves(from[i])
#define FOURS
#else
layout(binding = 0) readonly buffer Source { float source[]; };
layout(binding = 1) buffer Destination { float destination[]; };
layout(binding = 2) readonly buffer Input { float x[]; };
#endif

layout(push_constant) uniform Push {
    uint items;      // these three count elements, or groups of four
    uint first;      // of the destination, for runs of a larger tensor
    uint period;     // of x
    float a, b;      // LeakyRelu: slope; Clip: min, max; HardSigmoid: alpha, beta
    uint accumulate;
} p;

float sigmoid(float v) {
    // exp of a positive number could overflow.
    const float e = exp(-abs(v));
    return (v >= 0.0 ? 1.0 : e) / (1.0 + e);
}

float hyperbolic_tangent(float v) {
    // Near zero (e − 1) would cancel: the series is exact to float32 below 0.1.
    const float s = v * v;
    if (s < 0.01) return v * (1.0 - s * (1.0 / 3.0 - s * (2.0 / 15.0 - s * (17.0 / 315.0))));
    const float e = exp(-2.0 * abs(v));
    const float t = (1.0 - e) / (1.0 + e);
    return v < 0.0 ? -t : t;
}

float apply(float v) {
    switch (operation) {
        case RELU: return v > 0.0 ? v : (v == v ? 0.0 : v);
        case LEAKY_RELU: return v >= 0.0 ? v : p.a * v;
        case CLIP_RECTIFIER:
        case CLIP: return min(max(v, p.a), p.b);
        case SIGMOID: return sigmoid(v);
        case HARD_SIGMOID: return min(max(p.a * v + p.b, 0.0), 1.0);
        case HARD_SWISH: return v * min(max(v * (1.0 / 6.0) + 0.5, 0.0), 1.0);
        case TANH: return hyperbolic_tangent(v);
    }
    return v;
}

float derivative(float v) {
    switch (operation) {
        case LEAKY_RELU: return v > 0.0 ? 1.0 : p.a;
        case CLIP: return v > p.a && v <= p.b ? 1.0 : 0.0;
        case SIGMOID: {
            // Not s · (1 − s), which would cancel where s is near 1.
            const float e = exp(-abs(v));
            return e / ((1.0 + e) * (1.0 + e));
        }
        case HARD_SIGMOID: return p.a * v + p.b > 0.0 && p.a * v + p.b < 1.0 ? p.a : 0.0;
        case HARD_SWISH: return v <= -3.0 ? 0.0 : (v >= 3.0 ? 1.0 : v * (1.0 / 3.0) + 0.5);
        case TANH: {
            const float e = exp(-2.0 * abs(v));
            return 4.0 * e / ((1.0 + e) * (1.0 + e));
        }
    }
    return 1.0;
}

float reverse(float signal, float v) {
    const float value = rule == GRADIENT ? signal : max(signal, 0.0);
    if (operation == RELU || operation == CLIP_RECTIFIER) {
        const bool on = operation == RELU ? v > 0.0 : v > p.a && v <= p.b;
        return rule == DECONV || on ? value : 0.0;
    }
    const float d = derivative(v);
    return value * (rule == DECONV ? abs(d) : d);
}

void main() {
    const uint index = linear_index();
    if (index >= p.items) return;
    const bool reads_x = !((operation == RELU || operation == CLIP_RECTIFIER) && rule == DECONV);
#ifdef FOURS
    vec4 value = FOUR(source, index);
#ifdef FORWARD
    [[unroll]] for (uint j = 0; j < 4; ++j) value[j] = apply(value[j]);
#else
    vec4 v = vec4(0.0);
    if (reads_x) v = FOUR(x, remainder(p.first + index, p.period));
    [[unroll]] for (uint j = 0; j < 4; ++j) value[j] = reverse(value[j], v[j]);
#endif
#elif defined(FORWARD)
    float value = apply(source[index]);
#else
    float value = reverse(source[index], reads_x ? x[remainder(p.first + index, p.period)] : 0.0);
#endif
#ifdef HALVES
    if (p.accumulate != 0) value += FOUR(destination, index);
    destination[index] = pack_halves(value);
#elif defined(TEXELS)
    if (p.accumulate != 0) value += from_quad(destination[index]);
    destination[index] = to_quad(value);
#else
    if (p.accumulate != 0) value += destination[index];
    destination[index] = value;
#endif
}
