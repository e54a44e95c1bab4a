// Keeps a source going: opens it in the background, notices when it stalls or breaks, and tries again.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "live/feed.h"
#include "live/options.h"

namespace deconv::live {

/// One thread; never waits longer than it is told.
class SourceKeeper {
  public:
    /// `tell(text, lasting)`: what is wrong until told otherwise, or what has just passed, which ends what was wrong.
    using Tell = std::function<void(const std::string& text, bool lasting)>;
    explicit SourceKeeper(Tell tell) : tell_(std::move(tell)) {}

    /// Opens what the options name where that is another source than before, or tries again where its time has come.
    void follow(const Options& options);
    /// The next frame if one comes within `seconds`.
    std::shared_ptr<const FedFrame> wait(double seconds);

    double fps() const { return facts_.fps; }
    bool stills() const { return facts_.stills; }
    const std::string& name() const { return facts_.name; }
    /// Frames that were dropped because a newer one came, since the program began.
    std::int64_t dropped() const { return dropped_before_ + (feed_ ? feed_->dropped() : 0); }

  private:
    void open();
    void close();
    void lost(const std::string& why);
    void trouble(const std::string& what);

    Tell tell_;
    std::string camera_, input_;
    bool asked_ = false, retry_ = false;
    bool known_ = false;  // facts_ are those of the feed
    std::unique_ptr<FrameFeed> feed_;
    std::chrono::steady_clock::time_point retry_at_;
    std::string trouble_;
    SourceFacts facts_;
    std::int64_t dropped_before_ = 0;
};

}  // namespace deconv::live
