// The program as a person runs it: stopped, killed, taken up again, told nonsense.
#include "live/program.h"

#include <random>

#include "nn/graph.h"
#include "reference/network.h"
#include "train/augment.h"
#include "train/checkpoint.h"
#include "train/dataset.h"
#include "train_host/data_testing.h"

namespace deconv::testing {
namespace {

Place trainer(const Folder& folder) {
    Place place;
    place.folder = folder.path();
    place.program = DECONV_TRAIN;
    return place;
}

void write_data(const Folder& folder) {
    write_classes(folder, "data/train/", 3, 40, 16);
    write_classes(folder, "data/test/", 3, 8, 16);
}

Arguments training(const std::string& out, int epochs = 8) {
    return {"--data", "data", "--out",  out, "--batch", "20", "--epochs", std::to_string(epochs),
            "--lr",   "0.05", "--crop", "1", "--seed",  "3"};
}

/// What must be equal of two runs; durations are not.
void expect_same(const Folder& folder, const std::string& a, const std::string& b) {
    const train::Checkpoint left = train::load_checkpoint(folder / (a + ".checkpoint"));
    const train::Checkpoint right = train::load_checkpoint(folder / (b + ".checkpoint"));
    EXPECT_EQ(left.tensors, right.tensors);
    EXPECT_EQ(left.integer("epoch"), right.integer("epoch"));
    const nn::Graph one = nn::import_onnx(folder / (a + ".onnx"));
    const nn::Graph two = nn::import_onnx(folder / (b + ".onnx"));
    for (const auto& [name, tensor] : one.constants) EXPECT_EQ(*tensor.floats, *two.constants.at(name).floats) << name;
}

TEST(TrainProgram, KilledAndResumedItEndsWhereTheUndisturbedRunDoes) {
    const Folder folder;
    write_data(folder);
    const Place place = trainer(folder);
    run_well(training("whole.onnx"), place);
    std::mt19937 random(std::random_device{}());
    int killed = 0;
    for (int attempt = 0; attempt < 20; ++attempt) {
        Arguments arguments = training("broken.onnx");
        if (std::filesystem::exists(folder / "broken.checkpoint")) {
            arguments.insert(arguments.end(), {"--resume", "broken.checkpoint"});
        }
        Program program(arguments, place);
        if (killed < 3) {
            // Somewhere in the middle, wherever that is.
            const auto delay = std::chrono::milliseconds(200 + random() % 1500);
            SCOPED_TRACE(std::to_string(delay.count()) + " ms");
            const auto end = std::chrono::steady_clock::now() + delay;
            while (program.running() && std::chrono::steady_clock::now() < end) {
                std::this_thread::sleep_for(std::chrono::milliseconds(5));
            }
            program.send(attempt % 3 == 2 ? SIGINT : SIGKILL);
            ++killed;
        }
        const Outcome outcome = program.wait();
        if (outcome.err.find("done: broken.onnx") != std::string::npos) break;
    }
    expect_same(folder, "whole", "broken");
    const std::string log = read_bytes(folder / "broken-log.csv");
    EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 9) << log;
}

TEST(TrainProgram, WhatTheTunerChoseGoesOnWithTheCheckpoint) {
    const Folder folder;
    write_data(folder);
    Place place = trainer(folder);
    place.environment["XDG_CACHE_HOME"] = folder / "cache";
    const auto tuned = [](const std::string& out) {
        Arguments arguments = training(out, 8);
        arguments.emplace_back("--tune");
        return arguments;
    };
    run_well(tuned("whole.onnx"), place);
    const auto choices = [&](const char* file) { return train::load_checkpoint(folder / file).texts_of("algorithm/"); };
    const std::map<std::string, std::string> chosen = choices("whole.checkpoint");
    EXPECT_GE(chosen.size(), 8U) << "both ways through several convolutions";
    {
        // The measurements are remembered, so this one chooses alike.
        Program program(tuned("broken.onnx"), place);
        while (program.running() && !std::filesystem::exists(folder / "broken-log.csv")) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        program.send(SIGINT);
        EXPECT_SAYS(program.wait().err, "stopped");
    }
    // Measured anew, or not at all, it would choose otherwise.
    std::filesystem::remove_all(folder / "cache");
    Arguments on = training("broken.onnx", 8);
    on.insert(on.end(), {"--resume", "broken.checkpoint"});
    run_well(on, place);
    EXPECT_EQ(choices("broken.checkpoint"), chosen);
    expect_same(folder, "whole", "broken");
}

TEST(TrainProgram, CtrlCFinishesTheStepAndSaves) {
    const Folder folder;
    write_data(folder);
    const Place place = trainer(folder);
    Program program(training("net.onnx", 5000), place);
    while (program.running() && !std::filesystem::exists(folder / "net-log.csv")) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    program.send(SIGINT);
    const Outcome outcome = program.wait();
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_SAYS(outcome.err, "stopped; the same command with --resume net.checkpoint");
    EXPECT_GE(train::load_checkpoint(folder / "net.checkpoint").integer("epoch"), 1U);
}

TEST(TrainProgram, WhatItExportsIsAsGoodAsItSaysInAnotherRuntime) {
    const Folder folder;
    write_data(folder);
    const Place place = trainer(folder);
    Arguments arguments = training("net.onnx", 6);
    arguments.insert(arguments.end(), {"--evolution", "relu2_2,pool3"});
    const Json json = run_json(arguments, place);
    const double accuracy = json["epochs"].back()["test_accuracy"];
    const double loss = json["epochs"].back()["test_loss"];
    EXPECT_GT(accuracy, 0.6) << json.dump();
    const Json told = run_json({"--data", "data", "--evaluate", "net.onnx"}, place);
    EXPECT_NEAR(told["loss"].get<double>(), loss, 1e-4);
    EXPECT_EQ(told["accuracy"].get<double>(), accuracy);

    // The float64 reference reads ONNX by itself.
    const train::DataSet data = train::read_data_set(folder / "data", {});
    const train::Normalisation normalisation = train::measure(data.train);
    std::vector<float> pixels(data.test.count() * data.test.image_bytes());
    train::normalise(data.test, 0, data.test.count(), normalisation, pixels.data());
    reference::Tensor input = reference::Tensor::zeros({static_cast<std::int64_t>(data.test.count()), 3, 16, 16});
    input.data.assign(pixels.begin(), pixels.end());
    const reference::Tensor scores = reference::Network::load(folder / "net.onnx").forward({{"data", input}}).at("fc");
    double sum = 0;
    for (std::size_t n = 0; n < data.test.count(); ++n) {
        double all = 0;
        for (std::size_t c = 0; c < 3; ++c) all += std::exp(scores.data[n * 3 + c]);
        sum += std::log(all) - scores.data[n * 3 + data.test.labels[n]];
    }
    EXPECT_NEAR(sum / static_cast<double>(data.test.count()), loss, 1e-4);

    for (const char* sheet : {"net-evolution-relu2_2.png", "net-evolution-pool3.png", "net-curves.png"}) {
        const cv::Mat picture = cv::imread(folder / sheet);
        ASSERT_FALSE(picture.empty()) << sheet;
        cv::Scalar mean;
        cv::Scalar deviation;
        cv::meanStdDev(picture, mean, deviation);
        EXPECT_GT(deviation[0], 5) << sheet << " shows nothing";
    }
    // Epochs 1, 2, 5 and 6, and the pictures.
    EXPECT_EQ(cv::imread(folder / "net-evolution-relu2_2.png").cols, 12 + 5 * 102);
}

std::string said(const Place& place, const Arguments& arguments, int code) {
    const Outcome outcome = run(arguments, place);
    EXPECT_EQ(outcome.exit_code, code) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    const std::size_t last = outcome.err.find("deconv-train: ");
    EXPECT_NE(last, std::string::npos) << outcome.err;
    return last == std::string::npos ? "" : outcome.err.substr(last);
}

TEST(TrainProgram, MistakesGetOneLineAndLoseNothing) {
    const Folder folder;
    write_data(folder);
    const Place place = trainer(folder);
    EXPECT_SAYS(said(place, {"--data", "absent", "--out", "net.onnx"}, 1), "no folder absent");
    EXPECT_SAYS(said(place, {"--data", "data", "--out", "net.pt"}, 2), "--out must end in .onnx");
    EXPECT_SAYS(said(place, {"--data", "data"}, 2), "--out NAME.onnx is missing");
    EXPECT_SAYS(said(place, {"--data", "data", "--out", "no/net.onnx"}, 1), "the folder no does not exist");
    EXPECT_SAYS(said(place, {"--data", "data", "--out", "net.onnx", "--arch", "none"}, 1), "no network none to train");
    EXPECT_SAYS(said(place, {"--data", "data", "--out", "net.onnx", "--size", "4"}, 1), "choose a larger --size");
    EXPECT_SAYS(said(place, {"--data", "data", "--out", "net.onnx", "--batch", "1000"}, 1), "give a smaller --batch");
    EXPECT_SAYS(said(place, {"--data", "data", "--out", "net.onnx", "--batch", "20", "--evolution", "relu9"}, 1),
                "no layer named");
    EXPECT_SAYS(said(place, {"--data", "data", "--out", "net.onnx", "--batch", "20", "--lr", "1e30"}, 1),
                "a lower --lr");
    run_well(training("net.onnx", 1), place);
    const std::string before = read_bytes(folder / "net.checkpoint");
    EXPECT_SAYS(said(place, training("net.onnx", 1), 1),
                "net.checkpoint is there already: go on from it with --resume");
    Arguments other = training("net.onnx", 2);
    other.insert(other.end(), {"--resume", "net.checkpoint"});
    EXPECT_SAYS(said(place, other, 1), "the checkpoint's epochs is 1, not 2");
    EXPECT_EQ(read_bytes(folder / "net.checkpoint"), before);
    write_bytes(folder / "net.checkpoint", before.substr(0, before.size() / 2));
    Arguments again = training("net.onnx", 1);
    again.insert(again.end(), {"--resume", "net.checkpoint"});
    EXPECT_SAYS(said(place, again, 1), "net.checkpoint is truncated or damaged");
    write_classes(folder, "more/train/", 4, 8, 16);
    write_classes(folder, "more/test/", 4, 8, 16);
    EXPECT_SAYS(said(place, {"--data", "more", "--evaluate", "net.onnx"}, 1), "tells 3 classes apart, the data has 4");
}

}  // namespace
}  // namespace deconv::testing
