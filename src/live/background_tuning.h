// Finds the fastest algorithms for a network while it is shown.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "live/engine.h"
#include "nn/tuner.h"

namespace deconv::live {

/// Tunes one network after the other on a thread of its own.  All members are the session's thread's.
class BackgroundTuning {
  public:
    explicit BackgroundTuning(nn::Tuner& tuner) : tuner_(tuner) {}
    /// Leaves between two measurements.
    ~BackgroundTuning();
    BackgroundTuning(const BackgroundTuning&) = delete;
    BackgroundTuning& operator=(const BackgroundTuning&) = delete;

    /// Begins with what the engine runs, where nothing is being tuned and it is not the plan tuned last.
    void begin(const Engine& engine);
    /// True once after a tuning that found something faster: an engine made now runs it.
    bool found_better();

  private:
    void stop();

    nn::Tuner& tuner_;
    std::weak_ptr<LoadedNetwork> last_;
    int last_target_ = -1;
    nn::Precision last_precision_ = nn::Precision::single;
    std::atomic<bool> leave_{false}, running_{false}, better_{false};
    std::thread thread_;
};

}  // namespace deconv::live
