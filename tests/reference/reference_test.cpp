// The way back through each operator: adjoints of what is linear, derivatives of what is not.
#include <gtest/gtest.h>

#include <cmath>

#include "reference/test_models.h"

namespace deconv::reference {
namespace {

/// A model with input "x" and output "y".
struct Case {
    std::string name;
    Network network;
    Shape shape;  // of x
};

/// ⟨A x, r⟩ = ⟨x, Aᵀ r⟩, A being the network without what it adds to zero.
void expect_adjoint(const Case& c, RandomTensors& random) {
    SCOPED_TRACE(c.name);
    const Tensor x = random.normal(c.shape);
    const auto values = c.network.forward({{"x", x}});
    Tensor linear = values.at("y");
    const Tensor offset = c.network.forward({{"x", Tensor::zeros(c.shape)}}).at("y");
    for (std::size_t i = 0; i < linear.data.size(); ++i) linear.data[i] -= offset.data[i];
    const Tensor r = random.normal(linear.shape);
    for (const Rule rule : {Rule::deconv, Rule::guided, Rule::gradient}) {
        const Tensor back = c.network.project(values, "y", r, rule, Lrn::identity, "x");
        ASSERT_EQ(back.shape, c.shape);
        const double scale = std::sqrt(inner(linear, linear) * inner(r, r)) + 1e-30;
        EXPECT_NEAR(inner(linear, r) / scale, inner(x, back) / scale, 1e-12);
    }
}

/// The `gradient` rule against the slope of ⟨y, r⟩ along random directions.
void expect_derivative(const Case& c, RandomTensors& random) {
    SCOPED_TRACE(c.name);
    const Tensor x = random.normal(c.shape);
    const auto values = c.network.forward({{"x", x}});
    const Tensor r = random.normal(values.at("y").shape);
    const Tensor back = c.network.project(values, "y", r, Rule::gradient, Lrn::identity, "x");
    for (int trial = 0; trial < 3; ++trial) {
        const Tensor direction = random.normal(c.shape);
        const double h = 1e-6;
        const auto at = [&](double t) {
            Tensor moved = x;
            for (std::size_t i = 0; i < x.data.size(); ++i) moved.data[i] += t * direction.data[i];
            return inner(c.network.forward({{"x", moved}}).at("y"), r);
        };
        const double slope = (at(h) - at(-h)) / (2 * h);
        EXPECT_NEAR(slope, inner(back, direction), 1e-6 * (1 + std::abs(slope)));
    }
}

Ints pair(RandomTensors& random, std::int64_t low, std::int64_t high) {
    return {random.integer(low, high), random.integer(low, high)};
}

std::string text(const Ints& list) {
    std::string out = "[";
    for (const auto v : list) out += std::to_string(v) + " ";
    return out + "]";
}

AttributeList random_window(RandomTensors& random, const Ints& kernel, std::string& name) {
    static const char* auto_pads[] = {"NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"};
    const std::string auto_pad = auto_pads[random.integer(0, 4)];
    AttributeList attributes{{"kernel_shape", kernel},
                             {"strides", pair(random, 1, 3)},
                             {"dilations", pair(random, 1, 2)},
                             {"auto_pad", auto_pad}};
    // Pads smaller than the kernel, as every window must see some of the input.
    const Ints pads{random.integer(0, kernel[0] - 1), random.integer(0, kernel[1] - 1),
                    random.integer(0, kernel[0] - 1), random.integer(0, kernel[1] - 1)};
    if (auto_pad == "NOTSET") attributes["pads"] = pads;
    name += " kernel " + text(kernel) + " strides " + text(std::get<Ints>(attributes["strides"])) + " dilations " +
            text(std::get<Ints>(attributes["dilations"])) + " pads " + text(pads) + " " + auto_pad;
    return attributes;
}

TEST(Adjoint, ConvOfAnyKernelStridePadDilationAndGroup) {
    RandomTensors random(1);
    for (int trial = 0; trial < 200; ++trial) {
        std::string name = "Conv";
        const Ints kernel = pair(random, 1, 4);
        auto attributes = random_window(random, kernel, name);
        const std::int64_t group = random.integer(1, 3);
        attributes["group"] = group;
        const std::int64_t in = group * random.integer(1, 3);
        const std::int64_t out = group * random.integer(1, 3);
        ModelMaker maker;
        maker.constant("w", random.normal({out, in / group, kernel[0], kernel[1]}));
        maker.constant("b", random.normal({out}));
        maker.node("Conv", {"x", "w", "b"}, "y", attributes);
        expect_adjoint(
            {name, maker.network(), {random.integer(1, 2), in, random.integer(8, 14), random.integer(8, 14)}}, random);
    }
}

TEST(Adjoint, ConvOfLargeMapsAndOfRows) {
    RandomTensors random(2);
    ModelMaker wide;
    wide.constant("w", random.normal({5, 3, 3, 5}));
    wide.node("Conv", {"x", "w"}, "y", {{"strides", Ints{2, 1}}, {"pads", Ints{1, 0, 0, 3}}});
    expect_adjoint({"wide", wide.network(), {1, 3, 37, 53}}, random);
    ModelMaker row;
    row.constant("w", random.normal({4, 2, 3}));
    row.node("Conv", {"x", "w"}, "y",
             {{"strides", Ints{2}}, {"pads", Ints{1, 2}}, {"dilations", Ints{2}}, {"kernel_shape", Ints{3}}});
    expect_adjoint({"row", row.network(), {2, 2, 17}}, random);
}

TEST(Adjoint, ConvTransposeOfAnyKernelStridePadDilationAndGroup) {
    RandomTensors random(3);
    for (int trial = 0; trial < 200; ++trial) {
        std::string name = "ConvTranspose";
        const Ints kernel = pair(random, 1, 4);
        auto attributes = random_window(random, kernel, name);
        if (std::get<std::string>(attributes["auto_pad"]) == "VALID") attributes["auto_pad"] = std::string("NOTSET");
        const std::int64_t group = random.integer(1, 3);
        attributes["group"] = group;
        const Ints strides = std::get<Ints>(attributes["strides"]);
        if (random.integer(0, 1) == 1) {
            attributes["output_padding"] = Ints{random.integer(0, strides[0] - 1), random.integer(0, strides[1] - 1)};
        }
        const std::int64_t in = group * random.integer(1, 3);
        const Ints size = pair(random, 4, 8);
        if (trial % 7 == 0) attributes["output_shape"] = Ints{size[0] * strides[0] + 1, size[1] * strides[1]};
        ModelMaker maker;
        maker.constant("w", random.normal({in, random.integer(1, 3), kernel[0], kernel[1]}));
        maker.node("ConvTranspose", {"x", "w"}, "y", attributes);
        expect_adjoint({name, maker.network(), {random.integer(1, 2), in, size[0], size[1]}}, random);
    }
}

TEST(Adjoint, AveragePools) {
    RandomTensors random(4);
    for (int trial = 0; trial < 150; ++trial) {
        std::string name = "AveragePool";
        const Ints kernel = pair(random, 1, 4);
        auto attributes = random_window(random, kernel, name);
        attributes.erase("dilations");
        attributes["ceil_mode"] = random.integer(0, 1);
        attributes["count_include_pad"] = random.integer(0, 1);
        ModelMaker maker;
        maker.node("AveragePool", {"x"}, "y", attributes);
        expect_adjoint({name, maker.network(), {2, 2, random.integer(5, 11), random.integer(5, 11)}}, random);
    }
    ModelMaker global;
    global.node("GlobalAveragePool", {"x"}, "y");
    expect_adjoint({"GlobalAveragePool", global.network(), {2, 3, 5, 4}}, random);
}

TEST(Adjoint, EveryOtherLinearOperator) {
    RandomTensors random(5);
    const auto expect = [&](const std::string& name, const Shape& shape, int opset, const auto& make) {
        ModelMaker maker(opset);
        make(maker);
        expect_adjoint({name, maker.network(), shape}, random);
    };
    expect("BatchNormalization", {2, 3, 4, 5}, 9, [&](ModelMaker& m) {
        Tensor variance = random.normal({3});
        for (double& v : variance.data) v = v * v + 0.1;
        m.constant("s", random.normal({3}));
        m.constant("b", random.normal({3}));
        m.constant("m", random.normal({3}));
        m.constant("v", variance);
        m.node("BatchNormalization", {"x", "s", "b", "m", "v"}, "y");
    });
    for (const std::int64_t ta : {0, 1}) {
        for (const std::int64_t tb : {0, 1}) {
            expect("Gemm", {4, 6}, 11, [&](ModelMaker& m) {
                const std::int64_t depth = ta != 0 ? 4 : 6;
                m.constant("b", random.normal(tb != 0 ? Shape{5, depth} : Shape{depth, 5}));
                m.constant("c", random.normal({5}));
                m.node("Gemm", {"x", "b", "c"}, "y", {{"alpha", 0.5F}, {"beta", 2.F}, {"transA", ta}, {"transB", tb}});
            });
            expect("Gemm, the image second", {4, 6}, 11, [&](ModelMaker& m) {
                const std::int64_t depth = tb != 0 ? 6 : 4;
                m.constant("a", random.normal(ta != 0 ? Shape{depth, 5} : Shape{5, depth}));
                m.node("Gemm", {"a", "x"}, "y", {{"alpha", 0.5F}, {"transA", ta}, {"transB", tb}});
            });
        }
    }
    expect("Gemm, the image as bias", {1, 6}, 11, [&](ModelMaker& m) {
        m.constant("a", random.normal({3, 2}));
        m.constant("b", random.normal({2, 6}));
        m.node("Gemm", {"a", "b", "x"}, "y", {{"beta", 3.F}});
    });
    expect("MatMul", {2, 3, 4, 5}, 9, [&](ModelMaker& m) {
        m.constant("b", random.normal({5, 6}));
        m.node("MatMul", {"x", "b"}, "y");
    });
    expect("MatMul, the image second and broadcast", {4, 5}, 9, [&](ModelMaker& m) {
        m.constant("a", random.normal({2, 3, 6, 4}));
        m.node("MatMul", {"a", "x"}, "y");
    });
    expect("MatMul by a vector", {2, 5}, 9, [&](ModelMaker& m) {
        m.constant("b", random.normal({5}));
        m.node("MatMul", {"x", "b"}, "y");
    });
    for (const char* op : {"Add", "Sub", "Mul", "Div", "Sum"}) {
        for (const Shape& shape : {Shape{2, 3, 4, 5}, Shape{3, 1, 1}, Shape{1, 3, 1, 5}, Shape{}}) {
            expect(std::string(op) + " by a constant " + to_string(shape), {2, 3, 4, 5}, 9, [&](ModelMaker& m) {
                m.constant("c", random.normal(shape));
                m.node(op, {"x", "c"}, "y");
            });
            if (std::string(op) == "Div") continue;
            expect(std::string(op) + " broadcast " + to_string(shape), shape, 9, [&](ModelMaker& m) {
                m.constant("c", random.normal({2, 3, 4, 5}));
                m.node(op, {"c", "x"}, "y");
            });
        }
    }
    expect("Sum of the image three times and a constant", {2, 3, 4, 5}, 9, [&](ModelMaker& m) {
        m.constant("c", random.normal({5}));
        m.node("Sum", {"x", "x", "c", "x"}, "y");
    });
    expect("Concat", {2, 3, 4, 5}, 11, [&](ModelMaker& m) {
        m.constant("c", random.normal({2, 2, 4, 5}));
        m.node("Concat", {"x", "c", "x"}, "y", {{"axis", std::int64_t{-3}}});
    });
    for (const std::int64_t axis : {0, 1, 2, -1}) {
        expect("Flatten", {2, 3, 4, 5}, 11, [&](ModelMaker& m) { m.node("Flatten", {"x"}, "y", {{"axis", axis}}); });
    }
    expect("Reshape", {2, 3, 4, 5}, 11, [&](ModelMaker& m) {
        m.list("s", {0, -1, 10});
        m.node("Reshape", {"x", "s"}, "y");
    });
    expect("Transpose", {2, 3, 4, 5}, 11, [&](ModelMaker& m) {
        m.node("Transpose", {"x"}, "y", {{"perm", Ints{2, 0, 3, 1}}});
    });
    expect("Squeeze", {2, 1, 4, 1}, 11, [&](ModelMaker& m) { m.node("Squeeze", {"x"}, "y", {{"axes", Ints{-1}}}); });
    expect("Unsqueeze", {2, 4}, 13, [&](ModelMaker& m) {
        m.list("a", {0, -1});
        m.node("Unsqueeze", {"x", "a"}, "y");
    });
    for (const char* mode : {"constant", "reflect", "edge"}) {
        expect(std::string("Pad ") + mode, {2, 3, 4, 5}, 11, [&](ModelMaker& m) {
            m.list("p", {0, 0, 1, 3, 0, 0, 2, 0});
            m.node("Pad", {"x", "p"}, "y", {{"mode", std::string(mode)}});
        });
    }
    expect("Pad that crops", {2, 3, 6, 5}, 9, [&](ModelMaker& m) {
        m.node("Pad", {"x"}, "y", {{"pads", Ints{0, 0, -1, 2, 0, 0, -2, 1}}, {"value", 3.F}});
    });
    expect("Slice", {2, 3, 7, 9}, 11, [&](ModelMaker& m) {
        m.list("s", {1, -1});
        m.list("e", {100, -100});
        m.list("a", {2, 3});
        m.list("t", {2, -3});
        m.node("Slice", {"x", "s", "e", "a", "t"}, "y");
    });
    expect("ReduceMean", {2, 3, 4, 5}, 11, [&](ModelMaker& m) {
        m.node("ReduceMean", {"x"}, "y", {{"axes", Ints{2, -1}}, {"keepdims", std::int64_t{0}}});
    });
    expect("ReduceMean over all", {2, 3, 4, 5}, 11, [&](ModelMaker& m) { m.node("ReduceMean", {"x"}, "y"); });
    expect("Dropout and Identity", {2, 3}, 11, [&](ModelMaker& m) {
        m.node("Dropout", {"x"}, "d", {}, {"mask"});
        m.node("Identity", {"d"}, "y");
    });
    expect("MaxUnpool", {1, 2, 2, 2}, 11, [&](ModelMaker& m) {
        m.constant("i", {{1, 2, 2, 2}, {0, 3, 9, 14, 16, 18, 25, 31}, true});
        m.node("MaxUnpool", {"x", "i"}, "y", {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}});
    });
}

TEST(Derivative, EveryNonlinearOperator) {
    RandomTensors random(6);
    const auto expect = [&](const std::string& name, const Shape& shape, int opset, const auto& make) {
        ModelMaker maker(opset);
        make(maker);
        expect_derivative({name, maker.network(), shape}, random);
    };
    for (const char* op : {"Relu", "LeakyRelu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh"}) {
        expect(op, {2, 3, 4, 5}, 14, [&](ModelMaker& m) { m.node(op, {"x"}, "y"); });
    }
    expect("HardSigmoid", {2, 30}, 14, [&](ModelMaker& m) {
        m.node("HardSigmoid", {"x"}, "y", {{"alpha", 0.7F}, {"beta", 0.4F}});
    });
    expect("Clip of opset 6", {2, 30}, 10, [&](ModelMaker& m) {
        m.node("Clip", {"x"}, "y", {{"min", 0.F}, {"max", 0.9F}});
    });
    expect("Clip", {2, 30}, 11, [&](ModelMaker& m) {
        m.constant("high", {{}, {0.8}});
        m.node("Clip", {"x", "", "high"}, "y");
    });
    expect("PRelu", {2, 3, 4, 5}, 11, [&](ModelMaker& m) {
        m.constant("s", random.normal({3, 1, 1}));
        m.node("PRelu", {"x", "s"}, "y");
    });
    for (const std::int64_t size : {1, 2, 3, 4, 5, 9}) {
        expect("LRN of " + std::to_string(size), {2, 6, 2, 3}, 11, [&](ModelMaker& m) {
            m.node("LRN", {"x"}, "y", {{"size", size}, {"alpha", 0.5F}, {"beta", 0.6F}, {"bias", 1.5F}});
        });
    }
    for (int trial = 0; trial < 100; ++trial) {
        std::string name = "MaxPool";
        auto attributes = random_window(random, pair(random, 1, 4), name);
        attributes["ceil_mode"] = random.integer(0, 1);
        const Ints size = pair(random, 8, 11);
        expect(name, {2, 2, size[0], size[1]}, 11, [&](ModelMaker& m) { m.node("MaxPool", {"x"}, "y", attributes); });
    }
    expect("GlobalMaxPool", {2, 3, 4, 5}, 11, [&](ModelMaker& m) { m.node("GlobalMaxPool", {"x"}, "y"); });
    expect("Mul of the image by itself", {2, 3, 4}, 11, [&](ModelMaker& m) { m.node("Mul", {"x", "x"}, "y"); });
    expect("Div by what the image gives", {2, 3, 4}, 11, [&](ModelMaker& m) {
        m.node("Sigmoid", {"x"}, "s");
        m.node("Div", {"x", "s"}, "y");
    });
    expect("MatMul of the image by its transpose", {2, 3, 4, 5}, 11, [&](ModelMaker& m) {
        m.node("Transpose", {"x"}, "t", {{"perm", Ints{0, 1, 3, 2}}});
        m.node("MatMul", {"x", "t"}, "y");
    });
    expect("a chain with branches", {1, 2, 9, 8}, 11, [&](ModelMaker& m) {
        m.constant("w", random.normal({4, 2, 3, 3}));
        m.constant("v", random.normal({4, 4, 1, 1}));
        m.node("Conv", {"x", "w"}, "a", {{"pads", Ints{1, 1, 1, 1}}});
        m.node("Relu", {"a"}, "b");
        m.node("Conv", {"b", "v"}, "c");
        m.node("Add", {"c", "b"}, "d");
        m.node("LRN", {"d"}, "e", {{"size", std::int64_t{3}}, {"alpha", 0.3F}});
        m.node("GlobalAveragePool", {"e"}, "g");
        m.node("Sigmoid", {"g"}, "s");
        m.node("Mul", {"e", "s"}, "h");
        m.node("MaxPool", {"h"}, "y", {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}});
    });
}

}  // namespace
}  // namespace deconv::reference
