// The command line itself: help, lists, and what is refused with exit code 2.
#include "live/live_models.h"
#include "live/program.h"

namespace deconv::testing {
namespace {

TEST(CommandLine, VersionIsOneLine) {
    const Outcome outcome = run_well({"--version"});
    EXPECT_EQ(outcome.out, std::string(DECONV_VERSION) + "\n");
    EXPECT_EQ(outcome.err, "");
}

TEST(CommandLine, HelpNamesEveryOption) {
    const Outcome outcome = run_well({"--help"});
    for (const char* option :
         {"camera", "input",  "model",   "size",    "fit",         "layer",        "channel",     "projection", "start",
          "rule",   "lrn",    "display", "blur",    "headless",    "frames",       "record",      "snapshot",   "raw",
          "device", "limits", "json",    "version", "activations", "list-devices", "list-models", "list-layers"}) {
        EXPECT_CONTAINS(outcome.out, std::string("--") + option);
    }
    EXPECT_EQ(outcome.err, "");
}

struct Wrong {
    const char* what;
    Arguments arguments;
    std::string named;  // what the message must name
};

class WrongCommandLine : public ::testing::TestWithParam<Wrong> {};

TEST_P(WrongCommandLine, ExitsWith2AndNamesIt) {
    const TempDir folder;
    const std::string said = failure(GetParam().arguments, 2, {folder.path(), {}});
    EXPECT_CONTAINS(said, GetParam().named);
    EXPECT_EQ(folder.files(), 0U);
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongCommandLine,
    ::testing::Values(
        Wrong{"UnknownOption", {"--no-such-option"}, "--no-such-option"},
        Wrong{"StrayWord", {"photo.jpg"}, "photo.jpg"}, Wrong{"MissingValue", {"--model"}, "--model"},
        Wrong{"CameraAndInput", {"--camera", "0", "--input", "demo"}, "--camera"},
        Wrong{"Fit", {"--fit", "squeeze"}, "crop, stretch, letterbox"}, Wrong{"FitNumber", {"--fit", "1"}, "--fit"},
        Wrong{"Rule", {"--rule", "guide"}, "deconv, guided, gradient"},
        Wrong{"Lrn", {"--lrn", "none"}, "identity, derivative"},
        Wrong{"Display", {"--display", "grey"}, "signed, positive, norm, range"},
        Wrong{"Start", {"--start", "two"}, "--start"}, Wrong{"Limits", {"--limits", "maximum"}, "minimum"},
        Wrong{"FramesZero", {"--frames", "0"}, "--frames"}, Wrong{"FramesWord", {"--frames", "ten"}, "--frames"},
        Wrong{"FramesNegative", {"--frames", "-3"}, "--frames"}, Wrong{"Blur", {"--blur", "-1"}, "--blur"},
        Wrong{"SizeZero", {"--size", "0"}, "--size"}, Wrong{"SizeWord", {"--size", "big"}, "--size big"},
        Wrong{"SizeHalf", {"--size", "32x"}, "--size 32x"}, Wrong{"SizeLong", {"--size", "99999999999"}, "--size"},
        Wrong{"SizeNegative", {"--size=-32x32"}, "--size"}, Wrong{"SizeThree", {"--size", "32x32x32"}, "--size"},
        Wrong{"Projection", {"--projection", "most"}, "--projection most"},
        Wrong{"PositionHalf", {"--projection", "3,"}, "--projection"},
        Wrong{"PositionNegative", {"--projection=-1,2"}, "--projection"},
        Wrong{"PositionSecondNegative", {"--projection", "1,-2"}, "--projection"}),
    [](const auto& test) { return test.param.what; });

TEST(Lists, DevicesAsTableAndJson) {
    const Outcome outcome = run_well({"--list-devices"});
    EXPECT_CONTAINS(outcome.out, "index");
    EXPECT_EQ(outcome.err, "");
    const Json json = run_json({"--list-devices"});
    const Json& devices = json.at("devices");
    ASSERT_FALSE(devices.empty());
    for (std::size_t i = 0; i < devices.size(); ++i) {
        EXPECT_EQ(devices[i].at("index"), i);
        EXPECT_CONTAINS(outcome.out, devices[i].at("name").get<std::string>());
        EXPECT_TRUE(devices[i].at("type").is_string());
        EXPECT_GT(devices[i].at("memory_bytes").get<std::uint64_t>(), 0U);
    }
}

TEST(Lists, ModelsAsTableAndJson) {
    EXPECT_CONTAINS(run_well({"--list-models"}).out, "tiny-imagenet (default)");
    const Json json = run_json({"--list-models"});
    bool found = false;
    for (const Json& model : json.at("models")) {
        if (model.at("name") != "tiny-imagenet") continue;
        found = true;
        EXPECT_TRUE(model.at("default").get<bool>());
        EXPECT_EQ(model.at("classes"), 200);
        EXPECT_EQ(model.at("input"), (Json{64, 64}));
        EXPECT_TRUE(std::filesystem::exists(model.at("path").get<std::string>()));
    }
    EXPECT_TRUE(found);
}

TEST(Lists, ModelsFromAFolderOfOnesOwn) {
    const TempDir folder;
    write_colour_model(folder);
    const Place place{".", {{"DECONV_WEIGHTS", folder.path()}}};
    EXPECT_CONTAINS(run_well({"--list-models"}, place).out, "colour");
    EXPECT_EQ(run_json({"--list-layers", "--model", "colour"}, place).at("model"), "colour");
}

TEST(Lists, LayersOfTheBundledNetwork) {
    const Outcome outcome = run_well({"--list-layers"});
    for (const char* word : {"index", "name", "operator", "shape", "field", "stride", "offset", "parameters"}) {
        EXPECT_CONTAINS(outcome.out.substr(0, 400), word);
    }
    const Json json = run_json({"--list-layers"});
    EXPECT_EQ(json.at("model"), "tiny-imagenet");
    const Json& layers = json.at("layers");
    bool stages_over = false;
    int defaults = 0;
    for (std::size_t i = 0; i < layers.size(); ++i) {
        EXPECT_EQ(layers[i].at("index"), i);
        EXPECT_CONTAINS(outcome.out, layers[i].at("name").get<std::string>());
        // Stages come first.
        stages_over = stages_over || !layers[i].at("stage").get<bool>();
        EXPECT_NE(layers[i].at("stage").get<bool>(), stages_over);
        defaults += layers[i].at("default").get<bool>() ? 1 : 0;
    }
    EXPECT_EQ(defaults, 1);
    // The first stage is a 5×5 convolution with stride 2 and its rectifier.
    EXPECT_EQ(layers[0].at("receptive_field").at("size"), (Json{5, 5}));
    EXPECT_EQ(layers[0].at("receptive_field").at("stride"), (Json{2, 2}));
    EXPECT_EQ(layers[0].at("receptive_field").at("offset"), (Json{-2, -2}));
    EXPECT_EQ(layers[0].at("shape"), (Json{1, 48, 32, 32}));
    EXPECT_EQ(layers[0].at("parameters"), 3648);
}

TEST(Lists, LayersFollowTheSize) {
    const TempDir folder;
    const Json json = run_json({"--list-layers", "--model", write_colour_model(folder), "--size", "20x10"});
    EXPECT_EQ(json.at("layers").at(0).at("shape"), (Json{1, 3, 10, 20}));
}

TEST(Lists, NeedNoDevice) {
    const Place nowhere{".", {{"VK_ICD_FILENAMES", "/nonexistent"}, {"VK_DRIVER_FILES", "/nonexistent"}}};
    run_well({"--list-models"}, nowhere);
    run_well({"--list-layers"}, nowhere);
}

}  // namespace
}  // namespace deconv::testing
