#include "live/live_recording.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "base/error.h"
#include "live/record_clock.h"
#include "media/letterbox.h"

namespace deconv::live {
namespace {
using Clock = std::chrono::steady_clock;
}

struct LiveRecording::Shared {
    std::string path;
    RecordClock clock;
    media::Recorder recorder;
    Clock::time_point begin = Clock::now();
    mutable std::mutex mutex;
    std::condition_variable changed;
    std::shared_ptr<const Picture> newest;
    bool closing = false;
    std::string failure;
    std::int64_t bytes = 0;
    std::thread thread;

    Shared(const std::string& to, double rate, media::Metadata metadata)
        : path(to), clock(rate), recorder(to, rate, std::move(metadata)) {}

    void write() {
        std::shared_ptr<const Picture> current;
        Picture fitted;
        int width = 0;
        int height = 0;
        try {
            for (bool last = false; !last;) {
                {
                    std::unique_lock lock(mutex);
                    const auto due = begin + std::chrono::duration_cast<Clock::duration>(
                                                 std::chrono::duration<double>(clock.next()));
                    changed.wait_until(lock, due, [&] { return closing; });
                    last = closing;
                    if (newest) {
                        current = std::exchange(newest, nullptr);
                    } else if (last) {
                        break;
                    }
                }
                if (!current) {
                    // The clock starts with the first picture.
                    const std::lock_guard lock(mutex);
                    begin = Clock::now();
                    if (!last) std::this_thread::sleep_for(std::chrono::milliseconds(5));
                    continue;
                }
                if (width == 0) {
                    width = current->width;
                    height = current->height;
                }
                const bool fits = current->width == width && current->height == height;
                if (!fits) media::letterbox(*current, width, height, fitted);
                recorder.add(fits ? *current : fitted);
                clock.take();
                const std::lock_guard lock(mutex);
                bytes = recorder.bytes();
            }
            recorder.finish();
        } catch (const std::exception& error) {
            const std::lock_guard lock(mutex);
            failure = error.what();
        }
    }
};

LiveRecording::LiveRecording(const std::string& path, double fps, media::Metadata metadata)
    : shared_(std::make_unique<Shared>(path, fps, std::move(metadata))) {
    shared_->thread = std::thread([shared = shared_.get()] { shared->write(); });
}

LiveRecording::~LiveRecording() {
    try {
        finish();
    } catch (const std::exception&) {  // the file keeps what was written
        shared_->closing = true;
    }
}

void LiveRecording::show(std::shared_ptr<const Picture> picture) {
    const std::lock_guard lock(shared_->mutex);
    shared_->newest = std::move(picture);
}

void LiveRecording::show(Picture picture) {
    show(std::make_shared<const Picture>(std::move(picture)));
}

std::string LiveRecording::failure() const {
    const std::lock_guard lock(shared_->mutex);
    return shared_->failure;
}

void LiveRecording::finish() {
    {
        const std::lock_guard lock(shared_->mutex);
        shared_->closing = true;
    }
    shared_->changed.notify_all();
    if (shared_->thread.joinable()) shared_->thread.join();
    if (!shared_->failure.empty()) throw Error(shared_->failure);
}

const std::string& LiveRecording::path() const {
    return shared_->path;
}

double LiveRecording::seconds() const {
    const std::lock_guard lock(shared_->mutex);
    return std::chrono::duration<double>(Clock::now() - shared_->begin).count();
}

std::int64_t LiveRecording::bytes() const {
    const std::lock_guard lock(shared_->mutex);
    return shared_->bytes;
}

}  // namespace deconv::live
