#include "live/model_fetch.h"

#include <exception>
#include <utility>

namespace deconv::live {

ModelFetch::ModelFetch(CatalogueEntry entry, FetchOptions options)
    : entry_(std::move(entry)), options_(std::move(options)) {
    progress_.name = entry_.name;
    progress_.total = entry_.network.bytes;
    thread_ = std::thread([this] { run(); });
}

ModelFetch::~ModelFetch() {
    stop_ = true;
    thread_.join();
}

ModelFetch::Progress ModelFetch::progress() const {
    const std::lock_guard lock(mutex_);
    return progress_;
}

void ModelFetch::run() {
    const auto end = [this](State state, const std::string& message) {
        const std::lock_guard lock(mutex_);
        if (state == State::done) progress_.done = progress_.total;
        progress_.state = state;
        progress_.message = message;
    };
    try {
        const FetchResult result = fetch(entry_, options_, [this](const media::DownloadProgress& now) {
            const std::lock_guard lock(mutex_);
            progress_.done = now.done;
            progress_.rate = now.rate;
            progress_.verifying = now.verifying;
            return !stop_;
        });
        if (result.network.end == media::DownloadResult::End::cancelled) {
            end(State::cancelled, "stopped; what came is kept");
        } else {
            end(State::done, result.without_labels.empty() ? "" : "without labels: " + result.without_labels);
        }
    } catch (const std::exception& failure) {
        end(State::failed, failure.what());
    }
}

}  // namespace deconv::live
