#include "ui/app.h"

#define GLFW_INCLUDE_NONE
#include <GLFW/glfw3.h>
#include <imgui.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <numeric>

#include "base/error.h"
#include "live/headless.h"
#include "ui/canvas.h"
#include "ui/imgui_backend.h"
#include "ui/keys.h"
#include "ui/overlay.h"
#include "ui/window.h"

namespace deconv::ui {
namespace {

enum Slot { camera_slot, projection_slot, maps_slot };

/// "deconv-live-2026-03-14-15-09-26.png" in the working directory.
std::string file_name(const char* extension) {
    const std::time_t now = std::time(nullptr);
    char text[64];
    std::tm local{};
    localtime_r(&now, &local);
    std::strftime(text, sizeof text, "deconv-live-%Y-%m-%d-%H-%M-%S", &local);
    return std::string(text) + extension;
}

gpu::DeviceOptions device_options(const live::Options& options, const Display& display) {
    gpu::DeviceOptions device;
    device.choice = options.device;
    device.minimum_limits = options.minimum_limits;
    device.instance_extensions = display.instance_extensions();
    device.device_extensions = {VK_KHR_SWAPCHAIN_EXTENSION_NAME};
    return device;
}

live::Settings first_settings(const live::Options& options) {
    live::Settings settings;
    settings.options = options;
    return settings;
}

class App {
  public:
    explicit App(const live::Options& options)
        : device_(device_options(options, display_)),
          pipelines_(device_),
          window_(device_, 1280, 720, "deconv-live"),
          canvas_(device_, window_.render_pass()),
          session_(device_, pipelines_, first_settings(options)) {
        glfwSetWindowUserPointer(window_.handle(), this);
        glfwSetKeyCallback(window_.handle(), [](GLFWwindow* w, int key, int, int action, int) {
            App& app = *static_cast<App*>(glfwGetWindowUserPointer(w));
            app.stir();
            if (action != GLFW_RELEASE) app.on_key(key);
        });
        glfwSetCursorPosCallback(window_.handle(), [](GLFWwindow* w, double, double) {
            static_cast<App*>(glfwGetWindowUserPointer(w))->stir();
        });
        glfwSetMouseButtonCallback(window_.handle(), [](GLFWwindow* w, int, int, int) {
            static_cast<App*>(glfwGetWindowUserPointer(w))->stir();
        });
        glfwSetScrollCallback(window_.handle(), [](GLFWwindow* w, double, double) {
            static_cast<App*>(glfwGetWindowUserPointer(w))->stir();
        });
        glfwSetWindowRefreshCallback(window_.handle(),
                                     [](GLFWwindow* w) { static_cast<App*>(glfwGetWindowUserPointer(w))->stir(); });
        glfwSetDropCallback(window_.handle(), [](GLFWwindow* w, int count, const char** paths) {
            if (count > 0) static_cast<App*>(glfwGetWindowUserPointer(w))->on_drop(paths[0]);
        });
        // After our own callbacks: it calls them on.
        imgui_.emplace(device_, window_);
        if (!options.record.empty()) session_.record(options.record);
    }

    ~App() { window_.wait(); }
    App(const App&) = delete;
    App& operator=(const App&) = delete;

    void run() {
        using Clock = std::chrono::steady_clock;
        Clock::time_point drawn;
        while (!window_.should_close() && !view_.quit && live::stop_requested == 0) {
            if (device_.info().type == gpu::DeviceType::cpu) {
                // Window and network share the processor: draw only what is new, and leave the rest to the network.
                glfwWaitEventsTimeout(0.02);
                const bool fresh = session_.state().frames != uploaded_;
                if (!fresh && stirred_ == 0 && Clock::now() - drawn < std::chrono::milliseconds(300)) continue;
                stirred_ = std::max(0, stirred_ - 1);
                drawn = Clock::now();
            } else {
                glfwPollEvents();
            }
            frame();
        }
        window_.wait();
    }

  private:
    /// Something was done: the overlay takes a few frames to follow.
    void stir() { stirred_ = 4; }

