// Rectifiers, other functions of one element, and normalisations on the device, both ways, by every rule.
#include "engine_cases.h"

namespace deconv::testing {
namespace {

const std::vector<Shape> shapes{{2, 3, 4, 5}, {1, 7, 6}, {3, 11}};

void expect_unary(const std::string& op, const AttributeList& attributes, Random& random, int opset = 14) {
    for (const Shape& shape : shapes) {
        ModelMaker maker(opset);
        maker.node(op, {"x"}, "y", attributes);
        expect_agreement(describe(op, shape, attributes), maker, shape, random, every_rule());
        // The signal that arrives here has both signs, which the rules treat differently.
        ModelMaker chain(opset);
        chain.constant("f", random.normal({shape[1], shape.size() > 2 ? 1 : shape[1]}));
        chain.node(op, {"x"}, "a", attributes);
        if (shape.size() > 2) {
            if (shape.size() == 4) chain.constant("g", random.normal({shape[1], 1, 1}));
            chain.node("Mul", {"a", shape.size() == 4 ? "g" : "f"}, "b");
            chain.node(op, {"b"}, "y", attributes);
        } else {
            chain.node("MatMul", {"a", "f"}, "b");
            chain.node(op, {"b"}, "y", attributes);
        }
        expect_agreement("twice " + describe(op, shape, attributes), chain, shape, random, every_rule());
    }
}

TEST(EngineActivations, Relu) {
    Random random(31);
    expect_unary("Relu", {}, random);
}

TEST(EngineActivations, LeakyRelu) {
    Random random(32);
    expect_unary("LeakyRelu", {}, random);
    expect_unary("LeakyRelu", {{"alpha", 0.3F}}, random);
    expect_unary("LeakyRelu", {{"alpha", -0.5F}}, random);
}

TEST(EngineActivations, SigmoidAndTanh) {
    Random random(33);
    expect_unary("Sigmoid", {}, random);
    expect_unary("Tanh", {}, random);
}

TEST(EngineActivations, HardSigmoidAndHardSwish) {
    Random random(34);
    expect_unary("HardSigmoid", {}, random);
    expect_unary("HardSigmoid", {{"alpha", 0.9F}, {"beta", 0.3F}}, random);
    expect_unary("HardSwish", {}, random);
}

TEST(EngineActivations, ClipByAttributes) {
    Random random(35);
    expect_unary("Clip", {{"min", 0.F}, {"max", 0.8F}}, random, 10);
    expect_unary("Clip", {{"min", -0.7F}, {"max", 0.8F}}, random, 10);
    expect_unary("Clip", {{"min", 0.25F}}, random, 9);
    expect_unary("Clip", {{"max", 0.5F}}, random, 9);
    expect_unary("Clip", {}, random, 9);
}

TEST(EngineActivations, ClipByInputs) {
    Random random(36);
    for (const auto& [low, high] : std::vector<std::pair<const char*, const char*>>{
             {"zero", "six"}, {"zero", ""}, {"", "six"}, {"minus", "six"}, {"", ""}}) {
        ModelMaker maker(13);
        maker.constant("zero", {{}, {0.0}});
        maker.constant("six", {{}, {0.75}});
        maker.constant("minus", {{}, {-0.5}});
        maker.node("Clip", {"x", low, high}, "y");
        expect_agreement(std::string("Clip from '") + low + "' to '" + high + "'", maker, {2, 3, 4, 5}, random,
                         every_rule());
    }
}

TEST(EngineActivations, PRelu) {
    Random random(37);
    for (const Shape& slope : {Shape{3, 1, 1}, Shape{1}, Shape{}, Shape{5}, Shape{2, 3, 4, 5}, Shape{1, 3, 1, 5}}) {
        ModelMaker maker;
        maker.constant("s", random.normal(slope));
        maker.constant("g", random.normal({3, 1, 1}));
        maker.node("PRelu", {"x", "s"}, "a");
        maker.node("Mul", {"a", "g"}, "b");
        maker.node("PRelu", {"b", "s"}, "y");
        expect_agreement("PRelu by " + reference::to_string(slope), maker, {2, 3, 4, 5}, random, every_rule());
    }
}

/// At their kinks: the derivative at 0 is that of the left side, at a Clip's maximum that of the inside.
TEST(EngineActivations, AtTheirKinks) {
    Random random(38);
    reference::Tensor x{{1, 9}, {-3, -1, -0.5, -0.0, 0, 0.5, 1, 3, 6}};
    const std::vector<std::pair<std::string, AttributeList>> cases{{"Relu", {}},
                                                                   {"LeakyRelu", {{"alpha", 0.25F}}},
                                                                   {"Clip", {{"min", 0.F}, {"max", 6.F}}},
                                                                   {"Clip", {{"min", -1.F}, {"max", 1.F}}},
                                                                   {"HardSigmoid", {{"alpha", 0.5F}, {"beta", 0.5F}}},
                                                                   {"HardSwish", {}}};
    nn::Selection one;
    one.channel = nn::Selection::all;
    one.one = true;
    for (const auto& [op, attributes] : cases) {
        SCOPED_TRACE(describe(op, x.shape, attributes));
        ModelMaker maker(op == "Clip" ? 10 : 14);
        maker.node(op, {"x"}, "y", attributes);
        Comparison comparison(maker.proto(), {{"x", x}}, {"y"});
        comparison.expect_forward();
        for (const nn::Rule rule : all_rules) comparison.expect_projection("y", rule, {one});
    }
    SCOPED_TRACE("PRelu");
    ModelMaker maker;
    maker.constant("s", {{9}, {2, -3, 4, 5, -6, 7, 8, 9, 1}});
    maker.node("PRelu", {"x", "s"}, "y");
    Comparison comparison(maker.proto(), {{"x", x}}, {"y"});
    comparison.expect_forward();
    for (const nn::Rule rule : all_rules) comparison.expect_projection("y", rule, {one});
}

/// Far from zero nothing overflows, and near it nothing cancels.
TEST(EngineActivations, OfLargeAndSmallValues) {
    for (const char* op : {"Sigmoid", "Tanh", "HardSigmoid", "HardSwish"}) {
        for (const double scale : {1e-4, 0.05, 0.099, 0.2, 12.0, 500.0}) {
            SCOPED_TRACE(std::string(op) + " of values about " + std::to_string(scale));
            Random random(39);
            reference::Tensor x = random.normal({1, 40});
            for (double& v : x.data) v *= scale;
            ModelMaker maker(14);
            maker.node(op, {"x"}, "y");
            Comparison comparison(maker.proto(), {{"x", Random::rounded(x)}}, {"y"});
            comparison.expect_forward();
            nn::Selection all;
            all.channel = nn::Selection::all;
            for (const nn::Rule rule : all_rules) {
                comparison.expect_projection("y", rule, {all});
            }
        }
    }
}

TEST(EngineNormalization, BatchNormalization) {
    Random random(41);
    for (const Shape& shape : {Shape{2, 3, 4, 5}, Shape{1, 40, 3, 3}, Shape{3, 5}, Shape{2, 4, 7}}) {
        for (const int opset : {7, 9, 14, 15}) {
            ModelMaker maker(opset);
            for (const char* name : {"s", "b", "m"}) maker.constant(name, random.normal({shape[1]}));
            maker.constant("v", random.positive({shape[1]}));
            maker.node("BatchNormalization", {"x", "s", "b", "m", "v"}, "y", {{"epsilon", 1e-2F}});
            expect_agreement(describe("BatchNormalization", shape, {}), maker, shape, random, some_rule(random));
        }
    }
}

TEST(EngineNormalization, LrnOfOddAndEvenSizesBothWaysBack) {
    Random random(42);
    for (const std::int64_t size : {1, 2, 3, 4, 5, 8, 30}) {
        for (const float beta : {0.75F, 0.6F}) {
            for (const Shape& shape : {Shape{2, 7, 3, 4}, Shape{1, 24, 5, 5}}) {
                const AttributeList attributes{{"size", size}, {"alpha", 0.9F}, {"beta", beta}, {"bias", 1.5F}};
                SCOPED_TRACE(describe("LRN", shape, attributes));
                ModelMaker maker;
                maker.node("LRN", {"x"}, "y", attributes);
                Comparison comparison(maker.proto(), {{"x", random.normal(shape)}}, {"y"});
                comparison.expect_forward();
                std::vector<nn::Selection> selections;
                for (int i = 0; i < 3; ++i) selections.push_back(random_selection(random, shape));
                for (const nn::Rule rule : all_rules) {
                    comparison.expect_projection("y", rule, selections, 1e-5, nn::LrnReverse::identity);
                    comparison.expect_projection("y", rule, selections, 1e-5, nn::LrnReverse::derivative);
                }
            }
        }
    }
}

TEST(EngineNormalization, SoftmaxForwardAndTheLogitsBeforeIt) {
    Random random(43);
    for (const int opset : {11, 13}) {
        for (const std::int64_t axis : {1, 2, -1}) {
            for (const Shape& shape : {Shape{2, 3, 4, 5}, Shape{1, 2, 40, 3}}) {
                const AttributeList attributes{{"axis", axis}};
                ModelMaker maker(opset);
                maker.node("Identity", {"x"}, "logits");
                maker.node("Softmax", {"logits"}, "y", attributes);
                expect_agreement(describe("Softmax", shape, attributes), maker, shape, random, some_rule(random));
            }
        }
    }
    ModelMaker large;
    large.constant("k", {{}, {300.0}});
    large.node("Mul", {"x", "k"}, "logits");
    large.node("Softmax", {"logits"}, "y");
    expect_agreement("Softmax of large values", large, {2, 50}, random, every_rule());
}

}  // namespace
}  // namespace deconv::testing
