// A source on a thread of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "media/source.h"

namespace deconv::live {

/// A frame and what it took to get it.
struct FedFrame {
    media::Frame frame;
    double capture_ms = 0;
};

/// Reads a source ahead.  Live sources: the newest frame wins, older ones are dropped and counted.  Files: every frame,
/// in order; the thread waits when two are ready.
class FrameFeed {
  public:
    explicit FrameFeed(std::unique_ptr<media::Source> source);
    /// Never waits more than half a second: a source that hangs is left behind.
    ~FrameFeed();
    FrameFeed(const FrameFeed&) = delete;
    FrameFeed& operator=(const FrameFeed&) = delete;

    /// The next frame; nothing where the source has ended, or where `stop` became true meanwhile.  Throws what the
    /// source threw.
    std::optional<FedFrame> next(const volatile int& stop);
    /// The next frame if one comes within `seconds`.  Throws what the source threw.
    std::optional<FedFrame> wait(double seconds);
    bool ended() const;
    std::int64_t dropped() const;
    /// Since the last frame came from the source, or since the feed began: how a stalled stream is told.
    double seconds_since_frame() const;

  private:
    struct Shared;
    std::shared_ptr<Shared> shared_;
};

}  // namespace deconv::live
