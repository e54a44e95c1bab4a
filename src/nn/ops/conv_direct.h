// Direct convolution, register-blocked: the algorithm that needs nothing.  See shaders/nn/conv.comp.
#pragma once

#include "nn/ops/convolution.h"

namespace deconv::nn {

class DirectConvolution : public ConvolutionAlgorithm {
  public:
    std::string_view name() const override { return "direct"; }
    bool supports(const ConvolutionTask& /*task*/, const gpu::DeviceInfo& /*device*/) const override { return true; }
    bool runs_chosen() const override { return true; }
    bool fuses_rectifier(const ConvolutionTask& task) const override { return task.rectifier->rule == Rule::deconv; }
    void emit(Emitter& emitter, const ConvolutionTask& task) const override;
};

}  // namespace deconv::nn
