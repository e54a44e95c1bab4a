// A network that has learned nothing: the check whether a picture depends on what was learned (Adebayo et al.,
// "Sanity Checks for Saliency Maps", NeurIPS 2018: cascading randomisation from the top).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "nn/graph.h"

namespace deconv::nn {

/// Replaces weights layer by layer; the same layer gets the same random weights every time.  One thread.
class RandomWeights {
  public:
    /// The nodes with learned weights (Conv, ConvTranspose, Gemm, MatMul), the first layer first.
    static std::vector<std::string> layers(const Graph& graph);

    /// The graph with normally distributed weights and biases, of the same mean and spread as the learned ones, in its
    /// last `count` layers.  All other data is shared with `graph`.
    Graph apply(const Graph& graph, int count);

  private:
    // By the constant's name.  Who has a network of them shares them with the next; nobody keeps them for later.
    std::map<std::string, std::weak_ptr<const std::vector<float>>> made_;
};

}  // namespace deconv::nn
