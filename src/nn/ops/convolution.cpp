#include "nn/ops/convolution.h"

#include <algorithm>

#include "nn/ops/conv_direct.h"
#include "nn/ops/emit.h"

namespace deconv::nn {

std::span<const ConvolutionAlgorithm* const> convolution_algorithms() {
    static const DirectConvolution direct;
    static const ConvolutionAlgorithm* const all[] = {&direct};
    return all;
}

void emit_convolution(Emitter& emitter, const ConvolutionTask& task) {
    const auto all = convolution_algorithms();
    const auto chosen = std::find_if(all.begin(), all.end(), [&](const ConvolutionAlgorithm* algorithm) {
        return algorithm->supports(task, emitter.device());
    });
    const Convolution& c = task.convolution;
    const bool forward = task.direction == Direction::forward;
    const std::int64_t source = forward ? c.in_elements() : c.out_elements();
    const std::int64_t destination = forward ? c.out_elements() : c.in_elements();
    for_slices(task.images, {source * 4, destination * 4}, emitter.device().limits,
               [&](std::int64_t first, std::int64_t count) {
                   ConvolutionTask run = task;
                   run.images = count;
                   run.source = floats(task.source, first * source, count * source);
                   run.destination = floats(task.destination, first * destination, count * destination);
                   (*chosen)->emit(emitter, run);
               });
}

}  // namespace deconv::nn
