#include "nn/ops/conv_tiled.h"

#include "nn/ops/emit.h"

namespace deconv::nn {
namespace {

constexpr std::int64_t side = 64;  // output channels and places of a workgroup
constexpr std::int64_t depth = 16;

struct Push {
    std::uint32_t total, places, grid_width, groups, blocks, source_channels, source_height, source_width;
    std::uint32_t destination_channels, steps;
    std::int32_t stride_y, stride_x, pad_y, pad_x, dilation_y, dilation_x;
};

/// The task as a convolution from its source to its destination: a reverse with stride 1 is one by the mirrored kernel.
struct Product {
    explicit Product(const ConvolutionTask& task)
        : c(task.convolution), forward(task.direction == Direction::forward) {}

    std::int64_t sources() const { return forward ? c.in_channels : c.out_channels; }
    std::int64_t destinations() const { return forward ? c.out_channels : c.in_channels; }
    std::int64_t taps() const { return c.kernel_y * c.kernel_x; }
    std::int64_t blocks() const { return (destinations() + side - 1) / side; }
    std::int64_t steps() const { return (sources() * taps() + depth - 1) / depth; }
    std::int64_t places() const { return forward ? c.out_height * c.out_width : c.in_height * c.in_width; }
    std::int64_t weight_elements() const { return c.groups * blocks() * steps() * depth * side; }

    std::vector<std::uint32_t> weight_table() const {
        std::vector<std::uint32_t> table(static_cast<std::size_t>(weight_elements()), WeightLayout::none);
        for (std::int64_t g = 0; g < c.groups; ++g) {
            for (std::int64_t d = 0; d < destinations(); ++d) {
                for (std::int64_t s = 0; s < sources(); ++s) {
                    const std::int64_t o = g * c.out_channels + (forward ? d : s);
                    const std::int64_t i = forward ? s : d;
                    const std::int64_t from = (o * c.in_channels + i) * taps();
                    const std::int64_t to =
                        ((g * blocks() + d / side) * steps() * depth + s * taps()) * side + d % side;
                    for (std::int64_t t = 0; t < taps(); ++t) {
                        table[static_cast<std::size_t>(to + t * side)] = u(from + (forward ? t : taps() - 1 - t));
                    }
                }
            }
        }
        return table;
    }

    const Convolution& c;
    bool forward;
};

}  // namespace

bool TiledConvolution::supports(const ConvolutionTask& task, const gpu::DeviceInfo& device) const {
    const Convolution& c = task.convolution;
    const Product product(task);
    return (product.forward || (c.stride_y == 1 && c.stride_x == 1)) &&
           static_cast<std::uint64_t>(product.weight_elements()) * 4 <= device.limits.storage_range;
}

bool TiledConvolution::suits(const ConvolutionTask& task, const gpu::DeviceInfo& device) const {
    // Half-empty tiles are wasted, and few of them leave a GPU idle.
    const Product product(task);
    const std::int64_t tiles =
        task.convolution.groups * product.blocks() * ((product.places() * task.images + side - 1) / side);
    return may_win(device) && product.destinations() >= side / 2 && product.sources() * product.taps() >= 4 * depth &&
           tiles >= 32;
}

void TiledConvolution::emit(Emitter& emitter, const ConvolutionTask& task) const {
    const Convolution& c = task.convolution;
    const Product product(task);
    const bool forward = product.forward;
    WeightLayout layout;
    layout.name = forward ? "tiled forward" : "tiled reverse";
    layout.table = [&] { return product.weight_table(); };
    const gpu::Slice weights = emitter.weights(*task.weights, layout);
    const gpu::Slice bias = task.bias != nullptr ? emitter.constant(*task.bias) : emitter.unused();
    const auto i = [](std::int64_t value) { return static_cast<std::int32_t>(value); };
    const std::int64_t total = product.places() * task.images;

    gpu::Dispatch dispatch;
    dispatch.shader = "nn/conv_tiled";
    dispatch.constants = {0,
                          u(c.kernel_y),
                          u(c.kernel_x),
                          task.bias != nullptr ? 1U : 0U,
                          task.accumulate ? 1U : 0U,
                          task.activation == Activation::relu ? 1U : 0U,
                          task.rectifier ? 1U : 0U};
    dispatch.bindings = {gpu::in(task.source), gpu::in(weights), gpu::in(bias),
                         task.accumulate ? gpu::in_out(task.destination) : gpu::out(task.destination)};
    dispatch.set_push(
        Push{u(total), u(product.places()), u(forward ? c.out_width : c.in_width), u(c.groups), u(product.blocks()),
             u(product.sources()), u(forward ? c.in_height : c.out_height), u(forward ? c.in_width : c.out_width),
             u(product.destinations()), u(product.steps()), i(forward ? c.stride_y : 1), i(forward ? c.stride_x : 1),
             i(forward ? c.pad_y : (c.kernel_y - 1) * c.dilation_y - c.pad_y),
             i(forward ? c.pad_x : (c.kernel_x - 1) * c.dilation_x - c.pad_x), i(c.dilation_y), i(c.dilation_x)});
    dispatch.groups = {gpu::divide_up(static_cast<std::uint64_t>(total), static_cast<std::uint64_t>(side)),
                       u(c.groups * product.blocks()), 1};
    dispatch.flops = c.flops() * static_cast<double>(task.images);
    dispatch.bytes = static_cast<double>(task.source.bytes + task.destination.bytes + weights.bytes);
    dispatch.label = task.label;
    emitter.emit(std::move(dispatch));
}

}  // namespace deconv::nn
