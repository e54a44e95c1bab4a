#include "image/maps.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace deconv::image {

MapGrid::Hit MapGrid::hit(double picture_x, double picture_y) const {
    if (picture_x < 0 || picture_y < 0 || picture_x >= width() || picture_y >= height()) return {};
    const int px = static_cast<int>(picture_x);
    const int py = static_cast<int>(picture_y);
    Hit hit{py / tile_height * columns + px / tile_width, py % tile_height / scale, px % tile_width / scale};
    if (hit.channel >= channels || hit.y >= map_height || hit.x >= map_width) return {};
    return hit;
}

int grid_columns(int count, double ideal) {
    const int about = std::clamp(static_cast<int>(std::lround(ideal)), 1, count);
    const int reach = std::max(1, about / 5);
    int best = about;
    const auto empty = [&](int columns) { return (count + columns - 1) / columns * columns - count; };
    for (int columns = std::max(1, about - reach); columns <= std::min(count, about + reach); ++columns) {
        const bool nearer = std::abs(columns - about) < std::abs(best - about);
        if (empty(columns) < empty(best) || (empty(columns) == empty(best) && nearer)) best = columns;
    }
    return best;
}

MapGrid map_grid(int channels, int map_width, int map_height, double aspect) {
    MapGrid grid{channels, map_width, map_height};
    // Tiny maps are enlarged, so that the gap between them does not dominate.
    const int larger = std::max(map_width, map_height);
    grid.scale = larger >= 12 ? 1 : (12 + larger - 1) / larger;
    const int gap = larger * grid.scale >= 48 ? 2 : 1;
    grid.tile_width = map_width * grid.scale + gap;
    grid.tile_height = map_height * grid.scale + gap;
    const double columns = std::sqrt(aspect * channels * grid.tile_height / grid.tile_width);
    grid.columns = grid_columns(channels, columns);
    grid.rows = (channels + grid.columns - 1) / grid.columns;
    return grid;
}

gpu::Step maps_step(const gpu::DeviceInfo& device, const MapGrid& grid, const gpu::Slice& tensor,
                    const gpu::Slice& peaks, const gpu::Slice& selections, const gpu::Slice& picture) {
    struct Push {
        std::uint32_t picture_width, picture_height, columns, tile_width, tile_height, scale, channels, map_width,
            map_height, background;
    };
    const auto u = [](int value) { return static_cast<std::uint32_t>(value); };
    const Push push{u(grid.width()), u(grid.height()), u(grid.columns),   u(grid.tile_width), u(grid.tile_height),
                    u(grid.scale),   u(grid.channels), u(grid.map_width), u(grid.map_height), background_colour};
    return {gpu::linear_dispatch(device, "image/maps", std::uint64_t{push.picture_width} * push.picture_height, push,
                                 {gpu::in(tensor), gpu::in(peaks), gpu::in(selections), gpu::out(picture)}, "maps"),
            {},
            "display"};
}

}  // namespace deconv::image
