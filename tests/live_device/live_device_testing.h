// Live engines and sessions on the tests' device, on small networks in files of their own.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include "engine.h"
#include "live/live_models.h"
#include "live/pictures.h"
#include "live/session.h"

namespace deconv::testing {

/// image → conv1 (4) → relu1 → pool1 → conv2 (6) → relu2 → mean → classes (6), of weights that look random.
inline onnx::ModelProto chain_model(int conv2_channels = 6) {
    onnx::ModelProto model;
    model.set_ir_version(7);
    model.add_opset_import()->set_version(13);
    model.mutable_graph()->set_name("chain");
    nn::add_value(*model.mutable_graph()->add_input(), "image", {1, 3, -1, -1});
    nn::add_value(*model.mutable_graph()->add_output(), "classes", {1, conv2_channels});
    const auto conv = [&](const std::string& name, const std::string& from, int in, int out) {
        auto& weights = nn::add_initializer(model, name + "_w", {out, in, 3, 3}, onnx::TensorProto::FLOAT);
        for (const float value : varied(static_cast<std::size_t>(out * in * 9))) {
            weights.add_float_data(value / static_cast<float>(in));
        }
        auto& node = nn::add_node(model, "Conv", {from, name + "_w"}, {name}, name);
        auto& pads = nn::add_attribute(node, "pads", onnx::AttributeProto::INTS);
        for (int i = 0; i < 4; ++i) pads.add_ints(1);
    };
    conv("conv1", "image", 3, 4);
    nn::add_node(model, "Relu", {"conv1"}, {"relu1"}, "rectifier1");
    auto& pool = nn::add_node(model, "MaxPool", {"relu1"}, {"pool1"}, "pool1");
    for (const char* name : {"kernel_shape", "strides"}) {
        auto& list = nn::add_attribute(pool, name, onnx::AttributeProto::INTS);
        for (int i = 0; i < 2; ++i) list.add_ints(2);
    }
    conv("conv2", "pool1", 4, conv2_channels);
    nn::add_node(model, "Relu", {"conv2"}, {"relu2"}, "rectifier2");
    nn::add_node(model, "GlobalAveragePool", {"relu2"}, {"mean"}, "average");
    nn::add_node(model, "Flatten", {"mean"}, {"classes"}, "flatten");
    return model;
}

/// The chain model with its sidecar; 24 × 16 unless asked otherwise.
inline std::string write_chain_model(const TempDir& folder, const std::string& name = "chain", int conv2_channels = 6) {
    write_text(folder / (name + ".json"),
               R"({"name": ")" + name +
                   R"(", "input": {"width": 24, "height": 16, "color": "rgb", "range": [0, 1], "mean": [0.5, 0.5, 0.5],
                   "std": [0.25, 0.25, 0.25]}})");
    return write_model(folder, chain_model(conv2_channels), name + ".onnx");
}

/// Waits until something is so; how long that may take says nothing about how long it should.
inline bool eventually(const std::function<bool()>& what, int seconds = 60) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    while (std::chrono::steady_clock::now() < end) {
        if (what()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return what();
}

}  // namespace deconv::testing
