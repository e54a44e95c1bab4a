// A convolution along one axis as sums over regular taps, both ways: what remains of a strided reverse where each
// destination place modulo the stride is looked at by itself.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "nn/ops/convolution.h"

namespace deconv::nn {

/// The taps of one phase along one axis.  Source places count from the dense tensor's beginning, and may lie outside.
struct Taps {
    std::int64_t count = 0, first = 0, step = 1;     // source place of the first tap at the first place, …
    std::int64_t kernel_first = 0, kernel_step = 1;  // the same taps in the kernel
    std::int64_t stride = 1, places = 1;             // of the grid, in the source
    std::int64_t destination_first = 0, destination_step = 1;
    /// All phases together: each tap has a weight for each of the so many destination places of a grid place, some of
    /// them outside the kernel.
    std::int64_t phases = 1;

    std::int64_t lowest() const { return first + std::min<std::int64_t>(0, (count - 1) * step); }
    std::int64_t highest() const {
        return first + std::max<std::int64_t>(0, (count - 1) * step) + (places - 1) * stride;
    }
};

/// Forward there is one phase; in reverse each destination place modulo the stride has taps of its own, or none.
std::vector<Taps> phases_y(const Convolution& convolution, Direction direction);
std::vector<Taps> phases_x(const Convolution& convolution, Direction direction);
/// All phases of a reverse without dilation together, of `cells` · `cells` neighbouring places each.
Taps phases_together_y(const Convolution& convolution, std::int64_t cells);
Taps phases_together_x(const Convolution& convolution, std::int64_t cells);

/// A weight between destination channel d and source channel s of group g, at a phase's taps k and l.
struct PhaseWeight {
    std::int64_t g, d, s, k, l;
    std::int64_t phase_y = 0, phase_x = 0;  // where phases are together
};
/// Its element in (groups · out_channels, in_channels, kernel_y, kernel_x); WeightLayout::none outside the kernel.
std::int64_t weight_element(const Convolution& convolution, Direction direction, const Taps& y, const Taps& x,
                            const PhaseWeight& weight);
/// Direction, groups and taps: phases that read other weights, or in another order, are described otherwise.
std::string describe_phase(const Convolution& convolution, Direction direction, const Taps& y, const Taps& x);

}  // namespace deconv::nn
