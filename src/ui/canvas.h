// Draws pictures that lie in device buffers, below the overlay.
#pragma once

#include <array>
#include <glm/glm.hpp>
#include <map>
#include <optional>

#include "image/fit.h"
#include "vk/device.h"
#include "vk/pipelines.h"

namespace deconv::ui {

/// A rectangle in the window, in pixels from the top left.
struct Rect {
    glm::vec2 origin{0, 0}, size{0, 0};

    bool contains(glm::vec2 p) const {
        return p.x >= origin.x && p.y >= origin.y && p.x < origin.x + size.x && p.y < origin.y + size.y;
    }
};

/// A picture's place in a box: its own aspect, centred, then zoomed about and moved by what the person did.
struct View {
    float zoom = 1;
    glm::vec2 pan{0, 0};  // in pixels of the window

    Rect place(const Rect& box, glm::vec2 picture_size) const;
    /// Zooms by `factor` about a point of the window.
    void zoom_about(const Rect& box, glm::vec2 point, float factor);
};

/// Textures that follow pictures on the device.  Named by slots; the main thread.
class Canvas {
  public:
    Canvas(const gpu::Device& device, vk::RenderPass render_pass);
    ~Canvas();
    Canvas(const Canvas&) = delete;
    Canvas& operator=(const Canvas&) = delete;

    /// Records the copy of a picture into a texture; outside of the render pass, when no earlier frame is under way.
    void upload(vk::CommandBuffer commands, int slot, const image::DevicePicture& picture);
    bool has(int slot) const { return textures_.count(slot) > 0; }
    glm::vec2 size(int slot) const;

    struct Draw {
        Rect place;                  // in the window
        Rect clip;                   // what of the window may be touched
        glm::vec4 part{0, 0, 1, 1};  // of the picture: left, top, right, bottom; left > right mirrors
        float opacity = 1;
        float blend = 0;     // 0 plain, 1 zero is transparent, 2 darkness that what differs from zero lifts
        float zero = 0.5F;   // brightness of zero, for blending
        bool smooth = true;  // else pixels stay squares
    };
    /// Records drawing it; inside of the render pass.
    void draw(vk::CommandBuffer commands, int slot, const Draw& draw, vk::Extent2D window);

  private:
    struct Texture;
    Texture& texture(int slot, int width, int height);

    const gpu::Device& device_;
    std::array<vk::UniqueSampler, 2> samplers_;  // smooth, squares
    vk::UniqueDescriptorSetLayout bindings_;
    vk::UniquePipelineLayout layout_;
    vk::UniquePipeline pipeline_;
    std::map<int, std::unique_ptr<Texture>> textures_;
};

}  // namespace deconv::ui
