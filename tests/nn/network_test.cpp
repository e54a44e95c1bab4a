// A graph at one input size, without a device: layers that people choose, and receptive fields.
#include "nn/network.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/npy.h"
#include "onnx_models.h"
#include "reference/test_models.h"

namespace deconv::nn {
namespace {

const std::string golden_folder = std::string(DECONV_SOURCE_DIR) + "/tests/golden/";

/// "name: operators, learned values" of every stage.
std::vector<std::string> stages(const std::string& name) {
    const Network network(import_onnx(golden_folder + name + ".onnx"));
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < network.layers().size(); ++i) {
        const Network::Layer& layer = network.layers()[i];
        EXPECT_EQ(layer.stage, i < network.stage_count()) << "stages come first";
        EXPECT_EQ(&network.find_layer(layer.name), &layer);
        EXPECT_EQ(&network.find_layer(std::to_string(i)), &layer);
        if (layer.stage) lines.push_back(layer.name + ": " + layer.op + ", " + std::to_string(layer.parameters));
    }
    return lines;
}

TEST(NetworkLayers, StagesAreWhatAPersonWouldName) {
    EXPECT_EQ(stages("alexnet"),
              (std::vector<std::string>{"conv1_2: Conv + Relu, 1456", "pool1_1: MaxPool, 0",
                                        "conv2_2: Conv + Relu, 204", "pool2_1: MaxPool, 0", "conv3_2: Conv + Relu, 148",
                                        "conv4_2: Conv + Relu, 76", "conv5_2: Conv + Relu, 76", "pool5_1: MaxPool, 0",
                                        "fc6_2: Gemm + Relu, 80", "fc7_2: Gemm + Relu, 272", "fc8_1: Gemm, 170"}));
    EXPECT_EQ(
        stages("windows"),
        (std::vector<std::string>{"b: Conv + LeakyRelu, 222", "c: MaxPool, 0", "e: Conv + PRelu, 232", "f: MaxPool, 0",
                                  "h: ConvTranspose + Sigmoid, 292", "i: AveragePool, 0", "j: Concat + Clip, 0",
                                  "l: Conv + HardSwish, 91", "m: GlobalMaxPool, 0", "n: Gemm, 80"}));
    const auto residual = stages("resnet18-v1");
    ASSERT_GT(residual.size(), 5U);
    EXPECT_EQ(residual[0], "resnetv15_relu0_fwd: Conv + BatchNormalization + Relu, 453");
    EXPECT_EQ(residual[3], "resnetv15_stage1_batchnorm1_fwd: Conv + BatchNormalization, 93");
    EXPECT_EQ(residual[4], "resnetv15_stage1_activation0: Add + Relu, 0");
    const Network network(import_onnx(golden_folder + "alexnet.onnx"));
    EXPECT_EQ(network.default_layer().name, "conv4_2") << "the stage in the middle";
}

TEST(NetworkLayers, NamesAndNumbersThatDoNotExist) {
    const Network network(import_onnx(golden_folder + "alexnet.onnx"));
    const auto error = [&](const std::string& wanted) { return error_from([&] { network.find_layer(wanted); }); };
    EXPECT_EQ(error("conv5"), "no layer named \"conv5\"; nearest: conv5_2, conv5_1, conv1_2 (see --list-layers)");
    EXPECT_HAS(error("Conv3_3"), "nearest: conv3_2, conv3_1");
    EXPECT_EQ(error("24"), "no layer 24: they are numbered 0 to 23 (see --list-layers)");
    EXPECT_HAS(error("123456789012345678901234567890"), "they are numbered 0 to 23");
    EXPECT_HAS(error(""), "no layer named \"\"");
    EXPECT_HAS(error("-1"), "no layer named \"-1\"");
}

TEST(NetworkShapes, OpenSizesAreGivenOrSaid) {
    const auto model = small_model();
    EXPECT_HAS(error_from([&] { Network(import_model(model)); }), "give one with --size");
    const Network network(import_model(model), {{"image", {1, 3, 9, 7}}});
    EXPECT_EQ(network.tensors()[static_cast<std::size_t>(network.find_tensor("y"))].shape, (Shape{1, 2, 11, 9}));
    EXPECT_HAS(error_from([&] { Network(import_model(model), {{"image", {1, 4, 9, 7}}}); }), "does not fit input");
    EXPECT_HAS(error_from([&] { Network(import_model(model), {{"image", {1, 3, 9}}}); }), "has 4 dimensions");
}

/// Where the field of each position of a tensor lies, by the reference, behind operators whose positions differ in it.
void expect_contains(const reference::Network& network, const reference::Network::Values& values,
                     const Network::TensorInfo& tensor, const std::string& input) {
    const reference::Planes image = reference::planes_of(values.at(input).shape);
    const reference::Planes planes = reference::planes_of(tensor.shape);
    for (std::int64_t y = 0; y < planes.height; ++y) {
        for (std::int64_t x = 0; x < planes.width; ++x) {
            const reference::Box box = reference::field_box(network, values, tensor.name, input, {y, x, y + 1, x + 1});
            const auto within = [](const ReceptiveField& field, std::int64_t at, std::int64_t first, std::int64_t end,
                                   std::int64_t size) {
                const double begin = static_cast<double>(at) * field.stride + field.offset;
                EXPECT_LE(std::max(std::floor(begin), 0.0), static_cast<double>(first));
                EXPECT_GE(std::min(std::ceil(begin + field.size), static_cast<double>(size)), static_cast<double>(end));
            };
            within(tensor.field[0], y, box.y0, box.y1, image.height);
            within(tensor.field[1], x, box.x0, box.x1, image.width);
        }
    }
}

/// By the golden networks' own tensors: where a field is not the whole image, it is the reference's, exactly.
TEST(NetworkFields, AreTheReferences) {
    int compared = 0;
    for (const char* name : {"alexnet", "googlenet", "resnet18-v1", "vgg16", "windows"}) {
        SCOPED_TRACE(name);
        const std::string path = golden_folder + name + ".onnx";
        const Network network(import_onnx(path));
        const reference::Network reference = reference::Network::load(path);
        const NpyArray image = read_npy(golden_folder + name + "-input.npy");
        const std::string input = reference.inputs().at(0).first;
        const auto values = reference.forward({{input, {image.shape, {image.data.begin(), image.data.end()}}}});
        bool transposed = false;
        for (const Network::TensorInfo& tensor : network.tensors()) {
            if (tensor.output > 0 || tensor.producer < 0 || tensor.shape.size() < 4) continue;
            SCOPED_TRACE(tensor.name);
            // What follows a transposed convolution in the file lies behind it in the graph, too.
            transposed |= network.nodes()[static_cast<std::size_t>(tensor.producer)].node->op == "ConvTranspose";
            if (transposed) {
                expect_contains(reference, values, tensor, input);
                continue;
            }
            const auto field = reference::receptive_field(reference, values, tensor.name, input);
            const std::array<reference::FieldAxis, 2> axes{field.y, field.x};
            for (std::size_t axis = 0; axis < 2; ++axis) {
                const ReceptiveField& mine = tensor.field.at(axis);
                if (mine.global) {
                    EXPECT_TRUE(axes.at(axis).stride == 0 || tensor.shape[2 + axis] == 1) << axes.at(axis).stride;
                    continue;
                }
                EXPECT_DOUBLE_EQ(mine.size, axes.at(axis).size);
                EXPECT_DOUBLE_EQ(mine.stride, axes.at(axis).stride);
                EXPECT_DOUBLE_EQ(mine.offset, axes.at(axis).offset);
                ++compared;
            }
        }
    }
    EXPECT_GT(compared, 300);
}

/// Slices, pads, reductions and transpositions between a convolution and a pool.
TEST(NetworkFields, ThroughMovements) {
    using reference::Ints;
    const auto expect = [](const char* name, const auto& make) {
        SCOPED_TRACE(name);
        reference::ModelMaker maker(11);
        maker.constant("w", reference::Tensor{{2, 2, 3, 3}, std::vector<double>(36, 1.0)});
        maker.node("Conv", {"x", "w"}, "a", {{"strides", Ints{2, 1}}});
        make(maker);
        maker.node("AveragePool", {"b"}, "y", {{"kernel_shape", Ints{2, 3}}, {"strides", Ints{2, 1}}});
        onnx::ModelProto model = maker.proto();
        model.set_ir_version(7);
        model.mutable_graph()->set_name("fields");
        model.mutable_graph()->clear_input();
        add_value(*model.mutable_graph()->add_input(), "x", {1, 2, 31, 23});
        add_value(*model.mutable_graph()->add_output(), "y", {});
        const Network network(import_model(model));
        const reference::Network reference = reference::Network::parse(model);
        const auto values = reference.forward({{"x", reference::Tensor::zeros({1, 2, 31, 23})}});
        const auto field = reference::receptive_field(reference, values, "y", "x");
        const std::array<reference::FieldAxis, 2> axes{field.y, field.x};
        const auto& tensor = network.tensors()[static_cast<std::size_t>(network.find_tensor("y"))];
        for (std::size_t axis = 0; axis < 2; ++axis) {
            const ReceptiveField& mine = tensor.field.at(axis);
            EXPECT_EQ(mine.global, axes.at(axis).stride == 0);
            if (mine.global) continue;
            EXPECT_DOUBLE_EQ(mine.size, axes.at(axis).size);
            EXPECT_DOUBLE_EQ(mine.stride, axes.at(axis).stride);
            EXPECT_DOUBLE_EQ(mine.offset, axes.at(axis).offset);
        }
    };
    expect("Slice", [](reference::ModelMaker& m) {
        m.list("s", {3, 1});
        m.list("e", {100, -2});
        m.list("k", {2, 3});
        m.list("t", {2, 1});
        m.node("Slice", {"a", "s", "e", "k", "t"}, "b");
    });
    expect("Pad", [](reference::ModelMaker& m) {
        m.list("p", {0, 0, 2, 1, 0, 0, 0, 3});
        m.node("Pad", {"a", "p"}, "b");
    });
    expect("Transpose", [](reference::ModelMaker& m) {
        m.node("Transpose", {"a"}, "b", {{"perm", Ints{0, 1, 3, 2}}});
    });
    for (const Ints& axes : {Ints{2, 3}, Ints{2}, Ints{-1}}) {
        expect("a mean", [&](reference::ModelMaker& m) {
            m.node("ReduceMean", {"a"}, "g", {{"axes", axes}});
            m.node("Add", {"a", "g"}, "h");
            m.node("Mul", {"h", "g"}, "b");
        });
    }
    expect("Dropout", [](reference::ModelMaker& m) { m.node("Dropout", {"a"}, "b"); });
    expect("a gate", [](reference::ModelMaker& m) {
        m.node("GlobalAveragePool", {"a"}, "g");
        m.node("Mul", {"a", "g"}, "b");
    });
}

}  // namespace
}  // namespace deconv::nn
