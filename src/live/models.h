// The networks that a person can name.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "image/fit.h"
#include "nn/graph.h"
#include "nn/network.h"
#include "nn/sidecar.h"

namespace deconv::live {

/// Folders that are searched for bundled and fetched networks, the first that has one wins.
std::vector<std::string> weight_folders();

struct ListedModel {
    std::string name;
    std::string path;
    nn::Sidecar sidecar;
};
/// The bundled and the fetched networks, by name.
std::vector<ListedModel> list_models();

/// The name of the network that is used where none is asked for.
inline constexpr const char* default_model = "tiny-imagenet";

/// A name of list_models(), or a path to an ONNX file.  Throws Error with the names there are, or with how to fetch it.
std::string find_model(const std::string& name_or_path);

/// A model's file, as it is before an input size is chosen.
struct ModelFile {
    std::string path;
    std::string sha256;
    nn::Sidecar sidecar;
    nn::Graph graph;
};
/// Throws Error where it cannot be read, or does not take one image.
ModelFile read_model(const std::string& name_or_path);
/// The network of `graph`, which is the file's own or one with other constants, at an input size; 0 takes the
/// sidecar's, then the graph's own.
nn::Network network_at(const ModelFile& file, nn::Graph graph, int width, int height);

/// The file, its sidecar, and the network at the size that is wanted.
struct LoadedModel {
    std::string path;
    std::string sha256;
    nn::Sidecar sidecar;
    nn::Network network;
};
/// read_model() and network_at() in one, with random weights in the last `random_layers` layers (nn::RandomWeights).
LoadedModel load_model(const std::string& name_or_path, int width, int height, int random_layers = 0);

/// The sidecar's view of pixels, for the device.
image::Preprocessing preprocessing_of(const nn::Sidecar& sidecar);

}  // namespace deconv::live
