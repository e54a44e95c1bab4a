#include "nn/tuner.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>

#include "base/error.h"
#include "base/half.h"
#include "base/whole_file.h"

namespace deconv::nn {
namespace {

/// Runs of a task to a submission: a GPU that is waited for after each short kernel clocks low.
int repeats_of(const gpu::DeviceInfo& device) {
    return device.type == gpu::DeviceType::cpu ? 1 : 16;
}
/// Collects the dispatches of one task, with constants and scratch memory of its own.
class TrialEmitter : public Emitter {
  public:
    TrialEmitter(const gpu::Device& device, std::string algorithm)
        : device_(device), algorithm_(std::move(algorithm)), constants_(device) {}

    void emit(gpu::Dispatch dispatch) override { steps_.push_back({std::move(dispatch), {}, "trial"}); }
    void copy(const gpu::Copy& copy, const std::string& label) override {
        steps_.push_back(gpu::copy_step(copy, "trial", label));
    }
    const gpu::DeviceInfo& device() const override { return device_.info(); }
    gpu::Slice constant(const HostTensor& data, const std::string& layout,
                        const std::function<std::vector<float>()>& pack) override {
        return constants_.get(data, layout, pack, kept_);
    }
    using Emitter::constant;
    gpu::Slice unused() override { return constants_.unused(); }
    gpu::Slice scratch(std::uint64_t bytes) override {
        if (bytes > scratch_.bytes()) {
            old_scratch_.push_back(std::move(scratch_));  // earlier dispatches are bound to it
            scratch_ = gpu::Buffer(device_, bytes, gpu::MemoryUse::device);
        }
        return scratch_.slice().part(0, bytes);
    }
    std::string choice(const std::string& /*task*/) const override { return algorithm_; }

    const std::vector<gpu::Step>& steps() const { return steps_; }

  private:
    const gpu::Device& device_;
    std::string algorithm_;
    ConstantStore constants_;
    KeptConstants kept_;
    gpu::Buffer scratch_;
    std::vector<gpu::Buffer> old_scratch_;
    std::vector<gpu::Step> steps_;
};

/// Of algorithms and of how they are measured; what an earlier one found is measured anew.
constexpr int generation = 6;

struct Trial {
    const ConvolutionAlgorithm* algorithm = nullptr;
    std::unique_ptr<TrialEmitter> emitter;
    std::unique_ptr<gpu::Recording> recording;
    double best_ms = 0;
    int runs = 0;
};

/// Milliseconds of one run of the task.
double run(const gpu::Device& device, gpu::Scheduler& scheduler, const gpu::Recording& recording) {
    const auto begin = std::chrono::steady_clock::now();
    scheduler.wait(scheduler.submit(recording));
    double ms = 0;
    for (const gpu::SegmentTime& time : recording.times()) ms += time.end_ms - time.start_ms;
    if (ms <= 0) ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    return ms / repeats_of(device.info());
}

std::string best_of(const std::map<std::string, double>& milliseconds) {
    const auto best = std::min_element(milliseconds.begin(), milliseconds.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    return best == milliseconds.end() ? std::string() : best->first;
}

}  // namespace

Tuner::Tuner(const gpu::Device& device, gpu::Pipelines& pipelines, const std::filesystem::path& folder)
    : device_(device), pipelines_(pipelines) {
    if (folder.empty()) return;
    file_ = folder / ("tuning-" + device.info().key + ".json");
    load();
}

void Tuner::recall(Model& model) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [task, milliseconds] : known_) model.choices().set(task, best_of(milliseconds));
}

bool Tuner::tune(Model& model, const Plan& plan, const std::function<bool()>& go_on) {
    std::vector<const ConvolutionTask*> learned;
    std::map<std::string, std::string> before;  // what ran, by task
    const auto may_go_on = [&] { return !go_on || go_on(); };
    const auto choose = [&](const ConvolutionTask& task, const std::string& algorithm) {
        const std::string name = describe(task);
        before.emplace(name, model.choices().get(name));
        model.choices().set(name, algorithm);
    };
    const auto default_of = [&](const ConvolutionTask& task) {
        return std::string(default_algorithm(task, device_.info()).name());
    };
    for (const ConvolutionTask& task : plan.convolutions()) {
        if (measured(describe(task)).empty()) {
            if (!may_go_on()) break;
            learned.push_back(&task);
        }
        choose(task, best_of(times(task)));
    }
    // A machine that is shared has slow spells, which meet some algorithms more than others: what was found better than
    // the default must be so some time later, too.
    for (const ConvolutionTask* task : learned) {
        if (best_of(times(*task)) == default_of(*task)) continue;
        if (!may_go_on()) break;
        choose(*task, best_of(measure_again(*task)));
    }
    if (!learned.empty()) save();
    return std::any_of(plan.convolutions().begin(), plan.convolutions().end(), [&](const ConvolutionTask& task) {
        const auto found = before.find(describe(task));
        if (found == before.end()) return false;
        return model.choices().get(found->first) != (found->second.empty() ? default_of(task) : found->second);
    });
}

std::map<std::string, double> Tuner::measure_again(const ConvolutionTask& task) {
    const std::lock_guard one_at_a_time(tuning_);
    std::map<std::string, double> now = measure(task);
    const std::lock_guard lock(mutex_);
    std::map<std::string, double>& least = known_[describe(task)];
    for (const auto& [algorithm, ms] : now) {
        const auto [found, is_new] = least.emplace(algorithm, ms);
        found->second = std::min(found->second, ms);
    }
    return least;
}

