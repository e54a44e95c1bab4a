// Pools and unpooling on the device, both ways, against the float64 reference.
#include "engine_cases.h"

namespace deconv::testing {
namespace {

/// A window of which every position sees some of the input.
AttributeList random_window(Random& random, bool dilated) {
    const Ints kernel{random.integer(1, 5), random.integer(1, 5)};
    AttributeList attributes{{"kernel_shape", kernel},
                             {"strides", Ints{random.integer(1, 4), random.integer(1, 4)}},
                             {"ceil_mode", random.integer(0, 1)}};
    if (dilated) attributes["dilations"] = Ints{random.integer(1, 2), random.integer(1, 2)};
    const std::string auto_pad = random.pick<std::string>({"NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"});
    attributes["auto_pad"] = auto_pad;
    if (auto_pad == "NOTSET") {
        attributes["pads"] = Ints{random.integer(0, kernel[0] - 1), random.integer(0, kernel[1] - 1),
                                  random.integer(0, kernel[0] - 1), random.integer(0, kernel[1] - 1)};
    }
    return attributes;
}

Shape random_maps(Random& random) {
    return {random.integer(1, 3), random.integer(1, 5), random.integer(9, 14), random.integer(9, 14)};
}

TEST(EnginePool, MaxPoolOverlappingPaddedCeiledAndDilated) {
    Random random(21);
    for (int trial = 0; trial < 150; ++trial) {
        const AttributeList attributes = random_window(random, true);
        const Shape shape = random_maps(random);
        ModelMaker maker;
        maker.node("MaxPool", {"x"}, "y", attributes);
        expect_agreement(describe("MaxPool", shape, attributes), maker, shape, random, some_rule(random));
    }
    const AttributeList row{{"kernel_shape", Ints{3}}, {"strides", Ints{2}}, {"pads", Ints{1, 1}}};
    ModelMaker maker;
    maker.node("MaxPool", {"x"}, "y", row);
    expect_agreement("MaxPool of rows", maker, {2, 3, 11}, random, every_rule());
}

/// Ties go to the first in row-major order, also between zeros; the plane may be constant or negative.
TEST(EnginePool, MaxPoolTies) {
    Random random(22);
    for (const double level : {0.0, -3.0, 2.0}) {
        ModelMaker maker;
        maker.node("MaxPool", {"x"}, "y",
                   {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}});
        reference::Tensor x = reference::Tensor::zeros({1, 4, 9, 8});
        // Few levels, so that most windows hold their maximum several times; the last plane is constant.
        for (std::size_t i = 0; i < x.data.size(); ++i) {
            x.data[i] = level + (i < 216 ? static_cast<double>(random.integer(0, 2)) : 0.0);
        }
        Comparison comparison(maker.proto(), {{"x", x}}, {"y"});
        comparison.expect_forward();
        nn::Selection one;
        one.channel = nn::Selection::all;
        one.one = true;
        comparison.expect_projection("y", nn::Rule::deconv, {one});
    }
}

TEST(EnginePool, AveragePoolPaddedAndCeiled) {
    Random random(23);
    for (int trial = 0; trial < 120; ++trial) {
        AttributeList attributes = random_window(random, false);
        attributes["count_include_pad"] = random.integer(0, 1);
        const Shape shape = random_maps(random);
        ModelMaker maker;
        maker.node("AveragePool", {"x"}, "y", attributes);
        expect_agreement(describe("AveragePool", shape, attributes), maker, shape, random, some_rule(random));
    }
    for (const std::int64_t ceil_mode : {0, 1}) {
        const AttributeList row{{"kernel_shape", Ints{3}}, {"strides", Ints{2}}, {"ceil_mode", ceil_mode}};
        ModelMaker maker;
        maker.node("AveragePool", {"x"}, "y", row);
        expect_agreement("AveragePool of rows", maker, {2, 3, 12}, random, every_rule());
    }
}

TEST(EnginePool, GlobalPools) {
    Random random(24);
    for (const char* op : {"GlobalMaxPool", "GlobalAveragePool"}) {
        for (const Shape& shape : {Shape{2, 5, 7, 9}, Shape{1, 3, 1, 1}, Shape{1, 2, 40, 33}, Shape{2, 3, 11}}) {
            ModelMaker maker;
            maker.node(op, {"x"}, "y");
            expect_agreement(describe(op, shape, {}), maker, shape, random, every_rule());
        }
    }
}

/// What was pooled goes back to its place, with a rectifier and a second use of the pooled map between.
TEST(EnginePool, MaxUnpoolFollowsTheSwitchesOfItsPool) {
    Random random(25);
    for (int trial = 0; trial < 12; ++trial) {
        const Ints kernel{random.integer(1, 3), random.integer(1, 3)};
        // Sizes that the windows cover exactly: the unpooled map is the pool's input.
        const Shape shape{random.integer(1, 2), random.integer(1, 4), kernel[0] * random.integer(2, 4),
                          kernel[1] * random.integer(2, 4)};
        const AttributeList window{{"kernel_shape", kernel}, {"strides", kernel}};
        ModelMaker maker(11);
        maker.node("MaxPool", {"x"}, "pooled", window, {"switches"});
        maker.node("Relu", {"pooled"}, "r");
        maker.node("Add", {"r", "pooled"}, "s");
        maker.node("MaxUnpool", {"s", "switches"}, "y", window);
        expect_agreement(describe("MaxPool, MaxUnpool", shape, window), maker, shape, random, every_rule());
    }
    // Overlapping windows write the same value to one place; output_shape enlarges the map at its end.
    for (const bool larger : {false, true}) {
        const AttributeList window{{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}};
        ModelMaker maker(11);
        maker.node("MaxPool", {"x"}, "pooled", window, {"switches"});
        std::vector<std::string> inputs{"pooled", "switches"};
        if (larger) inputs.push_back(maker.list("size", {1, 2, 10, 9}));
        maker.node("MaxUnpool", inputs, "y", window);
        expect_agreement("MaxUnpool of overlapping windows", maker, {1, 2, 7, 7}, random, every_rule());
    }
    ModelMaker row(11);
    row.node("MaxPool", {"x"}, "pooled", {{"kernel_shape", Ints{2}}, {"strides", Ints{2}}}, {"switches"});
    row.node("MaxUnpool", {"pooled", "switches"}, "y", {{"kernel_shape", Ints{2}}, {"strides", Ints{2}}});
    expect_agreement("MaxUnpool of rows", row, {2, 3, 8}, random, every_rule());
}

}  // namespace
}  // namespace deconv::testing
