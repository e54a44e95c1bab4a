#include "nn/ops/convolution.h"

#include <algorithm>
#include <numeric>

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
    // Both tensors must fit, so run lengths follow the larger one; its alignment is then checked for the smaller too.
    const std::uint64_t unit = static_cast<std::uint64_t>(std::max(source, destination)) * 4;
    const std::uint64_t other = static_cast<std::uint64_t>(std::min(source, destination)) * 4;
    gpu::Limits limits = emitter.device().limits;
    if (unit * static_cast<std::uint64_t>(task.images) > limits.storage_range && other % limits.storage_alignment != 0) {
        // Runs of so many images start aligned in the smaller tensor as well.
        limits.storage_alignment *= limits.storage_alignment / std::gcd(limits.storage_alignment, other);
    }
    for_slices(task.images, unit, limits, [&](std::int64_t first, std::int64_t count) {
        ConvolutionTask run = task;
        run.images = count;
        run.source = floats(task.source, first * source, count * source);
        run.destination = floats(task.destination, first * destination, count * destination);
        (*chosen)->emit(emitter, run);
    });
}

}  // namespace deconv::nn
