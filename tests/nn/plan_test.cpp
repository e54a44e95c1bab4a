// Plans: memory that is shared by what never lives together, ways back that are refused, bindings that are split, grids
// that are cut.
#include <set>

#include "random_graph.h"

namespace deconv::testing {
namespace {

/// Whatever the graph, what is kept has its values when all is over, and what comes back is right.
TEST(EnginePlan, RandomGraphs) {
    for (unsigned seed = 1; seed <= 120; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(1000 + seed);
        RandomGraph graph(random, static_cast<int>(random.integer(4, 22)));
        const std::string target = graph.any();
        SCOPED_TRACE("target " + target + " of input " + reference::to_string(graph.shape()));
        Comparison comparison(graph.maker.proto(), {{"x", random.normal(graph.shape())}}, {graph.last()});
        Runner& runner = comparison.runner();
        std::vector<std::string> observed;
        for (std::int64_t count = random.integer(0, 3); count > 0; --count) observed.push_back(graph.any());
        const nn::Rule rule = random.pick(every_rule());
        std::vector<nn::Selection> selections;
        for (std::int64_t k = random.integer(1, 3); k > 0; --k) {
            selections.push_back(random_selection(random, comparison.values().at(target).shape));
        }
        comparison.expect_projection(target, rule, selections, 1e-4, nn::LrnReverse::identity, observed);
        observed.push_back(target);
        observed.push_back(graph.last());
        for (const std::string& name : observed) {
            EXPECT_LE(relative_error(runner.values(name), comparison.values().at(name).data), 1e-5) << name;
        }
        if (HasFailure()) return;
    }
}

std::string refusal(Runner& runner, const std::string& target) {
    try {
        runner.plan(target);
    } catch (const std::exception& error) {
        return error.what();
    }
    return "no error";
}

TEST(EnginePlan, SaysWhyThereIsNoWayBack) {
    Random random(81);
    ModelMaker maker(13);
    maker.node("Relu", {"x"}, "a");
    maker.node("Softmax", {"a"}, "s");
    maker.node("Relu", {"s"}, "y");
    Comparison comparison(maker.proto(), {{"x", random.normal({1, 3, 4, 5})}}, {"y"});
    const std::string crossed = refusal(comparison.runner(), "y");
    EXPECT_NE(crossed.find("no way back from layer y to the image"), std::string::npos) << crossed;
    EXPECT_NE(crossed.find("node s (Softmax): a Softmax is never crossed"), std::string::npos) << crossed;
    // Asked of the Softmax itself, it starts at the logits.
    EXPECT_EQ(refusal(comparison.runner(), "s"), "no error");

    ModelMaker two;
    two.input("z");
    two.node("Relu", {"x"}, "a");
    two.node("Relu", {"z"}, "b");
    two.node("Add", {"a", "b"}, "y");
    Comparison other(two.proto(), {{"x", random.normal({1, 3, 4, 5})}, {"z", random.normal({1, 3, 4, 5})}}, {"y"});
    const std::string apart = refusal(other.runner(), "b");
    EXPECT_NE(apart.find("layer b does not depend on the image"), std::string::npos) << apart;
    nn::Selection all;
    all.channel = nn::Selection::all;
    other.expect_projection("y", nn::Rule::gradient, {all});
}

/// A constant may stand where a tensor of the image does, and a target may have one dimension or none.
TEST(EnginePlan, ConstantsAsTensorsAndTargetsOfFewDimensions) {
    Random random(86);
    const auto expect = [&](const std::string& name, const Shape& shape, const auto& make) {
        ModelMaker maker(12);
        make(maker);
        expect_agreement(name, maker, shape, random, every_rule());
    };
    const Shape map{1, 3, 4, 5};
    for (const char* op : {"Relu", "Sigmoid", "Dropout", "GlobalAveragePool", "LRN"}) {
        expect(std::string(op) + " of a constant", map, [&](ModelMaker& m) {
            m.constant("c", random.normal(map));
            AttributeList attributes;
            if (std::string(op) == "LRN") attributes["size"] = std::int64_t{3};
            m.node(op, {"c"}, "a", attributes);
            m.node("Mul", {"x", "a"}, "y");
        });
    }
    expect("Conv and Relu of a constant", map, [&](ModelMaker& m) {
        m.constant("c", random.normal({1, 2, 4, 5}));
        m.constant("w", random.normal({3, 2, 1, 1}));
        m.node("Conv", {"c", "w"}, "a");
        m.node("Relu", {"a"}, "b");
        m.node("Concat", {"b", "x"}, "y", {{"axis", std::int64_t{1}}});
    });
    expect("Gemm of constants and a bias of the image", {4, 6}, [&](ModelMaker& m) {
        m.constant("a", random.normal({4, 3}));
        m.constant("b", random.normal({3, 6}));
        m.node("Gemm", {"a", "b", "x"}, "y", {{"beta", 0.5F}});
    });
    expect("a target of one dimension", {1, 7}, [&](ModelMaker& m) {
        m.node("Tanh", {"x"}, "t");
        m.node("Squeeze", {"t"}, "y", {{"axes", Ints{0}}});
    });
}

/// Five copies of everything, where a binding holds one or a few of them.
TEST(EnginePlan, CopiesBeyondOneBindingAreSplit) {
    constexpr std::uint64_t range = 8192;
    const auto expect = [](const std::string& name, const Shape& shape, const auto& make) {
        SCOPED_TRACE(name);
        Random random(82);
        ModelMaker maker(12);
        make(maker, random);
        Comparison comparison(maker.proto(), {{"x", random.normal(shape)}}, {"y"});
        const PretendedRange pretended(range);
        std::vector<nn::Selection> selections;
        while (selections.size() < 5) {
            selections.push_back(random_selection(random, comparison.values().at("y").shape));
        }
        try {
            for (const nn::Rule rule : all_rules) comparison.expect_projection("y", rule, selections);
        } catch (const std::exception& error) {
            ADD_FAILURE() << error.what();
        }
    };
    const Shape map{1, 8, 16, 16};
    const auto unary = [&](const std::string& op, const AttributeList& attributes = {}, const Shape& shape = {}) {
        expect(op, shape.empty() ? map : shape, [&](ModelMaker& m, Random&) { m.node(op, {"x"}, "y", attributes); });
    };
    unary("Relu");
    unary("LRN", {{"size", std::int64_t{3}}});
    unary("MaxPool", {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}});
    unary("AveragePool", {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}});
    unary("GlobalAveragePool", {}, {1, 64, 4, 4});
    unary("GlobalMaxPool", {}, {1, 64, 4, 4});
    unary("Transpose", {{"perm", Ints{0, 3, 1, 2}}});
    unary("ReduceMean", {{"axes", Ints{1}}});
    unary("Flatten", {}, {1, 8, 8, 16});
    for (const std::int64_t channels : {4, 8}) {
        expect("Conv to " + std::to_string(channels), map, [&](ModelMaker& m, Random& random) {
            m.constant("w", random.normal({channels, 8, 3, 3}));
            m.node("Conv", {"x", "w"}, "y", {{"pads", Ints{1, 1, 1, 1}}});
        });
    }
    expect("ConvTranspose", {1, 8, 8, 8}, [&](ModelMaker& m, Random& random) {
        m.constant("w", random.normal({8, 8, 2, 2}));
        m.node("ConvTranspose", {"x", "w"}, "y", {{"strides", Ints{2, 2}}});
    });
    expect("BatchNormalization", map, [&](ModelMaker& m, Random& random) {
        for (const char* name : {"s", "b", "m"}) m.constant(name, random.normal({8}));
        m.constant("v", random.positive({8}));
        m.node("BatchNormalization", {"x", "s", "b", "m", "v"}, "y");
    });
    expect("Mul by an average", {1, 64, 4, 8}, [&](ModelMaker& m, Random&) {
        m.node("GlobalAveragePool", {"x"}, "g");
        m.node("Mul", {"x", "g"}, "y");
    });
    expect("PRelu", map, [&](ModelMaker& m, Random& random) {
        m.constant("s", random.normal({8, 1, 1}));
        m.node("PRelu", {"x", "s"}, "y");
    });
    expect("Sum", map, [&](ModelMaker& m, Random&) { m.node("Sum", {"x", "x", "x"}, "y"); });
    expect("Concat", {1, 4, 16, 16}, [&](ModelMaker& m, Random&) {
        m.node("Tanh", {"x"}, "t");
        m.node("Concat", {"x", "t"}, "y", {{"axis", std::int64_t{1}}});
    });
    expect("Pad", {1, 8, 12, 8}, [&](ModelMaker& m, Random&) {
        m.list("p", {0, 0, 1, 4, 0, 0, 3, 4});
        m.node("Pad", {"x", "p"}, "y", {{"mode", std::string("reflect")}});
    });
    expect("Slice", map, [&](ModelMaker& m, Random&) {
        m.list("s", {0, 2});
        m.list("e", {4, 1000});
        m.list("a", {1, 2});
        m.list("t", {1, 7});
        m.node("Slice", {"x", "s", "e", "a", "t"}, "y");
    });
    expect("MaxUnpool", map, [&](ModelMaker& m, Random&) {
        const AttributeList window{{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}};
        m.node("MaxPool", {"x"}, "p", window, {"i"});
        m.node("MaxUnpool", {"p", "i"}, "y", window);
    });
    expect("MatMul", {1, 2, 16, 64}, [&](ModelMaker& m, Random& random) {
        m.constant("b", random.normal({64, 32}));
        m.node("MatMul", {"x", "b"}, "y");
    });
    for (const std::int64_t ta : {0, 1}) {
        for (const std::int64_t tb : {0, 1}) {
            // The matrix exceeds a binding, too: it comes in parts of whole outputs.
            expect("Gemm", ta != 0 ? Shape{64, 8} : Shape{8, 64}, [&](ModelMaker& m, Random& random) {
                m.constant("b", random.normal(tb != 0 ? Shape{100, 64} : Shape{64, 100}));
                m.constant("c", random.normal({100}));
                m.node("Gemm", {"x", "b", "c"}, "y", {{"transA", ta}, {"transB", tb}});
            });
        }
    }
}

