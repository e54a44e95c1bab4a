#version 450
// Adds up the parts of channel_sums.comp, in their order, and makes of them what comes next.  One invocation does one
// channel.
//
//   moments: statistics[c] = (mean, variance, scale, shift): scale · x + shift normalises
//            (Ioffe and Szegedy, arXiv 1502.03167)
//   reverse: the gradients of gamma and beta, and statistics[c] part two = (scale, a, b, 0): the signal at the input is
//            scale · R + a · x + b
//   total:   the sums themselves
//
// variant: moments -DMOMENTS
// variant: reverse -DREVERSE
// variant: total
#include "common.glsl"

layout(local_size_x_id = 0) in;

layout(binding = 0) readonly buffer Parts { vec4 parts[]; };
#if defined(MOMENTS)
layout(binding = 1) readonly buffer Gamma { float gamma[]; };
layout(binding = 2) readonly buffer Beta { float beta[]; };
layout(binding = 3) writeonly buffer Statistics { vec4 statistics[]; };
#elif defined(REVERSE)
layout(binding = 1) writeonly buffer GammaGradient { float gamma_gradient[]; };
layout(binding = 2) writeonly buffer BetaGradient { float beta_gradient[]; };
layout(binding = 3) buffer Statistics { vec4 statistics[]; };
#else
layout(binding = 1) writeonly buffer Totals { float totals[]; };
#endif

layout(push_constant) uniform Push {
    uint channels;
    uint count;      // parts of a channel
    float elements;  // of a channel
    float epsilon;
} p;

void main() {
    const uint channel = linear_index();
    if (channel >= p.channels) return;
    const uint first = channel * p.count;
#ifdef MOMENTS
    // Chan, Golub and LeVeque, 1979.
    float count = 0.0;
    float mean = 0.0;
    float squares = 0.0;
    for (uint i = 0; i < p.count; ++i) {
        const vec4 part = parts[first + i];
        if (part.x > 0.0) {
            const float all = count + part.x;
            const float apart = part.y - mean;
            mean += apart * (part.x / all);
            squares += part.z + apart * apart * (count * part.x / all);
            count = all;
        }
    }
    const float variance = squares / count;
    const float scale = gamma[channel] / sqrt(variance + p.epsilon);
    statistics[channel * 2] = vec4(mean, variance, scale, beta[channel] - mean * scale);
#else
    vec2 sum = vec2(0.0);
    for (uint i = 0; i < p.count; ++i) sum += parts[first + i].xy;
#ifdef REVERSE
    gamma_gradient[channel] = sum.y;
    beta_gradient[channel] = sum.x;
    const vec4 s = statistics[channel * 2];
    const float a = -s.z * (sum.y / p.elements) / sqrt(s.y + p.epsilon);
    statistics[channel * 2 + 1] = vec4(s.z, a, -s.z * (sum.x / p.elements) - a * s.x, 0.0);
#else
    totals[channel] = sum.x;
#endif
#endif
}
