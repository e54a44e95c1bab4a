#include "nn/ops/conv_tiled.h"

#include <algorithm>

#include "nn/ops/emit.h"

namespace deconv::nn {
namespace {

std::int32_t i(std::int64_t value) {
    return static_cast<std::int32_t>(value);
}

struct Names {
    std::string_view algorithm, shader;
};
Names names_of(TileKind kind) {
    switch (kind) {
        case TileKind::tiled128:
            return {"tiled128", "nn/conv_tiled.128x64"};
        case TileKind::half:
            return {"half", "nn/conv_tiled.half"};
        case TileKind::matrix:
            return {"matrix", "nn/conv_tiled.matrix"};
        case TileKind::tiled:
            break;
    }
    return {"tiled", "nn/conv_tiled.64x64"};
}

}  // namespace

std::int64_t TiledProduct::part_steps() const {
    // A large GPU holds some hundreds of workgroups at once; a part of fewer steps does little but begin and end.
    constexpr std::int64_t wanted = 640;
    constexpr std::int64_t fewest = 8;
    const std::int64_t count =
        std::clamp<std::int64_t>(wanted / tiles(), 1, std::max<std::int64_t>(1, steps() / fewest));
    return (steps() + count - 1) / count;
}

std::uint64_t TiledProduct::parts_bytes() const {
    if (parts() == 1) return 0;
    return static_cast<std::uint64_t>(parts() * images * groups * destination_channels * places()) * 4;
}

bool TiledProduct::fits(const gpu::Limits& limits) const {
    return weight_bytes() <= limits.storage_range && parts_bytes() <= limits.storage_range &&
           static_cast<std::uint64_t>(groups * blocks()) <= limits.workgroup_count[1] &&
           static_cast<std::uint64_t>(threads()) <= limits.workgroup_invocations;
}

std::vector<std::uint32_t> tiled_weight_table(
    const TiledProduct& product,
    const std::function<std::int64_t(std::int64_t g, std::int64_t d, std::int64_t s, std::int64_t t)>& index) {
    std::vector<std::uint32_t> table(static_cast<std::size_t>(product.weight_elements()), WeightLayout::none);
    const std::int64_t depth = product.steps() * product.depth();
    for (std::int64_t g = 0; g < product.groups; ++g) {
        for (std::int64_t d = 0; d < product.destination_channels; ++d) {
            const std::int64_t block = (g * product.blocks() + d / product.height()) * depth;
            for (std::int64_t s = 0; s < product.source_channels; ++s) {
                for (std::int64_t t = 0; t < product.taps(); ++t) {
                    const std::int64_t k = product.by_taps() ? t * product.source_channels + s : s * product.taps() + t;
                    // Within a step a matrix has its rows, others their columns, in memory one after the other.
                    const std::int64_t at = product.kind == TileKind::matrix
                                                ? (block + k - k % product.depth()) * product.height() +
                                                      d % product.height() * product.depth() + k % product.depth()
                                                : (block + k) * product.height() + d % product.height();
                    table[static_cast<std::size_t>(at)] = u(index(g, d, s, t));
                }
            }
        }
    }
    return table;
}

void emit_tiled_product(Emitter& emitter, const TiledProduct& product, const gpu::Slice& source,
                        const gpu::Slice& weights, const gpu::Slice& bias, const gpu::Slice& parts,
                        const gpu::Slice& destination, const std::string& label) {
    struct Push {
        std::uint32_t total, places, grid_width, groups, blocks, source_channels, source_height, source_width;
        std::uint32_t destination_channels, steps, part_steps;
        std::int32_t stride_y, stride_x, pad_y, pad_x, dilation_y, dilation_x;
    };
    const bool whole = product.parts() == 1;
    const std::int64_t total = product.images * product.places();
    gpu::Dispatch dispatch;
    dispatch.shader = names_of(product.kind).shader;
    dispatch.constants = {0,
                          u(product.kernel_y),
                          u(product.kernel_x),
                          whole && bias ? 1U : 0U,
                          whole && product.accumulate ? 1U : 0U,
                          whole && product.activation == Activation::relu ? 1U : 0U,
                          product.rectified ? 1U : 0U,
                          product.by_taps() ? 1U : 0U};
    dispatch.bindings = {gpu::in(source), gpu::in(weights), gpu::in(whole && bias ? bias : emitter.unused()),
                         !whole               ? gpu::out(parts)
                         : product.accumulate ? gpu::in_out(destination)
                                              : gpu::out(destination)};
    dispatch.set_push(Push{u(total), u(product.places()), u(product.destination_width), u(product.groups),
                           u(product.blocks()), u(product.source_channels), u(product.source_height),
                           u(product.source_width), u(product.destination_channels), u(product.steps()),
                           u(product.part_steps()), i(product.stride_y), i(product.stride_x), i(product.pad_y),
                           i(product.pad_x), i(product.dilation_y), i(product.dilation_x)});
    dispatch.groups = {gpu::divide_up(static_cast<std::uint64_t>(total), TiledProduct::width),
                       u(product.groups * product.blocks()), u(product.parts())};
    dispatch.flops = 2.0 * static_cast<double>(product.groups * product.destination_channels * product.source_channels *
                                               product.taps() * total);
    dispatch.bytes = static_cast<double>(source.bytes + weights.bytes + (whole ? destination.bytes : parts.bytes));
    dispatch.label = label;
    emitter.emit(std::move(dispatch));
    if (whole) return;
    const std::int64_t channels = product.groups * product.destination_channels;
    emit_sum_of_parts(emitter, parts,
                      {product.images, channels, product.places(), channels * product.places(), product.places(),
                       total * channels, product.parts()},
                      bias, product.accumulate, product.activation, destination, label + " sum");
}

TiledProduct TiledConvolution::product_of(const ConvolutionTask& task, std::int64_t images) const {
    const Convolution& c = task.convolution;
    const bool forward = task.direction == Direction::forward;
    TiledProduct product;
    product.kind = kind_;
    product.images = images;
    product.groups = c.groups;
    product.source_channels = forward ? c.in_channels : c.out_channels;
    product.destination_channels = forward ? c.out_channels : c.in_channels;
    product.source_height = forward ? c.in_height : c.out_height;
    product.source_width = forward ? c.in_width : c.out_width;
    product.destination_height = forward ? c.out_height : c.in_height;
    product.destination_width = forward ? c.out_width : c.in_width;
    product.kernel_y = c.kernel_y;
    product.kernel_x = c.kernel_x;
    product.dilation_y = c.dilation_y;
    product.dilation_x = c.dilation_x;
    // A reverse with stride 1 is a convolution by the mirrored kernel.
    product.stride_y = forward ? c.stride_y : 1;
    product.stride_x = forward ? c.stride_x : 1;
    product.pad_y = forward ? c.pad_y : (c.kernel_y - 1) * c.dilation_y - c.pad_y;
    product.pad_x = forward ? c.pad_x : (c.kernel_x - 1) * c.dilation_x - c.pad_x;
    product.accumulate = task.accumulate;
    product.rectified = task.rectifier.has_value();
    product.activation = task.activation;
    return product;
}

std::string_view TiledConvolution::name() const {
    return names_of(kind_).algorithm;
}

bool TiledConvolution::supports(const ConvolutionTask& task, const gpu::DeviceInfo& device) const {
    const Convolution& c = task.convolution;
    if (kind_ == TileKind::matrix && !device.cooperative_matrix) return false;
    if (product_of(task, 1).halves() && !(task.precision == Precision::half && device.half_precision)) return false;
    return (task.direction == Direction::forward || (c.stride_y == 1 && c.stride_x == 1)) &&
           product_of(task, 1).fits(device.limits);
}

bool TiledConvolution::suits(const ConvolutionTask& task, const gpu::DeviceInfo& device) const {
    // Half-empty tiles are wasted.
    const TiledProduct product = product_of(task, task.images);
    return may_win(device) && product.destination_channels >= product.height() / 2 &&
           product.source_channels * product.taps() >= 64 && (kind_ != TileKind::tiled128 || product.tiles() >= 512);
}

std::int64_t TiledConvolution::scratch_bytes(const ConvolutionTask& task) const {
    // More images share out their steps to fewer parts.
    return static_cast<std::int64_t>(product_of(task, 1).parts_bytes());
}

void TiledConvolution::emit(Emitter& emitter, const ConvolutionTask& task) const {
    const Convolution& c = task.convolution;
    const bool forward = task.direction == Direction::forward;
    const TiledProduct product = product_of(task, task.images);
    WeightLayout layout;
    layout.name = std::string(name()) + (forward ? " forward" : " reverse");
    layout.half = product.halves();
    layout.table = [&] {
        return tiled_weight_table(product, [&](std::int64_t g, std::int64_t d, std::int64_t s, std::int64_t t) {
            const std::int64_t o = g * c.out_channels + (forward ? d : s);
            return (o * c.in_channels + (forward ? s : d)) * product.taps() + (forward ? t : product.taps() - 1 - t);
        });
    };
    const gpu::Slice weights = emitter.weights(*task.weights, layout);
    const gpu::Slice parts = product.parts_bytes() > 0 ? emitter.scratch(product.parts_bytes()) : gpu::Slice{};
    emit_tiled_product(emitter, product, task.source, weights,
                       task.bias != nullptr ? emitter.constant(*task.bias) : gpu::Slice{}, parts, task.destination,
                       task.label);
}

}  // namespace deconv::nn
