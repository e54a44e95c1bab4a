// Convolution by Fourier transforms, for large kernels at stride 1: overlap-save over tiles, transforms by VkFFT, and
// between them a complex product over channels.  See docs/performance.md, "FFT".
#pragma once

#include <algorithm>

#include "nn/ops/convolution.h"

namespace deconv::nn {

class FftConvolution : public ConvolutionAlgorithm {
  public:
    std::string_view name() const override { return "fft"; }
    /// Refuses strides, programs built without VkFFT, and what makes a binding or the weights' transforms too large.
    bool supports(const ConvolutionTask& task, const gpu::DeviceInfo& device) const override;
    /// On a GPU not for small kernels: beside today's tiles and Winograd it lost wherever it was measured, and each
    /// size of a transform has to be compiled for that.
    bool may_win(const ConvolutionTask& task, const gpu::DeviceInfo& device) const override {
        const Convolution& c = task.convolution;
        return device.type == gpu::DeviceType::cpu || std::max(c.kernel_y, c.kernel_x) >= 5;
    }
    bool suits(const ConvolutionTask& task, const gpu::DeviceInfo& device) const override;
    bool fuses_rectifier(const ConvolutionTask& /*task*/) const override { return true; }
    std::int64_t scratch_bytes(const ConvolutionTask& task) const override;
    void emit(Emitter& emitter, const ConvolutionTask& task) const override;
};

}  // namespace deconv::nn
