// From a picture to the network's input, and from R₀ to a picture, in float64: "From a picture to the network's input"
// and "From R₀ to a picture", for a still picture.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "reference/network.h"
#include "reference/receptive_field.h"

namespace deconv::reference {

/// How pixels become input; mean and std in the input's own channel order, in `range` units.
struct Preprocessing {
    bool bgr = false;
    double range = 1;
    std::array<double, 3> mean{0.485, 0.456, 0.406};
    std::array<double, 3> std{0.229, 0.224, 0.225};
};

enum class Fit { crop, stretch, letterbox };

/// rgba: 4 * width * height bytes, rows from the top; alpha is not looked at.  The result is (1, 3, out_height,
/// out_width).  Each axis by itself: exact area coverage where it shrinks (or keeps its size), bilinear between pixel
/// centres with clamped edges where it grows.  Crop cuts the largest centred box of the output's aspect, not rounded
/// to pixels; letterbox rounds the picture's place to whole output pixels and the bars are the mean colour, zero.
Tensor fit(std::span<const std::uint8_t> rgba, int width, int height, Fit how, int out_width, int out_height,
           const Preprocessing& preprocessing);

enum class Display { signed_, positive, norm, range };

/// What the display maps: R₀ (1, 3, H, W) times std (divided by it for `gradient`) per channel, channels in RGB order.
Tensor to_colour(const Tensor& r0, Rule rule, const Preprocessing& preprocessing);

/// s: the smallest value v with at least 99.5 % of the magnitudes in the box <= v, or the largest where v is 0.
/// Magnitudes are |R| of all colours for `signed_` and `positive`, the length over colours, blurred as it is shown,
/// for `norm`.
double display_scale(const Tensor& colour, Display how, const Box& field, double blur = 0);

/// The picture (3, H, W), R, G, B in 0 … 1.  `colour` as to_colour gives it.  Blur (norm only) is a Gaussian cut at
/// ceil(3 sigma) with clamped edges.  `scale` is s.
Tensor display(const Tensor& colour, Display how, double scale, double blur = 0);

/// All of it: to_colour, display_scale over the box, display.
Tensor display(const Tensor& r0, Display how, Rule rule, const Preprocessing& preprocessing, const Box& field,
               double blur = 0);

}  // namespace deconv::reference
