// Constant folding against the ONNX standard's own cases, and what those leave out: older opsets, integer arithmetic,
// open dimensions, damaged inputs.
#include "nn/constant_folding.h"

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>

#include "base/error.h"
#include "nn/onnx_tensor.h"

namespace deconv::nn {
namespace {

namespace fs = std::filesystem;
using Integers = std::vector<std::int64_t>;
using Reals = std::vector<float>;

const fs::path cases_folder = "/usr/share/libonnx-testdata/data/node";

template <typename Message>
bool parse_file(const fs::path& path, Message& message) {
    std::ifstream file(path, std::ios::binary);
    return file && message.ParseFromIstream(&file);
}

/// The standard's cases of one node that fold() computes.  Strings, sequences and optional values are no tensors here.
std::vector<std::string> standard_cases() {
    const std::set<std::string> folded = {"Add",       "Cast",      "Ceil",  "Concat", "ConstantOfShape", "Div",
                                          "Equal",     "Expand",    "Floor", "Gather", "Identity",        "Mul",
                                          "Range",     "Reshape",   "Shape", "Slice",  "Squeeze",         "Sub",
                                          "Transpose", "Unsqueeze", "Where"};
    std::vector<std::string> names;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(cases_folder, none)) {
        onnx::ModelProto model;
        if (!parse_file(entry.path() / "model.onnx", model) || model.graph().node_size() != 1) continue;
        if (!folded.contains(model.graph().node(0).op_type())) continue;
        const auto is_number = [](const onnx::ValueInfoProto& value) {
            return value.type().has_tensor_type() &&
                   value.type().tensor_type().elem_type() != onnx::TensorProto::STRING;
        };
        const auto& inputs = model.graph().input();
        const auto& outputs = model.graph().output();
        if (std::all_of(inputs.begin(), inputs.end(), is_number) &&
            std::all_of(outputs.begin(), outputs.end(), is_number)) {
            names.push_back(entry.path().filename().string());
        }
    }
    std::sort(names.begin(), names.end());
    return names;
}

/// `value` is what the model says of the tensor: the cases store bfloat16 as 16-bit integers.
HostTensor load_tensor(const fs::path& path, const onnx::ValueInfoProto& value) {
    onnx::TensorProto proto;
    if (!parse_file(path, proto)) throw Error(path.string() + " cannot be read");
    proto.set_data_type(value.type().tensor_type().elem_type());
    return decode_tensor(proto, path.filename().string(), path.parent_path().string());
}

void expect_equal(const HostTensor& actual, const HostTensor& expected) {
    ASSERT_EQ(actual.shape, expected.shape);
    ASSERT_EQ(actual.is_float(), expected.is_float());
    if (!expected.is_float()) {
        EXPECT_EQ(*actual.integers, *expected.integers);
        return;
    }
    for (std::size_t i = 0; i < expected.floats->size(); ++i) {
        const float value = (*actual.floats)[i];
        const float wanted = (*expected.floats)[i];
        if (std::isnan(wanted)) {
            EXPECT_TRUE(std::isnan(value)) << "at " << i;
        } else {
            EXPECT_EQ(value, wanted) << "at " << i;
        }
    }
}

class StandardCase : public testing::TestWithParam<std::string> {};

TEST_P(StandardCase, IsReproduced) {
    const fs::path folder = cases_folder / GetParam();
    const Graph graph = import_onnx((folder / "model.onnx").string());
    ASSERT_EQ(graph.nodes.size(), 1U);
    const Node& node = graph.nodes[0];
    const fs::path data = folder / "test_data_set_0";
    onnx::ModelProto model;  // the files are numbered as its inputs are
    ASSERT_TRUE(parse_file(folder / "model.onnx", model));
    std::map<std::string, HostTensor> values;
    for (int i = 0; i < model.graph().input_size(); ++i) {
        const auto& input = model.graph().input(i);
        values[input.name()] = load_tensor(data / ("input_" + std::to_string(i) + ".pb"), input);
    }
    std::vector<const HostTensor*> inputs;
    std::vector<std::optional<Shape>> shapes;
    for (const std::string& name : node.inputs) {
        inputs.push_back(name.empty() ? nullptr : &values.at(name));
        shapes.push_back(name.empty() ? std::nullopt : std::optional(values.at(name).shape));
    }
    if (node.op == "Shape") inputs[0] = nullptr;  // the shape alone must be enough
    const auto outputs = fold(node, graph.opset, inputs, shapes);
    ASSERT_TRUE(outputs.has_value());
    ASSERT_EQ(outputs->size(), 1U);
    HostTensor expected = load_tensor(data / "output_0.pb", model.graph().output(0));
    if (GetParam().ends_with("_to_BFLOAT16") || GetParam().ends_with("_to_BFLOAT16_expanded")) {
        // The case's data drop the lower bits; what ONNX's text asks for, and fold() does, is to round to the nearest.
        for (std::size_t i = 0; i < expected.floats->size(); ++i) {
            const float wanted = (*expected.floats)[i];
            if (std::isfinite(wanted)) {
                EXPECT_NEAR((*outputs->front().floats)[i], wanted, std::abs(wanted) / 128);
            }
        }
        return;
    }
    expect_equal(outputs->front(), expected);
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StandardCase);
INSTANTIATE_TEST_SUITE_P(Onnx, StandardCase, testing::ValuesIn(standard_cases()),
                         [](const auto& each) { return each.param; });

TEST(StandardCases, AreAllThere) {
    if (!fs::exists(cases_folder)) GTEST_SKIP() << "SKIPPED: the package libonnx-testdata is not installed";
    EXPECT_GE(standard_cases().size(), 105U);
}

// ---- What the standard's cases leave out.

Node make_node(const std::string& op, std::size_t inputs) {
    Node node;
    node.name = "the_node";
    node.op = op;
    for (std::size_t i = 0; i < inputs; ++i) node.inputs.push_back("input" + std::to_string(i));
    node.outputs = {"output"};
    return node;
}

HostTensor ints(Integers values) {
    const auto size = static_cast<std::int64_t>(values.size());
    return HostTensor::of({size}, std::move(values));
}
HostTensor reals(Reals values) {
    const auto size = static_cast<std::int64_t>(values.size());
    return HostTensor::of({size}, std::move(values));
}
HostTensor integer(std::int64_t value) {
    return HostTensor::of({}, Integers{value});
}

/// The single output of a node whose inputs are all there.
HostTensor folded(const Node& node, const std::vector<HostTensor>& inputs, int opset = 13) {
    std::vector<const HostTensor*> pointers;
    pointers.reserve(inputs.size());
    for (const HostTensor& input : inputs) pointers.push_back(&input);
    const auto outputs = fold(node, opset, pointers, std::vector<std::optional<Shape>>(inputs.size()));
    if (!outputs) throw Error("not folded");
    return outputs->at(0);
}

std::string error_of(const Node& node, const std::vector<HostTensor>& inputs, int opset = 13) {
    try {
        folded(node, inputs, opset);
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

TEST(Fold, LeavesOtherOperatorsAndOpenInputsAlone) {
    const HostTensor tensor = ints({1, 2});
    EXPECT_FALSE(fold(make_node("Relu", 1), 13, {&tensor}, {std::nullopt}));
    EXPECT_FALSE(fold(make_node("Add", 2), 13, {&tensor, nullptr}, {std::nullopt, Shape{2}}));
    EXPECT_FALSE(fold(make_node("Shape", 1), 13, {nullptr}, {std::nullopt}));
}

TEST(Fold, ShapeNeedsOnlyTheDimensionsItReturns) {
    Node node = make_node("Shape", 1);
    const std::vector<std::optional<Shape>> shapes{Shape{1, 3, -1, -1}};
    EXPECT_FALSE(fold(node, 15, {nullptr}, shapes));
    node.attributes.set("end", std::int64_t{2});
    EXPECT_EQ(*fold(node, 15, {nullptr}, shapes)->at(0).integers, (Integers{1, 3}));
    EXPECT_FALSE(fold(node, 13, {nullptr}, shapes)) << "start and end came with opset 15";
}

TEST(Fold, AxesAreAttributesInOlderOpsets) {
    const HostTensor tensor = HostTensor::of({1, 2, 1}, Integers{5, 6});
    for (const int opset : {7, 11, 12}) {
        Node squeeze = make_node("Squeeze", 1);
        squeeze.attributes.set("axes", Integers{0});
        EXPECT_EQ(folded(squeeze, {tensor}, opset).shape, (Shape{2, 1}));
        Node unsqueeze = make_node("Unsqueeze", 1);
        unsqueeze.attributes.set("axes", Integers{0, 4});
        EXPECT_EQ(folded(unsqueeze, {tensor}, opset).shape, (Shape{1, 1, 2, 1, 1}));
    }
    EXPECT_EQ(folded(make_node("Squeeze", 1), {tensor}, 13).shape, (Shape{2}));
    EXPECT_EQ(folded(make_node("Squeeze", 2), {tensor, ints({-1})}, 13).shape, (Shape{1, 2}));
    EXPECT_EQ(folded(make_node("Unsqueeze", 2), {tensor, ints({-1})}, 13).shape, (Shape{1, 2, 1, 1}));
}

TEST(Fold, SliceByAttributesBeforeOpset10) {
    Node node = make_node("Slice", 1);
    node.attributes.set("starts", Integers{0, 1});
    node.attributes.set("ends", Integers{1, std::numeric_limits<std::int64_t>::max()});
    const HostTensor tensor = HostTensor::of({2, 3}, Integers{1, 2, 3, 4, 5, 6});
    EXPECT_EQ(*folded(node, {tensor}, 9).integers, (Integers{2, 3}));
    node.attributes.set("axes", Integers{1, 0});
    EXPECT_EQ(*folded(node, {tensor}, 7).integers, (Integers{4}));
}

TEST(Fold, SliceStopsAtTheEndsWhateverTheBounds) {
    const Node node = make_node("Slice", 5);
    const std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
    const std::int64_t highest = std::numeric_limits<std::int64_t>::max();
    const HostTensor tensor = ints({0, 1, 2, 3, 4});
    const auto sliced = [&](std::int64_t start, std::int64_t end, std::int64_t step) {
        return *folded(node, {tensor, ints({start}), ints({end}), ints({0}), ints({step})}).integers;
    };
    EXPECT_EQ(sliced(lowest, highest, 2), (Integers{0, 2, 4}));
    EXPECT_EQ(sliced(highest, lowest, -1), (Integers{4, 3, 2, 1, 0}));
    EXPECT_EQ(sliced(-1, -4, -2), (Integers{4, 2}));
    EXPECT_EQ(sliced(1, highest, highest), (Integers{1}));
    EXPECT_EQ(sliced(3, lowest, lowest), (Integers{3}));
    EXPECT_EQ(sliced(3, 1, 1), Integers{});
    EXPECT_EQ(sliced(lowest, lowest, -1), Integers{});
}

TEST(Fold, IntegersAreDividedTowardsZero) {
    const Node node = make_node("Div", 2);
    EXPECT_EQ(*folded(node, {ints({7, -7, 7, -7}), ints({2, 2, -2, -2})}).integers, (Integers{3, -3, -3, 3}));
    const std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
    EXPECT_EQ(*folded(node, {integer(lowest), integer(-1)}).integers, (Integers{lowest}));
    EXPECT_EQ(error_of(node, {integer(1), integer(0)}), "node 'the_node' (Div): it divides by zero");
}

TEST(Fold, ArithmeticBroadcastsBothWays) {
    const HostTensor column = HostTensor::of({2, 1}, Integers{10, 20});
    const HostTensor row = ints({1, 2, 3});
    const HostTensor sum = folded(make_node("Add", 2), {column, row});
    EXPECT_EQ(sum.shape, (Shape{2, 3}));
    EXPECT_EQ(*sum.integers, (Integers{11, 12, 13, 21, 22, 23}));
    EXPECT_EQ(*folded(make_node("Sub", 2), {row, integer(1)}).integers, (Integers{0, 1, 2}));
    EXPECT_EQ(*folded(make_node("Equal", 2), {row, integer(2)}).integers, (Integers{0, 1, 0}));
    const HostTensor chosen = folded(make_node("Where", 3), {ints({1, 0, 1}), column, integer(-1)});
    EXPECT_EQ(*chosen.integers, (Integers{10, -1, 10, 20, -1, 20}));
    EXPECT_NE(error_of(make_node("Mul", 2), {ints({1, 2}), row}), "");
    EXPECT_NE(error_of(make_node("Mul", 2), {reals({1, 2, 3}), row}), "");
}

TEST(Fold, CastRoundsToWhatTheTypeHolds) {
    Node node = make_node("Cast", 1);
    const auto cast = [&](std::int64_t type, const HostTensor& tensor) {
        node.attributes.set("to", type);
        return folded(node, {tensor});
    };
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const float infinity = std::numeric_limits<float>::infinity();
    EXPECT_EQ(*cast(onnx::TensorProto::INT64, reals({2.9F, -2.9F, nan})).integers, (Integers{2, -2, 0}));
    EXPECT_EQ(*cast(onnx::TensorProto::INT32, reals({1e20F, -infinity})).integers,
              (Integers{2147483647, -2147483648LL}));
    EXPECT_EQ(*cast(onnx::TensorProto::UINT8, ints({257, -1})).integers, (Integers{1, 255}));
    EXPECT_EQ(*cast(onnx::TensorProto::BOOL, reals({0.5F, 0.0F, -0.0F})).integers, (Integers{1, 0, 0}));
    EXPECT_EQ(*cast(onnx::TensorProto::FLOAT, ints({-3})).floats, (Reals{-3}));
    EXPECT_EQ(*cast(onnx::TensorProto::FLOAT16, reals({65519.0F, 65520.0F, 0x1p-24F, 0x1p-26F, 0.1F})).floats,
              (Reals{65504.0F, infinity, 0x1p-24F, 0.0F, 0.0999755859375F}));
    EXPECT_EQ(*cast(onnx::TensorProto::BFLOAT16, reals({1.01F})).floats, (Reals{1.0078125F}));
    EXPECT_NE(error_of(make_node("Cast", 1), {reals({1})}), "") << "no type";
}

TEST(Fold, MovementsShareTheirData) {
    const HostTensor tensor = HostTensor::of({2, 3}, Reals{1, 2, 3, 4, 5, 6});
    EXPECT_EQ(folded(make_node("Reshape", 2), {tensor, ints({3, -1})}).floats, tensor.floats);
    EXPECT_EQ(folded(make_node("Identity", 1), {tensor}).floats, tensor.floats);
    EXPECT_EQ(folded(make_node("Unsqueeze", 2), {tensor, ints({0})}).floats, tensor.floats);
}

TEST(Fold, EmptyTensorsStayEmpty) {
    const std::int64_t huge = std::int64_t{1} << 40;
    const HostTensor tensor = HostTensor::of({0, huge, huge}, Reals{});
    EXPECT_EQ(folded(make_node("Transpose", 1), {tensor}).shape, (Shape{huge, huge, 0}));
    Node concat = make_node("Concat", 2);
    concat.attributes.set("axis", std::int64_t{0});
    EXPECT_EQ(folded(concat, {tensor, tensor}).shape, (Shape{0, huge, huge}));
    EXPECT_EQ(folded(make_node("Gather", 2), {HostTensor::of({0}, Reals{}), ints({})}).shape, (Shape{0}));
}

TEST(Fold, RangeEndsBeforeItsLimit) {
    const Node node = make_node("Range", 3);
    const std::int64_t highest = std::numeric_limits<std::int64_t>::max();
    const std::int64_t step = std::int64_t{1} << 62U;
    EXPECT_EQ(*folded(node, {integer(1), integer(6), integer(2)}).integers, (Integers{1, 3, 5}));
    EXPECT_EQ(*folded(node, {integer(1), integer(1), integer(2)}).integers, Integers{});
    EXPECT_EQ(*folded(node, {integer(-highest), integer(highest), integer(step)}).integers,
              (Integers{-highest, -highest + step, 1, 1 + step}));
    EXPECT_NE(error_of(node, {integer(1), integer(6), integer(0)}), "");
    EXPECT_NE(error_of(node, {reals({0}), reals({1}), reals({0})}), "");
}

TEST(Fold, NeverMakesHugeConstantsOfSmallOnes) {
    const std::int64_t huge = std::int64_t{1} << 40;
    EXPECT_NE(error_of(make_node("ConstantOfShape", 1), {ints({huge, huge, huge})}), "");
    EXPECT_NE(error_of(make_node("ConstantOfShape", 1), {ints({huge})}), "");
    EXPECT_NE(error_of(make_node("ConstantOfShape", 1), {ints({-1})}), "");
    EXPECT_NE(error_of(make_node("Expand", 2), {reals({1}), ints({huge})}), "");
    EXPECT_NE(error_of(make_node("Expand", 2), {reals({1}), ints({-4})}), "");
    EXPECT_NE(error_of(make_node("Range", 3), {integer(0), integer(huge), integer(1)}), "");
}

TEST(Fold, InvalidInputsAreErrorsThatNameTheNode) {
    const HostTensor tensor = HostTensor::of({2, 3}, Reals{1, 2, 3, 4, 5, 6});
    const auto expect_error = [](const Node& node, const std::vector<HostTensor>& inputs) {
        const std::string text = error_of(node, inputs);
        EXPECT_TRUE(text.starts_with("node 'the_node' (" + node.op + "): ")) << node.op << ": " << text;
        EXPECT_EQ(text.find('\n'), std::string::npos);
    };
    expect_error(make_node("Gather", 2), {tensor, ints({2})});
    expect_error(make_node("Gather", 2), {tensor, tensor});
    expect_error(make_node("Reshape", 1), {tensor});
    expect_error(make_node("Reshape", 2), {tensor, ints({4})});
    expect_error(make_node("Reshape", 2), {tensor, ints({-1, -1})});
    expect_error(make_node("Reshape", 2), {tensor, ints({-2, -3})});
    expect_error(make_node("Reshape", 2), {tensor, ints({2, 3, 0})});
    expect_error(make_node("Squeeze", 2), {tensor, ints({0})});
    expect_error(make_node("Unsqueeze", 2), {tensor, ints({0, 0})});
    expect_error(make_node("Unsqueeze", 2), {tensor, ints({9})});
    expect_error(make_node("Concat", 1), {tensor});
    expect_error(make_node("Slice", 3), {tensor, ints({0}), ints({1, 2})});
    expect_error(make_node("Slice", 5), {tensor, ints({0}), ints({1}), ints({0}), ints({0})});
    expect_error(make_node("Slice", 4), {tensor, ints({0}), ints({1}), ints({5})});
    expect_error(make_node("Where", 3), {tensor, tensor, tensor});
    Node concat = make_node("Concat", 2);
    concat.attributes.set("axis", std::int64_t{1});
    expect_error(concat, {tensor, HostTensor::of({3, 2}, Reals(6))});
    expect_error(concat, {tensor, HostTensor::of({2, 3}, Integers(6))});
    concat.attributes.set("axis", 1.0F);
    expect_error(concat, {tensor, tensor});
    Node transpose = make_node("Transpose", 1);
    transpose.attributes.set("perm", Integers{0, 0});
    expect_error(transpose, {tensor});
}

}  // namespace
}  // namespace deconv::nn
