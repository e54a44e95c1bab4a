#include "nn/random_weights.h"

#include <cmath>
#include <functional>
#include <random>

namespace deconv::nn {
namespace {

bool is_layer(const Graph& graph, const Node& node) {
    if (node.op != "Conv" && node.op != "ConvTranspose" && node.op != "Gemm" && node.op != "MatMul") return false;
    if (node.inputs.size() < 2) return false;
    const auto weights = graph.constants.find(node.inputs[1]);
    return weights != graph.constants.end() && weights->second.is_float();
}

HostTensor random_like(const HostTensor& learned, const std::string& name) {
    double sum = 0;
    double squares = 0;
    for (const float value : *learned.floats) {
        sum += value;
        squares += static_cast<double>(value) * value;
    }
    const double count = std::max<double>(1, static_cast<double>(learned.floats->size()));
    const double mean = sum / count;
    const double deviation = std::sqrt(std::max(0.0, squares / count - mean * mean));
    std::mt19937_64 random(std::hash<std::string>{}(name));
    std::normal_distribution<float> normal(static_cast<float>(mean), static_cast<float>(std::max(deviation, 1e-12)));
    std::vector<float> values(learned.floats->size());
    for (float& value : values) value = normal(random);
    return HostTensor::of(learned.shape, std::move(values));
}

}  // namespace

std::vector<std::string> RandomWeights::layers(const Graph& graph) {
    std::vector<std::string> names;
    for (const Node& node : graph.nodes) {
        if (is_layer(graph, node)) names.push_back(node.name);
    }
    return names;
}

Graph RandomWeights::apply(const Graph& graph, int count) {
    Graph changed = graph;
    for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend() && count > 0; ++node) {
        if (!is_layer(graph, *node)) continue;
        --count;
        for (std::size_t i = 1; i < node->inputs.size(); ++i) {
            const auto learned = graph.constants.find(node->inputs[i]);
            if (learned == graph.constants.end() || !learned->second.is_float()) continue;
            std::weak_ptr<const std::vector<float>>& made = made_[learned->first];
            HostTensor& random = changed.constants[learned->first];
            random.floats = made.lock();
            if (!random.floats) random = random_like(learned->second, learned->first);
            made = random.floats;
        }
    }
    return changed;
}

}  // namespace deconv::nn