    void frame() {
        state_ = session_.state();
        imgui_->begin_frame();
        const ImGuiIO& io = ImGui::GetIO();
        const glm::vec2 screen(io.DisplaySize.x, io.DisplaySize.y);
        lay_out(screen);
        mouse();
        live::Settings settings = session_.settings();
        if (draw_overlay(state_, settings, view_, hover_)) session_.set(settings);
        mark_chosen();
        follow_requests();
        imgui_->end_frame();

        const bool fresh = state_.pictures && state_.frames != uploaded_;
        const bool drawn = window_.draw(
            [&](vk::CommandBuffer commands) {
                if (!fresh) return;
                // Kept until the next upload: the copy may still run when the session has moved on.
                shown_ = state_.pictures;
                canvas_.upload(commands, camera_slot, shown_->camera);
                canvas_.upload(commands, projection_slot, shown_->projection);
                canvas_.upload(commands, maps_slot, shown_->maps);
                uploaded_ = state_.frames;
            },
            [&](vk::CommandBuffer commands) {
                draw_pictures(commands);
                commands.setScissor(0, vk::Rect2D({0, 0}, window_.extent()));
                imgui_->draw(commands);
            });
        if (!drawn) glfwWaitEventsTimeout(0.1);
        window_.set_full_screen(view_.full_screen);
    }

    /// The boxes of the two pictures, right of the controls.
    void lay_out(glm::vec2 screen) {
        const float begin = panel_width(view_);
        constexpr float gap = 6;
        const glm::vec2 room(std::max(1.0F, screen.x - begin), screen.y);
        if (view_.mode == Mode::overlay) {
            left_ = {{begin, 0}, room};
            right_ = {{begin, 0}, {0, 0}};
            return;
        }
        const glm::vec2 first = view_.mode == Mode::layer ? canvas_.size(maps_slot) : canvas_.size(camera_slot);
        const glm::vec2 second = canvas_.size(projection_slot);
        // Both as tall as they can be together.
        const float share = first.x / first.y / (first.x / first.y + second.x / second.y);
        const float width = std::floor((room.x - gap) * share);
        left_ = {{begin, 0}, {width, room.y}};
        right_ = {{begin + width + gap, 0}, {room.x - gap - width, room.y}};
    }

    Rect left_place() const {
        return view_.left.place(left_, canvas_.size(view_.mode == Mode::layer ? maps_slot : camera_slot));
    }

    void draw_pictures(vk::CommandBuffer commands) {
        if (!shown_) return;
        const float scale = pixel_ratio();
        const auto to_pixels = [&](Rect rect) { return Rect{rect.origin * scale, rect.size * scale}; };
        const auto draw = [&](int slot, const Rect& place, const Rect& clip, float opacity, bool only_signal,
                              bool mirror) {
            Canvas::Draw what;
            what.place = to_pixels(place);
            what.clip = to_pixels(clip);
            what.opacity = opacity;
            what.only_signal = only_signal;
            if (mirror) what.part = {1, 0, 0, 1};
            // From eight screen pixels on a picture's own pixels are worth seeing.
            what.smooth = slot != maps_slot && place.size.x < 8 * canvas_.size(slot).x;
            canvas_.draw(commands, slot, what, window_.extent());
        };
        if (view_.mode == Mode::layer) {
            draw(maps_slot, left_place(), left_, 1, false, false);
        } else {
            draw(camera_slot, left_place(), left_, 1, false, view_.mirror);
        }
        if (view_.mode == Mode::overlay) {
            draw(projection_slot, looked_at(left_place()), left_, view_.opacity, true, view_.mirror);
        } else {
            draw(projection_slot, view_.right.place(right_, canvas_.size(projection_slot)), right_, 1, false,
                 view_.mirror);
        }
    }

    /// Where the network's input lies over the camera's picture: the fit, undone.
    Rect looked_at(const Rect& camera) const {
        const image::Placement& p = shown_->placement;
        const glm::vec2 per_pixel = camera.size / canvas_.size(camera_slot);
        const glm::vec2 stretch(p.width / p.place_width, p.height / p.place_height);  // camera pixels an input pixel
        const glm::vec2 origin = glm::vec2(p.x, p.y) - glm::vec2(p.left, p.top) * stretch;
        const glm::vec2 size = glm::vec2(shown_->input_width, shown_->input_height) * stretch;
        Rect rect{camera.origin + origin * per_pixel, size * per_pixel};
        if (view_.mirror) rect.origin.x = 2 * camera.origin.x + camera.size.x - rect.origin.x - rect.size.x;
        return rect;
    }

    float pixel_ratio() const {
        const float width = ImGui::GetIO().DisplaySize.x;
        return width > 0 ? static_cast<float>(window_.extent().width) / width : 1;
    }

