// What CPUs' drivers run of convolutions in ways of their own, against the float64 reference: reverses whose phases are
// together, products of few places, pools in the steps of convolutions.
#include "nn/ops/packed.h"

#include "engine_cases.h"
#include "nn/ops/convolution.h"

namespace deconv::testing {
namespace {

bool runs_packed() {
    return nn::runs_packed(engine().device.info());
}

struct FirstLayer {
    std::int64_t channels, kernel, stride, pad, height, width;
};

TEST(EnginePacked, ReversesOfFewChannels) {
    Random random(301);
    for (const FirstLayer& f : std::vector<FirstLayer>{{3, 11, 4, 0, 51, 47},
                                                       {3, 11, 4, 2, 48, 50},
                                                       {3, 7, 2, 3, 32, 33},
                                                       {3, 7, 2, 1, 31, 30},
                                                       {3, 3, 2, 0, 27, 27},
                                                       {3, 3, 2, 1, 28, 25},
                                                       {3, 3, 1, 1, 21, 18},
                                                       {1, 5, 1, 2, 19, 22},
                                                       {4, 3, 1, 0, 17, 16},
                                                       {2, 5, 3, 2, 26, 24},
                                                       {1, 2, 2, 0, 18, 17},
                                                       {8, 2, 2, 0, 18, 16},
                                                       {6, 4, 2, 0, 16, 14},
                                                       {3, 8, 4, 2, 40, 41}}) {
        for (const std::int64_t group : {1, 2}) {
            ModelMaker maker;
            const std::int64_t in = f.channels * group;
            maker.constant("w", random.normal({12 * group, f.channels, f.kernel, f.kernel}));
            const AttributeList attributes{
                {"strides", Ints{f.stride, f.stride}}, {"pads", Ints{f.pad, f.pad, f.pad, f.pad}}, {"group", group}};
            maker.node("Conv", {"x", "w"}, "z", attributes);
            maker.node("Relu", {"z"}, "y");
            const Shape shape{2, in, f.height, f.width};
            SCOPED_TRACE(describe("Conv, Relu", shape, attributes, "kernel " + std::to_string(f.kernel)));
            Comparison comparison(maker.proto(), {{"x", random.normal(shape)}}, {"y"});
            comparison.runner().model().choices().force("packed");
            for (const nn::Rule rule : all_rules) {
                comparison.expect_projection("y", rule, all_and_others(random, comparison.values().at("y").shape, 5));
            }
            // All phases in one product.
            EXPECT_EQ(dispatches(comparison.runner().current(), "nn/conv_packed"), runs_packed() ? 2 : 0);
        }
    }
}

// The way back into an image, with and without a pool of 3×3 behind it that is unpooled by the way.
TEST(EnginePacked, IntoImages) {
    Random random(317);
    int unpooled = 0;
    int plain = 0;
    constexpr int trials = 60;
    for (int trial = 0; trial < trials; ++trial) {
        const auto [kernel, stride] = random.pick<std::pair<std::int64_t, std::int64_t>>({{3, 1}, {3, 2}, {7, 2}});
        const std::int64_t channels = random.integer(1, 3);
        const std::int64_t out = 4 * random.integer(1, 4);
        const Shape shape{random.integer(1, 2), channels, random.integer(kernel + 5, 40),
                          random.integer(kernel + 9, 40)};
        ModelMaker maker;
        maker.constant("u", random.normal({out, channels, kernel, kernel}));
        maker.constant("v", random.normal({8, out, 1, 1}));
        const AttributeList first{{"strides", Ints{stride, stride}},
                                  {"pads", Ints{random.integer(0, kernel - 1), random.integer(0, kernel - 1),
                                                random.integer(0, kernel - 1), random.integer(0, kernel - 1)}}};
        std::string last = maker.node("Conv", {"x", "u"}, "a", first);
        if (random.integer(0, 3) > 0) last = maker.node("Relu", {last}, "b");
        const AttributeList pool{{"kernel_shape", Ints{3, 3}},
                                 {"strides", Ints{2, 2}},
                                 {"pads", Ints{random.integer(0, 1), random.integer(0, 1), random.integer(0, 1), 1}},
                                 {"ceil_mode", std::int64_t{random.integer(0, 1)}}};
        const bool with_pool = random.integer(0, 3) > 0;
        if (with_pool) last = maker.node("MaxPool", {last}, "p", pool);
        maker.node("Conv", {last, "v"}, "z");
        maker.node("Relu", {"z"}, "y");
        SCOPED_TRACE("trial " + std::to_string(trial) + ": " +
                     describe("Conv", shape, first, "kernel " + std::to_string(kernel)) +
                     (with_pool ? describe("MaxPool", {}, pool) : ""));
        Comparison comparison(maker.proto(), {{"x", random.normal(shape)}}, {"y"});
        // From behind the pool, and from its own output, of which one channel then goes back.
        for (const std::string& target : {std::string("y"), last}) {
            for (const nn::Rule rule : all_rules) {
                comparison.expect_projection(target, rule,
                                             all_and_others(random, comparison.values().at(target).shape, 4));
                for (const nn::ConvolutionTask& task : comparison.runner().current().convolutions()) {
                    if (task.pooled_source) ++unpooled;
                }
                plain += dispatches(comparison.runner().current(), "nn/conv_image");
            }
        }
    }
    plain -= unpooled;
    std::printf("[          ] %d reverses into images, %d of them unpool\n", plain + unpooled, unpooled);
    EXPECT_EQ(unpooled > trials, runs_packed());
    EXPECT_EQ(plain > trials, runs_packed());
}

// Several channels' signals behind a concatenation: its convolutions read their parts where all of it lies.
TEST(EnginePacked, PartsOfConcatenations) {
    Random random(331);
    int apart = 0;
    constexpr int trials = 24;
    for (int trial = 0; trial < trials; ++trial) {
        const Shape shape{1, 3, random.integer(9, 20), random.integer(9, 20)};
        ModelMaker maker;
        maker.constant("u", random.normal({16, 3, 3, 3}));
        maker.node("Conv", {"x", "u"}, "a", {{"pads", Ints{1, 1, 1, 1}}});
        maker.node("Relu", {"a"}, "b");
        std::vector<std::string> parts;
        std::int64_t channels = 0;
        std::string text;
        for (int part = 0; part < 3; ++part) {
            const std::string n = std::to_string(part);
            const std::int64_t out = 16 * random.integer(1, 3);
            const std::int64_t kernel = random.pick<std::int64_t>({1, 3, 3, 5});
            maker.constant("w" + n, random.normal({out, 16, kernel, kernel}));
            std::string last = maker.node("Conv", {"b", "w" + n}, "c" + n, {{"pads", Ints(4, kernel / 2)}});
            if (random.integer(0, 3) > 0) last = maker.node("Relu", {last}, "r" + n);
            parts.push_back(last);
            channels += out;
            text += " " + std::to_string(out) + " of " + std::to_string(kernel);
        }
        maker.node("Concat", parts, "d", {{"axis", std::int64_t{1}}});
        maker.constant("v", random.normal({12, channels, 1, 1}));
        maker.node("Conv", {"d", "v"}, "z");
        maker.node("Relu", {"z"}, "y");
        const std::string algorithm = random.pick<std::string>({"", "packed", "winograd2", "winograd4"});
        SCOPED_TRACE("trial " + std::to_string(trial) + ", " + algorithm + ": " + reference::to_string(shape) + text);
        Comparison comparison(maker.proto(), {{"x", random.normal(shape)}}, {"y"});
        comparison.runner().model().choices().force(algorithm);
        for (const nn::Rule rule : all_rules) {
            comparison.expect_projection("y", rule, all_and_others(random, comparison.values().at("y").shape, 5), 3e-5);
            for (const nn::ConvolutionTask& task : comparison.runner().current().convolutions()) {
                if (task.source_stride > 0) ++apart;
            }
        }
    }
    std::printf("[          ] %d of %d parts were read where they lie\n", apart, trials * 9);
    EXPECT_EQ(apart > trials, runs_packed());
}

/// Modules of few channels, a waist, between many: 1×1 to the waist, from there 1×1 and 3×3, side by side or one of
/// them, in any order.  "y" is the last map, and `targets` has the modules' ends, too.
struct Waists {
    ModelMaker maker;
    Shape shape;
    std::vector<std::string> targets;
    std::string text;

