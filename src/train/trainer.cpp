#include "train/trainer.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "base/error.h"
#include "nn/tuner.h"
#include "train/architecture.h"
#include "train/onnx_export.h"

namespace deconv::train {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

const char* const algorithm_of = "algorithm/";

/// Which algorithm runs which convolution of a pass fastest.
std::map<std::string, std::string> measure_algorithms(const gpu::Device& device, gpu::Pipelines& pipelines,
                                                      const nn::Graph& graph, const PassOptions& options) {
    nn::Tuner tuner(device, pipelines);
    const TrainingPass pass(device, pipelines, graph, options);
    std::map<std::string, std::string> algorithms;
    for (const nn::ConvolutionTask& task : pass.convolutions()) {
        std::map<std::string, double> times = tuner.times(task);
        times.erase("fft");  // the host transforms its weights, once: not such as change from step to step
        const auto best =
            std::min_element(times.begin(), times.end(), [](auto& a, auto& b) { return a.second < b.second; });
        if (best != times.end()) algorithms[nn::describe(task)] = best->first;
    }
    tuner.save();
    return algorithms;
}

/// A training that goes on runs what it ran before: algorithms round differently.
PassOptions pass_options(const gpu::Device& device, gpu::Pipelines& pipelines, const nn::Graph& graph,
                         const TrainingOptions& options, const Checkpoint* from) {
    PassOptions pass;
    pass.batch = options.batch;
    pass.smoothing = options.smoothing;
    pass.seed = static_cast<std::uint32_t>(options.seed);
    if (from != nullptr) {
        pass.algorithms = from->texts_of(algorithm_of);
    } else if (options.tune) {
        pass.algorithms = measure_algorithms(device, pipelines, graph, pass);
    }
    return pass;
}

nn::Graph sized(nn::Graph graph, const Images& images, std::int64_t batch) {
    graph.inputs.at(0).shape = {batch, images.channels, images.height, images.width};
    return graph;
}

std::string join(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : ",") + word;
    return text;
}

/// As exactly as they are.
std::string text_of(std::initializer_list<double> values) {
    std::string text;
    for (const double value : values) {
        char number[40];
        std::snprintf(number, sizeof number, text.empty() ? "%.17g" : " %.17g", value);
        text += number;
    }
    return text;
}

std::uint64_t bits(double value) {
    return std::bit_cast<std::uint64_t>(value);
}

}  // namespace

std::string beside(const std::string& onnx_path, const std::string& end) {
    const std::filesystem::path path(onnx_path);
    return (path.parent_path() / (path.stem().string() + end)).string();
}

Trainer::Trainer(const gpu::Device& device, gpu::Pipelines& pipelines, const DataSet& data,
                 const TrainingOptions& options, const Checkpoint* from)
    : device_(device),
      pipelines_(pipelines),
      data_(data),
      options_(options),
      normalisation_(measure(data.train)),
      graph_(make_architecture(options.architecture, data.train.channels,
                               static_cast<std::int64_t>(data.classes.size()), options.seed)),
      pass_(device, pipelines, sized(graph_, data.train, options.batch),
            pass_options(device, pipelines, sized(graph_, data.train, options.batch), options, from)),
      batches_(data.train, normalisation_, options.augmentation, options.seed, static_cast<std::size_t>(options.batch)),
      evolution_(device, pipelines, options.evolution, data.test, normalisation_) {
    evolution_.check(for_inference(graph_));
    if (from != nullptr) resume(*from);
}

/// Rises linearly, then falls as half a cosine to zero (Loshchilov and Hutter, arXiv 1608.03983).
double Trainer::rate_of(std::uint64_t step) const {
    const double all = static_cast<double>(options_.epochs) * static_cast<double>(batches_.batches());
    const double rising = std::max(1.0, options_.warmup * all);
    const double now = static_cast<double>(step);
    if (now < rising) return options_.learning_rate * (now + 1) / rising;
    return options_.learning_rate * 0.5 *
           (1 + std::cos(3.14159265358979 * (now - rising) / std::max(1.0, all - rising)));
}

bool Trainer::run(const Watch& watch) {
    while (epoch_ < static_cast<std::uint64_t>(options_.epochs)) {
        if (!run_epoch(watch)) {
            save_checkpoint(checkpoint_path(), checkpoint());
            return false;
        }
        const EpochResult result = finish_epoch(watch);
        if (watch.epoch) watch.epoch(result);
    }
    return true;
}

void Trainer::take(std::size_t slot) {
    const StepResult result = pass_.finish(slot);
    loss_sum_ += result.loss;
    hits_ += result.hits;
    ++taken_;
    if (!std::isfinite(result.loss)) diverged();
}

void Trainer::diverged() const {
    std::string advice = "a lower --lr (it was " + std::to_string(options_.learning_rate) + ") usually helps";
    if (!results_.empty()) advice += "; " + checkpoint_path() + " is of the last epoch that was well";
    throw Error("the loss is no longer a number in epoch " + std::to_string(epoch_ + 1) + ", step " +
                std::to_string(taken_) + ": " + advice);
}

