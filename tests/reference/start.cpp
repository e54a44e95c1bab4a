#include "reference/start.h"

#include <stdexcept>

namespace deconv::reference {

namespace {

/// The flat position of the largest of n values; the first of those that are equal.
std::int64_t first_largest(const double* values, std::int64_t n) {
    std::int64_t best = 0;
    for (std::int64_t i = 1; i < n; ++i) {
        if (values[i] > values[best]) best = i;
    }
    return best;
}

}  // namespace

std::int64_t strongest_channel(const Tensor& activation, std::int64_t n) {
    const Planes p = planes_of(activation.shape);
    const std::int64_t image = p.channels * p.area();
    return first_largest(activation.data.data() + n * image, image) / p.area();
}

std::pair<std::int64_t, std::int64_t> place_of_max(const Tensor& activation, std::int64_t c, std::int64_t n) {
    const Planes p = planes_of(activation.shape);
    const std::int64_t at = first_largest(activation.data.data() + (n * p.channels + c) * p.area(), p.area());
    return {at / p.width, at % p.width};
}

Tensor make_start(const Tensor& activation, ChannelChoice channel, PlaceChoice place, StartValue value) {
    const Planes p = planes_of(activation.shape);
    if (channel.kind == ChannelChoice::Kind::one && (channel.index < 0 || channel.index >= p.channels)) {
        throw std::runtime_error("no channel " + std::to_string(channel.index));
    }
    if (place.kind == PlaceChoice::Kind::at &&
        (place.y < 0 || place.y >= p.height || place.x < 0 || place.x >= p.width)) {
        throw std::runtime_error("no position " + std::to_string(place.y) + "," + std::to_string(place.x));
    }
    Tensor start = Tensor::zeros(activation.shape);
    for (std::int64_t n = 0; n < p.images; ++n) {
        const std::int64_t only =
            channel.kind == ChannelChoice::Kind::strongest ? strongest_channel(activation, n) : channel.index;
        for (std::int64_t c = 0; c < p.channels; ++c) {
            if (channel.kind != ChannelChoice::Kind::all && c != only) continue;
            const auto [max_y, max_x] = place_of_max(activation, c, n);
            for (std::int64_t y = 0; y < p.height; ++y) {
                for (std::int64_t x = 0; x < p.width; ++x) {
                    if (place.kind == PlaceChoice::Kind::max && (y != max_y || x != max_x)) continue;
                    if (place.kind == PlaceChoice::Kind::at && (y != place.y || x != place.x)) continue;
                    const std::int64_t i = ((n * p.channels + c) * p.height + y) * p.width + x;
                    start.data[i] = value == StartValue::one ? 1.0 : activation.data[i];
                }
            }
        }
    }
    return start;
}

}  // namespace deconv::reference
