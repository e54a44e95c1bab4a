// The built-in scene: something for every early feature of a network to answer to — edges in all directions, gratings
// of several orientations and frequencies, corners, discs, textures, coloured blobs, and a face.
#include <cmath>
#include <cstdint>

#include "media/canvas.h"
#include "media/sources.h"

namespace deconv::media {
namespace {

constexpr float pi = 3.14159265F;
constexpr Color ivory{244, 238, 226};
constexpr Color ink{24, 26, 34};

/// One number for each whole place, always the same, in 0 … 1.
float lattice(int x, int y) {
    std::uint32_t h = static_cast<std::uint32_t>(x) * 0x9E3779B1U ^ static_cast<std::uint32_t>(y) * 0x85EBCA77U;
    h = (h ^ h >> 15) * 0x2C1B3C6DU;
    h = (h ^ h >> 12) * 0x297A2D39U;
    return static_cast<float>(h >> 8 & 0xFFFF) / 65535;
}

/// Value noise: the lattice, interpolated.
float noise(Point p) {
    const int x = static_cast<int>(p.x + 4096) - 4096;
    const int y = static_cast<int>(p.y + 4096) - 4096;
    const float fx = smooth(p.x - static_cast<float>(x));
    const float fy = smooth(p.y - static_cast<float>(y));
    const float upper = lattice(x, y) + (lattice(x + 1, y) - lattice(x, y)) * fx;
    const float lower = lattice(x, y + 1) + (lattice(x + 1, y + 1) - lattice(x, y + 1)) * fx;
    return upper + (lower - upper) * fy;
}

/// Darkens what lies behind a shape, a little below it, so that the scene has depth.
void shadow(Color& color, float distance, float reach) {
    const float shade = 1 - 0.45F * (1 - smooth((distance + reach) / (2 * reach)));
    color = {color.r * shade, color.g * shade, color.b * shade};
}

// Coloured light on a dark wall, and a floor: its long edge tilts slowly.
void draw_background(Canvas& canvas, float t) {
    struct Blob {
        Point at;
        float reach;
        Color color;
    };
    const Blob blobs[] = {
        {{110 + 70 * std::sin(0.31F * t), 260 + 50 * std::cos(0.23F * t)}, 250, {150, 30, 96}},
        {{330 + 120 * std::cos(0.27F * t), 60 + 60 * std::sin(0.37F * t)}, 240, {20, 96, 150}},
        {{560 + 60 * std::sin(0.29F * t + 1), 250 + 70 * std::cos(0.33F * t)}, 250, {190, 96, 24}},
    };
    canvas.fill([&](Point p) {
        Color color{30, 34, 52};
        for (const Blob& blob : blobs) {
            const float dx = p.x - blob.at.x;
            const float dy = p.y - blob.at.y;
            const float k = std::max(0.0F, 1 - (dx * dx + dy * dy) / (blob.reach * blob.reach));
            const float light = k * k;
            color.r += (blob.color.r) * light;
            color.g += (blob.color.g) * light;
            color.b += (blob.color.b) * light;
        }
        return Color{std::min(color.r, 255.0F), std::min(color.g, 255.0F), std::min(color.b, 255.0F)};
    });
    const float slope = 0.045F * std::sin(0.4F * t);
    canvas.paint_below(410 - std::abs(slope) * canvas.half_width(), [&](Point p, Color& color) {
        const float below = p.y - 412 - slope * (p.x - 320);
        const Color boards = mix({92, 84, 84}, {168, 156, 146}, std::clamp(below / 80, 0.0F, 1.0F));
        color = mix(color, mix(boards, color, 0.25F), canvas.coverage(-below));
    });
}

struct Grating {
    Point at;
    float radius;
    float period;  // of one light and one dark stripe
    float angle;   // of the stripes' normal
    float speed;   // periods a second
    Color light;
    Color dark;
};

void draw_grating(Canvas& canvas, const Grating& g, float t) {
    const Turn turn(g.angle);
    canvas.paint(g.at, g.radius + 14, [&](Point p, Color& color) {
        shadow(color, disc({p.x - 3, p.y - 5}, g.radius), 9);
        const float inside = canvas.coverage(disc(p, g.radius));
        if (inside <= 0) return;
        const float stripe = 0.5F + 0.5F * wave(turn(p).x / g.period - g.speed * t);
        color = mix(color, mix(g.dark, g.light, stripe), inside);
    });
}

// Corners and straight edges: a turning checkerboard.
void draw_checkerboard(Canvas& canvas, Point at, float t) {
    const Turn turn(0.35F * std::sin(0.5F * t) + 0.2F);
    constexpr float half = 64;
    constexpr float field = 21.3333F;
    canvas.paint(at, half * 1.42F + 14, [&](Point p, Color& color) {
        shadow(color, box(turn({p.x - 3, p.y - 5}), half, half, 6), 9);
        const Point q = turn(p);
        const float inside = canvas.coverage(box(q, half, half, 6));
        if (inside <= 0) return;
        // Distance to the nearest line between fields, its sign by the field's colour.
        const float u = q.x / field + 64;
        const float v = q.y / field + 64;
        const float du = std::abs(u - std::floor(u) - 0.5F) - 0.5F;
        const float dv = std::abs(v - std::floor(v) - 0.5F) - 0.5F;
        const bool light = ((static_cast<int>(u) + static_cast<int>(v)) & 1) != 0;
        const float distance = std::max(du, dv) * field;
        const float lightness = light ? canvas.coverage(distance) : 1 - canvas.coverage(distance);
        color = mix(color, mix({28, 40, 92}, ivory, lightness), inside);
    });
}

// Edges in every direction at once: a turning star of wedges with rings around it.
void draw_star(Canvas& canvas, Point at, float t) {
    constexpr float radius = 72;
    constexpr float wedges = 12;
    canvas.paint(at, radius + 14, [&](Point p, Color& color) {
        shadow(color, disc({p.x - 3, p.y - 5}, radius), 9);
        const float distance = std::sqrt(p.x * p.x + p.y * p.y);
        const float inside = canvas.coverage(distance - radius);
        if (inside <= 0) return;
        const float turns = std::atan2(p.y, p.x) / (2 * pi) * wedges + 0.6F * t;
        const float s = wave(turns);
        // The wave's zero is the wedge's edge: its slope there gives the distance.
        const float edge = s * distance / wedges;
        const float light = canvas.coverage(-edge);
        Color own = mix(ink, {250, 214, 72}, light);
        own = mix(own, {206, 44, 50}, canvas.coverage(distance - 13));
        own = mix(own, ivory, canvas.coverage(radius - 7 - distance));
        color = mix(color, own, inside);
    });
}

// Two textures beside each other: wood, that has a direction, and pebbles, that have none.
void draw_textures(Canvas& canvas, Point at, float t) {
    constexpr float half_w = 84;
    constexpr float half_h = 62;
    canvas.paint(at, 120, [&](Point p, Color& color) {
        shadow(color, box({p.x - 3, p.y - 5}, half_w, half_h, 10), 9);
        const float inside = canvas.coverage(box(p, half_w, half_h, 10));
        if (inside <= 0) return;
        Color own;
        if (p.x < 0) {
            const Point q{p.x + 400, p.y + 6 * t};
            const float bend = noise({q.x * 0.035F, q.y * 0.012F});
            const float rings = 0.5F + 0.5F * wave(q.x * 0.035F + 3.2F * bend);
            const float fibre = noise({q.x * 0.9F, q.y * 0.045F});
            own = mix({104, 56, 26}, {222, 164, 96}, 0.65F * rings + 0.35F * fibre);
        } else {
            const Point q{p.x + 200 - 9 * t, p.y};
            const float cells = noise({q.x * 0.16F, q.y * 0.16F});
            const float grain = noise({q.x * 0.55F + 31, q.y * 0.55F + 17});
            const float stone = smooth((cells - 0.42F) * 7);
            own = mix(mix({18, 52, 44}, {36, 92, 70}, grain), mix({150, 196, 140}, {226, 240, 200}, grain), stone);
        }
        own = mix(own, ink, canvas.coverage(std::abs(p.x) - 1.2F));
        color = mix(color, own, inside);
    });
}

void draw_disc(Canvas& canvas, Point at, float radius, Color own) {
    canvas.paint(at, radius + 14, [&](Point p, Color& color) {
        shadow(color, disc({p.x - 3, p.y - 5}, radius), 8);
        const float distance = disc(p, radius);
        const float light = 1.12F - 0.35F * (p.x + 1.4F * p.y + radius) / (2.4F * radius);
        const Color lit{std::min(own.r * light, 255.0F), std::min(own.g * light, 255.0F),
                        std::min(own.b * light, 255.0F)};
        color = mix(color, mix(lit, ivory, canvas.coverage(std::abs(distance + 5) - 2)), canvas.coverage(distance));
    });
}

/// A regular polygon: edges that meet in corners of one angle.
void draw_polygon(Canvas& canvas, Point at, float radius, int corners, float angle, Color own) {
    const Turn turn(angle);
    const float part = 2 * pi / static_cast<float>(corners);
    const float apothem = radius * std::cos(part / 2);
    const auto distance = [&](Point p) {
        const Point q = turn(p);
        const float around = std::atan2(q.y, q.x);
        const float nearest = std::round(around / part) * part;
        return std::sqrt(q.x * q.x + q.y * q.y) * std::cos(around - nearest) - apothem;
    };
    canvas.paint(at, radius + 14, [&](Point p, Color& color) {
        shadow(color, distance({p.x - 3, p.y - 5}), 8);
        const float d = distance(p);
        color = mix(color, mix(own, ink, canvas.coverage(std::abs(d + 2.5F) - 2.5F)), canvas.coverage(d));
    });
}

void draw_eye(const Canvas& canvas, Point p, Point gaze, float open, Color& own) {
    if (std::abs(p.x) > 20 || std::abs(p.y + 8) > 24) return;
    const float white = canvas.coverage(ellipse(p, 15, 9 * open + 0.6F));
    if (white > 0) {
        const Point q{p.x - gaze.x, p.y - gaze.y};
        Color eye = mix(ivory, {58, 104, 134}, canvas.coverage(disc(q, 8)));
        eye = mix(eye, ink, canvas.coverage(disc(q, 4)));
        eye = mix(eye, {255, 255, 255}, canvas.coverage(disc({q.x + 2.5F, q.y + 3}, 2)));
        // The upper lid covers the iris a little, or the look would be a stare.
        eye = mix(eye, {212, 146, 118}, canvas.coverage(p.y + 5 * open - 0.008F * p.x * p.x));
        own = mix(own, eye, white);
    }
    const float lid = std::abs(ellipse(p, 15.5F, 9.5F * open + 1)) - 1.1F;
    own = mix(own, {70, 38, 34}, 0.85F * canvas.coverage(lid));
    const float brow = std::abs(p.y + 20 - 0.012F * p.x * p.x) - 2.6F;
    own = mix(own, {62, 34, 24}, canvas.coverage(std::max(brow, std::abs(p.x) - 16)));
}

void draw_nose(const Canvas& canvas, Point p, Color& own) {
    if (std::abs(p.x) > 14 || std::abs(p.y) > 24) return;
    const float ridge = std::abs(p.x - 4 - 0.1F * (p.y - 2)) - 1.5F;
    own = mix(own, {184, 116, 92}, 0.7F * canvas.coverage(std::max(ridge, std::abs(p.y) - 16)));
    own = mix(own, {168, 96, 78}, 0.8F * canvas.coverage(ellipse({std::abs(p.x) - 7, p.y - 18}, 4, 2.4F)));
}

void draw_mouth(const Canvas& canvas, Point p, float smile, Color& own) {
    if (std::abs(p.x) > 32 || std::abs(p.y) > 24) return;
    const float from_middle = std::abs(p.y + smile * p.x * p.x);
    const float lips = from_middle - (5.2F - 0.0042F * p.x * p.x);
    own = mix(own, {178, 44, 56}, canvas.coverage(std::max(lips, std::abs(p.x) - 30)));
    own = mix(own, {96, 22, 32}, canvas.coverage(std::max(from_middle - 1, std::abs(p.x) - 28)));
}

// It sways, looks about, blinks and smiles.
void draw_face(Canvas& canvas, Point at, float t) {
    at.x += 14 * std::sin(0.8F * t);
    at.y += 4 * std::sin(1.6F * t);
    const Turn turn(0.13F * std::sin(0.8F * t + 0.6F));
    const Point gaze{4.5F * std::sin(0.9F * t), 1.6F * std::sin(0.7F * t + 1)};
    const float blink = std::abs(std::fmod(t + 0.3F, 3.4F) - 3.2F);
    const float open = smooth(blink / 0.13F);
    const float smile = 0.013F + 0.004F * std::sin(0.6F * t);
    // Shoulders and neck stay with the floor more than the head does.
    canvas.paint({at.x * 0.5F + 174, 462}, 112, [&](Point p, Color& color) {
        const float cloth = ellipse({p.x, p.y - 16}, 108, 70);
        shadow(color, ellipse({p.x - 3, p.y - 20}, 108, 70), 9);
        if (cloth > 1 && std::abs(p.x) > 40) return;
        const float knit = 0.5F + 0.5F * wave(p.y / 16);
        color =
            mix(color, mix({22, 92, 112}, {206, 226, 222}, smooth((knit - 0.5F) * 6 + 0.5F)), canvas.coverage(cloth));
        const float collar = ellipse({p.x, p.y + 48}, 36, 17);
        color = mix(color, {22, 92, 112}, canvas.coverage(collar - 5));
        color = mix(color, {192, 126, 98}, canvas.coverage(std::min(collar, box({p.x, p.y + 80}, 25, 36, 2))));
    });
    canvas.paint(at, 124, [&](Point p, Color& color) {
        const Point q = turn(p);
        // Hair behind, shoulder-short; ears; then the face with everything on it.
        const float inside = canvas.coverage(ellipse({q.x, q.y - 6}, 68, 90));
        if (inside < 1) {
            shadow(color, ellipse({p.x - 4, p.y - 8}, 80, 104), 12);
            color = mix(color, {66, 38, 28}, canvas.coverage(ellipse({q.x, q.y + 20}, 82, 84)));
            const Point ear{std::abs(q.x) - 70, q.y - 8};
            color = mix(color, {214, 148, 118}, canvas.coverage(ellipse(ear, 11, 18)));
        }
        if (inside <= 0) return;
        const float side = smooth((q.x + 0.35F * q.y + 70) / 170);
        Color own = mix({246, 196, 162}, {206, 138, 106}, side);
        const Point cheek{std::abs(q.x) - 38, q.y - 32};
        const float blush = std::max(0.0F, 1 - (cheek.x * cheek.x + cheek.y * cheek.y) / 420);
        own = mix(own, {226, 108, 98}, 0.45F * blush);
        // The fringe: a curve across the forehead.
        const float fringe = q.y + 50 - 0.006F * (q.x - 22) * (q.x - 22);
        own = mix(own, {78, 46, 32}, canvas.coverage(fringe));
        draw_eye(canvas, {q.x + 28, q.y + 6}, gaze, open, own);
        draw_eye(canvas, {q.x - 28, q.y + 6}, gaze, open, own);
        draw_nose(canvas, {q.x, q.y - 12}, own);
        draw_mouth(canvas, {q.x, q.y - 60}, smile, own);
        color = mix(color, own, inside);
    });
}

class Demo : public Source {
  public:
    bool read(Frame& frame) override {
        frame.index = index_++;
        frame.time_s = static_cast<double>(frame.index) / frames_per_second;
        if (frame.picture.width != 640 || frame.picture.height != 480) frame.picture = Picture(640, 480);
        draw_demo(frame.picture, frame.time_s);
        return true;
    }
    bool skip() override {
        ++index_;
        return true;
    }
    double fps() const override { return frames_per_second; }
    bool live() const override { return false; }
    std::optional<std::int64_t> count() const override { return std::nullopt; }
    std::string name() const override { return "demo"; }

