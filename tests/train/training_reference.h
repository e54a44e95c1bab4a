// Training in float64, plainly, to test the device's against: a forward pass in training form with its loss.  Shares no
// code with the product but the graph's description; gradients come from finite differences of it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "nn/graph.h"
#include "reference/tensor.h"

namespace deconv::testing {

using DoubleValues = std::map<std::string, std::vector<double>>;  // by name of the constant

struct TrainingReference {
    nn::Graph graph;  // in its inference form: BatchNormalization means that of the batch, Dropout its mask
    double smoothing = 0;
    /// By Dropout node's output: what every element is multiplied with.
    std::map<std::string, std::vector<double>> masks;

    /// Mean cross-entropy of the batch.  `tensors`, if given, receives every tensor.
    double loss(const DoubleValues& values, const reference::Tensor& images, const std::vector<std::uint32_t>& labels,
                std::map<std::string, reference::Tensor>* tensors = nullptr) const;
    /// ∂loss/∂value of one element, by central differences.
    double derivative(const DoubleValues& values, const std::string& name, std::size_t element,
                      const reference::Tensor& images, const std::vector<std::uint32_t>& labels) const;
};

}  // namespace deconv::testing
