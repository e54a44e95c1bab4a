#include "live/record_thread.h"

#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

#include "base/ring.h"

namespace deconv::live {
namespace {
constexpr std::size_t waiting = 4;
}

struct RecordThread::Shared {
    std::unique_ptr<media::Recorder> recorder;
    std::mutex mutex;
    std::condition_variable changed;
    Ring<std::shared_ptr<const Picture>, waiting> pictures;
    bool closing = false;
    std::exception_ptr failure;
    Samples times;
    std::thread thread;

    void write() {
        try {
            for (;;) {
                std::shared_ptr<const Picture> picture;
                {
                    std::unique_lock lock(mutex);
                    changed.wait(lock, [&] { return closing || !pictures.empty(); });
                    if (pictures.empty()) break;
                    picture = pictures.pop();
                    changed.notify_all();
                }
                const auto begin = std::chrono::steady_clock::now();
                recorder->add(*picture);
                times.add(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
            }
            recorder->finish();
        } catch (...) {
            const std::lock_guard lock(mutex);
            failure = std::current_exception();
            changed.notify_all();
        }
    }
};

RecordThread::RecordThread(std::unique_ptr<media::Recorder> recorder) : shared_(std::make_unique<Shared>()) {
    shared_->recorder = std::move(recorder);
    shared_->thread = std::thread([shared = shared_.get()] { shared->write(); });
}

RecordThread::~RecordThread() {
    try {
        finish();
    } catch (const std::exception&) {  // the file keeps what was written
        shared_->failure = nullptr;
    }
}

void RecordThread::add(std::shared_ptr<const Picture> picture) {
    std::unique_lock lock(shared_->mutex);
    shared_->changed.wait(lock, [&] { return shared_->failure || !shared_->pictures.full(); });
    if (shared_->failure) std::rethrow_exception(shared_->failure);
    shared_->pictures.push(std::move(picture));
    shared_->changed.notify_all();
}

void RecordThread::finish() {
    {
        const std::lock_guard lock(shared_->mutex);
        shared_->closing = true;
        shared_->changed.notify_all();
    }
    if (shared_->thread.joinable()) shared_->thread.join();
    if (shared_->failure) std::rethrow_exception(shared_->failure);
}

const Samples& RecordThread::times_ms() const {
    return shared_->times;
}

}  // namespace deconv::live
