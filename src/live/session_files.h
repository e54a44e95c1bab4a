// What a session writes: recordings, pictures of the view or the projection, the strongest moments.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/pool.h"
#include "live/live_recording.h"
#include "live/moments.h"
#include "live/session_board.h"
#include "live/session_engines.h"

namespace deconv::live {

/// Wishes come from any thread; what they need, frames and how they were made, from the network's.  What cannot be
/// written is said on the board, and nothing else comes of it.
class SessionFiles {
  public:
    /// `board` outlives it.
    explicit SessionFiles(SessionBoard& board) : board_(board) {}

    /// Any thread, see Session.
    void record(const std::string& path);
    void stop_recording();
    bool wants_view() const;
    void offer_view(Picture view);
    void save(const std::string& path, Picture picture);
    void save_projection(const std::string& path);
    void save_best(const std::string& path);
    /// What of State is about a recording.  The board's mutex may be held.
    void tell(State& state) const;

    // From here on the network's thread.

    /// Begins or ends a recording; one can only begin once there is a picture.
    void follow_recording(const SessionEngines& engines, bool picture, double fps);
    /// Writes what was asked for; `projection` is the newest frame's, where there is one.
    void follow_saves(const SessionEngines& engines, const Moments& moments, const Picture& projection);
    /// What the next frame must bring back.
    bool wants_side_by_side() const;
    bool wants_projection() const;
    /// A frame for the recording, if there is one.
    void show(const ProjectedFrame& frame);
    /// Closes what is being recorded.  Throws the recorder's Error.
    void finish();
    /// The same after a failure: errors are swallowed.
    void drop();

  private:
    struct Save {
        std::string path;
        std::optional<Picture> picture;  // none: the next frame's projection
        bool best = false;
    };
    /// Is that being recorded?  The mutex is held.
    bool records(RecordWhat what) const;

    SessionBoard& board_;
    mutable std::mutex mutex_;  // guards what follows, up to the thread's own
    std::string record_path_;
    bool record_wanted_ = false;
    std::vector<Save> saves_;
    std::shared_ptr<LiveRecording> recording_;
    RecordWhat recorded_ = RecordWhat::side_by_side;

    Pool<Picture> enlarged_;  // the network thread's own
};

}  // namespace deconv::live
