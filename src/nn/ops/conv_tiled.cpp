#include "nn/ops/conv_tiled.h"

#include <algorithm>
#include <array>

#include "nn/ops/phases.h"

namespace deconv::nn {

const TileShape& shape_of(TileKind kind) {
    static const std::array<TileShape, 8> shapes{{
        {"tiled", "nn/conv_tiled.64x64", 64, 64, 8, 64, 8192, false, false},
        {"tiled128", "nn/conv_tiled.128x64", 128, 64, 8, 128, 12288, false, false},
        {"tiled128x32", "nn/conv_tiled.128x32", 128, 32, 8, 64, 10240, false, false},
        {"half", "nn/conv_tiled.half", 64, 64, 16, 64, 8192, true, false},
        {"matrix", "nn/conv_tiled.matrix", 64, 64, 32, 128, 20480, true, true, 160},
        {"matrix64", "nn/conv_tiled.matrix64", 64, 64, 64, 128, 36864, true, true, 160},
        {"matrix128x128", "nn/conv_tiled.matrix128x128", 128, 128, 32, 128, 40960, true, true, 132},
        {"matrix16x128", "nn/conv_tiled.matrix16x128", 16, 128, 64, 128, 41472, true, true, 320},
    }};
    return shapes.at(static_cast<std::size_t>(kind));
}

std::int64_t TiledProduct::part_steps() const {
    // A part of fewer steps does little but begin and end.
    constexpr std::int64_t fewest = 8;
    const std::int64_t count =
        whole ? 1 : std::clamp<std::int64_t>(shape().wanted / tiles(), 1, std::max<std::int64_t>(1, steps() / fewest));
    return std::max<std::int64_t>(1, (steps() + count - 1) / count);
}

std::uint64_t TiledProduct::parts_bytes() const {
    if (parts() == 1) return 0;
    return static_cast<std::uint64_t>(parts() * images * groups * destination_channels * places()) * 4;
}

bool TiledProduct::fits(const gpu::Limits& limits) const {
    const auto u64 = [](std::int64_t value) { return static_cast<std::uint64_t>(value); };
    return weight_bytes() <= limits.storage_range &&
           gpu::divide_up(u64(images * places()), u64(shape().width)) <= limits.workgroup_count[0] &&
           u64(groups * blocks()) <= limits.workgroup_count[1] &&
           u64(shape().threads) <= limits.workgroup_invocations && u64(shape().shared_bytes) <= limits.shared_memory;
}

std::vector<std::uint32_t> tiled_weight_table(
    const TiledProduct& product,
    const std::function<std::int64_t(std::int64_t g, std::int64_t d, std::int64_t s, std::int64_t t)>& index) {
    std::vector<std::uint32_t> table(static_cast<std::size_t>(product.weight_elements()), WeightLayout::none);
    const std::int64_t depth = product.steps() * product.shape().depth;
    for (std::int64_t g = 0; g < product.groups; ++g) {
        for (std::int64_t d = 0; d < product.destination_channels; ++d) {
            const std::int64_t block = (g * product.blocks() + d / product.shape().height) * depth;
            for (std::int64_t s = 0; s < product.source_channels; ++s) {
                for (std::int64_t t = 0; t < product.taps(); ++t) {
                    const std::int64_t unit = product.shape().depth;
                    const std::int64_t k = product.by_taps() ? (s / unit * product.taps() + t) * unit + s % unit
                                           : product.source_layout == Layout::halves ? t * product.source_channels + s
                                                                                     : s * product.taps() + t;
                    // A matrix has, of each step, eight k of a row together; others have their columns.
                    const std::int64_t height = product.shape().height;
                    const std::int64_t row = d % height;
                    const std::int64_t at = product.shape().matrix ? (block + k - k % unit) * height +
                                                                         (k % unit / 8 * height + row) * 8 + k % 8
                                                                   : (block + k) * height + row;
                    table[static_cast<std::size_t>(at)] = u(index(g, d, s, t));
                }
            }
        }
    }
    return table;
}

void emit_tiled_product(Emitter& emitter, const TiledProduct& product, const gpu::Slice& source,
                        const gpu::Slice& weights, const gpu::Slice& bias, const gpu::Slice& to,
                        const std::string& label) {
    struct Push {
        std::uint32_t total, places, grid_width, groups, blocks, source_channels, source_height, source_width;
        std::uint32_t destination_channels, steps, part_steps;
        std::int32_t stride_y, stride_x, pad_y, pad_x, dilation_y, dilation_x;
        std::uint32_t destination_plane, destination_first, destination_y, destination_x;
    };
    const Spread spread = product.spread.value_or(Spread{});
    const bool whole = product.parts() == 1;
    const std::int64_t total = product.images * product.places();
    gpu::Dispatch dispatch;
    dispatch.shader = product.shape().shader;
    dispatch.constants = {0,
                          u(std::max<std::int64_t>(1, product.kernel_y)),
                          u(std::max<std::int64_t>(1, product.kernel_x)),
                          whole && bias ? 1U : 0U,
                          whole && product.accumulate ? 1U : 0U,
                          whole && product.activation == Activation::relu ? 1U : 0U,
                          product.rectified ? 1U : 0U,
                          product.by_taps() ? 1U : 0U,
                          whole && product.spread ? 1U : 0U};
    if (product.shape().half) {
        dispatch.constants.push_back(product.source_layout == Layout::halves ? 1U : 0U);
        dispatch.constants.push_back(whole && product.destination_layout == Layout::halves ? 1U : 0U);
    }
    dispatch.bindings = {gpu::in(source), gpu::in(weights), gpu::in(whole && bias ? bias : emitter.unused()),
                         whole && product.accumulate ? gpu::in_out(to) : gpu::out(to)};
    dispatch.set_push(Push{u(total),
                           u(product.places()),
                           u(product.grid_width),
                           u(product.groups),
                           u(product.blocks()),
                           u(product.source_channels),
                           u(product.source_height),
                           u(product.source_width),
                           u(product.destination_channels),
                           u(product.steps()),
                           u(product.part_steps()),
                           i(product.stride_y),
                           i(product.stride_x),
                           i(product.pad_y),
                           i(product.pad_x),
                           i(product.dilation_y),
                           i(product.dilation_x),
                           u(spread.plane),
                           u(spread.first),
                           u(spread.step_y),
                           u(spread.step_x)});
    dispatch.groups = {
        gpu::divide_up(static_cast<std::uint64_t>(total), static_cast<std::uint64_t>(product.shape().width)),
        u(product.groups * product.blocks()), u(product.parts())};
    dispatch.flops = 2.0 * static_cast<double>(product.groups * product.destination_channels * product.source_channels *
                                               product.taps() * total);
    dispatch.bytes = static_cast<double>(source.bytes + weights.bytes + to.bytes);
    dispatch.label = label;
    emitter.emit(std::move(dispatch));
}

struct TiledConvolution::Phase {
    TiledProduct product;
    Taps y, x;
};

std::vector<TiledConvolution::Phase> TiledConvolution::phases_of(const ConvolutionTask& task) const {
    const Convolution& c = task.convolution;
    const bool forward = task.direction == Direction::forward;
    const std::int64_t width = forward ? c.out_width : c.in_width;
    const std::vector<Taps> ys = phases_y(c, task.direction);
    const std::vector<Taps> xs = phases_x(c, task.direction);
    std::vector<Phase> phases;
    for (const Taps& y : ys) {
        for (const Taps& x : xs) {
            TiledProduct product;
            product.kind = kind_;
            product.images = task.images;
            product.groups = c.groups;
            product.source_channels = forward ? c.in_channels : c.out_channels;
            product.destination_channels = forward ? c.out_channels : c.in_channels;
            product.source_height = forward ? c.in_height : c.out_height;
            product.source_width = forward ? c.in_width : c.out_width;
            product.source_layout = task.source_layout;
            product.destination_layout = task.destination_layout;
            product.grid_height = y.places;
            product.grid_width = x.places;
            // Without taps along one axis there are none.
            product.kernel_y = x.count == 0 ? 0 : y.count;
            product.kernel_x = y.count == 0 ? 0 : x.count;
            product.stride_y = y.stride;
            product.stride_x = x.stride;
            product.pad_y = -y.first;
            product.pad_x = -x.first;
            product.dilation_y = y.step;
            product.dilation_x = x.step;
            if (ys.size() * xs.size() > 1) {
                product.spread = Spread{x.places, forward ? c.out_height * width : c.in_height * width,
                                        y.destination_first * width + x.destination_first, y.destination_step * width,
                                        x.destination_step};
            }
            product.accumulate = task.accumulate;
            product.rectified = task.rectifier.has_value();
            product.activation = task.activation;
            phases.push_back({product, y, x});
        }
    }
    return phases;
}

bool TiledConvolution::supports(const ConvolutionTask& task, const gpu::DeviceInfo& device) const {
    if (shape_of(kind_).matrix && !device.cooperative_matrix) return false;
    if (shape_of(kind_).half && !(task.precision == Precision::half && device.half_precision)) return false;
    const std::vector<Phase> phases = phases_of(task);
    return std::all_of(phases.begin(), phases.end(), [&](const Phase& phase) {
        const TiledProduct& product = phase.product;
        // An invocation's loads have one tap.
        const bool whole =
            task.source_layout == Layout::dense || product.source_channels % product.shape().right_loads() == 0;
        return whole && product.fits(device.limits);
    });
}

bool TiledConvolution::runs_halves(const Convolution& convolution, std::int64_t images, const LayoutOffer& offer) {
    static const TiledConvolution half(TileKind::half);
    ConvolutionTask task;
    task.convolution = convolution;
    task.precision = Precision::half;
    for (const Direction direction : {Direction::forward, Direction::reverse}) {
        task.direction = direction;
        task.images = images * offer.copies;
        if (!half.supports(task, offer.device)) return false;
    }
    return true;
}

bool TiledConvolution::suits(const ConvolutionTask& task, const gpu::DeviceInfo& device) const {
    if (!may_win(task, device)) return false;
    const TiledProduct product = phases_of(task)[0].product;
    const std::int64_t height = product.shape().height;
    if (height == 16) return product.destination_channels <= height;
    // Half-empty tiles are wasted.
    const bool full = height == 64 ? product.destination_channels >= 32
                                   : product.destination_channels * 4 >= product.blocks() * height * 3;
    if (!full || product.source_channels * product.taps() < 64) return false;
    if (!product.shape().matrix) return height == 64 || product.tiles() >= 512;
    // An H200's choices: large tiles where there are enough of them, longer steps where tiles are few but not shared
    // out.
    if (height == 128) return product.tiles() >= 96;
    return kind_ == TileKind::matrix || (product.by_taps() && product.parts() == 1 && product.tiles() < 160);
}

void TiledConvolution::emit(Emitter& emitter, const ConvolutionTask& task) const {
    const Convolution& c = task.convolution;
    const gpu::Slice bias = task.bias != nullptr ? emitter.constant(*task.bias) : gpu::Slice{};
    std::vector<Phase> phases = phases_of(task);
    for (Phase& phase : phases) {
        TiledProduct& product = phase.product;
        product.fit_parts(emitter.device().limits);
        const Taps& y = phase.y;
        const Taps& x = phase.x;
        if (product.taps() == 0 && task.accumulate && task.activation == Activation::none && !bias) continue;
        WeightLayout layout;
        layout.name = std::string(name()) + (product.source_layout == Layout::halves ? " halves " : " ") +
                      describe_phase(c, task.direction, y, x);
        layout.half = product.shape().half;
        layout.table = [&] {
            return tiled_weight_table(product, [&](std::int64_t g, std::int64_t d, std::int64_t s, std::int64_t t) {
                return weight_element(c, task.direction, y, x, {g, d, s, t / product.kernel_x, t % product.kernel_x});
            });
        };
        const gpu::Slice weights = product.taps() > 0 ? emitter.weights(*task.weights, layout) : emitter.unused();
        const bool whole = product.parts() == 1;
        const gpu::Slice to = whole ? task.destination : emitter.scratch(product.parts_bytes());
        emit_tiled_product(emitter, product, task.source, weights, bias, to, task.label);
        if (whole) continue;
        const std::int64_t channels = c.groups * product.destination_channels;
        emit_sum_of_parts(emitter, to,
                          {product.images, channels, product.places(), channels * product.places(), product.places(),
                           product.images * channels * product.places(), product.parts()},
                          bias, task.accumulate, task.activation, task.destination, task.label + " sum", product.spread,
                          task.destination_layout);
    }
}

}  // namespace deconv::nn
