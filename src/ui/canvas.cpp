#include "ui/canvas.h"

#include <algorithm>

#include "base/error.h"
#include "vk/shaders.h"

namespace deconv::ui {
namespace {

struct Push {
    glm::vec4 corners, part, options;
};

vk::UniqueShaderModule shader(const gpu::Device& device, std::string_view name) {
    for (const gpu::EmbeddedShader& embedded : gpu::embedded_shaders()) {
        if (embedded.name == name) {
            return device.handle().createShaderModuleUnique({{}, embedded.code.size_bytes(), embedded.code.data()});
        }
    }
    throw Error("no shader named " + std::string(name));
}

}  // namespace

Rect View::place(const Rect& box, glm::vec2 picture_size) const {
    const float scale = std::min(box.size.x / picture_size.x, box.size.y / picture_size.y) * zoom;
    const glm::vec2 size = picture_size * scale;
    return {box.origin + (box.size - size) / 2.0F + pan, size};
}

void View::zoom_about(const Rect& box, glm::vec2 point, float factor) {
    const float next = std::clamp(zoom * factor, 1.0F, 64.0F);
    const glm::vec2 from_middle = point - (box.origin + box.size / 2.0F);
    pan = from_middle - (from_middle - pan) * (next / zoom);
    zoom = next;
    if (zoom == 1.0F) pan = {0, 0};
}

struct Canvas::Texture {
    int width = 0, height = 0;
    vk::UniqueDeviceMemory memory;
    vk::UniqueImage image;
    vk::UniqueImageView view;
    vk::UniqueDescriptorPool pool;
    std::array<vk::DescriptorSet, 2> sets;  // by sampler
    bool filled = false;
};

Canvas::Canvas(const gpu::Device& device, vk::RenderPass render_pass) : device_(device) {
    const vk::Device handle = device.handle();
    for (std::size_t i = 0; i < 2; ++i) {
        vk::SamplerCreateInfo info;
        info.magFilter = i == 0 ? vk::Filter::eLinear : vk::Filter::eNearest;
        info.minFilter = vk::Filter::eLinear;
        info.addressModeU = info.addressModeV = info.addressModeW = vk::SamplerAddressMode::eClampToEdge;
        samplers_.at(i) = handle.createSamplerUnique(info);
    }
    const vk::DescriptorSetLayoutBinding binding(0, vk::DescriptorType::eCombinedImageSampler, 1,
                                                 vk::ShaderStageFlagBits::eFragment);
    bindings_ = handle.createDescriptorSetLayoutUnique({{}, binding});
    const vk::PushConstantRange range(vk::ShaderStageFlagBits::eVertex | vk::ShaderStageFlagBits::eFragment, 0,
                                      sizeof(Push));
    layout_ = handle.createPipelineLayoutUnique({{}, *bindings_, range});

    const vk::UniqueShaderModule vertex = shader(device, "ui/picture.vert");
    const vk::UniqueShaderModule fragment = shader(device, "ui/picture.frag");
    const std::array stages{
        vk::PipelineShaderStageCreateInfo({}, vk::ShaderStageFlagBits::eVertex, *vertex, "main"),
        vk::PipelineShaderStageCreateInfo({}, vk::ShaderStageFlagBits::eFragment, *fragment, "main")};
    const vk::PipelineVertexInputStateCreateInfo no_vertices;
    const vk::PipelineInputAssemblyStateCreateInfo strip({}, vk::PrimitiveTopology::eTriangleStrip);
    const vk::PipelineViewportStateCreateInfo viewport({}, 1, nullptr, 1, nullptr);
    vk::PipelineRasterizationStateCreateInfo raster;
    raster.lineWidth = 1;
    const vk::PipelineMultisampleStateCreateInfo samples({}, vk::SampleCountFlagBits::e1);
    vk::PipelineColorBlendAttachmentState blend(VK_TRUE, vk::BlendFactor::eSrcAlpha, vk::BlendFactor::eOneMinusSrcAlpha,
                                                vk::BlendOp::eAdd, vk::BlendFactor::eOne, vk::BlendFactor::eZero,
                                                vk::BlendOp::eAdd);
    blend.colorWriteMask = vk::ColorComponentFlagBits::eR | vk::ColorComponentFlagBits::eG |
                           vk::ColorComponentFlagBits::eB | vk::ColorComponentFlagBits::eA;
    const vk::PipelineColorBlendStateCreateInfo blending({}, VK_FALSE, vk::LogicOp::eCopy, blend);
    const std::array dynamic{vk::DynamicState::eViewport, vk::DynamicState::eScissor};
    const vk::PipelineDynamicStateCreateInfo dynamics({}, dynamic);
    pipeline_ =
        handle
            .createGraphicsPipelineUnique(
                {}, vk::GraphicsPipelineCreateInfo({}, stages, &no_vertices, &strip, nullptr, &viewport, &raster,
                                                   &samples, nullptr, &blending, &dynamics, *layout_, render_pass))
            .value;
}

Canvas::~Canvas() = default;

glm::vec2 Canvas::size(int slot) const {
    const auto it = textures_.find(slot);
    if (it == textures_.end()) return {1, 1};
    return {it->second->width, it->second->height};
}

Canvas::Texture& Canvas::texture(int slot, int width, int height) {
    std::unique_ptr<Texture>& kept = textures_[slot];
    if (kept && kept->width == width && kept->height == height) return *kept;
    auto made = std::make_unique<Texture>();
    made->width = width;
    made->height = height;
    const vk::Device handle = device_.handle();
    vk::ImageCreateInfo info({}, vk::ImageType::e2D, vk::Format::eR8G8B8A8Unorm,
                             {static_cast<std::uint32_t>(width), static_cast<std::uint32_t>(height), 1}, 1, 1,
                             vk::SampleCountFlagBits::e1, vk::ImageTiling::eOptimal,
                             vk::ImageUsageFlagBits::eSampled | vk::ImageUsageFlagBits::eTransferDst);
    made->image = handle.createImageUnique(info);
    const vk::MemoryRequirements needs = handle.getImageMemoryRequirements(*made->image);
    made->memory = handle.allocateMemoryUnique(
        {needs.size, device_.memory_type(needs.memoryTypeBits, vk::MemoryPropertyFlagBits::eDeviceLocal, {})});
    handle.bindImageMemory(*made->image, *made->memory, 0);
    made->view = handle.createImageViewUnique(
        {{}, *made->image, vk::ImageViewType::e2D, info.format, {}, {vk::ImageAspectFlagBits::eColor, 0, 1, 0, 1}});
    const vk::DescriptorPoolSize pool_size(vk::DescriptorType::eCombinedImageSampler, 2);
    made->pool = handle.createDescriptorPoolUnique({{}, 2, pool_size});
    for (std::size_t i = 0; i < 2; ++i) {
        made->sets.at(i) = handle.allocateDescriptorSets({*made->pool, *bindings_}).front();
        const vk::DescriptorImageInfo image(*samplers_.at(i), *made->view, vk::ImageLayout::eShaderReadOnlyOptimal);
        handle.updateDescriptorSets(
            vk::WriteDescriptorSet(made->sets.at(i), 0, 0, vk::DescriptorType::eCombinedImageSampler, image), {});
    }
    kept = std::move(made);
    return *kept;
}

void Canvas::upload(vk::CommandBuffer commands, int slot, const image::DevicePicture& picture) {
    if (picture.width < 1 || picture.height < 1) return;
    Texture& to = texture(slot, picture.width, picture.height);
    const vk::ImageSubresourceRange whole(vk::ImageAspectFlagBits::eColor, 0, 1, 0, 1);
    // The network wrote the picture by a shader or a copy, in an earlier submission.
    const vk::MemoryBarrier written(vk::AccessFlagBits::eShaderWrite | vk::AccessFlagBits::eTransferWrite,
                                    vk::AccessFlagBits::eTransferRead);
    const vk::ImageMemoryBarrier begin({}, vk::AccessFlagBits::eTransferWrite, vk::ImageLayout::eUndefined,
                                       vk::ImageLayout::eTransferDstOptimal, VK_QUEUE_FAMILY_IGNORED,
                                       VK_QUEUE_FAMILY_IGNORED, *to.image, whole);
    commands.pipelineBarrier(vk::PipelineStageFlagBits::eComputeShader | vk::PipelineStageFlagBits::eTransfer |
                                 vk::PipelineStageFlagBits::eFragmentShader,
                             vk::PipelineStageFlagBits::eTransfer, {}, written, {}, begin);
    const vk::BufferImageCopy copy(picture.slice.offset, 0, 0, {vk::ImageAspectFlagBits::eColor, 0, 0, 1}, {0, 0, 0},
                                   {static_cast<std::uint32_t>(to.width), static_cast<std::uint32_t>(to.height), 1});
    commands.copyBufferToImage(picture.slice.buffer, *to.image, vk::ImageLayout::eTransferDstOptimal, copy);
    const vk::ImageMemoryBarrier end(vk::AccessFlagBits::eTransferWrite, vk::AccessFlagBits::eShaderRead,
                                     vk::ImageLayout::eTransferDstOptimal, vk::ImageLayout::eShaderReadOnlyOptimal,
                                     VK_QUEUE_FAMILY_IGNORED, VK_QUEUE_FAMILY_IGNORED, *to.image, whole);
    commands.pipelineBarrier(vk::PipelineStageFlagBits::eTransfer, vk::PipelineStageFlagBits::eFragmentShader, {}, {},
                             {}, end);
    to.filled = true;
}

void Canvas::draw(vk::CommandBuffer commands, int slot, const Draw& draw, vk::Extent2D window) {
    const auto it = textures_.find(slot);
    if (it == textures_.end() || !it->second->filled) return;
    const auto at_least = [](float value, std::uint32_t most) {
        return static_cast<std::uint32_t>(std::clamp(value, 0.0F, static_cast<float>(most)));
    };
    const std::uint32_t left = at_least(draw.clip.origin.x, window.width);
    const std::uint32_t top = at_least(draw.clip.origin.y, window.height);
    const std::uint32_t right = at_least(draw.clip.origin.x + draw.clip.size.x, window.width);
    const std::uint32_t bottom = at_least(draw.clip.origin.y + draw.clip.size.y, window.height);
    if (right <= left || bottom <= top) return;
    commands.setScissor(
        0, vk::Rect2D({static_cast<std::int32_t>(left), static_cast<std::int32_t>(top)}, {right - left, bottom - top}));
    const glm::vec2 extent(window.width, window.height);
    const glm::vec2 from = draw.place.origin / extent * 2.0F - 1.0F;
    const glm::vec2 to = (draw.place.origin + draw.place.size) / extent * 2.0F - 1.0F;
    const Push push{{from, to}, draw.part, {draw.opacity, draw.blend, draw.zero, 0}};
    commands.bindPipeline(vk::PipelineBindPoint::eGraphics, *pipeline_);
    commands.bindDescriptorSets(vk::PipelineBindPoint::eGraphics, *layout_, 0, it->second->sets.at(draw.smooth ? 0 : 1),
                                {});
    commands.pushConstants(*layout_, vk::ShaderStageFlagBits::eVertex | vk::ShaderStageFlagBits::eFragment, 0,
                           sizeof push, &push);
    commands.draw(4, 1, 0, 0);
}

}  // namespace deconv::ui
