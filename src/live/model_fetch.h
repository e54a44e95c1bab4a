// One network being fetched in the background, for the window: started, looked at every frame, cancelled at any time.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "live/catalogue.h"

namespace deconv::live {

/// Owns its thread.  All members may be called from any thread; none of them waits for the network.
class ModelFetch {
  public:
    enum class State { running, done, cancelled, failed };
    struct Progress {
        std::string name;  // the network's
        State state = State::running;
        std::uint64_t done = 0, total = 0;  // bytes
        double rate = 0.0;                  // bytes a second; 0 while unknown
        bool verifying = false;             // done counts the bytes that were checked
        std::string message;  // one line: what went wrong, or what there is to know of a network that came
    };

    /// Starts at once.
    explicit ModelFetch(CatalogueEntry entry, FetchOptions options = {});
    /// Cancels and waits for the thread, a fraction of a second; what came so far is continued by the next fetch.
    ~ModelFetch();
    ModelFetch(const ModelFetch&) = delete;
    ModelFetch& operator=(const ModelFetch&) = delete;

    Progress progress() const;
    /// Returns at once; the state becomes cancelled soon, unless it is done by then.
    void cancel() { stop_ = true; }

  private:
    void run();

    const CatalogueEntry entry_;
    const FetchOptions options_;
    std::atomic<bool> stop_ = false;
    mutable std::mutex mutex_;
    Progress progress_;   // under the mutex
    std::thread thread_;  // the last member: it uses all others
};

}  // namespace deconv::live