    void mouse() {
        hover_ = {};
        const ImGuiIO& io = ImGui::GetIO();
        if (io.WantCaptureMouse) return;
        const glm::vec2 at(io.MousePos.x, io.MousePos.y);
        const bool on_left = left_.contains(at);
        View& view = on_left ? view_.left : view_.right;
        const Rect& box = on_left ? left_ : right_;
        if (io.MouseWheel != 0) view.zoom_about(box, at, std::pow(1.2F, io.MouseWheel));
        if (ImGui::IsMouseDragging(ImGuiMouseButton_Left, 4)) view.pan += glm::vec2(io.MouseDelta.x, io.MouseDelta.y);
        if (view_.mode != Mode::layer || !on_left || !shown_) return;
        const Rect place = left_place();
        const glm::vec2 pixel = (at - place.origin) / place.size * canvas_.size(maps_slot);
        const image::MapGrid::Hit hit = shown_->grid.hit(pixel.x, pixel.y);
        hover_ = {hit.channel, hit.y, hit.x};
        const glm::vec2 dragged(ImGui::GetMouseDragDelta(ImGuiMouseButton_Left, 0).x,
                                ImGui::GetMouseDragDelta(ImGuiMouseButton_Left, 0).y);
        const bool click = ImGui::IsMouseReleased(ImGuiMouseButton_Left) && glm::length(dragged) < 4;
        if (!click || hit.channel < 0) return;
        live::Settings settings = session_.settings();
        if (state_.selection.channel == hit.channel && settings.selection.channel != nn::Selection::strongest) {
            settings.selection.where = nn::Selection::Where::pinned;
            settings.selection.y = hit.y;
            settings.selection.x = hit.x;
        } else {
            settings.selection.channel = hit.channel;
            if (settings.selection.where == nn::Selection::Where::pinned)
                settings.selection.where = nn::Selection::Where::all;
        }
        session_.set(settings);
    }

    /// A frame around the chosen map, and its pin.
    void mark_chosen() {
        if (view_.mode != Mode::layer || !shown_ || state_.selection.channel < 0) return;
        const image::MapGrid& grid = shown_->grid;
        if (state_.selection.channel >= grid.channels) return;
        const Rect place = left_place();
        const glm::vec2 per_pixel = place.size / glm::vec2(grid.width(), grid.height());
        const auto [x, y] = grid.origin(state_.selection.channel);
        const glm::vec2 from = place.origin + glm::vec2(x, y) * per_pixel;
        const glm::vec2 to = from + glm::vec2(grid.map_width * grid.scale, grid.map_height * grid.scale) * per_pixel;
        ImDrawList* list = ImGui::GetBackgroundDrawList();
        list->PushClipRect(ImVec2(left_.origin.x, left_.origin.y),
                           ImVec2(left_.origin.x + left_.size.x, left_.origin.y + left_.size.y));
        list->AddRect(ImVec2(from.x - 1, from.y - 1), ImVec2(to.x + 1, to.y + 1), IM_COL32(242, 166, 64, 255), 0, 0, 2);
        if (state_.selection.where != static_cast<int>(nn::Selection::Where::all) && grid.map_width > 1) {
            const int row = state_.selection.place / grid.map_width;
            const glm::vec2 position(state_.selection.place % grid.map_width, row);
            const glm::vec2 pin = from + (position + 0.5F) * static_cast<float>(grid.scale) * per_pixel;
            list->AddCircle(ImVec2(pin.x, pin.y), 5, IM_COL32(255, 60, 60, 255), 0, 2);
        }
        list->PopClipRect();
    }

    void follow_requests() {
        if (std::exchange(view_.record_asked, false)) {
            if (state_.recording) {
                session_.stop_recording();
            } else {
                session_.record(file_name(".mkv"));
            }
        }
        if (std::exchange(view_.snapshot_asked, false)) session_.snapshot(file_name(".png"));
    }

    /// Channels in the order of their peaks; where the shown one stands.
    int next_weaker() const {
        std::vector<int> order(state_.peaks.size());
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
            return state_.peaks[static_cast<std::size_t>(a)] > state_.peaks[static_cast<std::size_t>(b)];
        });
        const auto at = std::find(order.begin(), order.end(), state_.selection.channel);
        if (order.empty()) return 0;
        return at == order.end() || at + 1 == order.end() ? order.front() : *(at + 1);
    }

