#include "vk/device.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "vk/cooperative_matrix.h"

namespace deconv::gpu {
namespace {

constexpr const char* validation_layer = "VK_LAYER_KHRONOS_validation";

vk::UniqueInstance make_instance(const DeviceOptions& options, void* next) {
    vk::ApplicationInfo application("deconv-live", 1, "deconv-live", 1, VK_API_VERSION_1_2);
    std::vector<const char*> extensions = options.instance_extensions;
    std::vector<const char*> layers;
    vk::InstanceCreateFlags flags;
    // Portability drivers (Vulkan on another API) are listed only when asked for.
    for (const auto& extension : vk::enumerateInstanceExtensionProperties()) {
        if (std::strcmp(extension.extensionName, VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME) == 0) {
            extensions.push_back(VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME);
            flags |= vk::InstanceCreateFlagBits::eEnumeratePortabilityKHR;
        }
    }
    if (options.validation) {
        layers.push_back(validation_layer);
        extensions.push_back(VK_EXT_DEBUG_UTILS_EXTENSION_NAME);
    }
    try {
        return vk::createInstanceUnique(vk::InstanceCreateInfo(flags, &application, layers, extensions, next));
    } catch (const vk::LayerNotPresentError&) {
        throw Error("the Vulkan validation layer is not installed (Debian: vulkan-validationlayers)");
    } catch (const vk::IncompatibleDriverError&) {
        throw Error("no Vulkan driver found: install one (Debian: mesa-vulkan-drivers)");
    }
}

DeviceType type_of(vk::PhysicalDeviceType type) {
    switch (type) {
        case vk::PhysicalDeviceType::eDiscreteGpu:
            return DeviceType::discrete;
        case vk::PhysicalDeviceType::eIntegratedGpu:
            return DeviceType::integrated;
        case vk::PhysicalDeviceType::eVirtualGpu:
            return DeviceType::virtual_gpu;
        case vk::PhysicalDeviceType::eCpu:
            return DeviceType::cpu;
        default:
            return DeviceType::other;
    }
}

bool has_extension(vk::PhysicalDevice device, const char* name) {
    const auto extensions = device.enumerateDeviceExtensionProperties();
    return std::any_of(extensions.begin(), extensions.end(), [&](const vk::ExtensionProperties& extension) {
        return std::strcmp(extension.extensionName, name) == 0;
    });
}

DeviceInfo describe(vk::Instance instance, vk::PhysicalDevice device) {
    const auto chain = device.getProperties2<vk::PhysicalDeviceProperties2, vk::PhysicalDeviceVulkan11Properties,
                                             vk::PhysicalDeviceVulkan12Properties>();
    const auto& properties = chain.get<vk::PhysicalDeviceProperties2>().properties;
    const auto& core11 = chain.get<vk::PhysicalDeviceVulkan11Properties>();
    const auto& core12 = chain.get<vk::PhysicalDeviceVulkan12Properties>();
    DeviceInfo info;
    info.name = properties.deviceName.data();
    info.driver = std::string(core12.driverName.data()) + " " + core12.driverInfo.data();
    info.type = type_of(properties.deviceType);
    info.api_version = properties.apiVersion;
    info.subgroup_size = core11.subgroupSize;
    info.subgroup_broadcast = (core11.subgroupSupportedStages & vk::ShaderStageFlagBits::eCompute) &&
                              (core11.subgroupSupportedOperations & vk::SubgroupFeatureFlagBits::eBallot);
    info.subgroup_shuffle = (core11.subgroupSupportedStages & vk::ShaderStageFlagBits::eCompute) &&
                            (core11.subgroupSupportedOperations & vk::SubgroupFeatureFlagBits::eShuffle);
    const vk::PhysicalDeviceLimits& limits = properties.limits;
    info.limits.workgroup_invocations = limits.maxComputeWorkGroupInvocations;
    info.limits.workgroup_size = limits.maxComputeWorkGroupSize;
    info.limits.workgroup_count = limits.maxComputeWorkGroupCount;
    info.limits.shared_memory = limits.maxComputeSharedMemorySize;
    info.limits.storage_buffers = limits.maxPerStageDescriptorStorageBuffers;
    info.limits.push_constants = limits.maxPushConstantsSize;
    info.limits.storage_range = limits.maxStorageBufferRange;
    info.limits.storage_alignment =
        std::max(limits.minStorageBufferOffsetAlignment, limits.minTexelBufferOffsetAlignment);
    info.limits.texel_elements = limits.maxTexelBufferElements;
    info.limits.allocation = core11.maxMemoryAllocationSize;
    const auto features = device.getFeatures2<vk::PhysicalDeviceFeatures2, vk::PhysicalDeviceVulkan11Features,
                                              vk::PhysicalDeviceVulkan12Features>();
    info.wide_words = info.type == DeviceType::cpu && features.get<vk::PhysicalDeviceFeatures2>().features.shaderInt64;
    info.half_precision = features.get<vk::PhysicalDeviceVulkan12Features>().shaderFloat16;
    info.cooperative_matrix = info.half_precision && info.subgroup_size == 32 &&
                              features.get<vk::PhysicalDeviceVulkan12Features>().vulkanMemoryModel &&
                              features.get<vk::PhysicalDeviceVulkan12Features>().vulkanMemoryModelDeviceScope &&
                              has_extension(device, cooperative_matrix_extension) &&
                              multiplies_matrices(instance, device);
    const vk::PhysicalDeviceMemoryProperties memory = device.getMemoryProperties();
    for (std::uint32_t i = 0; i < memory.memoryHeapCount; ++i) {
        if (memory.memoryHeaps[i].flags & vk::MemoryHeapFlagBits::eDeviceLocal) {
            info.memory = std::max<std::uint64_t>(info.memory, memory.memoryHeaps[i].size);
        }
    }
    char key[64];
    std::snprintf(key, sizeof key, "%04x-%04x-%08x-", properties.vendorID, properties.deviceID,
                  properties.driverVersion);
    info.key = key;
    for (const std::uint8_t byte : properties.pipelineCacheUUID) {
        std::snprintf(key, sizeof key, "%02x", byte);
        info.key += key;
    }
    return info;
}

struct Found {
    vk::PhysicalDevice device;
    DeviceInfo info;
};

std::vector<Found> find_devices(vk::Instance instance) {
    std::vector<Found> found;
    for (const vk::PhysicalDevice device : instance.enumeratePhysicalDevices()) {
        if (device.getProperties().apiVersion < VK_API_VERSION_1_2) continue;
        found.push_back({device, describe(instance, device)});
    }
    std::stable_sort(found.begin(), found.end(),
                     [](const Found& a, const Found& b) { return a.info.type < b.info.type; });
    for (std::size_t i = 0; i < found.size(); ++i) found[i].info.index = static_cast<int>(i);
    return found;
}

std::string lower(std::string text) {
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return text;
}

const Found& choose(const std::vector<Found>& found, const std::string& choice) {
    if (found.empty()) {
        throw Error("no Vulkan 1.2 driver found: install one (Debian: mesa-vulkan-drivers), then see --list-devices");
    }
    if (choice.empty()) return found.front();
    std::string names;
    for (const Found& f : found) {
        names += (names.empty() ? "" : ", ") + std::to_string(f.info.index) + " " + f.info.name;
    }
    if (std::all_of(choice.begin(), choice.end(), [](unsigned char c) { return std::isdigit(c) != 0; })) {
        const unsigned long index = choice.size() < 6 ? std::stoul(choice) : found.size();
        if (index < found.size()) return found[index];
        throw Error("no device " + choice + "; there is: " + names);
    }
    for (const Found& f : found) {
        if (lower(f.info.name).find(lower(choice)) != std::string::npos ||
            lower(f.info.driver).find(lower(choice)) != std::string::npos) {
            return f;
        }
    }
    throw Error("no device named \"" + choice + "\"; there is: " + names);
}

}  // namespace

const char* to_string(DeviceType type) {
    switch (type) {
        case DeviceType::discrete:
            return "discrete GPU";
        case DeviceType::integrated:
            return "integrated GPU";
        case DeviceType::virtual_gpu:
            return "virtual GPU";
        case DeviceType::cpu:
            return "CPU";
        case DeviceType::other:
            break;
    }
    return "other";
}

struct Device::Messages {
    std::mutex mutex;
    std::vector<std::string> lines;
    bool aloud = false;

