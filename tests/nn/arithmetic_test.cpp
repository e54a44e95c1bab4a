// Arithmetic with broadcasting, and matrix products, on the device, both ways, against the float64 reference.
#include "engine_cases.h"

namespace deconv::testing {
namespace {

const std::vector<Shape> operands{{2, 3, 4, 5}, {3, 1, 1}, {1, 3, 1, 5}, {4, 5}, {5}, {1}, {}, {2, 1, 1, 1}};

TEST(EngineArithmetic, WithAConstantOfAnyShape) {
    Random random(51);
    for (const char* op : {"Add", "Sub", "Mul", "Div", "Sum"}) {
        for (const Shape& shape : operands) {
            ModelMaker maker;
            maker.constant("c", random.positive(shape));
            maker.node(op, {"x", "c"}, "y");
            expect_agreement(std::string(op) + " by a constant " + reference::to_string(shape), maker, {2, 3, 4, 5},
                             random, some_rule(random));
            if (std::string(op) == "Div" || shape.size() < 2) continue;
            // The image is the one that is broadcast: its signals are summed back.
            ModelMaker second;
            second.constant("c", random.normal({2, 3, 4, 5}));
            second.node(op, {"c", "x"}, "y");
            expect_agreement(std::string(op) + " of a constant and the image " + reference::to_string(shape), second,
                             shape, random, some_rule(random));
        }
    }
    // Both are broadcast, and the result has more dimensions than either.
    ModelMaker both;
    both.constant("c", random.normal({4, 1}));
    both.node("Mul", {"x", "c"}, "y");
    expect_agreement("Mul of 2x3x1x5 by 4x1", both, {2, 3, 1, 5}, random, every_rule());
}

TEST(EngineArithmetic, OfTwoTensorsOfTheImage) {
    Random random(52);
    for (const char* op : {"Add", "Sub", "Mul", "Sum"}) {
        ModelMaker maker;
        maker.node("Sigmoid", {"x"}, "a");
        maker.node("Tanh", {"x"}, "b");
        maker.node(op, {"a", "b"}, "y");
        expect_agreement(std::string(op) + " of two branches", maker, {2, 3, 4, 5}, random, every_rule());
        ModelMaker broadcast;
        broadcast.node("Tanh", {"x"}, "a");
        broadcast.node("GlobalAveragePool", {"a"}, "b");
        broadcast.node(op, {"a", "b"}, "y");
        expect_agreement(std::string(op) + " of a map and its average", broadcast, {2, 3, 4, 5}, random, every_rule());
        ModelMaker itself;
        itself.node(op, {"x", "x"}, "y");
        expect_agreement(std::string(op) + " of the image and itself", itself, {1, 3, 4, 5}, random, every_rule());
    }
    ModelMaker many;
    many.constant("c", random.normal({5}));
    many.node("Relu", {"x"}, "r");
    many.node("Sum", {"x", "c", "r", "x"}, "y");
    expect_agreement("Sum of four", many, {2, 3, 4, 5}, random, every_rule());
    ModelMaker single;
    single.node("Sum", {"x"}, "y");
    expect_agreement("Sum of one", single, {2, 3, 4, 5}, random, every_rule());
    ModelMaker first;
    first.constant("c", random.normal({5}));
    first.node("Sum", {"c", "x", "x"}, "y");
    expect_agreement("Sum of a broadcast first operand", first, {2, 3, 4, 5}, random, every_rule());
}

/// A divisor made from the image carries no signal back; the dividend does.
TEST(EngineArithmetic, DivByATensorOfTheImageIsRefusedOnThatWay) {
    Random random(53);
    ModelMaker maker;
    maker.node("Sigmoid", {"x"}, "s");
    maker.node("Div", {"x", "s"}, "y");
    Comparison comparison(maker.proto(), {{"x", random.normal({1, 3, 4, 5})}}, {"y"});
    comparison.expect_forward();
    ModelMaker only;
    only.constant("one", {{}, {1.0}});
    only.node("Div", {"one", "x"}, "y");
    Comparison refused(only.proto(), {{"x", random.positive({1, 3, 4, 5})}}, {"y"});
    refused.expect_forward();
    try {
        refused.runner().plan("y");
        ADD_FAILURE() << "no refusal";
    } catch (const std::exception& error) {
        EXPECT_NE(std::string(error.what()).find("a divisor carries no signal back"), std::string::npos)
            << error.what();
    }
}

TEST(EngineMatrices, GemmTransposedScaledAndBiased) {
    Random random(61);
    for (const std::int64_t ta : {0, 1}) {
        for (const std::int64_t tb : {0, 1}) {
            for (const Shape& bias : {Shape{7}, Shape{1}, Shape{}, Shape{1, 7}, Shape{5, 1}, Shape{5, 7}, Shape{0}}) {
                // (M, K, N) = (5, 300, 7): longer than one block of the sum, no multiple of any tile.
                const AttributeList attributes{
                    {"transA", ta}, {"transB", tb}, {"alpha", 0.5F}, {"beta", random.flip() ? 2.F : 0.F}};
                ModelMaker maker;
                maker.constant("b", random.normal(tb != 0 ? Shape{7, 300} : Shape{300, 7}));
                std::vector<std::string> inputs{"x", "b"};
                if (bias != Shape{0}) inputs.push_back(maker.constant("c", random.normal(bias)));
                maker.node("Gemm", inputs, "y", attributes);
                const Shape shape = ta != 0 ? Shape{300, 5} : Shape{5, 300};
                expect_agreement(describe("Gemm", shape, attributes, "bias " + reference::to_string(bias)), maker,
                                 shape, random, some_rule(random));
            }
        }
    }
    for (const std::int64_t by_output : {0, 1}) {
        for (const std::int64_t outputs : {1, 33, 130}) {
            ModelMaker maker;
            maker.constant("b", random.normal(by_output != 0 ? Shape{outputs, 37} : Shape{37, outputs}));
            maker.node("Gemm", {"x", "b"}, "y", {{"transB", by_output}});
            expect_agreement("Gemm to " + std::to_string(outputs), maker, {1, 37}, random, every_rule());
        }
    }
}

TEST(EngineMatrices, GemmWithABiasThatTheImageMakes) {
    Random random(64);
    for (const Shape& bias : {Shape{4, 6}, Shape{1, 6}, Shape{4, 1}}) {
        ModelMaker maker;
        maker.constant("b", random.normal({5, 6}));
        maker.constant("d", random.normal({5, bias[1]}));
        maker.node("MatMul", {"x", "d"}, "c");
        if (bias[0] == 1) maker.node("ReduceMean", {"c"}, "mean", {{"axes", Ints{0}}});
        maker.node("Gemm", {"x", "b", bias[0] == 1 ? "mean" : "c"}, "y", {{"alpha", 0.5F}, {"beta", 3.F}});
        expect_agreement("Gemm with bias " + reference::to_string(bias), maker, {4, 5}, random, every_rule());
    }
}

TEST(EngineMatrices, MatMulByOneMatrixAndByAStack) {
    Random random(62);
    for (const Shape& shape : {Shape{5, 9}, Shape{2, 5, 9}, Shape{2, 3, 5, 9}}) {
        ModelMaker maker;
        maker.constant("b", random.normal({9, 6}));
        maker.node("MatMul", {"x", "b"}, "y");
        expect_agreement(describe("MatMul", shape, {}), maker, shape, random, some_rule(random));
        ModelMaker stack;
        Shape stacked = shape;
        stacked[stacked.size() - 2] = 9;
        stacked.back() = 4;
        stack.constant("b", random.normal(stacked));
        stack.node("MatMul", {"x", "b"}, "y");
        expect_agreement(describe("MatMul", shape, {}, "stack"), stack, shape, random, some_rule(random));
    }
}

/// A linear network without bias is a matrix A; each start of `one` at one place is a column of Aᵀ, and
/// ⟨A e, y⟩ = ⟨e, Aᵀ y⟩ says that it is a row of A, read off by pushing unit images through.
TEST(EngineMatrices, ColumnsOfTheReverseAreRowsOfTheForward) {
    Random random(63);
    ModelMaker maker;
    maker.constant("w", random.normal({3, 2, 3, 3}));
    maker.constant("g", random.normal({36, 5}));
    maker.node("Conv", {"x", "w"}, "a", {{"strides", Ints{2, 1}}, {"pads", Ints{1, 0, 1, 2}}});
    maker.node("AveragePool", {"a"}, "b", {{"kernel_shape", Ints{2, 2}}, {"pads", Ints{0, 1, 0, 0}}});
    maker.node("Flatten", {"b"}, "c");
    maker.node("Gemm", {"c", "g"}, "y");
    const Shape shape{1, 2, 5, 6};
    const std::int64_t pixels = reference::elements(shape);
    Comparison comparison(maker.proto(), {{"x", random.normal(shape)}}, {"y"});
    Runner& runner = comparison.runner();
    runner.plan("y", nn::Rule::gradient, nn::LrnReverse::identity, 5);
    comparison.feed();
    std::vector<nn::Selection> units(5);
    for (int k = 0; k < 5; ++k) {
        units[static_cast<std::size_t>(k)].channel = k;
        units[static_cast<std::size_t>(k)].one = true;
    }
    runner.run(units);
    const std::vector<float> columns = runner.reconstruction();
    ASSERT_EQ(columns.size(), static_cast<std::size_t>(5 * pixels));
    double largest = 0;
    for (const float v : columns) largest = std::max<double>(largest, std::abs(v));
    for (std::int64_t i = 0; i < pixels; ++i) {
        std::vector<float> unit(static_cast<std::size_t>(pixels), 0.0F);
        unit[static_cast<std::size_t>(i)] = 1.0F;
        runner.set_input("x", unit);
        runner.run(units);
        const std::vector<float> row = runner.values("y");
        for (std::size_t k = 0; k < 5; ++k) {
            EXPECT_NEAR(row[k], columns[k * static_cast<std::size_t>(pixels) + static_cast<std::size_t>(i)],
                        1e-5 * largest);
        }
    }
}

}  // namespace
}  // namespace deconv::testing