    explicit Waists(Random& random) : shape{random.integer(1, 2), 3, random.integer(6, 14), random.integer(6, 14)} {
        std::int64_t channels = 4 * random.integer(2, 10);
        std::string last = convolve(random, "x", 3, channels, 3, "first");
        for (int module = 0; module < 2; ++module) {
            const std::string n = std::to_string(module);
            const std::int64_t waist = 4 * random.integer(1, 25);
            const std::string middle = convolve(random, last, channels, waist, 1, "to" + n);
            std::vector<std::string> ends;
            channels = 0;
            const std::vector<std::int64_t> kernels =
                random.pick<std::vector<std::int64_t>>({{1, 3}, {3, 1}, {1}, {1}, {1, 1}});
            for (const std::int64_t kernel : kernels) {
                const std::int64_t out = 16 * random.integer(1, 5);
                ends.push_back(convolve(random, middle, waist, out, kernel, "from" + n + std::to_string(ends.size())));
                channels += out;
            }
            last = ends.size() > 1 ? maker.node("Concat", ends, "d" + n, {{"axis", std::int64_t{1}}}) : ends[0];
            targets.push_back(last);
        }
        targets.emplace_back("y");
        maker.node("Relu", {convolve(random, last, channels, 12, 1, "last")}, "y");
    }

