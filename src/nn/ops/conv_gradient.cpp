#include "nn/ops/conv_gradient.h"

#include <algorithm>

#include "nn/ops/emit.h"
#include "nn/ops/packed.h"

namespace deconv::nn {
namespace {

/// Partial sums, [part][output][input][tap] or in another order by the steps.
struct PartialSums {
    gpu::Slice slice;
    std::int64_t count = 1;
    std::int64_t step_output = 0, step_input = 0, step_part = 0;
};

void emit_sum(Emitter& emitter, const WeightGradientTask& task, const PartialSums& sums, bool accumulate) {
    const Convolution& c = task.convolution;
    emit_sum_of_parts(emitter, sums.slice,
                      {c.groups * c.out_channels, c.in_channels, c.kernel_y * c.kernel_x, sums.step_output,
                       sums.step_input, sums.step_part, sums.count},
                      {}, accumulate, Activation::none, task.destination, task.label + " sum");
}

void emit_direct(Emitter& emitter, const WeightGradientTask& task, bool accumulate) {
    struct Push {
        std::uint32_t images, chunk, groups, in_channels, out_channels, blocks;
        std::uint32_t in_height, in_width, out_height, out_width;
        std::int32_t kernel_y, kernel_x, stride_y, stride_x, pad_y, pad_x, dilation_y, dilation_x;
    };
    const Convolution& c = task.convolution;
    const gpu::DeviceInfo& device = emitter.device();
    const std::int64_t row = c.in_channels * c.kernel_y * c.kernel_x;
    const std::int64_t weights = c.groups * c.out_channels * row;
    const std::int64_t blocks = (c.out_channels + 3) / 4;
    // As many parts as keep a GPU busy, and no more.
    const std::int64_t wanted = device.type == gpu::DeviceType::cpu ? 16 : (std::int64_t{1} << 20) / weights + 1;
    const auto most = static_cast<std::int64_t>(device.limits.storage_range) / 4 / weights;
    std::int64_t chunks = std::max<std::int64_t>(1, std::min({task.images, wanted, most}));
    const std::int64_t chunk = (task.images + chunks - 1) / chunks;
    chunks = (task.images + chunk - 1) / chunk;
    const gpu::Slice parts = emitter.scratch(static_cast<std::uint64_t>(chunks * weights) * 4);

    gpu::Dispatch dispatch;
    dispatch.shader = "nn/weight_gradient";
    const std::uint32_t workgroup = device.type == gpu::DeviceType::cpu ? 16 : 64;
    dispatch.constants = {workgroup};
    dispatch.bindings = {gpu::in(task.x), gpu::in(task.signal), gpu::out(parts)};
    dispatch.set_push(Push{u(task.images), u(chunk), u(c.groups), u(c.in_channels), u(c.out_channels), u(blocks),
                           u(c.in_height), u(c.in_width), u(c.out_height), u(c.out_width), i(c.kernel_y), i(c.kernel_x),
                           i(c.stride_y), i(c.stride_x), i(c.pad_y), i(c.pad_x), i(c.dilation_y), i(c.dilation_x)});
    dispatch.groups = {gpu::divide_up(static_cast<std::uint64_t>(row), workgroup), u(c.groups * blocks), u(chunks)};
    dispatch.flops = c.flops() * static_cast<double>(task.images);
    dispatch.bytes = static_cast<double>(task.x.bytes + task.signal.bytes);
    dispatch.label = task.label;
    emitter.emit(std::move(dispatch));
    emit_sum(emitter, task, {parts, chunks, row, c.kernel_y * c.kernel_x, weights}, accumulate);
}

/// The sum over places and images as the packed product's sum over taps and channels: images are its channels, four to
/// a texel, the output's places its taps, the kernel's places its grid, input channels its images.
struct PackedGradient {
    PackedProduct product;
    std::int64_t chunks = 1;  // groups of the product
    std::uint64_t x_bytes = 0, signal_bytes = 0, parts_bytes = 0;

