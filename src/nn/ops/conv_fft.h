// Convolution by Fourier transforms, for large kernels at stride 1: overlap-save over tiles, transforms by VkFFT, and
// between them a complex product over channels.  See docs/performance.md, "FFT".
#pragma once

#include "nn/ops/convolution.h"

namespace deconv::nn {

class FftConvolution : public ConvolutionAlgorithm {
  public:
    std::string_view name() const override { return "fft"; }
    /// Refuses strides, programs built without VkFFT, and what makes a binding or the weights' transforms too large.
    bool supports(const ConvolutionTask& task, const gpu::DeviceInfo& device) const override;
    bool suits(const ConvolutionTask& task, const gpu::DeviceInfo& device) const override;
    bool fuses_rectifier(const Rectifier& /*rectifier*/) const override { return true; }
    std::int64_t scratch_bytes(const ConvolutionTask& task) const override;
    void emit(Emitter& emitter, const ConvolutionTask& task) const override;
};

}  // namespace deconv::nn
