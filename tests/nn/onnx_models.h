// ONNX models made in memory, and the errors that come of importing them.
#pragma once

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "nn/graph.h"

namespace deconv::nn {

using Integers = std::vector<std::int64_t>;
using Reals = std::vector<float>;
using onnx::TensorProto;

inline onnx::NodeProto& add_node(onnx::ModelProto& model, const std::string& op, const std::vector<std::string>& inputs,
                                 const std::vector<std::string>& outputs, const std::string& name = "") {
    auto& node = *model.mutable_graph()->add_node();
    node.set_op_type(op);
    node.set_name(name);
    for (const std::string& input : inputs) node.add_input(input);
    for (const std::string& output : outputs) node.add_output(output);
    return node;
}

inline onnx::AttributeProto& add_attribute(onnx::NodeProto& node, const std::string& name,
                                           onnx::AttributeProto::AttributeType type) {
    auto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(type);
    return attribute;
}

inline void add_value(onnx::ValueInfoProto& value, const std::string& name, const Integers& shape,
                      int type = TensorProto::FLOAT) {
    value.set_name(name);
    value.mutable_type()->mutable_tensor_type()->set_elem_type(type);
    auto& dims = *value.mutable_type()->mutable_tensor_type()->mutable_shape();
    for (const std::int64_t size : shape) {
        auto& dim = *dims.add_dim();
        if (size < 0) {
            dim.set_dim_param("open");
        } else {
            dim.set_dim_value(size);
        }
    }
}

inline TensorProto& add_initializer(onnx::ModelProto& model, const std::string& name, const Integers& shape, int type) {
    auto& tensor = *model.mutable_graph()->add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(type);
    for (const std::int64_t size : shape) tensor.add_dims(size);
    return tensor;
}

/// image → Conv → Relu → y, with a kernel of 2×3×1×1.
inline onnx::ModelProto small_model(std::int64_t opset = 13) {
    onnx::ModelProto model;
    model.set_ir_version(7);
    model.add_opset_import()->set_version(opset);
    model.mutable_graph()->set_name("small");
    add_value(*model.mutable_graph()->add_input(), "image", {-1, 3, -1, -1});
    add_value(*model.mutable_graph()->add_output(), "y", {-1, 2, -1, -1});
    auto& weights = add_initializer(model, "w", {2, 3, 1, 1}, TensorProto::FLOAT);
    for (int i = 0; i < 6; ++i) weights.add_float_data(static_cast<float>(i));
    auto& conv = add_node(model, "Conv", {"image", "w"}, {"x"}, "conv1");
    auto& pads = add_attribute(conv, "pads", onnx::AttributeProto::INTS);
    for (int i = 0; i < 4; ++i) pads.add_ints(1);
    add_attribute(conv, "auto_pad", onnx::AttributeProto::STRING).set_s("NOTSET");
    add_attribute(conv, "group", onnx::AttributeProto::INT).set_i(1);
    add_node(model, "Relu", {"x"}, {"y"});
    return model;
}

inline Graph import_model(const onnx::ModelProto& model, const std::string& folder = ".") {
    return import_onnx_bytes(model.SerializeAsString(), "test model", folder);
}

/// The one line that `action` throws; whatever it prints besides is a failure.
template <typename Action>
std::string error_from(Action action) {
    ::testing::internal::CaptureStderr();
    std::string text = "no error";
    try {
        action();
    } catch (const Error& error) {
        text = error.what();
    }
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    return text;
}

inline std::string error_of(const onnx::ModelProto& model, const std::string& folder = ".") {
    return error_from([&] { import_model(model, folder); });
}

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

}  // namespace deconv::nn
