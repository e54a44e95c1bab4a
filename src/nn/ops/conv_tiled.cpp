#include "nn/ops/conv_tiled.h"

#include <algorithm>
#include <array>

#include "nn/ops/phases.h"

namespace deconv::nn {

const TileShape& shape_of(TileKind kind) {
    static const std::array<TileShape, 6> shapes{{
        {"tiled", "nn/conv_tiled.64x64", 64, 64, 8, 64, 8192, false, false},
        {"tiled128", "nn/conv_tiled.128x64", 128, 64, 8, 128, 12288, false, false},
        {"tiled128x32", "nn/conv_tiled.128x32", 128, 32, 8, 64, 10240, false, false},
        {"half", "nn/conv_tiled.half", 64, 64, 16, 64, 8192, true, false},
        {"matrix", "nn/conv_tiled.matrix", 64, 64, 32, 128, 20480, true, true},
        {"matrix128x128", "nn/conv_tiled.matrix128x128", 128, 128, 32, 256, 40960, true, true},
    }};
    return shapes.at(static_cast<std::size_t>(kind));
}

std::int64_t TiledProduct::part_steps() const {
    // What keeps a large GPU busy (an H200 was fastest with 200 to 400 workgroups of any of these sizes); a part of
    // fewer steps does little but begin and end.
    constexpr std::int64_t wanted = 320;
    constexpr std::int64_t fewest = 8;
    const std::int64_t count =
        whole ? 1 : std::clamp<std::int64_t>(wanted / tiles(), 1, std::max<std::int64_t>(1, steps() / fewest));
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
                    const std::int64_t k = product.by_taps() ? t * product.source_channels + s : s * product.taps() + t;
                    // Within a step a matrix has its rows, others their columns, in memory one after the other.
                    const std::int64_t at = product.shape().matrix
                                                ? (block + k - k % product.shape().depth) * product.shape().height +
                                                      d % product.shape().height * product.shape().depth +
                                                      k % product.shape().depth
                                                : (block + k) * product.shape().height + d % product.shape().height;
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
    return std::all_of(phases.begin(), phases.end(),
                       [&](const Phase& phase) { return phase.product.fits(device.limits); });
}

bool TiledConvolution::suits(const ConvolutionTask& task, const gpu::DeviceInfo& device) const {
    // Half-empty tiles are wasted.
    const TiledProduct product = phases_of(task)[0].product;
    const std::int64_t height = product.shape().height;
    const bool full = height == 64 ? product.destination_channels >= 32
                                   : product.destination_channels * 4 >= product.blocks() * height * 3;
    return may_win(task, device) && full &&
           product.source_channels * task.convolution.kernel_y * task.convolution.kernel_x >= 64 &&
           (height == 64 || product.tiles() >= 512);
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
        layout.name = std::string(name()) + " " + describe_phase(c, task.direction, y, x);
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
                          bias, task.accumulate, task.activation, task.destination, task.label + " sum",
                          product.spread);
    }
}

}  // namespace deconv::nn
