// Convolutions by Fourier transforms, forced, both ways, against the float64 reference.
#include "engine_cases.h"
#include "vk/fft.h"

namespace deconv::testing {
namespace {

/// Transforms in a plan: two for each convolution that runs by them.
int transforms(const nn::Plan& plan) {
    int count = 0;
    for (const gpu::Step& step : plan.steps()) count += step.dispatch.fft ? 1 : 0;
    return count;
}

struct Case {
    Shape shape;
    std::int64_t out = 1;
    AttributeList attributes;
    bool bias = false;
    std::string op = "Conv";
};

/// Conv and Relu, forward and, under every rule, back; `runs`: by transforms.
void expect_case(const Case& c, Random& random, bool runs = true) {
    SCOPED_TRACE(describe(c.op, c.shape, c.attributes, "to " + std::to_string(c.out)));
    const Ints kernel = std::get<Ints>(c.attributes.at("kernel_shape"));
    const auto found = c.attributes.find("group");
    const std::int64_t group = found == c.attributes.end() ? 1 : std::get<std::int64_t>(found->second);
    ModelMaker maker;
    maker.constant("w", random.normal(c.op == "Conv" ? Shape{c.out, c.shape[1] / group, kernel[0], kernel[1]}
                                                     : Shape{c.shape[1], c.out / group, kernel[0], kernel[1]}));
    std::vector<std::string> inputs{"x", "w"};
    if (c.bias) inputs.push_back(maker.constant("b", random.normal({c.out})));
    maker.node(c.op, inputs, "z", c.attributes);
    maker.node("Relu", {"z"}, "y");
    Comparison comparison(maker.proto(), {{"x", random.normal(c.shape)}}, {"y"});
    Runner& runner = comparison.runner();
    runner.model().choices().force("fft");
    comparison.expect_forward();
    EXPECT_EQ(transforms(runner.current()), runs ? 2 : 0);
    for (const nn::Rule rule : all_rules) {
        comparison.expect_projection("y", rule, all_and_others(random, comparison.values().at("y").shape, 4));
        EXPECT_EQ(transforms(runner.current()), runs ? 4 : 0);
    }
}

class EngineFft : public ::testing::Test {
  protected:
    void SetUp() override {
        if (!gpu::has_fft()) GTEST_SKIP() << "built without VkFFT";
    }
};

TEST_F(EngineFft, EveryKernelPadDilationAndGroup) {
    Random random(71);
    for (int trial = 0; trial < 16; ++trial) {
        const Ints kernel{random.integer(1, 15), random.integer(1, 15)};
        const Ints dilations{random.integer(1, kernel[0] > 7 ? 1 : 3), random.integer(1, kernel[1] > 7 ? 1 : 2)};
        const auto reach = [&](std::size_t axis) { return (kernel[axis] - 1) * dilations[axis] + 1; };
        const std::int64_t group = random.pick<std::int64_t>({1, 1, 2, 3});
        Case c;
        c.shape = {random.integer(1, 3), group * random.integer(1, 7), reach(0) + random.integer(0, 9),
                   reach(1) + random.integer(0, 19)};
        c.out = group * random.integer(1, 9);
        // Also wider than the kernel: then the way back begins inside of its source.
        c.attributes = {
            {"kernel_shape", kernel},
            {"dilations", dilations},
            {"pads", Ints{random.integer(0, 8), random.integer(0, 3), random.integer(0, 2), random.integer(0, 17)}},
            {"group", group}};
        c.bias = random.flip();
        expect_case(c, random);
    }
}

TEST_F(EngineFft, LargeKernelsOnMapsOfSeveralTiles) {
    Random random(72);
    for (const std::int64_t kernel : {11, 15}) {
        Case c;
        c.shape = {1, 5, 61, 83};
        c.out = 6;
        c.attributes = {{"kernel_shape", Ints{kernel, kernel}}, {"pads", Ints(4, kernel / 2)}};
        expect_case(c, random);
    }
}

TEST_F(EngineFft, ConvTranspose) {
    Random random(73);
    Case c;
    c.op = "ConvTranspose";
    c.shape = {2, 4, 13, 10};
    c.out = 6;
    c.attributes = {{"kernel_shape", Ints{7, 11}}, {"pads", Ints{3, 0, 2, 5}}, {"group", std::int64_t{2}}};
    c.bias = true;
    expect_case(c, random);
}

TEST_F(EngineFft, IsNotTakenForStridesAndWhereWeightsAreTooLarge) {
    Random random(74);
    Case c;
    c.shape = {1, 3, 15, 15};
    c.out = 4;
    c.attributes = {{"kernel_shape", Ints{5, 5}}, {"strides", Ints{2, 1}}};
    expect_case(c, random, false);
    const PretendedRange pretended(std::uint64_t{1} << 17);
    c.shape = {1, 12, 15, 15};
    c.out = 12;
    c.attributes = {{"kernel_shape", Ints{11, 11}}, {"pads", Ints{5, 5, 5, 5}}};
    expect_case(c, random, false);
}

TEST_F(EngineFft, ImagesThatFitNoBindingTogetherRunInSlices) {
    const PretendedRange pretended(std::uint64_t{1} << 20);
    Random random(75);
    ModelMaker maker;
    maker.constant("w", random.normal({4, 4, 7, 7}));
    maker.node("Conv", {"x", "w"}, "y", {{"pads", Ints{3, 3, 3, 3}}});
    Comparison comparison(maker.proto(), {{"x", random.normal({12, 4, 64, 64})}}, {"y"});
    comparison.runner().model().choices().force("fft");
    comparison.expect_forward();
    EXPECT_GT(transforms(comparison.runner().current()), 2);
    nn::Selection all;
    all.channel = nn::Selection::all;
    comparison.expect_projection("y", nn::Rule::deconv, {all});
}

TEST_F(EngineFft, BranchesAddUpAndReverseIsTheAdjoint) {
    Random random(76);
    for (int trial = 0; trial < 6; ++trial) {
        const std::int64_t group = random.pick<std::int64_t>({1, 2});
        const std::int64_t kernel = 3 + 2 * trial;
        ModelMaker maker;
        for (const std::string name : {"a", "b"}) {
            maker.constant(name, random.normal({6, 6 / group, kernel, kernel}));
            maker.node("Conv", {"x", name}, "y" + name, {{"pads", Ints{1, 0, 2, trial}}, {"group", group}});
        }
        maker.node("Add", {"ya", "yb"}, "y");
        const reference::Tensor x = random.normal({2, 6, 23, 21});
        SCOPED_TRACE("kernel " + std::to_string(kernel) + ", groups " + std::to_string(group));
        Comparison comparison(maker.proto(), {{"x", x}}, {"y"});
        Runner& runner = comparison.runner();
        runner.model().choices().force("fft");
        comparison.expect_forward();
        nn::Selection all;
        all.channel = nn::Selection::all;
        comparison.expect_projection("y", nn::Rule::gradient, {all});
        EXPECT_EQ(transforms(runner.current()), 8);
        double forward = 0;
        double back = 0;
        for (const float v : runner.values("y")) forward += static_cast<double>(v) * v;
        const std::vector<float> r0 = runner.reconstruction();
        for (std::size_t i = 0; i < r0.size(); ++i) back += r0[i] * x.data[i];
        EXPECT_NEAR(back / forward, 1.0, 1e-5);
    }
}

}  // namespace
}  // namespace deconv::testing