  private:
    std::string convolve(Random& random, const std::string& from, std::int64_t in, std::int64_t out,
                         std::int64_t kernel, const std::string& name) {
        reference::Tensor weights = random.normal({out, in, kernel, kernel});
        for (double& w : weights.data) w /= std::sqrt(static_cast<double>(in * kernel * kernel));
        std::vector<std::string> inputs{from, maker.constant(name + "w", Random::rounded(std::move(weights)))};
        if (random.flip()) inputs.push_back(maker.constant(name + "b", random.normal({out})));
        std::string last = maker.node("Conv", inputs, name + "c", {{"pads", Ints(4, kernel / 2)}});
        text += "; " + name + ": " + std::to_string(out) + " of " + std::to_string(kernel);
        if (random.integer(0, 3) > 0) {
            last = maker.node("Relu", {last}, name + "r");
            text += ", Relu";
        }
        return last;
    }
};

// Two 1×1 convolutions' reverses as one, and products of few source channels.
TEST(EnginePacked, Waists) {
    Random random(337);
    int made = 0;
    int added = 0;
    int narrow = 0;
    constexpr int trials = 30;
    for (int trial = 0; trial < trials; ++trial) {
        const Waists w(random);
        SCOPED_TRACE("trial " + std::to_string(trial) + ": " + reference::to_string(w.shape) + w.text);
        Comparison comparison(w.maker.proto(), {{"x", random.normal(w.shape)}}, {"y"});
        // Other rules ask whether a unit was on, and of so many one may be so near to zero that it is in one precision
        // and is not in the other.
        const std::vector<nn::Rule> rules = trial % 4 == 0 ? every_rule() : std::vector{nn::Rule::deconv};
        for (const std::string& target : w.targets) {
            for (const nn::Rule rule : rules) {
                comparison.expect_projection(
                    target, rule,
                    all_and_others(random, comparison.values().at(target).shape, random.pick<std::size_t>({1, 5})),
                    3e-5);
                EXPECT_LE(relative_error(comparison.runner().values("y"), comparison.values().at("y").data), 3e-5);
                for (const nn::ConvolutionTask& task : comparison.runner().current().convolutions()) {
                    if (task.pointwise_source) (task.pointwise_source->added ? added : made) += 1;
                }
                narrow += dispatches(comparison.runner().current(), "nn/conv_narrow");
            }
        }
    }
    std::printf("[          ] %d products of few channels, %d of them make their source first, %d add to it\n", narrow,
                made, added);
    EXPECT_EQ(narrow > 5 * trials, runs_packed());
    EXPECT_EQ(made > trials / 4, runs_packed());
    EXPECT_EQ(added > trials / 4, runs_packed());
}

TEST(EnginePacked, TransposedConvolutionsWithBias) {
    Random random(303);
    for (const FirstLayer& f : std::vector<FirstLayer>{
             {3, 4, 2, 1, 7, 9}, {16, 2, 2, 0, 5, 4}, {1, 3, 3, 0, 6, 5}, {4, 6, 3, 2, 5, 5}, {40, 2, 2, 0, 2, 2}}) {
        ModelMaker maker;
        maker.constant("w", random.normal({10, f.channels, f.kernel, f.kernel}));
        maker.constant("b", random.normal({f.channels}));
        const AttributeList attributes{{"strides", Ints{f.stride, f.stride}},
                                       {"pads", Ints{f.pad, f.pad, f.pad, f.pad}}};
        maker.node("ConvTranspose", {"x", "w", "b"}, "z", attributes);
        maker.node("Relu", {"z"}, "y");
        expect_agreement(describe("ConvTranspose, Relu", {2, 10, f.height, f.width}, attributes), maker,
                         {2, 10, f.height, f.width}, random, every_rule());
    }
}

TEST(EnginePacked, FewPlaces) {
    Random random(307);
    int turned = 0;
    for (const std::int64_t side : {1, 2, 3, 4, 7}) {
        for (const std::int64_t channels : {24, 33, 64, 130}) {
            // Packed and dense ends.
            ModelMaker maker;
            const std::int64_t between = (channels + 3) / 4 * 4;
            maker.constant("v", random.normal({between, 5, 3, 3}));
            maker.constant("w", random.normal({channels, between, 3, 3}));
            maker.constant("b", random.normal({channels}));
            maker.node("Conv", {"x", "v"}, "a", {{"pads", Ints{1, 1, 1, 1}}});
            maker.node("Relu", {"a"}, "c");
            maker.node("Conv", {"c", "w", "b"}, "z", {{"pads", Ints{1, 1, 1, 1}}});
            maker.node("Relu", {"z"}, "y");
            const Shape shape{1, 5, side, side};
            SCOPED_TRACE("places " + std::to_string(side) + " squared, channels " + std::to_string(channels));
            Comparison comparison(maker.proto(), {{"x", random.normal(shape)}}, {"y"});
            for (const std::string algorithm : {"packed", "winograd2", "winograd4"}) {
                comparison.runner().model().choices().force(algorithm);
                comparison.expect_projection("y", random.pick(every_rule()),
                                             all_and_others(random, comparison.values().at("y").shape, 5), 3e-5);
                EXPECT_LE(relative_error(comparison.runner().values("y"), comparison.values().at("y").data), 3e-5);
                for (const char* shader : {"nn/conv_packed.turned32x2", "nn/conv_packed.plain.turned32x2"}) {
                    turned += dispatches(comparison.runner().current(), shader);
                }
            }
        }
    }
    std::printf("[          ] %d products were turned\n", turned);
    EXPECT_EQ(turned > 40, runs_packed());
}

/// Convolutions and pools of 2×2, whose sizes divide by them or not; "y" is the last map.
struct Pyramid {
    ModelMaker maker;
    Shape shape;
    std::string text;
};
Pyramid pyramid(Random& random) {
    Pyramid p;
    // Two sizes of three divide.
    const auto size = [&] { return random.pick<std::int64_t>({8, 12, 16, 20, 24, 18, 15}); };
    p.shape = {random.integer(1, 2), random.integer(1, 5), size(), size()};
    std::int64_t channels = p.shape[1];
    std::string last = "x";
    for (int layer = 0; layer < 4; ++layer) {
        const std::string n = std::to_string(layer);
        const std::int64_t out = 4 * random.pick<std::int64_t>({1, 2, 3, 4, 8, 9, 16});
        const std::int64_t group = channels % 8 == 0 && out % 8 == 0 && random.integer(0, 3) == 0 ? 2 : 1;
        const std::int64_t kernel = random.pick<std::int64_t>({1, 3, 3, 3, 5});
        const std::int64_t dilation = kernel == 3 && random.integer(0, 3) == 0 ? 2 : 1;
        const std::int64_t pad = dilation * (kernel - 1) / 2;
        const std::int64_t taps = channels / group * kernel * kernel;
        reference::Tensor weights = random.normal({out, channels / group, kernel, kernel});
        for (double& w : weights.data) w /= std::sqrt(static_cast<double>(taps));
        std::vector<std::string> inputs{last, p.maker.constant("w" + n, Random::rounded(std::move(weights)))};
        if (random.flip()) inputs.push_back(p.maker.constant("b" + n, random.normal({out})));
        last = p.maker.node("Conv", inputs, "c" + n,
                            {{"pads", Ints(4, pad)}, {"dilations", Ints{dilation, dilation}}, {"group", group}});
        p.text += "; " + std::to_string(out) + " of " + std::to_string(kernel) + ", dilation " +
                  std::to_string(dilation) + ", group " + std::to_string(group);
        if (random.integer(0, 3) > 0) {
            last = p.maker.node("Relu", {last}, "r" + n);
            p.text += ", Relu";
        }
        if (layer < 3 && random.integer(0, 3) > 0) {
            last = p.maker.node("MaxPool", {last}, "p" + n, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}});
            p.text += ", MaxPool";
        }
        channels = out;
    }
    p.maker.node("Relu", {last}, "y");
    return p;
}

