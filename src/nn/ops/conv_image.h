// The reverse of a convolution into an image: up to three channels, all taps and phases at once, unpooling included.
// What CPUs' drivers run fastest of a first layer's way back.  See shaders/nn/conv_image.comp.
#pragma once

#include "nn/ops/convolution.h"

namespace deconv::nn {

class ImageConvolution : public ConvolutionAlgorithm {
  public:
    /// Could it run such a convolution's reverse, its source packed?
    static bool runs(const Convolution& convolution, const gpu::DeviceInfo& device);
    std::string_view name() const override { return "image"; }
    bool takes(Layout source, Layout destination) const override {
        return source == Layout::packed && destination == Layout::dense;
    }
    bool supports(const ConvolutionTask& task, const gpu::DeviceInfo& device) const override;
    bool reads_pooled() const override { return true; }
    bool fuses_rectifier(const ConvolutionTask& task) const override { return task.rectifier->rule == Rule::deconv; }
    void emit(Emitter& emitter, const ConvolutionTask& task) const override;
};

}  // namespace deconv::nn
