#include "nn/ops/convolution.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "nn/ops/conv_direct.h"
#include "nn/ops/conv_fft.h"
#include "nn/ops/conv_image.h"
#include "nn/ops/conv_packed.h"
#include "nn/ops/conv_tiled.h"
#include "nn/ops/conv_winograd.h"
#include "nn/ops/emit.h"

namespace deconv::nn {

std::string describe(const ConvolutionTask& task) {
    const Convolution& c = task.convolution;
    const auto join = [](std::initializer_list<std::int64_t> numbers) {
        std::string text;
        for (const std::int64_t number : numbers) text += (text.empty() ? "" : "x") + std::to_string(number);
        return text;
    };
    const auto at = [](const char* end, Layout layout) {
        return layout == Layout::dense ? std::string()
                                       : end + std::string(layout == Layout::packed ? "packed" : "halves");
    };
    return std::string(task.direction == Direction::forward ? "forward " : "reverse ") +
           join({c.groups * c.in_channels, c.in_height, c.in_width}) + " " + join({c.kernel_y, c.kernel_x}) + " s" +
           join({c.stride_y, c.stride_x}) + " p" + join({c.pad_y, c.pad_x}) + " d" +
           join({c.dilation_y, c.dilation_x}) + " g" + join({c.groups}) + " to " +
           join({c.groups * c.out_channels, c.out_height, c.out_width}) + " n" + join({task.images}) +
           (task.precision == Precision::half ? " half" : "") + (task.chosen ? " of chosen channels" : "") +
           (task.pool ? " pooled" : "") + (task.pooled_source ? " from pooled" : "") +
           (task.pointwise_source ? " behind 1x1 of " + join({task.pointwise_source->channels}) : "") +
           at(" from ", task.source_layout) + at(" to ", task.destination_layout);
}

bool can_run(const ConvolutionAlgorithm& algorithm, const ConvolutionTask& task, const gpu::DeviceInfo& device) {
    return algorithm.takes(task.source_layout, task.destination_layout) && (!task.pool || algorithm.pools()) &&
           (!task.pooled_source || algorithm.reads_pooled()) &&
           (!task.pointwise_source || algorithm.reads_pointwise()) && algorithm.supports(task, device);
}

bool takes_layout(const Convolution& convolution, std::int64_t images, const LayoutOffer& offer) {
    const Convolution& c = convolution;
    const auto whole = [&](std::int64_t channels) {
        return c.groups == 1 || channels % channel_multiple(offer.layout) == 0;
    };
    if (!whole(c.in_channels) || !whole(c.out_channels)) return false;
    if (offer.layout == Layout::halves) return TiledConvolution::runs_halves(c, images, offer);
    // Large kernels are FFT's, whose transforms read and write dense tensors.
    const bool large = c.stride_y == 1 && c.stride_x == 1 && c.kernel_y * c.kernel_x >= 81;
    return !large && PackedConvolution::runs(c, offer.device);
}

std::span<const ConvolutionAlgorithm* const> convolution_algorithms() {
    static const ImageConvolution image;
    static const PackedConvolution packed;
    static const DirectConvolution direct;
    static const PointwiseConvolution pointwise;
    static const FftConvolution fft;
    static const WinogradConvolution winograd2(2);
    static const WinogradConvolution winograd4(4);
    static const TiledConvolution tiled(TileKind::tiled);
    static const TiledConvolution tiled128(TileKind::tiled128);
    static const TiledConvolution half(TileKind::half);
    static const TiledConvolution matrix(TileKind::matrix);
    static const TiledConvolution matrix64(TileKind::matrix64);
    static const TiledConvolution matrix128x128(TileKind::matrix128x128);
    static const TiledConvolution matrix16x128(TileKind::matrix16x128);
    static const ConvolutionAlgorithm* const all[] = {&matrix16x128, &matrix128x128, &matrix64, &matrix,    &half,
                                                      &image,        &pointwise,     &fft,      &winograd4, &winograd2,
                                                      &packed,       &tiled128,      &tiled,    &direct};
    return all;
}

namespace {
/// Is it so of the algorithm of that name, or, without a name, of some?
template <typename F>
bool any_named(const std::string& name, const F& is) {
    const auto all = convolution_algorithms();
    return std::any_of(all.begin(), all.end(), [&](const ConvolutionAlgorithm* known) {
        return (name.empty() || known->name() == name) && is(*known);
    });
}
}  // namespace

bool takes_layout(const std::string& algorithm, Layout layout) {
    return any_named(algorithm, [&](const ConvolutionAlgorithm& known) { return known.takes(layout, layout); });
}

bool pools(const std::string& algorithm) {
    return any_named(algorithm, [](const ConvolutionAlgorithm& known) { return known.pools(); });
}
bool reads_pooled(const std::string& algorithm) {
    return any_named(algorithm, [](const ConvolutionAlgorithm& known) { return known.reads_pooled(); });
}
bool reads_pointwise(const std::string& algorithm) {
    return any_named(algorithm, [](const ConvolutionAlgorithm& known) { return known.reads_pointwise(); });
}

const ConvolutionAlgorithm& default_algorithm(const ConvolutionTask& task, const gpu::DeviceInfo& device) {
    // The last one runs everything whose ends are dense; others come into question for other layouts.
    const ConvolutionAlgorithm* any = nullptr;
    const ConvolutionAlgorithm* suiting = nullptr;
    for (const ConvolutionAlgorithm* algorithm : convolution_algorithms()) {
        if (!can_run(*algorithm, task, device)) continue;
        // Who reads the chosen channels only has next to nothing to do.
        if (task.chosen && algorithm->runs_chosen()) return *algorithm;
        if (suiting == nullptr && algorithm->suits(task, device)) suiting = algorithm;
        any = algorithm;
    }
    if (any == nullptr) throw Error("no algorithm for the convolution " + describe(task));
    return suiting != nullptr ? *suiting : *any;
}

const ConvolutionAlgorithm& algorithm_for(const Emitter& emitter, const ConvolutionTask& task) {
    const std::string wanted = emitter.choice(describe(task));
    for (const ConvolutionAlgorithm* algorithm : convolution_algorithms()) {
        if (algorithm->name() == wanted && can_run(*algorithm, task, emitter.device())) return *algorithm;
    }
    return default_algorithm(task, emitter.device());
}

void emit_convolution(Emitter& emitter, const ConvolutionTask& task) {
    if (!task.chosen) emitter.note(task);  // nothing to measure
    const ConvolutionAlgorithm& algorithm = algorithm_for(emitter, task);
    const gpu::Limits& limits = emitter.device().limits;
    const std::int64_t source = task.source_elements();
    const std::int64_t destination = task.destination_elements();
    // Scratch memory begins anew with each run, so only its size counts, not where an image begins.
    const std::int64_t before = task.pointwise_source ? task.pointwise_source->step(task.places()) : 0;
    const std::uint64_t scratch = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(algorithm.scratch_bytes(task)));
    // More scratch memory at once makes nothing faster: sixteen images of VGG-16's conv1_2 would be a gigabyte of
    // Winograd's points.
    const std::int64_t enough = scratch > 1 ? std::int64_t{256} << 20 : std::numeric_limits<std::int64_t>::max();
    for_slices(
        task.images,
        {task.source_step() * element_bytes(task.source_layout), destination * element_bytes(task.destination_layout),
         static_cast<std::int64_t>(gpu::align_up(scratch, limits.storage_alignment)), before * 4},
        limits,
        [&](std::int64_t first, std::int64_t count) {
            ConvolutionTask run = task;
            run.images = count;
            run.first_image = task.first_image + first;
            run.source = elements_of(task.source, task.source_layout, first * task.source_step(),
                                     (count - 1) * task.source_step() + source);
            run.destination =
                elements_of(task.destination, task.destination_layout, first * destination, count * destination);
            if (run.pointwise_source) {
                PointwiseSource& made_from = *run.pointwise_source;
                made_from.source =
                    floats(made_from.source, first * before, (count - 1) * before + made_from.channels * task.places());
            }
            if (run.pool && run.pool->switches && task.direction == Direction::forward) {
                run.pool->switches = floats(run.pool->switches, first * destination, count * destination);
            }
            if (run.rectifier && !algorithm.fuses_rectifier(run)) {
                emit_rectifier(emitter, run.source_layout, run.source, run.source, count * source, run.first_element(),
                               *run.rectifier, false, run.label + " rectify");
                run.rectifier.reset();
            }
            algorithm.emit(emitter, run);
        },
        enough);
}

}  // namespace deconv::nn