TEST(EnginePacked, PoolsInConvolutions) {
    Random random(311);
    int pooled = 0;
    int unpooled = 0;
    constexpr int trials = 40;
    for (int trial = 0; trial < trials; ++trial) {
        const Pyramid p = pyramid(random);
        const std::string algorithm = random.pick<std::string>({"", "", "winograd2", "winograd4"});
        SCOPED_TRACE("trial " + std::to_string(trial) + ", " + algorithm + ": " + reference::to_string(p.shape) +
                     p.text);
        Comparison comparison(p.maker.proto(), {{"x", random.normal(p.shape)}}, {"y"});
        comparison.runner().model().choices().force(algorithm);
        // Somewhere, sometimes, somebody looks between a convolution and its pool.
        std::vector<std::string> observed;
        if (random.integer(0, 3) == 0) observed.push_back("c" + std::to_string(random.integer(0, 3)));
        for (const nn::Rule rule : all_rules) {
            comparison.expect_projection("y", rule, all_and_others(random, comparison.values().at("y").shape, 5), 3e-5,
                                         nn::LrnReverse::identity, observed);
            EXPECT_LE(relative_error(comparison.runner().values("y"), comparison.values().at("y").data), 3e-5);
            for (const std::string& name : observed) {
                EXPECT_LE(relative_error(comparison.runner().values(name), comparison.values().at(name).data), 3e-5);
            }
            for (const nn::ConvolutionTask& task : comparison.runner().current().convolutions()) {
                if (task.pool) (task.direction == nn::Direction::forward ? pooled : unpooled) += 1;
            }
        }
    }
    std::printf("[          ] %d pooled, %d unpooled in %d chains\n", pooled, unpooled, trials);
    EXPECT_EQ(pooled > trials, runs_packed());
    EXPECT_EQ(unpooled > trials, runs_packed());
}

