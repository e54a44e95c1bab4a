// The way back from a single position, cropped to its receptive field.  Whatever is projected in other tests is
// projected cropped, too, where that can be (Comparison::expect_projection); here is what those leave open.
#include <functional>

#include "engine_cases.h"

namespace deconv::testing {
namespace {

const AttributeList along_channels{{"axis", std::int64_t{1}}};

/// Grows a network whose maps shrink, of everything that a crop can cross.
class ShrinkingNetwork {
  public:
    ShrinkingNetwork(Random& random, std::int64_t side) : random_(random), side_(side) {
        for (std::int64_t step = random.integer(3, 6); step > 0 && side_ >= 5; --step) grow();
        // The target has a convolution behind it, or is no crop's first step otherwise.
        conv(random_.integer(1, 9), 3, 1, 1);
    }

    ModelMaker maker{12};
    const std::string& last() const { return last_; }

  private:
    std::string fresh() { return "t" + std::to_string(next_++); }
    std::string constant(const Shape& shape) {
        // What comes of them stays about as large.
        reference::Tensor t = random_.normal(shape);
        const double inputs = shape.size() == 4 ? static_cast<double>(shape[1] * shape[2] * shape[3]) : 1;
        for (double& v : t.data) v /= std::sqrt(inputs);
        return maker.constant(fresh(), Random::rounded(std::move(t)));
    }
    void add(const std::string& op, const std::vector<std::string>& inputs, const AttributeList& attributes = {}) {
        last_ = maker.node(op, inputs, fresh(), attributes);
    }
    void conv(std::int64_t out, std::int64_t kernel, std::int64_t stride, std::int64_t dilation) {
        const std::int64_t reach = (kernel - 1) * dilation;
        const Ints pads{random_.integer(0, reach), random_.integer(0, reach), random_.integer(0, reach),
                        random_.integer(0, reach)};
        add("Conv", {last_, constant({out, channels_, kernel, kernel})},
            {{"pads", pads}, {"strides", Ints{stride, stride}}, {"dilations", Ints{dilation, dilation}}});
        side_ = (side_ - 1 - reach) / stride + 1;  // at least
        channels_ = out;
    }
    /// Keeps the sizes.
    std::string branch(const std::string& from, std::int64_t out, std::int64_t kernel) {
        const Ints pads(4, kernel / 2);
        const std::string made =
            maker.node("Conv", {from, constant({out, channels_, kernel, kernel})}, fresh(), {{"pads", pads}});
        return random_.flip() ? maker.node("Relu", {made}, fresh()) : made;
    }

    void grow() {
        switch (random_.integer(0, 8)) {
            case 0:
                conv(random_.pick<std::int64_t>({4, 5, 8, 16}), random_.integer(1, 5), random_.integer(1, 2), 1);
                break;
            case 1:
                conv(random_.pick<std::int64_t>({4, 8, 17}), 3, 1, random_.integer(1, 2));
                break;
            case 2: {
                const std::int64_t kernel = random_.integer(2, 3);
                const bool same = random_.flip();
                AttributeList attributes{{"kernel_shape", Ints{kernel, kernel}},
                                         {"strides", Ints{2, 2}},
                                         {"ceil_mode", random_.integer(0, 1)}};
                if (same) attributes["auto_pad"] = std::string("SAME_UPPER");
                if (!same) attributes["pads"] = Ints{random_.integer(0, 1), random_.integer(0, 1), 0, 1};
                add("MaxPool", {last_}, attributes);
                side_ /= 2;
                break;
            }
            case 3:
                add("AveragePool", {last_}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}});
                side_ /= 2;
                break;
            case 4: {  // fields of different sizes meet
                const std::string from = last_;
                add("Concat", {branch(from, 3, 1), branch(from, 4, 3), from, branch(from, 2, 5)}, along_channels);
                channels_ += 9;
                break;
            }
            case 5: {
                const std::string from = last_;
                add("Add", {branch(branch(from, channels_, 3), channels_, 3), from});
                break;
            }
            case 6: {
                const std::string other = maker.node("Tanh", {branch(last_, channels_, 1)}, fresh());
                const std::string op = random_.pick<std::string>({"Mul", "Sub", "Sum", "Div"});
                // Divisors are not zero, but outside of a map they might be.
                const std::string two = maker.constant(fresh(), reference::Tensor{{1}, {2.0}});
                add(op, {last_, op == "Div" ? maker.node("Add", {other, two}, fresh()) : other});
                break;
            }
            case 7: {
                const std::string scale = maker.constant(fresh(), random_.positive({channels_}));
                const std::string variance = maker.constant(fresh(), random_.positive({channels_}));
                add("BatchNormalization", {last_, scale, constant({channels_}), constant({channels_}), variance});
                add("Mul", {last_, constant({channels_, 1, 1})});
                break;
            }
            default:
                add("LRN", {last_}, {{"size", std::int64_t{3}}, {"alpha", 0.1F}});
                add(random_.pick<std::string>({"Relu", "LeakyRelu", "Sigmoid", "Dropout", "Identity"}), {last_});
                break;
        }
        if (random_.flip()) add("Relu", {last_});
    }

