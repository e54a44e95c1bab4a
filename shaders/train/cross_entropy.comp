#version 450
// Softmax and cross-entropy of a batch, and the signal that goes back: (softmax − one at the label) / images, so that
// what is minimised is the mean over the batch.  One invocation does one image.
#include "common.glsl"

layout(local_size_x_id = 0) in;

layout(binding = 0) readonly buffer Logits { float logits[]; };
layout(binding = 1) readonly buffer Labels { uint labels[]; };
layout(binding = 2) writeonly buffer SignalOut { float signal[]; };
layout(binding = 3) writeonly buffer Results { vec2 results[]; };  // (loss, 1 where the strongest class is the label)

layout(push_constant) uniform Push {
    uint images, classes;
    float smoothing;  // share of the label's probability that is spread over all classes (Szegedy et al. 2016)
} p;

void main() {
    const uint image = linear_index();
    if (image >= p.images) return;
    const uint first = image * p.classes;
    const uint label = labels[image];
    float peak = logits[first];
    uint strongest = 0;
    for (uint c = 1; c < p.classes; ++c) {
        const float value = logits[first + c];
        if (value > peak) {
            peak = value;
            strongest = c;
        }
    }
    float sum = 0.0;
    float all = 0.0;
    for (uint c = 0; c < p.classes; ++c) {
        sum += exp(logits[first + c] - peak);
        all += logits[first + c] - peak;
    }
    const float normaliser = log(sum);
    const float spread = p.smoothing / float(p.classes);
    const float loss = normaliser - (1.0 - p.smoothing) * (logits[first + label] - peak) - spread * all;
    for (uint c = 0; c < p.classes; ++c) {
        const float target = (c == label ? 1.0 - p.smoothing : 0.0) + spread;
        signal[first + c] = (exp(logits[first + c] - peak) / sum - target) / float(p.images);
    }
    results[image] = vec2(loss, strongest == label ? 1.0 : 0.0);
}
