// Convolution as a product by tiles in shared memory (implicit GEMM): for GPUs.  See shaders/nn/conv_tiled.comp.
#pragma once

#include "nn/ops/convolution.h"

namespace deconv::nn {

class TiledConvolution : public ConvolutionAlgorithm {
  public:
    std::string_view name() const override { return "tiled"; }
    bool supports(const ConvolutionTask& task, const gpu::DeviceInfo& device) const override;
    /// Not on a CPU, where barriers are dear: three to five times the time of `direct` on both software drivers.
    bool may_win(const gpu::DeviceInfo& device) const override { return device.type != gpu::DeviceType::cpu; }
    bool suits(const ConvolutionTask& task, const gpu::DeviceInfo& device) const override;
    bool fuses_rectifier(const Rectifier& rectifier) const override { return rectifier.rule == Rule::deconv; }
    void emit(Emitter& emitter, const ConvolutionTask& task) const override;
};

}  // namespace deconv::nn
