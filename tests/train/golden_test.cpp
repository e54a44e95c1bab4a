// Fifty steps of training against PyTorch's, from the same weights and batches (tools/make_training_golden.py).
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine.h"
#include "train/pass.h"

namespace deconv::testing {
namespace {

/// As the script makes them.
void fill(train::TrainingPass& pass, std::uint32_t step) {
    std::uint32_t state = step + 1;
    const auto next = [&] {
        state = state * 1664525U + 1013904223U;
        return state >> 8U;
    };
    const std::span<float> pixels = pass.pixels(0);
    const std::span<std::uint32_t> labels = pass.labels(0);
    for (float& v : pixels) v = static_cast<float>(static_cast<double>(next()) / 8388608.0 - 1);
    for (std::uint32_t& label : labels) label = next() % static_cast<std::uint32_t>(pass.classes());
    const std::size_t image = pixels.size() / labels.size();
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] += 0.25F * static_cast<float>(labels[i / image]);
}

TEST(TrainGolden, EveryStepsLossIsPyTorchs) {
    const std::string folder = std::string(DECONV_SOURCE_DIR) + "/tests/golden/";
    std::ifstream file(folder + "training.json");
    ASSERT_TRUE(file) << folder;
    const nlohmann::json golden = nlohmann::json::parse(file);
    nn::Graph graph = nn::import_onnx(folder + "training.onnx");
    train::PassOptions options;
    options.batch = golden.at("batch");
    const std::int64_t size = golden.at("size");
    graph.inputs.at(0).shape = {options.batch, 3, size, size};
    train::TrainingPass pass(engine().device, engine().pipelines, graph, options);
    const train::Rates rates{golden.at("learning_rate"), golden.at("momentum"), golden.at("decay")};
    double largest = 0;
    std::uint32_t step = 0;
    for (const nlohmann::json& expected : golden.at("losses")) {
        fill(pass, step);
        pass.submit(0, step, rates);
        const double loss = pass.finish(0).loss;
        EXPECT_NEAR(loss, expected.get<double>(), 1e-3) << "step " << step;
        largest = std::max(largest, std::abs(loss - expected.get<double>()));
        ++step;
    }
    ASSERT_EQ(step, 50U);
    RecordProperty("largest_difference", std::to_string(largest));
    std::printf("largest difference of a loss: %.2e\n", largest);
    const train::Values running = pass.parameters().download_running();
    for (const auto& [name, values] : golden.at("running").items()) {
        for (std::size_t c = 0; c < values.size(); ++c) {
            EXPECT_NEAR(running.at(name)[c], values[c].get<double>(), 1e-3 * (1 + std::abs(values[c].get<double>())))
                << name << " " << c;
        }
    }
}

}  // namespace
}  // namespace deconv::testing
