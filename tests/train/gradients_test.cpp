// A step of training against float64: its loss, every gradient by finite differences, and what the update makes of
// them.
#include <cmath>

#include "engine.h"
#include "reference/test_models.h"
#include "train/architecture.h"
#include "train/pass.h"
#include "train/training_reference.h"

namespace deconv::testing {
namespace {

using Ints = std::vector<std::int64_t>;

class Random {
  public:
    explicit Random(unsigned seed) : state_(seed) {}
    double uniform() {
        state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
        return static_cast<double>(state_ >> 11) / 9007199254740992.0;
    }
    double normal() { return std::sqrt(-2 * std::log(uniform() + 1e-12)) * std::cos(6.283185307179586 * uniform()); }
    std::int64_t integer(std::int64_t low, std::int64_t high) {
        return low + static_cast<std::int64_t>(uniform() * static_cast<double>(high - low + 1));
    }
    bool flip() { return uniform() < 0.5; }

  private:
    std::uint64_t state_;
};

/// Graphs for training; every method adds a node and gives the name of its output.
class Maker {
  public:
    Maker(nn::Shape image, Random& random) : random_(random) {
        graph.opset = 13;
        graph.inputs = {{"data", std::move(image)}};
    }

    std::string conv(const std::string& x, std::int64_t inputs, std::int64_t outputs, const Ints& kernel,
                     const Ints& stride, const Ints& pads, const Ints& dilation, std::int64_t groups, bool bias) {
        std::string name = next("conv");
        constant(name + ".w", {outputs, inputs / groups, kernel[0], kernel[1]},
                 1.5 / std::sqrt(static_cast<double>(inputs * kernel[0] * kernel[1]) / static_cast<double>(groups)));
        std::vector<std::string> names{x, name + ".w"};
        if (bias) {
            constant(name + ".b", {outputs}, 0.3);
            names.push_back(name + ".b");
        }
        nn::Node& node = add("Conv", name, names);
        node.attributes.set("kernel_shape", kernel);
        node.attributes.set("strides", stride);
        node.attributes.set("pads", pads);
        node.attributes.set("dilations", dilation);
        node.attributes.set("group", groups);
        text_ += name + " " + std::to_string(inputs) + "->" + std::to_string(outputs) + " k" + list(kernel) + " s" +
                 list(stride) + " p" + list(pads) + " d" + list(dilation) + " g" + std::to_string(groups) +
                 (bias ? " bias; " : "; ");
        return name;
    }
    std::string norm(const std::string& x, std::int64_t channels) {
        std::string name = next("norm");
        for (const char* part : {".scale", ".bias", ".mean", ".variance"}) {
            constant(name + part, {channels}, 0.3, std::string(part) == ".scale" || std::string(part) == ".variance");
        }
        add("BatchNormalization", name, {x, name + ".scale", name + ".bias", name + ".mean", name + ".variance"});
        text_ += "norm; ";
        return name;
    }
    std::string simple(const std::string& op, const std::vector<std::string>& inputs) {
        std::string name = next(op);
        add(op, name, inputs);
        text_ += op + "; ";
        return name;
    }
    std::string pool(const std::string& op, const std::string& x, const Ints& kernel, const Ints& stride,
                     const Ints& pads) {
        std::string name = simple(op, {x});
        graph.nodes.back().attributes.set("kernel_shape", kernel);
        graph.nodes.back().attributes.set("strides", stride);
        graph.nodes.back().attributes.set("pads", pads);
        return name;
    }
    std::string linear(const std::string& x, std::int64_t inputs, std::int64_t outputs, bool bias = true) {
        std::string name = next("fc");
        constant(name + ".w", {outputs, inputs}, 1 / std::sqrt(static_cast<double>(inputs)));
        std::vector<std::string> names{x, name + ".w"};
        if (bias) {
            constant(name + ".b", {outputs}, 0.3);
            names.push_back(name + ".b");
        }
        add("Gemm", name, names).attributes.set("transB", std::int64_t{1});
        return name;
    }
    std::string head(const std::string& x, std::int64_t channels, std::int64_t classes) {
        return linear(simple("Flatten", {simple("GlobalAveragePool", {x})}), channels, classes);
    }
    const nn::Graph& finish(const std::string& output) {
        graph.outputs = {output};
        return graph;
    }
    const std::string& text() const { return text_; }

