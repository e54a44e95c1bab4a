// When a recording of something live needs a picture, so that its time is true whatever the pace of the pictures.
#pragma once

#include <algorithm>
#include <cstdint>

namespace deconv::live {

/// A recording has one picture for every tick; the first tick is at second 0.  One thread.
class RecordClock {
  public:
    /// Ticks a second.
    explicit RecordClock(double fps) : fps_(fps) {}

    /// Ticks that have come by `seconds` and were not taken yet; takes them.
    std::int64_t take_due(double seconds) {
        const std::int64_t due = std::max<std::int64_t>(0, static_cast<std::int64_t>(seconds * fps_) + 1 - taken_);
        taken_ += due;
        return due;
    }
    /// Takes one tick, due or not.
    void take() { ++taken_; }
    std::int64_t taken() const { return taken_; }
    /// The second at which the next tick comes.
    double next() const { return static_cast<double>(taken_) / fps_; }

  private:
    double fps_;
    std::int64_t taken_ = 0;
};

}  // namespace deconv::live