    Random& random_;
    std::int64_t side_, channels_ = 3;
    std::string last_ = "x";
    int next_ = 0;
};

TEST(EngineCrop, NetworksAtRandomFromEveryCorner) {
    int some_zero = 0;
    int some_signal = 0;
    for (int seed = 0; seed < 60; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(7000 + static_cast<unsigned>(seed));
        const std::int64_t side = random.integer(15, 24);
        ShrinkingNetwork network(random, side);
        const Shape shape{random.pick<std::int64_t>({1, 1, 2}), 3, side, side + random.integer(-2, 3)};
        Comparison comparison(network.maker.proto(), {{"x", random.normal(shape)}}, {network.last()});
        const nn::Extent extent = nn::extent_of(comparison.values().at(network.last()).shape);
        for (const nn::Rule rule : all_rules) {
            std::vector<nn::Selection> selections;
            for (std::int64_t copy = random.integer(1, 4); copy > 0; --copy) {
                nn::Selection s;
                s.where = nn::Selection::Where::pinned;
                s.channel = random.flip() ? nn::Selection::all
                                          : static_cast<std::int32_t>(random.integer(0, extent.channels - 1));
                s.y = static_cast<std::int32_t>(random.integer(0, extent.plane / extent.width - 1));
                s.x = static_cast<std::int32_t>(random.integer(0, extent.width - 1));
                s.one = true;
                selections.push_back(s);
            }
            // Against the whole way, for the forward pass decides what is nearly equal for both.
            Runner& runner = comparison.runner();
            runner.plan(network.last(), rule, random.flip() ? nn::LrnReverse::identity : nn::LrnReverse::derivative,
                        static_cast<std::int64_t>(selections.size()));
            ASSERT_FALSE(runner.current().single_steps().empty());
            comparison.feed();
            runner.run(selections);
            const std::vector<float> whole = runner.reconstruction();
            runner.run_single(selections);
            EXPECT_LE(relative_error(runner.reconstruction(), {whole.begin(), whole.end()}), 2e-6)
                << name_of(rule) << ", " << selections.size() << " copies, first " << describe(selections[0]);
            const auto zeros = static_cast<std::ptrdiff_t>(whole.size()) -
                               std::count_if(whole.begin(), whole.end(), [](float v) { return v != 0; });
            some_zero += zeros > 0 ? 1 : 0;
            some_signal += zeros < static_cast<std::ptrdiff_t>(whole.size()) ? 1 : 0;
        }
    }
    // Else this shows little.
    EXPECT_GE(some_zero, 90);
    EXPECT_GE(some_signal, 160);
}

/// x → 32 channels → a pool → 32 channels, of 96 × 96.
ModelMaker two_convolutions(Random& random) {
    ModelMaker maker(12);
    const Ints pads(4, 1);
    maker.constant("w1", random.normal({32, 3, 3, 3}));
    maker.constant("w2", random.normal({32, 32, 3, 3}));
    maker.node("Conv", {"x", "w1"}, "a", {{"pads", pads}});
    maker.node("Relu", {"a"}, "b");
    maker.node("MaxPool", {"b"}, "c", {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}});
    maker.node("Conv", {"c", "w2"}, "d", {{"pads", pads}});
    maker.node("Relu", {"d"}, "y");
    return maker;
}

/// What the convolutions of these steps multiply on the way back.
double reverse_flops(const std::vector<gpu::Step>& steps) {
    double flops = 0;
    for (const gpu::Step& step : steps) {
        const std::string& label = step.dispatch.label;
        if (step.stage == "project" && label.find("reverse") != std::string::npos) flops += step.dispatch.flops;
    }
    return flops;
}

TEST(EngineCrop, HasTheFieldsWorth) {
    Random random(5);
    Comparison comparison(two_convolutions(random).proto(), {{"x", random.normal({1, 3, 96, 96})}}, {"y"});
    nn::Selection peak;
    peak.where = nn::Selection::Where::max;
    comparison.expect_projection("y", nn::Rule::deconv, {peak});
    const nn::Plan& plan = comparison.runner().current();
    // 3 × 3 of 48 × 48, then 8 × 8 of 96 × 96, less what a workgroup does too much of.
    EXPECT_GT(reverse_flops(plan.single_steps()), 0);
    EXPECT_LE(reverse_flops(plan.single_steps()), reverse_flops(plan.steps()) / 50);
}

/// With Where::max and all channels, each starts elsewhere.
TEST(EngineCrop, IsOfOnePosition) {
    using Where = nn::Selection::Where;
    const auto is_single = [](Where where, std::int32_t channel) {
        nn::Selection s;
        s.where = where;
        s.channel = channel;
        return s.is_single();
    };
    for (const std::int32_t channel : {0, 5, nn::Selection::strongest}) {
        EXPECT_FALSE(is_single(Where::all, channel));
        EXPECT_TRUE(is_single(Where::max, channel));
        EXPECT_TRUE(is_single(Where::pinned, channel));
    }
    EXPECT_FALSE(is_single(Where::all, nn::Selection::all));
    EXPECT_FALSE(is_single(Where::max, nn::Selection::all));
    EXPECT_TRUE(is_single(Where::pinned, nn::Selection::all));
}

