// Random weights in place of learned ones: which layers have them, what they are like, and what stays the learned
// network's own.
#include "nn/random_weights.h"

#include <cmath>
#include <set>

#include "engine_cases.h"

namespace deconv::testing {
namespace {

using Names = std::vector<std::string>;

double mean_of(const std::vector<float>& values) {
    double sum = 0;
    for (const float value : values) sum += value;
    return sum / static_cast<double>(values.size());
}

double spread_of(const std::vector<float>& values) {
    const double mean = mean_of(values);
    double sum = 0;
    for (const float value : values) sum += (value - mean) * (value - mean);
    return std::sqrt(sum / static_cast<double>(values.size()));
}

/// Every kind of learned layer, and constants that are none: a batch norm's, a factor, a shape.  Learned values are
/// spread evenly around a mean of their own, so that what is normal is told from them.
class RandomWeights : public ::testing::Test {
  protected:
    RandomWeights() {
        ModelMaker maker(12);
        learned(maker, "w1", {24, 3, 3, 3}, 0.5, 0.1);
        learned(maker, "b1", {24}, -2, 0.3);
        learned(maker, "w2", {40, 24, 1, 1}, 0, 1);
        learned(maker, "w3", {40, 8, 2, 2}, -0.25, 0.02);
        learned(maker, "w4", {128, 31}, 3, 5);
        learned(maker, "b4", {31}, 1, 1);
        learned(maker, "w5", {31, 40}, 0.01, 0.001);
        for (const char* name : {"scale", "shift", "average"}) learned(maker, name, {24}, 1, 0.1);
        learned(maker, "variance", {24}, 3, 0.1);
        maker.constant("factor", {{1}, {0.5}});
        maker.list("flat", {1, -1});
        maker.node("Conv", {"x", "w1", "b1"}, "conv1");
        maker.node("BatchNormalization", {"conv1", "scale", "shift", "average", "variance"}, "norm");
        maker.node("Relu", {"norm"}, "relu");
        maker.node("Conv", {"relu", "w2"}, "conv2");
        maker.node("Mul", {"conv2", "factor"}, "scaled");
        maker.node("ConvTranspose", {"scaled", "w3"}, "up", {{"strides", Ints{2, 2}}});
        maker.node("Reshape", {"up", "flat"}, "flattened");
        maker.node("Gemm", {"flattened", "w4", "b4"}, "full");
        maker.node("MatMul", {"full", "w5"}, "y");
        graph_ = nn::import_onnx_bytes(
            complete(maker.proto(), {{"x", reference::Tensor::zeros({1, 3, 4, 4})}}, {"y"}).SerializeAsString(), "test",
            ".");
    }

    void learned(ModelMaker& maker, const std::string& name, const Shape& shape, double mean, double spread) {
        reference::Tensor values = reference::Tensor::zeros(shape);
        for (double& value : values.data) {
            value = mean + spread * std::sqrt(3.0) * (static_cast<double>(random_.integer(-1000, 1000)) / 1000);
        }
        maker.constant(name, Random::rounded(values));
    }

    static bool same_memory(const nn::HostTensor& a, const nn::HostTensor& b) {
        return a.floats == b.floats && a.integers == b.integers && a.shape == b.shape;
    }

