#include "image/fit.h"

#include <algorithm>
#include <cmath>

namespace deconv::image {

Placement place(Fit fit, int picture_width, int picture_height, int input_width, int input_height) {
    const double w = picture_width;
    const double h = picture_height;
    Placement p{0, 0, w, h, 0, 0, input_width, input_height};
    if (fit == Fit::crop) {
        p.width = std::min(w, h * input_width / input_height);
        p.height = std::min(h, w * input_height / input_width);
        p.x = (w - p.width) / 2;
        p.y = (h - p.height) / 2;
    } else if (fit == Fit::letterbox) {
        const double scale = std::min(input_width / w, input_height / h);
        p.place_width = std::clamp(static_cast<int>(std::lround(w * scale)), 1, input_width);
        p.place_height = std::clamp(static_cast<int>(std::lround(h * scale)), 1, input_height);
        p.left = (input_width - p.place_width) / 2;
        p.top = (input_height - p.place_height) / 2;
    }
    return p;
}

namespace {

gpu::Binding read(const gpu::Slice& pixels, bool texels) {
    return texels ? gpu::in_texels(pixels, gpu::Texels::r32ui) : gpu::in(pixels);
}

}  // namespace

gpu::Step fit_step(const gpu::DeviceInfo& device, const DevicePicture& picture, const Placement& placement,
                   const Preprocessing& preprocessing, const gpu::Slice& input, int input_width, int input_height,
                   int channels) {
    struct Push {
        std::int32_t width, height;
        float x, y, w, h;
        std::int32_t input_width, input_height, left, top, place_width, place_height;
        std::uint32_t channels, bgr;
        std::array<float, 3> scale, shift;
    };
    Push push{picture.width,
              picture.height,
              static_cast<float>(placement.x),
              static_cast<float>(placement.y),
              static_cast<float>(placement.width),
              static_cast<float>(placement.height),
              input_width,
              input_height,
              placement.left,
              placement.top,
              placement.place_width,
              placement.place_height,
              static_cast<std::uint32_t>(channels),
              preprocessing.bgr ? 1U : 0U,
              {},
              {}};
    for (std::size_t c = 0; c < 3; ++c) {
        push.scale.at(c) = preprocessing.range / 255.0F / preprocessing.std.at(c);
        push.shift.at(c) = -preprocessing.mean.at(c) / preprocessing.std.at(c);
    }
    const auto pixels = static_cast<std::uint64_t>(input_width) * static_cast<std::uint64_t>(input_height);
    const bool texels = gpu::prefers_texels(device, {picture.slice});
    return {gpu::linear_dispatch(device, texels ? "image/fit.texels" : "image/fit.buffer", pixels, push,
                                 {read(picture.slice, texels), gpu::out(input)}, "fit"),
            {},
            "fit"};
}

namespace {

gpu::Step draw(const gpu::DeviceInfo& device, const DevicePicture& picture, const DevicePicture& canvas, const Box& box,
               const Placement& p, std::uint32_t background) {
    struct Push {
        std::int32_t width, height, canvas_width;
        std::int32_t left, top, box_width, box_height;
        std::int32_t place_left, place_top, place_width, place_height;
        std::uint32_t background;
    };
    const Push push{picture.width, picture.height, canvas.width, box.left,      box.top,        box.width,
                    box.height,    p.left,         p.top,        p.place_width, p.place_height, background};
    const auto pixels = static_cast<std::uint64_t>(box.width) * static_cast<std::uint64_t>(box.height);
    const bool texels = gpu::prefers_texels(device, {picture.slice});
    std::vector<gpu::Binding> bindings{read(picture.slice, texels), gpu::in_out(canvas.slice)};
    return {gpu::linear_dispatch(device, texels ? "image/compose.texels" : "image/compose.buffer", pixels, push,
                                 std::move(bindings), "compose"),
            {},
            "display"};
}

}  // namespace

gpu::Step compose_step(const gpu::DeviceInfo& device, const DevicePicture& picture, const DevicePicture& canvas,
                       const Box& box, std::uint32_t background) {
    return draw(device, picture, canvas, box,
                place(Fit::letterbox, picture.width, picture.height, box.width, box.height), background);
}

gpu::Step fill_step(const gpu::DeviceInfo& device, const DevicePicture& canvas, const Box& box, std::uint32_t colour) {
    return draw(device, canvas, canvas, box, {}, colour);
}

}  // namespace deconv::image
