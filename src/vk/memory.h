// Device memory: buffers, slices of them, and arenas that hand slices out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "vk/device.h"

namespace deconv::gpu {

/// A part of a buffer, as it is bound.  Owns nothing.
struct Slice {
    vk::Buffer buffer;
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;

    explicit operator bool() const { return static_cast<bool>(buffer); }
    /// `bytes` of this slice from `from` on; both in bytes.
    Slice part(std::uint64_t from, std::uint64_t size) const { return {buffer, offset + from, size}; }
};

/// How many bytes a texel view of `slice` covers, at least all of it.  lavapipe (22.3) compiles a shader again for each
/// combination of two properties of every view that it reads: whether its buffer's size is a power of two, and whether
/// bits 8 to 15 of the view's size are all zero (it takes them for a texture's last level).  So buffers are never a
/// power of two long and views never have those bits zero, where the slice's buffer is a Buffer; what nobody reads is
/// at most `texel_tail` bytes long.
std::uint64_t texel_view_bytes(const Slice& slice);
constexpr std::uint64_t texel_tail = 256;

enum class MemoryUse {
    device,    // storage that shaders read and write
    upload,    // written by the host, read by shaders and copies
    readback,  // written by shaders and copies, read by the host
};

/// A buffer with memory of its own, and `texel_tail` bytes behind what it promises.  Host-visible kinds stay mapped.
class Buffer {
  public:
    Buffer() = default;
    /// Throws Error with the size where memory runs out.
    Buffer(const Device& device, std::uint64_t bytes, MemoryUse use);

    /// Writes `data` from byte `at` on, and waits: directly where the host sees the memory, else by a staging buffer.
    void fill(const Device& device, std::span<const std::byte> data, std::uint64_t at = 0);

    Slice slice() const { return {*buffer_, 0, bytes_}; }
    std::uint64_t bytes() const { return bytes_; }
    /// Mapped memory; empty where the host cannot see it.
    std::span<std::byte> mapped() const { return mapped_; }
    template <typename T>
    T* as() const {
        return reinterpret_cast<T*>(mapped_.data());
    }

  private:
    vk::UniqueDeviceMemory memory_;  // outlives the buffer bound to it
    vk::UniqueBuffer buffer_;
    std::uint64_t bytes_ = 0;
    std::span<std::byte> mapped_;
};

/// Hands out slices of device memory and frees them all at once.  One thread at a time.
class Arena {
  public:
    explicit Arena(const Device& device, std::uint64_t chunk_bytes = std::uint64_t{16} << 20);

    Slice allocate(std::uint64_t bytes);
    /// Allocates and fills.
    Slice upload(std::span<const std::byte> data);
    std::uint64_t bytes() const { return total_; }

  private:
    const Device& device_;
    std::uint64_t chunk_bytes_;
    std::vector<Buffer> chunks_;
    std::uint64_t used_ = 0;  // of the last chunk
    std::uint64_t total_ = 0;
};

/// A copy between buffers, in a recording: all of `from` to `to`, or, with rows, so many runs of `row_bytes`, which
/// begin `from_step` and `to_step` bytes after one another.  Zeros are written where `from` is empty.
struct Copy {
    Slice from, to;  // all that is touched
    std::uint32_t rows = 1;
    std::uint64_t row_bytes = 0, from_step = 0, to_step = 0;
};

/// Copies a slice of device memory to the host, and waits: for tests and for what is read once.
void download(const Device& device, const Slice& slice, std::span<std::byte> to);
/// The reverse: host to device, and waits.
void upload(const Device& device, std::span<const std::byte> from, const Slice& slice);

std::uint64_t align_up(std::uint64_t value, std::uint64_t alignment);

}  // namespace deconv::gpu