    Random random_{211};
    nn::Graph graph_;
    /// Names of the constants that each layer has learned, from the last layer.
    const std::vector<std::set<std::string>> from_the_top_{{"w5"}, {"w4", "b4"}, {"w3"}, {"w2"}, {"w1", "b1"}};
};

TEST_F(RandomWeights, LayersAreThoseWithLearnedWeights) {
    EXPECT_EQ(nn::RandomWeights::layers(graph_), (Names{"conv1", "conv2", "up", "full", "y"}));
}

TEST_F(RandomWeights, CascadeFromTheTopAndShareAllElse) {
    nn::RandomWeights random;
    const nn::Graph before = graph_;
    for (int count = 0; count <= 7; ++count) {
        SCOPED_TRACE(std::to_string(count) + " layers");
        std::set<std::string> changed;
        for (std::size_t i = 0; i < std::min<std::size_t>(static_cast<std::size_t>(count), 5); ++i) {
            changed.insert(from_the_top_[i].begin(), from_the_top_[i].end());
        }
        const nn::Graph made = random.apply(graph_, count);
        ASSERT_EQ(made.constants.size(), graph_.constants.size());
        for (const auto& [name, learned] : graph_.constants) {
            const nn::HostTensor& now = made.constants.at(name);
            EXPECT_EQ(same_memory(now, learned), changed.count(name) == 0) << name;
            EXPECT_EQ(now.shape, learned.shape) << name;
            if (changed.count(name) == 0) continue;
            ASSERT_TRUE(now.is_float()) << name;
            EXPECT_EQ(now.floats->size(), learned.floats->size()) << name;
            EXPECT_NE(*now.floats, *learned.floats) << name;
        }
        ASSERT_EQ(made.nodes.size(), graph_.nodes.size());
        for (std::size_t i = 0; i < made.nodes.size(); ++i) {
            EXPECT_EQ(made.nodes[i].name, graph_.nodes[i].name);
            EXPECT_EQ(made.nodes[i].inputs, graph_.nodes[i].inputs);
        }
        EXPECT_EQ(made.outputs, graph_.outputs);
        EXPECT_EQ(made.inputs.at(0).name, graph_.inputs.at(0).name);
    }
    for (const auto& [name, learned] : before.constants) {
        EXPECT_TRUE(same_memory(graph_.constants.at(name), learned)) << "the learned " << name << " was changed";
    }
}

TEST_F(RandomWeights, TheSameLayerHasTheSameEveryTime) {
    nn::RandomWeights random;
    const nn::Graph all = random.apply(graph_, 5);
    for (int count = 1; count <= 5; ++count) {
        const nn::Graph some = random.apply(graph_, count);
        const nn::Graph elsewhere = nn::RandomWeights().apply(graph_, count);
        for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
            for (const std::string& name : from_the_top_[i]) {
                EXPECT_TRUE(same_memory(some.constants.at(name), all.constants.at(name)))
                    << name << " with " << count << " layers is a copy: it would be on the device twice";
                EXPECT_EQ(*elsewhere.constants.at(name).floats, *all.constants.at(name).floats) << name;
            }
        }
    }
}

/// Statistics within five standard errors: of sixty figures none is outside by chance.
TEST_F(RandomWeights, AreNormalWithTheMeanAndSpreadOfTheLearned) {
    const nn::Graph made = nn::RandomWeights().apply(graph_, 5);
    for (const std::set<std::string>& layer : from_the_top_) {
        for (const std::string& name : layer) {
            SCOPED_TRACE(name);
            const std::vector<float>& is = *made.constants.at(name).floats;
            const std::vector<float>& was = *graph_.constants.at(name).floats;
            const auto count = static_cast<double>(is.size());
            const double mean = mean_of(was);
            const double spread = spread_of(was);
            EXPECT_NEAR(mean_of(is), mean, 5 * spread / std::sqrt(count));
            EXPECT_NEAR(spread_of(is) / spread, 1, 5 / std::sqrt(2 * count));
            double within = 0;
            double product = 0;
            for (std::size_t i = 0; i < is.size(); ++i) {
                if (std::abs(is[i] - mean) < spread) ++within;
                product += (is[i] - mean) * (was[i] - mean) / (spread * spread);
            }
            EXPECT_NEAR(product / count, 0, 5 / std::sqrt(count)) << "what was learned is still in it";
            // 68.3 % of what is normal, 57.7 % of what is spread evenly.
            if (count > 500) {
                EXPECT_NEAR(within / count, 0.683, 5 * std::sqrt(0.683 * 0.317 / count));
            }
        }
    }
    // Noise of one layer is not that of another.
    const std::vector<float>& a = *made.constants.at("w1").floats;
    const std::vector<float>& b = *made.constants.at("w2").floats;
    double product = 0;
    for (std::size_t i = 0; i < a.size(); ++i) product += (a[i] - 0.5) / 0.1 * b[i];
    EXPECT_NEAR(product / static_cast<double>(a.size()), 0, 5 / std::sqrt(static_cast<double>(a.size())));
}

TEST_F(RandomWeights, WeightsThatAreAllTheSameStaySo) {
    ModelMaker maker(12);
    maker.constant("w", {{2, 3, 1, 1}, {0.25, 0.25, 0.25, 0.25, 0.25, 0.25}});
    maker.node("Conv", {"x", "w"}, "y");
    const nn::Graph graph = nn::import_onnx_bytes(
        complete(maker.proto(), {{"x", reference::Tensor::zeros({1, 3, 4, 4})}}, {"y"}).SerializeAsString(), "test",
        ".");
    const nn::Graph made = nn::RandomWeights().apply(graph, 1);
    for (const float value : *made.constants.at("w").floats) EXPECT_NEAR(value, 0.25, 1e-6);
}

/// Three matrices, each far larger than what shares memory, so that the store's bytes tell what was brought up.
class EngineSharedConstants : public ::testing::Test {
  protected:
    static constexpr std::int64_t side = 2100;  // 16.8 MiB
    static constexpr std::uint64_t matrix = std::uint64_t{4} * side * side;

