// A window with a Vulkan swapchain (GLFW).
#pragma once

#include <array>
#include <climits>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/picture.h"
#include "vk/memory.h"

struct GLFWwindow;

namespace deconv::ui {

/// GLFW for the life of the program.  Throws Error where there is no display.
class Display {
  public:
    Display();
    ~Display();
    Display(const Display&) = delete;
    Display& operator=(const Display&) = delete;

    /// Instance extensions that a window needs.
    std::vector<const char*> instance_extensions() const;
};

/// True where a display server seems to be there: a window is worth a try.
bool display_available();

/// One frame in flight; the main thread.
class Window {
  public:
    /// Left, top, width, height in the screen's own units; left and top may be unknown (INT_MIN).
    using Geometry = std::array<int, 4>;
    static constexpr Geometry default_geometry{INT_MIN, INT_MIN, 1280, 800};
    /// Throws Error where the device cannot present.
    Window(const gpu::Device& device, const Geometry& geometry, const char* title);
    ~Window();
    Window(const Window&) = delete;
    Window& operator=(const Window&) = delete;

    GLFWwindow* handle() const { return window_; }
    vk::RenderPass render_pass() const { return *render_pass_; }
    std::uint32_t image_count() const { return static_cast<std::uint32_t>(images_.size()); }
    vk::Extent2D extent() const { return extent_; }
    bool should_close() const;
    bool is_full_screen() const { return full_screen_; }
    void set_full_screen(bool wanted);
    /// Where it is, or was before full screen.
    Geometry geometry() const;
    void hide_cursor(bool hidden);

    /// Draws one frame: `before` records outside of the render pass (uploads), `inside` within it.  Skips where the
    /// window is minimised; follows changes of its size.  Returns false where nothing was drawn.
    bool draw(const std::function<void(vk::CommandBuffer)>& before,
              const std::function<void(vk::CommandBuffer)>& inside);
    /// Waits until the last frame is done.
    void wait() const;

    /// The next frame that is drawn is kept for take_capture().
    void capture() { capture_wanted_ = true; }
    /// What the last frame drawn showed, once and where it was wanted.  Waits for that frame.
    std::optional<Picture> take_capture();
    bool can_capture() const { return can_capture_; }

  private:
    void make_swapchain();
    void read_back(vk::Image image);

    const gpu::Device& device_;
    GLFWwindow* window_ = nullptr;
    vk::UniqueSurfaceKHR surface_;
    vk::SurfaceFormatKHR format_;
    vk::UniqueRenderPass render_pass_;
    vk::UniqueSwapchainKHR swapchain_;
    vk::Extent2D extent_;
    std::vector<vk::Image> images_;
    std::vector<vk::UniqueImageView> views_;
    std::vector<vk::UniqueFramebuffer> framebuffers_;
    std::vector<vk::UniqueSemaphore> rendered_;  // by swapchain image
    vk::UniqueCommandPool pool_;
    vk::UniqueCommandBuffer commands_;
    vk::UniqueSemaphore acquired_;
    vk::UniqueFence done_;
    bool full_screen_ = false;
    Geometry windowed_{0, 0, 0, 0};  // before full screen
    bool capture_wanted_ = false, can_capture_ = false;
    std::optional<vk::Extent2D> captured_;
    gpu::Buffer capture_memory_;
};

}  // namespace deconv::ui