    nn::Graph graph;

  private:
    std::string next(const std::string& kind) { return kind + std::to_string(++number_); }
    nn::Node& add(const std::string& op, const std::string& name, std::vector<std::string> inputs) {
        graph.nodes.push_back({name, op, std::move(inputs), {name}, {}});
        return graph.nodes.back();
    }
    void constant(const std::string& name, const nn::Shape& shape, double scale, bool positive = false) {
        std::vector<float> values;
        for (std::int64_t i = 0; i < nn::elements(shape); ++i) {
            const double v = scale * random_.normal();
            values.push_back(static_cast<float>(positive ? 0.6 + std::abs(v) : v));
        }
        graph.constants[name] = nn::HostTensor::of(shape, std::move(values));
    }
    static std::string list(const Ints& values) {
        std::string text;
        for (const std::int64_t value : values) text += (text.empty() ? "" : ",") + std::to_string(value);
        return text;
    }

    Random& random_;
    int number_ = 0;
    std::string text_;
};

/// One batch on both sides.
class Step {
  public:
    Step(const nn::Graph& graph, Random& random, const train::PassOptions& options)
        : reference{graph, static_cast<double>(options.smoothing), {}},
          pass(engine().device, engine().pipelines, graph, options) {
        images = reference::Tensor::zeros(graph.inputs[0].shape);
        images.shape[0] = options.batch;
        images.data.assign(pass.pixels(0).size(), 0);
        for (double& v : images.data) v = static_cast<double>(static_cast<float>(random.normal()));
        for (std::int64_t i = 0; i < options.batch; ++i) {
            labels.push_back(static_cast<std::uint32_t>(random.integer(0, pass.classes() - 1)));
        }
        for (const auto& [name, tensor] : graph.constants) {
            if (tensor.is_float()) values[name] = {tensor.floats->begin(), tensor.floats->end()};
        }
    }

    train::StepResult run(std::uint32_t step, const train::Rates& rates) {
        std::copy(images.data.begin(), images.data.end(), pass.pixels(0).begin());
        std::copy(labels.begin(), labels.end(), pass.labels(0).begin());
        pass.submit(0, step, rates);
        const train::StepResult result = pass.finish(0);
        EXPECT_EQ(engine().device.take_validation_messages(), std::vector<std::string>());
        return result;
    }

    /// Of every parameter up to `samples` elements, by the norm over those.
    void expect_gradients(Random& random, std::int64_t samples) {
        const train::Values gradients = pass.parameters().download_gradients();
        double largest = 0;
        for (const auto& [name, gradient] : gradients) {
            for (const float v : gradient) largest = std::max(largest, std::abs(static_cast<double>(v)));
        }
        for (const auto& [name, gradient] : gradients) {
            double difference = 0;
            double norm = 0;
            for (std::int64_t k = 0; k < samples; ++k) {
                const auto element =
                    static_cast<std::size_t>(random.integer(0, static_cast<std::int64_t>(gradient.size()) - 1));
                const double expected = reference.derivative(values, name, element, images, labels);
                difference += std::pow(gradient[element] - expected, 2);
                norm += expected * expected;
            }
            // A gradient that is nothing but cancellation (a bias before batch normalisation) has no relative error.
            EXPECT_LE(std::sqrt(difference), 1e-3 * std::sqrt(norm) + 1e-6 * largest)
                << "gradient of " << name << ", norm " << std::sqrt(norm);
        }
    }

