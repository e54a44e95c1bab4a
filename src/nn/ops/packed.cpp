#include "nn/ops/packed.h"

#include <algorithm>
#include <array>
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

namespace {

/// A variant of conv_narrow.comp, by its constants.
struct NarrowVariant {
    std::int64_t waist, block, step;
    std::string_view shader;
};
constexpr std::array<NarrowVariant, 5> narrow_variants = {{{16, 8, 2, "nn/conv_narrow.16"},
                                                           {32, 8, 2, "nn/conv_narrow.32"},
                                                           {48, 4, 1, "nn/conv_narrow.48"},
                                                           {64, 4, 1, "nn/conv_narrow.64"},
                                                           {PackedProduct::widest_waist, 4, 1, "nn/conv_narrow.96"}}};

const NarrowVariant& narrow_variant(std::int64_t waist) {
    return *std::find_if(narrow_variants.begin(), narrow_variants.end(),
                         [&](const NarrowVariant& variant) { return variant.waist == waist; });
}

/// [channel / 4, up to a multiple of the variant's step][waist][4]
WeightLayout before_layout(const PointwiseSource& before, std::int64_t channels, const NarrowVariant& variant) {
    WeightLayout layout;
    layout.name = "before";
    layout.table = [&before, &variant, channels] {
        const std::int64_t step = 4 * variant.step;
        const std::int64_t inputs = (before.channels + step - 1) / step * step;
        std::vector<std::uint32_t> table(static_cast<std::size_t>(inputs * variant.waist), WeightLayout::none);
        for (std::int64_t i = 0; i < before.channels; ++i) {
            for (std::int64_t o = 0; o < channels; ++o) {
                table[static_cast<std::size_t>((i / 4 * variant.waist + o) * 4 + i % 4)] = u(i * channels + o);
            }
        }
        return table;
    };
    return layout;
}

/// `product` has a waist().
void emit_narrow_product(Emitter& emitter, const PackedProduct& product, const gpu::Slice& source,
                         const gpu::Slice& weights, const gpu::Slice& bias, const gpu::Slice& destination,
                         const std::string& label) {
    struct Push {
        std::uint32_t total, places, waist_blocks, waist_image, before_blocks, before_image;
        std::uint32_t destination_channels, groups, blocks, share;
    };
    const Packed& from = product.source;
    const NarrowVariant& variant = narrow_variant(product.waist());
    const std::optional<PointwiseSource>& before = product.before;
    const std::int64_t outputs = product.destination_channels;
    const std::int64_t blocks = (outputs + variant.block - 1) / variant.block;
    constexpr std::int64_t lane_places = 4;
    const std::int64_t columns = (product.total() + packed_lanes * lane_places - 1) / (packed_lanes * lane_places);
    // Of few places, workgroups share out the outputs, so that all cores have some; a pair would make its waist again.
    constexpr std::int64_t enough = 24;
    const std::int64_t rows = before ? 1 : std::clamp<std::int64_t>(enough / (columns * from.groups), 1, blocks);
    const std::int64_t share = (blocks + rows - 1) / rows;
    gpu::Dispatch dispatch;
    dispatch.shader = variant.shader;
    dispatch.constants = {u(packed_lanes),
                          product.accumulate ? 1U : 0U,
                          product.rectified ? 1U : 0U,
                          bias ? 1U : 0U,
                          product.activation == Activation::relu ? 1U : 0U,
                          before ? 1U : 0U,
                          before && before->added ? 1U : 0U,
                          before && before->rectified ? 1U : 0U};
    const auto texels = [&](bool used, const gpu::Slice& slice) {
        return gpu::in_texels(used ? slice : emitter.unused(), gpu::Texels::rgba32f);
    };
    dispatch.bindings = {
        texels(!before || before->added, source),
        texels(true, weights),
        gpu::in_texels(bias ? bias : emitter.unused()),
        product.accumulate ? gpu::in_out(destination) : gpu::out(destination),
        texels(product.accumulate, destination),
        texels(before.has_value(), before ? before->source : source),
        texels(before.has_value(),
               before ? emitter.weights(*before->weights, before_layout(*before, from.channels, variant)) : source)};
    const std::int64_t image =
        product.source_stride > 0 ? product.source_stride / 4 : from.groups * from.blocks() * from.plane();
    dispatch.set_push(Push{u(product.total()), u(from.plane()), u(from.blocks()), u(image),
                           u(before ? before->channels / 4 : 0), u(before ? before->step(from.plane()) / 4 : 0),
                           u(outputs), u(from.groups), u(blocks), u(share)});
    dispatch.groups = {u(columns), u((blocks + share - 1) / share), u(from.groups)};
    const auto places = static_cast<double>(product.total());
    dispatch.flops = 2.0 * static_cast<double>(from.groups * from.channels * outputs) * places;
    if (before) dispatch.flops += 2.0 * static_cast<double>(before->channels * from.channels) * places;
    dispatch.bytes = static_cast<double>(source.bytes + destination.bytes + weights.bytes);
    if (before) dispatch.bytes += static_cast<double>(before->source.bytes);
    dispatch.label = label;
    emitter.emit(std::move(dispatch));
}

}  // namespace

bool PackedProduct::few_places() const {
    // Where the last workgroup would be half empty.
    const std::int64_t places = total();
    const auto padded = [&](std::int64_t step) { return (places + step - 1) / step * step; };
    return padded(2 * packed_lanes) * 11 < padded(4 * packed_lanes) * 10;
}

std::int64_t PackedProduct::waist() const {
    // From every place to the same: a strided reverse's phases may have one tap, too, but go elsewhere.
    const bool one_tap = taps_y == 1 && taps_x == 1 && tap_first_y == 0 && tap_first_x == 0;
    const bool same_steps = stride_y == 1 && stride_x == 1 && destination_step_y == 1 && destination_step_x == 1 &&
                            destination_first_y == 0 && destination_first_x == 0;
    const bool same_sizes = grid_height == source.height && grid_width == source.width &&
                            destination_height == source.height && destination_width == source.width;
    const bool pointwise = one_tap && same_steps && same_sizes && phases_y * phases_x == 1 && !tested;
    if (!pointwise || !quads || plain || chosen || pool || source.channels > widest_waist) return 0;
    const auto* found = std::find_if(narrow_variants.begin(), narrow_variants.end(),
                                     [&](const NarrowVariant& variant) { return variant.waist >= source.channels; });
    // Where a good part of the waist is not there, its products are with zeros all the same.
    const bool pays = !few_places() && source.channels * 4 >= found->waist * 3;
    return before || pays ? found->waist : 0;
}

std::int64_t PackedProduct::block() const {
    if (const std::int64_t few = waist(); few > 0) return narrow_variant(few).block;
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
    if (product.waist() > 0) return emit_narrow_product(emitter, product, source, weights, bias, destination, label);
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
