// The sidecar NAME.json beside NAME.onnx: how pixels become the network's input, and where the labels are.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace deconv::nn {

struct Sidecar {
    std::string name;                                   // the model's name: the sidecar's, or the file's stem
    std::string origin, license;                        // as the sidecar says, for --list-models
    std::optional<int> width, height;                   // the network's input size, where the sidecar gives one
    bool bgr = false;                                   // colour order of the input's channels
    float range = 1.0F;                                 // pixels are scaled to 0 … range before mean and std
    std::array<float, 3> mean{0.485F, 0.456F, 0.406F};  // in the input's own channel order, in `range` units
    std::array<float, 3> std{0.229F, 0.224F, 0.225F};
    std::vector<std::string> labels;  // one a class; empty where there are none
    bool found = false;               // false: no sidecar, these are the defaults
};

/// Reads the sidecar beside an ONNX file, or gives the defaults (RGB, ImageNet mean and std in 0 … 1).
/// Throws Error for a sidecar that exists but cannot be understood, or whose labels file is missing.
Sidecar read_sidecar(const std::string& onnx_path);

}  // namespace deconv::nn
