// The strongest moments of a channel since it was chosen: what excited it most, and what of that it answered to (as in
// figure 2 of Zeiler and Fergus, 2014).  Host memory only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/picture.h"
#include "image/fit.h"
#include "nn/network.h"

namespace deconv::live {

/// In pixels; edges may lie between them, and outside of the picture.
struct Rect {
    double x = 0, y = 0, width = 0, height = 0;
};

using Colour = std::array<std::uint8_t, 3>;  // RGB

/// What an all-zero projection looks like.
inline constexpr Colour neutral_grey{128, 128, 128};

/// The receptive field of position (y, x) of a tensor, in pixels of the network's input: its full theoretical size with
/// the unit in the middle, and all of the input along an axis where it is global.
Rect field_of(const std::array<nn::ReceptiveField, 2>& field, int y, int x, int input_width, int input_height);

/// The same part of the picture that the network's input was made from.
Rect in_picture(const Rect& part_of_input, const image::Placement& placement);

/// What of the picture the network sees.
Rect seen_part(const image::Placement& placement);

/// All of a picture.
Rect whole(const Picture& picture);

/// The colour that the network's input has where it is zero; `channels` as the network's, 3 or 1.
Colour mean_colour(const image::Preprocessing& preprocessing, int channels = 3);

/// A part of a picture, resampled in its own aspect so that its longer side takes `tile` pixels: by area where that
/// shrinks, bilinear between pixel centres where it grows.  What lies outside of `bounds`, or of the picture, is
/// `outside`: the network saw nothing of it.
Picture cut(const Picture& picture, const Rect& part, const Rect& bounds, int tile, Colour outside);

/// One of the strongest moments: where it was, how it looked, and what the channel answered to.
struct Moment {
    float value = 0;            // the activation
    Picture patch, projection;  // of the unit's receptive field, see cut()
    double seconds = 0;         // on any clock that does not jump
    int y = 0, x = 0;           // the unit
};

/// Keeps the strongest moments of one channel, at least a second apart: the frames of one event are one moment, its
/// strongest.  The caller clears it when another channel, layer or source is chosen.  One thread.
class LiveBest {
  public:
    static constexpr std::size_t capacity = 9;
    static constexpr double apart = 1;  // seconds

    /// Would this value enter?  Only then are the pictures of a moment worth making.  Never where it is not positive.
    bool wants(float value, double now) const;
    /// Takes a moment in, where wants(); another that it beats leaves: the weaker ones of the same second, otherwise
    /// the weakest where all places are taken.  Returns whether it entered.
    bool add(Moment moment);
    void clear();

    /// Strongest first.
    const std::vector<Moment>& moments() const { return moments_; }
    /// Changes whenever moments() does.
    std::uint64_t version() const { return version_; }

    /// A strip for the window: a column for each place, strongest left, patches above projections; places that are
    /// free are faint frames.  `tile` is the side of a place in pixels.
    Picture sheet(int tile) const;
    /// A sheet to keep: three by three patches, and right of them their projections in the same order.
    Picture poster(int tile) const;

    /// Where these two draw the picture of place i, in their pixels.
    static image::Box sheet_box(std::size_t i, bool projection, int tile);
    static image::Box poster_box(std::size_t i, bool projection, int tile);

  private:
    using BoxOf = image::Box (*)(std::size_t, bool, int);
    Picture draw(BoxOf box_of, int tile) const;

    std::vector<Moment> moments_;
    std::uint64_t version_ = 0;
};

}  // namespace deconv::live