    TrainingReference reference;
    train::TrainingPass pass;
    reference::Tensor images;
    std::vector<std::uint32_t> labels;
    DoubleValues values;
};

void expect_step(Maker& maker, const std::string& output, std::int64_t batch, Random& random, float smoothing = 0) {
    const nn::Graph& graph = maker.finish(output);
    SCOPED_TRACE(nn::to_string(graph.inputs[0].shape) + ", batch " + std::to_string(batch) + ": " + maker.text());
    try {
        train::PassOptions options;
        options.batch = batch;
        options.smoothing = smoothing;
        Step step(graph, random, options);
        const train::StepResult result = step.run(0, {});
        const double expected = step.reference.loss(step.values, step.images, step.labels);
        EXPECT_NEAR(result.loss / expected, 1, 1e-5);
        step.expect_gradients(random, 8);
    } catch (const std::exception& error) {
        ADD_FAILURE() << error.what();
    }
}

TEST(TrainGradients, ConvolutionsOfEveryKind) {
    Random random(3);
    for (int trial = 0; trial < 40; ++trial) {
        const std::int64_t groups = trial % 4 == 3 ? random.integer(2, 3) : 1;
        const std::int64_t inputs = groups * random.integer(1, 6);
        const std::int64_t outputs = groups * random.integer(1, trial % 5 == 0 ? 40 : 9);
        const Ints kernel{random.integer(1, 5), random.integer(1, 5)};
        const Ints stride{random.integer(1, 3), random.integer(1, 3)};
        const Ints pads{random.integer(0, 2), random.integer(0, 2), random.integer(0, 2), random.integer(0, 2)};
        const Ints dilation{random.integer(1, 2), random.integer(1, 2)};
        const std::int64_t batch = random.integer(1, 9);
        Maker maker({batch, inputs, random.integer(10, 17), random.integer(10, 17)}, random);
        const bool normalised = random.flip() && batch > 1;
        std::string x = maker.conv("data", inputs, outputs, kernel, stride, pads, dilation, groups, !normalised);
        if (normalised) x = maker.norm(x, outputs);
        if (random.flip()) x = maker.simple("Relu", {x});
        // A second one, so that a signal goes back through a convolution as well.
        x = maker.conv(x, outputs, 5, {2, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1, true);
        expect_step(maker, maker.head(x, 5, 4), batch, random);
    }
}

TEST(TrainGradients, WinogradAndItsReverse) {
    Random random(5);
    for (const std::int64_t channels : {48, 64}) {
        Maker maker({4, 3, 18, 17}, random);
        std::string x = maker.conv("data", 3, channels, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1, false);
        x = maker.simple("Relu", {maker.norm(x, channels)});
        x = maker.conv(x, channels, channels, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1, false);
        x = maker.simple("Relu", {maker.norm(x, channels)});
        expect_step(maker, maker.head(x, channels, 7), 4, random);
    }
}

TEST(TrainGradients, PoolsNormsAndSums) {
    Random random(7);
    for (int trial = 0; trial < 12; ++trial) {
        const std::int64_t batch = random.integer(2, 7);
        Maker maker({batch, 3, random.integer(11, 16), random.integer(11, 16)}, random);
        std::string x = maker.conv("data", 3, 6, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1, false);
        x = maker.simple("Relu", {maker.norm(x, 6)});
        const std::int64_t kernel = random.integer(2, 3);
        x = maker.pool(trial % 2 == 0 ? "MaxPool" : "AveragePool", x, {kernel, kernel}, {2, 2}, {0, 0, 0, 0});
        const std::string skip = x;
        x = maker.simple("Relu", {maker.norm(maker.conv(x, 6, 6, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1, false), 6)});
        x = maker.norm(maker.conv(x, 6, 6, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1, false), 6);
        x = maker.simple("Relu", {maker.simple("Add", {x, skip})});
        if (trial % 3 == 0) x = maker.norm(x, 6);  // one that no rectifier follows
        x = maker.simple("Flatten", {maker.simple("GlobalAveragePool", {x})});
        x = maker.simple("Relu", {maker.linear(x, 6, 8)});
        expect_step(maker, maker.linear(x, 8, 5, trial % 2 == 0), batch, random, trial % 4 == 0 ? 0.1F : 0);
    }
}

/// The mask that shaders/nn/dropout.comp draws.
std::vector<double> dropout_mask(std::size_t count, std::uint32_t node, std::uint32_t seed, std::uint32_t step,
                                 float ratio) {
    const auto hash = [](std::uint32_t v) {
        const std::uint32_t state = v * 747796405U + 2891336453U;
        const std::uint32_t word = ((state >> ((state >> 28U) + 4U)) ^ state) * 277803737U;
        return (word >> 22U) ^ word;
    };
    std::vector<double> mask;
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::uint32_t random = hash(i + hash(node + hash(step + hash(seed))));
        mask.push_back(static_cast<double>(random >> 8U) / 16777216.0 >= static_cast<double>(ratio)
                           ? 1.0 / (1.0 - static_cast<double>(ratio))
                           : 0.0);
    }
    return mask;
}

TEST(TrainGradients, DropoutDrawsAnewEachStepAndTheSameBothWays) {
    Random random(11);
    Maker maker({6, 3, 9, 9}, random);
    std::string x = maker.conv("data", 3, 40, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1, true);
    x = maker.simple("Relu", {x});
    x = maker.simple("Flatten", {maker.simple("GlobalAveragePool", {x})});
    const std::string dropped = maker.simple("Dropout", {x});
    maker.graph.nodes.back().attributes.set("ratio", 0.4F);
    const auto node = static_cast<std::uint32_t>(maker.graph.nodes.size());
    const nn::Graph& graph = maker.finish(maker.linear(dropped, 40, 5));
    train::PassOptions options;
    options.batch = 6;
    options.seed = 9;
    Step step(graph, random, options);
    double before = 0;
    for (const std::uint32_t at : {0U, 1U, 1000U}) {
        const train::StepResult result = step.run(at, {});
        std::vector<double> mask = dropout_mask(240, node, 9, at, 0.4F);
        EXPECT_NEAR(std::accumulate(mask.begin(), mask.end(), 0.0) / 240, 1, 0.15);
        step.reference.masks[dropped] = mask;
        EXPECT_NEAR(result.loss, step.reference.loss(step.values, step.images, step.labels), 1e-5) << "step " << at;
        EXPECT_NE(result.loss, before);
        before = result.loss;
        step.expect_gradients(random, 8);
    }
}

TEST(TrainGradients, UpdateFollowsNesterovAndTheRunningStatisticsTheBatch) {
    Random random(13);
    Maker maker({5, 2, 8, 8}, random);
    std::string x = maker.norm(maker.conv("data", 2, 4, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1, false), 4);
    const nn::Graph& graph = maker.finish(maker.head(maker.simple("Relu", {x}), 4, 3));
    train::PassOptions options;
    options.batch = 5;
    Step step(graph, random, options);
    const train::Rates rates{0.05F, 0.9F, 0.01F};
    std::map<std::string, std::vector<double>> values = step.values;
    std::map<std::string, std::vector<double>> velocities;
    for (std::uint32_t k = 0; k < 4; ++k) {
        const train::Values running_before = step.pass.parameters().download_running();
        step.run(k, rates);
        // The batch's own statistics, of the convolution's output in float64.
        std::map<std::string, reference::Tensor> tensors;
        DoubleValues now = values;
        step.reference.loss(now, step.images, step.labels, &tensors);
        const reference::Tensor& y = tensors.at(graph.nodes[0].outputs[0]);
        const train::Values running = step.pass.parameters().download_running();
        const std::size_t plane = 64;
        for (std::size_t c = 0; c < 4; ++c) {
            double mean = 0;
            double square = 0;
            for (std::size_t n = 0; n < 5; ++n) {
                for (std::size_t i = 0; i < plane; ++i) {
                    const double v = y.data[(n * 4 + c) * plane + i];
                    mean += v;
                    square += v * v;
                }
            }
            mean /= 320;
            const double variance = (square / 320 - mean * mean) * 320 / 319;
            const std::string name = graph.nodes[1].inputs[3];
            EXPECT_NEAR(running.at(name)[c], 0.9 * running_before.at(name)[c] + 0.1 * mean, 1e-5);
            const std::string spread = graph.nodes[1].inputs[4];
            EXPECT_NEAR(running.at(spread)[c], 0.9 * running_before.at(spread)[c] + 0.1 * variance, 1e-5);
        }
        const train::Values gradients = step.pass.parameters().download_gradients();
        const train::Values updated = step.pass.parameters().download_values();
        for (const auto& [name, gradient] : gradients) {
            const bool decays = graph.constants.at(name).shape.size() >= 2;
            std::vector<double>& v = velocities[name];
            v.resize(gradient.size(), 0.0);
            for (std::size_t i = 0; i < gradient.size(); ++i) {
                const double g = gradient[i] + (decays ? 0.01 * values.at(name)[i] : 0);
                v[i] = 0.9 * v[i] + g;
                values.at(name)[i] -= 0.05 * (g + 0.9 * v[i]);
                EXPECT_NEAR(updated.at(name)[i], values.at(name)[i], 2e-6) << name << " " << i << ", step " << k;
            }
        }
    }
}

TEST(TrainGradients, TwoRunsAreEqualBitForBit) {
    const nn::Graph graph = train::make_architecture("vgg-small", 3, 10, 4);
    const auto run = [&] {
        nn::Graph sized = graph;
        sized.inputs[0].shape = {8, 3, 16, 16};
        train::PassOptions options;
        options.batch = 8;
        Random random(17);
        Step step(sized, random, options);
        for (std::uint32_t k = 0; k < 3; ++k) step.run(k, {0.05F, 0.9F, 5e-4F});
        return step.pass.parameters().download_values();
    };
    EXPECT_EQ(run(), run());
}

TEST(TrainGradients, BothSlotsContinueEachOther) {
    Random random(19);
    Maker maker({4, 3, 8, 8}, random);
    const std::string x =
        maker.simple("Relu", {maker.conv("data", 3, 8, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1, true)});
    const nn::Graph graph = maker.finish(maker.head(x, 8, 3));
    train::PassOptions options;
    options.batch = 4;
    Step one(graph, random, options);
    train::TrainingPass two(engine().device, engine().pipelines, graph, options);
    const train::Rates rates{0.1F, 0.9F, 0};
    double last = 0;
    for (std::uint32_t k = 0; k < 6; ++k) last = one.run(k, rates).loss;
    for (std::uint32_t k = 0; k < 6; ++k) {
        const std::size_t slot = k % train::TrainingPass::slots;
        if (k >= train::TrainingPass::slots) static_cast<void>(two.finish(slot));
        std::copy(one.images.data.begin(), one.images.data.end(), two.pixels(slot).begin());
        std::copy(one.labels.begin(), one.labels.end(), two.labels(slot).begin());
        two.submit(slot, k, rates);
    }
    two.finish(0);
    EXPECT_EQ(last, two.finish(1).loss);
    EXPECT_EQ(one.pass.parameters().download_values(), two.parameters().download_values());
}

TEST(TrainGradients, WhatCannotBeTrainedSaysSo) {
    Random random(23);
    const auto error = [](const nn::Graph& graph) -> std::string {
        try {
            train::PassOptions options;
            options.batch = 2;
            train::TrainingPass(engine().device, engine().pipelines, graph, options);
        } catch (const std::exception& what) {
            return what.what();
        }
        return "";
    };
    Maker nothing({2, 3, 8, 8}, random);
    EXPECT_NE(error(nothing.finish(nothing.simple("Flatten", {nothing.simple("GlobalAveragePool", {"data"})})))
                  .find("no weights to learn"),
              std::string::npos);
    Maker planes({2, 3, 8, 8}, random);
    EXPECT_NE(error(planes.finish(planes.conv("data", 3, 4, {3, 3}, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1, true)))
                  .find("(images, classes)"),
              std::string::npos);
}

}  // namespace
}  // namespace deconv::testing
