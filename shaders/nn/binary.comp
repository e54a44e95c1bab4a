#version 450
// Functions of two tensors with numpy's broadcasting, up to four dimensions, and the way back to either: the signal
// times a factor, summed over the dimensions along which that input was broadcast.
//
// One invocation computes one element of its destination.  Steps are in elements; 0 along a broadcast dimension.
//
// SAME is for two dense tensors of one shape: one invocation computes four elements.
//
// variant: forward -DFORWARD
// variant: same -DFORWARD -DSAME [wide]
// variant: reverse -DREVERSE
#include "common.glsl"
#include "quads.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint operation = 0;
layout(constant_id = 2) const uint rule = 0;   // PRelu: 0 deconv, 1 guided, 2 gradient

const uint ADD = 0, SUB = 1, MUL = 2, DIV = 3, PRELU = 4;
const uint DECONV = 0, GUIDED = 1, GRADIENT = 2;

#ifdef FORWARD
#ifdef SAME
layout(binding = 0) uniform samplerBuffer a;
layout(binding = 1) uniform samplerBuffer b;
layout(binding = 2) buffer Destination { Quad destination[]; };
#else
layout(binding = 0) readonly buffer A { float a[]; };
layout(binding = 1) readonly buffer B { float b[]; };
layout(binding = 2) buffer Destination { float destination[]; };
#endif

layout(push_constant) uniform Push {
    uint items;
    uint size[4];
    uint step_a[4], step_b[4];
    uint relu;  // of the result
} p;

void main() {
    const uint index = linear_index();
    if (index >= p.items) return;
#ifdef SAME
    const vec4 u = texelFetch(a, int(index));
    const vec4 v = texelFetch(b, int(index));
    vec4 value = u;
#else
    uint rest = index;
    uint at_a = 0;
    uint at_b = 0;
    [[unroll]] for (int d = 3; d >= 0; --d) {
        const uint above = quotient(rest, p.size[d]);
        const uint i = rest - above * p.size[d];
        rest = above;
        at_a += i * p.step_a[d];
        at_b += i * p.step_b[d];
    }
    const float u = a[at_a];
    const float v = b[at_b];
    float value = u;
#endif
    switch (operation) {
        case ADD: value = u + v; break;
        case SUB: value = u - v; break;
        case MUL: value = u * v; break;
        case DIV: value = u / v; break;
#ifdef SAME
        case PRELU: value = mix(u * v, u, greaterThanEqual(u, vec4(0.0))); break;
#else
        case PRELU: value = u >= 0.0 ? u : u * v; break;
#endif
    }
    value = rectified_if(p.relu != 0, value);
#ifdef SAME
    destination[index] = to_quad(value);
#else
    destination[index] = value;
#endif
}
#else
layout(binding = 0) readonly buffer SignalBuffer { float signal[]; };
layout(binding = 1) readonly buffer Other { float other[]; };
layout(binding = 2) readonly buffer Self { float self[]; };
layout(binding = 3) buffer Destination { float destination[]; };

layout(push_constant) uniform Push {
    uint items;            // elements of the result over all copies
    uint size[4];          // of this input
    uint sum[4];           // how many output places share one of its places, by dimension
    uint step_signal[4];
    uint step_other[4];
    uint copy_signal;      // elements of one copy of the signal
    uint second;           // the result is for the second input
    uint accumulate;
} p;

void main() {
    const uint index = linear_index();
    if (index >= p.items) return;
    uint rest = index;
    uint at_signal = 0;
    uint at_other = 0;
    uint at_self = 0;
    uint step_self = 1;
    [[unroll]] for (int d = 3; d >= 0; --d) {
        const uint i = rest % p.size[d];
        rest /= p.size[d];
        at_signal += i * p.step_signal[d];
        at_other += i * p.step_other[d];
        at_self += i * step_self;
        step_self *= p.size[d];
    }
    at_signal += rest * p.copy_signal;
    float total = 0.0;
    for (uint i = 0; i < p.sum[0]; ++i)
        for (uint j = 0; j < p.sum[1]; ++j)
            for (uint k = 0; k < p.sum[2]; ++k)
                for (uint l = 0; l < p.sum[3]; ++l) {
                    const uint s = at_signal + i * p.step_signal[0] + j * p.step_signal[1] + k * p.step_signal[2] +
                                   l * p.step_signal[3];
                    const uint o = at_other + i * p.step_other[0] + j * p.step_other[1] + k * p.step_other[2] +
                                   l * p.step_other[3];
                    float value = signal[s];
                    switch (operation) {
                        case SUB: value = p.second != 0 ? -value : value; break;
                        case MUL: value *= other[o]; break;
                        case DIV: value /= other[o]; break;
                        case PRELU: {
                            const float d = self[at_self] > 0.0 ? 1.0 : other[o];
                            if (rule != GRADIENT) value = max(value, 0.0);
                            value *= rule == DECONV ? abs(d) : d;
                            break;
                        }
                    }
                    total += value;
                }
    if (p.accumulate != 0) total += destination[index];
    destination[index] = total;
}
#endif
