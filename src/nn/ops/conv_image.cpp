#include "nn/ops/conv_image.h"

#include <array>

#include "nn/ops/emit.h"
#include "nn/ops/packed.h"

namespace deconv::nn {
namespace {

constexpr std::int64_t channels = 3;

/// A variant of the shader: source places of a lane's block.
struct Variant {
    std::int64_t kernel, stride, rows, columns;
    std::string_view shader;

    std::int64_t reach() const { return (kernel - 1) / stride; }
};
constexpr std::array<Variant, 3> variants = {
    {{3, 1, 2, 4, "nn/conv_image.3s1"}, {3, 2, 2, 4, "nn/conv_image.3s2"}, {7, 2, 2, 4, "nn/conv_image.7s2"}}};

const Variant* variant_of(const Convolution& c) {
    if (c.groups != 1 || c.dilation_y != 1 || c.dilation_x != 1 || c.in_channels > channels ||
        c.kernel_y != c.kernel_x || c.stride_y != c.stride_x) {
        return nullptr;
    }
    const auto* found = std::find_if(variants.begin(), variants.end(), [&](const Variant& variant) {
        return variant.kernel == c.kernel_y && variant.stride == c.stride_y;
    });
    return found == variants.end() ? nullptr : found;
}

/// A row or column of blocks: the source place that the first begins at, and how many there are.
struct Blocks {
    std::int64_t first, count;
};
/// `size`: source places of a block; `odd`: whether it must begin at an odd place of the source.
Blocks blocks_along(std::int64_t in, std::int64_t pad, std::int64_t stride, std::int64_t size,
                    std::optional<bool> odd) {
    // The destination's place 0 is place `pad` of those that its source places begin at, stride apart.
    std::int64_t first = pad / stride;
    if (odd && (first % 2 != 0) != *odd) --first;
    const std::int64_t last = (pad + in - 1) / stride;
    return {first, (last - first) / size + 1};
}

}  // namespace

bool ImageConvolution::runs(const Convolution& c, const gpu::DeviceInfo& device) {
    const auto bytes = static_cast<std::uint64_t>(c.out_elements()) * 4;
    // In a map of two columns a window's third place would be another's first.
    return runs_packed(device) && variant_of(c) != nullptr && c.out_channels % 4 == 0 && c.out_width >= 3 &&
           bytes <= device.limits.storage_range && bytes <= std::uint64_t{16} * device.limits.texel_elements;
}

bool ImageConvolution::supports(const ConvolutionTask& task, const gpu::DeviceInfo& device) const {
    return task.direction == Direction::reverse && task.bias == nullptr && task.activation == Activation::none &&
           !task.accumulate && runs(task.convolution, device);
}

void ImageConvolution::emit(Emitter& emitter, const ConvolutionTask& task) const {
    struct Push {
        std::uint32_t total, blocks, blocks_a_row;
        std::int32_t first_y, first_x, pad_y, pad_x;
        std::uint32_t source_height, source_width, channel_blocks, channels, height, width, windows_y, windows_x;
        std::int32_t pool_y, pool_x;
        std::uint32_t switch_images, first_image, image;
    };
    const Convolution& c = task.convolution;
    const Variant& variant = *variant_of(c);
    const std::optional<PooledSource>& pooled = task.pooled_source;
    // The first source row of a block that is unpooled is the middle of a window.
    const auto parity = [&](std::int64_t pool_pad) -> std::optional<bool> {
        if (!pooled) return std::nullopt;
        return (variant.reach() + pool_pad) % 2 == 0;
    };
    const Blocks rows =
        blocks_along(c.in_height, c.pad_y, c.stride_y, variant.rows, parity(pooled ? pooled->pad_y : 0));
    const Blocks columns =
        blocks_along(c.in_width, c.pad_x, c.stride_x, variant.columns, parity(pooled ? pooled->pad_x : 0));
    const std::int64_t blocks = rows.count * columns.count;
    const std::int64_t total = blocks * task.images;

    WeightLayout layout;
    layout.name = "image";
    layout.table = [&c] {
        std::vector<std::uint32_t> table;
        for (std::int64_t o = 0; o < c.out_channels; o += 4) {
            for (std::int64_t i = 0; i < channels; ++i) {
                for (std::int64_t tap = 0; tap < c.kernel_y * c.kernel_x; ++tap) {
                    for (std::int64_t j = 0; j < 4; ++j) {
                        table.push_back(i < c.in_channels
                                            ? u(((o + j) * c.in_channels + i) * c.kernel_y * c.kernel_x + tap)
                                            : WeightLayout::none);
                    }
                }
            }
        }
        return table;
    };
    gpu::Dispatch dispatch;
    dispatch.shader = variant.shader;
    dispatch.constants = {u(packed_lanes), task.rectifier ? 1U : 0U, pooled ? 1U : 0U};
    dispatch.bindings = {gpu::in_texels(task.source, gpu::Texels::rgba32f),
                         gpu::in_texels(emitter.weights(*task.weights, layout), gpu::Texels::rgba32f),
                         gpu::in_texels(pooled ? pooled->switches : emitter.unused(), gpu::Texels::rgba32ui),
                         gpu::out(task.destination)};
    dispatch.set_push(Push{u(total),
                           u(blocks),
                           u(columns.count),
                           i(rows.first),
                           i(columns.first),
                           i(c.pad_y),
                           i(c.pad_x),
                           u(c.out_height),
                           u(c.out_width),
                           u(c.out_channels / 4),
                           u(c.in_channels),
                           u(c.in_height),
                           u(c.in_width),
                           u(pooled ? pooled->height : 0),
                           u(pooled ? pooled->width : 0),
                           i(pooled ? pooled->pad_y : 0),
                           i(pooled ? pooled->pad_x : 0),
                           u(pooled ? pooled->images : 1),
                           u(task.first_image),
                           u(task.source_step() / 4)});
    dispatch.groups = {gpu::divide_up(static_cast<std::uint64_t>(total), packed_lanes), 1, 1};
    dispatch.flops = c.flops() * static_cast<double>(task.images);
    for (const gpu::Binding& binding : dispatch.bindings) dispatch.bytes += static_cast<double>(binding.slice.bytes);
    dispatch.label = task.label;
    emitter.emit(std::move(dispatch));
}

}  // namespace deconv::nn
