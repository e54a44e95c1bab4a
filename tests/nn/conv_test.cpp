// Conv and ConvTranspose on the device, both ways, against the float64 reference.
#include "engine_cases.h"

namespace deconv::testing {
namespace {

Ints pair(Random& random, std::int64_t low, std::int64_t high) {
    return {random.integer(low, high), random.integer(low, high)};
}

std::int64_t reach(const Ints& kernel, const Ints& dilations, std::size_t axis) {
    return (kernel[axis] - 1) * dilations[axis] + 1;
}

TEST(EngineConv, EveryKernelStridePadDilationGroupAndAutoPad) {
    Random random(11);
    for (int trial = 0; trial < 200; ++trial) {
        // Large kernels now and then: they are slow in the reference.
        const Ints kernel = pair(random, 1, trial % 6 == 0 ? 11 : 5);
        AttributeList attributes{{"kernel_shape", kernel}, {"strides", pair(random, 1, 4)}};
        const Ints dilations = pair(random, 1, kernel[0] * kernel[1] > 30 ? 1 : 3);
        attributes["dilations"] = dilations;
        const std::string auto_pad =
            random.pick<std::string>({"NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"});
        attributes["auto_pad"] = auto_pad;
        if (auto_pad == "NOTSET") {
            // Anything, up to padding wider than the kernel.
            attributes["pads"] =
                Ints{random.integer(0, 6), random.integer(0, 3), random.integer(0, 2), random.integer(0, 5)};
        }
        const std::int64_t group = random.pick<std::int64_t>({1, 1, 1, 2, 3});
        attributes["group"] = group;
        const std::int64_t in = group * random.integer(1, trial % 5 == 0 ? 40 : 5);
        const std::int64_t out = group * random.integer(1, trial % 5 == 1 ? 40 : 6);
        const Shape shape{random.integer(1, 3), in, reach(kernel, dilations, 0) + random.integer(0, 9),
                          reach(kernel, dilations, 1) + random.integer(0, 9)};
        ModelMaker maker;
        maker.constant("w", random.normal({out, in / group, kernel[0], kernel[1]}));
        std::vector<std::string> inputs{"x", "w"};
        if (random.flip()) inputs.push_back(maker.constant("b", random.normal({out})));
        maker.node("Conv", inputs, "y", attributes);
        expect_agreement(describe("Conv", shape, attributes, "to " + std::to_string(out)), maker, shape, random,
                         some_rule(random));
    }
}

TEST(EngineConv, PointwiseDepthwiseAndLargeMaps) {
    Random random(12);
    for (const std::int64_t channels : {1, 3, 4, 5, 16, 17, 33}) {
        for (const std::int64_t out : {1, 4, 15, 16, 40}) {
            ModelMaker maker;
            maker.constant("w", random.normal({out, channels, 1, 1}));
            maker.constant("b", random.normal({out}));
            maker.node("Conv", {"x", "w", "b"}, "y");
            const Shape shape{2, channels, 5, 7};
            expect_agreement(describe("Conv 1x1", shape, {}, "to " + std::to_string(out)), maker, shape, random,
                             {nn::Rule::deconv});
        }
    }
    for (const std::int64_t multiplier : {1, 3}) {
        ModelMaker maker;
        maker.constant("w", random.normal({17 * multiplier, 1, 3, 3}));
        const AttributeList attributes{
            {"group", std::int64_t{17}}, {"pads", Ints{1, 1, 1, 1}}, {"strides", Ints{2, 1}}};
        maker.node("Conv", {"x", "w"}, "y", attributes);
        const Shape shape{2, 17, 9, 8};
        expect_agreement(describe("depthwise Conv", shape, attributes), maker, shape, random, {nn::Rule::deconv});
    }
    // More places than one workgroup of any variant covers, and sizes that no tile divides.
    for (const std::int64_t out : {3, 20}) {
        ModelMaker maker;
        maker.constant("w", random.normal({out, 3, 3, 5}));
        const AttributeList attributes{{"strides", Ints{2, 1}}, {"pads", Ints{1, 0, 0, 3}}};
        maker.node("Conv", {"x", "w"}, "y", attributes);
        const Shape shape{1, 3, 61, 83};
        expect_agreement(describe("Conv", shape, attributes), maker, shape, random, {nn::Rule::deconv});
    }
}

// What is padded there shows itself in the output's size alone.
TEST(EngineConv, PadsAtTheFarEdgesAlone) {
    Random random(15);
    for (const std::int64_t kernel : {1, 2, 3}) {
        for (const std::int64_t stride : {1, 2}) {
            for (const Ints& pads : {Ints{0, 0, 1, 0}, Ints{0, 0, 0, 1}, Ints{0, 0, 2, 1}}) {
                for (const std::int64_t channels : {3, 8}) {
                    ModelMaker maker;
                    maker.constant("w", random.normal({8, channels, kernel, kernel}));
                    const AttributeList attributes{
                        {"kernel_shape", Ints{kernel, kernel}}, {"pads", pads}, {"strides", Ints{stride, stride}}};
                    maker.node("Conv", {"x", "w"}, "y", attributes);
                    const Shape shape{2, channels, 9, 8};
                    expect_agreement(describe("Conv", shape, attributes), maker, shape, random, {nn::Rule::deconv});
                }
            }
        }
    }
}

TEST(EngineConv, Rows) {
    Random random(13);
    for (int trial = 0; trial < 12; ++trial) {
        const Ints kernel{random.integer(1, 7)};
        const Ints dilations{random.integer(1, 2)};
        const AttributeList attributes{{"kernel_shape", kernel},
                                       {"strides", Ints{random.integer(1, 3)}},
                                       {"dilations", dilations},
                                       {"pads", Ints{random.integer(0, 3), random.integer(0, 3)}}};
        ModelMaker maker;
        maker.constant("w", random.normal({6, 3, kernel[0]}));
        maker.node("Conv", {"x", "w"}, "y", attributes);
        const Shape shape{2, 3, reach(kernel, dilations, 0) + random.integer(0, 9)};
        expect_agreement(describe("Conv", shape, attributes), maker, shape, random, some_rule(random));
    }
}

TEST(EngineConvTranspose, EveryKernelStridePadDilationGroupAndShape) {
    Random random(14);
    for (int trial = 0; trial < 120; ++trial) {
        const Ints kernel = pair(random, 1, 5);
        const Ints strides = pair(random, 1, 4);
        const Ints dilations = pair(random, 1, 2);
        AttributeList attributes{{"kernel_shape", kernel}, {"strides", strides}, {"dilations", dilations}};
        const Ints size = pair(random, 3, 8);
        const std::int64_t way = random.integer(0, 3);
        if (way == 0) {
            attributes["auto_pad"] = random.pick<std::string>({"SAME_UPPER", "SAME_LOWER"});
        } else if (way == 1) {
            // Both shorter and longer than what the window alone would give.
            attributes["output_shape"] = Ints{size[0] * strides[0] + random.integer(-1, 1), size[1] * strides[1]};
        } else {
            attributes["pads"] = Ints{random.integer(0, kernel[0] - 1), random.integer(0, kernel[1] - 1),
                                      random.integer(0, 1), random.integer(0, 1)};
            attributes["output_padding"] = Ints{random.integer(0, strides[0] - 1), random.integer(0, strides[1] - 1)};
        }
        const std::int64_t group = random.pick<std::int64_t>({1, 1, 2, 3});
        attributes["group"] = group;
        const std::int64_t in = group * random.integer(1, trial % 5 == 0 ? 20 : 4);
        const std::int64_t out = random.integer(1, trial % 5 == 1 ? 20 : 4);
        const Shape shape{random.integer(1, 2), in, size[0], size[1]};
        ModelMaker maker;
        maker.constant("w", random.normal({in, out, kernel[0], kernel[1]}));
        std::vector<std::string> inputs{"x", "w"};
        if (random.flip()) inputs.push_back(maker.constant("b", random.normal({out * group})));
        maker.node("ConvTranspose", inputs, "y", attributes);
        expect_agreement(describe("ConvTranspose", shape, attributes), maker, shape, random, some_rule(random));
    }
    ModelMaker row;
    row.constant("w", random.normal({3, 2, 4}));
    row.node("ConvTranspose", {"x", "w"}, "y", {{"strides", Ints{3}}, {"pads", Ints{1, 0}}});
    expect_agreement("ConvTranspose of rows", row, {2, 3, 5}, random, every_rule());
}

}  // namespace
}  // namespace deconv::testing
