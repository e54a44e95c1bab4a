#include "nn/ops/packed.h"

#include <algorithm>
#include <limits>

#include "nn/ops/emit.h"

namespace deconv::nn {

bool runs_packed(const gpu::DeviceInfo& device) {
    return device.type == gpu::DeviceType::cpu && device.subgroup_size == packed_lanes && device.subgroup_shuffle;
}

void emit_pack(Emitter& emitter, const gpu::Slice& source, std::int64_t height, std::int64_t width,
               const gpu::Slice& destination, const Packed& packed, const std::optional<Rectifier>& rectifier,
               std::int64_t rectified_first, const std::string& label) {
    struct Push {
        std::uint32_t channels, blocks, groups, height, width, places, row;
        std::int32_t first_y, first_x;
        std::uint32_t forward_first, forward_items;
    };
    const gpu::Slice forward = rectifier && rectifier->x ? rectifier->x : emitter.unused();
    const std::int64_t forward_items = rectifier ? rectifier->items : 1;
    const gpu::DeviceInfo& device = emitter.device();
    const bool texels = gpu::prefers_texels(device, {source, forward});
    const std::uint32_t workgroup = workgroup_size(device);
    gpu::Dispatch dispatch;
    dispatch.shader = texels ? "nn/pack.texels" : "nn/pack.buffer";
    std::uint32_t rule = 0;  // as the shader counts them
    if (rectifier) rule = rectifier->rule == Rule::deconv ? 1 : rectifier->rule == Rule::guided ? 2 : 3;
    dispatch.constants = {workgroup, rule};
    dispatch.bindings = {texels ? gpu::in_texels(source) : gpu::in(source), gpu::out(destination),
                         texels ? gpu::in_texels(forward) : gpu::in(forward)};
    dispatch.set_push(Push{u(packed.channels), u(packed.blocks()), u(packed.groups), u(height), u(width),
                           u(packed.plane()), u(packed.width), i(packed.first_y), i(packed.first_x),
                           u(forward_items > 0 ? rectified_first % forward_items : 0), u(forward_items)});
    dispatch.groups = {gpu::divide_up(static_cast<std::uint64_t>(packed.plane()), workgroup),
                       u(packed.groups * packed.blocks()), u(packed.images)};
    dispatch.bytes = static_cast<double>(source.bytes + destination.bytes);
    dispatch.label = label;
    emitter.emit(std::move(dispatch));
}

bool PackedProduct::few_places() const {
    // Where the last workgroup would be half empty.
    const std::int64_t places = total();
    const auto padded = [&](std::int64_t step) { return (places + step - 1) / step * step; };
    return padded(2 * packed_lanes) * 11 < padded(4 * packed_lanes) * 10;
}

std::int64_t PackedProduct::block() const {
    const std::int64_t outputs = destination_channels;
    if (outputs <= 4) return 4;
    // A block loads each source texel once: twice the work for that is worth about a tenth.  Writing 32 dense channels
    // of 32 places, a value at a time, would be more code than all the rest, and compiling it takes time and memory.
    // Of few places, only blocks of 32 are turned.
    const bool few = few_places();
    std::int64_t best = 32;
    std::int64_t least = std::numeric_limits<std::int64_t>::max();
    for (const auto& [block, cost] :
         {std::pair<std::int64_t, std::int64_t>{32, few ? 61 : 91}, {16, 100}, {12, 104}, {8, 110}}) {
        const std::int64_t costs = (outputs + block - 1) / block * block * cost;
        if (costs >= least || (block == 32 && !quads && !few)) continue;
        least = costs;
        best = block;
    }
    return best;
}

void emit_packed_product(Emitter& emitter, const PackedProduct& product, const gpu::Slice& source,
                         const gpu::Slice& weights, const gpu::Slice& bias, const gpu::Slice& destination,
                         const std::string& label) {
    struct Push {
        std::uint32_t total, places, grid_width, groups, blocks, channels, plane, image, taps_y, taps_x;
        std::uint32_t stride_y, stride_x;
        std::int32_t tap_first, tap_y, tap_x;
        std::uint32_t destination_channels, destination_plane, destination_first, destination_y, destination_x;
        std::uint32_t source_channels, first_image;
        std::int32_t first_channel;
        std::uint32_t height, width;
        std::int32_t place_y, row, first_y, first_x;
        std::uint32_t flags, phases, extent;
    };
    const Packed& from = product.source;
    const std::int64_t places = product.grid_height * product.grid_width;
    // Images with channels of their own run apart.
    const std::int64_t runs = product.chosen ? from.images : 1;
    const std::int64_t total = product.total();
    const std::int64_t block = product.block();
    const std::int64_t blocks = (product.destination_channels + block - 1) / block;
    const bool phases = product.phases_y * product.phases_x > 1;
    std::int64_t lane_places = block == 4 || block == 12 ? 8 : 4;
    std::size_t variant = block == 4 ? 0 : block == 8 ? 1 : block == 12 ? 2 : block == 16 ? 3 : 4;
    const bool pooled = product.pool && !product.unpooled;
    const bool keep = product.pool && product.pool->switches;
    const gpu::Slice switches = keep ? product.pool->switches : emitter.unused();
    gpu::Dispatch dispatch;
    if ((block == 32 || (block == 16 && !pooled)) && product.few_places()) {
        lane_places = 2;
        variant += 2;
    }
    // Blocks of source channels a step: their number divides by it.  Four gain a tenth with several taps; with one they
    // lose as much, and so do those of 32 outputs, whose code is longer than the instruction cache.
    const bool four = block == 16 && lane_places == 4 && !product.plain && product.taps_y * product.taps_x > 1;
    const std::int64_t several = from.blocks() % 4 == 0 && four ? 4 : 2;
    const std::int64_t step = product.chosen || from.blocks() % 2 != 0 ? 1 : several;
    static constexpr std::array<std::array<const char*, 7>, 2> shaders = {
        {{"nn/conv_packed.4x8", "nn/conv_packed.8x4", "nn/conv_packed.12x8", "nn/conv_packed.16x4",
          "nn/conv_packed.32x4", "nn/conv_packed.16x2", "nn/conv_packed.turned32x2"},
         {"nn/conv_packed.plain4x8", "nn/conv_packed.plain8x4", "nn/conv_packed.plain12x8", "nn/conv_packed.plain16x4",
          "nn/conv_packed.plain32x4", "nn/conv_packed.plain16x2", "nn/conv_packed.plain.turned32x2"}}};
    dispatch.shader = shaders.at(product.plain ? 1 : 0).at(variant);
    dispatch.constants = {u(packed_lanes),
                          product.accumulate ? 1U : 0U,
                          product.rectified ? 1U : 0U,
                          product.tested ? 1U : 0U,
                          product.quads ? 1U : 0U,
                          u(step),
                          phases ? 1U : 0U,
                          product.pool ? (product.unpooled ? 2U : 1U) : 0U};
    dispatch.bindings = {
        gpu::in_texels(source, product.plain ? gpu::Texels::r32f : gpu::Texels::rgba32f),
        gpu::in_texels(weights, gpu::Texels::rgba32f),
        gpu::in_texels(bias ? bias : emitter.unused()),
        product.accumulate ? gpu::in_out(destination) : gpu::out(destination),
        gpu::in(product.chosen ? product.chosen->selections : emitter.unused()),
        pooled && keep ? gpu::out(switches) : gpu::in(emitter.unused()),
        gpu::in_texels(pooled ? emitter.unused() : switches, gpu::Texels::rgba32ui),
        gpu::in_texels(product.accumulate && product.quads ? destination : emitter.unused(), gpu::Texels::rgba32f)};
    const std::int64_t row = from.width;
    dispatch.set_push(Push{
        u(total),
        u(places),
        u(pooled ? product.grid_width / 2 : product.grid_width),
        u(from.groups),
        u(blocks),
        u(from.blocks()),
        u(from.plane()),
        u(product.source_stride > 0
              ? product.source_stride / 4
              : (product.plain ? from.groups * from.channels : from.groups * from.blocks()) * from.plane()),
        u(product.taps_y),
        u(product.taps_x),
        u(product.stride_y * row),
        u(product.stride_x),
        i(product.tap_first_y * row + product.tap_first_x),
        i(product.tap_step_y * row),
        i(product.tap_step_x),
        u(product.destination_channels),
        u(product.destination_height * product.destination_width),
        u(product.destination_first_y * product.destination_width + product.destination_first_x),
        u(product.destination_step_y * product.destination_width),
        u(product.destination_step_x),
        u(from.channels),
        u(product.first_image),
        i(product.chosen ? product.chosen->first : 0),
        u(from.height),
        u(from.width),
        i(product.stride_y),
        i(product.tap_step_y),
        i(product.tap_first_y),
        i(product.tap_first_x),
        (bias ? 1U : 0U) | (product.activation == Activation::relu ? 2U : 0U) | (product.chosen ? 4U : 0U) |
            (keep ? 8U : 0U),
        u(product.phases_y | product.phases_x << 16),
        u(product.unpooled ? product.pool->images : product.destination_height | product.destination_width << 16)});
    dispatch.groups = {
        gpu::divide_up(static_cast<std::uint64_t>(total), static_cast<std::uint64_t>(packed_lanes * lane_places)),
        u(from.groups * blocks), u(runs)};
    dispatch.flops = 2.0 * static_cast<double>(from.groups * product.destination_channels * from.channels) *
                     static_cast<double>(product.taps_y * product.taps_x * places * from.images) * product.useful;
    if (product.chosen) dispatch.flops /= static_cast<double>(from.blocks());
    dispatch.bytes = static_cast<double>(source.bytes + destination.bytes + weights.bytes);
    dispatch.label = label;
    emitter.emit(std::move(dispatch));
}

}  // namespace deconv::nn
