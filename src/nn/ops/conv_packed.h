// Convolution over packed channels: what a CPU's driver runs fastest.  See shaders/nn/conv_packed.comp.
#pragma once

#include "nn/ops/convolution.h"

namespace deconv::nn {

class PackedConvolution : public ConvolutionAlgorithm {
  public:
    std::string_view name() const override { return "packed"; }
    bool supports(const ConvolutionTask& task, const gpu::DeviceInfo& device) const override;
    bool runs_chosen() const override { return true; }
    bool fuses_rectifier(const Rectifier& /*rectifier*/) const override { return true; }
    std::int64_t scratch_bytes(const ConvolutionTask& task) const override;
    void emit(Emitter& emitter, const ConvolutionTask& task) const override;
};

/// The same product without packing first, for 1×1 kernels without padding: where output channels are few.
class PointwiseConvolution : public ConvolutionAlgorithm {
  public:
    std::string_view name() const override { return "pointwise"; }
    bool supports(const ConvolutionTask& task, const gpu::DeviceInfo& device) const override;
    bool runs_chosen() const override { return true; }
    bool suits(const ConvolutionTask& task, const gpu::DeviceInfo& device) const override;
    bool fuses_rectifier(const Rectifier& rectifier) const override { return rectifier.rule == Rule::deconv; }
    void emit(Emitter& emitter, const ConvolutionTask& task) const override;
};

}  // namespace deconv::nn
