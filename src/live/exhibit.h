// What a view shows beside camera and projection: all maps of the layer, a mosaic of projections, the way back rung by
// rung, the network stage by stage.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "image/maps.h"
#include "image/tiles.h"
#include "nn/plan.h"

namespace deconv::live {

enum class Show { projection, maps, mosaic, ladder, network };

/// A part of an exhibit's picture that shows one channel, in the picture's pixels.
struct ExhibitTile {
    int channel = -1;  // −1: empty
    int left = 0, top = 0, width = 0, height = 0;
    float largest = 0, mean = 0;  // magnitude and mean of the plane, where the exhibit knows them
    double seconds = 0;           // when it was drawn, on the clock that Exhibit::choose() is given
};

/// Pixels above the tiles of a ladder's or network's row, for its title.
inline constexpr int strip_title = 36;

/// Tiles that belong together: one tensor.
struct ExhibitRow {
    int layer = -1;             // index into Network::layers(), −1 where none fits
    std::string title, detail;  // e.g. "unpool", "pool2  128 x 16x16"
    bool vector = false;        // a tensor without space: one tile shows all units side by side
    std::vector<ExhibitTile> tiles;
};

/// A whole exhibit as plain data, for the window.
struct ExhibitState {
    Show show = Show::projection;
    int width = 0, height = 0;     // of the picture
    image::MapGrid maps;           // of Show::maps
    image::ThumbnailGrid mosaic;   // of Show::mosaic
    std::vector<ExhibitRow> rows;  // maps and mosaic have one, with a tile for every channel
};

/// Adds its own steps to a frame's.  The host's part runs on the thread that submits and collects.
class Exhibit {
  public:
    virtual ~Exhibit() = default;

    virtual image::DevicePicture picture_size() const = 0;  // without memory
    /// Bytes that the host writes before a frame and reads after it.
    virtual std::uint64_t upload_bytes() const { return 4; }
    virtual std::uint64_t readback_bytes() const { return 4; }
    /// `upload` and `readback` are one frame slot's own; `picture` is shared by all frames.
    virtual void add_steps(std::vector<gpu::Step>& steps, const image::DevicePicture& picture, const gpu::Slice& upload,
                           const gpu::Slice& readback) const = 0;
    /// Further channels to project with the next frame, as many as the plan has copies beyond the first.
    virtual void batch(const nn::Selection& /*main*/, double /*now*/, std::span<nn::Selection> /*more*/) {}
    virtual void write(std::span<std::byte> /*upload*/) {}
    virtual void read(std::span<const std::byte> /*readback*/) {}
    /// Fills one anew, in the memory that it has.
    virtual void state(ExhibitState& into) const = 0;
};

/// What an exhibit is made from.  References must outlive it.
struct ExhibitContext {
    const gpu::Device& device;
    const nn::Network& network;
    const nn::Plan& plan;
    gpu::Slice pictures;  // of the display mapping: plan.options().copies pictures of the input's size
    int input_width = 0, input_height = 0;
};

/// Null for Show::projection.
std::unique_ptr<Exhibit> make_exhibit(Show show, const ExhibitContext& context);

/// What the plan must keep for an exhibit; changes `options`.  `batch`: channels that a mosaic projects a frame.
void prepare_plan(Show show, const nn::Network& network, int batch, nn::PlanOptions& options);

}  // namespace deconv::live
