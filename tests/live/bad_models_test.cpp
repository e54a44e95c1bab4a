// Networks that cannot be used: each is refused in one line that names what is wrong.
#include <limits>

#include "live/live_models.h"
#include "live/pictures.h"
#include "live/program.h"

namespace deconv::testing {
namespace {

class BadModel : public ::testing::Test {
  protected:
    /// What is said of a model; nothing is left where the pictures would be.
    std::string refusal(const std::string& model, Arguments more = {}) {
        Arguments arguments{"--model",  model, "--size",   "8",       "--input",    "demo",
                            "--frames", "1",   "--record", "out.mkv", "--snapshot", "out.png"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        const TempDir here;
        std::string said = failure(arguments, 1, {here.path(), {}});
        EXPECT_EQ(here.files(), 0U);
        return said;
    }

    TempDir folder_;
};

TEST_F(BadModel, Missing) {
    const std::string said = refusal(folder_ / "absent.onnx");
    EXPECT_CONTAINS(said, "absent.onnx");
    EXPECT_CONTAINS(said, "no such file");
    EXPECT_CONTAINS(failure({"--list-layers", "--model", folder_ / "absent.onnx"}), "absent.onnx");
}

TEST_F(BadModel, NoSuchName) {
    const std::string said = refusal("cifar11");
    EXPECT_CONTAINS(said, "cifar11");
    EXPECT_CONTAINS(said, "cifar10");
}

TEST_F(BadModel, Empty) {
    write_text(folder_ / "empty.onnx", "");
    const std::string said = refusal(folder_ / "empty.onnx");
    EXPECT_CONTAINS(said, "empty.onnx");
    EXPECT_CONTAINS(said, "empty");
}

TEST_F(BadModel, AFolder) {
    std::filesystem::create_directory(folder_ / "folder.onnx");
    EXPECT_CONTAINS(refusal(folder_ / "folder.onnx"), "folder.onnx");
}

TEST_F(BadModel, Truncated) {
    FileBytes bytes = read_file(std::string(DECONV_SOURCE_DIR) + "/weights/cifar10.onnx");
    ASSERT_GT(bytes.size(), 1000U);
    for (const std::size_t length : {bytes.size() / 2, bytes.size() - 1, std::size_t{40}}) {
        write_file(folder_ / "cut.onnx", {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length)});
        EXPECT_CONTAINS(refusal(folder_ / "cut.onnx"), "cut.onnx");
    }
}

TEST_F(BadModel, Corrupted) {
    // Every run ends in one of two ways, never in a signal: damage in a weight need not be noticed.
    const std::string whole = colour_model().SerializeAsString();
    std::uint32_t state = 7;
    for (int round = 0; round < 12; ++round) {
        std::string damaged = whole;
        for (int i = 0; i < 6; ++i) {
            state = state * 1664525U + 1013904223U;
            damaged[(state >> 8U) % damaged.size()] = static_cast<char>(state >> 3U);
        }
        write_text(folder_ / "damaged.onnx", damaged);
        const Outcome outcome = run({"--list-layers", "--model", folder_ / "damaged.onnx", "--size", "8"});
        EXPECT_EQ(outcome.signal, 0) << round;
        EXPECT_TRUE(outcome.exit_code == 0 || outcome.exit_code == 1) << round << ": " << outcome.err;
        if (outcome.exit_code == 1) {
            EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << outcome.err;
        }
    }
}

TEST_F(BadModel, Garbage) {
    write_text(folder_ / "text.onnx", "This is a text about networks, not a network.\n");
    EXPECT_CONTAINS(refusal(folder_ / "text.onnx"), "text.onnx");
}

TEST_F(BadModel, OperatorNotSupported) {
    onnx::ModelProto model = colour_model();
    model.mutable_graph()->mutable_node(1)->set_op_type("Softplus");
    const std::string said = refusal(write_model(folder_, model));
    EXPECT_CONTAINS(said, "rectifier1");
    EXPECT_CONTAINS(said, "Softplus");
    EXPECT_CONTAINS(said, "MaxPool");  // what is supported
}

TEST_F(BadModel, WeightsOutsideOfItsFolder) {
    const TempDir elsewhere;
    write_file(elsewhere / "weights.bin", FileBytes(36));
    for (const std::string& location :
         {elsewhere / "weights.bin",
          "../" + std::filesystem::path(elsewhere.path()).filename().string() + "/weights.bin"}) {
        onnx::ModelProto model = colour_model();
        auto& weights = *model.mutable_graph()->mutable_initializer(0);
        weights.clear_float_data();
        weights.set_data_location(onnx::TensorProto::EXTERNAL);
        auto& entry = *weights.add_external_data();
        entry.set_key("location");
        entry.set_value(location);
        EXPECT_CONTAINS(refusal(write_model(folder_, model)), "weights");
    }
}

TEST_F(BadModel, ShapesThatDoNotFit) {
    onnx::ModelProto model = colour_model();
    auto& weights = *model.mutable_graph()->mutable_initializer(0);
    weights.set_dims(1, 4);  // four channels in, where the image has three
    for (int i = 0; i < 3; ++i) weights.add_float_data(0);
    EXPECT_CONTAINS(refusal(write_model(folder_, model)), "conv1");
}

TEST_F(BadModel, NotAnImageNetwork) {
    onnx::ModelProto model = colour_model();
    nn::add_value(*model.mutable_graph()->add_input(), "second", {1, 3, -1, -1});
    EXPECT_CONTAINS(refusal(write_model(folder_, model)), "2 inputs");
    model = colour_model();
    model.mutable_graph()->mutable_input(0)->clear_type();
    nn::add_value(*model.mutable_graph()->mutable_input(0), "image", {1, 5, -1, -1});
    EXPECT_CONTAINS(refusal(write_model(folder_, model)), "image");
}

TEST_F(BadModel, ASizeThatItsGraphDoesNotAllow) {
    onnx::ModelProto model = colour_model();
    model.mutable_graph()->mutable_input(0)->clear_type();
    nn::add_value(*model.mutable_graph()->mutable_input(0), "image", {1, 3, 8, 8});
    const std::string path = write_model(folder_, model);
    const Outcome outcome = run({"--model", path, "--size", "9", "--input", "demo", "--frames", "1", "--json"});
    EXPECT_EQ(outcome.signal, 0);
    // Fully convolutional graphs take any size; where one is refused, it is said in a line.
    if (outcome.exit_code != 0) {
        EXPECT_EQ(outcome.exit_code, 1);
        EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << outcome.err;
    }
}

TEST_F(BadModel, NanWeightsAreAWarning) {
    onnx::ModelProto model = colour_model();
    model.mutable_graph()->mutable_initializer(0)->set_float_data(0, std::numeric_limits<float>::quiet_NaN());
    const std::string path = write_model(folder_, model);
    const Outcome outcome = run_well({"--model", path, "--size", "8", "--input", "demo", "--frames", "1", "--json",
                                      "--snapshot", folder_ / "out.png"});
    EXPECT_EQ(outcome.err.rfind("deconv-live: warning: ", 0), 0U) << outcome.err;
    EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << outcome.err;
    EXPECT_CONTAINS(outcome.err, "weights");
    EXPECT_TRUE(Json::accept(outcome.out)) << outcome.out;
    EXPECT_FALSE(cv::imread(folder_ / "out.png").empty());
}

TEST_F(BadModel, ASidecarThatIsDamaged) {
    const std::string path = write_colour_model(folder_);
    write_text(folder_ / "colour.json", R"({"input": )");
    EXPECT_CONTAINS(refusal(path), "colour.json");
    write_text(folder_ / "colour.json", R"({"labels": "absent.txt"})");
    EXPECT_CONTAINS(refusal(path), "absent.txt");
}

TEST_F(BadModel, NoSuchLayer) {
    const std::string path = write_colour_model(folder_);
    const std::string said = refusal(path, {"--layer", "relu2"});
    EXPECT_CONTAINS(said, "relu2");
    EXPECT_CONTAINS(said, "relu1");
    EXPECT_CONTAINS(refusal(path, {"--layer", "17"}), "0 to 3");
    EXPECT_CONTAINS(refusal(path, {"--layer", "99999999999999999999"}), "0 to 3");
}

TEST_F(BadModel, NoSuchChannel) {
    const std::string path = write_colour_model(folder_);
    EXPECT_CONTAINS(refusal(path, {"--layer", "relu1", "--channel", "3"}), "0 to 2");
    EXPECT_CONTAINS(refusal(path, {"--layer", "relu1", "--channel", "99999999999999999999"}), "0 to 2");
    EXPECT_CONTAINS(refusal(path, {"--layer", "relu1", "--channel", "-1"}), "0 to 2");
    const std::string said = refusal(path, {"--channel", "grene"});
    EXPECT_CONTAINS(said, "grene");
    EXPECT_CONTAINS(said, "green");
}

TEST_F(BadModel, NoSuchPosition) {
    const std::string path = write_colour_model(folder_);
    EXPECT_CONTAINS(refusal(path, {"--layer", "relu1", "--channel", "0", "--projection", "8,0"}), "0 to 7");
    EXPECT_CONTAINS(refusal(path, {"--layer", "relu1", "--channel", "0", "--projection", "0,8"}), "0 to 7");
    EXPECT_CONTAINS(refusal(path, {"--layer", "classes", "--channel", "0", "--projection", "1,0"}), "0 to 0");
}

}  // namespace
}  // namespace deconv::testing
