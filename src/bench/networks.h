// Well-known networks with seeded random weights, so that measurements need no file.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "nn/graph.h"

namespace deconv::bench {

struct NamedNetwork {
    std::string name;
    int size;           // of its square input, where none is asked for
    std::string layer;  // where the frame path's projection starts
};

/// vgg16 (its convolutional part; vgg16-full has the fully connected layers), alexnet, zfnet512, googlenet,
/// squeezenet1.1, resnet18, cifar10.
const std::vector<NamedNetwork>& named_networks();

/// The graph for an input of `size` × `size`; none where there is no such network.  Weights are drawn so that
/// activations neither vanish nor explode (He et al., arXiv 1502.01852), the same for the same name and seed.
std::optional<nn::Graph> make_network(const std::string& name, int size, unsigned seed = 1);

/// A single convolution with its rectifier, as text: "64x56x56 3x3 s1 p1 128" (input channels, height, width; kernel;
/// stride; pad; output channels; g4 for groups).  Throws Error where that cannot be read.
nn::Graph make_layer(const std::string& text, unsigned seed = 1);

/// Shapes of which each shows what some algorithm is good at.
const std::vector<std::string>& synthetic_layers();

}  // namespace deconv::bench
