#include "live/best.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

namespace deconv::live {
namespace {

/// The pixels of one axis that make one output pixel; their weights sum to what of it lies within the bounds.
struct Taps {
    struct Tap {
        int pixel;
        double weight;
    };
    std::vector<Tap> taps;
    double covered = 0;
};

struct Range {
    double low, high;
};

/// Resamples `part` of an axis of n pixels to `count` pixels; the pixels within `bounds` alone take part.
std::vector<Taps> taps_along(int n, Range part, Range bounds, int count) {
    bounds = {std::max(bounds.low, 0.0), std::min<double>(bounds.high, n)};
    const double scale = (part.high - part.low) / count;
    std::vector<Taps> all(static_cast<std::size_t>(count));
    for (int o = 0; o < count; ++o) {
        Taps& result = all[static_cast<std::size_t>(o)];
        const double low = std::max(part.low + o * scale, bounds.low);
        const double high = std::min(part.low + (o + 1) * scale, bounds.high);
        if (!(high > low)) continue;
        result.covered = std::min((high - low) / scale, 1.0);
        if (scale >= 1) {
            const int last = std::min(static_cast<int>(std::ceil(high)), n) - 1;
            for (int i = static_cast<int>(low); i <= last; ++i) {
                result.taps.push_back({i, (std::min<double>(high, i + 1) - std::max<double>(low, i)) / scale});
            }
            continue;
        }
        // Between the centres of two pixels; beyond the outermost there is only that one.
        const double first = std::floor(bounds.low);
        const double last = std::max(std::ceil(bounds.high) - 1, first);
        const double at = std::clamp((low + high) / 2 - 0.5, first, last);
        const double fraction = at - std::floor(at);
        const int i = static_cast<int>(at);
        result.taps.push_back({i, (1 - fraction) * result.covered});
        if (fraction > 0) result.taps.push_back({i + 1, fraction * result.covered});
    }
    return all;
}

/// Red in the lowest byte.
Colour unpacked(std::uint32_t colour) {
    return {static_cast<std::uint8_t>(colour), static_cast<std::uint8_t>(colour >> 8),
            static_cast<std::uint8_t>(colour >> 16)};
}

void fill(Picture& picture, const image::Box& box, Colour colour) {
    for (int y = box.top; y < box.top + box.height; ++y) {
        for (int x = box.left; x < box.left + box.width; ++x) {
            std::copy(colour.begin(), colour.end(), picture.pixel(x, y));
        }
    }
}

void draw_frame(Picture& picture, const image::Box& box, Colour colour) {
    const int line = std::max(1, box.width / 64);
    fill(picture, {box.left, box.top, box.width, line}, colour);
    fill(picture, {box.left, box.top + box.height - line, box.width, line}, colour);
    fill(picture, {box.left, box.top, line, box.height}, colour);
    fill(picture, {box.left + box.width - line, box.top, line, box.height}, colour);
}

/// Into the middle of a square place, which it fills along its longer side.
void draw_into(Picture& canvas, const image::Box& box, const Picture& picture, Colour background) {
    if (picture.width < 1 || picture.height < 1) return;
    if (std::max(picture.width, picture.height) != box.width) {
        const Rect all = whole(picture);
        draw_into(canvas, box, cut(picture, all, all, box.width, background), background);
        return;
    }
    const int left = box.left + (box.width - picture.width) / 2;
    const int top = box.top + (box.height - picture.height) / 2;
    for (int y = 0; y < picture.height; ++y) {
        std::memcpy(canvas.pixel(left, top + y), picture.pixel(0, y), std::size_t{4} * picture.width);
    }
}

int gap_of(int tile) {
    return std::max(1, tile / 16);
}

}  // namespace

Rect field_of(const std::array<nn::ReceptiveField, 2>& field, int y, int x, int input_width, int input_height) {
    const auto& [rows, columns] = field;
    Rect rect{0, 0, static_cast<double>(input_width), static_cast<double>(input_height)};
    if (!rows.global) {
        rect.y = y * rows.stride + rows.offset;
        rect.height = rows.size;
    }
    if (!columns.global) {
        rect.x = x * columns.stride + columns.offset;
        rect.width = columns.size;
    }
    return rect;
}

Rect in_picture(const Rect& part_of_input, const image::Placement& placement) {
    const double across = placement.width / placement.place_width;
    const double down = placement.height / placement.place_height;
    return {placement.x + (part_of_input.x - placement.left) * across,
            placement.y + (part_of_input.y - placement.top) * down, part_of_input.width * across,
            part_of_input.height * down};
}

Rect seen_part(const image::Placement& placement) {
    return {placement.x, placement.y, placement.width, placement.height};
}

Rect whole(const Picture& picture) {
    return {0, 0, static_cast<double>(picture.width), static_cast<double>(picture.height)};
}

Colour mean_colour(const image::Preprocessing& preprocessing, int channels) {
    Colour colour{};
    for (std::size_t c = 0; c < colour.size(); ++c) {
        const std::size_t own = channels == 1 ? 0 : (preprocessing.bgr ? 2 - c : c);
        const float byte = preprocessing.mean.at(own) / preprocessing.range * 255.0F;
        colour.at(c) = static_cast<std::uint8_t>(std::lround(std::clamp(byte, 0.0F, 255.0F)));
    }
    return colour;
}

Picture cut(const Picture& picture, const Rect& part, const Rect& bounds, int tile, Colour outside) {
    tile = std::max(tile, 1);
    const double longer = std::max(part.width, part.height);
    const bool empty = !(part.width > 0 && part.height > 0 && std::isfinite(longer));
    const auto side = [&](double length) {
        return empty ? tile : std::max(1, static_cast<int>(std::lround(tile * length / longer)));
    };
    Picture result(side(part.width), side(part.height));
    fill(result, {0, 0, result.width, result.height}, outside);
    if (empty) return result;
    const std::vector<Taps> columns =
        taps_along(picture.width, {part.x, part.x + part.width}, {bounds.x, bounds.x + bounds.width}, result.width);
    const std::vector<Taps> rows =
        taps_along(picture.height, {part.y, part.y + part.height}, {bounds.y, bounds.y + bounds.height}, result.height);
    for (int y = 0; y < result.height; ++y) {
        const Taps& down = rows[static_cast<std::size_t>(y)];
        for (int x = 0; x < result.width; ++x) {
            const Taps& across = columns[static_cast<std::size_t>(x)];
            std::array<double, 3> sum{};
            for (const Taps::Tap& row : down.taps) {
                for (const Taps::Tap& column : across.taps) {
                    const std::uint8_t* pixel = picture.pixel(column.pixel, row.pixel);
                    for (std::size_t c = 0; c < 3; ++c) sum[c] += row.weight * column.weight * pixel[c];
                }
            }
            const double rest = 1 - down.covered * across.covered;
            for (std::size_t c = 0; c < 3; ++c) {
                const double value = sum[c] + rest * outside[c];
                result.pixel(x, y)[c] = static_cast<std::uint8_t>(std::clamp(value + 0.5, 0.0, 255.0));
            }
        }
    }
    return result;
}

bool LiveBest::wants(float value, double now) const {
    if (!(value > 0) || !std::isfinite(value)) return false;
    bool beats = moments_.size() < capacity || value > moments_.back().value;
    for (const Moment& moment : moments_) {
        if (std::abs(now - moment.seconds) >= apart) continue;
        if (value <= moment.value) return false;
        beats = true;
    }
    return beats;
}

bool LiveBest::add(Moment moment) {
    if (!wants(moment.value, moment.seconds)) return false;
    std::erase_if(moments_, [&](const Moment& other) { return std::abs(moment.seconds - other.seconds) < apart; });
    if (moments_.size() == capacity) moments_.pop_back();
    const auto place =
        std::find_if(moments_.begin(), moments_.end(), [&](const Moment& other) { return other.value < moment.value; });
    moments_.insert(place, std::move(moment));
    ++version_;
    return true;
}

void LiveBest::clear() {
    if (moments_.empty()) return;
    moments_.clear();
    ++version_;
}

image::Box LiveBest::sheet_box(std::size_t i, bool projection, int tile) {
    const int gap = gap_of(tile);
    return {gap + static_cast<int>(i) * (tile + gap), gap + (projection ? tile + gap : 0), tile, tile};
}

image::Box LiveBest::poster_box(std::size_t i, bool projection, int tile) {
    constexpr int side = 3;
    const int gap = gap_of(tile);
    const int column = static_cast<int>(i) % side;
    const int row = static_cast<int>(i) / side;
    const int half = projection ? side * (tile + gap) + 2 * gap : 0;
    return {gap + half + column * (tile + gap), gap + row * (tile + gap), tile, tile};
}

Picture LiveBest::draw(BoxOf box_of, int tile) const {
    tile = std::max(tile, 1);
    const image::Box last = box_of(capacity - 1, true, tile);
    const Colour background = unpacked(image::background_colour);
    Colour faint{};
    std::transform(background.begin(), background.end(), faint.begin(),
                   [](std::uint8_t c) { return static_cast<std::uint8_t>(c + 28); });
    Picture canvas(last.left + tile + gap_of(tile), last.top + tile + gap_of(tile));
    fill(canvas, {0, 0, canvas.width, canvas.height}, background);
    for (std::size_t i = 0; i < capacity; ++i) {
        for (const bool projection : {false, true}) {
            const image::Box box = box_of(i, projection, tile);
            if (i >= moments_.size()) {
                draw_frame(canvas, box, faint);
            } else {
                draw_into(canvas, box, projection ? moments_[i].projection : moments_[i].patch, background);
            }
        }
    }
    return canvas;
}

Picture LiveBest::sheet(int tile) const {
    return draw(sheet_box, tile);
}

Picture LiveBest::poster(int tile) const {
    return draw(poster_box, tile);
}

}  // namespace deconv::live
