// Where a projection starts, and what was selected on the device.
#pragma once

#include <cstdint>
#include <string>

#include "nn/operator.h"

namespace deconv::nn {

/// What a person asks for, one for each projection of a pass.
struct Selection {
    static constexpr std::int32_t strongest = -1;  // the channel with the largest single activation
    static constexpr std::int32_t all = -2;        // every channel
    enum class Where : std::int32_t { all, max, pinned };

    std::int32_t channel = strongest;
    Where where = Where::all;
    std::int32_t y = 0, x = 0;  // of the pinned position
    bool one = false;           // start with ones in place of the values

    /// Everything starts at one position.
    bool is_single() const { return where == Where::pinned || (where == Where::max && channel != all); }
};

/// As the device reads it; see shaders/nn/select.comp.
struct SelectionRequest {
    std::int32_t channel, where, place, one;
};
SelectionRequest to_request(const Selection& selection, std::int64_t width);

/// As the device writes it.
struct ResolvedSelection {
    std::int32_t channel;  // or Selection::all
    std::int32_t where;
    std::int32_t place;  // y · width + x of the peak or pin
    std::int32_t one;
    float peak;              // the channel's largest activation
    std::int32_t strongest;  // the strongest channel, whatever was asked for
    std::int32_t reserved[2];
};

/// Channels and positions of a tensor: (N, C, …) with everything behind C as one plane; (C) alone is one image.
struct Extent {
    std::int64_t images = 1, channels = 1, plane = 1, width = 1;
};
Extent extent_of(const Shape& shape);

/// Steps that find every plane's peak and resolve the requests.  Slices: `peaks` 8 bytes a plane, `requests` 16 bytes a
/// copy, `selections` 32 bytes for each copy of each image.
void emit_selection(Emitter& emitter, const Tensor& tensor, const gpu::Slice& peaks, const gpu::Slice& requests,
                    const gpu::Slice& selections, std::int64_t copies);
/// Steps that then write the start.
void emit_start(Emitter& emitter, const Tensor& tensor, const gpu::Slice& peaks, const gpu::Slice& selections,
                const Signal& start);

}  // namespace deconv::nn
