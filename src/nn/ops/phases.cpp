#include "nn/ops/phases.h"

#include <numeric>

namespace deconv::nn {
namespace {

struct Axis {
    std::int64_t kernel, stride, pad, dilation, in, out;
};
std::vector<Taps> phases_of(const Axis& a, Direction direction) {
    std::vector<Taps> phases;
    if (direction == Direction::forward) {
        phases.push_back({a.kernel, -a.pad, a.dilation, 0, 1, a.stride, a.out, 0, 1});
        return phases;
    }
    const std::int64_t common = std::gcd(a.stride, a.dilation);
    for (std::int64_t phase = 0; phase < std::min(a.stride, a.in); ++phase) {
        Taps taps;
        taps.kernel_step = a.stride / common;
        taps.step = -a.dilation / common;
        taps.places = (a.in - phase + a.stride - 1) / a.stride;
        taps.destination_first = phase;
        taps.destination_step = a.stride;
        for (std::int64_t k = 0; k < a.kernel; ++k) {
            // The first of them that leaves no remainder; the numerator may be negative.
            if ((phase + a.pad - k * a.dilation) % a.stride != 0) continue;
            taps.kernel_first = k;
            taps.first = (phase + a.pad - k * a.dilation) / a.stride;
            taps.count = (a.kernel - 1 - k) / taps.kernel_step + 1;
            break;
        }
        phases.push_back(taps);
    }
    return phases;
}

Taps together_of(const Axis& a, std::int64_t cells) {
    // Destination place phase + stride · cells · p takes source place cells · p + t where phase + pad − stride · t lies
    // in the kernel.
    const auto floor_divide = [&](std::int64_t n) { return n >= 0 ? n / a.stride : -((-n + a.stride - 1) / a.stride); };
    Taps taps;
    taps.first = -floor_divide(a.kernel - 1 - a.pad);
    taps.count = floor_divide(a.stride * cells - 1 + a.pad) - taps.first + 1;
    taps.kernel_first = a.pad - a.stride * taps.first;
    taps.kernel_step = -a.stride;
    taps.stride = cells;
    taps.destination_step = taps.phases = a.stride * cells;
    taps.places = (a.in + taps.phases - 1) / taps.phases;
    return taps;
}

Axis rows(const Convolution& c) {
    return {c.kernel_y, c.stride_y, c.pad_y, c.dilation_y, c.in_height, c.out_height};
}
Axis columns(const Convolution& c) {
    return {c.kernel_x, c.stride_x, c.pad_x, c.dilation_x, c.in_width, c.out_width};
}

}  // namespace

std::vector<Taps> phases_y(const Convolution& c, Direction direction) {
    return phases_of(rows(c), direction);
}

std::vector<Taps> phases_x(const Convolution& c, Direction direction) {
    return phases_of(columns(c), direction);
}

Taps phases_together_y(const Convolution& c, std::int64_t cells) {
    return together_of(rows(c), cells);
}

Taps phases_together_x(const Convolution& c, std::int64_t cells) {
    return together_of(columns(c), cells);
}

std::int64_t weight_element(const Convolution& c, Direction direction, const Taps& y, const Taps& x,
                            const PhaseWeight& weight) {
    const bool forward = direction == Direction::forward;
    const std::int64_t o = weight.g * c.out_channels + (forward ? weight.d : weight.s);
    const std::int64_t i = forward ? weight.s : weight.d;
    const std::int64_t k = y.kernel_first + weight.k * y.kernel_step + weight.phase_y;
    const std::int64_t l = x.kernel_first + weight.l * x.kernel_step + weight.phase_x;
    if (k < 0 || l < 0 || k >= c.kernel_y || l >= c.kernel_x) return WeightLayout::none;
    return ((o * c.in_channels + i) * c.kernel_y + k) * c.kernel_x + l;
}

std::string describe_phase(const Convolution& c, Direction direction, const Taps& y, const Taps& x) {
    std::string text = direction == Direction::forward ? "forward" : "reverse";
    for (const std::int64_t part : {c.groups, y.count, x.count, y.kernel_first, x.kernel_first, y.kernel_step,
                                    x.kernel_step, y.phases, x.phases}) {
        text += " " + std::to_string(part);
    }
    return text;
}

}  // namespace deconv::nn