std::map<std::string, double> Tuner::times(const ConvolutionTask& task) {
    const std::lock_guard one_at_a_time(tuning_);
    const std::string name = describe(task);
    std::map<std::string, double> milliseconds = measured(name);
    if (milliseconds.empty()) {
        milliseconds = measure(task);
        const std::lock_guard lock(mutex_);
        known_[name] = milliseconds;
    }
    return milliseconds;
}

std::map<std::string, double> Tuner::measured(const std::string& task) const {
    const std::lock_guard lock(mutex_);
    const auto found = known_.find(task);
    return found == known_.end() ? std::map<std::string, double>() : found->second;
}

std::map<std::string, double> Tuner::measure(const ConvolutionTask& task) {
    const auto bytes = [&](std::int64_t elements, Layout layout) {
        return static_cast<std::uint64_t>(elements * task.images * element_bytes(layout));
    };
    const gpu::Buffer source(device_, bytes(task.source_elements(), task.source_layout), gpu::MemoryUse::device);
    const gpu::Buffer destination(device_, bytes(task.destination_elements(), task.destination_layout),
                                  gpu::MemoryUse::device);
    std::vector<std::uint32_t> values(source.bytes() / 4);
    std::mt19937 random(1);
    const auto value = [&] { return static_cast<float>(random() % 1024) / 512.0F - 1.0F; };
    for (std::uint32_t& word : values) {
        word = task.source_layout == Layout::halves
                   ? std::uint32_t{float_to_half(value())} | std::uint32_t{float_to_half(value())} << 16U
                   : std::bit_cast<std::uint32_t>(value());
    }
    gpu::upload(device_, std::as_bytes(std::span(values)), source.slice());

    ConvolutionTask trial_task = task;
    trial_task.source = source.slice();
    trial_task.source_stride = 0;
    trial_task.destination = destination.slice();
    trial_task.accumulate = false;
    trial_task.rectifier.reset();
    gpu::Buffer switches;
    if (task.pool && task.pool->switches) {
        switches = gpu::Buffer(device_, std::max(source.bytes(), destination.bytes()), gpu::MemoryUse::device);
        trial_task.pool->switches = switches.slice();
    }
    std::vector<Trial> trials;
    for (const ConvolutionAlgorithm* algorithm : convolution_algorithms()) {
        if (!can_run(*algorithm, trial_task, device_.info()) || !algorithm->may_win(trial_task, device_.info()))
            continue;
        Trial trial;
        trial.algorithm = algorithm;
        trial.emitter = std::make_unique<TrialEmitter>(device_, std::string(algorithm->name()));
        for (int repeat = 0; repeat < repeats_of(device_.info()); ++repeat)
            emit_convolution(*trial.emitter, trial_task);
        trial.recording = std::make_unique<gpu::Recording>(device_, pipelines_, trial.emitter->steps(),
                                                           gpu::Recording::Options::guess(device_.info()));
        trials.push_back(std::move(trial));
    }
    gpu::Scheduler scheduler(device_);
    // A GPU that did little clocks low, and then memory seems faster beside arithmetic than it is.
    const auto warm_until = std::chrono::steady_clock::now() +
                            std::chrono::milliseconds(device_.info().type == gpu::DeviceType::cpu ? 0 : 200);
    while (std::chrono::steady_clock::now() < warm_until) {
        for (Trial& trial : trials) run(device_, scheduler, *trial.recording);
    }
    // In turns, so that what else the machine does meets all alike; who is far behind is left out.
    // Short runs differ more from one another, and cost less.
    double best = 0;
    const auto rounds = [&] { return best > 2 ? 8 : 24; };
    for (int round = 0; round < rounds(); ++round) {
        for (Trial& trial : trials) {
            if (round > 2 && trial.best_ms > 2 * best) continue;
            const double ms = run(device_, scheduler, *trial.recording);
            trial.recording->finished();  // cuts it as a frame's steps are cut
            if (round == 0) continue;     // caches are cold
            trial.best_ms = trial.runs++ == 0 ? ms : std::min(trial.best_ms, ms);
            best = best == 0 ? trial.best_ms : std::min(best, trial.best_ms);
        }
    }
    std::map<std::string, double> milliseconds;
    for (const Trial& trial : trials) milliseconds[std::string(trial.algorithm->name())] = trial.best_ms;
    return milliseconds;
}

void Tuner::load() {
    std::ifstream stream(file_);
    if (!stream) return;
    const nlohmann::json json = nlohmann::json::parse(stream, nullptr, false);
    try {
        if (json.is_discarded() || json.at("version") != DECONV_VERSION || json.at("generation") != generation) return;
        known_ = json.at("tasks").get<decltype(known_)>();
    } catch (const nlohmann::json::exception&) {  // a damaged file is as good as none
        known_.clear();
    }
}

void Tuner::save() const {
    if (file_.empty()) return;
    nlohmann::json json = {{"version", DECONV_VERSION}, {"generation", generation}, {"device", device_.info().name}};
    {
        const std::lock_guard lock(mutex_);
        json["tasks"] = known_;
    }
    write_cache_file(file_.string(), json.dump(1) + "\n");
}

}  // namespace deconv::nn