// More tiles than are transformed at once, of two images, with a pool behind them and one before them.
TEST(EnginePacked, WinogradInSeveralRuns) {
    Random random(313);
    ModelMaker maker;
    maker.constant("u", random.normal({128, 2, 1, 1}));
    maker.constant("v", random.normal({128, 128, 3, 3}));
    maker.constant("w", random.normal({132, 128, 3, 3}));
    maker.constant("b", random.normal({132}));
    maker.node("Conv", {"x", "u"}, "a");
    maker.node("MaxPool", {"a"}, "p", {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}});
    maker.node("Conv", {"p", "v"}, "c", {{"pads", Ints{1, 1, 1, 1}}});
    maker.node("Relu", {"c"}, "d");
    maker.node("MaxPool", {"d"}, "q", {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}});
    maker.node("Conv", {"q", "w", "b"}, "z", {{"pads", Ints{1, 1, 1, 1}}});
    maker.node("Relu", {"z"}, "y");
    Comparison comparison(maker.proto(), {{"x", random.normal({2, 2, 88, 84})}}, {"y"});
    for (const std::string algorithm : {"winograd2", "winograd4"}) {
        SCOPED_TRACE(algorithm);
        comparison.runner().model().choices().force(algorithm);
        comparison.expect_projection("y", nn::Rule::deconv, {{}, {}}, 3e-5);
        EXPECT_LE(relative_error(comparison.runner().values("y"), comparison.values().at("y").data), 3e-5);
        const std::string transform = "nn/winograd_input." + algorithm.substr(8);
        const nn::Plan& plan = comparison.runner().current();
        EXPECT_EQ(dispatches(plan, transform) - dispatches(plan, transform + ".dense") > 4, runs_packed());
    }
}

}  // namespace
}  // namespace deconv::testing
