#include "live/source_keeper.h"

#include <cmath>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "live/paced_source.h"

namespace deconv::live {
namespace {
using Clock = std::chrono::steady_clock;
constexpr auto pause = std::chrono::seconds(1);  // before another try
constexpr double stall_seconds = 2;
}  // namespace

/// A source on its way: to open a stream can take seconds, and nobody can call that off.
struct SourceKeeper::Opening {
    std::mutex mutex;
    bool done = false;
    std::unique_ptr<media::Source> source;
    std::string error;
};

void SourceKeeper::open() {
    retry_ = false;
    feed_.reset();
    opening_ = std::make_shared<Opening>();
    // The thread keeps what it works with alive: the keeper may go first.
    std::thread([opening = opening_, camera = camera_, input = input_] {
        std::unique_ptr<media::Source> source;
        std::string error;
        try {
            source = camera.empty() ? open_paced(input) : media::open_camera(camera);
        } catch (const std::exception& caught) {
            error = caught.what();
        }
        const std::lock_guard lock(opening->mutex);
        opening->source = std::move(source);
        opening->error = error;
        opening->done = true;
    }).detach();
}

void SourceKeeper::trouble(const std::string& what) {
    if (what == trouble_) return;
    trouble_ = what;
    tell_(what, true);
}

void SourceKeeper::lost(const std::string& why) {
    if (feed_) dropped_before_ += feed_->dropped();
    feed_.reset();
    opening_.reset();
    retry_ = true;
    retry_at_ = Clock::now() + pause;
    trouble(why + "; trying again");
}

void SourceKeeper::follow(const Options& options) {
    if (!asked_ || options.camera != camera_ || options.input != input_) {
        asked_ = true;
        camera_ = options.camera;
        input_ = options.input;
        open();
        return;
    }
    if (retry_ && Clock::now() >= retry_at_) open();
    if (!opening_) return;
    std::unique_ptr<media::Source> source;
    std::string error;
    {
        const std::lock_guard lock(opening_->mutex);
        if (!opening_->done) return;
        source = std::move(opening_->source);
        error = opening_->error;
    }
    opening_.reset();
    if (!source) {
        lost(error);
        return;
    }
    fps_ = source->fps();
    stills_ = source->stills();
    name_ = source->name();
    feed_ = std::make_unique<FrameFeed>(std::move(source));
}

std::optional<FedFrame> SourceKeeper::wait(double seconds) {
    if (!feed_) {
        std::this_thread::sleep_for(std::chrono::duration<double>(std::min(seconds, 0.02)));
        return std::nullopt;
    }
    try {
        std::optional<FedFrame> fed = feed_->wait(seconds);
        if (fed) {
            if (!trouble_.empty()) tell_(name_ + " is back", false);
            trouble_.clear();
            return fed;
        }
        if (feed_->ended()) {
            lost(name_ + " has ended");
        } else if (!camera_.empty() && feed_->seconds_since_frame() > stall_seconds) {
            trouble("no frame for " + std::to_string(static_cast<int>(stall_seconds)) + " seconds from " + name_ +
                    ": waiting for it");
        }
    } catch (const Error& error) {
        lost(error.what());
    }
    return std::nullopt;
}

}  // namespace deconv::live
