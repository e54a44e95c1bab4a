#include "vk/fft.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>

#include "base/error.h"
#include "base/whole_file.h"

namespace deconv::gpu {
namespace {

/// By these the compiled shaders differ; the number of planes is only a number of workgroups.
std::string name_of(const FftShape& shape) {
    return std::to_string(shape.width) + "x" + std::to_string(shape.height) + (shape.batch > 1 ? "-many" : "-one") +
           (shape.inverse ? "-inverse" : "-forward");
}

/// Files begin with this: it changes with VkFFT and with how plans are made.
std::uint32_t file_format();

}  // namespace

std::uint32_t fft_size(std::uint32_t least) {
    for (std::uint32_t n = std::max(2U, least + least % 2);; n += 2) {
        std::uint32_t rest = n;
        for (const std::uint32_t factor : {2U, 3U, 5U, 7U}) {
            while (rest % factor == 0) rest /= factor;
        }
        if (rest == 1) return n;
    }
}

FftCache::FftCache(const Device& device, std::filesystem::path folder)
    : folder_(std::move(folder)), key_(device.info().key) {
    // Pretended limits make other shaders.
    key_ += "-" + std::to_string(device.limits().workgroup_invocations) + "-" +
            std::to_string(device.limits().shared_memory);
}

std::filesystem::path FftCache::file_of(const std::string& name) const {
    return folder_ / ("fft-" + key_ + "-" + name + ".bin");
}

std::vector<std::byte> FftCache::get(const FftShape& shape) {
    const std::lock_guard lock(mutex_);
    const std::string name = name_of(shape);
    std::vector<std::byte>& code = kept_[name];
    if (!code.empty() || folder_.empty()) return code;
    std::ifstream stream(file_of(name), std::ios::binary);
    std::vector<char> bytes((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
    // Format, length, code: a file cut short is as good as none.
    std::uint32_t head[2] = {0, 0};
    if (bytes.size() > sizeof head) std::memcpy(head, bytes.data(), sizeof head);
    if (head[0] != file_format() || head[1] != bytes.size() - sizeof head) return {};
    const auto* begin = reinterpret_cast<const std::byte*>(bytes.data());
    code.assign(begin + sizeof head, begin + bytes.size());
    return code;
}

void FftCache::put(const FftShape& shape, std::vector<std::byte> code) {
    const std::lock_guard lock(mutex_);
    const std::string name = name_of(shape);
    kept_[name] = std::move(code);
    if (folder_.empty()) return;
    const std::vector<std::byte>& kept = kept_[name];
    const std::uint32_t head[2] = {file_format(), static_cast<std::uint32_t>(kept.size())};
    std::string bytes(reinterpret_cast<const char*>(head), sizeof head);
    bytes.append(reinterpret_cast<const char*>(kept.data()), kept.size());
    write_cache_file(file_of(name).string(), bytes);
}

}  // namespace deconv::gpu

#ifdef DECONV_VKFFT

namespace {

/// The device that VkFFT makes a plan for in this thread.
thread_local const deconv::gpu::Device* current_device = nullptr;

/// VkFFT asks the driver; it shall get what the rest of the program assumes.
void pretended_properties(VkPhysicalDevice physical, VkPhysicalDeviceProperties* properties) {
    vkGetPhysicalDeviceProperties(physical, properties);
    const deconv::gpu::Limits& limits = current_device->limits();
    properties->limits.maxComputeWorkGroupInvocations = limits.workgroup_invocations;
    properties->limits.maxComputeSharedMemorySize = limits.shared_memory;
    for (std::size_t i = 0; i < 3; ++i) {
        properties->limits.maxComputeWorkGroupSize[i] = limits.workgroup_size.at(i);
        properties->limits.maxComputeWorkGroupCount[i] = limits.workgroup_count.at(i);
    }
}

/// VkFFT uploads its tables through the queue that others submit to.
VkResult guarded_submit(VkQueue queue, std::uint32_t count, const VkSubmitInfo* infos, VkFence fence) {
    const std::lock_guard lock(current_device->queue_mutex());
    return vkQueueSubmit(queue, count, infos, fence);
}

/// A transform in place writes what the one before wrote, and VkFFT's barriers stand before reads alone.
void full_barrier(VkCommandBuffer commands, VkPipelineStageFlags from, VkPipelineStageFlags to,
                  VkDependencyFlags dependencies, std::uint32_t memory, const VkMemoryBarrier* barriers,
                  std::uint32_t buffers, const VkBufferMemoryBarrier* buffer_barriers, std::uint32_t images,
                  const VkImageMemoryBarrier* image_barriers) {
    std::vector<VkMemoryBarrier> wider(barriers, barriers + memory);
    for (VkMemoryBarrier& barrier : wider) barrier.dstAccessMask |= VK_ACCESS_SHADER_WRITE_BIT;
    vkCmdPipelineBarrier(commands, from, to, dependencies, memory, wider.data(), buffers, buffer_barriers, images,
                         image_barriers);
}

}  // namespace

// What VkFFT calls, as it is to be called here.  Its complaints go where all messages go.
#include <cstdio>
#define VKFFT_BACKEND 0
#define vkGetPhysicalDeviceProperties pretended_properties
#define vkQueueSubmit guarded_submit
#define vkCmdPipelineBarrier full_barrier
#define printf(...) std::fprintf(stderr, __VA_ARGS__)
#include <vkFFT.h>
#undef printf
#undef vkCmdPipelineBarrier
#undef vkQueueSubmit
#undef vkGetPhysicalDeviceProperties

namespace deconv::gpu {
namespace {

std::uint32_t file_format() {
    return 0x01000000U + static_cast<std::uint32_t>(VkFFTGetVersion());
}

/// VkFFT sets the program's locale while it generates code.
std::mutex& making() {
    static std::mutex mutex;
    return mutex;
}

}  // namespace

struct FftPlan::Made {
    // VkFFT keeps pointers to all of these.
    VkPhysicalDevice physical = nullptr;
    VkDevice device = nullptr;
    VkQueue queue = nullptr;
    VkCommandPool pool = nullptr;
    VkFence fence = nullptr;
    VkBuffer buffer = nullptr;
    std::uint64_t buffer_bytes = 0;
    vk::UniqueCommandPool owned_pool;
    vk::UniqueFence owned_fence;

    std::uint64_t offset = 0;
    bool inverse = false;
    std::unique_ptr<VkFFTApplication> application;  // 400 KB

    Made(const Device& of, const FftShape& shape, const Slice& data)
        : physical(of.physical()),
          device(of.handle()),
          queue(of.queue()),
          buffer(data.buffer),
          buffer_bytes(data.offset + data.bytes),
          owned_pool(of.handle().createCommandPoolUnique({{}, of.queue_family()})),
          owned_fence(of.handle().createFenceUnique({})),
          offset(data.offset),
          inverse(shape.inverse) {
        pool = *owned_pool;
        fence = *owned_fence;
    }
    ~Made() {
        if (application) deleteVkFFT(application.get());
    }
    Made(const Made&) = delete;
    Made& operator=(const Made&) = delete;

    /// False where VkFFT refuses.  With `code` it compiles nothing.
    VkFFTResult initialize(const FftShape& shape, std::vector<std::byte>& code) {
        VkFFTConfiguration configuration{};
        configuration.FFTdim = 2;
        configuration.size[0] = shape.width;
        configuration.size[1] = shape.height;
        configuration.numberBatches = shape.batch;
        configuration.performR2C = 1;
        configuration.makeForwardPlanOnly = inverse ? 0 : 1;
        configuration.makeInversePlanOnly = inverse ? 1 : 0;
        configuration.useLUT = 1;  // sines computed in the shader are too coarse on some drivers
        configuration.specifyOffsetsAtLaunch = 1;
        configuration.isCompilerInitialized = 1;
        configuration.physicalDevice = &physical;
        configuration.device = &device;
        configuration.queue = &queue;
        configuration.commandPool = &pool;
        configuration.fence = &fence;
        configuration.buffer = &buffer;
        configuration.bufferSize = &buffer_bytes;
        if (code.empty()) {
            configuration.saveApplicationToString = 1;
        } else {
            configuration.loadApplicationFromString = 1;
            configuration.loadApplicationString = code.data();
        }
        application = std::make_unique<VkFFTApplication>();
        const VkFFTResult result = initializeVkFFT(application.get(), configuration);
        if (result != VKFFT_SUCCESS) application.reset();  // it has freed what it had
        return result;
    }
};

bool has_fft() {
    return true;
}

FftPlan::FftPlan(const Device& device, FftCache& cache, const FftShape& shape, const Slice& data)
    : made_(std::make_unique<Made>(device, shape, data)) {
    const std::lock_guard lock(making());
    current_device = &device;
    std::vector<std::byte> code = cache.get(shape);
    const bool compile = code.empty();
    const VkFFTResult result = made_->initialize(shape, code);
    current_device = nullptr;
    if (result != VKFFT_SUCCESS) {
        throw Error("VkFFT makes no plan of " + name_of(shape) + " on " + device.info().name + " (its error " +
                    std::to_string(static_cast<int>(result)) + ")");
    }
    if (compile) {
        const auto* begin = static_cast<const std::byte*>(made_->application->saveApplicationString);
        cache.put(shape, {begin, begin + made_->application->applicationStringSize});
    }
}

FftPlan::~FftPlan() = default;

void FftPlan::record(vk::CommandBuffer commands) {
    VkCommandBuffer handle = commands;
    VkFFTLaunchParams launch{};
    launch.commandBuffer = &handle;
    launch.bufferOffset = launch.inputBufferOffset = launch.outputBufferOffset = made_->offset;
    const VkFFTResult result = VkFFTAppend(made_->application.get(), made_->inverse ? 1 : -1, &launch);
    if (result != VKFFT_SUCCESS) {
        throw Error("VkFFT records nothing (its error " + std::to_string(static_cast<int>(result)) + ")");
    }
}

}  // namespace deconv::gpu

#else

namespace deconv::gpu {
namespace {

std::uint32_t file_format() {
    return 0;
}

}  // namespace

struct FftPlan::Made {};

bool has_fft() {
    return false;
}

FftPlan::FftPlan(const Device& /*device*/, FftCache& /*cache*/, const FftShape& /*shape*/, const Slice& /*data*/) {
    throw Error("this program was built without VkFFT");
}

FftPlan::~FftPlan() = default;

void FftPlan::record(vk::CommandBuffer /*commands*/) {}

}  // namespace deconv::gpu

#endif
