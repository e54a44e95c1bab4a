// From R₀ to a picture.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "image/fit.h"

namespace deconv::image {

enum class Display {
    signed_zero_grey,  // 0.5 + R / (2 s): grey is zero
    positive,          // max(R, 0) / s
    norm,              // the length of R over colours, / s, as brightness
    range,             // (R − min R) / (max R − min R), over the whole image
};

/// The receptive field of the tensor that is projected; decides where the scale s is measured.
struct FieldOfStart {
    int tensor_height = 1, tensor_width = 1;
    std::array<double, 2> stride{1, 1}, offset{0, 0}, size{1, 1};  // rows, columns
    bool whole = false;                                            // every position sees the whole image
};

struct DisplayOptions {
    Display display = Display::signed_zero_grey;
    double blur = 0;  // standard deviation in pixels; only for `norm`
    /// Factors of the input's own channels: std for a reconstruction, 1 / std for a gradient.
    std::array<float, 3> factor{1, 1, 1};
    bool bgr = false;
};

/// What the viewer sets from frame to frame; as the shaders read it.
struct Viewing {
    /// Since the frame before: the scale follows smoothly.  0: this frame's own scale; negative: likewise, and later
    /// frames follow what was there before this one.
    float seconds = 0;
    float gain = 1, gamma = 1;
    float alone = 0;  // where above 0: copies from this one on have scales of their own in every frame
};

/// Maps R₀ of `copies` projections, (copies, channels, height, width), to as many pictures.  Owns the memory between.
class DisplayMapping {
  public:
    /// `selections`: 32 bytes a copy, as nn::Plan gives them.  The caller fills viewing() before the steps run.
    DisplayMapping(const gpu::Device& device, const gpu::Slice& reconstruction, const gpu::Slice& selections,
                   int copies, int channels, int width, int height, const FieldOfStart& field,
                   const DisplayOptions& options);

    const std::vector<gpu::Step>& steps() const { return steps_; }
    gpu::Slice viewing() const { return viewing_.slice(); }
    /// Picture k of the copies.
    DevicePicture picture(int k = 0) const;
    /// All of them, one after the other.
    gpu::Slice pictures() const { return pictures_.slice(); }

  private:
    int width_, height_;
    gpu::Buffer values_, blurred_, states_, histogram_, viewing_, pictures_;
    std::vector<gpu::Step> steps_;
};

}  // namespace deconv::image
