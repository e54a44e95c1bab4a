// The first convolution on the way back, where only the chosen channels are not zero.
#include "engine_cases.h"

namespace deconv::testing {
namespace {

constexpr std::int64_t channels = 22;  // neither whole blocks of four nor of sixteen

/// x → v → a convolution of every kind → z.
std::string convolution(ModelMaker& maker, Random& random, const std::string& name, std::int64_t group,
                        std::int64_t kernel, std::int64_t stride) {
    maker.constant(name + "_w", random.normal({channels, channels / group, kernel, kernel}));
    return maker.node("Conv", {"v", name + "_w"}, name,
                      {{"group", group},
                       {"strides", Ints{stride, stride}},
                       {"pads", Ints{kernel / 2, kernel / 2, kernel / 2, kernel / 2}}});
}

std::vector<nn::Selection> selections(Random& random, const Shape& shape, int count) {
    std::vector<nn::Selection> all;
    for (int i = 0; i < count; ++i) {
        all.push_back(random_selection(random, shape));
        // A single value may be small, and have a large error of its own.
        if (all.back().where == nn::Selection::Where::pinned) all.back().one = true;
    }
    return all;
}

TEST(EngineChosen, EveryKindOfFirstStepIsTheReferences) {
    const AttributeList window{{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}};
    int seed = 0;
    for (const std::int64_t group : {std::int64_t{1}, std::int64_t{2}, channels}) {
        for (const std::int64_t kernel : {1, 3}) {
            for (const std::int64_t stride : {1, 2}) {
                for (const std::string behind :
                     {"", "Relu", "MaxPool", "AveragePool", "Concat", "Concat itself", "Add"}) {
                    SCOPED_TRACE("group " + std::to_string(group) + ", kernel " + std::to_string(kernel) + ", stride " +
                                 std::to_string(stride) + ", then " + behind);
                    Random random(300 + ++seed);
                    ModelMaker maker(12);
                    maker.constant("v_w", random.normal({channels, 3, 1, 1}));
                    maker.node("Conv", {"x", "v_w"}, "v");
                    std::string y = convolution(maker, random, "z", group, kernel, stride);
                    if (behind == "Relu") y = maker.node("Relu", {y}, "y");
                    if (behind == "MaxPool") y = maker.node("MaxPool", {y}, "y", window);
                    if (behind == "AveragePool") y = maker.node("AveragePool", {y}, "y", window);
                    if (behind == "Concat" || behind == "Add") {
                        const std::string other = convolution(maker, random, "o", 1, 1, stride);
                        const std::string relu = maker.node("Relu", {y}, "relu");
                        y = behind == "Add" ? maker.node("Add", {other, relu}, "y")
                                            : maker.node("Concat", {other, relu}, "y", {{"axis", std::int64_t{1}}});
                    }
                    // Two of its channels lead to one.
                    if (behind == "Concat itself") y = maker.node("Concat", {y, y}, "y", {{"axis", std::int64_t{1}}});
                    Comparison comparison(maker.proto(), {{"x", random.normal({1, 3, 9, 7})}}, {y});
                    const Shape& shape = comparison.values().at(y).shape;
                    for (const nn::Rule rule : {nn::Rule::deconv, nn::Rule::gradient}) {
                        comparison.expect_projection(y, rule, selections(random, shape, 1));
                        comparison.expect_projection(y, rule, selections(random, shape, 5));
                    }
                }
            }
        }
    }
}

TEST(EngineChosen, HasAChannelsWorthOfWork) {
    Random random(9);
    ModelMaker maker(12);
    maker.constant("w", random.normal({64, 8, 3, 3}));
    maker.node("Conv", {"x", "w"}, "z", {{"pads", Ints{1, 1, 1, 1}}});
    maker.node("Relu", {"z"}, "y");
    Comparison comparison(maker.proto(), {{"x", random.normal({1, 8, 12, 12})}}, {"y"});
    comparison.runner().plan("y");
    double forward = 0;
    double reverse = 0;
    for (const gpu::Step& step : comparison.runner().current().steps()) {
        if (step.dispatch.label == "z forward") forward += step.dispatch.flops;
        if (step.dispatch.label == "z reverse") reverse += step.dispatch.flops;
    }
    EXPECT_GT(reverse, 0);
    EXPECT_LE(reverse, forward / 16) << "four of 64 channels";
    // An algorithm that is forced and knows no channels reads all of them.
    comparison.runner().model().choices().force("fft");
    comparison.expect_projection("y", nn::Rule::deconv, selections(random, {1, 64, 12, 12}, 3));
}

}  // namespace
}  // namespace deconv::testing