/// The forward pass of a batch beyond one binding, where operators split it.
TEST(EnginePlan, BatchesBeyondOneBindingAreSplit) {
    Random random(83);
    ModelMaker maker(12);
    maker.constant("w", random.normal({8, 4, 3, 3}));
    for (const char* name : {"s", "b", "m"}) maker.constant(name, random.normal({8}));
    maker.constant("v", random.positive({8}));
    maker.node("Conv", {"x", "w"}, "a", {{"pads", Ints{1, 1, 1, 1}}});
    maker.node("BatchNormalization", {"a", "s", "b", "m", "v"}, "c");
    maker.node("Relu", {"c"}, "d");
    maker.node("LRN", {"d"}, "e", {{"size", std::int64_t{3}}});
    maker.node("MaxPool", {"e"}, "f", {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}});
    maker.node("AveragePool", {"f"}, "y", {{"kernel_shape", Ints{3, 3}}, {"pads", Ints{1, 1, 1, 1}}});
    Comparison comparison(maker.proto(), {{"x", random.normal({5, 4, 16, 16})}}, {"y"});
    const PretendedRange pretended(8192);
    comparison.expect_forward();
}

/// What cannot be bound at all is said, not run.
TEST(EnginePlan, SaysWhatExceedsABinding) {
    Random random(84);
    ModelMaker maker;
    maker.constant("w", random.normal({8, 4, 3, 3}));
    maker.node("Conv", {"x", "w"}, "y");
    Comparison comparison(maker.proto(), {{"x", random.normal({1, 4, 40, 40})}}, {"y"});
    const PretendedRange pretended(8192);
    const std::string text = refusal(comparison.runner(), "y");
    EXPECT_NE(text.find("choose a smaller --size"), std::string::npos) << text;
}

