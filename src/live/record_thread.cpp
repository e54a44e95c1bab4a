#include "live/record_thread.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

namespace deconv::live {
namespace {
constexpr std::size_t waiting = 4;
}

struct RecordThread::Shared {
    std::unique_ptr<media::Recorder> recorder;
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Picture> pictures;
    bool closing = false;
    std::exception_ptr failure;
    std::vector<double> times;
    std::thread thread;

    void write() {
        try {
            for (;;) {
                Picture picture;
                {
                    std::unique_lock lock(mutex);
                    changed.wait(lock, [&] { return closing || !pictures.empty(); });
                    if (pictures.empty()) break;
                    picture = std::move(pictures.front());
                    pictures.pop_front();
                    changed.notify_all();
                }
                const auto begin = std::chrono::steady_clock::now();
                recorder->add(picture);
                times.push_back(
                    std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
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

void RecordThread::add(Picture picture) {
    std::unique_lock lock(shared_->mutex);
    shared_->changed.wait(lock, [&] { return shared_->failure || shared_->pictures.size() < waiting; });
    if (shared_->failure) std::rethrow_exception(shared_->failure);
    shared_->pictures.push_back(std::move(picture));
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

const std::vector<double>& RecordThread::times_ms() const {
    return shared_->times;
}

}  // namespace deconv::live
