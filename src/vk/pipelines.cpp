#include "vk/pipelines.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include "base/error.h"
#include "base/whole_file.h"
#include "vk/cooperative_matrix.h"
#include "vk/shaders.h"

namespace deconv::gpu {

std::filesystem::path cache_folder() {
    const char* cache = std::getenv("XDG_CACHE_HOME");
    if (cache != nullptr && cache[0] == '/') return std::filesystem::path(cache) / "deconv-live";
    const char* home = std::getenv("HOME");
    if (home != nullptr && home[0] == '/') return std::filesystem::path(home) / ".cache" / "deconv-live";
    return {};
}

struct Pipelines::Made {
    vk::UniqueDescriptorSetLayout bindings;
    vk::UniquePipelineLayout layout;
    vk::UniqueShaderModule module;
    vk::UniquePipeline pipeline;
    Pipeline view;
};

namespace {

/// Drivers must refuse a foreign cache themselves, but not all survive a damaged one: check the header first.
bool header_fits(const std::vector<char>& data, const vk::PhysicalDeviceProperties& properties) {
    VkPipelineCacheHeaderVersionOne header{};
    if (data.size() < sizeof header) return false;
    std::memcpy(&header, data.data(), sizeof header);
    return header.headerSize == sizeof header && header.headerVersion == VK_PIPELINE_CACHE_HEADER_VERSION_ONE &&
           header.vendorID == properties.vendorID && header.deviceID == properties.deviceID &&
           std::memcmp(header.pipelineCacheUUID, properties.pipelineCacheUUID.data(), VK_UUID_SIZE) == 0;
}

const EmbeddedShader* find_shader(std::string_view name) {
    const auto all = embedded_shaders();
    const auto found = std::find_if(all.begin(), all.end(), [&](const EmbeddedShader& e) { return e.name == name; });
    return found == all.end() ? nullptr : &*found;
}

}  // namespace

Pipelines::Pipelines(const Device& device, const std::filesystem::path& folder)
    : device_(device), ffts_(device, folder) {
    std::vector<char> data;
    if (!folder.empty()) {
        file_ = folder / ("pipelines-" + device.info().key + ".bin");
        std::error_code error;
        if (std::filesystem::is_regular_file(file_, error)) {
            std::ifstream stream(file_, std::ios::binary);
            data.assign(std::istreambuf_iterator<char>(stream), {});
        }
        if (!header_fits(data, device.physical().getProperties())) data.clear();
    }
    saved_bytes_ = data.size();
    try {
        cache_ = device.handle().createPipelineCacheUnique({{}, data.size(), data.data()});
    } catch (const vk::SystemError&) {  // some refuse what lies damaged behind the header
        saved_bytes_ = 0;
        cache_ = device.handle().createPipelineCacheUnique({});
    }
}

Pipelines::~Pipelines() {
    save();
}

std::size_t Pipelines::count() const {
    const std::lock_guard lock(mutex_);
    return made_.size();
}

const Pipeline& Pipelines::get(std::string_view shader, const std::vector<std::uint32_t>& constants,
                               const std::vector<vk::DescriptorType>& types, std::uint32_t push_bytes) {
    std::string key(shader);
    for (const std::uint32_t value : constants) key += " " + std::to_string(value);
    const std::lock_guard lock(mutex_);
    if (const auto it = made_.find(key); it != made_.end()) return it->second->view;

    const EmbeddedShader* found = device_.info().wide_words ? find_shader(std::string(shader) + ".wide") : nullptr;
    if (found == nullptr) found = find_shader(shader);
    if (found == nullptr) throw Error("no shader named " + std::string(shader));

    const vk::Device handle = device_.handle();
    auto made = std::make_unique<Made>();
    std::vector<vk::DescriptorSetLayoutBinding> bindings;
    for (std::uint32_t i = 0; i < types.size(); ++i) {
        bindings.emplace_back(i, types[i], 1, vk::ShaderStageFlagBits::eCompute);
    }
    made->bindings = handle.createDescriptorSetLayoutUnique({{}, bindings});
    const vk::PushConstantRange range(vk::ShaderStageFlagBits::eCompute, 0, push_bytes);
    made->layout = handle.createPipelineLayoutUnique(
        vk::PipelineLayoutCreateInfo({}, 1, &*made->bindings, push_bytes > 0 ? 1 : 0, &range));
    const std::vector<std::uint32_t> code = translate_matrices(found->code);
    made->module = handle.createShaderModuleUnique({{}, 4 * code.size(), code.data()});
    std::vector<vk::SpecializationMapEntry> entries;
    for (std::uint32_t i = 0; i < constants.size(); ++i) entries.emplace_back(i, 4 * i, 4);
    const vk::SpecializationInfo special(static_cast<std::uint32_t>(entries.size()), entries.data(),
                                         4 * constants.size(), constants.data());
    const vk::PipelineShaderStageCreateInfo stage({}, vk::ShaderStageFlagBits::eCompute, *made->module, "main",
                                                  &special);
    // Long dispatches are cut by their base group.
    made->pipeline =
        handle
            .createComputePipelineUnique(
                *cache_, vk::ComputePipelineCreateInfo(vk::PipelineCreateFlagBits::eDispatchBase, stage, *made->layout))
            .value;
    made->view = {*made->pipeline, *made->layout, *made->bindings};
    return made_.emplace(std::move(key), std::move(made)).first->second->view;
}

void Pipelines::save() {
    const std::lock_guard lock(mutex_);
    if (file_.empty() || made_.empty()) return;
    try {
        const std::vector<std::uint8_t> data = device_.handle().getPipelineCacheData(*cache_);
        if (data.size() <= saved_bytes_) return;
        const std::string_view bytes(reinterpret_cast<const char*>(data.data()), data.size());
        if (write_cache_file(file_.string(), bytes)) saved_bytes_ = data.size();
    } catch (const vk::SystemError&) {  // see the declaration
        saved_bytes_ = 0;
    }
}

}  // namespace deconv::gpu
