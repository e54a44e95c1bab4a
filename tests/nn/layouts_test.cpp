// Tensors and signals that stay packed from layer to layer, on devices that gain by it, against the float64 reference.
#include "engine_cases.h"
#include "nn/ops/packed.h"

namespace deconv::testing {
namespace {

/// A chain of what keeps maps packed, with windows, sizes and channels at random; "y" is its last map.
/// For half precision all is in small whole numbers, which halves hold exactly: else near ties of a pool go either way,
/// and the signal with them.
class Chain {
  public:
    Chain(Random& random, nn::Precision precision) : random_(random), whole_(precision == nn::Precision::half) {
        shape_ = {random.integer(1, 2), random.integer(1, 5), random.integer(20, 31), random.integer(20, 31)};
        channels_ = shape_[1];
        last_ = "x";
        conv(some_channels());
        for (std::int64_t layers = random.integer(2, 5); layers > 0; --layers) grow();
        conv(random.integer(1, 9));
        maker.node("Relu", {last_}, "y");
    }

    ModelMaker maker;
    const Shape& shape() const { return shape_; }
    const std::string& text() const { return text_; }
    reference::Tensor image() {
        return numbers(shape_, [&] { return random_.integer(-2, 2); });
    }

  private:
    std::string fresh() { return "t" + std::to_string(next_++); }
    std::int64_t some_channels() { return (whole_ ? 16 : 4) * random_.pick<std::int64_t>({1, 2, 3, 4, 5, 9}); }
    template <typename F>
    reference::Tensor numbers(const Shape& shape, const F& number) {
        reference::Tensor t = random_.normal(shape);
        for (double& v : t.data) v = whole_ ? static_cast<double>(number()) : v;
        return t;
    }

    /// Twice in a chain something else than 1.
    Ints some_strides() {
        if (strided_ == 2 || random_.flip()) return {1, 1};
        ++strided_;
        return {random_.integer(1, 3), random_.integer(1, 2)};
    }
    std::string add(const std::string& op, const std::vector<std::string>& inputs, const AttributeList& attributes) {
        std::string name = maker.node(op, inputs, fresh(), attributes);
        text_ += "; " + op + describe("", {}, attributes);
        return name;
    }
    /// `same`: the map keeps its size.
    std::string conv_of(const std::string& from, std::int64_t out, bool same) {
        const std::int64_t kernel = random_.pick<std::int64_t>(same ? Ints{1, 3, 5} : Ints{1, 2, 3, 3, 5});
        const std::int64_t split = whole_ ? 32 : 8;
        const std::int64_t group = channels_ % split == 0 && out % split == 0 && random_.flip() ? 2 : 1;
        const Ints strides = same ? Ints{1, 1} : some_strides();
        const std::int64_t dilation = !same && kernel < 5 ? random_.pick<std::int64_t>({1, 1, 2}) : 1;
        // Half of its reach at each edge, or one more or less: maps must not vanish.
        Ints pads(4, dilation * (kernel - 1) / 2);
        for (std::size_t i = 0; i < 4 && !same; ++i) {
            pads[i] = std::max<std::int64_t>(0, pads[i] + random_.integer(i < 2 ? -1 : 0, 1));
        }
        const std::int64_t taps = channels_ / group * kernel * kernel;
        // Of whole numbers three of a sum are not zero.
        reference::Tensor weights = numbers({out, channels_ / group, kernel, kernel}, [&] {
            const std::int64_t at = random_.integer(0, taps - 1);
            return at == 0 ? -1 : (at < 3 ? 1 : 0);
        });
        for (double& w : weights.data) w /= whole_ ? 1 : std::sqrt(static_cast<double>(taps));
        std::vector<std::string> inputs{from, maker.constant(fresh(), Random::rounded(std::move(weights)))};
        if (random_.flip()) {
            inputs.push_back(maker.constant(fresh(), numbers({out}, [&] { return random_.integer(-2, 2); })));
        }
        text_ += " " + std::to_string(out);
        return add("Conv", inputs,
                   {{"pads", pads}, {"strides", strides}, {"dilations", Ints{dilation, dilation}}, {"group", group}});
    }
    void conv(std::int64_t out) {
        last_ = conv_of(last_, out, false);
        channels_ = out;
        if (random_.integer(0, 3) > 0) last_ = add("Relu", {last_}, {});
    }
    void grow() {
        switch (random_.integer(0, whole_ ? 4 : 5)) {
            case 0:
            case 1:
                conv(some_channels());
                break;
            case 2: {
                const std::int64_t kernel = random_.integer(2, 3);
                last_ = add("MaxPool", {last_},
                            {{"kernel_shape", Ints{kernel, kernel}},
                             {"strides", some_strides()},
                             {"pads", Ints{1, 0, random_.integer(0, 1), 1}},
                             {"ceil_mode", random_.integer(0, 1)}});
                break;
            }
            case 3: {
                std::vector<std::string> parts;
                std::int64_t channels = 0;
                for (int part = 0; part < 2; ++part) {
                    const std::int64_t out = some_channels();
                    parts.push_back(add("Relu", {conv_of(last_, out, true)}, {}));
                    channels += out;
                }
                last_ = add("Concat", parts, {{"axis", std::int64_t{1}}});
                channels_ = channels;
                break;
            }
            case 5:
                last_ =
                    add("LRN", {last_},
                        {{"size", random_.integer(1, 9)}, {"alpha", 0.5F}, {"beta", random_.flip() ? 0.75F : 0.6F}});
                break;
            default:
                last_ = add("Add", {last_, conv_of(last_, channels_, true)}, {});
                last_ = add("Relu", {last_}, {});
        }
    }