  private:
    static constexpr double frames_per_second = 30;
    std::int64_t index_ = 0;
};

}  // namespace

Picture draw_demo(int width, int height, double seconds) {
    Picture picture(width, height);
    draw_demo(picture, seconds);
    return picture;
}

void draw_demo(Picture& picture, double seconds) {
    if (picture.rgba.empty()) return;
    // Single precision would lose the motion after a day; nothing repeats visibly within an hour.
    const auto t = static_cast<float>(std::fmod(seconds, 3600.0));
    Canvas canvas(picture);
    draw_background(canvas, t);
    draw_grating(canvas, {{98, 112}, 70, 26, 0.5F + 0.15F * t, 0.8F, {238, 236, 230}, {22, 24, 30}}, t);
    draw_checkerboard(canvas, {286, 104}, t);
    draw_star(canvas, {546, 108}, t);
    draw_textures(canvas, {110, 336}, t);
    draw_grating(canvas, {{566, 272}, 54, 13, -0.6F, 1.5F, {240, 72, 60}, {20, 110, 70}}, t);
    draw_grating(canvas, {{500, 380}, 46, 7, 1.571F, -2.0F, {250, 240, 120}, {36, 40, 150}}, t);
    draw_grating(canvas, {{590, 392}, 36, 4.5F, 2.5F, 2.5F, {240, 240, 240}, {20, 20, 20}}, t);
    draw_polygon(canvas, {420 + 34 * std::sin(0.45F * t), 74 + 22 * std::cos(0.6F * t)}, 36, 3, 0.7F * t,
                 {72, 186, 120});
    draw_polygon(canvas, {196 + 26 * std::sin(0.5F * t + 2), 222 + 14 * std::cos(0.7F * t)}, 30, 4, -0.5F * t,
                 {236, 132, 40});
    draw_face(canvas, {348, 312}, t);
    draw_disc(canvas, {320 + 270 * std::sin(0.33F * t + 0.9F), 214 + 40 * std::sin(0.9F * t)}, 25, {220, 54, 60});
    draw_disc(canvas, {320 + 280 * std::cos(0.27F * t), 430 + 20 * std::sin(1.1F * t)}, 20, {56, 120, 226});
    draw_disc(canvas, {320 + 250 * std::sin(0.39F * t + 3.6F), 30 + 14 * std::cos(0.8F * t)}, 15, {246, 206, 60});
}

std::unique_ptr<Source> open_demo() {
    return std::make_unique<Demo>();
}

}  // namespace deconv::media
