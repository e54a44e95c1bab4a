// The strongest moments of the channel that an engine shows: from frames to patches.
#pragma once

#include <chrono>

#include "live/best.h"
#include "live/engine.h"

namespace deconv::live {

/// A moment is made in two steps, for its unit is projected alone, in a frame of its own.  One thread.
class Moments {
  public:
    using Time = std::chrono::steady_clock::time_point;

    void forget();
    /// Another channel than before begins anew.
    void follow(int channel);
    bool wants(float value, Time when) const;
    /// A unit of the engine's layer that is worth keeping; finish() brings its pictures.
    void begin(const Engine& engine, float value, int place, Time when);
    void finish(const Picture& camera, const Picture& projection);

    int count() const { return static_cast<int>(best_.moments().size()); }
    Picture strip() const { return best_.sheet(96); }
    Picture poster() const { return best_.poster(160); }

  private:
    LiveBest best_;
    int channel_ = -1;
    Moment next_;
    Rect field_, part_, seen_;
    Colour mean_{};
};

}  // namespace deconv::live
