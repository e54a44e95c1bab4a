// The engines of a session: the one whose pictures are shown and the other side of a comparison, as the settings want
// them.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/trace.h"
#include "live/background_tuning.h"
#include "live/engine.h"
#include "live/report.h"
#include "live/session_board.h"
#include "live/steady.h"
#include "media/sink.h"

namespace deconv::live {

/// Takes settings from the board, has engines made in the background while the ones before run, and takes them up or
/// takes the settings back.  One thread, the one that runs the frames.
class SessionEngines {
  public:
    /// All references, and the trace if there is one, outlive it.  `drain` collects the frames under way: an engine
    /// goes only when none is its own.
    SessionEngines(const gpu::Device& device, gpu::Pipelines& pipelines, gpu::Scheduler& scheduler, SessionBoard& board,
                   std::function<void()> drain, Trace* trace);

    /// Takes up what was set since the last call.
    void take_settings();
    /// What is in force; it follows the board's with take_settings(), and changes where something is refused.
    const Settings& settings() const { return current_; }
    /// Asks for engines as the settings want them, for pictures of this size (0: not known yet), and takes up those
    /// that were made.  True where the strongest moments are no longer the shown channel's.
    bool follow(int picture_width, int picture_height);
    /// Waits until an engine was made, at most `seconds`.
    void wait(double seconds) { builder_.wait(seconds); }

    /// Null until the first one was made.
    Engine* engine() const { return engine_.get(); }
    /// Null unless two selections are compared.
    Engine* second() const { return second_.get(); }
    /// What the next frame projects: the settings' selections as the engines' layers allow them.
    nn::Selection selection() const;
    nn::Selection second_selection() const;
    /// The settings of now, as the command line would give them.  Needs an engine.
    media::Metadata metadata() const;

    /// A frame of the engine, and of the second one or null: `strongest` follows it.
    void see(const ProjectedFrame& frame, const ProjectedFrame* other);
    /// How many channels a mosaic projects follows from how long a frame's took.
    void follow_budget(const ProjectedFrame& frame);
    /// Looks for faster algorithms for the engine, where that is allowed.
    void begin_tuning();
    /// True once for every engine: its first frame also warms caches up.
    bool first_frame() { return std::exchange(fresh_plan_, false); }

  private:
    void adopt(std::unique_ptr<Engine> made);
    void adopt_second(std::unique_ptr<Engine> made);
    void refuse(const std::string& error);
    void resolve_first(const Engine& made);
    std::pair<int, nn::Selection> first_choice(const Engine& made);
    void follow_first(int width, int height, bool look);
    void follow_second(int width, int height, bool look);
    void look_at_file();
    EngineSpec wanted_spec() const;

    const bool slow_device_;
    SessionBoard& board_;
    std::function<void()> drain_;
    Trace* trace_;
    Settings current_;
    nn::Tuner tuner_;
    BackgroundTuning tuning_;
    int tuned_ = 0;            // how often faster algorithms were found
    std::uint64_t taken_ = 0;  // changes that `current_` has
    bool look_again_ = true;   // what is to run may have changed
    NetworkShelf shelf_;
    EngineBuilder builder_, second_builder_;
    std::unique_ptr<Engine> engine_, second_;
    std::optional<EngineSpec> asked_, second_asked_;
    Trace::Time asked_at_;  // when somebody asked, or when the watched file was written
    bool first_engine_ = true;
    bool forget_moments_ = false;
    int batch_ = 4;             // channels a frame of a mosaic
    std::int64_t watched_ = 0;  // time of the network's file
    std::chrono::steady_clock::time_point looked_;
    SteadyStrongest strongest_, second_strongest_;
    bool fresh_plan_ = true;
};

}  // namespace deconv::live
