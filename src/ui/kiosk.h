// The window left to itself: an exhibit that shows what it can while nobody touches it.
#pragma once

#include <chrono>

#include "ui/view_state.h"

namespace deconv::ui {

/// Walks through stages and their strong channels once nobody has touched anything for a while.  One thread.
class Kiosk {
  public:
    using Clock = std::chrono::steady_clock;
    static constexpr auto patience = std::chrono::seconds(20);  // from the last touch to the walk
    static constexpr auto pace = std::chrono::seconds(5);       // a channel
    static constexpr auto cursor_rest = std::chrono::seconds(3);

    explicit Kiosk(Clock::time_point now = Clock::now()) : touched_(now - patience) {}

    /// Somebody pressed a key or moved the mouse.
    void touch(Clock::time_point now = Clock::now()) { touched_ = now; }
    bool idle(Clock::time_point now = Clock::now()) const { return now - touched_ >= patience; }
    bool cursor_hidden(Clock::time_point now = Clock::now()) const { return now - touched_ >= cursor_rest; }

    /// Takes the next step of the walk where it is due; true where the settings changed.
    bool step(const live::State& state, live::Settings& settings, ViewState& view,
              Clock::time_point now = Clock::now());

  private:
    Clock::time_point touched_, stepped_;
    bool walking_ = false;
    int steps_ = 0;
};

}  // namespace deconv::ui
