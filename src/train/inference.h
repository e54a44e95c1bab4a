// A network as everyone runs it, at one size of batch: for tests and for looking at features.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "nn/plan.h"
#include "train/dataset.h"
#include "vk/recording.h"

namespace deconv::train {

/// Runs the graph, in its inference form, on `batch` pictures of the size and channels of `images` at a time.  Waits
/// for every run; one thread.
class Inference {
  public:
    /// `layer`: by name, what project() starts from; empty: forward only.  Throws Error.
    Inference(const gpu::Device& device, gpu::Pipelines& pipelines, const nn::Graph& graph, const Images& images,
              std::size_t batch, const std::string& layer = {});

    /// (batch, C, H, W), what the next run sees.
    std::vector<float>& input() { return input_; }
    void run();
    /// The same with the way back: of that channel's largest value, under the rule `deconv`.
    void project(std::int32_t channel);

    /// Of every picture, before a Softmax if the network ends in one.
    std::vector<float> scores() const;
    std::size_t classes() const;

    /// Only with a layer.
    const nn::Network::TensorInfo& layer() const { return tensor(plan_.options().target); }
    struct Peak {
        float value = 0;
        std::uint32_t place = 0;  // y · width + x
    };
    /// Of every plane of the layer.
    std::vector<Peak> peaks() const;
    /// R₀ of every picture.
    std::vector<float> reconstruction() const;

  private:
    const nn::Network::TensorInfo& tensor(int index) const {
        return model_.network().tensors()[static_cast<std::size_t>(index)];
    }
    int scores_tensor() const;
    nn::PlanOptions options_for(const std::string& layer) const;
    template <typename T>
    std::vector<T> download(const gpu::Slice& slice) const;

    const gpu::Device& device_;
    gpu::Scheduler scheduler_;
    nn::Model model_;
    nn::Plan plan_;
    gpu::Recording recording_;
    std::vector<float> input_;
};

}  // namespace deconv::train
