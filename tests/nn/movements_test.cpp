// Operators that only move data, on the device, both ways, against the float64 reference.
#include "engine_cases.h"

namespace deconv::testing {
namespace {

TEST(EngineMovement, ConcatAlongEveryAxis) {
    Random random(71);
    for (std::int64_t rank = 2; rank <= 4; ++rank) {
        for (std::int64_t axis = -rank; axis < rank; ++axis) {
            const Shape whole{2, 3, 4, 5};
            const Shape shape(whole.begin(), whole.begin() + rank);
            Shape other = shape;
            other[static_cast<std::size_t>(axis < 0 ? axis + rank : axis)] = 2;
            ModelMaker maker;
            maker.constant("c", random.normal(other));
            maker.node("Tanh", {"x"}, "t");
            maker.node("Concat", {"x", "c", "t", "x"}, "y", {{"axis", axis}});
            expect_agreement(describe("Concat", shape, {{"axis", axis}}), maker, shape, random, some_rule(random));
        }
    }
    // Parts that begin at multiples of the alignment, and parts that do not.
    for (const std::int64_t channels : {1, 16, 64}) {
        ModelMaker maker;
        maker.constant("w", random.normal({channels, 3, 1, 1}));
        maker.node("Conv", {"x", "w"}, "a");
        maker.node("Relu", {"a"}, "r");
        maker.node("Concat", {"a", "r", "a"}, "y", {{"axis", std::int64_t{1}}});
        expect_agreement("Concat of " + std::to_string(channels) + " channels", maker, {1, 3, 4, 4}, random,
                         every_rule());
    }
    ModelMaker one;
    one.node("Concat", {"x"}, "y", {{"axis", std::int64_t{1}}});
    expect_agreement("Concat of one", one, {1, 3, 4, 4}, random, every_rule());
}

TEST(EngineMovement, FlattenReshapeSqueezeUnsqueeze) {
    Random random(72);
    const auto chain = [&](const std::string& name, const Shape& shape, int opset, const auto& make) {
        // Between two rectifiers, so that the view's neighbours are real.
        ModelMaker maker(opset);
        maker.node("Tanh", {"x"}, "before");
        make(maker);
        maker.node("LeakyRelu", {"view"}, "y");
        expect_agreement(name, maker, shape, random, some_rule(random));
    };
    for (const std::int64_t axis : {0, 1, 2, 3, 4, -1, -2}) {
        chain("Flatten " + std::to_string(axis), {2, 3, 4, 5}, 11, [&](ModelMaker& m) {
            m.node("Flatten", {"before"}, "view", {{"axis", axis}});
        });
    }
    for (const Ints& sizes : {Ints{0, -1, 10}, Ints{6, 20}, Ints{-1, 1, 1, 120}, Ints{2, 0, 0, 5}, Ints{1, 120}}) {
        chain("Reshape to " + text(sizes), {2, 3, 4, 5}, 11, [&](ModelMaker& m) {
            m.list("s", sizes);
            m.node("Reshape", {"before", "s"}, "view");
        });
    }
    chain("Squeeze all", {2, 3, 1, 1}, 11, [&](ModelMaker& m) { m.node("Squeeze", {"before"}, "view"); });
    chain("Squeeze -1", {2, 3, 1, 1}, 11, [&](ModelMaker& m) {
        m.node("Squeeze", {"before"}, "view", {{"axes", Ints{-1}}});
    });
    chain("Squeeze of opset 13", {2, 1, 4, 1}, 13, [&](ModelMaker& m) {
        m.list("a", {1, 3});
        m.node("Squeeze", {"before", "a"}, "view");
    });
    chain("Unsqueeze", {2, 4}, 13, [&](ModelMaker& m) {
        m.list("a", {2, -1});
        m.node("Unsqueeze", {"before", "a"}, "view");
    });
    chain("Unsqueeze of opset 11", {2, 4}, 11, [&](ModelMaker& m) {
        m.node("Unsqueeze", {"before"}, "view", {{"axes", Ints{0, 3}}});
    });
    for (const int opset : {7, 11, 13}) {
        chain("Dropout and Identity", {2, 3, 4, 5}, opset, [&](ModelMaker& m) {
            m.node("Dropout", {"before"}, "d");
            m.node("Identity", {"d"}, "view");
        });
    }
}

/// Views at both ends: the image and the target are views themselves, and one tensor is viewed twice.
TEST(EngineMovement, ViewsOfTheImageAndOfTheTarget) {
    Random random(73);
    ModelMaker maker;
    maker.list("s", {1, 4, 3, 5});
    maker.node("Reshape", {"x", "s"}, "a");
    maker.node("Identity", {"a"}, "b");
    maker.node("Identity", {"a"}, "c");
    maker.node("Add", {"b", "c"}, "d");
    maker.node("Identity", {"d"}, "e");
    maker.node("Flatten", {"e"}, "y");
    expect_agreement("views only", maker, {1, 3, 4, 5}, random, every_rule());
    ModelMaker inner;
    inner.node("Identity", {"x"}, "a");
    inner.node("Relu", {"a"}, "t");
    inner.node("Identity", {"t"}, "y");
    for (const char* target : {"a", "t"}) {
        SCOPED_TRACE(target);
        Comparison comparison(inner.proto(), {{"x", random.normal({1, 3, 4, 5})}}, {"y"});
        for (const nn::Rule rule : all_rules) comparison.expect_projection(target, rule, {{}, {}});
    }
}

TEST(EngineMovement, Transpose) {
    Random random(74);
    Ints order{0, 1, 2, 3};
    do {
        ModelMaker maker;
        maker.node("Transpose", {"x"}, "y", {{"perm", order}});
        expect_agreement("Transpose " + text(order), maker, {2, 3, 4, 5}, random, some_rule(random));
    } while (std::next_permutation(order.begin(), order.end()));
    for (const Shape& shape : {Shape{3, 5}, Shape{2, 3, 4}, Shape{2, 3, 4, 5}}) {
        ModelMaker maker;
        maker.node("Transpose", {"x"}, "y");
        expect_agreement(describe("Transpose", shape, {}), maker, shape, random, some_rule(random));
    }
}

/// ShuffleNet's and PixelShuffle's way: more dimensions between two Reshapes than images have.
TEST(EngineMovement, TransposeOfFiveAndSixDimensions) {
    Random random(78);
    const auto between = [&](const Ints& inside, const Ints& order, const Ints& after, const Shape& shape) {
        ModelMaker maker;
        maker.list("s", inside);
        maker.list("t", after);
        maker.node("Tanh", {"x"}, "a");
        maker.node("Reshape", {"a", "s"}, "b");
        maker.node("Transpose", {"b"}, "c", {{"perm", order}});
        maker.node("Reshape", {"c", "t"}, "y");
        expect_agreement("Transpose of " + text(inside) + "by " + text(order), maker, shape, random, every_rule());
    };
    between({2, 3, 4, 5, 6}, {0, 2, 1, 3, 4}, {2, 12, 5, 6}, {2, 12, 5, 6});
    between({2, 3, 2, 2, 4, 5}, {0, 1, 4, 2, 5, 3}, {2, 3, 8, 10}, {2, 12, 4, 5});
    between({1, 4, 3, 2, 2, 3}, {5, 3, 1, 4, 2, 0}, {1, 3, 6, 8}, {1, 12, 4, 3});
}

TEST(EngineMovement, PadByConstantReflectionAndEdge) {
    Random random(75);
    for (const char* mode : {"constant", "reflect", "edge"}) {
        for (const Ints& pads : {Ints{0, 0, 1, 3, 0, 0, 2, 0}, Ints{0, 1, 0, 0, 0, 2, 0, 0},
                                 Ints{0, 0, 3, 4, 0, 0, 3, 4}, Ints{1, 2, 3, 4, 1, 2, 3, 4}}) {
            const bool reflects = std::string(mode) == "reflect";
            const Shape shape = reflects ? Shape{2, 3, 4, 5} : Shape{1, 3, 4, 5};
            ModelMaker maker(11);
            maker.list("p", pads);
            maker.constant("v", {{}, {0.5}});
            std::vector<std::string> inputs{"x", "p"};
            if (std::string(mode) == "constant" && pads[3] > 0) inputs.emplace_back("v");
            maker.node("Pad", inputs, "y", {{"mode", std::string(mode)}});
            expect_agreement(std::string("Pad ") + mode + " " + text(pads), maker, shape, random, some_rule(random));
        }
    }
    for (const char* mode : {"constant", "edge"}) {
        ModelMaker maker(9);
        maker.node("Pad", {"x"}, "y",
                   {{"pads", Ints{0, 0, -1, 2, 0, 0, -2, -1}}, {"value", 3.F}, {"mode", std::string(mode)}});
        expect_agreement(std::string("Pad that crops, ") + mode, maker, {2, 3, 6, 5}, random, every_rule());
    }
    ModelMaker row(11);
    row.list("p", {0, 0, 2, 0, 0, 1});
    row.node("Pad", {"x", "p"}, "y", {{"mode", std::string("reflect")}});
    expect_agreement("Pad of rows", row, {2, 3, 6}, random, every_rule());
}

TEST(EngineMovement, SliceWithStepsForwardsAndBackwards) {
    Random random(76);
    for (int trial = 0; trial < 40; ++trial) {
        Ints starts, ends, axes, steps;
        const Shape shape{2, 5, 7, 9};
        for (std::int64_t axis = 0; axis < 4; ++axis) {
            if (random.integer(0, 2) == 0) continue;
            const std::int64_t size = shape[static_cast<std::size_t>(axis)];
            const std::int64_t step = random.pick<std::int64_t>({1, 1, 2, 3, -1, -2, -3});
            std::int64_t low = random.integer(0, size - 1);
            std::int64_t high = random.integer(low, size - 1);
            axes.push_back(random.flip() ? axis : axis - 4);
            steps.push_back(step);
            starts.push_back(step > 0 ? low : high);
            // Up to the border in each of the ways that files write it.
            if (step > 0) {
                ends.push_back(high == size - 1 ? random.pick<std::int64_t>({size, std::int64_t{1} << 62, 1000})
                                                : high + 1);
            } else {
                ends.push_back(low == 0 ? random.pick<std::int64_t>({INT64_MIN, -1000, -size - 1}) : low - 1);
            }
            if (random.flip()) starts.back() -= size;
        }
        if (axes.empty()) continue;
        ModelMaker maker(11);
        maker.list("s", starts);
        maker.list("e", ends);
        maker.list("a", axes);
        maker.list("t", steps);
        maker.node("Slice", {"x", "s", "e", "a", "t"}, "y");
        const std::string name =
            "Slice " + text(starts) + "to " + text(ends) + "of axes " + text(axes) + "by " + text(steps);
        expect_agreement(name, maker, shape, random, some_rule(random));
    }
    ModelMaker old(9);
    old.node("Slice", {"x"}, "a", {{"starts", Ints{1, -3}}, {"ends", Ints{3, INT64_MAX}}, {"axes", Ints{1, 3}}});
    old.node("Slice", {"x"}, "b", {{"starts", Ints{0, 0}}, {"ends", Ints{2, 2}}, {"axes", Ints{1, 3}}});
    old.node("Flatten", {"a"}, "c");
    old.node("Flatten", {"b"}, "d");
    old.node("Concat", {"c", "d", "c"}, "y", {{"axis", std::int64_t{1}}});
    expect_agreement("Slices that share places", old, {1, 4, 5, 6}, random, every_rule());
}

TEST(EngineMovement, ReduceMeanOverNeighbouringAxes) {
    Random random(77);
    for (const Ints& axes : {Ints{2, 3}, Ints{-1, -2}, Ints{3}, Ints{2}, Ints{1}, Ints{1, 2}, Ints{0, 1, 2, 3}}) {
        for (const std::int64_t keep : {0, 1}) {
            const AttributeList attributes{{"axes", axes}, {"keepdims", keep}};
            ModelMaker maker(11);
            maker.node("ReduceMean", {"x"}, "m", attributes);
            maker.list("s", {1, -1});
            maker.node("Reshape", {"m", "s"}, "y");
            expect_agreement(describe("ReduceMean", {2, 3, 4, 5}, attributes), maker, {2, 3, 4, 5}, random,
                             some_rule(random));
        }
    }
    ModelMaker whole(11);
    whole.node("ReduceMean", {"x"}, "y");
    expect_agreement("ReduceMean over all", whole, {2, 3, 4, 5}, random, every_rule());
}

}  // namespace
}  // namespace deconv::testing