    void on_key(int key) {
        if (ImGui::GetIO().WantTextInput) return;
        for (const Key& entry : key_table()) {
            if (entry.key == key) act(entry.action);
        }
    }

    void act(Action action) {
        live::Settings settings = session_.settings();
        nn::Selection& selection = settings.selection;
        const int channels = std::max(1, static_cast<int>(state_.peaks.size()));
        const auto step_layer = [&](int by) {
            const int stages = static_cast<int>(
                std::count_if(state_.layers.begin(), state_.layers.end(), [](const auto& l) { return l.stage; }));
            if (stages > 0) settings.layer = std::clamp(settings.layer + by, 0, std::max(stages - 1, settings.layer));
        };
        const int shown = state_.selection.channel >= 0 ? state_.selection.channel : state_.selection.strongest;
        if (action != Action::help) view_.hint = false;
        switch (action) {
            case Action::help:
                view_.help = !view_.help;
                break;
            case Action::full_screen:
                view_.full_screen = !view_.full_screen;
                break;
            case Action::panel:
                view_.panel = !view_.panel;
                break;
            case Action::quit:
                view_.quit = true;
                break;
            case Action::next_view:
                view_.mode = static_cast<Mode>((static_cast<int>(view_.mode) + 1) % 3);
                break;
            case Action::layer_up:
                step_layer(-1);
                break;
            case Action::layer_down:
                step_layer(1);
                break;
            case Action::channel_left:
                selection.channel = (shown + channels - 1) % channels;
                break;
            case Action::channel_right:
                selection.channel = (shown + 1) % channels;
                break;
            case Action::strongest:
                selection.channel = nn::Selection::strongest;
                break;
            case Action::next_strongest:
                selection.channel = next_weaker();
                break;
            case Action::all_channels:
                selection.channel = nn::Selection::all;
                break;
            case Action::start_all:
                selection.where = nn::Selection::Where::all;
                break;
            case Action::start_max:
                selection.where = nn::Selection::Where::max;
                break;
            case Action::next_rule:
                settings.options.rule = static_cast<nn::Rule>((static_cast<int>(settings.options.rule) + 1) % 3);
                break;
            case Action::next_display:
                settings.options.display =
                    static_cast<image::Display>((static_cast<int>(settings.options.display) + 1) % 4);
                break;
            case Action::gain_up:
                settings.gain = std::min(10.0F, settings.gain * 1.25F);
                break;
            case Action::gain_down:
                settings.gain = std::max(0.1F, settings.gain / 1.25F);
                break;
            case Action::freeze_camera:
                settings.freeze_camera = !settings.freeze_camera;
                break;
            case Action::freeze_selection:
                settings.freeze_selection = !settings.freeze_selection;
                break;
            case Action::mirror:
                view_.mirror = !view_.mirror;
                break;
            case Action::opacity_up:
                view_.opacity = std::min(1.0F, view_.opacity + 0.1F);
                break;
            case Action::opacity_down:
                view_.opacity = std::max(0.0F, view_.opacity - 0.1F);
                break;
            case Action::reset_zoom:
                view_.left = view_.right = {};
                break;
            case Action::record:
                view_.record_asked = true;
                break;
            case Action::snapshot:
                view_.snapshot_asked = true;
                break;
        }
        session_.set(settings);
    }

    /// A dropped network becomes the model, anything else the source.
    void on_drop(const std::string& path) {
        live::Settings settings = session_.settings();
        if (std::filesystem::path(path).extension() == ".onnx") {
            settings.options.model = path;
            settings.options.input_width.reset();
            settings.options.input_height.reset();
        } else {
            settings.options.input = path;
            settings.options.camera.clear();
        }
        session_.set(settings);
    }

    Display display_;
    gpu::Device device_;
    gpu::Pipelines pipelines_;
    Window window_;
    Canvas canvas_;
    std::shared_ptr<const live::PublishedPictures> shown_;
    std::optional<ImGuiBackend> imgui_;
    ViewState view_;
    live::State state_;
    std::uint64_t uploaded_ = 0;
    int stirred_ = 4;  // frames to draw although the network has nothing new
    Rect left_, right_;
    Hover hover_;
    live::Session session_;
};

}  // namespace

void run_window(const live::Options& options) {
    App(options).run();
}

}  // namespace deconv::ui
