// Collects what operators emit as steps of a recording.
#pragma once

#include <string>
#include <vector>

#include "nn/model.h"
#include "nn/ops/convolution.h"
#include "vk/recording.h"

namespace deconv::nn {

/// Steps go to `steps`, convolutions to `convolutions`, the constants they read to `kept`, which the steps must not
/// outlive; the model has all constants, and the choices.  All outlive it.
class StepEmitter : public Emitter {
  public:
    StepEmitter(Model& model, std::vector<gpu::Step>& steps, std::vector<ConvolutionTask>& convolutions,
                KeptConstants& kept)
        : model_(model), steps_(steps), convolutions_(convolutions), kept_(kept) {}

    void precision(Precision precision) { precision_ = precision; }
    Precision precision() const override { return precision_; }
    /// The stage of the steps that follow.
    void stage(std::string name) { stage_ = std::move(name); }
    void emit(gpu::Dispatch dispatch) override { steps_.push_back({std::move(dispatch), {}, stage_}); }
    void copy(const gpu::Copy& copy, const std::string& label) override {
        steps_.push_back(gpu::copy_step(copy, stage_, label));
    }
    const gpu::DeviceInfo& device() const override { return model_.device().info(); }
    gpu::Slice constant(const HostTensor& data, const std::string& layout,
                        const std::function<std::vector<float>()>& pack) override {
        return model_.constants().get(data, layout, pack, kept_);
    }
    using Emitter::constant;
    gpu::Slice unused() override { return model_.constants().unused(); }
    /// Has no buffer yet: place_scratch() gives it one when the largest need is known.
    gpu::Slice scratch(std::uint64_t bytes) override {
        scratch_bytes_ = std::max(scratch_bytes_, bytes);
        return {{}, 0, bytes};
    }
    std::string choice(const std::string& task) const override { return model_.choices().get(task); }
    void note(const ConvolutionTask& task) override { convolutions_.push_back(task); }

    /// One buffer, added to `blocks`, for all scratch memory; barriers keep its users apart.
    void place_scratch(std::vector<gpu::Buffer>& blocks) {
        if (scratch_bytes_ == 0) return;
        blocks.emplace_back(model_.device(), scratch_bytes_, gpu::MemoryUse::device);
        for (gpu::Step& step : steps_) {
            for (gpu::Binding& binding : step.dispatch.bindings) {
                if (!binding.slice) binding.slice.buffer = blocks.back().slice().buffer;
            }
        }
    }

  private:
    std::uint64_t scratch_bytes_ = 0;
    Model& model_;
    std::vector<gpu::Step>& steps_;
    std::vector<ConvolutionTask>& convolutions_;
    KeptConstants& kept_;
    std::string stage_;
    Precision precision_ = Precision::single;
};

}  // namespace deconv::nn
