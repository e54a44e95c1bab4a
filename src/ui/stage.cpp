#include "ui/stage.h"

#include <imgui.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <utility>

namespace deconv::ui {
namespace {

constexpr float gap = 6;
constexpr ImU32 accent = IM_COL32(242, 166, 64, 255);
constexpr ImU32 pin_colour = IM_COL32(255, 60, 60, 255);
constexpr ImU32 caption_ground = IM_COL32(18, 19, 20, 190);

ImVec2 to_im(glm::vec2 v) {
    return {v.x, v.y};
}

/// Text on a dark ground that is readable over any picture; cut at `width`.
void caption(ImDrawList* list, glm::vec2 at, const std::string& text, float width, ImU32 colour) {
    const ImVec2 size = ImGui::CalcTextSize(text.c_str());
    const float right = at.x + std::min(size.x + 10, width);
    list->AddRectFilled(to_im(at), ImVec2(right, at.y + size.y + 6), caption_ground, 3);
    list->PushClipRect(to_im(at), ImVec2(right - 4, at.y + size.y + 6), true);
    list->AddText(ImVec2(at.x + 5, at.y + 3), colour, text.c_str());
    list->PopClipRect();
}

std::string channel_text(const nn::ResolvedSelection& selection, bool following, int width) {
    std::string text =
        selection.channel == nn::Selection::all ? "all channels" : "channel " + std::to_string(selection.channel);
    if (following) text += " (strongest)";
    using Where = nn::Selection::Where;
    if (selection.channel >= 0 && selection.where != static_cast<int>(Where::all) && width > 0) {
        text += selection.where == static_cast<int>(Where::max) ? ", maximum " : ", position ";
        text += std::to_string(selection.place / width) + "," + std::to_string(selection.place % width);
    }
    return text;
}

const char* rule_name(nn::Rule rule) {
    switch (rule) {
        case nn::Rule::deconv:
            return "deconv";
        case nn::Rule::guided:
            return "guided";
        case nn::Rule::gradient:
            return "gradient";
    }
    return "";
}

/// A name without its middle, where all of it has no room: "fire2/..e1x1".
std::string fitted(const std::string& name, float width) {
    const std::size_t slash = name.find('/');
    const std::string front = slash == std::string::npos ? std::string() : name.substr(0, slash + 1);
    std::string text = name;
    for (std::size_t from = front.size() + 1; from < name.size() && ImGui::CalcTextSize(text.c_str()).x > width;
         ++from) {
        text = front + ".." + name.substr(from);
    }
    return text;
}

std::string describe_side(const std::vector<live::LayerInfo>& layers, int layer, const nn::ResolvedSelection& selection,
                          bool following, nn::Rule rule) {
    if (layer < 0 || layer >= static_cast<int>(layers.size())) return {};
    const live::LayerInfo& info = layers[static_cast<std::size_t>(layer)];
    return info.name + "  " + channel_text(selection, following, info.width) + "  " + rule_name(rule);
}

}  // namespace

bool Stage::follow(const live::State& state) {
    if (!state.pictures || state.frames == frames_) return false;
    frames_ = state.frames;
    // The window's last frame may still copy from these, when the session has moved on to others.
    left_.push_back(std::move(shown_));
    left_.push_back(std::move(second_shown_));
    shown_ = state.pictures;
    second_shown_ = state.second_pictures;
    exhibit_ = state.exhibit;
    fresh_ = true;
    if (state.best_version != best_version_ && state.best) {
        best_version_ = state.best_version;
        best_ = state.best;
        fresh_best_ = true;
    }
    return true;
}

void Stage::upload(vk::CommandBuffer commands) {
    left_.clear();  // the frame before is over
    if (std::exchange(fresh_, false)) {
        canvas_.upload(commands, camera_slot, shown_->camera);
        canvas_.upload(commands, projection_slot, shown_->projection);
        canvas_.upload(commands, exhibit_slot, shown_->exhibit);
        if (second_shown_) canvas_.upload(commands, second_slot, second_shown_->projection);
    }
    if (std::exchange(fresh_best_, false)) {
        // The frame before may have read it, too.
        if (best_memory_.bytes() != best_->rgba.size())
            best_memory_ = gpu::Buffer(device_, best_->rgba.size(), gpu::MemoryUse::upload);
        std::memcpy(best_memory_.mapped().data(), best_->rgba.data(), best_->rgba.size());
        canvas_.upload(commands, best_slot, {best_memory_.slice(), best_->width, best_->height});
    }
}

void Stage::lay_out(glm::vec2 screen, float controls, const live::State& state, ViewState& view) {
    area_ = {{controls, 0}, {std::max(1.0F, screen.x - controls), screen.y}};
    strip_ = {};
    Rect room = area_;
    if (state.best && canvas_.has(best_slot)) {
        const glm::vec2 size = canvas_.size(best_slot);
        const float height = std::min(room.size.y * 0.3F, room.size.x * size.y / size.x);
        strip_ = {{room.origin.x, room.size.y - height}, {room.size.x, height}};
        room.size.y -= height + gap + ImGui::GetTextLineHeight() + 10;
    }
    panes_.clear();
    switch (view.mode) {
        case Mode::overlay:
            panes_.push_back({camera_slot, room, 0});
            break;
        case Mode::side_by_side:
            arrange({camera_slot, projection_slot}, room);
            break;
        case Mode::compare:
            // What is compared stands together; the camera takes the room below where there is much of it.
            if (room.size.x < 1.65F * room.size.y) {
                const float top = std::floor(std::min(room.size.y * 0.62F, room.size.x / 2));
                in_row({projection_slot, second_slot}, {room.origin, {room.size.x, top}});
                in_row({camera_slot}, {room.origin + glm::vec2(0, top + gap), {room.size.x, room.size.y - top - gap}});
            } else {
                in_row({camera_slot, projection_slot, second_slot}, room);
            }
            break;
        case Mode::layer:
        case Mode::mosaic:
        case Mode::ladder:
        case Mode::network:
            arrange({exhibit_slot, projection_slot}, room);
            break;
    }
    for (std::size_t i = 0; i < panes_.size(); ++i) panes_[i].view = static_cast<int>(i);
}

/// Beside each other, all as tall as they can be together.
void Stage::in_row(const std::vector<int>& slots, const Rect& room) {
    float total = 0;
    std::vector<float> shares;
    for (const int slot : slots) {
        const glm::vec2 size = canvas_.size(slot);
        // A picture that is much wider than high gets no more than its part; an exhibit is what the view is for.
        const float share = std::clamp(size.x / size.y, 0.5F, slot == exhibit_slot ? 1.8F : 2.4F);
        shares.push_back(slot == exhibit_slot ? 1.7F * share : share);
        total += shares.back();
    }
    const float width = room.size.x - gap * static_cast<float>(slots.size() - 1);
    float left = room.origin.x;
    for (std::size_t i = 0; i < slots.size(); ++i) {
        const float own = std::floor(width * shares[i] / total);
        panes_.push_back({slots[i], {{left, room.origin.y}, {own, room.size.y}}, 0});
        left += own + gap;
    }
}

/// Two pictures beside or above each other, whichever shows more of them.
void Stage::arrange(const std::vector<int>& slots, const Rect& room) {
    in_row(slots, room);
    const std::vector<Pane> row = std::exchange(panes_, {});
    const float share = slots.front() == exhibit_slot ? 0.68F : 0.5F;
    const float top = std::floor((room.size.y - gap) * share);
    const std::vector<Pane> column{
        {slots.at(0), {room.origin, {room.size.x, top}}, 0},
        {slots.at(1), {room.origin + glm::vec2(0, top + gap), {room.size.x, room.size.y - gap - top}}, 0}};
    const auto area = [&](const std::vector<Pane>& panes) {
        float sum = 0;
        for (const Pane& pane : panes) {
            const Rect at = View().place(pane.box, canvas_.size(pane.slot));
            sum += at.size.x * at.size.y * (pane.slot == exhibit_slot ? 2.0F : 1.0F);
        }
        return sum;
    };
    panes_ = area(column) > area(row) ? column : row;
}

Rect Stage::place(const Pane& pane, const ViewState& view) const {
    return view.views.at(static_cast<std::size_t>(pane.view)).place(pane.box, canvas_.size(pane.slot));
}

const Stage::Pane* Stage::pane_of(int slot) const {
    const auto found = std::find_if(panes_.begin(), panes_.end(), [&](const Pane& pane) { return pane.slot == slot; });
    return found == panes_.end() ? nullptr : &*found;
}

Rect Stage::looked_at(const Rect& camera, bool mirror) const {
    const image::Placement& p = shown_->placement;
    const glm::vec2 per_pixel = camera.size / canvas_.size(camera_slot);
    const glm::vec2 stretch(p.width / p.place_width, p.height / p.place_height);  // camera pixels an input pixel
    const glm::vec2 origin = glm::vec2(p.x, p.y) - glm::vec2(p.left, p.top) * stretch;
    const glm::vec2 size = glm::vec2(shown_->input_width, shown_->input_height) * stretch;
    Rect rect{camera.origin + origin * per_pixel, size * per_pixel};
    if (mirror) rect.origin.x = 2 * camera.origin.x + camera.size.x - rect.origin.x - rect.size.x;
    return rect;
}

void Stage::draw(vk::CommandBuffer commands, const ViewState& view, vk::Extent2D window, float scale) {
    if (!shown_) return;
    const auto to_pixels = [&](const Rect& rect) { return Rect{rect.origin * scale, rect.size * scale}; };
    const auto draw = [&](int slot, const Rect& at, const Rect& clip, float opacity, float blend, bool mirror) {
        Canvas::Draw what;
        what.place = to_pixels(at);
        what.clip = to_pixels(clip);
        what.opacity = opacity;
        what.blend = blend;
        what.zero = shown_->zero;
        if (mirror) what.part = {1, 0, 0, 1};
        // From eight screen pixels on a picture's own pixels are worth seeing.
        what.smooth = at.size.x < 8 * canvas_.size(slot).x;
        if (slot == exhibit_slot && exhibit_ && exhibit_->show == live::Show::maps) what.smooth = false;
        canvas_.draw(commands, slot, what, window);
    };
    for (const Pane& pane : panes_) {
        if (pane.slot == exhibit_slot && !exhibit_) continue;
        if (pane.slot == second_slot && !second_shown_) continue;
        const Rect at = place(pane, view);
        const bool mirror = view.mirror && pane.slot != exhibit_slot;
        draw(pane.slot, at, pane.box, 1, 0, mirror);
        if (view.mode == Mode::overlay && pane.slot == camera_slot)
            draw(projection_slot, looked_at(at, view.mirror), pane.box, view.opacity,
                 view.blend == Blend::mix ? 0.0F : (view.blend == Blend::signal ? 1.0F : 2.0F), view.mirror);
    }
    if (strip_.size.y > 0) {
        const View plain;
        draw(best_slot, plain.place(strip_, canvas_.size(best_slot)), strip_, 1, 0, false);
    }
}

bool Stage::mouse(const live::State& state, live::Settings& settings, ViewState& view, Hover& hover) {
    const ImGuiIO& io = ImGui::GetIO();
    if (io.WantCaptureMouse || !shown_) return false;
    const glm::vec2 at(io.MousePos.x, io.MousePos.y);
    for (const Pane& pane : panes_) {
        if (!pane.box.contains(at)) continue;
        View& own = view.views.at(static_cast<std::size_t>(pane.view));
        if (io.MouseWheel != 0) own.zoom_about(pane.box, at, std::pow(1.2F, io.MouseWheel));
        if (ImGui::IsMouseDragging(ImGuiMouseButton_Left, 4)) own.pan += glm::vec2(io.MouseDelta.x, io.MouseDelta.y);
        const Rect rect = place(pane, view);
        const glm::vec2 pixel = (at - rect.origin) / rect.size * canvas_.size(pane.slot);
        if (pane.slot != exhibit_slot || !exhibit_) return false;
        describe(state, pixel, hover);
        const ImVec2 dragged = ImGui::GetMouseDragDelta(ImGuiMouseButton_Left, 0);
        const bool still = dragged.x * dragged.x + dragged.y * dragged.y < 16;
        return ImGui::IsMouseReleased(ImGuiMouseButton_Left) && still && click(state, settings, pixel);
    }
    return false;
}

bool Stage::click(const live::State& state, live::Settings& settings, glm::vec2 pixel) const {
    nn::Selection& selection = settings.selection;
    const auto choose = [&](int channel) {
        selection.channel = channel;
        if (selection.where == nn::Selection::Where::pinned) selection.where = nn::Selection::Where::all;
    };
    if (exhibit_->show == live::Show::maps) {
        const image::MapGrid::Hit hit = exhibit_->maps.hit(pixel.x, pixel.y);
        if (hit.channel < 0) return false;
        if (state.selection.channel == hit.channel && selection.channel != nn::Selection::strongest) {
            selection.where = nn::Selection::Where::pinned;
            selection.y = hit.y;
            selection.x = hit.x;
        } else {
            choose(hit.channel);
        }
        return true;
    }
    if (exhibit_->show == live::Show::mosaic) {
        const int channel = exhibit_->mosaic.hit(pixel.x, pixel.y);
        if (channel >= 0) choose(channel);
        return channel >= 0;
    }
    for (const live::ExhibitRow& row : exhibit_->rows) {
        for (const live::ExhibitTile& tile : row.tiles) {
            const Rect box{{tile.left, tile.top}, {tile.width, tile.height}};
            if (!box.contains(pixel) || row.layer < 0) continue;
            settings.layer = row.layer;
            const bool known = exhibit_->show == live::Show::ladder && !row.vector && tile.channel >= 0;
            choose(known ? tile.channel : nn::Selection::strongest);
            return true;
        }
    }
    return false;
}

void Stage::describe(const live::State& state, glm::vec2 pixel, Hover& hover) const {
    char text[256];
    if (exhibit_->show == live::Show::maps) {
        const image::MapGrid::Hit hit = exhibit_->maps.hit(pixel.x, pixel.y);
        if (hit.channel < 0 || hit.channel >= static_cast<int>(state.peaks.size())) return;
        const auto c = static_cast<std::size_t>(hit.channel);
        std::snprintf(text, sizeof text, "channel %d, position %d,%d\nmaximum %.4g, mean %.4g", hit.channel, hit.y,
                      hit.x, static_cast<double>(state.peaks[c]),
                      static_cast<double>(exhibit_->rows.front().tiles[c].mean));
        hover.text = text;
        return;
    }
    for (const live::ExhibitRow& row : exhibit_->rows) {
        for (const live::ExhibitTile& tile : row.tiles) {
            const Rect box{{tile.left, tile.top}, {tile.width, tile.height}};
            if (!box.contains(pixel) || tile.channel < 0) continue;
            if (exhibit_->show == live::Show::mosaic) {
                std::snprintf(text, sizeof text, "channel %d\nclick: choose it", tile.channel);
            } else {
                const std::string what = row.vector ? "all units" : "channel " + std::to_string(tile.channel);
                std::snprintf(text, sizeof text, "%s\n%s\n%s: largest %.4g, mean %.4g%s", row.title.c_str(),
                              row.detail.c_str(), what.c_str(), static_cast<double>(tile.largest),
                              static_cast<double>(tile.mean), row.layer >= 0 ? "\nclick: go there" : "");
            }
            hover.text = text;
            return;
        }
    }
}

void Stage::mark_tile(const Pane& pane, const ViewState& view, const live::ExhibitTile& tile) const {
    const Rect at = place(pane, view);
    const glm::vec2 per_pixel = at.size / canvas_.size(pane.slot);
    const glm::vec2 from = at.origin + glm::vec2(tile.left, tile.top) * per_pixel;
    const glm::vec2 to = from + glm::vec2(tile.width, tile.height) * per_pixel;
    ImGui::GetBackgroundDrawList()->AddRect(to_im(from - 1.5F), to_im(to + 1.5F), accent, 0, 0, 2.5F);
}

void Stage::annotate_exhibit(const Pane& pane, const live::State& state, const ViewState& view) const {
    ImDrawList* list = ImGui::GetBackgroundDrawList();
    const Rect at = place(pane, view);
    const glm::vec2 per_pixel = at.size / canvas_.size(pane.slot);
    const auto on_screen = [&](float x, float y) { return at.origin + glm::vec2(x, y) * per_pixel; };
    const int chosen = state.selection.channel;
    if (exhibit_->show == live::Show::maps || exhibit_->show == live::Show::mosaic) {
        const auto& tiles = exhibit_->rows.front().tiles;
        if (exhibit_->show == live::Show::mosaic) {
            // Older thumbnails fade a little.
            const auto clock = std::chrono::steady_clock::now().time_since_epoch();
            const double now = std::chrono::duration<double>(clock).count();
            double oldest = 2;  // seconds
            for (const live::ExhibitTile& tile : tiles) {
                if (tile.seconds >= 0) oldest = std::max(oldest, now - tile.seconds);
            }
            for (const live::ExhibitTile& tile : tiles) {
                if (tile.seconds < 0) {  // not drawn yet
                    list->AddRect(to_im(on_screen(tile.left, tile.top)),
                                  to_im(on_screen(tile.left + tile.width, tile.top + tile.height)),
                                  IM_COL32(60, 62, 66, 255));
                    continue;
                }
                const double age = std::clamp((now - tile.seconds) / oldest, 0.0, 1.0);
                const auto alpha = static_cast<int>(90 * age);
                if (alpha < 4) continue;
                list->AddRectFilled(to_im(on_screen(tile.left, tile.top)),
                                    to_im(on_screen(tile.left + tile.width, tile.top + tile.height)),
                                    IM_COL32(24, 26, 28, alpha));
            }
        }
        if (chosen >= 0 && chosen < static_cast<int>(tiles.size())) {
            const live::ExhibitTile& tile = tiles[static_cast<std::size_t>(chosen)];
            mark_tile(pane, view, tile);
            const image::MapGrid& grid = exhibit_->maps;
            if (exhibit_->show == live::Show::maps && grid.map_width > 1 &&
                state.selection.where != static_cast<int>(nn::Selection::Where::all)) {
                const glm::vec2 position(state.selection.place % grid.map_width,
                                         state.selection.place / grid.map_width);
                const glm::vec2 pin =
                    glm::vec2(tile.left, tile.top) + (position + 0.5F) * static_cast<float>(grid.scale);
                list->AddCircle(to_im(on_screen(pin.x, pin.y)), 5, pin_colour, 0, 2);
            }
        }
        return;
    }
    for (const live::ExhibitRow& row : exhibit_->rows) {
        if (row.tiles.empty()) continue;
        const live::ExhibitTile& first = row.tiles.front();
        const glm::vec2 corner = on_screen(first.left, first.top - live::strip_title);
        const float width = (exhibit_->show == live::Show::ladder ? 4.0F : 1.0F) *
                            (exhibit_->show == live::Show::ladder ? 100.0F : 144.0F) * per_pixel.x;
        const float line = ImGui::GetTextLineHeight();
        const float room = live::strip_title * per_pixel.y;
        list->PushClipRect(to_im(corner), ImVec2(corner.x + width, corner.y + room), true);
        const std::string name = row.detail.substr(0, row.detail.find(' '));
        const bool here = row.layer >= 0 && row.layer == state.layer;
        if (exhibit_->show == live::Show::ladder) {
            // Two lines where there is room for them, else one.
            list->AddText(ImVec2(corner.x, corner.y + std::max(0.0F, room - 2 * line)), accent, row.title.c_str());
            const ImVec2 size = ImGui::CalcTextSize(row.title.c_str());
            const bool two = room >= 2 * line;
            list->AddText(two ? ImVec2(corner.x, corner.y + room - line) : ImVec2(corner.x + size.x + 8, corner.y),
                          IM_COL32(200, 200, 200, 255), row.detail.c_str());
        } else {
            list->AddText(ImVec2(corner.x, corner.y + std::max(0.0F, room - line)),
                          here ? accent : IM_COL32(210, 210, 210, 255), fitted(name, width).c_str());
        }
        list->PopClipRect();
        if (here && exhibit_->show == live::Show::network) mark_tile(pane, view, first);
    }
}

void Stage::annotate(const live::State& state, const live::Settings& settings, const ViewState& view) const {
    if (!shown_) return;
    ImDrawList* list = ImGui::GetBackgroundDrawList();
    const bool following = settings.selection.channel == nn::Selection::strongest;
    const std::string side =
        describe_side(*state.layers, state.layer, state.selection, following, settings.options.rule);
    for (const Pane& pane : panes_) {
        list->PushClipRect(to_im(pane.box.origin), to_im(pane.box.origin + pane.box.size));
        if (pane.slot == exhibit_slot && exhibit_) annotate_exhibit(pane, state, view);
        // Above the picture where there is room, else in its corner.
        const Rect at = place(pane, view);
        const float line = ImGui::GetTextLineHeight() + 8;
        const glm::vec2 corner(std::max(pane.box.origin.x, at.origin.x),
                               std::max(pane.box.origin.y, at.origin.y - line));
        const float width = pane.box.origin.x + pane.box.size.x - corner.x;
        const bool over_camera = view.mode == Mode::overlay && pane.slot == camera_slot;
        if (pane.slot == projection_slot || over_camera) caption(list, corner, side, width, accent);
        if (pane.slot == second_slot) {
            const bool follows = settings.second.selection.channel == nn::Selection::strongest;
            const std::string text = second_shown_
                                         ? describe_side(*state.second_layers, state.second_layer,
                                                         state.second_selection, follows, settings.second.rule)
                                         : "preparing ...";
            caption(list, corner, text, width, accent);
        }
        const bool waits = pane.slot == exhibit_slot && (!exhibit_ || exhibit_->show != settings.show);
        if (waits) caption(list, corner, "preparing ...", width, IM_COL32(220, 220, 220, 255));
        list->PopClipRect();
    }
    if (strip_.size.y > 0) {
        char text[128];
        std::snprintf(text, sizeof text, "strongest moments of channel %d, and what excited it  (G saves them)",
                      state.selection.channel);
        caption(list, strip_.origin + glm::vec2(8, -ImGui::GetTextLineHeight() - 10), text, strip_.size.x - 16,
                IM_COL32(220, 220, 220, 255));
    }
}

}  // namespace deconv::ui
