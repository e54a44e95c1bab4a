#include "reference/display.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

namespace deconv::reference {

namespace {

/// Which source pixels one output pixel is made of, and how much of each.
struct Taps {
    std::int64_t first = 0;
    std::vector<double> weights;
};

/// Resamples [begin, begin + length) of an axis of n pixels to `count` pixels.
std::vector<Taps> taps_along(std::int64_t n, double begin, double length, std::int64_t count) {
    const double scale = length / static_cast<double>(count);
    std::vector<Taps> all;
    for (std::int64_t o = 0; o < count; ++o) {
        Taps taps;
        if (scale >= 1) {  // area: each source pixel weighs what is covered of it
            const double low = begin + static_cast<double>(o) * scale;
            const double high = low + scale;
            const auto last = std::min(n, static_cast<std::int64_t>(std::ceil(high)));
            taps.first = std::clamp<std::int64_t>(static_cast<std::int64_t>(std::floor(low)), 0, n - 1);
            for (std::int64_t i = taps.first; i < std::max(last, taps.first + 1); ++i) {
                const double at = static_cast<double>(i);
                taps.weights.push_back(std::max(0.0, std::min(high, at + 1) - std::max(low, at)) / scale);
            }
        } else {  // bilinear between pixel centres
            const double at = begin + (static_cast<double>(o) + 0.5) * scale - 0.5;
            const double clamped = std::clamp(at, 0.0, static_cast<double>(n - 1));
            taps.first = std::min(static_cast<std::int64_t>(clamped), std::max<std::int64_t>(n - 2, 0));
            const double fraction = clamped - static_cast<double>(taps.first);
            taps.weights = {1 - fraction};
            if (n > 1) taps.weights.push_back(fraction);
        }
        all.push_back(std::move(taps));
    }
    return all;
}

double magnitude_percentile(std::vector<double> magnitudes) {
    if (magnitudes.empty()) return 0;
    std::sort(magnitudes.begin(), magnitudes.end());
    const std::size_t rank = (magnitudes.size() * 995 + 999) / 1000;  // nearest rank, counted from 1
    const double s = magnitudes[rank - 1];
    return s > 0 ? s : magnitudes.back();
}

/// The length over colours of each pixel, smoothed.
std::vector<double> lengths_of(const Tensor& colour, double blur) {
    const Planes p = planes_of(colour.shape);
    std::vector<double> lengths(static_cast<std::size_t>(p.area()));
    for (std::int64_t i = 0; i < p.area(); ++i) {
        lengths[i] = std::hypot(colour.data[i], colour.data[p.area() + i], colour.data[2 * p.area() + i]);
    }
    if (blur <= 0) return lengths;
    const auto radius = static_cast<std::int64_t>(std::ceil(3 * blur));
    std::vector<double> kernel;
    double sum = 0;
    for (std::int64_t k = -radius; k <= radius; ++k) {
        kernel.push_back(std::exp(-static_cast<double>(k * k) / (2 * blur * blur)));
        sum += kernel.back();
    }
    for (const bool rows : {false, true}) {
        std::vector<double> smooth(lengths.size(), 0.0);
        for (std::int64_t y = 0; y < p.height; ++y) {
            for (std::int64_t x = 0; x < p.width; ++x) {
                for (std::int64_t k = -radius; k <= radius; ++k) {
                    const std::int64_t sy = rows ? std::clamp<std::int64_t>(y + k, 0, p.height - 1) : y;
                    const std::int64_t sx = rows ? x : std::clamp<std::int64_t>(x + k, 0, p.width - 1);
                    smooth[y * p.width + x] += kernel[k + radius] / sum * lengths[sy * p.width + sx];
                }
            }
        }
        lengths = std::move(smooth);
    }
    return lengths;
}

}  // namespace

Tensor fit(std::span<const std::uint8_t> rgba, int width, int height, Fit how, int out_width, int out_height,
           const Preprocessing& preprocessing) {
    if (width <= 0 || height <= 0 || rgba.size() != std::size_t{4} * width * height) {
        throw std::runtime_error("fit: no picture");
    }
    double crop_width = width;
    double crop_height = height;
    int place_width = out_width;
    int place_height = out_height;
    if (how == Fit::crop) {
        crop_width = std::min<double>(width, static_cast<double>(height) * out_width / out_height);
        crop_height = std::min<double>(height, static_cast<double>(width) * out_height / out_width);
    } else if (how == Fit::letterbox) {
        const double scale = std::min(static_cast<double>(out_width) / width, static_cast<double>(out_height) / height);
        place_width = std::clamp(static_cast<int>(std::lround(width * scale)), 1, out_width);
        place_height = std::clamp(static_cast<int>(std::lround(height * scale)), 1, out_height);
    }
    const int left = (out_width - place_width) / 2;
    const int top = (out_height - place_height) / 2;
    const auto columns = taps_along(width, (width - crop_width) / 2, crop_width, place_width);
    const auto rows = taps_along(height, (height - crop_height) / 2, crop_height, place_height);

    Tensor out = Tensor::zeros({1, 3, out_height, out_width});
    for (int c = 0; c < 3; ++c) {
        const int source = preprocessing.bgr ? 2 - c : c;
        for (int y = 0; y < place_height; ++y) {
            for (int x = 0; x < place_width; ++x) {
                double value = 0;
                for (std::size_t j = 0; j < rows[y].weights.size(); ++j) {
                    for (std::size_t i = 0; i < columns[x].weights.size(); ++i) {
                        const std::size_t pixel = (rows[y].first + j) * width + columns[x].first + i;
                        value += rows[y].weights[j] * columns[x].weights[i] * rgba[pixel * 4 + source];
                    }
                }
                const double scaled = value / 255 * preprocessing.range;
                out.data[(static_cast<std::size_t>(c) * out_height + top + y) * out_width + left + x] =
                    (scaled - preprocessing.mean[c]) / preprocessing.std[c];
            }
        }
    }
    return out;
}

Tensor to_colour(const Tensor& r0, Rule rule, const Preprocessing& preprocessing) {
    const Planes p = planes_of(r0.shape);
    if (p.images != 1 || p.channels != 3) throw std::runtime_error("to_colour: one image of three channels");
    Tensor out = Tensor::zeros({1, 3, p.height, p.width});
    for (int c = 0; c < 3; ++c) {
        const int from = preprocessing.bgr ? 2 - c : c;
        const double factor = rule == Rule::gradient ? 1 / preprocessing.std[from] : preprocessing.std[from];
        for (std::int64_t i = 0; i < p.area(); ++i) out.data[c * p.area() + i] = r0.data[from * p.area() + i] * factor;
    }
    return out;
}

double display_scale(const Tensor& colour, Display how, const Box& field, double blur) {
    const Planes p = planes_of(colour.shape);
    const bool norm = how == Display::norm;
    const auto lengths = norm ? lengths_of(colour, blur) : std::vector<double>{};
    std::vector<double> magnitudes;
    for (std::int64_t y = field.y0; y < field.y1; ++y) {
        for (std::int64_t x = field.x0; x < field.x1; ++x) {
            const std::int64_t i = y * p.width + x;
            for (int c = 0; c < (norm ? 1 : 3); ++c) {
                magnitudes.push_back(norm ? lengths[i] : std::abs(colour.data[c * p.area() + i]));
            }
        }
    }
    return magnitude_percentile(std::move(magnitudes));
}

Tensor display(const Tensor& colour, Display how, double scale, double blur) {
    const Planes p = planes_of(colour.shape);
    const auto [low, high] = std::minmax_element(colour.data.begin(), colour.data.end());
    const auto lengths = how == Display::norm ? lengths_of(colour, blur) : std::vector<double>{};
    Tensor out = Tensor::zeros({3, p.height, p.width});
    for (std::size_t i = 0; i < out.data.size(); ++i) {
        const double r = colour.data[i];
        double v = 0;
        switch (how) {
            case Display::signed_:
                v = scale > 0 ? 0.5 + r / (2 * scale) : 0.5;
                break;
            case Display::positive:
                v = scale > 0 ? std::max(r, 0.0) / scale : 0;
                break;
            case Display::norm:
                v = scale > 0 ? lengths[i % p.area()] / scale : 0;
                break;
            case Display::range:
                v = *high > *low ? (r - *low) / (*high - *low) : 0.5;
                break;
        }
        out.data[i] = std::clamp(v, 0.0, 1.0);
    }
    return out;
}

Tensor display(const Tensor& r0, Display how, Rule rule, const Preprocessing& preprocessing, const Box& field,
               double blur) {
    const Tensor colour = to_colour(r0, rule, preprocessing);
    return display(colour, how, display_scale(colour, how, field, blur), blur);
}

}  // namespace deconv::reference
