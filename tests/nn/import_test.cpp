// Reading ONNX models: what a good graph becomes, and that what is wrong with one is said in one clear line.
#include <gtest/gtest.h>

#include <limits>
#include <type_traits>

#include "onnx_models.h"

namespace deconv::nn {
namespace {

TEST(Import, KeepsTheGraph) {
    const Graph graph = import_model(small_model());
    EXPECT_EQ(graph.name, "small");
    EXPECT_EQ(graph.opset, 13);
    ASSERT_EQ(graph.nodes.size(), 2U);
    const Node& conv = graph.nodes[0];
    EXPECT_EQ(conv.name, "conv1");
    EXPECT_EQ(conv.op, "Conv");
    EXPECT_EQ(conv.inputs, (std::vector<std::string>{"image", "w"}));
    EXPECT_EQ(conv.attributes.integers("pads", {}), (Integers{1, 1, 1, 1}));
    EXPECT_EQ(conv.attributes.text("auto_pad", ""), "NOTSET");
    EXPECT_EQ(conv.attributes.integer("group", 5), 1);
    EXPECT_EQ(conv.attributes.integers("strides", {2, 2}), (Integers{2, 2}));
    EXPECT_EQ(conv.attributes.tensor("value"), nullptr);
    EXPECT_THROW(conv.attributes.real("group", 0), Error);
    EXPECT_EQ(graph.nodes[1].name, "y") << "named after its output";
    ASSERT_EQ(graph.inputs.size(), 1U);
    EXPECT_EQ(graph.inputs[0].shape, (Shape{-1, 3, -1, -1}));
    EXPECT_EQ(graph.outputs, (std::vector<std::string>{"y"}));
    EXPECT_EQ(*graph.constants.at("w").floats, (Reals{0, 1, 2, 3, 4, 5}));
    EXPECT_TRUE(graph.warnings.empty());
}

TEST(Import, OpsetsSevenToSeventeen) {
    for (std::int64_t opset = 7; opset <= 17; ++opset) EXPECT_EQ(import_model(small_model(opset)).opset, opset);
    EXPECT_HAS(error_of(small_model(6)), "uses opset 6; supported are opsets 7 to 17");
    EXPECT_HAS(error_of(small_model(18)), "uses opset 18; supported are opsets 7 to 17");
    EXPECT_HAS(error_of(small_model(std::numeric_limits<std::int64_t>::max())), "supported are");
    auto model = small_model();
    model.clear_opset_import();
    EXPECT_HAS(error_of(model), "does not say which version");
    model.set_ir_version(2);
    EXPECT_HAS(error_of(model), "uses opset 1;");
}

TEST(Import, OtherSpellingsAndOtherDomains) {
    auto model = small_model();
    model.mutable_opset_import(0)->set_domain("ai.onnx");
    model.add_opset_import()->set_domain("com.example");
    model.mutable_opset_import(1)->set_version(99);
    model.mutable_graph()->mutable_node(1)->set_domain("ai.onnx");
    EXPECT_EQ(import_model(model).opset, 13);
    model.mutable_graph()->mutable_node(1)->set_domain("com.example");
    const std::string text = error_of(model);
    EXPECT_HAS(text, "node 'y': operator 'Relu' of the domain 'com.example' is not supported");
}

TEST(Import, NewerAndOlderFilesOfTheFormat) {
    for (const int version : {3, 4, 8, 9, 10, 99}) {
        auto model = small_model();
        model.set_ir_version(version);
        EXPECT_EQ(import_model(model).nodes.size(), 2U) << version;
    }
}

TEST(Import, UnsupportedOperatorsAreNamedWithWhatIsSupported) {
    for (const std::string op : {"LSTM", "If", "Loop", "ATen", "Nonsense", ""}) {
        auto model = small_model();
        add_node(model, op, {"y"}, {"z"}, "odd");
        const std::string text = error_of(model);
        EXPECT_HAS(text, "test model: node 'odd': operator '" + op + "' is not supported; supported are Conv, ");
        EXPECT_HAS(text, "MaxUnpool");
    }
}

TEST(Import, OldInitializersThatAreInputsAreConstants) {
    auto model = small_model(7);
    model.set_ir_version(3);
    add_value(*model.mutable_graph()->add_input(), "w", {2, 3, 1, 1});
    const Graph graph = import_model(model);
    ASSERT_EQ(graph.inputs.size(), 1U);
    EXPECT_TRUE(graph.constants.contains("w"));
}

TEST(Import, TheImageIsTheFirstInput) {
    auto model = small_model();
    auto& inputs = *model.mutable_graph()->mutable_input();
    add_value(*inputs.Add(), "size", {1, 2}, TensorProto::INT64);
    inputs.SwapElements(0, 1);
    const Graph graph = import_model(model);
    ASSERT_EQ(graph.inputs.size(), 2U);
    EXPECT_EQ(graph.inputs[0].name, "image");
    EXPECT_EQ(graph.inputs[1].name, "size");
}

TEST(Import, NodeNamesAreUnique) {
    auto model = small_model();
    add_node(model, "Relu", {"y"}, {"a"}, "same");
    add_node(model, "Relu", {"y"}, {"b"}, "same");
    add_node(model, "Relu", {"y"}, {"c"}, "same_2");
    add_node(model, "Relu", {"y"}, {"late"});
    add_node(model, "Relu", {"y"}, {"d"}, "late");
    std::vector<std::string> names;
    for (const Node& node : import_model(model).nodes) names.push_back(node.name);
    EXPECT_EQ(names, (std::vector<std::string>{"conv1", "y", "same", "same_3", "same_2", "late_2", "late"}));
}

TEST(Import, ConstantNodesBecomeConstants) {
    auto model = small_model();
    const auto constant = [&](const std::string& output, const std::string& form,
                              onnx::AttributeProto::AttributeType type) -> onnx::AttributeProto& {
        return add_attribute(add_node(model, "Constant", {}, {output}), form, type);
    };
    auto& tensor = *constant("tensor", "value", onnx::AttributeProto::TENSOR).mutable_t();
    tensor.set_data_type(TensorProto::DOUBLE);
    tensor.add_dims(2);
    tensor.add_double_data(0.5);
    tensor.add_double_data(-2);
    constant("float", "value_float", onnx::AttributeProto::FLOAT).set_f(1.5F);
    constant("floats", "value_floats", onnx::AttributeProto::FLOATS).add_floats(2.5F);
    constant("int", "value_int", onnx::AttributeProto::INT).set_i(-7);
    constant("ints", "value_ints", onnx::AttributeProto::INTS).add_ints(8);
    const Graph graph = import_model(model);
    EXPECT_EQ(graph.nodes.size(), 2U);
    EXPECT_EQ(*graph.constants.at("tensor").floats, (Reals{0.5F, -2.0F}));
    EXPECT_EQ(*graph.constants.at("float").floats, (Reals{1.5F}));
    EXPECT_EQ(graph.constants.at("float").shape, Shape{});
    EXPECT_EQ(*graph.constants.at("floats").floats, (Reals{2.5F}));
    EXPECT_EQ(graph.constants.at("floats").shape, Shape{1});
    EXPECT_EQ(*graph.constants.at("int").integers, (Integers{-7}));
    EXPECT_EQ(*graph.constants.at("ints").integers, (Integers{8}));

    constant("text", "value_string", onnx::AttributeProto::STRING).set_s("x");
    EXPECT_HAS(error_of(model), "node 'text': a Constant of the form 'value_string' is not supported");
}

TEST(Import, EveryTypeOfNumberRawAndTyped) {
    const auto check = [](int type, const std::string& raw, const auto& fill, const auto& expected) {
        for (const bool typed : {false, true}) {
            auto model = small_model();
            auto& tensor = add_initializer(model, "c", {static_cast<std::int64_t>(expected.size())}, type);
            if (typed) {
                fill(tensor);
            } else {
                tensor.set_raw_data(raw);
            }
            const Graph graph = import_model(model);
            const HostTensor& constant = graph.constants.at("c");
            if constexpr (std::is_same_v<std::decay_t<decltype(expected)>, Reals>) {
                ASSERT_TRUE(constant.is_float()) << type;
                EXPECT_EQ(*constant.floats, expected) << type;
            } else {
                ASSERT_FALSE(constant.is_float()) << type;
                EXPECT_EQ(*constant.integers, expected) << type;
            }
            auto shorter = model;
            auto& damaged = *shorter.mutable_graph()->mutable_initializer(1);
            damaged.set_dims(0, damaged.dims(0) + 1);
            EXPECT_HAS(error_of(shorter), "initializer 'c'") << type;
        }
    };
    const auto bytes = [](auto... values) {
        std::string text;
        (text.append(reinterpret_cast<const char*>(&values), sizeof values), ...);
        return text;
    };
    const auto int32s = [](auto... values) { return [=](TensorProto& t) { (t.add_int32_data(values), ...); }; };
    const auto uint64s = [](auto... values) { return [=](TensorProto& t) { (t.add_uint64_data(values), ...); }; };
    check(
        TensorProto::FLOAT, bytes(1.5F, -2.0F), [](auto& t) { t.add_float_data(1.5F), t.add_float_data(-2); },
        Reals{1.5F, -2.0F});
    check(
        TensorProto::DOUBLE, bytes(1.5, -2.0), [](auto& t) { t.add_double_data(1.5), t.add_double_data(-2); },
        Reals{1.5F, -2.0F});
    // 1.5, -2, the largest, the smallest normal, the smallest subnormal number, 0
    check(TensorProto::FLOAT16,
          bytes(std::uint16_t{0x3E00}, std::uint16_t{0xC000}, std::uint16_t{0x7BFF}, std::uint16_t{0x0400},
                std::uint16_t{0x0001}, std::uint16_t{0}),
          int32s(0x3E00, 0xC000, 0x7BFF, 0x0400, 0x0001, 0), Reals{1.5F, -2.0F, 65504.0F, 0x1p-14F, 0x1p-24F, 0.0F});
    check(TensorProto::BFLOAT16, bytes(std::uint16_t{0x3FC0}, std::uint16_t{0xC000}), int32s(0x3FC0, 0xC000),
          Reals{1.5F, -2.0F});
    check(
        TensorProto::INT64, bytes(std::int64_t{1} << 40, std::int64_t{-2}),
        [](auto& t) { t.add_int64_data(std::int64_t{1} << 40), t.add_int64_data(-2); },
        Integers{std::int64_t{1} << 40, -2});
    check(TensorProto::INT32, bytes(7, -2), int32s(7, -2), Integers{7, -2});
    check(TensorProto::INT16, bytes(std::int16_t{7}, std::int16_t{-2}), int32s(7, -2), Integers{7, -2});
    check(TensorProto::INT8, bytes(std::int8_t{7}, std::int8_t{-2}), int32s(7, -2), Integers{7, -2});
    check(TensorProto::UINT8, bytes(std::uint8_t{7}, std::uint8_t{254}), int32s(7, 254), Integers{7, 254});
    check(TensorProto::UINT16, bytes(std::uint16_t{65535}), int32s(65535), Integers{65535});
    check(TensorProto::UINT32, bytes(4294967295U), uint64s(4294967295U), Integers{4294967295});
    check(TensorProto::UINT64, bytes(std::uint64_t{5}), uint64s(5U), Integers{5});
    check(TensorProto::BOOL, bytes(std::uint8_t{1}, std::uint8_t{0}), int32s(1, 0), Integers{1, 0});
}

TEST(Import, InitializersThatAreNotTensorsOfNumbers) {
    const auto with = [](const Integers& shape, int type) {
        auto model = small_model();
        add_initializer(model, "c", shape, type);
        return error_of(model);
    };
    EXPECT_HAS(with({1}, TensorProto::STRING), "initializer 'c': values of type STRING are not supported");
    EXPECT_HAS(with({1}, TensorProto::COMPLEX64), "not supported");
    EXPECT_HAS(with({1}, 77), "values of type 77");
    EXPECT_HAS(with({-1}, TensorProto::FLOAT), "initializer 'c'");
    const std::int64_t huge = std::int64_t{1} << 62;
    EXPECT_HAS(with({huge}, TensorProto::FLOAT), "initializer 'c'");
    EXPECT_HAS(with({huge, 4}, TensorProto::FLOAT), "too large");
    EXPECT_EQ(with({huge, 4, 0}, TensorProto::FLOAT), "no error") << "an empty tensor";
}

TEST(Import, StrangeWeightsAreWarnings) {
    auto model = small_model();
    auto& weights = *model.mutable_graph()->mutable_initializer(0);
    weights.set_float_data(1, std::numeric_limits<float>::quiet_NaN());
    weights.set_float_data(4, -std::numeric_limits<float>::infinity());
    add_initializer(model, "bound", {}, TensorProto::FLOAT).add_float_data(std::numeric_limits<float>::infinity());
    add_initializer(model, "overflow", {1}, TensorProto::DOUBLE).add_double_data(1e300);
    const Graph graph = import_model(model);
    ASSERT_EQ(graph.warnings.size(), 2U);
    EXPECT_EQ(graph.warnings[0], "initializer 'w' holds 2 of 6 values that are NaN or infinite");
    EXPECT_HAS(graph.warnings[1], "'overflow'");
}

TEST(Import, GraphsThatDoNotHangTogether) {
    auto model = small_model();
    model.mutable_graph()->mutable_node()->SwapElements(0, 1);
    EXPECT_HAS(error_of(model), "node 'y': its input 'x' is made only later: the nodes are not in order");
    model = small_model();
    model.mutable_graph()->mutable_node(0)->set_input(0, "gone");
    EXPECT_HAS(error_of(model), "node 'conv1': its input 'gone' is not in the graph");
    model = small_model();
    add_node(model, "Relu", {"x"}, {"y"});
    EXPECT_HAS(error_of(model), "its output 'y' is there twice");
    model = small_model();
    add_node(model, "Relu", {"z"}, {"z"}, "self");
    EXPECT_HAS(error_of(model), "node 'self': its input 'z' is made only later");
    model = small_model();
    model.mutable_graph()->mutable_output(0)->set_name("gone");
    EXPECT_HAS(error_of(model), "output 'gone' is made by no node");
    model = small_model();
    model.mutable_graph()->clear_output();
    EXPECT_HAS(error_of(model), "has no output");
    model = small_model();
    model.mutable_graph()->clear_input();
    EXPECT_HAS(error_of(model), "has no input");
    model = small_model();
    model.mutable_graph()->clear_node();
    EXPECT_HAS(error_of(model), "no nodes");
    model = small_model();
    *model.mutable_graph()->add_initializer() = model.graph().initializer(0);
    EXPECT_HAS(error_of(model), "initializer 'w' is there twice");
    model = small_model();
    model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_sequence_type();
    EXPECT_HAS(error_of(model), "input 'image' is not a tensor");
    model = small_model();
    model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->clear_shape();
    EXPECT_HAS(error_of(model), "input 'image' has no shape");
    model = small_model();
    model.clear_graph();
    EXPECT_HAS(error_of(model), "holds no graph");
}

TEST(Import, TheCheckerHasItsSayInOneLine) {
    auto model = small_model();
    add_attribute(*model.mutable_graph()->mutable_node(0), "colour", onnx::AttributeProto::INT).set_i(1);
    EXPECT_HAS(error_of(model), "not a valid ONNX model: Unrecognized attribute: colour for operator Conv");
    model = small_model();
    model.mutable_graph()->mutable_node(1)->add_input("x");
    EXPECT_HAS(error_of(model), "not a valid ONNX model");
    model = small_model(13);
    add_node(model, "HardSwish", {"y"}, {"z"});
    EXPECT_HAS(error_of(model), "HardSwish");
    model = small_model();
    add_attribute(*model.mutable_graph()->mutable_node(0), "body", onnx::AttributeProto::GRAPH).mutable_g();
    EXPECT_HAS(error_of(model), "node 'conv1': attribute 'body' is of a type (GRAPH) that is not supported");
}

TEST(Import, ControlCharactersInNamesDoNotReachTheScreen) {
    auto model = small_model();
    add_node(model, "A\n\x1B[2J\tB", {"y"}, {"z"});
    EXPECT_HAS(error_of(model), "operator 'A ?[2J B' is not supported");
}

}  // namespace
}  // namespace deconv::nn
