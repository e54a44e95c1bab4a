// The part of the window that shows pictures: panes for the view that is chosen, what is drawn over them, and what the
// mouse does there.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ui/canvas.h"
#include "ui/view_state.h"

namespace deconv::ui {

/// One thread, the window's.
class Stage {
  public:
    Stage(const gpu::Device& device, Canvas& canvas) : device_(device), canvas_(canvas) {}

    /// Takes up the newest pictures; true where there were new ones, which upload() must then copy.
    bool follow(const live::State& state);
    void upload(vk::CommandBuffer commands);

    /// Places the panes in the window right of the controls, in points.
    void lay_out(glm::vec2 screen, float controls, const live::State& state, ViewState& view);
    /// What the mouse does to zoom, pan and settings; true where the settings changed.
    bool mouse(const live::State& state, live::Settings& settings, ViewState& view, Hover& hover);
    /// Captions, marks and titles, into the overlay's background list.
    void annotate(const live::State& state, const live::Settings& settings, const ViewState& view) const;
    /// Records the pictures; `scale` pixels a point.
    void draw(vk::CommandBuffer commands, const ViewState& view, vk::Extent2D window, float scale);

    /// The area of all panes, in points.
    Rect area() const { return area_; }

  private:
    enum Slot { camera_slot, projection_slot, exhibit_slot, second_slot, best_slot };
    struct Pane {
        int slot = camera_slot;
        Rect box;      // where it may draw
        int view = 0;  // index into ViewState::views
    };

    void in_row(const std::vector<int>& slots, const Rect& room);
    void arrange(const std::vector<int>& slots, const Rect& room);
    Rect place(const Pane& pane, const ViewState& view) const;
    Rect looked_at(const Rect& camera, bool mirror) const;
    const Pane* pane_of(int slot) const;
    bool click(const live::State& state, live::Settings& settings, glm::vec2 pixel) const;
    void describe(const live::State& state, glm::vec2 pixel, Hover& hover) const;
    void mark_tile(const Pane& pane, const ViewState& view, const live::ExhibitTile& tile) const;
    void annotate_exhibit(const Pane& pane, const live::State& state, const ViewState& view) const;

    const gpu::Device& device_;
    Canvas& canvas_;
    std::vector<Pane> panes_;
    Rect area_, strip_;  // strip_: of the strongest moments; empty where they are not shown
    std::shared_ptr<const live::PublishedPictures> shown_, second_shown_;
    std::vector<std::shared_ptr<const live::PublishedPictures>>
        left_;  // shown before; until the frame that reads them is over
    std::shared_ptr<const live::ExhibitState> exhibit_;
    std::shared_ptr<const Picture> best_;
    gpu::Buffer best_memory_;
    std::uint64_t frames_ = 0, best_version_ = 0;
    bool fresh_ = false, fresh_best_ = false;
};

}  // namespace deconv::ui
