// A picture in host memory: what sources give, the device takes up and sinks write.
#pragma once

#include <cstdint>
#include <vector>

namespace deconv {

/// 8-bit RGBA, row-major from the top left, rows tightly packed: rgba.size() == 4 * width * height.
struct Picture {
    int width = 0;
    int height = 0;
    std::vector<std::uint8_t> rgba;

    Picture() = default;
    Picture(int w, int h) : width(w), height(h), rgba(std::size_t{4} * w * h, 255) {}

    /// Keeps its memory where that is large enough; what the pixels are afterwards is not said.
    void resize(int w, int h) {
        width = w;
        height = h;
        rgba.resize(std::size_t{4} * w * h);
    }

    std::uint8_t* pixel(int x, int y) { return rgba.data() + std::size_t{4} * (std::size_t(y) * width + x); }
    const std::uint8_t* pixel(int x, int y) const {
        return rgba.data() + std::size_t{4} * (std::size_t(y) * width + x);
    }
};

}  // namespace deconv
