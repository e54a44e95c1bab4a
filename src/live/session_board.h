// What a session's network thread shares with those who steer and watch it.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "live/session.h"

namespace deconv::live {

/// Settings go in, the state comes out, messages stand for a while.  Any thread; who reads or writes the members holds
/// `mutex`, the functions take it themselves.
struct SessionBoard {
    explicit SessionBoard(Settings first) : wanted(std::move(first)) {}

    mutable std::mutex mutex;
    Settings wanted;
    std::uint64_t changes = 1;  // of `wanted`
    State state;

    /// Says a line in the window and on standard error; one that lasts stands until another takes its place.
    void tell(const std::string& text, bool lasting);
    /// A line about what has just happened.  While a refusal stands it waits; of several that wait the last is shown.
    void say(const std::string& text);
    /// Why what was asked for is not done: stands for said_seconds, whatever happens meanwhile, but a newer refusal.
    void say_refused(const std::string& text);
    /// Shows what waited once its time has come; to be called a few times a second.
    void follow_messages();

  private:
    using Clock = std::chrono::steady_clock;
    void show(const std::string& text, Clock::time_point now);
    bool refusal_stands(Clock::time_point now) const { return now < refused_until_; }

    Clock::time_point refused_until_;
    std::optional<std::string> waiting_;
};

}  // namespace deconv::live
