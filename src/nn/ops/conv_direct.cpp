#include "nn/ops/conv_direct.h"

#include <algorithm>

#include "nn/ops/emit.h"

namespace deconv::nn {
namespace {

struct Push {
    std::uint32_t source_channels, source_height, source_width;
    std::uint32_t destination_channels, destination_height, destination_width;
    std::uint32_t groups, blocks;
    std::int32_t kernel_y, kernel_x, stride_y, stride_x, pad_y, pad_x, dilation_y, dilation_x;
    std::uint32_t has_bias, accumulate, relu, chosen, first_image;
    std::int32_t first_channel;
};

/// (O, I, k, l) to [group][block][source channel][k][l][block of destination channels], zeros where a block is not
/// full.  In reverse the destination's channels are I; `mirrored`: the kernel turned by half a turn.
std::vector<std::uint32_t> weight_table(const Convolution& c, Direction direction, bool mirrored, std::int64_t block) {
    const bool forward = direction == Direction::forward;
    const std::int64_t destinations = forward ? c.out_channels : c.in_channels;
    const std::int64_t sources = forward ? c.in_channels : c.out_channels;
    const std::int64_t taps = c.kernel_y * c.kernel_x;
    const std::int64_t blocks = (destinations + block - 1) / block;
    std::vector<std::uint32_t> table(static_cast<std::size_t>(c.groups * blocks * sources * taps * block),
                                     WeightLayout::none);
    for (std::int64_t g = 0; g < c.groups; ++g) {
        for (std::int64_t d = 0; d < destinations; ++d) {
            for (std::int64_t s = 0; s < sources; ++s) {
                const std::int64_t o = forward ? d : s;
                const std::int64_t i = forward ? s : d;
                const std::int64_t from = ((g * c.out_channels + o) * c.in_channels + i) * taps;
                const std::int64_t to = (((g * blocks + d / block) * sources + s) * taps) * block + d % block;
                for (std::int64_t t = 0; t < taps; ++t) {
                    const std::int64_t tap = mirrored ? taps - 1 - t : t;
                    table[static_cast<std::size_t>(to + t * block)] = static_cast<std::uint32_t>(from + tap);
                }
            }
        }
    }
    return table;
}

}  // namespace

void DirectConvolution::emit(Emitter& emitter, const ConvolutionTask& task) const {
    const Convolution& c = task.convolution;
    const bool forward = task.direction == Direction::forward;
    const std::int64_t sources = forward ? c.in_channels : c.out_channels;
    const std::int64_t destinations = forward ? c.out_channels : c.in_channels;
    const std::int64_t block = destinations <= 4 ? 4 : 16;
    const std::int64_t blocks = (destinations + block - 1) / block;
    const bool cpu = emitter.device().type == gpu::DeviceType::cpu;
    const std::uint32_t workgroup = cpu ? std::max(4U, emitter.device().subgroup_size) : 64;

    // Places of one phase; see the shader.
    const std::int64_t phases = forward ? 1 : c.stride_y * c.stride_x;
    const std::int64_t places =
        forward ? c.out_height * c.out_width
                : ((c.in_height + c.stride_y - 1) / c.stride_y) * ((c.in_width + c.stride_x - 1) / c.stride_x);
    // Four places an invocation reuse each weight four times; small maps would leave a GPU idle that way.
    const bool wide = cpu || places * c.groups * blocks * task.images >= std::int64_t{1} << 17;
    const std::int64_t pixels = wide ? 4 : 1;
    // A reverse with stride 1 is a forward pass by the mirrored kernel, and that spares a GPU's shader the divisions.
    const bool mirrored = !forward && !cpu && c.stride_y == 1 && c.stride_x == 1;
    const bool by_forward = forward || mirrored;
    WeightLayout layout;
    layout.name = std::string(forward    ? "direct forward "
                              : mirrored ? "direct mirrored "
                                         : "direct reverse ") +
                  std::to_string(block);
    layout.table = [&] { return weight_table(c, task.direction, mirrored, block); };
    const gpu::Slice weights = emitter.weights(*task.weights, layout);
    gpu::Slice bias = task.bias != nullptr ? emitter.constant(*task.bias) : emitter.unused();
    if (task.chosen) bias = task.chosen->selections;  // the shader reads one or the other

    // Weights handed round a subgroup: where a workgroup is exactly one.  The variant for eight reads texel buffers.
    const gpu::DeviceInfo& device = emitter.device();
    const std::uint64_t most_texels = std::uint64_t{4} * device.limits.texel_elements;
    const bool texels = device.subgroup_size == 8 && task.source.bytes <= most_texels && weights.bytes <= most_texels;
    const bool handed = cpu && block == 16 && device.subgroup_broadcast && (texels || device.subgroup_size == 4);

    gpu::Dispatch dispatch;
    if (block == 4) {
        dispatch.shader = wide ? (by_forward ? "nn/conv.forward4x4" : "nn/conv.reverse4x4")
                               : (by_forward ? "nn/conv.forward4x1" : "nn/conv.reverse4x1");
    } else if (handed) {
        dispatch.shader = texels ? (forward ? "nn/conv.forward16x4s8" : "nn/conv.reverse16x4s8")
                                 : (forward ? "nn/conv.forward16x4s4" : "nn/conv.reverse16x4s4");
    } else if (wide) {
        dispatch.shader = by_forward ? "nn/conv.forward16x4" : "nn/conv.reverse16x4";
    } else {
        dispatch.shader = by_forward ? "nn/conv.forward16x1" : "nn/conv.reverse16x1";
    }
    dispatch.constants = {workgroup, c.is_pointwise() ? 1U : 0U, task.rectifier ? 1U : 0U};
    if (task.destination_layout == Layout::halves) dispatch.constants.push_back(1);
    const bool fetched = handed && texels;
    dispatch.bindings = {fetched ? gpu::in_texels(task.source) : gpu::in(task.source),
                         fetched ? gpu::in_texels(weights) : gpu::in(weights), gpu::in(bias),
                         task.accumulate ? gpu::in_out(task.destination) : gpu::out(task.destination)};
    dispatch.set_push(Push{u(sources),
                           u(forward ? c.in_height : c.out_height),
                           u(forward ? c.in_width : c.out_width),
                           u(destinations),
                           u(forward ? c.out_height : c.in_height),
                           u(forward ? c.out_width : c.in_width),
                           u(c.groups),
                           u(blocks),
                           i(c.kernel_y),
                           i(c.kernel_x),
                           i(c.stride_y),
                           i(c.stride_x),
                           i(mirrored ? (c.kernel_y - 1) * c.dilation_y - c.pad_y : c.pad_y),
                           i(mirrored ? (c.kernel_x - 1) * c.dilation_x - c.pad_x : c.pad_x),
                           i(c.dilation_y),
                           i(c.dilation_x),
                           task.bias != nullptr ? 1U : 0U,
                           task.accumulate ? 1U : 0U,
                           task.activation == Activation::relu ? 1U : 0U,
                           task.chosen ? 1U : 0U,
                           u(task.first_image),
                           i(task.chosen ? task.chosen->first : 0)});
    dispatch.groups = {
        gpu::divide_up(static_cast<std::uint64_t>(places), workgroup * static_cast<std::uint64_t>(pixels)),
        u(c.groups * blocks), u(task.images * phases)};
    dispatch.flops = c.flops() * static_cast<double>(task.images);
    if (task.chosen) dispatch.flops /= static_cast<double>(sources);
    dispatch.bytes = static_cast<double>(task.source.bytes + task.destination.bytes + weights.bytes);
    dispatch.label = task.label;
    emitter.emit(std::move(dispatch));
}

}  // namespace deconv::nn
