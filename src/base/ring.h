// A queue in memory of fixed size.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <utility>

namespace deconv {

/// First in, first out, at most N; allocates nothing itself.  What is taken out leaves an empty value behind.
template <typename T, std::size_t N>
class Ring {
  public:
    bool empty() const { return size_ == 0; }
    bool full() const { return size_ == N; }
    std::size_t size() const { return size_; }
    static constexpr std::size_t capacity() { return N; }

    /// The i-th from the oldest.
    const T& operator[](std::size_t i) const {
        assert(i < size_);
        return values_[(first_ + i) % N];
    }
    const T& front() const { return (*this)[0]; }
    const T& back() const { return (*this)[size_ - 1]; }

    void push(T value) {
        assert(!full());
        values_[(first_ + size_) % N] = std::move(value);
        ++size_;
    }
    /// Where it is full the oldest goes.
    void push_over(T value) {
        if (full()) static_cast<void>(pop());
        push(std::move(value));
    }
    T pop() {
        assert(!empty());
        T value = std::exchange(values_[first_], T{});
        first_ = (first_ + 1) % N;
        --size_;
        return value;
    }
    void clear() {
        while (!empty()) static_cast<void>(pop());
    }

  private:
    std::array<T, N> values_{};
    std::size_t first_ = 0, size_ = 0;
};

}  // namespace deconv
