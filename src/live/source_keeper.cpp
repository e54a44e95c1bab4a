#include "live/source_keeper.h"

#include <algorithm>
#include <thread>

#include "base/error.h"
#include "live/paced_source.h"

namespace deconv::live {
namespace {
using Clock = std::chrono::steady_clock;
constexpr auto pause = std::chrono::seconds(1);  // before another try
constexpr double stall_seconds = 2;
}  // namespace

void SourceKeeper::open() {
    retry_ = known_ = false;
    feed_ = std::make_unique<FrameFeed>(
        [camera = camera_, input = input_] { return camera.empty() ? open_paced(input) : media::open_camera(camera); });
}

void SourceKeeper::close() {
    if (feed_) dropped_before_ += feed_->dropped();
    feed_.reset();
}

void SourceKeeper::trouble(const std::string& what) {
    if (what == trouble_) return;
    trouble_ = what;
    tell_(what, true);
}

void SourceKeeper::lost(const std::string& why) {
    close();
    retry_ = true;
    retry_at_ = Clock::now() + pause;
    trouble(why + "; trying again");
}

void SourceKeeper::follow(const Options& options) {
    if (!asked_ || options.camera != camera_ || options.input != input_) {
        asked_ = true;
        camera_ = options.camera;
        input_ = options.input;
        if (!trouble_.empty()) tell_("", false);
        trouble_.clear();
        close();
        open();
    } else if (retry_ && Clock::now() >= retry_at_) {
        open();
    }
}

std::shared_ptr<const FedFrame> SourceKeeper::wait(double seconds) {
    if (!feed_) {
        std::this_thread::sleep_for(std::chrono::duration<double>(std::min(seconds, 0.02)));
        return nullptr;
    }
    try {
        std::shared_ptr<const FedFrame> fed = feed_->wait(seconds);
        if (!known_) {
            if (const std::optional<SourceFacts> facts = feed_->facts()) {
                facts_ = *facts;
                known_ = true;
            }
        }
        if (fed) {
            if (!trouble_.empty()) tell_(facts_.name + " is back", false);
            trouble_.clear();
            return fed;
        }
        if (feed_->ended()) {
            lost(facts_.name + " has ended");
        } else if (!camera_.empty() && feed_->seconds_since_frame() > stall_seconds) {
            // A camera or stream; what is played from a file comes when its time has come.
            trouble("no frame for " + std::to_string(static_cast<int>(stall_seconds)) + " seconds from " + facts_.name +
                    ": waiting for it");
        }
    } catch (const Error& error) {
        lost(error.what());
    }
    return nullptr;
}

}  // namespace deconv::live