    Random& random_;
    bool whole_;
    Shape shape_;
    std::string last_, text_;
    std::int64_t channels_ = 0;
    int next_ = 0, strided_ = 0;
};

/// Sources and destinations in that layout among the convolutions of a plan.
int ends_in(nn::Layout layout, const nn::Plan& plan) {
    int count = 0;
    for (const nn::ConvolutionTask& task : plan.convolutions()) {
        count += (task.source_layout == layout ? 1 : 0) + (task.destination_layout == layout ? 1 : 0);
    }
    return count;
}

/// The layout that the device gains by in that precision.
nn::Layout layout_for(nn::Precision precision) {
    const gpu::DeviceInfo& device = engine().device.info();
    if (precision == nn::Precision::half) {
        const bool halves = device.half_precision && device.type != gpu::DeviceType::cpu;
        if (halves) return nn::Layout::halves;
    }
    return nn::runs_packed(device) ? nn::Layout::packed : nn::Layout::dense;
}

void expect_chains(unsigned seed, int trials, const std::string& algorithm,
                   nn::Precision precision = nn::Precision::single) {
    Random random(seed);
    const double tolerance = precision == nn::Precision::half ? 2e-3 : 3e-5;
    const nn::Layout layout = layout_for(precision);
    int ends = 0;
    for (int trial = 0; trial < trials; ++trial) {
        Chain chain(random, precision);
        SCOPED_TRACE("trial " + std::to_string(trial) + ": " + reference::to_string(chain.shape()) + chain.text());
        Comparison comparison(chain.maker.proto(), {{"x", chain.image()}}, {"y"});
        Runner& runner = comparison.runner();
        runner.precision(precision);
        const Shape& made = comparison.values().at("y").shape;
        for (const nn::Rule rule : all_rules) {
            const std::vector<nn::Selection> selections = all_and_others(random, made, 5);
            const auto copies = static_cast<std::int64_t>(selections.size());
            if (!algorithm.empty()) {
                runner.plan("y", rule, nn::LrnReverse::identity, copies);
                for (const nn::ConvolutionTask& task : runner.current().convolutions()) {
                    runner.model().choices().set(describe(task), algorithm);
                }
            }
            comparison.expect_projection("y", rule, selections, tolerance);
            EXPECT_LE(relative_error(runner.values("y"), comparison.values().at("y").data), tolerance) << "forward";
            int others = 0;
            for (const nn::Layout any : {nn::Layout::packed, nn::Layout::halves}) {
                (any == layout ? ends : others) += ends_in(any, runner.current());
            }
            EXPECT_EQ(others, 0);
        }
    }
    std::printf("[          ] %d ends of convolutions are not dense in %d chains\n", ends, trials);
    EXPECT_GE(ends, layout == nn::Layout::dense ? 0 : 6 * trials);
}

TEST(EngineLayouts, OfChains) {
    expect_chains(211, 60, "");
}

TEST(EngineLayouts, OfChainsByWinograd) {
    expect_chains(223, 20, "winograd2");
    expect_chains(227, 20, "winograd4");
}

TEST(EngineLayouts, OfChainsInHalfPrecision) {
    if (layout_for(nn::Precision::half) != nn::Layout::halves) GTEST_SKIP() << "no maps of halves on such a device";
    const bool matrices = engine().device.info().cooperative_matrix;
    expect_chains(233, matrices ? 8 : 16, "", nn::Precision::half);
    if (!matrices) return;  // only one algorithm reads halves
    for (const char* algorithm : {"half", "matrix", "matrix64", "matrix16x128", "matrix128x128"}) {
        expect_chains(239, 3, algorithm, nn::Precision::half);
    }
}

TEST(EngineLayouts, WhatIsLookedAtIsDense) {
    Random random(229);
    ModelMaker maker;
    maker.constant("v", random.normal({8, 3, 3, 3}));
    maker.constant("w", random.normal({8, 8, 3, 3}));
    maker.node("Conv", {"x", "v"}, "a");
    maker.node("Relu", {"a"}, "b");
    maker.node("Conv", {"b", "w"}, "c");
    maker.node("Conv", {"c", "w"}, "y");
    Comparison comparison(maker.proto(), {{"x", random.normal({1, 3, 12, 12})}}, {"y"});
    Runner& runner = comparison.runner();
    for (const std::vector<std::string>& observed :
         std::vector<std::vector<std::string>>{{}, {"b"}, {"c"}, {"a"}, {"b", "c"}}) {
        runner.plan("y", nn::Rule::deconv, nn::LrnReverse::identity, 1, observed);
        comparison.feed();
        runner.run({nn::Selection{}});
        for (const std::string& name : observed) {
            EXPECT_LE(relative_error(runner.values(name), comparison.values().at(name).data), 1e-5) << name;
        }
        // Of b (which is a's memory) and of c: two ends on the way forward and two on the way back, but the first step
        // back is not counted.
        const auto sees = [&](const char* name) { return std::count(observed.begin(), observed.end(), name) > 0; };
        const int expected = (sees("a") || sees("b") ? 0 : 4) + (sees("c") ? 0 : 3);
        if (nn::runs_packed(engine().device.info())) {
            EXPECT_EQ(ends_in(nn::Layout::packed, runner.current()), expected) << "observed: " << observed.size();
        }
    }
}

}  // namespace
}  // namespace deconv::testing
