// Every algorithm for convolutions, forced on what it claims to run, both ways, against the float64 reference.
#include "engine_cases.h"
#include "nn/ops/convolution.h"

namespace deconv::testing {
namespace {

/// A convolution with a rectifier behind it, at random.
struct Case {
    ModelMaker maker;
    Shape shape;
    std::string text;
};
Case random_case(Random& random, std::int64_t kernel, std::int64_t largest_stride, std::int64_t largest_channels) {
    Case c;
    const std::int64_t group = random.pick<std::int64_t>({1, 1, 1, 2, 3});
    const std::int64_t in = group * random.integer(1, largest_channels);
    const std::int64_t out = group * random.integer(1, largest_channels);
    const std::int64_t edge = kernel == 1 ? 0 : random.integer(0, kernel);
    const AttributeList attributes{
        {"kernel_shape", Ints{kernel, kernel}},
        {"strides", Ints{random.integer(1, largest_stride), random.integer(1, largest_stride)}},
        {"pads", Ints{edge, kernel == 1 ? 0 : random.integer(0, 2), kernel == 1 ? 0 : random.integer(0, 3), edge}},
        {"group", group}};
    c.shape = {random.integer(1, 3), in, kernel + random.integer(0, 17), kernel + random.integer(0, 17)};
    c.maker.constant("w", random.normal({out, in / group, kernel, kernel}));
    std::vector<std::string> inputs{"x", "w"};
    if (random.flip()) inputs.push_back(c.maker.constant("b", random.normal({out})));
    c.maker.node("Conv", inputs, "z", attributes);
    c.maker.node("Relu", {"z"}, "y");
    c.text = describe("Conv, Relu", c.shape, attributes) + " to " + std::to_string(out) + " channels";
    return c;
}

void expect_algorithm(const std::string& algorithm, const std::string& shader, Random& random, std::int64_t kernel,
                      std::int64_t largest_stride, int trials, double tolerance) {
    int ran = 0;
    for (int trial = 0; trial < trials; ++trial) {
        const Case c = random_case(random, kernel, largest_stride, trial % 4 == 0 ? 40 : 9);
        SCOPED_TRACE(algorithm + ": " + c.text);
        Comparison comparison(c.maker.proto(), {{"x", random.normal(c.shape)}}, {"y"});
        comparison.runner().model().choices().force(algorithm);
        comparison.expect_forward(tolerance);
        for (const nn::Rule rule : all_rules) {
            const auto selections = all_and_others(random, comparison.values().at("y").shape, 4);
            comparison.expect_projection("y", rule, selections, tolerance);
            ran += dispatches(comparison.runner().current(), shader) > 0 ? 1 : 0;
        }
    }
    std::printf("[          ] %s ran in %d of %d projections\n", algorithm.c_str(), ran, 3 * trials);
    const bool packed = engine().device.info().type == gpu::DeviceType::cpu &&
                        engine().device.info().subgroup_size == 8 && engine().device.info().subgroup_shuffle;
    const bool everywhere = algorithm != "packed" && algorithm != "pointwise";
    EXPECT_EQ(ran, everywhere || packed ? 3 * trials : 0);
}

TEST(EngineAlgorithms, Direct) {
    Random random(61);
    expect_algorithm("direct", "nn/conv.", random, 3, 2, 12, 1e-5);
    expect_algorithm("direct", "nn/conv.", random, 1, 2, 12, 1e-5);
}

TEST(EngineAlgorithms, Tiled) {
    for (const std::string algorithm : {"tiled", "tiled128"}) {
        Random random(67);
        expect_algorithm(algorithm, "nn/conv_tiled", random, 3, 2, 16, 1e-5);
        expect_algorithm(algorithm, "nn/conv_tiled", random, 1, 2, 12, 1e-5);
        expect_algorithm(algorithm, "nn/conv_tiled", random, 5, 3, 8, 1e-5);
        // Several tiles of channels and of places, both ways; steps of one tap (96 channels) and of several (70); steps
        // shared out to several workgroups.
        for (const std::int64_t channels : {70, 96}) {
            ModelMaker maker;
            maker.constant("w", random.normal({150, channels, 3, 3}));
            maker.constant("b", random.normal({150}));
            maker.node("Conv", {"x", "w", "b"}, "z", {{"pads", Ints{1, 0, 2, 1}}, {"dilations", Ints{1, 2}}});
            maker.node("Relu", {"z"}, "y");
            SCOPED_TRACE(algorithm + ", " + std::to_string(channels) + " channels");
            Comparison comparison(maker.proto(), {{"x", random.normal({2, channels, 11, 13})}}, {"y"});
            comparison.runner().model().choices().force(algorithm);
            comparison.expect_forward(1e-5);
            for (const nn::Rule rule : all_rules) comparison.expect_projection("y", rule, {{}, {}}, 1e-5);
            EXPECT_EQ(dispatches(comparison.runner().current(), "nn/conv_tiled"), 2);
            EXPECT_EQ(dispatches(comparison.runner().current(), "nn/sum_parts.floats"), 2);
        }
    }
}

TEST(EngineAlgorithms, Packed) {
    Random random(62);
    expect_algorithm("packed", "nn/conv_packed", random, 3, 3, 24, 1e-5);
    expect_algorithm("packed", "nn/conv_packed", random, 1, 2, 12, 1e-5);
    expect_algorithm("packed", "nn/conv_packed", random, 5, 4, 12, 1e-5);
}

TEST(EngineAlgorithms, Pointwise) {
    Random random(63);
    expect_algorithm("pointwise", "nn/conv_packed.plain", random, 1, 1, 32, 1e-5);
}

TEST(EngineAlgorithms, Winograd) {
    Random random(64);
    expect_algorithm("winograd2", "nn/winograd_input.2", random, 3, 1, 32, 1e-5);
    expect_algorithm("winograd4", "nn/winograd_input.4", random, 3, 1, 32, 3e-5);
}

TEST(EngineAlgorithms, WinogradAddsUpThePartsOfItsProducts) {
    Random random(69);
    for (const std::string algorithm : {"winograd2", "winograd4"}) {
        for (const std::int64_t side : {10, 37}) {  // tiles of 32 and of 64 places
            ModelMaker maker;
            maker.constant("w", random.normal({8, 130, 3, 3}));
            maker.constant("b", random.normal({8}));
            maker.node("Conv", {"x", "w", "b"}, "y", {{"pads", Ints{1, 1, 1, 1}}});
            SCOPED_TRACE(algorithm + ", " + std::to_string(side));
            Comparison comparison(maker.proto(), {{"x", random.normal({1, 130, side, side})}}, {"y"});
            comparison.runner().model().choices().force(algorithm);
            comparison.expect_forward(3e-5);
            comparison.expect_projection("y", nn::Rule::deconv, {{}, {}}, 3e-5);
        }
    }
}

// Kernels, strides, groups, few channels (steps of several taps) and many (of one), full and partial tiles, and steps
// shared out to several workgroups; within the accuracy that reduced precision is allowed.
TEST(EngineAlgorithms, HalfPrecision) {
    const gpu::DeviceInfo& device = engine().device.info();
    if (!device.half_precision) GTEST_SKIP() << device.name << " has no half precision";
    for (const std::string algorithm : {"matrix", "matrix64", "matrix16x128", "matrix128x128", "half"}) {
        if (algorithm != "half" && !device.cooperative_matrix) {
            std::printf("SKIPPED: %s has no cooperative matrices\n", device.name.c_str());
            continue;
        }
        Random random(68);
        // A GPU's driver takes long to make a pipeline.
        for (int trial = 0; trial < (algorithm == "half" ? 24 : 4); ++trial) {
            const std::int64_t kernel = random.pick<std::int64_t>({1, 3, 5});
            const std::int64_t group = random.pick<std::int64_t>({1, 1, 2});
            const std::int64_t in = group * random.pick<std::int64_t>({3, 16, 20, 64, 160});
            const std::int64_t out = group * random.pick<std::int64_t>({5, 64, 70, 130});
            const std::int64_t stride = trial % 4 == 0 ? 2 : 1;
            const AttributeList attributes{{"kernel_shape", Ints{kernel, kernel}},
                                           {"strides", Ints{stride, stride}},
                                           {"pads", Ints{random.integer(0, kernel - 1), kernel / 2, kernel / 2, 0}},
                                           {"group", group}};
            const Shape shape{random.integer(1, 2), in, kernel + random.integer(3, 12), kernel + random.integer(3, 12)};
            ModelMaker maker;
            maker.constant("w", random.normal({out, in / group, kernel, kernel}));
            maker.constant("b", random.normal({out}));
            maker.node("Conv", {"x", "w", "b"}, "y", attributes);
            SCOPED_TRACE(algorithm + ": " + describe("Conv", shape, attributes) + " to " + std::to_string(out));
            Comparison comparison(maker.proto(), {{"x", random.normal(shape)}}, {"y"});
            comparison.runner().precision(nn::Precision::half);
            comparison.runner().model().choices().force(algorithm);
            comparison.expect_forward(2e-3);
            EXPECT_EQ(dispatches(comparison.runner().current(), "nn/conv_tiled." + algorithm), 1);
            nn::Selection all;
            all.channel = nn::Selection::all;
            comparison.expect_projection("y", nn::Rule::deconv, {all, all}, 2e-3);
            EXPECT_EQ(dispatches(comparison.runner().current(), "nn/conv_tiled." + algorithm),
                      1 + (stride == 1 ? 1 : 4));
            // Half precision is allowed, not required of a plan: without it there is none.
            comparison.runner().precision(nn::Precision::single);
            comparison.expect_forward(1e-5);
        }
    }
}

TEST(EngineAlgorithms, ImagesThatFitNoBindingTogetherRunInSlices) {
    const PretendedRange pretended(std::uint64_t{1} << 20);
    Random random(65);
    for (const std::string algorithm : {"direct", "tiled", "tiled128", "packed", "winograd4"}) {
        ModelMaker maker;
        maker.constant("w", random.normal({16, 16, 3, 3}));
        maker.node("Conv", {"x", "w"}, "y", {{"pads", Ints{3, 3, 3, 3}}});
        SCOPED_TRACE(algorithm);
        // The tensors just fit; packed, or as Winograd's points, they do not.
        Comparison comparison(maker.proto(), {{"x", random.normal({6, 16, 48, 48})}}, {"y"});
        comparison.runner().model().choices().force(algorithm);
        comparison.expect_forward(3e-5);
        nn::Selection all;
        all.channel = nn::Selection::all;
        comparison.expect_projection("y", nn::Rule::deconv, {all}, 3e-5);
    }
}

TEST(EngineAlgorithms, AChoiceIsFollowedAndAnImpossibleOneIsNot) {
    Random random(66);
    ModelMaker maker;
    maker.constant("w", random.normal({8, 6, 3, 3}));
    maker.node("Conv", {"x", "w"}, "y", {{"pads", Ints{1, 1, 1, 1}}});
    Comparison comparison(maker.proto(), {{"x", random.normal({1, 6, 12, 12})}}, {"y"});
    Runner& runner = comparison.runner();
    const std::string task = "forward 6x12x12 3x3 s1x1 p1x1 d1x1 g1 to 8x12x12 n1";
    runner.model().choices().set(task, "direct");
    runner.plan();
    EXPECT_EQ(dispatches(runner.current(), "nn/conv."), 1);
    runner.model().choices().set(task, "pointwise");
    runner.plan();
    EXPECT_EQ(dispatches(runner.current(), "nn/conv_packed.plain"), 0);
    comparison.expect_forward();
}

}  // namespace
}  // namespace deconv::testing
