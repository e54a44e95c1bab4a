// Convolution over packed channels: what a CPU's driver runs fastest.  See shaders/nn/conv_packed.comp.
#pragma once

#include "nn/ops/convolution.h"

namespace deconv::nn {

class PackedConvolution : public ConvolutionAlgorithm {
  public:
    /// Could it run such a convolution both ways, whatever the layouts?
    static bool runs(const Convolution& convolution, const gpu::DeviceInfo& device);
    /// Does it well to run such a convolution's reverse and another's before it as one, all of it packed?
    static bool runs_pairs(const Convolution& convolution, const gpu::DeviceInfo& device);
    std::string_view name() const override { return "packed"; }
    bool takes(Layout source, Layout destination) const override {
        return source != Layout::halves && destination != Layout::halves;
    }
    bool supports(const ConvolutionTask& task, const gpu::DeviceInfo& device) const override;
    bool runs_chosen() const override { return true; }
    bool pools() const override { return true; }
    bool reads_pointwise() const override { return true; }
    bool fuses_rectifier(const ConvolutionTask& task) const override {
        return task.source_layout == Layout::dense || task.rectifier->rule == Rule::deconv;
    }
    std::int64_t scratch_bytes(const ConvolutionTask& task) const override;
    void emit(Emitter& emitter, const ConvolutionTask& task) const override;
};

/// The same product without packing first, for 1×1 kernels without padding: where output channels are few.
class PointwiseConvolution : public ConvolutionAlgorithm {
  public:
    std::string_view name() const override { return "pointwise"; }
    bool takes(Layout source, Layout destination) const override {
        return source == Layout::dense && destination != Layout::halves;
    }
    bool supports(const ConvolutionTask& task, const gpu::DeviceInfo& device) const override;
    bool runs_chosen() const override { return true; }
    bool suits(const ConvolutionTask& task, const gpu::DeviceInfo& device) const override;
    bool fuses_rectifier(const ConvolutionTask& task) const override { return task.rectifier->rule == Rule::deconv; }
    void emit(Emitter& emitter, const ConvolutionTask& task) const override;
};

}  // namespace deconv::nn
