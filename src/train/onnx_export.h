// What was trained as a file that others read: ONNX, its sidecar and its labels.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "nn/graph.h"
#include "train/augment.h"

namespace deconv::train {

/// For inference: every BatchNormalization that alone reads a convolution's output becomes part of that convolution
/// (weights times scale, and a bias), computed in double precision; Dropout goes.
nn::Graph for_inference(const nn::Graph& graph);

/// Writes the graph as ONNX, opset 13, checked by ONNX's own checker; open dimensions stay open.  `half`: weights of
/// two or more dimensions in half precision, with a Cast back behind each.  Throws Error.
void export_onnx(const nn::Graph& graph, const std::string& path, bool half);

/// What the sidecar says.
struct Description {
    std::string name, origin;
    std::vector<std::pair<std::string, double>> result;  // "test_accuracy", …
    int width = 0, height = 0;
    Normalisation normalisation;
    std::vector<std::string> classes;
};
/// Writes NAME.json and NAME-labels.txt beside NAME.onnx.
void write_sidecar(const std::string& onnx_path, const Description& description);

}  // namespace deconv::train
