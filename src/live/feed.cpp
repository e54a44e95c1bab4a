#include "live/feed.h"

#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "base/pool.h"
#include "base/ring.h"

namespace deconv::live {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t ahead = 2;  // frames of a file that wait to be taken

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace

struct FrameFeed::Shared {
    Opener open;            // the thread's own
    Pool<FedFrame> frames;  // likewise
    mutable std::mutex mutex;
    std::condition_variable changed;
    std::shared_ptr<media::Source> source;  // null until it is open
    std::optional<SourceFacts> facts;
    std::optional<Clock::time_point> last_frame;
    Ring<std::shared_ptr<const FedFrame>, ahead> ready;
    std::exception_ptr failure;
    bool ended = false;
    bool leaving = false;
    bool gone = false;  // the thread is at its end
    std::int64_t dropped = 0;

    /// With the lock held: the oldest frame ready, or null; throws where the source broke.
    std::shared_ptr<const FedFrame> take() {
        if (ready.empty()) {
            if (failure) std::rethrow_exception(std::exchange(failure, nullptr));
            return nullptr;
        }
        std::shared_ptr<const FedFrame> frame = ready.pop();
        changed.notify_all();
        return frame;
    }

    void read_frames() {
        std::shared_ptr<media::Source> opened = open();
        {
            const std::lock_guard lock(mutex);
            source = opened;
            facts = SourceFacts{opened->name(), opened->fps(), opened->stills()};
            last_frame = Clock::now();
            if (leaving) return;
        }
        const bool live = opened->live() && !opened->on_demand();
        const std::size_t most = opened->on_demand() ? 1 : ahead;
        for (;;) {
            {
                std::unique_lock lock(mutex);
                changed.wait(lock, [&] { return leaving || live || ready.size() < most; });
                if (leaving) return;
            }
            const Clock::time_point begin = Clock::now();
            std::shared_ptr<FedFrame> fed = frames.take();
            if (!opened->read(fed->frame)) return;
            fed->capture_ms = seconds_since(begin) * 1000;
            const std::lock_guard lock(mutex);
            if (live && !ready.empty()) {
                ++dropped;
                ready.clear();
            }
            ready.push(std::move(fed));
            last_frame = Clock::now();
            changed.notify_all();
        }
    }

    void read() {
        std::exception_ptr thrown;
        try {
            read_frames();
        } catch (...) {
            thrown = std::current_exception();
        }
        std::shared_ptr<media::Source> closing;
        {
            const std::lock_guard lock(mutex);
            failure = thrown;
            ended = true;
            closing = std::move(source);
            changed.notify_all();
        }
        // Before this thread counts as gone: a camera can be opened again only once it is closed.
        closing.reset();
        const std::lock_guard lock(mutex);
        gone = true;
        changed.notify_all();
    }
};

FrameFeed::FrameFeed(Opener open) : shared_(std::make_shared<Shared>()) {
    shared_->open = std::move(open);
    // The thread keeps what it works with alive: it may outlive the feed by a read that hangs.
    std::thread([shared = shared_] { shared->read(); }).detach();
}

FrameFeed::FrameFeed(std::unique_ptr<media::Source> source)
    : FrameFeed([given = std::make_shared<std::unique_ptr<media::Source>>(std::move(source))] {
          return std::move(*given);  // asked for once
      }) {}

FrameFeed::~FrameFeed() {
    std::unique_lock lock(shared_->mutex);
    shared_->leaving = true;
    if (shared_->source) shared_->source->cancel();
    shared_->changed.notify_all();
    shared_->changed.wait_for(lock, std::chrono::milliseconds(500), [&] { return shared_->gone; });
}

std::shared_ptr<const FedFrame> FrameFeed::next(const volatile int& stop) {
    std::unique_lock lock(shared_->mutex);
    // A signal handler cannot wake a condition variable: look at the flag now and then.
    while (stop == 0 && shared_->ready.empty() && !shared_->ended) {
        shared_->changed.wait_for(lock, std::chrono::milliseconds(50));
    }
    if (stop != 0) return nullptr;
    return shared_->take();
}

std::shared_ptr<const FedFrame> FrameFeed::wait(double seconds) {
    std::unique_lock lock(shared_->mutex);
    shared_->changed.wait_for(lock, std::chrono::duration<double>(seconds),
                              [&] { return shared_->ended || !shared_->ready.empty(); });
    return shared_->take();
}

bool FrameFeed::ended() const {
    const std::lock_guard lock(shared_->mutex);
    return shared_->ended && shared_->ready.empty();
}

std::int64_t FrameFeed::dropped() const {
    const std::lock_guard lock(shared_->mutex);
    return shared_->dropped;
}

std::optional<SourceFacts> FrameFeed::facts() const {
    const std::lock_guard lock(shared_->mutex);
    return shared_->facts;
}

double FrameFeed::seconds_since_frame() const {
    const std::lock_guard lock(shared_->mutex);
    return shared_->last_frame ? seconds_since(*shared_->last_frame) : 0;
}

}  // namespace deconv::live