/// However finely grids are cut into segments, the numbers stay the same to the last bit.
TEST(EnginePlan, CutGridsGiveTheSameNumbers) {
    Random random(85);
    ModelMaker maker(13);
    maker.constant("w", random.normal({12, 3, 3, 3}));
    maker.constant("g", random.normal({12, 7}));
    maker.node("Conv", {"x", "w"}, "a", {{"strides", Ints{2, 1}}});
    maker.node("Sigmoid", {"a"}, "b");
    maker.node("MaxPool", {"b"}, "c", {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}});
    maker.node("LRN", {"c"}, "d", {{"size", std::int64_t{5}}});
    maker.node("GlobalAveragePool", {"d"}, "e");
    maker.node("Flatten", {"e"}, "f");
    maker.node("Gemm", {"f", "g"}, "y");
    // Wide enough for grids of several rows; see linear_groups().
    for (const auto& [shape, segment_ms] : {std::pair<Shape, double>{{1, 3, 21, 19}, 1e-9}, {{1, 3, 700, 420}, 0.05}}) {
        SCOPED_TRACE(reference::to_string(shape));
        Runner runner(nn::import_onnx_bytes(
            complete(maker.proto(), {{"x", reference::Tensor::zeros(shape)}}, {"y"}).SerializeAsString(), "test", "."));
        nn::Selection all;
        all.channel = nn::Selection::all;
        runner.plan("y", nn::Rule::gradient, nn::LrnReverse::identity, 2, {"b", "d"});
        runner.set_input("x", to_floats(random.normal(shape).data));
        runner.run({all, {}});
        const auto results = [&] {
            return std::vector{runner.values("b"), runner.values("d"), runner.values("y"), runner.reconstruction()};
        };
        const auto whole = results();
        const std::size_t segments = runner.recording().segments().size();
        gpu::Recording::Options fine;
        fine.segment_ms = segment_ms;
        runner.record(fine);
        EXPECT_GT(runner.recording().segments().size(), 5 * segments);
        runner.run({all, {}});
        EXPECT_EQ(results(), whole);
    }
}

}  // namespace
}  // namespace deconv::testing
