#include "ui/window.h"

#define GLFW_INCLUDE_NONE
#include <GLFW/glfw3.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <string>
#include <utility>

#include "base/error.h"

namespace deconv::ui {

bool display_available() {
    const auto set = [](const char* name) {
        const char* value = std::getenv(name);
        return value != nullptr && *value != '\0';
    };
    return set("DISPLAY") || set("WAYLAND_DISPLAY");
}

Display::Display() {
    glfwSetErrorCallback([](int, const char*) {});
    if (glfwInit() == GLFW_FALSE) throw Error("no display to open a window on: use --headless");
    if (glfwVulkanSupported() == GLFW_FALSE) throw Error("no Vulkan driver that can show windows: use --headless");
}

Display::~Display() {
    glfwTerminate();
}

std::vector<const char*> Display::instance_extensions() const {
    std::uint32_t count = 0;
    const char** names = glfwGetRequiredInstanceExtensions(&count);
    if (names == nullptr) throw Error("this display cannot show Vulkan windows: use --headless");
    return {names, names + count};
}

Window::Window(const gpu::Device& device, const Geometry& geometry, const char* title) : device_(device) {
    glfwWindowHint(GLFW_CLIENT_API, GLFW_NO_API);
    // A size that was chosen before holds as it is; the first one follows the screen's density.
    const bool first = geometry[2] == default_geometry[2] && geometry[3] == default_geometry[3];
    glfwWindowHint(GLFW_SCALE_TO_MONITOR, first ? GLFW_TRUE : GLFW_FALSE);
    glfwWindowHint(GLFW_VISIBLE, GLFW_FALSE);
    window_ = glfwCreateWindow(geometry[2], geometry[3], title, nullptr, nullptr);
    if (window_ == nullptr) throw Error("the display opens no window: use --headless");
    if (geometry[0] != INT_MIN) glfwSetWindowPos(window_, geometry[0], geometry[1]);
    glfwShowWindow(window_);
    VkSurfaceKHR surface = VK_NULL_HANDLE;
    if (glfwCreateWindowSurface(device.instance(), window_, nullptr, &surface) != VK_SUCCESS) {
        throw Error("the display takes no Vulkan window: use --headless");
    }
    surface_ = vk::UniqueSurfaceKHR(
        surface, vk::ObjectDestroy<vk::Instance, VULKAN_HPP_DEFAULT_DISPATCHER_TYPE>(device.instance()));
    if (device.physical().getSurfaceSupportKHR(device.queue_family(), *surface_) == VK_FALSE) {
        throw Error(device.info().name + " cannot show windows: choose another --device, or --headless");
    }
    const auto formats = device.physical().getSurfaceFormatsKHR(*surface_);
    // Pictures are in sRGB already: no conversion on the way to the screen.
    const auto plain = std::find_if(formats.begin(), formats.end(), [](const vk::SurfaceFormatKHR& f) {
        return f.format == vk::Format::eB8G8R8A8Unorm || f.format == vk::Format::eR8G8B8A8Unorm;
    });
    format_ = plain == formats.end() ? formats.at(0) : *plain;

    const vk::AttachmentDescription attachment({}, format_.format, vk::SampleCountFlagBits::e1,
                                               vk::AttachmentLoadOp::eClear, vk::AttachmentStoreOp::eStore,
                                               vk::AttachmentLoadOp::eDontCare, vk::AttachmentStoreOp::eDontCare,
                                               vk::ImageLayout::eUndefined, vk::ImageLayout::ePresentSrcKHR);
    const vk::AttachmentReference reference(0, vk::ImageLayout::eColorAttachmentOptimal);
    const vk::SubpassDescription subpass({}, vk::PipelineBindPoint::eGraphics, {}, reference);
    const vk::SubpassDependency dependency(VK_SUBPASS_EXTERNAL, 0, vk::PipelineStageFlagBits::eColorAttachmentOutput,
                                           vk::PipelineStageFlagBits::eColorAttachmentOutput, {},
                                           vk::AccessFlagBits::eColorAttachmentWrite);
    // What was drawn may be read back.
    const vk::SubpassDependency after(0, VK_SUBPASS_EXTERNAL, vk::PipelineStageFlagBits::eColorAttachmentOutput,
                                      vk::PipelineStageFlagBits::eColorAttachmentOutput,
                                      vk::AccessFlagBits::eColorAttachmentWrite,
                                      vk::AccessFlagBits::eColorAttachmentWrite);
    const std::array dependencies{dependency, after};
    render_pass_ = device.handle().createRenderPassUnique({{}, attachment, subpass, dependencies});
    pool_ = device.handle().createCommandPoolUnique(
        {vk::CommandPoolCreateFlagBits::eResetCommandBuffer, device.queue_family()});
    commands_ =
        std::move(device.handle().allocateCommandBuffersUnique({*pool_, vk::CommandBufferLevel::ePrimary, 1}).front());
    acquired_ = device.handle().createSemaphoreUnique({});
    done_ = device.handle().createFenceUnique({vk::FenceCreateFlagBits::eSignaled});
    make_swapchain();
}

Window::~Window() {
    try {
        wait();
        const std::lock_guard lock(device_.queue_mutex());
        device_.queue().waitIdle();
    } catch (const std::exception&) {  // a lost device has nothing left to wait for
        full_screen_ = false;
    }
    framebuffers_.clear();
    views_.clear();
    swapchain_.reset();
    surface_.reset();
    glfwDestroyWindow(window_);
}

bool Window::should_close() const {
    return glfwWindowShouldClose(window_) != GLFW_FALSE;
}

void Window::set_full_screen(bool wanted) {
    if (wanted == full_screen_) return;
    if (wanted) {
        windowed_ = geometry();
        GLFWmonitor* monitor = glfwGetPrimaryMonitor();
        if (monitor == nullptr) return;
        const GLFWvidmode* mode = glfwGetVideoMode(monitor);
        glfwSetWindowMonitor(window_, monitor, 0, 0, mode->width, mode->height, mode->refreshRate);
    } else {
        glfwSetWindowMonitor(window_, nullptr, windowed_[0], windowed_[1], windowed_[2], windowed_[3], 0);
    }
    full_screen_ = wanted;
}

Window::Geometry Window::geometry() const {
    if (full_screen_) return windowed_;
    Geometry now{};
    glfwGetWindowPos(window_, &now[0], &now[1]);
    glfwGetWindowSize(window_, &now[2], &now[3]);
    return now;
}

void Window::hide_cursor(bool hidden) {
    glfwSetInputMode(window_, GLFW_CURSOR, hidden ? GLFW_CURSOR_HIDDEN : GLFW_CURSOR_NORMAL);
}

std::optional<Picture> Window::take_capture() {
    if (!captured_) return std::nullopt;
    wait();
    const vk::Extent2D extent = *std::exchange(captured_, std::nullopt);
    Picture picture(static_cast<int>(extent.width), static_cast<int>(extent.height));
    const auto* from = capture_memory_.as<const std::uint8_t>();
    const bool bgr = format_.format == vk::Format::eB8G8R8A8Unorm || format_.format == vk::Format::eB8G8R8A8Srgb;
    for (std::size_t i = 0; i < picture.rgba.size(); i += 4) {
        picture.rgba[i] = from[i + (bgr ? 2 : 0)];
        picture.rgba[i + 1] = from[i + 1];
        picture.rgba[i + 2] = from[i + (bgr ? 0 : 2)];
    }
    return picture;
}

void Window::wait() const {
    static_cast<void>(device_.handle().waitForFences(*done_, VK_TRUE, UINT64_MAX));
}

void Window::make_swapchain() {
    const vk::SurfaceCapabilitiesKHR can = device_.physical().getSurfaceCapabilitiesKHR(*surface_);
    extent_ = can.currentExtent;
    if (extent_.width == UINT32_MAX) {
        int width = 0;
        int height = 0;
        glfwGetFramebufferSize(window_, &width, &height);
        extent_.width =
            std::clamp(static_cast<std::uint32_t>(width), can.minImageExtent.width, can.maxImageExtent.width);
        extent_.height =
            std::clamp(static_cast<std::uint32_t>(height), can.minImageExtent.height, can.maxImageExtent.height);
    }
    framebuffers_.clear();
    views_.clear();
    images_.clear();
    if (extent_.width == 0 || extent_.height == 0) {  // minimised
        swapchain_.reset();
        return;
    }
    std::uint32_t count = can.minImageCount + 1;
    if (can.maxImageCount > 0) count = std::min(count, can.maxImageCount);
    const auto to_read = vk::ImageUsageFlagBits::eTransferSrc;
    can_capture_ = static_cast<bool>(can.supportedUsageFlags & to_read);
    vk::ImageUsageFlags usage = vk::ImageUsageFlagBits::eColorAttachment;
    if (can_capture_) usage |= to_read;
    vk::SwapchainCreateInfoKHR info(
        {}, *surface_, count, format_.format, format_.colorSpace, extent_, 1, usage, vk::SharingMode::eExclusive, {},
        can.currentTransform, vk::CompositeAlphaFlagBitsKHR::eOpaque, vk::PresentModeKHR::eFifo, VK_TRUE, *swapchain_);
    if (!(can.supportedCompositeAlpha & vk::CompositeAlphaFlagBitsKHR::eOpaque)) {
        info.compositeAlpha = vk::CompositeAlphaFlagBitsKHR::eInherit;
    }
    swapchain_ = device_.handle().createSwapchainKHRUnique(info);
    images_ = device_.handle().getSwapchainImagesKHR(*swapchain_);
    rendered_.clear();
    for (const vk::Image image : images_) {
        views_.push_back(device_.handle().createImageViewUnique(
            {{}, image, vk::ImageViewType::e2D, format_.format, {}, {vk::ImageAspectFlagBits::eColor, 0, 1, 0, 1}}));
        framebuffers_.push_back(device_.handle().createFramebufferUnique(
            {{}, *render_pass_, *views_.back(), extent_.width, extent_.height, 1}));
        rendered_.push_back(device_.handle().createSemaphoreUnique({}));
    }
}

/// Records the copy of an image that was drawn and is about to be shown.
void Window::read_back(vk::Image image) {
    const std::uint64_t bytes = std::uint64_t{4} * extent_.width * extent_.height;
    if (capture_memory_.bytes() != bytes) capture_memory_ = gpu::Buffer(device_, bytes, gpu::MemoryUse::readback);
    const vk::ImageSubresourceRange whole(vk::ImageAspectFlagBits::eColor, 0, 1, 0, 1);
    const vk::ImageMemoryBarrier drawn(vk::AccessFlagBits::eColorAttachmentWrite, vk::AccessFlagBits::eTransferRead,
                                       vk::ImageLayout::ePresentSrcKHR, vk::ImageLayout::eTransferSrcOptimal,
                                       VK_QUEUE_FAMILY_IGNORED, VK_QUEUE_FAMILY_IGNORED, image, whole);
    commands_->pipelineBarrier(vk::PipelineStageFlagBits::eColorAttachmentOutput, vk::PipelineStageFlagBits::eTransfer,
                               {}, {}, {}, drawn);
    const vk::BufferImageCopy copy(0, 0, 0, {vk::ImageAspectFlagBits::eColor, 0, 0, 1}, {0, 0, 0},
                                   {extent_.width, extent_.height, 1});
    const gpu::Slice to = capture_memory_.slice();
    commands_->copyImageToBuffer(image, vk::ImageLayout::eTransferSrcOptimal, to.buffer, copy);
    const vk::ImageMemoryBarrier shown(vk::AccessFlagBits::eTransferRead, {}, vk::ImageLayout::eTransferSrcOptimal,
                                       vk::ImageLayout::ePresentSrcKHR, VK_QUEUE_FAMILY_IGNORED,
                                       VK_QUEUE_FAMILY_IGNORED, image, whole);
    const vk::BufferMemoryBarrier readable(vk::AccessFlagBits::eTransferWrite, vk::AccessFlagBits::eHostRead,
                                           VK_QUEUE_FAMILY_IGNORED, VK_QUEUE_FAMILY_IGNORED, to.buffer, 0, bytes);
    commands_->pipelineBarrier(vk::PipelineStageFlagBits::eTransfer,
                               vk::PipelineStageFlagBits::eBottomOfPipe | vk::PipelineStageFlagBits::eHost, {}, {},
                               readable, shown);
}

bool Window::draw(const std::function<void(vk::CommandBuffer)>& before,
                  const std::function<void(vk::CommandBuffer)>& inside) {
    wait();
    int width = 0;
    int height = 0;
    glfwGetFramebufferSize(window_, &width, &height);
    const bool resized =
        static_cast<std::uint32_t>(width) != extent_.width || static_cast<std::uint32_t>(height) != extent_.height;
    if (!swapchain_ || resized) {
        {
            const std::lock_guard lock(device_.queue_mutex());
            device_.queue().waitIdle();
        }
        make_swapchain();
        if (!swapchain_) return false;
    }
    std::uint32_t index = 0;
    try {
        const auto acquired = device_.handle().acquireNextImageKHR(*swapchain_, UINT64_MAX, *acquired_);
        index = acquired.value;
    } catch (const vk::OutOfDateKHRError&) {
        extent_ = vk::Extent2D{};  // made anew at the next call
        return false;
    }
    device_.handle().resetFences(*done_);
    commands_->begin({vk::CommandBufferUsageFlagBits::eOneTimeSubmit});
    before(*commands_);
    const vk::ClearValue background(vk::ClearColorValue(std::array<float, 4>{0.094F, 0.102F, 0.11F, 1.0F}));
    commands_->beginRenderPass({*render_pass_, *framebuffers_[index], {{0, 0}, extent_}, background},
                               vk::SubpassContents::eInline);
    commands_->setViewport(
        0, vk::Viewport(0, 0, static_cast<float>(extent_.width), static_cast<float>(extent_.height), 0, 1));
    commands_->setScissor(0, vk::Rect2D({0, 0}, extent_));
    inside(*commands_);
    commands_->endRenderPass();
    if (std::exchange(capture_wanted_, false) && can_capture_) {
        read_back(images_[index]);
        captured_ = extent_;
    }
    commands_->end();
    const vk::PipelineStageFlags stage = vk::PipelineStageFlagBits::eColorAttachmentOutput;
    const std::lock_guard lock(device_.queue_mutex());
    device_.queue().submit(vk::SubmitInfo(*acquired_, stage, *commands_, *rendered_[index]), *done_);
    try {
        const vk::Result result = device_.queue().presentKHR({*rendered_[index], *swapchain_, index});
        if (result == vk::Result::eSuboptimalKHR) extent_ = vk::Extent2D{};
    } catch (const vk::OutOfDateKHRError&) {
        extent_ = vk::Extent2D{};
    }
    return true;
}

}  // namespace deconv::ui
