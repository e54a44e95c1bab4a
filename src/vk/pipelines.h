// Compute pipelines, made on demand from embedded shaders and kept in a cache on disk by device and driver.
#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "vk/device.h"
#include "vk/fft.h"

namespace deconv::gpu {

/// The folder for caches: $XDG_CACHE_HOME/deconv-live or ~/.cache/deconv-live; empty where there is no home.
std::filesystem::path cache_folder();

struct Pipeline {
    vk::Pipeline handle;
    vk::PipelineLayout layout;
    vk::DescriptorSetLayout bindings;
};

/// Several threads may ask at once.
class Pipelines {
  public:
    /// Reads the cache of this device from `folder` if there is a valid one; an empty folder means none on disk.
    explicit Pipelines(const Device& device, const std::filesystem::path& folder = cache_folder());
    ~Pipelines();
    Pipelines(const Pipelines&) = delete;
    Pipelines& operator=(const Pipelines&) = delete;

    /// `constants` are the specialization constants 0, 1, …  Throws Error for an unknown shader.
    /// `types` are those of the bindings 0, 1, …
    const Pipeline& get(std::string_view shader, const std::vector<std::uint32_t>& constants,
                        const std::vector<vk::DescriptorType>& types, std::uint32_t push_bytes);
    /// Pipelines made so far: a steady frame path makes none.
    std::size_t count() const;
    /// What VkFFT compiles, kept in the same folder.
    FftCache& ffts() { return ffts_; }
    /// Writes the cache to disk if it grew; failure is silent, for a cache is only a convenience.
    void save();

  private:
    struct Made;
    const Device& device_;
    std::filesystem::path file_;
    mutable std::mutex mutex_;
    vk::UniquePipelineCache cache_;
    std::size_t saved_bytes_ = 0;
    std::map<std::string, std::unique_ptr<Made>> made_;
    FftCache ffts_;
};

}  // namespace deconv::gpu