    PackedGradient(const Convolution& c, std::int64_t images) {
        const std::int64_t quads = (images + 3) / 4;
        // A chunk long enough that adding up the parts costs little, and short enough that its texels stay near.
        const std::int64_t places = c.out_height * c.out_width;
        const std::int64_t of_chunk = std::clamp<std::int64_t>(1024 / places, 1, quads);
        chunks = (quads + of_chunk - 1) / of_chunk;
        Packed& x = product.source;
        x.images = c.in_channels;
        x.groups = chunks;
        x.channels = of_chunk * 4;
        x.first_y = -c.pad_y;
        x.first_x = -c.pad_x;
        x.height = (c.out_height - 1) * c.stride_y + (c.kernel_y - 1) * c.dilation_y + 1;
        x.width = (c.out_width - 1) * c.stride_x + (c.kernel_x - 1) * c.dilation_x + 1;
        product.grid_height = product.destination_height = c.kernel_y;
        product.grid_width = product.destination_width = c.kernel_x;
        product.stride_y = c.dilation_y;
        product.stride_x = c.dilation_x;
        product.taps_y = c.out_height;
        product.taps_x = c.out_width;
        product.tap_step_y = c.stride_y;
        product.tap_step_x = c.stride_x;
        product.destination_channels = c.out_channels;
        const std::int64_t blocks = (c.out_channels + product.block() - 1) / product.block();
        x_bytes = static_cast<std::uint64_t>(x.image_bytes() * x.images);
        signal_bytes = static_cast<std::uint64_t>(chunks * blocks * places * of_chunk * product.block()) * 16;
        parts_bytes = static_cast<std::uint64_t>(chunks * c.in_channels * c.out_channels * c.kernel_y * c.kernel_x) * 4;
    }
    std::uint64_t largest() const { return std::max({x_bytes, signal_bytes, parts_bytes}); }
};

void emit_packed(Emitter& emitter, const WeightGradientTask& task, bool accumulate) {
    struct Push {
        std::uint32_t items, images, channels, height, width, quads, row, places;
        std::int32_t first_y, first_x;
        std::uint32_t block, blocks;
    };
    const Convolution& c = task.convolution;
    const PackedGradient g(c, task.images);
    const PackedProduct& product = g.product;
    const Packed& source = product.source;
    const std::uint64_t alignment = emitter.device().limits.storage_alignment;
    const std::uint64_t signal_at = gpu::align_up(g.x_bytes, alignment);
    const std::uint64_t parts_at = gpu::align_up(signal_at + g.signal_bytes, alignment);
    const gpu::Slice scratch = emitter.scratch(parts_at + g.parts_bytes);
    const gpu::Slice x = scratch.part(0, g.x_bytes);
    const gpu::Slice signal = scratch.part(signal_at, g.signal_bytes);
    const gpu::Slice parts = scratch.part(parts_at, g.parts_bytes);
    const std::int64_t block = product.block();
    const std::int64_t blocks = (c.out_channels + block - 1) / block;

    const Push x_push{u(static_cast<std::int64_t>(g.x_bytes / 16)),
                      u(task.images),
                      u(c.in_channels),
                      u(c.in_height),
                      u(c.in_width),
                      u(source.groups * source.blocks()),
                      u(source.width),
                      u(source.plane()),
                      i(source.first_y),
                      i(source.first_x),
                      0,
                      0};
    emitter.emit(linear_dispatch(emitter, "nn/pack_images.planes", x_push.items, x_push,
                                 {gpu::in_texels(task.x), gpu::out(x)}, task.label + " pack input"));
    const Push signal_push{u(static_cast<std::int64_t>(g.signal_bytes / 16)),
                           u(task.images),
                           u(c.out_channels),
                           u(c.out_height),
                           u(c.out_width),
                           u(source.blocks()),
                           0,
                           0,
                           0,
                           0,
                           u(block),
                           u(blocks)};
    emitter.emit(linear_dispatch(emitter, "nn/pack_images.blocks", signal_push.items, signal_push,
                                 {gpu::in_texels(task.signal), gpu::out(signal)}, task.label + " pack signal"));
    emit_packed_product(emitter, product, x, signal, {}, parts, task.label);
    // The product leaves [input][part][output][tap].
    const std::int64_t taps = c.kernel_y * c.kernel_x;
    emit_sum(emitter, task, {parts, g.chunks, taps, g.chunks * c.out_channels * taps, c.out_channels * taps},
             accumulate);
}

bool suits_packed(const WeightGradientTask& task, const gpu::DeviceInfo& device) {
    return task.convolution.groups == 1 && runs_packed(device) && gpu::prefers_texels(device, {task.x, task.signal}) &&
           PackedGradient(task.convolution, std::min<std::int64_t>(task.images, 4)).largest() <=
               device.limits.storage_range;
}

}  // namespace

void emit_weight_gradient(Emitter& emitter, const WeightGradientTask& task) {
    const Convolution& c = task.convolution;
    const gpu::Limits& limits = emitter.device().limits;
    bool accumulate = false;
    // What each image takes of the largest binding, scratch memory included.
    const bool packed = suits_packed(task, emitter.device());
    std::int64_t scratch = 1;
    if (packed) scratch = static_cast<std::int64_t>(PackedGradient(c, 4).largest() / 4 + 1);
    for_slices(
        task.images,
        {c.in_elements() * 4, c.out_elements() * 4,
         static_cast<std::int64_t>(gpu::align_up(static_cast<std::uint64_t>(scratch), limits.storage_alignment))},
        limits, [&](std::int64_t first, std::int64_t count) {
            WeightGradientTask run = task;
            run.images = count;
            run.x = floats(task.x, first * c.in_elements(), count * c.in_elements());
            run.signal = floats(task.signal, first * c.out_elements(), count * c.out_elements());
            if (packed) {
                emit_packed(emitter, run, accumulate);
            } else {
                emit_direct(emitter, run, accumulate);
            }
            accumulate = true;
        });
}

}  // namespace deconv::nn
