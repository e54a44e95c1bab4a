// The gradient of a convolution's weights: a product of its input and the signal at its output, summed over all places
// and images.
#pragma once

#include "nn/ops/convolution.h"

namespace deconv::nn {

/// destination[o][i][k][l] = Σ_{n, v, u} R[n, o, v, u] x[n, i, v·sy − py + k·dy, u·sx − px + l·dx]
struct WeightGradientTask {
    Convolution convolution;
    std::int64_t images = 1;
    gpu::Slice x;            // (images, groups · in_channels, in_height, in_width)
    gpu::Slice signal;       // (images, groups · out_channels, out_height, out_width)
    gpu::Slice destination;  // as the weights
    std::string label;
};

/// By the packed product where the device runs it, else directly; the same sum in the same order on every run.
void emit_weight_gradient(Emitter& emitter, const WeightGradientTask& task);

}  // namespace deconv::nn