    static VKAPI_ATTR VkBool32 VKAPI_CALL collect(VkDebugUtilsMessageSeverityFlagBitsEXT /*severity*/,
                                                  VkDebugUtilsMessageTypeFlagsEXT /*types*/,
                                                  const VkDebugUtilsMessengerCallbackDataEXT* data, void* user) {
        auto& messages = *static_cast<Messages*>(user);
        const std::lock_guard lock(messages.mutex);
        messages.lines.emplace_back(data->pMessage != nullptr ? data->pMessage : "(no text)");
        if (messages.aloud) std::fprintf(stderr, "Vulkan validation: %s\n", messages.lines.back().c_str());
        return VK_FALSE;
    }
};

std::vector<DeviceInfo> list_devices() {
    std::vector<DeviceInfo> infos;
    try {
        const vk::UniqueInstance instance = make_instance({}, nullptr);
        for (Found& found : find_devices(*instance)) infos.push_back(std::move(found.info));
    } catch (const Error&) {  // a loader without any driver is an empty list here
        infos.clear();
    }
    return infos;
}

Device::Device(const DeviceOptions& wanted) : messages_(std::make_unique<Messages>()) {
    DeviceOptions options = wanted;
    const char* from_environment = std::getenv("DECONV_VALIDATION");
    messages_->aloud = from_environment != nullptr && std::strcmp(from_environment, "1") == 0;
    options.validation = options.validation || messages_->aloud;
    VkDebugUtilsMessengerCreateInfoEXT messenger{};
    messenger.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT;
    messenger.messageSeverity =
        VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT;
    messenger.messageType =
        VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT;
    messenger.pfnUserCallback = Messages::collect;
    messenger.pUserData = messages_.get();
    const std::array enabled{vk::ValidationFeatureEnableEXT::eSynchronizationValidation};
    vk::ValidationFeaturesEXT features(enabled, {}, &messenger);
    instance_ = make_instance(options, options.validation ? &features : nullptr);
    if (options.validation) {
        const auto create = reinterpret_cast<PFN_vkCreateDebugUtilsMessengerEXT>(
            instance_->getProcAddr("vkCreateDebugUtilsMessengerEXT"));
        if (create == nullptr || create(*instance_, &messenger, nullptr, &messenger_) != VK_SUCCESS) {
            throw Error("the Vulkan validation layer gives no messages");
        }
    }

    const Found found = choose(find_devices(*instance_), options.choice);
    physical_ = found.device;
    info_ = found.info;
    if (options.minimum_limits) {
        const std::uint64_t alignment = std::max(info_.limits.storage_alignment, Limits::minimum().storage_alignment);
        info_.limits = Limits::minimum();
        info_.limits.storage_alignment = alignment;
        info_.wide_words = false;
        info_.half_precision = false;
        info_.cooperative_matrix = false;
        info_.subgroup_broadcast = false;
        info_.subgroup_shuffle = false;
    }
    if (options.validation && !validation_layer_knows_matrices()) info_.cooperative_matrix = false;

    const auto families = physical_.getQueueFamilyProperties();
    const auto family = std::find_if(families.begin(), families.end(), [](const vk::QueueFamilyProperties& f) {
        return static_cast<bool>(f.queueFlags & vk::QueueFlagBits::eCompute);
    });
    if (family == families.end()) throw Error(info_.name + " has no queue for compute: choose another --device");
    queue_family_ = static_cast<std::uint32_t>(family - families.begin());
    if (family->timestampValidBits > 0) timestamp_ns_ = physical_.getProperties().limits.timestampPeriod;

    std::vector<const char*> extensions = options.device_extensions;
    // A device that offers the portability subset must have it enabled.
    if (has_extension(physical_, "VK_KHR_portability_subset")) extensions.push_back("VK_KHR_portability_subset");
    if (info_.cooperative_matrix) extensions.push_back(cooperative_matrix_extension);
    const float priority = 1.0F;
    const vk::DeviceQueueCreateInfo queue({}, queue_family_, 1, &priority);
    vk::PhysicalDeviceVulkan12Features core12;
    core12.timelineSemaphore = VK_TRUE;
    core12.shaderFloat16 = info_.half_precision;
    core12.vulkanMemoryModel = info_.cooperative_matrix;             // which those shaders are written for
    core12.vulkanMemoryModelDeviceScope = info_.cooperative_matrix;  // of atomics elsewhere
    CooperativeMatrixFeatures matrices;
    if (info_.cooperative_matrix) core12.pNext = &matrices;
    vk::PhysicalDeviceFeatures features10;
    features10.shaderInt64 = info_.wide_words;
    device_ = physical_.createDeviceUnique(vk::DeviceCreateInfo({}, queue, {}, extensions, &features10, &core12));
    queue_ = device_->getQueue(queue_family_, 0);
}

Device::~Device() {
    if (device_) static_cast<void>(vkDeviceWaitIdle(*device_));
    device_.reset();
    if (messenger_ != VK_NULL_HANDLE) {
        const auto destroy = reinterpret_cast<PFN_vkDestroyDebugUtilsMessengerEXT>(
            instance_->getProcAddr("vkDestroyDebugUtilsMessengerEXT"));
        if (destroy != nullptr) destroy(*instance_, messenger_, nullptr);
    }
}

std::vector<std::string> Device::take_validation_messages() const {
    const std::lock_guard lock(messages_->mutex);
    return std::exchange(messages_->lines, {});
}

std::uint32_t Device::memory_type(std::uint32_t allowed, vk::MemoryPropertyFlags required,
                                  vk::MemoryPropertyFlags preferred) const {
    const vk::PhysicalDeviceMemoryProperties memory = physical_.getMemoryProperties();
    for (const vk::MemoryPropertyFlags wanted : {required | preferred, required}) {
        for (std::uint32_t i = 0; i < memory.memoryTypeCount; ++i) {
            if ((allowed & (1U << i)) != 0 && (memory.memoryTypes[i].propertyFlags & wanted) == wanted) return i;
        }
    }
    throw Error(info_.name + " has no memory of the kind needed: choose another --device");
}

void Device::submit_and_wait(vk::CommandBuffer commands) const {
    const vk::UniqueFence fence = device_->createFenceUnique({});
    {
        const std::lock_guard lock(queue_mutex_);
        queue_.submit(vk::SubmitInfo({}, {}, commands), *fence);
    }
    if (device_->waitForFences(*fence, VK_TRUE, UINT64_MAX) != vk::Result::eSuccess) {
        throw Error("the device did not finish its work");
    }
}

}  // namespace deconv::gpu
