// Every linear operator's reverse is its exact adjoint: ⟨A x, A x⟩ = ⟨x, Aᵀ A x⟩ with the device's own numbers on both
// sides, without any reference.
#include "engine_cases.h"

namespace deconv::testing {
namespace {

/// `make` adds nodes from "x" to "y" without bias or shift.
template <typename Make>
void expect_adjoint(const std::string& name, const Shape& shape, int opset, Random& random, Make make) {
    SCOPED_TRACE(name + " on " + reference::to_string(shape));
    try {
        ModelMaker maker(opset);
        make(maker);
        const reference::Tensor x = random.normal(shape);
        Comparison comparison(maker.proto(), {{"x", x}}, {"y"});
        Runner& runner = comparison.runner();
        nn::Selection all;
        all.channel = nn::Selection::all;
        for (const nn::Rule rule : all_rules) {
            runner.plan("y", rule);
            comparison.feed();
            runner.run({all});
            double forward = 0;
            double back = 0;
            for (const float v : runner.values("y")) forward += static_cast<double>(v) * v;
            const std::vector<float> r0 = runner.reconstruction();
            for (std::size_t i = 0; i < r0.size(); ++i) back += r0[i] * x.data[i];
            EXPECT_GT(forward, 0);
            EXPECT_NEAR(back / forward, 1.0, 1e-5) << name_of(rule);
        }
    } catch (const std::exception& error) {
        ADD_FAILURE() << error.what();
    }
}

TEST(EngineAdjoint, Convolutions) {
    Random random(15);
    for (int trial = 0; trial < 24; ++trial) {
        const bool transposed = trial % 3 == 2;
        const std::int64_t group = random.pick<std::int64_t>({1, 2, 3});
        const Ints kernel{random.integer(1, 5), random.integer(1, 5)};
        const AttributeList attributes{{"strides", Ints{random.integer(1, 3), random.integer(1, 3)}},
                                       {"dilations", Ints{random.integer(1, 2), 1}},
                                       {"pads", Ints{1, 0, 0, 2}},
                                       {"group", group}};
        const std::string op = transposed ? "ConvTranspose" : "Conv";
        expect_adjoint(describe(op, {}, attributes, text(kernel)), {2, 6, 13, 11}, 12, random, [&](ModelMaker& m) {
            m.constant("w", random.normal({6, 6 / group, kernel[0], kernel[1]}));
            m.node(op, {"x", "w"}, "y", attributes);
        });
    }
}

TEST(EngineAdjoint, PoolsAndMeans) {
    Random random(16);
    for (const std::int64_t ceil_mode : {0, 1}) {
        for (const std::int64_t padding : {0, 1}) {
            const AttributeList attributes{{"kernel_shape", Ints{3, 2}},
                                           {"strides", Ints{2, 1}},
                                           {"pads", Ints{1, 0, 2, 1}},
                                           {"ceil_mode", ceil_mode},
                                           {"count_include_pad", padding}};
            expect_adjoint(describe("AveragePool", {}, attributes), {2, 3, 10, 9}, 12, random,
                           [&](ModelMaker& m) { m.node("AveragePool", {"x"}, "y", attributes); });
        }
    }
    expect_adjoint("GlobalAveragePool", {2, 3, 10, 9}, 12, random,
                   [](ModelMaker& m) { m.node("GlobalAveragePool", {"x"}, "y"); });
    expect_adjoint("ReduceMean", {2, 3, 10, 9}, 12, random, [](ModelMaker& m) {
        m.node("ReduceMean", {"x"}, "y", {{"axes", Ints{1, 2}}});
    });
    // With its own switches a pool is linear, and so is what follows them.
    const AttributeList window{{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}};
    expect_adjoint("MaxPool", {2, 3, 10, 8}, 12, random, [&](ModelMaker& m) { m.node("MaxPool", {"x"}, "y", window); });
    expect_adjoint("MaxUnpool", {2, 3, 10, 8}, 12, random, [&](ModelMaker& m) {
        m.node("MaxPool", {"x"}, "p", window, {"i"});
        m.node("MaxUnpool", {"p", "i"}, "y", window);
    });
}

TEST(EngineAdjoint, MatricesAndArithmetic) {
    Random random(17);
    for (const std::int64_t ta : {0, 1}) {
        for (const std::int64_t tb : {0, 1}) {
            const AttributeList attributes{{"transA", ta}, {"transB", tb}, {"alpha", 0.5F}};
            expect_adjoint(describe("Gemm", {}, attributes), {30, 30}, 12, random, [&](ModelMaker& m) {
                m.constant("b", random.normal(tb != 0 ? Shape{7, 30} : Shape{30, 7}));
                m.node("Gemm", {"x", "b"}, "y", attributes);
            });
        }
    }
    expect_adjoint("MatMul", {2, 3, 4, 5}, 12, random, [&](ModelMaker& m) {
        m.constant("b", random.normal({2, 3, 5, 6}));
        m.node("MatMul", {"x", "b"}, "y");
    });
    for (const char* op : {"Mul", "Div"}) {
        expect_adjoint(op, {2, 3, 4, 5}, 12, random, [&](ModelMaker& m) {
            m.constant("c", random.positive({3, 1, 1}));
            m.node(op, {"x", "c"}, "y");
        });
    }
    for (const char* op : {"Add", "Sub"}) {
        expect_adjoint(op, {2, 3, 4, 5}, 12, random, [&](ModelMaker& m) {
            m.node("GlobalAveragePool", {"x"}, "g");
            m.node(op, {"x", "g"}, "y");
        });
    }
    expect_adjoint("Sum", {2, 3, 4, 5}, 12, random, [](ModelMaker& m) { m.node("Sum", {"x", "x", "x"}, "y"); });
    expect_adjoint("BatchNormalization without shift", {2, 3, 4, 5}, 12, random, [&](ModelMaker& m) {
        m.constant("s", random.normal({3}));
        m.constant("zero", reference::Tensor::zeros({3}));
        m.constant("v", random.positive({3}));
        m.node("BatchNormalization", {"x", "s", "zero", "zero", "v"}, "y");
    });
}

TEST(EngineAdjoint, Movements) {
    Random random(18);
    const Shape shape{2, 3, 6, 5};
    const auto expect = [&](const std::string& name, const auto& make) {
        expect_adjoint(name, shape, 11, random, make);
    };
    for (const std::int64_t axis : {0, 1, 2, 3}) {
        expect("Concat", [&](ModelMaker& m) { m.node("Concat", {"x", "x"}, "y", {{"axis", axis}}); });
    }
    expect("Transpose", [](ModelMaker& m) { m.node("Transpose", {"x"}, "y", {{"perm", Ints{2, 0, 3, 1}}}); });
    expect("Flatten and Dropout", [](ModelMaker& m) {
        m.node("Dropout", {"x"}, "d");
        m.node("Flatten", {"d"}, "y");
    });
    for (const char* mode : {"constant", "reflect", "edge"}) {
        expect(std::string("Pad ") + mode, [&](ModelMaker& m) {
            m.list("p", {0, 1, 2, 3, 1, 0, 4, 2});
            m.node("Pad", {"x", "p"}, "y", {{"mode", std::string(mode)}});
        });
    }
    expect("Slice", [](ModelMaker& m) {
        m.list("s", {1, -1});
        m.list("e", {100, -100});
        m.list("a", {2, 3});
        m.list("t", {2, -2});
        m.node("Slice", {"x", "s", "e", "a", "t"}, "y");
    });
}

}  // namespace
}  // namespace deconv::testing
