// A source on a thread of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "media/source.h"

namespace deconv::live {

/// A frame and what it took to get it.
struct FedFrame {
    media::Frame frame;
    double capture_ms = 0;
};

/// What is known of a source once it is open.
struct SourceFacts {
    std::string name;
    double fps = 30;
    bool stills = false;
};

/// Opens a source and reads it ahead.  Live sources: the newest frame wins, older ones are dropped and counted.  Files:
/// every frame, in order; the thread waits when two are ready.
class FrameFeed {
  public:
    using Opener = std::function<std::unique_ptr<media::Source>()>;

    explicit FrameFeed(std::unique_ptr<media::Source> source);
    /// Opens on the feed's thread, so that a camera that does not answer holds nobody up.  What `open` throws comes out
    /// of next() or wait(), as what the source throws does.  It must keep what it works with alive.
    explicit FrameFeed(Opener open);
    /// Closes the source.  Never waits more than half a second: one that hangs is left behind.
    ~FrameFeed();
    FrameFeed(const FrameFeed&) = delete;
    FrameFeed& operator=(const FrameFeed&) = delete;

    /// The next frame; null where the source has ended, or where `stop` became true meanwhile.  Throws what the source
    /// threw.  Its memory is used again once nobody holds it.
    std::shared_ptr<const FedFrame> next(const volatile int& stop);
    /// The next frame if one comes within `seconds`.  Throws what the source threw.
    std::shared_ptr<const FedFrame> wait(double seconds);
    bool ended() const;
    std::int64_t dropped() const;

    /// Nothing while the source is being opened.
    std::optional<SourceFacts> facts() const;
    /// Since the source gave its last frame, taken or not; before its first, since it was opened; 0 while it is being
    /// opened.  A live source that is silent for seconds has stalled: it may come back by itself, or throw.
    double seconds_since_frame() const;

  private:
    struct Shared;
    std::shared_ptr<Shared> shared_;
};

}  // namespace deconv::live
