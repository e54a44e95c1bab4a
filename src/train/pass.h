// One step of training as steps of a recording: pack the weights, forward, loss, back with gradients, update.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "nn/model.h"
#include "nn/ops/convolution.h"
#include "train/parameters.h"
#include "vk/recording.h"

namespace deconv::train {

/// Hyperparameters of a single step.
struct Rates {
    float learning_rate = 0, momentum = 0, decay = 0;
};

/// Sums over the batch.
struct StepResult {
    double loss = 0;  // mean cross-entropy, with the smoothing if there is one
    std::int64_t hits = 0;
};

struct PassOptions {
    std::int64_t batch = 128;
    float smoothing = 0;                            // of the labels
    float running_share = 0.1F;                     // of the batch in the running statistics
    std::uint32_t seed = 1;                         // of dropout
    double segment_ms = 100;                        // long: nobody waits for the queue
    std::map<std::string, std::string> algorithms;  // by task (nn::describe()); others run the device's default
};

/// The graph as it is trained: batch normalisation by the batch's statistics, dropout, without the Softmax at the end
/// (the loss has its own), and for batches of that size.
nn::Graph training_graph(const nn::Graph& graph, std::int64_t batch);

/// The network is `graph`, in its inference form: an image input (N, C, H, W), a classification (N, classes) as output,
/// with BatchNormalization and Dropout nodes where it has them.  Two steps may be under way: the host fills one slot
/// while the device runs the other.  One thread.
class TrainingPass {
  public:
    static constexpr std::size_t slots = 2;

    /// Throws Error naming the node where something cannot be trained.
    TrainingPass(const gpu::Device& device, gpu::Pipelines& pipelines, const nn::Graph& graph,
                 const PassOptions& options);

    Parameters& parameters() { return parameters_; }
    const PassOptions& options() const { return options_; }
    std::int64_t classes() const { return classes_; }

    /// Where the host puts what a slot's step reads: (batch, C, H, W), and the labels, below classes().  Only while
    /// the slot's step is not under way.
    std::span<float> pixels(std::size_t slot);
    std::span<std::uint32_t> labels(std::size_t slot);
    /// Sends a step off; `step` counts them, for dropout.
    void submit(std::size_t slot, std::uint32_t step, const Rates& rates);
    /// Waits for the slot's step.
    StepResult finish(std::size_t slot);
    /// All steps of one run, in stages "upload", "pack", "forward", "loss", "backward", "update", "result".
    const std::vector<gpu::Step>& steps() const { return slots_[0].steps; }
    /// Its convolutions, both ways; what they point to is the pass's.
    const std::vector<nn::ConvolutionTask>& convolutions() const { return convolutions_; }

  private:
    class Builder;
    /// As the device reads it.
    struct Settings {
        float rate, momentum, decay;
        std::uint32_t seed, step;
    };
    struct Slot {
        gpu::Buffer staging, results;
        std::vector<gpu::Step> steps;
        std::unique_ptr<gpu::Recording> recording;
        gpu::Scheduler::Ticket ticket = 0;
    };

    PassOptions options_;
    Parameters parameters_;
    nn::Model model_;
    gpu::Scheduler scheduler_;
    std::vector<gpu::Buffer> blocks_;
    gpu::Arena arena_;
    nn::KeptConstants constants_;
    std::vector<nn::ConvolutionTask> convolutions_;
    std::int64_t pixels_ = 0, classes_ = 0;
    std::uint64_t labels_at_ = 0, settings_at_ = 0;  // bytes into the staging buffer
    Slot slots_[slots];
};

}  // namespace deconv::train
