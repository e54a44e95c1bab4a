// Where a projection starts: "Where a projection starts".
#pragma once

#include <cstdint>
#include <utility>

#include "reference/tensor.h"

namespace deconv::reference {

struct ChannelChoice {
    enum class Kind { one, strongest, all } kind = Kind::strongest;
    std::int64_t index = 0;  // for Kind::one

    static ChannelChoice number(std::int64_t c) { return {Kind::one, c}; }
    static ChannelChoice strongest() { return {Kind::strongest, 0}; }
    static ChannelChoice all() { return {Kind::all, 0}; }
};

struct PlaceChoice {
    enum class Kind { all, max, at } kind = Kind::all;
    std::int64_t y = 0, x = 0;  // for Kind::at

    static PlaceChoice all() { return {Kind::all, 0, 0}; }
    static PlaceChoice max() { return {Kind::max, 0, 0}; }
    static PlaceChoice at(std::int64_t y, std::int64_t x) { return {Kind::at, y, x}; }
};

enum class StartValue { value, one };

/// The signal at T.  Each image of a batch makes its own choice of `strongest` and of `max`.
Tensor make_start(const Tensor& activation, ChannelChoice channel, PlaceChoice place, StartValue value);

/// The channel with the largest single activation in image n; ties go to the first.
std::int64_t strongest_channel(const Tensor& activation, std::int64_t n = 0);
/// (y, x) of the largest value of a channel; ties go to the first in row-major order.
std::pair<std::int64_t, std::int64_t> place_of_max(const Tensor& activation, std::int64_t c, std::int64_t n = 0);

}  // namespace deconv::reference