    EngineSharedConstants() {
        Random random(212);
        ModelMaker maker(12);
        std::string from = "x";
        for (const char* name : {"a", "b", "y"}) {
            reference::Tensor w = random.normal({side, side});
            for (double& v : w.data) v /= std::sqrt(static_cast<double>(side));
            maker.constant(std::string(name) + "_w", Random::rounded(w));
            from = maker.node("MatMul", {from, std::string(name) + "_w"}, name);
        }
        x_ = to_floats(random.normal({1, side}).data);
        graph_ = nn::import_onnx_bytes(
            complete(maker.proto(), {{"x", reference::Tensor::zeros({1, side})}}, {"y"}).SerializeAsString(), "test",
            ".");
    }

    /// y and R₀ of a model.
    std::pair<std::vector<float>, std::vector<float>> results(nn::Model& model) {
        nn::PlanOptions options;
        options.target = model.network().find_tensor("y");
        const nn::Plan& plan = *plans_.emplace_back(std::make_unique<nn::Plan>(model, options));
        const gpu::Recording recording(engine().device, engine().pipelines, plan.steps(), {});
        gpu::upload(engine().device, std::as_bytes(std::span(x_)), plan.tensor(model.network().inputs()[0]).slice);
        nn::Selection all;
        all.channel = nn::Selection::all;
        const nn::SelectionRequest request = nn::to_request(all, 1);
        gpu::upload(engine().device, std::as_bytes(std::span(&request, 1)), plan.requests());
        engine().scheduler.wait(engine().scheduler.submit(recording));
        const auto read = [](const gpu::Slice& slice) {
            std::vector<float> values(slice.bytes / sizeof(float));
            gpu::download(engine().device, slice, std::as_writable_bytes(std::span(values)));
            return values;
        };
        return {read(plan.tensor(options.target).slice), read(plan.reconstruction().slice)};
    }

    nn::Graph graph_;
    std::vector<float> x_;
    std::vector<std::unique_ptr<nn::Plan>> plans_;  // they keep their constants
};

TEST_F(EngineSharedConstants, OnlyNewOnesAreBroughtUp) {
    auto store = std::make_shared<nn::ConstantStore>(engine().device);
    const std::uint64_t empty = store->bytes();
    nn::Model learned(engine().device, nn::Network(graph_), store);
    const auto first = results(learned);
    const std::uint64_t all = store->bytes();
    ASSERT_EQ(all - empty, 3 * matrix) << "bytes do not tell what was brought up";

    nn::RandomWeights random;
    std::uint64_t before = all;
    for (int count = 0; count <= 3; ++count) {
        SCOPED_TRACE(std::to_string(count) + " random layers");
        const nn::Graph graph = random.apply(graph_, count);
        nn::Model model(engine().device, nn::Network(graph), store);
        const auto shared = results(model);
        EXPECT_EQ((store->bytes() - before) / matrix, count > 0 ? 1U : 0U);
        before = store->bytes();
        nn::Model apart(engine().device, nn::Network(graph));
        EXPECT_EQ(shared, results(apart)) << "other numbers than with constants of its own";
        EXPECT_EQ(shared == first, count == 0);
    }
    // What is there already is found again, by another model and by another plan.
    nn::Model again(engine().device, nn::Network(random.apply(graph_, 2)), store);
    results(again);
    EXPECT_EQ(results(learned), first);
    EXPECT_EQ(store->bytes(), before);
    // The last plan takes them with it.
    const std::unique_ptr<nn::Plan> last = std::move(plans_.back());
    plans_.clear();
    EXPECT_EQ(store->bytes(), all);
}

}  // namespace
}  // namespace deconv::testing
