// From a picture to the network's input.
#pragma once

#include <array>
#include <string>

#include "vk/recording.h"

namespace deconv::image {

enum class Fit { crop, stretch, letterbox };

/// How bytes become the network's numbers: value = (byte / 255 · range − mean) / std, by the input's own channels.
struct Preprocessing {
    bool bgr = false;
    float range = 1;
    std::array<float, 3> mean{0, 0, 0}, std{1, 1, 1};
};

/// Which part of a picture the network sees, and where in its input that part lies: what carries positions between the
/// two.  In pixels; the part may begin and end between them.
struct Placement {
    double x = 0, y = 0, width = 0, height = 0;                // of the picture
    int left = 0, top = 0, place_width = 0, place_height = 0;  // in the network's input
};
Placement place(Fit fit, int picture_width, int picture_height, int input_width, int input_height);

/// A picture in device memory: 8-bit RGBA, rows tightly packed.
struct DevicePicture {
    gpu::Slice slice;
    int width = 0, height = 0;
};

/// Writes `input`, (1, channels, height, width) in float32; channels is 3, or 1 for networks that see grey.
gpu::Step fit_step(const gpu::DeviceInfo& device, const DevicePicture& picture, const Placement& placement,
                   const Preprocessing& preprocessing, const gpu::Slice& input, int input_width, int input_height,
                   int channels);

/// Around and between pictures: a dark, warm grey.
inline constexpr std::uint32_t background_colour = 0xff1c1a18;  // RGBA, red in the lowest byte

/// Draws a whole picture, in its own aspect, into the middle of a box of a larger one; the rest of the box becomes
/// `background` (RGBA, red in the lowest byte).
struct Box {
    int left = 0, top = 0, width = 0, height = 0;
};
gpu::Step compose_step(const gpu::DeviceInfo& device, const DevicePicture& picture, const DevicePicture& canvas,
                       const Box& box, std::uint32_t background);

/// Fills a box of a picture with one colour.
gpu::Step fill_step(const gpu::DeviceInfo& device, const DevicePicture& canvas, const Box& box, std::uint32_t colour);

}  // namespace deconv::image
