#include <algorithm>
#include <array>
#include <bit>

#include "base/half.h"
#include "nn/operator.h"

namespace deconv::nn {
namespace {

// G of F(2×2, 3×3) and F(4×4, 3×3), one row a point (Lavin and Gray, arXiv 1509.09308).
constexpr std::array<std::array<double, 3>, 4> filter_points_2 = {
    {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}}};
constexpr std::array<std::array<double, 3>, 6> filter_points_4 = {{{1.0 / 4, 0, 0},
                                                                   {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                                                                   {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                                                                   {1.0 / 24, 1.0 / 12, 1.0 / 6},
                                                                   {1.0 / 24, -1.0 / 12, 1.0 / 6},
                                                                   {0, 0, 1}}};

/// Kernels of nine to points of (tile + 2)².
std::vector<float> winograd_points(const std::vector<float>& plain, std::size_t tile, bool mirrored) {
    const std::size_t side = tile + 2;
    const auto row_of = [&](std::size_t point) {
        return tile == 2 ? filter_points_2.at(point) : filter_points_4.at(point);
    };
    std::vector<float> points(plain.size() / 9 * side * side);
    for (std::size_t kernel = 0; kernel < plain.size() / 9; ++kernel) {
        for (std::size_t point = 0; point < side * side; ++point) {
            const std::array<double, 3> rows = row_of(point / side);
            const std::array<double, 3> columns = row_of(point % side);
            double sum = 0;
            for (std::size_t tap = 0; tap < 9; ++tap) {
                sum += rows.at(tap / 3) * columns.at(tap % 3) *
                       static_cast<double>(plain[kernel * 9 + (mirrored ? 8 - tap : tap)]);
            }
            points[kernel * side * side + point] = static_cast<float>(sum);
        }
    }
    return points;
}

}  // namespace

std::vector<float> pack_weights(const std::vector<float>& plain, const WeightLayout& layout) {
    std::vector<float> transformed;
    if (layout.winograd != 0) {
        transformed = winograd_points(plain, static_cast<std::size_t>(layout.winograd), layout.mirrored);
    }
    const std::vector<float>& from = layout.winograd != 0 ? transformed : plain;
    const std::vector<std::uint32_t> table = layout.table();
    const auto element = [&](std::size_t i) { return table[i] == WeightLayout::none ? 0.0F : from[table[i]]; };
    // An infinite weight would make zeros NaN.
    const auto half = [&](std::size_t i) { return float_to_half(std::clamp(element(i), -65504.0F, 65504.0F)); };
    std::vector<float> packed(layout.half ? table.size() / 2 : table.size());
    for (std::size_t i = 0; i < packed.size(); ++i) {
        packed[i] = layout.half
                        ? std::bit_cast<float>(std::uint32_t{half(2 * i)} | std::uint32_t{half(2 * i + 1)} << 16U)
                        : element(i);
    }
    return packed;
}

}  // namespace deconv::nn