bool Trainer::run_epoch(const Watch& watch) {
    const std::size_t steps = batches_.batches();
    const std::uint64_t before = epoch_ * steps;
    const Clock::time_point begin = Clock::now();
    const double seconds_before = seconds_;
    const std::size_t taken_before = taken_;
    batches_.start(epoch_, taken_);
    std::size_t sent = taken_;
    std::size_t told = 0;
    const auto stopped = [&] { return watch.stop != nullptr && watch.stop->load(); };
    while (taken_ < steps) {
        // The host fills one slot while the device runs the other.
        if (sent < steps && sent - taken_ < TrainingPass::slots && !stopped()) {
            const std::size_t slot = sent % TrainingPass::slots;
            BatchMaker::Batch batch = batches_.next();
            std::copy(batch.pixels.begin(), batch.pixels.end(), pass_.pixels(slot).begin());
            std::copy(batch.labels.begin(), batch.labels.end(), pass_.labels(slot).begin());
            batches_.give_back(std::move(batch));
            const std::uint64_t step = before + sent;
            pass_.submit(slot, static_cast<std::uint32_t>(step),
                         {static_cast<float>(rate_of(step)), static_cast<float>(options_.momentum),
                          static_cast<float>(options_.decay)});
            ++sent;
            continue;
        }
        if (sent == taken_) return false;  // stopped, and nothing under way
        take(taken_ % TrainingPass::slots);
        seconds_ = seconds_before + seconds_since(begin);
        if (watch.step && (seconds_ - seconds_before) * 10 >= static_cast<double>(told)) {
            ++told;
            Standing standing;
            standing.epoch = static_cast<std::int64_t>(epoch_) + 1;
            standing.epochs = options_.epochs;
            standing.step = taken_;
            standing.steps = steps;
            standing.loss = loss_sum_ / static_cast<double>(taken_);
            standing.accuracy = static_cast<double>(hits_) / static_cast<double>(taken_ * options_.batch);
            const double here = static_cast<double>(taken_ - taken_before);
            standing.images_per_second = here * static_cast<double>(options_.batch) / seconds_since(begin);
            const double left = static_cast<double>(steps - taken_) +
                                static_cast<double>(options_.epochs - standing.epoch) * static_cast<double>(steps);
            standing.seconds_left = left * seconds_since(begin) / here;
            watch.step(standing);
        }
    }
    return true;
}

EpochResult Trainer::finish_epoch(const Watch& watch) {
    EpochResult result;
    const std::size_t steps = batches_.batches();
    result.epoch = static_cast<std::int64_t>(epoch_) + 1;
    result.learning_rate = rate_of((epoch_ + 1) * steps - 1);
    result.train_loss = loss_sum_ / static_cast<double>(taken_);
    result.train_accuracy = static_cast<double>(hits_) / static_cast<double>(taken_ * options_.batch);
    result.seconds = seconds_;
    result.images_per_second = static_cast<double>(taken_ * options_.batch) / std::max(seconds_, 1e-9);
    const nn::Graph now = network();
    const Score score = evaluate(device_, pipelines_, now, data_.test, normalisation_, data_.classes.size(),
                                 options_.batch, [&](std::size_t done) {
                                     if (watch.test) watch.test(done, data_.test.count());
                                     return true;
                                 });
    // The last step may have broken what its own loss does not show: that must not replace the good checkpoint.
    if (!std::isfinite(score.loss)) diverged();
    result.test_loss = score.loss;
    result.test_accuracy = score.accuracy;
    results_.push_back(result);
    ++epoch_;
    taken_ = 0;
    loss_sum_ = 0;
    hits_ = 0;
    seconds_ = 0;
    if (!options_.evolution.empty() && Evolution::due(result.epoch, options_.epochs)) {
        evolution_.add(result.epoch, now);
        evolution_.draw(options_.out);
    }
    // The checkpoint last: whatever it says was done, is there.
    export_network(now);
    write_log(beside(options_.out, "-log.csv"), results_);
    draw_curves(
        beside(options_.out, "-curves.png"),
        std::filesystem::path(options_.out).stem().string() + ": " + options_.architecture + " on " + data_.name,
        results_);
    save_checkpoint(checkpoint_path(), checkpoint());
    return result;
}

nn::Graph Trainer::network() {
    Values values = pass_.parameters().download_values();
    values.merge(pass_.parameters().download_running());
    return for_inference(with_values(graph_, values));
}

