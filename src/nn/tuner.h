// Measures which algorithm runs a convolution fastest on a device, and remembers it.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "nn/model.h"
#include "nn/plan.h"
#include "vk/pipelines.h"
#include "vk/recording.h"

namespace deconv::nn {

/// What is known is kept in a file of the cache folder by device, driver and the program's version; another version
/// measures anew.  A program without a tuner runs every device's defaults: the same on every run.
///
/// In a live program: recall() before the first plan; after the first picture tune() in a thread of its own, with
/// `go_on` to leave early; where it says true, make a new plan and replace the running one.  Any thread may call;
/// tune() and times() run once at a time.  It submits in short segments, so frames of the same queue go between.
class Tuner {
  public:
    /// An empty folder: nothing is kept on disk.
    Tuner(const gpu::Device& device, gpu::Pipelines& pipelines,
          const std::filesystem::path& folder = gpu::cache_folder());

    /// Gives a model the choices that are known.
    void recall(Model& model) const;
    /// Measures what is not known of a plan's convolutions (of each algorithm the least of several runs; where that is
    /// not the default's, again when all are measured), gives the model the choices, and saves them.  True where a plan
    /// made now would run something else.  `go_on` is asked before each convolution.  Throws Error where memory runs
    /// out or the device is lost.
    bool tune(Model& model, const Plan& plan, const std::function<bool()>& go_on = {});

    /// Milliseconds by algorithm of one task: what is known, or else measured now (and not yet saved).
    std::map<std::string, double> times(const ConvolutionTask& task);
    void save() const;

    /// Milliseconds by algorithm, of a task as describe() names it; empty where it is not known.
    std::map<std::string, double> measured(const std::string& task) const;

  private:
    std::map<std::string, double> measure(const ConvolutionTask& task);
    /// Of what is known and what is measured now, the less.
    std::map<std::string, double> measure_again(const ConvolutionTask& task);
    void load();

    const gpu::Device& device_;
    gpu::Pipelines& pipelines_;
    std::filesystem::path file_;
    std::mutex tuning_;                                           // who measures
    mutable std::mutex mutex_;                                    // of known_
    std::map<std::string, std::map<std::string, double>> known_;  // by task, by algorithm
};

}  // namespace deconv::nn
