// What a training leaves: checkpoints, logs, curves, and the network as ONNX.
#include <cmath>
#include <limits>

#include "nn/graph.h"
#include "nn/sidecar.h"
#include "reference/network.h"
#include "reference/test_models.h"
#include "train/architecture.h"
#include "train/checkpoint.h"
#include "train/log.h"
#include "train/onnx_export.h"
#include "train_host/data_testing.h"

namespace deconv::testing {
namespace {

using namespace train;

Checkpoint example() {
    Checkpoint c;
    c.tensors = {{"value/a", {1.5F, -0.0F, std::numeric_limits<float>::denorm_min()}}, {"value/b", {}}, {"x", {3}}};
    c.integers = {{"epoch", 7}, {"most", ~std::uint64_t{0}}};
    c.texts = {{"architecture", "vgg-small"}, {"bytes", std::string("\0\n\xff", 3)}};
    return c;
}

TEST(Checkpoints, ComeBackBitForBit) {
    const Folder folder;
    save_checkpoint(folder / "a.checkpoint", example());
    const Checkpoint back = load_checkpoint(folder / "a.checkpoint");
    EXPECT_EQ(back.tensors, example().tensors);
    EXPECT_TRUE(std::signbit(back.tensors.at("value/a")[1]));
    EXPECT_EQ(back.integers, example().integers);
    EXPECT_EQ(back.texts, example().texts);
    EXPECT_EQ(back.tensors_of("value/").size(), 2U);
    EXPECT_SAYS(error_of([&] { back.integer("other"); }), "has no \"other\"");
}

TEST(Checkpoints, DamageIsFoundWhereverItIs) {
    const Folder folder;
    const std::string path = folder / "a.checkpoint";
    save_checkpoint(path, example());
    const std::string whole = read_bytes(path);
    for (std::size_t size = 0; size < whole.size(); size += 7) {
        write_bytes(path, whole.substr(0, size));
        EXPECT_NE(error_of([&] { load_checkpoint(path); }), "") << size;
    }
    for (std::size_t at = 0; at < whole.size(); at += 5) {
        std::string damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
        write_bytes(path, damaged);
        EXPECT_NE(error_of([&] { load_checkpoint(path); }), "") << at;
    }
    EXPECT_SAYS(error_of([&] { load_checkpoint(folder / "none"); }), "no checkpoint");
    write_bytes(path, "hello, this is a text and no checkpoint");
    EXPECT_SAYS(error_of([&] { load_checkpoint(path); }), "is no checkpoint of deconv-train");
}

std::vector<EpochResult> falling(int epochs) {
    std::vector<EpochResult> results;
    for (int e = 1; e <= epochs; ++e) {
        results.push_back({e, 0.1 / e, 2.0 / e, 1 - 0.9 / e, 2.2 / e + 0.05, 1 - 1.0 / e, 1234.5, 12.25});
    }
    return results;
}

TEST(Logs, AreTables) {
    const Folder folder;
    write_log(folder / "log.csv", falling(2));
    EXPECT_EQ(read_bytes(folder / "log.csv"),
              "epoch,learning_rate,train_loss,train_accuracy,test_loss,test_accuracy,images_per_second,seconds\n"
              "1,0.1,2.000000,0.100000,2.250000,0.000000,1234.5,12.2\n"
              "2,0.05,1.000000,0.550000,1.150000,0.500000,1234.5,12.2\n");
}

TEST(Logs, CurvesShowEverySeries) {
    const Folder folder;
    draw_curves(folder / "curves.png", "vgg-small on cifar10", falling(24));
    const cv::Mat picture = cv::imread(folder / "curves.png");
    ASSERT_EQ(picture.cols, 1280);
    // Pixels of both colours in both plots.
    const auto count = [&](const cv::Rect& area, const cv::Vec3b& colour) {
        int found = 0;
        for (int y = area.y; y < area.y + area.height; ++y) {
            for (int x = area.x; x < area.x + area.width; ++x) found += picture.at<cv::Vec3b>(y, x) == colour ? 1 : 0;
        }
        return found;
    };
    for (const cv::Rect& plot : {cv::Rect(80, 90, 520, 390), cv::Rect(720, 90, 520, 390)}) {
        EXPECT_GT(count(plot, {200, 120, 40}), 300);
        EXPECT_GT(count(plot, {40, 80, 220}), 300);
    }
    for (const int epochs : {1, 2, 300}) draw_curves(folder / "curves.png", "t", falling(epochs));
}

/// Batch normalisation with statistics that matter, in a graph of every kind of node that is trained.
nn::Graph with_statistics() {
    nn::Graph graph = make_architecture("vgg-small", 3, 5, 3);
    unsigned state = 1;
    for (auto& [name, tensor] : graph.constants) {
        if (name.find("norm") != 0) continue;
        std::vector<float> values = *tensor.floats;
        for (float& v : values) {
            state = state * 1664525U + 1013904223U;
            v += 0.4F * static_cast<float>(state >> 8U) / 16777216.0F;
        }
        tensor = nn::HostTensor::of(tensor.shape, values);
    }
    return graph;
}

reference::Tensor run_reference(const std::string& path, const reference::Tensor& input) {
    const reference::Network network = reference::Network::load(path);
    return network.forward({{"data", input}}).at("fc");
}

TEST(OnnxExport, IsReadBackAsItWasAndFoldingChangesNoResult) {
    const Folder folder;
    const nn::Graph graph = with_statistics();
    export_onnx(graph, folder / "plain.onnx", false);
    export_onnx(for_inference(graph), folder / "folded.onnx", false);
    export_onnx(for_inference(graph), folder / "half.onnx", true);
    const nn::Graph back = nn::import_onnx(folder / "plain.onnx");
    EXPECT_EQ(back.inputs.at(0).shape, (nn::Shape{-1, 3, -1, -1}));
    ASSERT_EQ(back.nodes.size(), graph.nodes.size());
    for (std::size_t i = 0; i < back.nodes.size(); ++i) {
        EXPECT_EQ(back.nodes[i].op, graph.nodes[i].op);
        EXPECT_EQ(back.nodes[i].name, graph.nodes[i].name);
        EXPECT_EQ(back.nodes[i].inputs, graph.nodes[i].inputs);
    }
    for (const auto& [name, tensor] : graph.constants)
        EXPECT_EQ(*back.constants.at(name).floats, *tensor.floats) << name;

    reference::RandomTensors random(5);
    const reference::Tensor input = random.normal({2, 3, 24, 20});
    const reference::Tensor plain = run_reference(folder / "plain.onnx", input);
    EXPECT_LE(reference::relative_error(run_reference(folder / "folded.onnx", input), plain), 1e-5);
    const double half = reference::relative_error(run_reference(folder / "half.onnx", input), plain);
    EXPECT_LE(half, 1e-2);
    EXPECT_GT(half, 1e-6) << "half precision rounds";
    EXPECT_LT(read_bytes(folder / "half.onnx").size(), read_bytes(folder / "folded.onnx").size() * 6 / 10);
    for (const nn::Node& node : for_inference(graph).nodes) EXPECT_NE(node.op, "BatchNormalization");
}

TEST(OnnxExport, FoldsOnlyWhatNobodyElseReads) {
    const auto scalars = [](std::initializer_list<float> values) {
        return nn::HostTensor::of({static_cast<std::int64_t>(values.size())}, std::vector<float>(values));
    };
    nn::Graph graph;
    graph.inputs = {{"data", {-1, 1, -1, -1}}};
    graph.outputs = {"sum"};
    graph.constants = {{"w", nn::HostTensor::of({2, 1, 1, 1}, std::vector<float>{0.5F, -2.0F})},
                       {"scale", scalars({2, 3})},
                       {"shift", scalars({0.25F, 1})},
                       {"mean", scalars({0.5F, -1})},
                       {"variance", scalars({4, 0.5F})}};
    const std::vector<std::string> norm = {"", "scale", "shift", "mean", "variance"};
    const auto normalised = [&](const char* from, const char* to) {
        std::vector<std::string> inputs = norm;
        inputs[0] = from;
        return nn::Node{to, "BatchNormalization", inputs, {to}, {}};
    };
    // Behind the dropout the convolution has two readers; the second convolution shares its weights with the first.
    graph.nodes = {{"conv", "Conv", {"data", "w"}, {"conv"}, {}},
                   {"drop", "Dropout", {"conv"}, {"drop"}, {}},
                   normalised("drop", "norm"),
                   {"again", "Conv", {"data", "w"}, {"again"}, {}},
                   normalised("again", "norm2"),
                   {"part", "Add", {"norm", "conv"}, {"part"}, {}},
                   {"lrn", "LRN", {"part"}, {"lrn"}, {}},
                   {"sum", "Add", {"lrn", "norm2"}, {"sum"}, {}}};
    graph.nodes[6].attributes.set("size", std::int64_t{3});
    graph.nodes[6].attributes.set("bias", 2.0F);
    graph.nodes[6].attributes.set("alpha", 0.7F);
    const Folder folder;
    export_onnx(graph, folder / "plain.onnx", false);
    export_onnx(for_inference(graph), folder / "folded.onnx", false);
    EXPECT_FLOAT_EQ(nn::import_onnx(folder / "folded.onnx").nodes.at(5).attributes.real("bias", 1), 2);
    reference::RandomTensors random(7);
    const std::map<std::string, reference::Tensor> input = {{"data", random.normal({2, 1, 5, 4})}};
    const auto result = [&](const char* name) {
        return reference::Network::load(folder / name).forward(input).at("sum");
    };
    EXPECT_LE(reference::relative_error(result("folded.onnx"), result("plain.onnx")), 1e-6);
}

TEST(OnnxExport, TheSidecarIsWhatTheProgramReads) {
    const Folder folder;
    export_onnx(for_inference(with_statistics()), folder / "net.onnx", false);
    Description description{"net",
                            "made here",
                            {{"test_accuracy", 0.8125}, {"epochs", 3}},
                            32,
                            32,
                            {{0.1F, 0.2F, 0.3F}, {0.4F, 0.5F, 0.6F}},
                            {"ankle boot", "cat", "T-shirt/top", "d", "e"}};
    write_sidecar(folder / "net.onnx", description);
    const nn::Sidecar sidecar = nn::read_sidecar(folder / "net.onnx");
    EXPECT_TRUE(sidecar.found);
    EXPECT_EQ(sidecar.labels, description.classes);
    EXPECT_EQ(sidecar.width, 32);
    EXPECT_FLOAT_EQ(sidecar.std[1], 0.5F);
    EXPECT_EQ(sidecar.origin, "made here");
}

TEST(Architectures, FilesAreReadAndMistakesAreNamed) {
    const Folder folder;
    const auto make = [&](const std::string& json) {
        write_bytes(folder / "net.json", json);
        return make_architecture(folder / "net.json", 1, 4, 1);
    };
    const auto error = [&](const std::string& json) { return error_of([&] { make(json); }); };
    const nn::Graph graph =
        make(R"({"layers": [{"type": "conv", "channels": 8, "kernel": 5, "stride": 2, "batch_norm": false},
        {"type": "average_pool"}, {"type": "dropout", "ratio": 0.2}, {"type": "global_average"},
        {"type": "linear", "outputs": 16, "relu": true}, {"type": "linear"}]})");
    EXPECT_EQ(graph.constants.at("conv1_1.weight").shape, (nn::Shape{8, 1, 5, 5}));
    EXPECT_EQ(graph.nodes.back().op, "Gemm");
    EXPECT_EQ(graph.outputs, (std::vector<std::string>{"fc2"}));
    EXPECT_SAYS(error("{"), "is not JSON");
    EXPECT_SAYS(error("{}"), "no list \"layers\"");
    EXPECT_SAYS(error(R"({"layers": [{"type": "conv"}]})"), "layer 1 (conv): channels is missing");
    EXPECT_SAYS(error(R"({"layers": [{"type": "conv", "chanels": 8, "channels": 8}]})"), "knows no \"chanels\"");
    EXPECT_SAYS(error(R"({"layers": [{"type": "convolution"}]})"), "there is no such layer");
    EXPECT_SAYS(error(R"({"layers": [{"type": "linear"}]})"), "global_average must come before");
    EXPECT_SAYS(error(R"({"layers": [{"type": "global_average"}]})"), "last layer must be \"linear\"");
    EXPECT_SAYS(error_of([] { make_architecture("vgg", 3, 4, 1); }), "no network vgg to train: vgg-small, zf");
}

}  // namespace
}  // namespace deconv::testing
