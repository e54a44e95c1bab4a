#include "train/evaluate.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "train/inference.h"

namespace deconv::train {
namespace {

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
    Inference network(device, pipelines, graph, images, of_batch);
    if (network.classes() != classes) {
        throw Error("the network tells " + std::to_string(network.classes()) + " classes apart, the data has " +
                    std::to_string(classes));
    }
    Score sums;
    for (std::size_t first = 0; first < images.count(); first += of_batch) {
        const std::size_t here = std::min(of_batch, images.count() - first);
        normalise(images, first, here, normalisation, network.input().data());
        network.run();
        const std::vector<float> scores = network.scores();
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
