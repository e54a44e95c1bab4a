#version 450
// A step of stochastic gradient descent with Nesterov's momentum and weight decay, as PyTorch writes it:
//
//   g ← g + decay · w;   v ← momentum · v + g;   w ← w − rate · (g + momentum · v)
//
// One invocation does one parameter; the first `decayed` of them decay.
#include "common.glsl"

layout(local_size_x_id = 0) in;

layout(binding = 0) buffer Parameters { float parameters[]; };
layout(binding = 1) readonly buffer Gradients { float gradients[]; };
layout(binding = 2) buffer Velocities { float velocities[]; };
layout(binding = 3) readonly buffer Rates { float rates[]; };  // learning rate, momentum, decay

layout(push_constant) uniform Push { uint items, decayed; } p;

void main() {
    const uint index = linear_index();
    if (index >= p.items) return;
    float w = parameters[index];
    float g = gradients[index];
    if (index < p.decayed) g += rates[2] * w;
    const float v = rates[1] * velocities[index] + g;
    velocities[index] = v;
    parameters[index] = w - rates[0] * (g + rates[1] * v);
}
