// What runs for one choice of layer and rule: which operators, in which order, in which memory, forward and back.
#pragma once

#include <optional>
#include <set>
#include <vector>

#include "nn/model.h"
#include "nn/ops/convolution.h"
#include "nn/projection.h"
#include "vk/recording.h"

namespace deconv::nn {

struct PlanOptions {
    /// Tensor (index in Network::tensors()) whose activity is projected back; -1: forward only.
    int target = -1;
    Precision precision = Precision::single;
    Rule rule = Rule::deconv;
    LrnReverse lrn = LrnReverse::identity;
    /// Channels projected in one pass.
    std::int64_t copies = 1;
    /// Further tensors that must hold their values when the forward pass is over.
    std::set<int> observed;
    /// Every step of the way back stays in memory: see Plan::rungs().
    bool keep_signals = false;
    /// The way back from a single position is cropped to its receptive field, see Plan::single_steps(), where that has
    /// less than this share of the work.
    double crop_below = 0.3;
};

/// A place on the way back through which all of the signal passes: no branch leads around it.
struct Rung {
    int tensor = 0;  // the signal at this tensor
    int node = -1;   // whose reverse brought it there; -1 for the start
    Signal signal;
    Tensor switches;  // of a max pool that was undone, (N, C, h, w), uint32 places in a plane; else empty
};

/// Steps and memory of one pass.  Its network's outputs, its target and what is observed are there afterwards; other
/// tensors share memory and are not.  Steps are given to a gpu::Recording; a plan itself runs nothing.
class Plan {
  public:
    /// Throws Error where no signal can come back from the target (naming why), or memory runs out.
    Plan(Model& model, const PlanOptions& options);

    const PlanOptions& options() const { return options_; }
    /// In stages "forward" and, with a target, "project".
    const std::vector<gpu::Step>& steps() const { return steps_; }
    /// The same, with the same results, where each copy's selection is of a single position (Selection::is_single()):
    /// the way back is cropped to its receptive field.  Empty where that cannot be, or gains nothing.
    const std::vector<gpu::Step>& single_steps() const { return single_steps_; }

    /// Device memory of a tensor that is there afterwards: inputs (which the caller fills), outputs, target, observed.
    Tensor tensor(int index) const;
    /// R₀, one after the other for each copy.  Only with a target.
    Signal reconstruction() const;
    /// One SelectionRequest a copy; the caller writes it (a Copy step) before the steps run.
    gpu::Slice requests() const { return requests_.slice(); }
    /// One ResolvedSelection for each copy of each image.
    gpu::Slice selections() const { return selections_.slice(); }
    /// (bits of the largest value, place) of each plane of the target.
    gpu::Slice peaks() const { return peaks_.slice(); }

    /// The way back from the target to the image, in its order.  Only with keep_signals.
    const std::vector<Rung>& rungs() const { return rungs_; }

    /// Its convolutions, both ways; what they point to is the model's.
    const std::vector<ConvolutionTask>& convolutions() const { return convolutions_; }

    /// Where part of the signal ends on its way, one line each: a node that it cannot cross (a divisor, a Softmax in
    /// the middle of the network), while other paths lead on.
    const std::vector<std::string>& warnings() const { return warnings_; }

    /// Bytes of activations and signals; constants are shared by the plans of a model.
    std::uint64_t memory_bytes() const;

  private:
    class Builder;

    Model& model_;
    PlanOptions options_;
    std::vector<gpu::Buffer> blocks_;
    KeptConstants constants_;
    gpu::Buffer requests_, selections_, peaks_;
    std::vector<gpu::Slice> forward_;  // by tensor; empty where it has none
    Signal reconstruction_;
    std::vector<gpu::Step> steps_, single_steps_;
    std::vector<std::string> warnings_;
    std::vector<Rung> rungs_;
    std::vector<ConvolutionTask> convolutions_;
};

}  // namespace deconv::nn