void Trainer::export_network(const nn::Graph& network) {
    Description description;
    description.name = std::filesystem::path(options_.out).stem().string();
    description.origin = "trained from scratch on " + data_.name + " (" + data_.format + ") by: " + options_.command;
    const EpochResult& last = results_.back();
    description.result = {{"test_accuracy", last.test_accuracy},
                          {"test_loss", last.test_loss},
                          {"epochs", static_cast<double>(last.epoch)},
                          {"parameters", static_cast<double>(parameters())},
                          {"seed", static_cast<double>(options_.seed)}};
    description.width = data_.train.width;
    description.height = data_.train.height;
    description.normalisation = normalisation_;
    description.classes = data_.classes;
    // The sidecar first: who watches the network's file then finds the one that belongs to it.
    write_sidecar(options_.out, description);
    export_onnx(network, options_.out, options_.half);
}

std::string Trainer::checkpoint_path() const {
    return beside(options_.out, ".checkpoint");
}

Checkpoint Trainer::settings() const {
    Checkpoint c;
    c.texts = {{"architecture", options_.architecture},
               {"data", data_.format},
               {"evolution", join(options_.evolution)},
               {"options", text_of({options_.learning_rate, options_.momentum, options_.decay, options_.warmup,
                                    options_.smoothing, static_cast<double>(options_.augmentation.pad),
                                    options_.augmentation.flip ? 1.0 : 0.0, options_.augmentation.jitter})}};
    c.integers = {{"epochs", static_cast<std::uint64_t>(options_.epochs)},
                  {"batch", static_cast<std::uint64_t>(options_.batch)},
                  {"seed", options_.seed},
                  {"pictures", data_.train.count()},
                  {"width", static_cast<std::uint64_t>(data_.train.width)},
                  {"height", static_cast<std::uint64_t>(data_.train.height)}};
    return c;
}

Checkpoint Trainer::checkpoint() {
    Checkpoint c = settings();
    Parameters& parameters = pass_.parameters();
    c.add("value/", parameters.download_values());
    c.add("velocity/", parameters.download_velocities());
    c.add("running/", parameters.download_running());
    c.texts["device"] = device_.info().key;
    for (const auto& [task, algorithm] : pass_.options().algorithms) c.texts[algorithm_of + task] = algorithm;
    c.integers.insert({{"epoch", epoch_},
                       {"steps taken", taken_},
                       {"loss sum", bits(loss_sum_)},
                       {"hits", static_cast<std::uint64_t>(hits_)},
                       {"seconds", bits(seconds_)},
                       {"results", results_.size()}});
    for (std::size_t i = 0; i < results_.size(); ++i) {
        const EpochResult& r = results_[i];
        const std::string prefix = "result " + std::to_string(i) + " ";
        for (const auto& [name, value] : {std::pair<const char*, double>{"rate", r.learning_rate},
                                          {"train loss", r.train_loss},
                                          {"train accuracy", r.train_accuracy},
                                          {"test loss", r.test_loss},
                                          {"test accuracy", r.test_accuracy},
                                          {"speed", r.images_per_second},
                                          {"seconds", r.seconds}}) {
            c.integers[prefix + name] = bits(value);
        }
    }
    evolution_.save(c);
    return c;
}

void Trainer::resume(const Checkpoint& from) {
    const auto differs = [](const std::string& name, const std::string& theirs, const std::string& ours) {
        throw Error("the checkpoint's " + name + " is " + theirs + ", not " + ours +
                    ": give the same options as when it was begun");
    };
    const Checkpoint mine = settings();
    for (const auto& [name, text] : mine.texts) {
        if (from.text(name) != text) differs(name, "\"" + from.text(name) + "\"", "\"" + text + "\"");
    }
    for (const auto& [name, value] : mine.integers) {
        if (from.integer(name) != value) differs(name, std::to_string(from.integer(name)), std::to_string(value));
    }
    Parameters& parameters = pass_.parameters();
    parameters.upload_values(from.tensors_of("value/"));
    parameters.upload_velocities(from.tensors_of("velocity/"));
    parameters.upload_running(from.tensors_of("running/"));
    const auto real = [&](const std::string& name) { return std::bit_cast<double>(from.integer(name)); };
    epoch_ = from.integer("epoch");
    taken_ = static_cast<std::size_t>(from.integer("steps taken"));
    loss_sum_ = real("loss sum");
    hits_ = static_cast<std::int64_t>(from.integer("hits"));
    seconds_ = real("seconds");
    evolution_.load(from);
    results_.clear();
    for (std::uint64_t i = 0; i < from.integer("results"); ++i) {
        const std::string prefix = "result " + std::to_string(i) + " ";
        EpochResult r;
        r.epoch = static_cast<std::int64_t>(i) + 1;
        r.learning_rate = real(prefix + "rate");
        r.train_loss = real(prefix + "train loss");
        r.train_accuracy = real(prefix + "train accuracy");
        r.test_loss = real(prefix + "test loss");
        r.test_accuracy = real(prefix + "test accuracy");
        r.images_per_second = real(prefix + "speed");
        r.seconds = real(prefix + "seconds");
        results_.push_back(r);
    }
}

}  // namespace deconv::train
