// Convolution as a product by tiles in shared memory (implicit GEMM): for GPUs.  See shaders/nn/conv_tiled.comp.
#pragma once

#include "nn/ops/convolution.h"

namespace deconv::nn {

/// Variants of conv_tiled.comp: what a workgroup computes, and in what precision.
enum class TileKind {
    tiled,     // 64 output channels at 64 places
    tiled128,  // 128 at 64
    half,      // as `tiled`; multiplies in half precision, and adds up in it sixteen at a time
    matrix,    // 64 at 64 by cooperative matrices: halves multiplied, summed in floats
};

/// One run of conv_tiled.comp: a convolution from its source to its destination, both dense, (N, C, H, W).
struct TiledProduct {
    TileKind kind = TileKind::tiled;
    std::int64_t images = 1, groups = 1;
    std::int64_t source_channels = 1, destination_channels = 1;  // of one group
    std::int64_t source_height = 1, source_width = 1;
    std::int64_t destination_height = 1, destination_width = 1;
    std::int64_t kernel_y = 1, kernel_x = 1;
    std::int64_t stride_y = 1, stride_x = 1, pad_y = 0, pad_x = 0, dilation_y = 1, dilation_x = 1;
    bool accumulate = false;
    bool rectified = false;  // max(x, 0) of the source
    Activation activation = Activation::none;

    static constexpr std::int64_t width = 64;                                      // places of a workgroup
    std::int64_t height() const { return kind == TileKind::tiled128 ? 128 : 64; }  // its output channels
    std::int64_t depth() const { return kind == TileKind::tiled128 ? 8 : kind == TileKind::matrix ? 32 : 16; }
    std::int64_t threads() const { return kind == TileKind::tiled || kind == TileKind::half ? 64 : 128; }
    /// Weights are in half precision.
    bool halves() const { return kind == TileKind::half || kind == TileKind::matrix; }
    std::int64_t taps() const { return kernel_y * kernel_x; }
    std::int64_t places() const { return destination_height * destination_width; }
    std::int64_t blocks() const { return (destination_channels + height() - 1) / height(); }
    /// A step has one tap: its source channels fill whole steps.
    bool by_taps() const { return source_channels % depth() == 0; }
    std::int64_t steps() const { return (source_channels * taps() + depth() - 1) / depth(); }
    std::int64_t tiles() const { return groups * blocks() * ((images * places() + width - 1) / width); }
    /// Steps of one workgroup, and how many share the whole: as many as keep a GPU busy.
    std::int64_t part_steps() const;
    std::int64_t parts() const { return (steps() + part_steps() - 1) / part_steps(); }
    std::int64_t weight_elements() const { return groups * blocks() * steps() * depth() * height(); }
    std::uint64_t weight_bytes() const { return static_cast<std::uint64_t>(weight_elements()) * (halves() ? 2 : 4); }
    /// Of the partial sums; 0 where there is one part.
    std::uint64_t parts_bytes() const;
    bool fits(const gpu::Limits& limits) const;
};

/// Weights as the product reads them: index(g, d, s, t) is the element that is the weight of destination channel d and
/// source channel s of group g at tap t, counted along the product's kernel.
std::vector<std::uint32_t> tiled_weight_table(
    const TiledProduct& product,
    const std::function<std::int64_t(std::int64_t g, std::int64_t d, std::int64_t s, std::int64_t t)>& index);

/// `bias` may be empty; `parts` has parts_bytes().
void emit_tiled_product(Emitter& emitter, const TiledProduct& product, const gpu::Slice& source,
                        const gpu::Slice& weights, const gpu::Slice& bias, const gpu::Slice& parts,
                        const gpu::Slice& destination, const std::string& label);

class TiledConvolution : public ConvolutionAlgorithm {
  public:
    explicit TiledConvolution(TileKind kind) : kind_(kind) {}

    std::string_view name() const override;
    bool supports(const ConvolutionTask& task, const gpu::DeviceInfo& device) const override;
    /// Not on a CPU, where barriers are dear: three to five times the time of `direct` on both software drivers.
    bool may_win(const gpu::DeviceInfo& device) const override { return device.type != gpu::DeviceType::cpu; }
    bool suits(const ConvolutionTask& task, const gpu::DeviceInfo& device) const override;
    bool fuses_rectifier(const Rectifier& rectifier) const override { return rectifier.rule == Rule::deconv; }
    std::int64_t scratch_bytes(const ConvolutionTask& task) const override;
    void emit(Emitter& emitter, const ConvolutionTask& task) const override;

  private:
    TiledProduct product_of(const ConvolutionTask& task, std::int64_t images) const;

    TileKind kind_;
};

}  // namespace deconv::nn
