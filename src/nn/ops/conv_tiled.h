// Convolution as a product by tiles in shared memory (implicit GEMM): for GPUs.  See shaders/nn/conv_tiled.comp.
#pragma once

#include <algorithm>

#include "nn/ops/convolution.h"
#include "nn/ops/emit.h"

namespace deconv::nn {

/// Variants of conv_tiled.comp, by what a workgroup computes: output channels × places.
enum class TileKind {
    tiled,        // 64 × 64
    tiled128,     // 128 × 64
    tiled128x32,  // 128 × 32: for products of few places
    half,         // 64 × 64; multiplies in half precision, and adds up in it sixteen products (below 65504) at a time
    matrix,       // 64 × 64 by cooperative matrices: halves multiplied, summed in floats
    matrix64,     // the same by longer steps, for few tiles
    matrix128x128,  // 128 × 128 likewise
    matrix16x128,   // 16 × 128 likewise, for few channels
};

struct TileShape {
    std::string_view algorithm, shader;
    std::int64_t height, width;  // output channels and places of a workgroup
    std::int64_t depth;          // of a step
    std::int64_t threads;
    std::int64_t shared_bytes;
    bool half;    // weights are in half precision, and maps may be
    bool matrix;  // by cooperative matrices
    /// Workgroups that keep a large GPU busy: an H200 was fastest with 200 to 400, or with fewer of matrices, whose
    /// sums are soon done and whose parts then cost more to add up.
    std::int64_t wanted = 320;

    /// Elements of the right side that an invocation loads each step, all at one place.
    std::int64_t right_loads() const { return depth * width / threads; }
};
const TileShape& shape_of(TileKind kind);

/// One run of conv_tiled.comp: a convolution from its source to its destination, both (N, C, H, W).
struct TiledProduct {
    TileKind kind = TileKind::tiled;
    std::int64_t images = 1, groups = 1;
    std::int64_t source_channels = 1, destination_channels = 1;  // of one group
    std::int64_t source_height = 1, source_width = 1;
    Layout source_layout = Layout::dense, destination_layout = Layout::dense;  // or halves
    std::int64_t grid_height = 1, grid_width = 1;                              // places
    std::int64_t kernel_y = 1, kernel_x = 1;                                   // none: the sums are zero
    // Along an axis the source of a place and tap is place · stride − pad + tap · dilation; dilations may be negative.
    std::int64_t stride_y = 1, stride_x = 1, pad_y = 0, pad_x = 0, dilation_y = 1, dilation_x = 1;
    bool whole = false;            // the steps are not shared out
    std::optional<Spread> spread;  // of the places in a destination's plane; else they follow each other
    bool accumulate = false;
    bool rectified = false;  // max(x, 0) of the source
    Activation activation = Activation::none;

    const TileShape& shape() const { return shape_of(kind); }
    std::int64_t taps() const { return kernel_y * kernel_x; }
    std::int64_t places() const { return grid_height * grid_width; }
    std::int64_t blocks() const { return (destination_channels + shape().height - 1) / shape().height; }
    /// A step has one tap: its source channels fill whole steps.
    bool by_taps() const { return source_channels % shape().depth == 0; }
    std::int64_t steps() const { return (source_channels * taps() + shape().depth - 1) / shape().depth; }
    std::int64_t tiles() const { return groups * blocks() * ((images * places() + shape().width - 1) / shape().width); }
    /// Steps of one workgroup, and how many share the whole: as many as keep a GPU busy.
    std::int64_t part_steps() const;
    std::int64_t parts() const { return std::max<std::int64_t>(1, (steps() + part_steps() - 1) / part_steps()); }
    std::int64_t weight_elements() const { return groups * blocks() * steps() * shape().depth * shape().height; }
    std::uint64_t weight_bytes() const {
        return static_cast<std::uint64_t>(weight_elements()) * (shape().half ? 2 : 4);
    }
    /// Of the partial sums; 0 where there is one part.
    std::uint64_t parts_bytes() const;
    /// Shares out no steps where the partial sums (20 MB at most, for any number of images) cannot be bound.
    void fit_parts(const gpu::Limits& limits) { whole = whole || parts_bytes() > limits.storage_range; }
    bool fits(const gpu::Limits& limits) const;
};

/// Weights as the product reads them: index(g, d, s, t) is the element that is the weight of destination channel d and
/// source channel s of group g at tap t, counted along the product's kernel.
std::vector<std::uint32_t> tiled_weight_table(
    const TiledProduct& product,
    const std::function<std::int64_t(std::int64_t g, std::int64_t d, std::int64_t s, std::int64_t t)>& index);

/// Into the destination, if parts() is 1; else the partial sums into `to`, one after the other, without bias and
/// activation.  `bias` may be empty.
void emit_tiled_product(Emitter& emitter, const TiledProduct& product, const gpu::Slice& source,
                        const gpu::Slice& weights, const gpu::Slice& bias, const gpu::Slice& to,
                        const std::string& label);

class TiledConvolution : public ConvolutionAlgorithm {
  public:
    explicit TiledConvolution(TileKind kind) : kind_(kind) {}

    /// Could `half` run such a convolution both ways, from and to halves or dense tensors?
    static bool runs_halves(const Convolution& convolution, std::int64_t images, const LayoutOffer& offer);
    bool takes(Layout source, Layout destination) const override {
        return source != Layout::packed && destination != Layout::packed &&
               (shape_of(kind_).half || (source == Layout::dense && destination == Layout::dense));
    }
    std::string_view name() const override { return shape_of(kind_).algorithm; }
    bool supports(const ConvolutionTask& task, const gpu::DeviceInfo& device) const override;
    /// Not on a CPU, where barriers are dear: three to five times the time of `direct` on both software drivers.
    bool may_win(const ConvolutionTask& /*task*/, const gpu::DeviceInfo& device) const override {
        return device.type != gpu::DeviceType::cpu;
    }
    bool suits(const ConvolutionTask& task, const gpu::DeviceInfo& device) const override;
    bool fuses_rectifier(const ConvolutionTask& task) const override { return task.rectifier->rule == Rule::deconv; }
    void emit(Emitter& emitter, const ConvolutionTask& task) const override;

  private:
    /// One product for each phase.
    struct Phase;
    std::vector<Phase> phases_of(const ConvolutionTask& task) const;

    TileKind kind_;
};

}  // namespace deconv::nn
