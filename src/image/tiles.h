// Chosen planes of tensors as tiles of a picture, and thumbnails of many projections.
#pragma once

#include "image/fit.h"

namespace deconv::image {

/// Planes of (1, channels, height, width), or (1, channels), and their statistics.
struct Planes {
    gpu::Slice tensor;
    int channels = 1, height = 1, width = 1;
};

/// Writes (largest magnitude, mean) of each plane, 8 bytes a plane.
gpu::Step plane_stats_step(const Planes& planes, const gpu::Slice& stats);

/// Where a row of equal tiles lies in a picture, in pixels.
struct TileRow {
    int left = 0, top = 0;
    int tile_width = 1, tile_height = 1;
    int step = 1;  // from one tile to the next
    int count = 1;
};

enum class TileStyle { signal, activation };

/// Draws the planes that `choices` names (int32 by tile, negative: an empty tile) into a row of tiles.
gpu::Step tiles_step(const gpu::DeviceInfo& device, TileStyle style, const Planes& planes, const gpu::Slice& stats,
                     const gpu::Slice& choices, const DevicePicture& picture, const TileRow& row);

/// Marks, in a row drawn by tiles_step as signals, the places that a max pool's switches name: (1, channels, pooled)
/// uint32, places in planes of planes.height × planes.width.
gpu::Step switches_step(const gpu::DeviceInfo& device, const gpu::Slice& switches, int pooled, const Planes& planes,
                        const gpu::Slice& choices, const DevicePicture& picture, const TileRow& row);

/// A grid with a tile for every channel, in the order of the channels.
struct ThumbnailGrid {
    int channels = 1;
    int columns = 1, rows = 1;
    int tile_width = 1, tile_height = 1, gap = 2;

    int width() const { return columns * (tile_width + gap); }
    int height() const { return rows * (tile_height + gap); }
    /// The channel under a pixel of the picture, −1 where there is none.
    int hit(double x, double y) const;
};

/// A grid of about the aspect asked for, for pictures of width × height: as large as `pixels` allow.
ThumbnailGrid thumbnail_grid(int channels, int width, int height, double aspect, double pixels);

/// Draws pictures `first` … `first + count − 1` of a run of RGBA pictures, each width × height, into the tiles of the
/// channels that `selections` (nn::ResolvedSelection) names.
gpu::Step mosaic_step(const gpu::DeviceInfo& device, const gpu::Slice& pictures, int first, int count, int width,
                      int height, const gpu::Slice& selections, const ThumbnailGrid& grid, const gpu::Slice& picture);

}  // namespace deconv::image
