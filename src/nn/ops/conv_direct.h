// Direct convolution, register-blocked: the algorithm that needs nothing.  See shaders/nn/conv.comp.
#pragma once

#include "nn/ops/convolution.h"

namespace deconv::nn {

class DirectConvolution : public ConvolutionAlgorithm {
  public:
    std::string_view name() const override { return "direct"; }
    bool takes(Layout source, Layout destination) const override {
        return source == Layout::dense && destination != Layout::packed;
    }
    bool supports(const ConvolutionTask& task, const gpu::DeviceInfo& device) const override {
        const Convolution& c = task.convolution;
        const std::int64_t channels = task.direction == Direction::forward ? c.out_channels : c.in_channels;
        return task.destination_layout == Layout::dense || (device.type != gpu::DeviceType::cpu && channels % 16 == 0);
    }
    bool runs_chosen() const override { return true; }
    bool fuses_rectifier(const ConvolutionTask& task) const override { return task.rectifier->rule == Rule::deconv; }
    void emit(Emitter& emitter, const ConvolutionTask& task) const override;
};

}  // namespace deconv::nn
