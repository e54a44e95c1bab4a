#include "live/feed.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

namespace deconv::live {
namespace {
constexpr std::size_t ahead = 2;  // frames of a file that wait to be taken
}

struct FrameFeed::Shared {
    std::unique_ptr<media::Source> source;
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<FedFrame> ready;
    std::exception_ptr failure;
    bool ended = false;
    bool leaving = false;
    bool gone = false;  // the thread is at its end
    std::int64_t dropped = 0;
    std::chrono::steady_clock::time_point last_frame = std::chrono::steady_clock::now();

    /// With the lock held: the oldest frame ready, or nothing; throws where the source broke.
    std::optional<FedFrame> take() {
        if (ready.empty()) {
            if (failure) std::rethrow_exception(std::exchange(failure, nullptr));
            return std::nullopt;
        }
        FedFrame frame = std::move(ready.front());
        ready.pop_front();
        changed.notify_all();
        return frame;
    }

    void read() {
        const bool live = source->live();
        for (;;) {
            {
                std::unique_lock lock(mutex);
                changed.wait(lock, [&] { return leaving || live || ready.size() < ahead; });
                if (leaving) break;
            }
            std::optional<media::Frame> frame;
            const auto begin = std::chrono::steady_clock::now();
            try {
                frame = source->next();
            } catch (...) {
                const std::lock_guard lock(mutex);
                failure = std::current_exception();
                break;
            }
            const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
            if (!frame) break;
            const std::lock_guard lock(mutex);
            if (live && !ready.empty()) {
                ++dropped;
                ready.clear();
            }
            last_frame = std::chrono::steady_clock::now();
            ready.push_back({std::move(*frame), took.count()});
            changed.notify_all();
        }
        const std::lock_guard lock(mutex);
        ended = true;
        gone = true;
        changed.notify_all();
    }
};

FrameFeed::FrameFeed(std::unique_ptr<media::Source> source) : shared_(std::make_shared<Shared>()) {
    shared_->source = std::move(source);
    // The thread keeps what it works with alive: it may outlive the feed by a read that hangs.
    std::thread([shared = shared_] { shared->read(); }).detach();
}

FrameFeed::~FrameFeed() {
    std::unique_lock lock(shared_->mutex);
    shared_->leaving = true;
    shared_->changed.notify_all();
    shared_->changed.wait_for(lock, std::chrono::milliseconds(500), [&] { return shared_->gone; });
}

std::optional<FedFrame> FrameFeed::next(const volatile int& stop) {
    std::unique_lock lock(shared_->mutex);
    // A signal handler cannot wake a condition variable: look at the flag now and then.
    while (stop == 0 && shared_->ready.empty() && !shared_->ended) {
        shared_->changed.wait_for(lock, std::chrono::milliseconds(50));
    }
    if (stop != 0) return std::nullopt;
    return shared_->take();
}

std::optional<FedFrame> FrameFeed::wait(double seconds) {
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

double FrameFeed::seconds_since_frame() const {
    const std::lock_guard lock(shared_->mutex);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - shared_->last_frame).count();
}

}  // namespace deconv::live
