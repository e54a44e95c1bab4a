// 3×3 convolution with stride 1, both ways, by Winograd's minimal filtering: F(2×2, 3×3) multiplies 2.25 times less
// than the plain sum, F(4×4, 3×3) 4 times.  See shaders/nn/winograd_input.comp, then conv_packed.comp or (on GPUs)
// conv_tiled.comp, then winograd_output.comp.
#pragma once

#include "nn/ops/convolution.h"

namespace deconv::nn {

class WinogradConvolution : public ConvolutionAlgorithm {
  public:
    explicit WinogradConvolution(std::int64_t tile) : tile_(tile) {}

    std::string_view name() const override { return tile_ == 2 ? "winograd2" : "winograd4"; }
    bool takes(Layout source, Layout destination) const override {
        return source != Layout::halves && destination != Layout::halves;
    }
    bool supports(const ConvolutionTask& task, const gpu::DeviceInfo& device) const override;
    /// Not on a CPU that does not run packed products: see TiledConvolution.
    bool may_win(const ConvolutionTask& task, const gpu::DeviceInfo& device) const override;
    bool pools() const override { return true; }
    bool suits(const ConvolutionTask& task, const gpu::DeviceInfo& device) const override;
    bool fuses_rectifier(const ConvolutionTask& task) const override { return task.rectifier->rule == Rule::deconv; }
    std::int64_t scratch_bytes(const ConvolutionTask& task) const override;
    void emit(Emitter& emitter, const ConvolutionTask& task) const override;

  private:
    struct Shape;
    Shape shape_of(const ConvolutionTask& task) const;
    /// Of all images' tiles, one after the other.
    void emit_tiles(Emitter& emitter, const ConvolutionTask& task, std::int64_t first_tile, std::int64_t tiles) const;

    std::int64_t tile_;  // 2 or 4: rows and columns of the destination that a tile makes
};

}  // namespace deconv::nn
