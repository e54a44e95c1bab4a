#include "train/evaluate.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "nn/plan.h"

namespace deconv::train {
namespace {

/// The network at one size of batch, ready to run.
class Runner {
  public:
    Runner(const gpu::Device& device, gpu::Pipelines& pipelines, const nn::Graph& graph, const Images& images,
           std::int64_t batch)
        : device_(device),
          scheduler_(device),
          model_(
              device,
              nn::Network(graph, {{graph.inputs.at(0).name, {batch, images.channels, images.height, images.width}}})) {
        if (model_.network().outputs().empty()) throw Error("the network has no output");
        // Before a Softmax, if there is one: the loss has its own.
        scores_at_ = model_.network().projection_start(model_.network().outputs()[0]);
        nn::PlanOptions options;
        options.observed = {scores_at_};
        plan_ = std::make_unique<nn::Plan>(model_, options);
        gpu::Recording::Options recording;
        recording.segment_ms = 100;
        recording_ = std::make_unique<gpu::Recording>(device, pipelines, plan_->steps(), recording);
        const nn::Shape& scores = model_.network().tensors()[static_cast<std::size_t>(scores_at_)].shape;
        per_image_ = static_cast<std::size_t>(nn::elements(scores) / batch);
        input_.resize(static_cast<std::size_t>(batch) * images.image_bytes());
        scores_.resize(static_cast<std::size_t>(nn::elements(scores)));
    }

    std::size_t classes() const { return per_image_; }
    std::vector<float>& input() { return input_; }
    const std::vector<float>& run() {
        gpu::upload(device_, std::as_bytes(std::span(input_)), plan_->tensor(model_.network().inputs()[0]).slice);
        scheduler_.wait(scheduler_.submit(*recording_));
        gpu::download(device_, plan_->tensor(scores_at_).slice, std::as_writable_bytes(std::span(scores_)));
        return scores_;
    }

  private:
    const gpu::Device& device_;
    gpu::Scheduler scheduler_;
    nn::Model model_;
    int scores_at_ = -1;  // the tensor of the scores
    std::unique_ptr<nn::Plan> plan_;
    std::unique_ptr<gpu::Recording> recording_;
    std::size_t per_image_ = 0;
    std::vector<float> input_, scores_;
};

/// Adds a picture's share to the sums.
void count(const float* scores, std::size_t classes, std::size_t label, Score& sums) {
    const double peak = *std::max_element(scores, scores + classes);
    double sum = 0;
    std::size_t before = 0;  // classes stronger than the label; of equals the first counts as the stronger
    for (std::size_t c = 0; c < classes; ++c) {
        sum += std::exp(scores[c] - peak);
        before += scores[c] > scores[label] || (scores[c] == scores[label] && c < label) ? 1 : 0;
    }
    sums.loss -= scores[label] - peak - std::log(sum);
    sums.accuracy += before == 0 ? 1 : 0;
    sums.top5 += before < 5 ? 1 : 0;
    ++sums.images;
}

}  // namespace

Score evaluate(const gpu::Device& device, gpu::Pipelines& pipelines, const nn::Graph& graph, const Images& images,
               const Normalisation& normalisation, std::size_t classes, std::int64_t batch,
               const std::function<bool(std::size_t done)>& go_on) {
    const auto of_batch = std::min<std::size_t>(static_cast<std::size_t>(batch), images.count());
    Runner runner(device, pipelines, graph, images, static_cast<std::int64_t>(of_batch));
    if (runner.classes() != classes) {
        throw Error("the network tells " + std::to_string(runner.classes()) + " classes apart, the data has " +
                    std::to_string(classes));
    }
    Score sums;
    for (std::size_t first = 0; first < images.count(); first += of_batch) {
        const std::size_t here = std::min(of_batch, images.count() - first);
        normalise(images, first, here, normalisation, runner.input().data());
        const std::vector<float>& scores = runner.run();
        for (std::size_t i = 0; i < here; ++i) {
            count(scores.data() + i * classes, classes, images.labels[first + i], sums);
        }
        if (go_on && !go_on(first + here)) break;
    }
    const double total = static_cast<double>(std::max<std::size_t>(sums.images, 1));
    sums.loss /= total;
    sums.accuracy /= total;
    sums.top5 /= total;
    return sums;
}

}  // namespace deconv::train
