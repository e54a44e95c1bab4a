// Small networks in files of their own, of which every result is known.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "media/media_testing.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include "nn/onnx_models.h"
#pragma GCC diagnostic pop

namespace deconv::testing {

/// The least that imports: image (1, 3, 8, 8) → Conv, whose weights copy it → Relu → GlobalAveragePool → Flatten: three
/// classes that are the mean red, green and blue.
inline onnx::ModelProto colour_model() {
    onnx::ModelProto model;
    model.set_ir_version(7);
    model.add_opset_import()->set_version(13);
    model.mutable_graph()->set_name("colour");
    nn::add_value(*model.mutable_graph()->add_input(), "image", {1, 3, -1, -1});
    nn::add_value(*model.mutable_graph()->add_output(), "classes", {1, 3});
    auto& weights = nn::add_initializer(model, "weights", {3, 3, 1, 1}, onnx::TensorProto::FLOAT);
    for (int i = 0; i < 9; ++i) weights.add_float_data(i % 4 == 0 ? 1.0F : 0.0F);
    nn::add_node(model, "Conv", {"image", "weights"}, {"copy"}, "conv1");
    nn::add_node(model, "Relu", {"copy"}, {"relu1"}, "rectifier1");
    nn::add_node(model, "GlobalAveragePool", {"relu1"}, {"mean"}, "average");
    nn::add_node(model, "Flatten", {"mean"}, {"classes"}, "flatten");
    return model;
}

inline std::string write_model(const TempDir& folder, const onnx::ModelProto& model,
                               const std::string& name = "colour.onnx") {
    std::string path = folder / name;
    std::ofstream stream(path, std::ios::binary);
    model.SerializeToOstream(&stream);
    return path;
}

/// The colour model with its sidecar and labels; its input is the picture in 0 … 1.
inline std::string write_colour_model(const TempDir& folder, int width = 8, int height = 8) {
    write_text(folder / "colour.json",
               R"({"name": "colour", "labels": "colour.txt", "input": {"width": )" + std::to_string(width) +
                   R"(, "height": )" + std::to_string(height) +
                   R"(, "color": "rgb", "range": [0, 1], "mean": [0, 0, 0], "std": [1, 1, 1]}})");
    write_text(folder / "colour.txt", "red\ngreen\nblue\n");
    return write_model(folder, colour_model());
}

}  // namespace deconv::testing
