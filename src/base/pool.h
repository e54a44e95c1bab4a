// Things that are used again: pictures on their way from thread to thread.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

namespace deconv {

/// Hands out values that others may share and keep; one that nobody else holds any more is handed out again, with its
/// memory and what is in it.  Grows to as many as are held at once.  One thread takes; any thread may let go.
template <typename T>
class Pool {
  public:
    std::shared_ptr<T> take() {
        for (const std::shared_ptr<T>& value : values_) {
            if (value.use_count() > 1) continue;
            // What the last holder did with it comes before what is done now.
            std::atomic_thread_fence(std::memory_order_acquire);
            return value;
        }
        values_.push_back(std::make_shared<T>());
        return values_.back();
    }

  private:
    std::vector<std::shared_ptr<T>> values_;
};

}  // namespace deconv
