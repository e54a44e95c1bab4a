// Sums over the channels of a tensor, in a fixed order: what batch normalisation learns from a batch, and the gradients
// of whatever is added to a channel.  See shaders/nn/channel_sums.comp and channel_totals.comp.
#pragma once

#include <string>

#include "nn/operator.h"

namespace deconv::nn {

/// A tensor as (N, C, plane).
struct Channels {
    std::int64_t images = 1, channels = 1, plane = 1;

    /// Of (N, C, …).
    explicit Channels(const Shape& shape);
};

/// `statistics` is (C, 8): mean, variance, scale, shift of each channel, and four more that emit_channel_reverse()
/// fills.
void emit_channel_moments(Emitter& emitter, const Channels& shape, const gpu::Slice& x, const gpu::Slice& gamma,
                          const gpu::Slice& beta, float epsilon, const gpu::Slice& statistics,
                          const std::string& label);
/// The gradients of gamma and beta, and the way back's part of the statistics.  `rectified`: a Relu followed.
void emit_channel_reverse(Emitter& emitter, const Channels& shape, const gpu::Slice& signal, const gpu::Slice& x,
                          float epsilon, bool rectified, const gpu::Slice& statistics, const gpu::Slice& gamma_gradient,
                          const gpu::Slice& beta_gradient, const std::string& label);
/// totals[c] = the sum over the channel.
void emit_channel_totals(Emitter& emitter, const Channels& shape, const gpu::Slice& source, const gpu::Slice& totals,
                         const std::string& label);

/// Four elements at once: where planes are whole fours and the device prefers texels.
bool runs_wide(const Emitter& emitter, const Channels& shape, std::initializer_list<gpu::Slice> slices);

}  // namespace deconv::nn
