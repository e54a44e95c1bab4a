// The device that a test program runs on, and a way to run a network there once.
//
// The driver is chosen by the environment (VK_ICD_FILENAMES); DECONV_LIMITS=minimum pretends Vulkan's guaranteed
// minima; DECONV_TYPE=gpu pretends a GPU, so that what is chosen there runs.  The validation layer is on: a message of
// it fails the test that caused it.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "nn/model.h"
#include "nn/plan.h"
#include "vk/recording.h"

namespace deconv::testing {

struct Engine {
    gpu::Device device;
    gpu::Pipelines pipelines;
    gpu::Scheduler scheduler;

    explicit Engine(const gpu::DeviceOptions& options) : device(options), pipelines(device, {}), scheduler(device) {}
};

/// The engine of this program, made at the first call and kept to the end.
Engine& engine();

/// A network on the engine's device, planned once and run as often as wanted.
class Runner {
  public:
    Runner(nn::Graph graph, const std::map<std::string, nn::Shape>& inputs = {});

    const nn::Network& network() const { return model_.network(); }
    nn::Model& model() { return model_; }

    /// Plans anew, with a cropped way back wherever there can be one.  `target` is a tensor's name, empty for forward
    /// only.
    void plan(const std::string& target = {}, nn::Rule rule = nn::Rule::deconv,
              nn::LrnReverse lrn = nn::LrnReverse::identity, std::int64_t copies = 1,
              const std::vector<std::string>& observed = {}, bool keep_signals = false);
    /// Of the plans made from now on.
    void precision(nn::Precision precision) { precision_ = precision; }
    const nn::Plan& current() const { return *plan_; }
    gpu::Recording& recording() { return *recording_; }
    /// Records the plan anew, cut otherwise.
    void record(const gpu::Recording::Options& options);

    void set_input(const std::string& name, const std::vector<float>& values);
    void set_switches(const std::string& name, const std::vector<std::uint32_t>& values);
    /// Runs the plan once; one selection for each copy.
    void run(const std::vector<nn::Selection>& selections = {});
    /// Runs its Plan::single_steps().
    void run_single(const std::vector<nn::Selection>& selections);

    std::vector<float> values(const std::string& tensor) const;
    std::vector<std::uint32_t> switches(const std::string& tensor) const;
    /// R₀ of every copy, one after the other.
    std::vector<float> reconstruction() const;
    std::vector<nn::ResolvedSelection> selections() const;

  private:
    int index(const std::string& tensor) const;
    void request(const std::vector<nn::Selection>& selections);

    nn::Model model_;
    nn::Precision precision_ = nn::Precision::single;
    std::unique_ptr<nn::Plan> plan_;
    std::unique_ptr<gpu::Recording> recording_;
};

/// While it lives, the device says that it binds no more than so many bytes at once: what needs large networks
/// otherwise is tested on small ones.
class PretendedRange {
  public:
    explicit PretendedRange(std::uint64_t bytes);
    ~PretendedRange();
    PretendedRange(const PretendedRange&) = delete;
    PretendedRange& operator=(const PretendedRange&) = delete;

  private:
    std::uint64_t before_;
};

/// ‖a − b‖ / ‖b‖ over the whole tensor; 0 where both are zero.
double relative_error(const std::vector<float>& a, const std::vector<double>& b);

/// The folder of media and networks that are not part of the project; empty (and the test should skip, saying so)
/// where it is not there.
std::string shared_folder();

}  // namespace deconv::testing
