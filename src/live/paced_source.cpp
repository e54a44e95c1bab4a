#include "live/paced_source.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

namespace deconv::live {
namespace {

using Clock = std::chrono::steady_clock;

class PacedSource : public media::Source {
  public:
    explicit PacedSource(std::string path) : path_(std::move(path)), source_(media::open_input(path_)) {
        // A folder's pictures are looked at, not played.
        seconds_ = source_->stills() ? 2.0 : 1.0 / source_->fps();
    }

    bool read(media::Frame& frame) override {
        if (still_) {  // a single picture: again and again, so that what is done to it shows
            std::this_thread::sleep_for(std::chrono::milliseconds(33));
            frame = *still_;
            return true;
        }
        // A short delay is made up for by skipping; after a long one (a pause) the count begins anew.
        if (late() > 1) start_ = Clock::now() - time_of(index_ + 1);
        while (!source_->stills() && late() > seconds_ && source_->skip()) ++index_;
        const bool given = read_on(frame);
        if (given && source_->count() == 1) still_ = frame;
        // A folder's next picture is two seconds away: too long for whoever does not want it any more.
        for (const Clock::time_point due = start_ + time_of(index_); !cancelled_ && Clock::now() < due;) {
            std::this_thread::sleep_until(std::min(due, Clock::now() + std::chrono::milliseconds(50)));
        }
        return given && !cancelled_;
    }
    void cancel() override { cancelled_ = true; }

    double fps() const override { return source_->stills() ? 30 : source_->fps(); }
    bool live() const override { return true; }
    bool on_demand() const override { return true; }
    bool stills() const override { return source_->stills(); }
    std::optional<std::int64_t> count() const override { return std::nullopt; }
    std::string name() const override { return source_->name(); }

  private:
    Clock::duration time_of(std::int64_t frame) const {
        return std::chrono::duration_cast<Clock::duration>(
            std::chrono::duration<double>(static_cast<double>(frame) * seconds_));
    }
    /// Seconds since the next frame was due.
    double late() const { return std::chrono::duration<double>(Clock::now() - (start_ + time_of(index_ + 1))).count(); }

    bool read_on(media::Frame& frame) {
        bool given = source_->read(frame);
        if (!given) {  // from the beginning
            source_ = media::open_input(path_);
            given = source_->read(frame);
        }
        ++index_;
        return given;
    }

    std::string path_;
    std::atomic<bool> cancelled_ = false;
    std::unique_ptr<media::Source> source_;
    std::optional<media::Frame> still_;
    double seconds_ = 1.0 / 30;
    Clock::time_point start_ = Clock::now();
    std::int64_t index_ = -1;  // of the frame read last, counted through all repetitions
};

}  // namespace

std::unique_ptr<media::Source> open_paced(const std::string& path) {
    return std::make_unique<PacedSource>(path);
}

}  // namespace deconv::live
