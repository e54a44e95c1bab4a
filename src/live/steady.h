// What keeps numbers calm for the eye: the strongest channel with hysteresis, and rates over the last second.
#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

#include "base/ring.h"

namespace deconv::live {

/// `strongest` for the eye: another channel takes over only after it has led by a tenth for half a second.
class SteadyStrongest {
  public:
    using Clock = std::chrono::steady_clock;

    void forget() { held_ = -1; }
    int held() const { return held_; }
    void see(int strongest, const std::vector<float>& peaks, Clock::time_point now = Clock::now()) {
        const auto peak = [&](int c) { return peaks[static_cast<std::size_t>(c)]; };
        if (held_ < 0 || held_ >= static_cast<int>(peaks.size())) held_ = strongest;
        if (strongest == held_ || peak(strongest) <= 1.1F * peak(held_)) {
            rival_ = -1;
            return;
        }
        if (rival_ != strongest) {
            rival_ = strongest;
            since_ = now;
        } else if (now - since_ >= std::chrono::milliseconds(500)) {
            held_ = strongest;
            rival_ = -1;
        }
    }

  private:
    int held_ = -1, rival_ = -1;
    Clock::time_point since_;
};

/// How often something happens, over the last second or so; of what is frequent, over the last times.
class Rate {
  public:
    using Clock = std::chrono::steady_clock;

    void tick(Clock::time_point now = Clock::now()) {
        times_.push_over(now);
        while (times_.size() > 2 && now - times_.front() > std::chrono::milliseconds(1500))
            static_cast<void>(times_.pop());
    }
    double per_second() const {
        if (times_.size() < 2) return 0;
        const double span = std::chrono::duration<double>(times_.back() - times_.front()).count();
        return span > 0 ? static_cast<double>(times_.size() - 1) / span : 0;
    }

  private:
    Ring<Clock::time_point, 128> times_;
};

}  // namespace deconv::live
