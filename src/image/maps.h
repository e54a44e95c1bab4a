// All feature maps of a layer as one picture.
#pragma once

#include <cstdint>
#include <utility>

#include "image/fit.h"

namespace deconv::image {

/// How the maps of a layer lie in their picture.
struct MapGrid {
    int channels = 1, map_width = 1, map_height = 1;
    int columns = 1, rows = 1;
    int scale = 1;                        // pixels of the picture for one position of a map
    int tile_width = 1, tile_height = 1;  // with the gap between maps

    int width() const { return columns * tile_width; }
    int height() const { return rows * tile_height; }
    /// Top left of a channel's map in the picture.
    std::pair<int, int> origin(int channel) const {
        return {channel % columns * tile_width, channel / columns * tile_height};
    }
    /// The channel and position under a pixel of the picture; channel −1 where there is none.
    struct Hit {
        int channel = -1, y = 0, x = 0;
    };
    Hit hit(double picture_x, double picture_y) const;
};

/// Columns for `count` tiles near the `ideal`: of those the one that leaves fewest places empty.
int grid_columns(int count, double ideal);

/// A grid of about the aspect asked for (width / height).
MapGrid map_grid(int channels, int map_width, int map_height, double aspect);

/// Draws the maps of `tensor`, (1, channels, map_height, map_width), into `picture`, grid.width() × grid.height().
gpu::Step maps_step(const gpu::DeviceInfo& device, const MapGrid& grid, const gpu::Slice& tensor,
                    const gpu::Slice& peaks, const gpu::Slice& selections, const gpu::Slice& picture);

}  // namespace deconv::image