/// Where a place hangs on others than a window of them, or on where it lies, nothing is cropped.
TEST(EngineCrop, LeavesAloneWhatIsNoWindow) {
    struct Case {
        const char* name;
        std::function<std::string(ModelMaker&, Random&)> between;
        std::int64_t channels = 4;  // that it makes
    };
    const AttributeList average{{"kernel_shape", Ints{3, 3}}};
    const auto with = [](AttributeList list, const std::string& name, const AttributeList::mapped_type& value) {
        list[name] = value;
        return list;
    };
    const std::vector<Case> cases = {
        {"padding that divides by less",
         [&](ModelMaker& m, Random&) {
             return m.node("AveragePool", {"v"}, "z", with(average, "pads", Ints{1, 1, 1, 1}));
         }},
        {"the same, by itself",
         [&](ModelMaker& m, Random&) {
             return m.node("AveragePool", {"v"}, "z", with(average, "auto_pad", std::string("SAME_UPPER")));
         }},
        {"a window over the edge",
         [&](ModelMaker& m, Random&) {
             return m.node("AveragePool", {"v"}, "z",
                           with(with(average, "strides", Ints{2, 2}), "ceil_mode", std::int64_t{1}));
         }},
        {"a transposed convolution",
         [](ModelMaker& m, Random& random) {
             m.constant("t", random.normal({4, 4, 2, 2}));
             return m.node("ConvTranspose", {"v", "t"}, "z", {{"strides", Ints{2, 2}}});
         }},
        {"factors of their own at every place",
         [](ModelMaker& m, Random& random) {
             m.constant("f", random.normal({12, 12}));
             return m.node("Mul", {"v", "f"}, "z");
         }},
        {"a gate that sees everything",
         [](ModelMaker& m, Random&) {
             return m.node("Mul", {"v", m.node("Sigmoid", {m.node("GlobalAveragePool", {"v"}, "mean")}, "gate")}, "z");
         }},
        {"rows for columns",
         [](ModelMaker& m, Random&) {
             return m.node("Transpose", {"v"}, "z", {{"perm", Ints{0, 1, 3, 2}}});
         }},
        {"concatenated rows",
         [](ModelMaker& m, Random&) {
             return m.node("Concat", {"v", "v"}, "z", {{"axis", std::int64_t{2}}});
         }},
        {"a constant beside it",
         [](ModelMaker& m, Random& random) {
             m.constant("f", random.normal({1, 2, 12, 12}));
             return m.node("Concat", {"v", "f"}, "z", along_channels);
         },
         6},
        {"a matrix over columns",
         [](ModelMaker& m, Random& random) {
             m.constant("f", random.normal({12, 12}));
             return m.node("MatMul", {"v", "f"}, "z");
         }},
        {"other places in another order",
         [](ModelMaker& m, Random&) {
             return m.node("Reshape", {"v", m.list("to", {1, 4, 9, 16})}, "z");
         }},
    };
    for (const Case& one : cases) {
        SCOPED_TRACE(one.name);
        Random random(11);
        ModelMaker maker(12);
        maker.constant("v_w", random.normal({4, 3, 1, 1}));
        maker.node("Conv", {"x", "v_w"}, "v");
        const std::string z = one.between(maker, random);
        maker.constant("y_w", random.normal({5, one.channels, 3, 3}));
        const std::string y = maker.node("Conv", {z, "y_w"}, "y");
        Comparison comparison(maker.proto(), {{"x", random.normal({1, 3, 12, 12})}}, {y});
        comparison.runner().plan(y);
        EXPECT_TRUE(comparison.runner().current().single_steps().empty());
        nn::Selection peak;
        peak.where = nn::Selection::Where::max;
        comparison.expect_projection(y, nn::Rule::gradient, {peak});
    }
}

/// By itself a plan crops where that is much less work, and not where the field is most of the image.
TEST(EngineCrop, PaysOrIsLeft) {
    Random random(6);
    const std::string bytes =
        complete(two_convolutions(random).proto(), {{"x", random.normal({1, 3, 96, 96})}}, {"y"}).SerializeAsString();
    nn::PlanOptions options;
    const auto is_cropped = [&](std::int64_t side) {
        nn::Model model(engine().device, nn::Network(nn::import_onnx_bytes(bytes, "test model", "."),
                                                     {{"x", nn::Shape{1, 3, side, side}}}));
        options.target = model.network().find_tensor("y");
        return !nn::Plan(model, options).single_steps().empty();
    };
    // So large that it pays on a device that multiplies much between two dispatches, too.
    EXPECT_TRUE(is_cropped(640));
    EXPECT_FALSE(is_cropped(8));
    options.crop_below = 0;
    EXPECT_FALSE(is_cropped(640));
    options.crop_below = 1;
    options.keep_signals = true;  // which are looked at whole
    EXPECT_FALSE(is_cropped(640));
}

}  // namespace
}  // namespace deconv::testing
