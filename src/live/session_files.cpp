#include "live/session_files.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/error.h"
#include "media/letterbox.h"
#include "media/sink.h"

namespace deconv::live {

void SessionFiles::record(const std::string& path) {
    const std::lock_guard lock(mutex_);
    record_path_ = path;
    record_wanted_ = true;
}

void SessionFiles::stop_recording() {
    const std::lock_guard lock(mutex_);
    record_wanted_ = false;
}

bool SessionFiles::records(RecordWhat what) const {
    return recording_ && recorded_ == what;
}

bool SessionFiles::wants_view() const {
    const std::lock_guard lock(mutex_);
    return records(RecordWhat::view);
}

void SessionFiles::offer_view(Picture view) {
    std::shared_ptr<LiveRecording> to;
    {
        const std::lock_guard lock(mutex_);
        if (records(RecordWhat::view)) to = recording_;
    }
    if (to) to->show(std::move(view));
}

void SessionFiles::save(const std::string& path, Picture picture) {
    const std::lock_guard lock(mutex_);
    saves_.push_back({path, std::move(picture), false});
}

void SessionFiles::save_projection(const std::string& path) {
    const std::lock_guard lock(mutex_);
    saves_.push_back({path, std::nullopt, false});
}

void SessionFiles::save_best(const std::string& path) {
    const std::lock_guard lock(mutex_);
    saves_.push_back({path, std::nullopt, true});
}

void SessionFiles::tell(State& state) const {
    const std::lock_guard lock(mutex_);
    state.recording = recording_ != nullptr;
    state.recorded_seconds = recording_ ? recording_->seconds() : 0;
    state.recorded_bytes = recording_ ? recording_->bytes() : 0;
}

void SessionFiles::follow_recording(const SessionEngines& engines, bool picture, double fps) {
    std::string path;
    bool want = false;
    {
        const std::lock_guard lock(mutex_);
        want = record_wanted_;
        if (want && !recording_) path = record_path_;
    }
    try {
        if (want && !recording_) {
            if (!picture) return;
            auto fresh = std::make_shared<LiveRecording>(path, fps, engines.metadata());
            const std::lock_guard lock(mutex_);
            recording_ = std::move(fresh);
            recorded_ = engines.settings().record;
        } else if (recording_ && !recording_->failure().empty()) {
            throw Error("recording stopped: " + recording_->failure());
        } else if (!want && recording_) {
            std::shared_ptr<LiveRecording> ended;
            {
                const std::lock_guard lock(mutex_);
                ended = std::exchange(recording_, nullptr);
            }
            ended->finish();
            board_.say("wrote " + ended->path());
        }
    } catch (const Error& error) {
        {
            const std::lock_guard lock(mutex_);
            recording_.reset();
            record_wanted_ = false;
        }
        board_.say(error.what());
    }
}

void SessionFiles::follow_saves(const SessionEngines& engines, const Moments& moments, const Picture& projection) {
    std::vector<Save> due;
    {
        const std::lock_guard lock(mutex_);
        for (auto save = saves_.begin(); save != saves_.end();) {
            if (save->picture || save->best || projection.width > 0) {
                due.push_back(std::move(*save));
                save = saves_.erase(save);
            } else {
                ++save;
            }
        }
    }
    for (const Save& save : due) {
        try {
            if (save.best) {
                if (moments.count() == 0) throw Error("no strong moment of this channel yet: nothing was saved");
                media::write_png(save.path, moments.poster(), engines.metadata());
            } else {
                media::write_png(save.path, save.picture ? *save.picture : projection, engines.metadata());
            }
            board_.say("wrote " + save.path);
        } catch (const Error& error) {
            board_.say(error.what());
        }
    }
}

bool SessionFiles::wants_side_by_side() const {
    const std::lock_guard lock(mutex_);
    return records(RecordWhat::side_by_side);
}

bool SessionFiles::wants_projection() const {
    const std::lock_guard lock(mutex_);
    return records(RecordWhat::projection) ||
           std::any_of(saves_.begin(), saves_.end(), [](const Save& s) { return !s.picture && !s.best; });
}

void SessionFiles::show(const ProjectedFrame& frame) {
    std::shared_ptr<LiveRecording> to;
    bool projection = false;
    {
        const std::lock_guard lock(mutex_);
        to = recording_;
        projection = records(RecordWhat::projection);
    }
    if (!to) return;
    if (frame.view) {
        to->show(frame.view);
    } else if (projection && frame.projection.width > 0) {
        // Tiny projections are enlarged, for encoders and eyes.
        const int times = std::max(1, (479 + frame.projection.height) / frame.projection.height);
        const std::shared_ptr<Picture> large = enlarged_.take();
        media::letterbox(frame.projection, frame.projection.width * times, frame.projection.height * times, *large);
        to->show(large);
    }
}

void SessionFiles::finish() {
    if (!recording_) return;
    recording_->finish();
    std::fprintf(stderr, "deconv-live: wrote %s\n", recording_->path().c_str());
}

void SessionFiles::drop() {
    const std::lock_guard lock(mutex_);
    recording_.reset();
}

}  // namespace deconv::live
