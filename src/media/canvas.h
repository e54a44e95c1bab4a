// A small painter for the demo: shapes are functions from a place to a colour and a coverage, drawn smoothly.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "base/picture.h"

namespace deconv::media {

struct Color {
    float r = 0;
    float g = 0;
    float b = 0;  // 0 … 255
};

inline Color mix(Color a, Color b, float t) {
    return {a.r + (b.r - a.r) * t, a.g + (b.g - a.g) * t, a.b + (b.b - a.b) * t};
}

struct Point {
    float x = 0;
    float y = 0;
};

/// Turned by an angle that is given as its cosine and sine.
struct Turn {
    explicit Turn(float angle) : c(std::cos(angle)), s(std::sin(angle)) {}
    Point operator()(Point p) const { return {c * p.x + s * p.y, c * p.y - s * p.x}; }
    float c;
    float s;
};

inline float smooth(float t) {
    t = std::clamp(t, 0.0F, 1.0F);
    return t * t * (3 - 2 * t);
}

/// cos(2π·turns) from a table: two million of them a frame are too many for the exact one.
inline float wave(float turns) {
    constexpr int size = 2048;
    static const std::array<float, size> table = [] {
        std::array<float, size> values{};
        for (int i = 0; i < size; ++i) {
            values[static_cast<std::size_t>(i)] = std::cos(6.28318531F * static_cast<float>(i) / size);
        }
        return values;
    }();
    return table[static_cast<std::size_t>(static_cast<int>(turns * size + 64.0F * size * size) & (size - 1))];
}

// Signed distances to an edge, negative inside.
inline float disc(Point p, float radius) {
    return std::sqrt(p.x * p.x + p.y * p.y) - radius;
}
inline float box(Point p, float half_w, float half_h, float corner) {
    const float x = std::abs(p.x) - half_w + corner;
    const float y = std::abs(p.y) - half_h + corner;
    const float ox = std::max(x, 0.0F);
    const float oy = std::max(y, 0.0F);
    return std::sqrt(ox * ox + oy * oy) + std::min(std::max(x, y), 0.0F) - corner;
}
/// Near its edge only, which is where it matters.
inline float ellipse(Point p, float rx, float ry) {
    const float x = p.x / rx;
    const float y = p.y / ry;
    const float k = std::sqrt(x * x + y * y);
    const float gx = x / rx;
    const float gy = y / ry;
    const float slope = std::sqrt(gx * gx + gy * gy) + 1e-6F;
    return k * (k - 1) / slope;
}

/// The picture in the scene's own coordinates, 640 × 480 in its middle whatever its size.
class Canvas {
  public:
    explicit Canvas(Picture& picture)
        : picture_(picture),
          scale_(std::min(static_cast<float>(picture.width) / 640, static_cast<float>(picture.height) / 480)),
          left_((static_cast<float>(picture.width) - 640 * scale_) / 2),
          top_((static_cast<float>(picture.height) - 480 * scale_) / 2) {}

    /// How far the picture goes to the left and right of the scene's middle, x = 320.
    float half_width() const { return static_cast<float>(picture_.width) / 2 / scale_; }

    /// How much of a pixel lies inside an edge at this signed distance.
    float coverage(float distance) const { return std::clamp(0.5F - distance * scale_, 0.0F, 1.0F); }

    /// Draws within `radius` of `centre`: shape(p, colour) is given the place relative to the centre and the colour
    /// there, and changes it.
    template <class Shape>
    void paint(Point centre, float radius, Shape&& shape) {
        const int x0 = std::max(0, static_cast<int>(std::floor((centre.x - radius) * scale_ + left_)));
        const int y0 = std::max(0, static_cast<int>(std::floor((centre.y - radius) * scale_ + top_)));
        const int x1 = std::min(picture_.width, static_cast<int>(std::ceil((centre.x + radius) * scale_ + left_)) + 1);
        const int y1 = std::min(picture_.height, static_cast<int>(std::ceil((centre.y + radius) * scale_ + top_)) + 1);
        if (x0 >= x1) return;
        const float step = 1 / scale_;
        for (int y = y0; y < y1; ++y) {
            Point p;
            p.y = (static_cast<float>(y) + 0.5F - top_) * step - centre.y;
            const float reach = radius * radius - p.y * p.y;
            if (reach < 0) continue;
            std::uint8_t* pixel = picture_.pixel(x0, y);
            for (int x = x0; x < x1; ++x, pixel += 4) {
                p.x = (static_cast<float>(x) + 0.5F - left_) * step - centre.x;
                if (p.x * p.x > reach) continue;
                Color color = load(pixel);
                shape(p, color);
                store(pixel, color);
            }
        }
    }

    /// Fills every pixel with slowly changing light: glow(p) is asked at every eighth pixel of a row and interpolated.
    template <class Glow>
    void fill(Glow&& glow) {
        constexpr int apart = 8;
        const float step = 1 / scale_;
        for (int y = 0; y < picture_.height; ++y) {
            const float sy = (static_cast<float>(y) + 0.5F - top_) * step;
            const auto at = [&](int x) { return glow(Point{(static_cast<float>(x) + 0.5F - left_) * step, sy}); };
            std::uint8_t* pixel = picture_.pixel(0, y);
            Color right = at(0);
            for (int x0 = 0; x0 < picture_.width; x0 += apart) {
                const Color left = right;
                right = at(x0 + apart);
                const int n = std::min(apart, picture_.width - x0);
                for (int i = 0; i < n; ++i, pixel += 4) store(pixel, mix(left, right, static_cast<float>(i) / apart));
            }
        }
    }

    /// Draws over the whole width from a height of the scene down: shape(p, colour) as for paint().
    template <class Shape>
    void paint_below(float height, Shape&& shape) {
        const float step = 1 / scale_;
        const int y0 = std::clamp(static_cast<int>(std::floor(height * scale_ + top_)), 0, picture_.height);
        for (int y = y0; y < picture_.height; ++y) {
            const float sy = (static_cast<float>(y) + 0.5F - top_) * step;
            std::uint8_t* pixel = picture_.pixel(0, y);
            for (int x = 0; x < picture_.width; ++x, pixel += 4) {
                Color color = load(pixel);
                shape(Point{(static_cast<float>(x) + 0.5F - left_) * step, sy}, color);
                store(pixel, color);
            }
        }
    }

  private:
    static Color load(const std::uint8_t* pixel) {
        return {static_cast<float>(pixel[0]), static_cast<float>(pixel[1]), static_cast<float>(pixel[2])};
    }
    static void store(std::uint8_t* pixel, Color color) {
        // Colours are positive, so that adding a half and cutting off rounds; lround() is slow.
        constexpr float half = 0.5F;
        pixel[0] = static_cast<std::uint8_t>(color.r + half);
        pixel[1] = static_cast<std::uint8_t>(color.g + half);
        pixel[2] = static_cast<std::uint8_t>(color.b + half);
    }

    Picture& picture_;
    float scale_;
    float left_;
    float top_;
};

}  // namespace deconv::media
