// Keeps a source going: opens it in the background, notices when it stalls or breaks, and tries again.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "live/feed.h"
#include "live/options.h"

namespace deconv::live {

/// One thread.  What a person should know goes to `tell`, each message once.
class SourceKeeper {
  public:
    /// `tell(text, lasting)`: what is wrong until told otherwise, or what has just passed, which ends what was wrong.
    using Tell = std::function<void(const std::string& text, bool lasting)>;
    explicit SourceKeeper(Tell tell) : tell_(std::move(tell)) {}

    /// Opens what the options name where that is another source than before, or tries again where its time has come.
    /// Never waits.
    void follow(const Options& options);
    /// The next frame if one comes within `seconds`.
    std::optional<FedFrame> wait(double seconds);

    double fps() const { return fps_; }
    bool stills() const { return stills_; }
    std::int64_t dropped() const { return dropped_before_ + (feed_ ? feed_->dropped() : 0); }
    const std::string& name() const { return name_; }

  private:
    struct Opening;
    void open();
    void lost(const std::string& why);
    void trouble(const std::string& what);

    Tell tell_;
    std::string camera_, input_;
    bool asked_ = false;
    std::shared_ptr<Opening> opening_;
    std::unique_ptr<FrameFeed> feed_;
    std::chrono::steady_clock::time_point retry_at_;
    bool retry_ = false;
    std::string trouble_;
    double fps_ = 30;
    bool stills_ = false;
    std::int64_t dropped_before_ = 0;
    std::string name_;
};

}  // namespace deconv::live
