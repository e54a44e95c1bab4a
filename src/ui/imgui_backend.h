// Dear ImGui's own back ends for GLFW and Vulkan: all calls whose form changes between its versions are here.
#pragma once

#include "ui/window.h"

namespace deconv::ui {

class ImGuiBackend {
  public:
    /// Takes over input from the window; callbacks that were set before still run.
    ImGuiBackend(const gpu::Device& device, const Window& window);
    ~ImGuiBackend();
    ImGuiBackend(const ImGuiBackend&) = delete;
    ImGuiBackend& operator=(const ImGuiBackend&) = delete;

    void begin_frame();
    /// Ends the frame; its drawing is recorded by draw(), inside of the render pass.
    void end_frame();
    void draw(vk::CommandBuffer commands);

  private:
    const gpu::Device& device_;
    vk::UniqueDescriptorPool pool_;
};

}  // namespace deconv::ui
