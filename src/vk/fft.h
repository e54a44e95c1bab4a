// Batches of two-dimensional Fourier transforms of real planes, by VkFFT.
//
// Forward, a plane of `height` rows of `width` floats, each row padded to 2 · (width / 2 + 1), becomes in its place
// `height` rows of width / 2 + 1 complex numbers (real and imaginary part side by side): X[v, u] = Σ x[y, x]
// exp(−2πi (v y / height + u x / width)).  Inverse, the other way with +2πi and without a factor: both ways one after
// the other give height · width times the plane.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "vk/memory.h"

namespace deconv::gpu {

struct FftShape {
    std::uint32_t width = 0, height = 0;
    std::uint32_t batch = 1;  // planes, one after the other
    bool inverse = false;

    /// Of one plane.
    std::uint64_t plane_bytes() const { return std::uint64_t{8} * (width / 2 + 1) * height; }
};

/// Was the program built with VkFFT?
bool has_fft();
/// The next even number, from `least` on, without prime factors above 7: sizes that transform fast and right.
std::uint32_t fft_size(std::uint32_t least);

/// VkFFT's compiled shaders, by size: generating and compiling them takes up to half a second, using them again a few
/// milliseconds.  Kept in memory, and in files of `folder` by device and driver.  Several threads may ask.
class FftCache {
  public:
    /// An empty folder: nothing is kept on disk.
    FftCache(const Device& device, std::filesystem::path folder);

    /// What put() was given for shapes of that size and direction; empty where nothing was.
    std::vector<std::byte> get(const FftShape& shape);
    void put(const FftShape& shape, std::vector<std::byte> code);

  private:
    std::filesystem::path file_of(const std::string& name) const;

    std::filesystem::path folder_;
    std::string key_;
    std::mutex mutex_;
    std::map<std::string, std::vector<std::byte>> kept_;
};

/// One batch of transforms at one place in memory, ready to be recorded any number of times.
class FftPlan {
  public:
    /// `data` holds the planes in place, 8-byte aligned; its buffer must outlive the plan.  Throws Error where VkFFT
    /// cannot make it, or was not built in.
    FftPlan(const Device& device, FftCache& cache, const FftShape& shape, const Slice& data);
    ~FftPlan();
    FftPlan(const FftPlan&) = delete;
    FftPlan& operator=(const FftPlan&) = delete;

    /// One thread at a time.  What wrote the planes must be visible to shaders.
    void record(vk::CommandBuffer commands);

  private:
    struct Made;
    std::unique_ptr<Made> made_;
};

}  // namespace deconv::gpu
