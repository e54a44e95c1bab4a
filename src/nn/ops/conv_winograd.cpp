#include "nn/ops/conv_winograd.h"

#include <algorithm>

#include "nn/ops/conv_tiled.h"
#include "nn/ops/emit.h"
#include "nn/ops/packed.h"

namespace deconv::nn {
namespace {

/// Between the transforms: packed.h's product where the device runs it, else that by tiles, over dense points.
bool runs_dense(const gpu::DeviceInfo& device, const ConvolutionTask& task) {
    return !runs_packed(device) || !gpu::prefers_texels(device, {task.source});
}

}  // namespace

struct WinogradConvolution::Shape {
    std::int64_t source_channels = 1, destination_channels = 1;  // of one group
    std::int64_t source_height = 1, source_width = 1, height = 1, width = 1;
    std::int64_t first_y = 0, first_x = 0;  // the source place under the first tap of the first destination place
    std::int64_t rows = 1, columns = 1;     // tiles of one image
    std::int64_t points = 16;
    std::int64_t groups = 1;

    std::int64_t tiles() const { return rows * columns; }
    /// One for each point and group: destinations by sources, times sources by tiles.
    TiledProduct products(std::int64_t images) const {
        TiledProduct all;
        // Few tiles of the image would leave most of a wide tile of the product empty.
        const std::int64_t places = images * tiles();
        all.kind = places <= 32 ? TileKind::tiled128x32 : TileKind::tiled;
        all.groups = points * groups;
        all.source_channels = source_channels;
        all.destination_channels = destination_channels;
        all.source_width = all.grid_width = places;
        return all;
    }
};

WinogradConvolution::Shape WinogradConvolution::shape_of(const ConvolutionTask& task) const {
    const Convolution& c = task.convolution;
    const bool forward = task.direction == Direction::forward;
    Shape s;
    s.source_channels = forward ? c.in_channels : c.out_channels;
    s.destination_channels = forward ? c.out_channels : c.in_channels;
    s.source_height = forward ? c.in_height : c.out_height;
    s.source_width = forward ? c.in_width : c.out_width;
    s.height = forward ? c.out_height : c.in_height;
    s.width = forward ? c.out_width : c.in_width;
    // With stride 1 the reverse is a convolution by the mirrored kernel.
    s.first_y = forward ? -c.pad_y : c.pad_y - 2;
    s.first_x = forward ? -c.pad_x : c.pad_x - 2;
    s.rows = (s.height + tile_ - 1) / tile_;
    s.columns = (s.width + tile_ - 1) / tile_;
    s.points = (tile_ + 2) * (tile_ + 2);
    s.groups = c.groups;
    return s;
}

bool WinogradConvolution::supports(const ConvolutionTask& task, const gpu::DeviceInfo& device) const {
    const Convolution& c = task.convolution;
    const Shape s = shape_of(task);
    const auto weights = static_cast<std::uint64_t>(s.points * c.groups) *
                         gpu::align_up(static_cast<std::uint64_t>(s.destination_channels), 32) *
                         gpu::align_up(static_cast<std::uint64_t>(s.source_channels), 4) * 4;
    const auto scratch = static_cast<std::uint64_t>(scratch_bytes(task));
    // Points and products are one allocation.
    if (2 * scratch > device.limits.allocation) return false;
    const bool packed = task.source_layout == Layout::packed || task.destination_layout == Layout::packed;
    if (packed && runs_dense(device, task)) return false;
    return c.kernel_y == 3 && c.kernel_x == 3 && c.stride_y == 1 && c.stride_x == 1 && c.dilation_y == 1 &&
           c.dilation_x == 1 && scratch <= device.limits.storage_range &&
           (runs_dense(device, task) ? s.products(1).fits(device.limits) : weights <= device.limits.storage_range);
}

bool WinogradConvolution::may_win(const ConvolutionTask& /*task*/, const gpu::DeviceInfo& device) const {
    return runs_packed(device) || device.type != gpu::DeviceType::cpu;
}

bool WinogradConvolution::suits(const ConvolutionTask& task, const gpu::DeviceInfo& device) const {
    if (!may_win(task, device)) return false;
    const Shape s = shape_of(task);
    const std::int64_t channels = std::min(s.source_channels, s.destination_channels);
    const std::int64_t tiles = s.tiles() * task.images;
    if (runs_packed(device)) {
        // Of few tiles, or few products, the transforms are most of it.
        const std::int64_t products = s.source_channels * s.destination_channels;
        return tile_ == 4 ? tiles >= 12 && channels >= 16 && products >= (tiles >= 49 ? 1024 : 4096)
                          : tiles >= 16 && channels >= 128;
    }
    // The transforms cost what some thirty channels' products do, and more where few tiles leave lanes idle.
    if (channels >= 128) return tiles >= (channels >= 256 ? 16 : 32);
    const bool wide = channels >= 64 && std::max(s.source_channels, s.destination_channels) >= 256;
    return tile_ == 4 && channels >= 48 && tiles >= (wide ? 16 : 64);
}

std::int64_t WinogradConvolution::scratch_bytes(const ConvolutionTask& task) const {
    const Shape s = shape_of(task);
    const std::int64_t channels = (std::max(s.source_channels, s.destination_channels) + 3) / 4 * 4;
    return s.points * s.groups * s.tiles() * channels * 4;
}

void WinogradConvolution::emit(Emitter& emitter, const ConvolutionTask& task) const {
    const Shape s = shape_of(task);
    const std::int64_t all = s.tiles() * task.images;
    std::int64_t run = all;
    if (!runs_dense(emitter.device(), task)) {
        // What a CPU's caches hold of points and products; tiles beyond that run after them.
        constexpr std::int64_t enough = std::int64_t{8} << 20;
        const std::int64_t tile_bytes = scratch_bytes(task) / s.tiles() * 2;
        const std::int64_t runs = (all * tile_bytes + enough - 1) / enough;
        // Whole workgroups of the product.
        run = ((all + runs - 1) / runs + 31) / 32 * 32;
    }
    for (std::int64_t first = 0; first < all; first += run) {
        emit_tiles(emitter, task, first, std::min(run, all - first));
    }
}

void WinogradConvolution::emit_tiles(Emitter& emitter, const ConvolutionTask& task, std::int64_t first_tile,
                                     std::int64_t tiles) const {
    const Convolution& c = task.convolution;
    const gpu::DeviceInfo& device = emitter.device();
    const bool forward = task.direction == Direction::forward;
    const bool dense = runs_dense(device, task);
    const Shape s = shape_of(task);
    TiledProduct tiled = s.products(task.images);
    tiled.fit_parts(device.limits);
    PackedProduct product;
    product.source.groups = s.points * c.groups;
    product.source.channels = s.source_channels;
    product.source.width = tiles;
    product.grid_width = product.destination_width = tiles;
    product.destination_channels = s.destination_channels;
    product.quads = true;

    const std::int64_t blocks = dense ? s.source_channels : product.source.blocks();
    const auto points_bytes =
        static_cast<std::uint64_t>(dense ? s.points * c.groups * blocks * tiles * 4 : product.source.image_bytes());
    // Of the products, likewise, of a group.
    const std::int64_t planes = dense ? s.destination_channels : (s.destination_channels + 3) / 4;
    const std::int64_t products_count = s.points * c.groups * planes * tiles * (dense ? 1 : 4);
    const std::int64_t parts = dense ? tiled.parts() : 1;  // which the output transform adds up
    const auto products_bytes = static_cast<std::uint64_t>(products_count * parts) * 4;
    const std::uint64_t products_at = gpu::align_up(points_bytes, device.limits.storage_alignment);
    const gpu::Slice scratch = emitter.scratch(products_at + products_bytes);
    const gpu::Slice points = scratch.part(0, points_bytes);
    const gpu::Slice products = scratch.part(products_at, products_bytes);

    struct InputPush {
        std::uint32_t tiles, first_tile, image_tiles, row_tiles, channels, blocks, groups, height, width;
        std::int32_t first_y, first_x;
        std::uint32_t image;
    };
    // A tile is much work: small workgroups leave none of the cores idle.  A CPU's driver computes all of a workgroup,
    // also what there is no tile for.
    const std::uint32_t workgroup = dense || tiles > 16 ? 32 : (tiles > 8 ? 16 : 8);
    gpu::Dispatch input;
    input.shader = tile_ == 2 ? (dense ? "nn/winograd_input.2.dense" : "nn/winograd_input.2")
                              : (dense ? "nn/winograd_input.4.dense" : "nn/winograd_input.4");
    const bool packed_source = task.source_layout == Layout::packed;
    input.constants = {workgroup, task.rectifier ? 1U : 0U, packed_source ? 1U : 0U};
    input.bindings = {dense ? gpu::in(task.source)
                            : gpu::in_texels(task.source, packed_source ? gpu::Texels::rgba32f : gpu::Texels::r32f),
                      gpu::out(points)};
    input.set_push(InputPush{u(tiles), u(first_tile), u(s.tiles()), u(s.columns), u(s.source_channels), u(blocks),
                             u(c.groups), u(s.source_height), u(s.source_width), static_cast<std::int32_t>(s.first_y),
                             static_cast<std::int32_t>(s.first_x), u(task.source_step() / 4)});
    input.groups = {gpu::divide_up(static_cast<std::uint64_t>(tiles), workgroup), u(c.groups * blocks), 1};
    input.bytes = static_cast<double>(task.source.bytes + points.bytes);
    input.label = task.label + " input transform";
    emitter.emit(std::move(input));

    WeightLayout layout;
    layout.name = "winograd" + std::to_string(tile_) + (dense ? " tiled" : "") + (forward ? " forward " : " reverse ") +
                  std::to_string(c.groups) + " " +
                  (dense ? std::string(tiled.shape().shader) : std::to_string(product.block()));
    layout.winograd = static_cast<int>(tile_);
    layout.mirrored = !forward;
    layout.table = [&] {
        const auto index = [&](std::int64_t group, std::int64_t d, std::int64_t source) {
            const std::int64_t o = group % c.groups * c.out_channels + (forward ? d : source);
            return (o * c.in_channels + (forward ? source : d)) * s.points + group / c.groups;
        };
        if (dense) {
            return tiled_weight_table(tiled, [&](std::int64_t group, std::int64_t d, std::int64_t source,
                                                 std::int64_t /*tap*/) { return index(group, d, source); });
        }
        return weight_table(product, [&](std::int64_t group, std::int64_t d, std::int64_t /*k*/, std::int64_t /*l*/,
                                         std::int64_t source) { return index(group, d, source); });
    };
    const gpu::Slice weights = emitter.weights(*task.weights, layout);
    if (dense) {
        emit_tiled_product(emitter, tiled, points, weights, {}, products, task.label);
    } else {
        emit_packed_product(emitter, product, points, weights, {}, products, task.label);
    }

    struct OutputPush {
        std::uint32_t tiles, first_tile, image_tiles, row_tiles, channels, groups, planes, height, width, parts,
            step_part;
        std::uint32_t keep_switches, first_image, switch_images;
    };
    gpu::Dispatch output;
    output.shader = tile_ == 2 ? (dense ? "nn/winograd_output.2.dense" : "nn/winograd_output.2")
                               : (dense ? "nn/winograd_output.4.dense" : "nn/winograd_output.4");
    output.constants = {workgroup,
                        task.bias != nullptr ? 1U : 0U,
                        task.accumulate ? 1U : 0U,
                        task.activation == Activation::relu ? 1U : 0U,
                        task.destination_layout == Layout::packed ? 1U : 0U,
                        task.pool ? (forward ? 1U : 2U) : 0U};
    const gpu::Slice bias = task.bias != nullptr ? emitter.constant(*task.bias) : emitter.unused();
    output.bindings = {dense ? gpu::in(products) : gpu::in_texels(products, gpu::Texels::rgba32f),
                       dense ? gpu::in(bias) : gpu::in_texels(bias),
                       task.accumulate ? gpu::in_out(task.destination) : gpu::out(task.destination)};
    const bool keep = task.pool && task.pool->switches;
    if (!dense) {
        const gpu::Slice switches = keep ? task.pool->switches : emitter.unused();
        const bool accumulates = task.accumulate && task.destination_layout == Layout::packed;
        output.bindings.push_back(keep && forward ? gpu::out(switches) : gpu::in(emitter.unused()));
        output.bindings.push_back(gpu::in_texels(forward ? emitter.unused() : switches, gpu::Texels::rgba32ui));
        output.bindings.push_back(
            gpu::in_texels(accumulates ? task.destination : emitter.unused(), gpu::Texels::rgba32f));
    }
    output.set_push(OutputPush{u(tiles), u(first_tile), u(s.tiles()), u(s.columns), u(s.destination_channels),
                               u(c.groups), u(planes), u(s.height), u(s.width), u(parts), u(products_count),
                               keep ? 1U : 0U, u(task.first_image), u(task.pool ? task.pool->images : 1)});
    output.groups = {gpu::divide_up(static_cast<std::uint64_t>(tiles), workgroup), u(c.groups * planes), 1};
    output.bytes = static_cast<double>(products.bytes + task.destination.bytes);
    output.label = task.label + " output transform";
    emitter.emit(std::move(output));
}

}  // namespace deconv::nn
