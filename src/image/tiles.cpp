#include "image/tiles.h"

#include <algorithm>
#include <cmath>

#include "image/maps.h"

namespace deconv::image {
namespace {

std::uint32_t u(int value) {
    return static_cast<std::uint32_t>(value);
}

gpu::Step row_step(const gpu::DeviceInfo& device, std::string_view shader, std::uint64_t items,
                   const gpu::Slice& source, const gpu::Slice& stats, const gpu::Slice& choices,
                   const DevicePicture& picture, const TileRow& row, const Planes& planes, int pooled) {
    struct Push {
        std::uint32_t items, picture_width, left, top, tile_width, tile_height, tile_step, count, first_choice,
            map_width, map_height, pooled;
    };
    const Push push{static_cast<std::uint32_t>(items),
                    u(picture.width),
                    u(row.left),
                    u(row.top),
                    u(row.tile_width),
                    u(row.tile_height),
                    u(row.step),
                    u(row.count),
                    0,
                    u(planes.width),
                    u(planes.height),
                    u(pooled)};
    return {
        gpu::linear_dispatch(device, shader, items, push,
                             {gpu::in(source), gpu::in(stats), gpu::in(choices), gpu::in_out(picture.slice)}, "tiles"),
        {},
        "publish"};
}

}  // namespace

gpu::Step plane_stats_step(const Planes& planes, const gpu::Slice& stats) {
    struct Push {
        std::uint32_t planes, plane;
    };
    gpu::Dispatch dispatch;
    dispatch.shader = "image/plane_stats";
    dispatch.bindings = {gpu::in(planes.tensor), gpu::out(stats)};
    dispatch.set_push(Push{u(planes.channels), u(planes.height * planes.width)});
    dispatch.groups = gpu::linear_groups(static_cast<std::uint64_t>(planes.channels), 1);
    dispatch.flops = 2.0 * planes.channels * planes.height * planes.width;
    dispatch.bytes = static_cast<double>(planes.tensor.bytes);
    dispatch.label = "plane statistics";
    return {std::move(dispatch), {}, "publish"};
}

gpu::Step tiles_step(const gpu::DeviceInfo& device, TileStyle style, const Planes& planes, const gpu::Slice& stats,
                     const gpu::Slice& choices, const DevicePicture& picture, const TileRow& row) {
    const std::uint64_t items = std::uint64_t{u(row.count)} * u(row.tile_width) * u(row.tile_height);
    return row_step(device, style == TileStyle::signal ? "image/tiles.signal" : "image/tiles.activation", items,
                    planes.tensor, stats, choices, picture, row, planes, 1);
}

gpu::Step switches_step(const gpu::DeviceInfo& device, const gpu::Slice& switches, int pooled, const Planes& planes,
                        const gpu::Slice& choices, const DevicePicture& picture, const TileRow& row) {
    return row_step(device, "image/tiles.switches", std::uint64_t{u(row.count)} * u(pooled), switches, switches,
                    choices, picture, row, planes, pooled);
}

int ThumbnailGrid::hit(double x, double y) const {
    if (x < 0 || y < 0 || x >= width() || y >= height()) return -1;
    const int column = static_cast<int>(x) / (tile_width + gap);
    const int row = static_cast<int>(y) / (tile_height + gap);
    const int channel = row * columns + column;
    return channel < channels ? channel : -1;
}

ThumbnailGrid thumbnail_grid(int channels, int width, int height, double aspect, double pixels) {
    ThumbnailGrid grid;
    grid.channels = channels;
    const double shrink = std::min(1.0, std::sqrt(pixels / (static_cast<double>(channels) * width * height)));
    grid.tile_width = std::max(8, static_cast<int>(width * shrink));
    grid.tile_height = std::max(8, static_cast<int>(height * shrink));
    const double columns = std::sqrt(aspect * channels * (grid.tile_height + grid.gap) / (grid.tile_width + grid.gap));
    grid.columns = grid_columns(channels, columns);
    grid.rows = (channels + grid.columns - 1) / grid.columns;
    return grid;
}

gpu::Step mosaic_step(const gpu::DeviceInfo& device, const gpu::Slice& pictures, int first, int count, int width,
                      int height, const gpu::Slice& selections, const ThumbnailGrid& grid, const gpu::Slice& picture) {
    struct Push {
        std::uint32_t items, first_copy, width, height, picture_width, columns, tile_width, tile_height, gap, channels;
    };
    const std::uint32_t items = u(count) * u(grid.tile_width) * u(grid.tile_height);
    const Push push{items,           u(first),        u(width),           u(height),
                    u(grid.width()), u(grid.columns), u(grid.tile_width), u(grid.tile_height),
                    u(grid.gap),     u(grid.channels)};
    return {gpu::linear_dispatch(device, "image/mosaic", items, push,
                                 {gpu::in(pictures), gpu::in(selections), gpu::in_out(picture)}, "mosaic"),
            {},
            "publish"};
}

}  // namespace deconv::image
