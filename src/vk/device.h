// The Vulkan device: which one, what it offers as plain data, and its queue.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>
#include <vulkan/vulkan.hpp>

namespace deconv::gpu {

/// What the rest of the program may assume of the device.  Plain data, so that a test can pretend less.
struct Limits {
    std::uint32_t workgroup_invocations = 128;
    std::array<std::uint32_t, 3> workgroup_size{128, 128, 64};
    std::array<std::uint32_t, 3> workgroup_count{65535, 65535, 65535};
    std::uint32_t shared_memory = 16384;                   // bytes a workgroup
    std::uint32_t storage_buffers = 4;                     // a shader stage
    std::uint32_t push_constants = 128;                    // bytes
    std::uint64_t storage_range = std::uint64_t{1} << 27;  // bytes of one storage buffer binding
    std::uint64_t storage_alignment = 256;                 // bytes, of a binding's offset, texel buffers too
    std::uint32_t texel_elements = 65536;                  // of one texel buffer binding
    std::uint64_t allocation = std::uint64_t{1} << 30;     // bytes of one allocation

    /// Vulkan 1.2's guaranteed minima (the member initialisers above).
    static Limits minimum() { return {}; }
};

enum class DeviceType { discrete, integrated, virtual_gpu, cpu, other };
const char* to_string(DeviceType type);

struct DeviceInfo {
    int index = 0;  // as --list-devices numbers them
    std::string name;
    std::string driver;  // driver name and version, for people
    DeviceType type = DeviceType::other;
    std::uint32_t api_version = 0;
    std::uint32_t subgroup_size = 1;
    bool subgroup_broadcast = false;  // subgroupBroadcast in compute shaders
    bool subgroup_shuffle = false;    // subgroupShuffle likewise
    bool wide_words = false;          // integers of 64 bits, on a CPU, whose drivers write them in half the time
    bool half_precision = false;      // float16 arithmetic
    bool cooperative_matrix = false;  // products of 16×16×16, halves summed in floats, by subgroups of 32
    std::uint64_t memory = 0;         // bytes of the largest device-local heap
    Limits limits;
    std::string key;  // identifies device and driver version, for caches on disk
};

struct DeviceOptions {
    std::string choice;           // index, or part of a name; empty: the best one
    bool minimum_limits = false;  // pretend that only the guaranteed minima are there
    /// Load the validation layer and collect its messages.  The environment's DECONV_VALIDATION=1 does so too, and then
    /// they also go to standard error: for tests of the whole program.
    bool validation = false;
    std::vector<const char*> instance_extensions;  // for a window
    std::vector<const char*> device_extensions;
};

/// Devices in the order of preference: discrete, integrated, virtual, CPU.  Empty where there is no driver.
std::vector<DeviceInfo> list_devices();

/// An open device with one queue for compute.  Objects made from it must be gone before it.  Creation of objects may
/// be called from several threads; the queue is guarded by queue_mutex().
class Device {
  public:
    /// Throws Error: no driver, no such device (naming those that are there), no validation layer.
    explicit Device(const DeviceOptions& options = {});
    ~Device();
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    const DeviceInfo& info() const { return info_; }
    const Limits& limits() const { return info_.limits; }

    vk::Instance instance() const { return *instance_; }
    vk::PhysicalDevice physical() const { return physical_; }
    vk::Device handle() const { return *device_; }
    vk::Queue queue() const { return queue_; }
    std::uint32_t queue_family() const { return queue_family_; }
    std::mutex& queue_mutex() const { return queue_mutex_; }
    /// Nanoseconds of one timestamp step; 0 where the queue has no timestamps.
    double timestamp_ns() const { return timestamp_ns_; }

    /// Messages of the validation layer so far, and forgets them.  Empty without validation.
    std::vector<std::string> take_validation_messages() const;

    /// The index of a memory type among `allowed` with all of `required` and, if possible, `preferred`.
    std::uint32_t memory_type(std::uint32_t allowed, vk::MemoryPropertyFlags required,
                              vk::MemoryPropertyFlags preferred) const;

    /// Records commands once, submits them and waits: for set-up, never in the frame path.
    template <typename F>
    void run_once(F&& record) const {
        vk::UniqueCommandPool pool = device_->createCommandPoolUnique({{}, queue_family_});
        std::vector<vk::UniqueCommandBuffer> commands =
            device_->allocateCommandBuffersUnique({*pool, vk::CommandBufferLevel::ePrimary, 1});
        commands[0]->begin({vk::CommandBufferUsageFlagBits::eOneTimeSubmit});
        record(*commands[0]);
        commands[0]->end();
        submit_and_wait(*commands[0]);
    }

  private:
    struct Messages;
    void submit_and_wait(vk::CommandBuffer commands) const;

    std::unique_ptr<Messages> messages_;
    vk::UniqueInstance instance_;
    VkDebugUtilsMessengerEXT messenger_ = VK_NULL_HANDLE;
    vk::PhysicalDevice physical_;
    DeviceInfo info_;
    vk::UniqueDevice device_;
    vk::Queue queue_;
    std::uint32_t queue_family_ = 0;
    mutable std::mutex queue_mutex_;
    double timestamp_ns_ = 0;
};

}  // namespace deconv::gpu
