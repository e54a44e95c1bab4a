#version 450
// Local response normalisation across channels (ONNX LRN) and its derivative.
//
//   s[c] = bias + alpha / size · Σ x[j]²  over j in c − ⌊(size − 1)/2⌋ … c + ⌈(size − 1)/2⌉
//   forward: y[c] = x[c] · s[c]^−beta
//   reverse: r[c] = R[c] · s[c]^−beta − 2 · alpha · beta / size · x[c] · Σ R[i] x[i] s[i]^(−beta − 1)
//            over the i whose window holds c
//
// Planes of (N, C, plane); one invocation computes one element; of packed tensors, [image][channel / 4][place][4] (PACKED,
// forward only, windows that reach four channels at most to either side), the four of a texel.
//
// variant: forward -DFORWARD
// variant: reverse -DREVERSE
// variant: forward.texels -DFORWARD -DTEXELS
// variant: reverse.texels -DREVERSE -DTEXELS
// variant: forward.packed -DFORWARD -DPACKED [wide]
#include "common.glsl"
#include "quads.glsl"

layout(local_size_x_id = 0) in;

#ifdef PACKED
layout(binding = 1) buffer Destination { Quad destination[]; };
layout(binding = 0) uniform samplerBuffer x;
#else
layout(binding = 1) buffer Destination { float destination[]; };
#endif
#ifdef PACKED
#elif defined(TEXELS)
layout(binding = 0) uniform samplerBuffer x;
layout(binding = 2) uniform samplerBuffer signal;
#define X(i) texelFetch(x, int(i)).x
#define SIGNAL(i) texelFetch(signal, int(i)).x
#else
layout(binding = 0) readonly buffer Input { float x[]; };
layout(binding = 2) readonly buffer SignalBuffer { float signal[]; };
#define X(i) x[i]
#define SIGNAL(i) signal[i]
#endif

layout(push_constant) uniform Push {
    uint items;   // elements, or texels
    uint first;   // of the destination's elements: runs of a larger tensor
    uint period;  // elements of x
    int channels;
    uint plane;
    int below, above;
    float alpha_over_size, beta, bias;
    uint accumulate;
} p;

#ifndef PACKED
float scale(uint base, int channel) {
    float sum = 0.0;
    // As many steps for every invocation, so that they stay together.
    for (int j = -p.below; j <= p.above; ++j) {
        const int c = channel + j;
        const bool inside = c >= 0 && c < p.channels;
        const float value = X(base + uint(inside ? c : channel) * p.plane);
        sum += inside ? value * value : 0.0;
    }
    return p.bias + p.alpha_over_size * sum;
}
#endif

// pow() may err by much more than a square root; 0.75 is what every network uses.
float power(float s, float exponent) {
    if (p.beta == 0.75) {
        const float root = sqrt(s);
        const float inverse = 1.0 / (root * sqrt(root));
        return exponent == -0.75 ? inverse : inverse / s;
    }
    return pow(s, exponent);
}

void main() {
    const uint index = linear_index();
    if (index >= p.items) return;
#ifdef PACKED
    const int quarters = p.channels / 4;
    const int quarter = int(remainder(quotient(index, p.plane), uint(quarters)));
    vec4 around[3];  // the texels before, of and after these channels
    [[unroll]] for (int t = 0; t < 3; ++t) {
        const bool inside = quarter + t - 1 >= 0 && quarter + t - 1 < quarters;
        const vec4 value = texelFetch(x, int(index) + (inside ? (t - 1) * int(p.plane) : 0));
        around[t] = inside ? value : vec4(0.0);
    }
    vec4 result = around[1];
    [[unroll]] for (int c = 0; c < 4; ++c) {
        float sum = 0.0;
        [[unroll]] for (int j = -4; j <= 4; ++j) {
            const float value = around[(c + j + 4) / 4][(c + j + 4) % 4];
            sum += j >= -p.below && j <= p.above ? value * value : 0.0;
        }
        result[c] *= power(p.bias + p.alpha_over_size * sum, -p.beta);
    }
    destination[index] = to_quad(result);
#else
    const uint place = remainder(p.first + index, p.period);
    const int channel = int(remainder(quotient(place, p.plane), uint(p.channels)));
    const uint base = place - uint(channel) * p.plane;
#ifdef FORWARD
    destination[index] = X(place) * power(scale(base, channel), -p.beta);
#else
    const uint signal_base = index - uint(channel) * p.plane;
    float cross = 0.0;
    for (int i = max(channel - p.above, 0); i <= min(channel + p.below, p.channels - 1); ++i) {
        const uint at = uint(i) * p.plane;
        cross += SIGNAL(signal_base + at) * X(base + at) * power(scale(base, i), -p.beta - 1.0);
    }
    float value = SIGNAL(index) * power(scale(base, channel), -p.beta) -
                  2.0 * p.alpha_over_size * p.beta * X(place) * cross;
    if (p.accumulate != 0) value += destination[index];
    destination[index] = value;
#endif
#endif
}
