// deconv-train: trains a network on labelled pictures, and tells how good one is.
#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/progress_line.h"
#include "base/whole_file.h"
#include "nn/sidecar.h"
#include "train/architecture.h"
#include "train/trainer.h"

namespace {

using namespace deconv;
using namespace deconv::train;
using nlohmann::json;

std::atomic<bool> stop_requested{false};

extern "C" void on_signal(int /*signal*/) {
    stop_requested = true;
}

struct Options {
    std::string data, resume, evaluate, device;
    std::optional<int> size;
    bool no_flip = false, minimum_limits = false, as_json = false;
    TrainingOptions training;
};

std::string format(const char* text, auto... values) {
    char line[256];
    std::snprintf(line, sizeof line, text, values...);
    return line;
}

std::string text_of(const Standing& s) {
    return format("epoch %lld/%lld  ", static_cast<long long>(s.epoch), static_cast<long long>(s.epochs)) +
           progress_bar(static_cast<double>(s.step) / static_cast<double>(s.steps)) +
           format("  loss %.4f  accuracy %.4f  %.0f images/s  ", s.loss, s.accuracy, s.images_per_second) +
           duration(s.seconds_left) + " left";
}

std::string text_of(const EpochResult& r, std::int64_t epochs) {
    return format("epoch %lld/%lld: train loss %.4f, accuracy %.4f; test loss %.4f, accuracy %.4f; %.0f images/s, ",
                  static_cast<long long>(r.epoch), static_cast<long long>(epochs), r.train_loss, r.train_accuracy,
                  r.test_loss, r.test_accuracy, r.images_per_second) +
           duration(r.seconds);
}

json to_json(const EpochResult& r) {
    return {{"epoch", r.epoch},
            {"learning_rate", r.learning_rate},
            {"train_loss", r.train_loss},
            {"train_accuracy", r.train_accuracy},
            {"test_loss", r.test_loss},
            {"test_accuracy", r.test_accuracy},
            {"images_per_second", r.images_per_second},
            {"seconds", r.seconds}};
}

DataSet read(const Options& options, ProgressLine& line) {
    DataSet data = read_data_set(options.data, options.size, [&](std::size_t done, std::size_t all) {
        if (stop_requested) throw Error("stopped");
        line.show(options.data + "  " + progress_bar(static_cast<double>(done) / static_cast<double>(all)) +
                  format("  %zu of %zu pictures", done, all));
    });
    line.say(data.name + " (" + data.format + "): " + std::to_string(data.train.count()) + " pictures to train on, " +
             std::to_string(data.test.count()) + " to test on, " + std::to_string(data.classes.size()) + " classes, " +
             std::to_string(data.train.width) + "x" + std::to_string(data.train.height) +
             (data.train.channels == 1 ? ", grey" : ""));
    return data;
}

int evaluate_file(const Options& options, const gpu::Device& device, gpu::Pipelines& pipelines, ProgressLine& line) {
    const nn::Graph graph = nn::import_onnx(options.evaluate);
    const nn::Sidecar sidecar = nn::read_sidecar(options.evaluate);
    Options sized = options;
    if (!sized.size && sidecar.width && sidecar.width == sidecar.height) sized.size = sidecar.width;
    DataSet data = read(sized, line);
    if (sidecar.bgr && data.test.channels == 3) {
        for (std::size_t i = 0; i + 2 < data.test.pixels.size(); i += 3) {
            std::swap(data.test.pixels[i], data.test.pixels[i + 2]);
        }
    }
    Normalisation normalisation;
    for (std::size_t c = 0; c < 3; ++c) {
        normalisation.mean.at(c) = sidecar.mean.at(c) / sidecar.range;
        normalisation.std.at(c) = sidecar.std.at(c) / sidecar.range;
    }
    const auto begin = std::chrono::steady_clock::now();
    const Score score = evaluate(
        device, pipelines, graph, data.test, normalisation, data.classes.size(), options.training.batch,
        [&](std::size_t done) {
            line.show("testing  " + progress_bar(static_cast<double>(done) / static_cast<double>(data.test.count())));
            return !stop_requested;
        });
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    line.say(options.evaluate +
             format(": loss %.4f, accuracy %.4f, top 5 %.4f, on %zu pictures, in ", score.loss, score.accuracy,
                    score.top5, score.images) +
             duration(seconds));
    if (options.as_json) {
        std::cout << json{{"model", options.evaluate},  {"data", data.name},  {"loss", score.loss},
                          {"accuracy", score.accuracy}, {"top5", score.top5}, {"images", score.images}}
                         .dump(2)
                  << "\n";
    }
    return stop_requested ? 1 : 0;
}

int train_network(const Options& options, const gpu::Device& device, gpu::Pipelines& pipelines, ProgressLine& line) {
    const std::filesystem::path out(options.training.out);
    if (out.extension() != ".onnx") throw UsageError("--out must end in .onnx: " + options.training.out);
    check_writable_file(options.training.out);
    std::optional<Checkpoint> from;
    if (!options.resume.empty()) from = load_checkpoint(options.resume);
    const std::string own = beside(options.training.out, ".checkpoint");
    if (!from && std::filesystem::exists(own)) {
        throw Error(own + " is there already: go on from it with --resume " + own + ", or move it away");
    }
    const DataSet data = read(options, line);
    if (options.training.tune && !from) line.show("measuring algorithms");
    Trainer trainer(device, pipelines, data, options.training, from ? &*from : nullptr);
    line.say(options.training.architecture + ": " + std::to_string(trainer.parameters()) + " parameters, on " +
             device.info().name);
    Trainer::Watch watch;
    watch.stop = &stop_requested;
    watch.step = [&](const Standing& standing) { line.show(text_of(standing)); };
    watch.test = [&](std::size_t done, std::size_t all) {
        line.show("testing  " + progress_bar(static_cast<double>(done) / static_cast<double>(all)));
    };
    watch.epoch = [&](const EpochResult& result) { line.say(text_of(result, options.training.epochs)); };
    const bool done = trainer.run(watch);
    if (!done) line.say("stopped; the same command with --resume " + trainer.checkpoint_path() + " goes on from here");
    if (done) line.say("done: " + options.training.out);
    if (options.as_json) {
        json epochs = json::array();
        for (const EpochResult& result : trainer.results()) epochs.push_back(to_json(result));
        std::cout << json{{"out", options.training.out},
                          {"device", device.info().name},
                          {"parameters", trainer.parameters()},
                          {"finished", done},
                          {"epochs", epochs}}
                         .dump(2)
                  << "\n";
    }
    return 0;
}

int run(int argc, char** argv) {
    Options options;
    TrainingOptions& t = options.training;
    CLI::App app("deconv-train: trains a network on labelled pictures, on any Vulkan device");
    app.footer(
        "Two commands that work anywhere:\n"
        "  apt-get install dataset-fashion-mnist\n"
        "  tools/train --data /usr/share/datasets/fashion-mnist --epochs 2 --batch 64 --out fashion.onnx\n"
        "and then: tools/run --model fashion.onnx.  While it trains, deconv-live --model fashion.onnx --watch\n"
        "shows how its features form.");
    app.add_option("--data", options.data,
                   "folder: CIFAR-10's binaries, Tiny ImageNet, IDX files (MNIST, Fashion-MNIST), or a folder a class")
        ->required();
    app.add_option("--out", t.out,
                   "NAME.onnx to write; beside it come NAME.json, NAME-labels.txt, NAME-log.csv, "
                   "NAME-curves.png and NAME.checkpoint");
    app.add_option("--arch", t.architecture, "vgg-small, zf, or a JSON file of layers")->capture_default_str();
    app.add_option("--epochs", t.epochs, "times through the data")->check(CLI::Range(1, 100000))->capture_default_str();
    app.add_option("--batch", t.batch, "pictures a step")->check(CLI::Range(1, 65536))->capture_default_str();
    app.add_option("--lr", t.learning_rate, "highest learning rate")->check(CLI::PositiveNumber)->capture_default_str();
    app.add_option("--momentum", t.momentum, "Nesterov's momentum")
        ->check(CLI::Range(0.0, 0.9999))
        ->capture_default_str();
    app.add_option("--decay", t.decay, "weight decay")->check(CLI::Range(0.0, 1.0))->capture_default_str();
    app.add_option("--warmup", t.warmup, "share of the steps in which the rate rises; then it falls as a cosine")
        ->check(CLI::Range(0.0, 0.9))
        ->capture_default_str();
    app.add_option("--smoothing", t.smoothing, "label smoothing")->check(CLI::Range(0.0, 0.9))->capture_default_str();
    app.add_option("--crop", t.augmentation.pad, "pixels by which pictures are shifted at random")
        ->check(CLI::Range(0, 64))
        ->capture_default_str();
    app.add_flag("--no-flip", options.no_flip, "never mirror pictures (for digits and letters)");
    app.add_option("--jitter", t.augmentation.jitter, "share by which brightness, contrast and saturation vary")
        ->check(CLI::Range(0.0, 0.9))
        ->capture_default_str();
    app.add_option("--size", options.size, "cut and resize every picture to this many pixels a side")
        ->check(CLI::Range(4, 1024));
    app.add_option("--seed", t.seed, "of weights, shuffling and augmentation")->capture_default_str();
    app.add_flag("--half", t.half, "write weights in half precision");
    app.add_flag("--tune", t.tune,
                 "first measure which algorithm runs each convolution fastest on this device; the checkpoint keeps "
                 "the choices, for algorithms round differently");
    app.add_option("--resume", options.resume, "go on from NAME.checkpoint, with the same options");
    app.add_option("--evaluate", options.evaluate,
                   "do not train: tell how good that ONNX network is on the test pictures");
    app.add_option("--evolution", t.evolution,
                   "layers whose features are followed: NAME-evolution-LAYER.png shows, for eight channels, the "
                   "projection of the strongest activation at epochs 1, 2, 5, 10, 20 …")
        ->delimiter(',');
    app.add_option("--device", options.device, "device by index or part of its name");
    app.add_flag("--json", options.as_json, "one JSON object on standard output at the end");
    app.add_option("--limits", options.minimum_limits, "minimum: pretend Vulkan's guaranteed minima")
        ->transform(CLI::CheckedTransformer(std::map<std::string, bool>{{"minimum", true}}));
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    t.augmentation.flip = !options.no_flip;
    if (options.evaluate.empty() && t.out.empty()) throw UsageError("--out NAME.onnx is missing (or --evaluate)");
    t.command = "deconv-train";
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        // What belongs to the machine and not to the network.
        const auto begins = [&](const char* name) { return argument.rfind(std::string(name) + "=", 0) == 0; };
        if (begins("--data") || begins("--out") || begins("--resume") || begins("--device")) continue;
        if (argument == "--data" || argument == "--out" || argument == "--resume" || argument == "--device") {
            ++i;
            continue;
        }
        if (argument != "--json") t.command += " " + argument;
    }
    std::signal(SIGINT, on_signal);
    std::signal(SIGTERM, on_signal);
    ProgressLine line;
    const gpu::Device device({options.device, options.minimum_limits, false, {}, {}});
    gpu::Pipelines pipelines(device);
    const int status = options.evaluate.empty() ? train_network(options, device, pipelines, line)
                                                : evaluate_file(options, device, pipelines, line);
    pipelines.save();
    return status;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const UsageError& error) {
        std::fprintf(stderr, "deconv-train: %s\n", error.what());
        return 2;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "deconv-train: %s\n", error.what());
        return 1;
    }
}
