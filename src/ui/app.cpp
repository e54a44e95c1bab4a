#include "ui/app.h"

#define GLFW_INCLUDE_NONE
#include <GLFW/glfw3.h>
#include <imgui.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdio>
#include <ctime>
#include <filesystem>

#include "base/error.h"
#include "base/trace.h"
#include "live/headless.h"
#include "live/preferences.h"
#include "live/steady.h"
#include "ui/actions.h"
#include "ui/canvas.h"
#include "ui/imgui_backend.h"
#include "ui/keys.h"
#include "ui/kiosk.h"
#include "ui/menus.h"
#include "ui/overlay.h"
#include "ui/remember.h"
#include "ui/stage.h"
#include "ui/window.h"

namespace deconv::ui {
namespace {

using Clock = std::chrono::steady_clock;

/// "deconv-live-2026-03-14-15-09-26" and what follows, in the working directory; never a file that is there.
std::string file_name(const std::string& ending) {
    const std::time_t now = std::time(nullptr);
    char text[64];
    std::tm local{};
    localtime_r(&now, &local);
    std::strftime(text, sizeof text, "deconv-live-%Y-%m-%d-%H-%M-%S", &local);
    std::string name = text + ending;
    for (int i = 2; std::filesystem::exists(name); ++i) name = std::string(text) + "-" + std::to_string(i) + ending;
    return name;
}

gpu::DeviceOptions device_options(const live::Options& options, const Display& display) {
    gpu::DeviceOptions device;
    device.choice = options.device;
    device.minimum_limits = options.minimum_limits;
    device.instance_extensions = display.instance_extensions();
    device.device_extensions = {VK_KHR_SWAPCHAIN_EXTENSION_NAME};
    return device;
}

/// What goes on when everything is made anew on another device.
struct Carried {
    live::Settings settings, first;
    ViewState view;
    Window::Geometry geometry = Window::default_geometry;
    std::string record;   // to begin with
    std::string message;  // to say
};

class App {
  public:
    App(const Display& display, Carried& carried, const WindowOptions& options, Trace* trace)
        : options_(options),
          trace_(trace),
          carried_(carried),
          device_(device_options(carried.settings.options, display)),
          pipelines_(device_),
          window_(device_, carried.geometry, "deconv-live"),
          canvas_(device_, window_.render_pass()),
          stage_(device_, canvas_),
          view_(carried.view),
          session_(device_, pipelines_, carried.settings, trace) {
        glfwSetWindowUserPointer(window_.handle(), this);
        glfwSetKeyCallback(window_.handle(), [](GLFWwindow* w, int key, int, int action, int mods) {
            App& app = of(w);
            app.stir();
            if (action != GLFW_RELEASE) app.on_key(key, mods);
        });
        glfwSetCursorPosCallback(window_.handle(), [](GLFWwindow* w, double, double) { of(w).stir(); });
        glfwSetMouseButtonCallback(window_.handle(), [](GLFWwindow* w, int, int, int) { of(w).stir(); });
        glfwSetScrollCallback(window_.handle(), [](GLFWwindow* w, double, double) { of(w).stir(); });
        glfwSetDropCallback(window_.handle(), [](GLFWwindow* w, int count, const char** paths) {
            if (count > 0) of(w).on_drop(paths[0]);
        });
        // After our own callbacks: it calls them on.
        imgui_.emplace(device_, window_);
        if (!carried.record.empty()) session_.record(std::exchange(carried.record, {}));
        if (!carried.message.empty()) session_.say(std::exchange(carried.message, {}));
        view_.devices = gpu::list_devices();
        view_.quit = false;
        view_.device_asked.clear();
        menus_.look(carried.settings.options, view_);
    }

    ~App() { window_.wait(); }
    App(const App&) = delete;
    App& operator=(const App&) = delete;

    /// True where another device was asked for; what is carried on then names it.
    bool run() {
        while (!window_.should_close() && !view_.quit && live::stop_requested == 0 && view_.device_asked.empty()) {
            wait_for_turn();
            frame();
        }
        window_.wait();
        carried_.settings = session_.settings();
        carried_.geometry = window_.geometry();
        carried_.view = view_;
        return !view_.device_asked.empty();
    }

  private:
    static App& of(GLFWwindow* window) { return *static_cast<App*>(glfwGetWindowUserPointer(window)); }

    /// Something was done: the overlay follows at once.
    void stir() {
        stirred_ = 3;
        kiosk_.touch();
    }

    /// A GPU shows every refresh.  Where window and network share the processor a frame is drawn when there is
    /// something new, and 32 times a second.
    void wait_for_turn() {
        if (device_.info().type != gpu::DeviceType::cpu) {
            glfwPollEvents();
            return;
        }
        constexpr auto interval = std::chrono::microseconds(31250);
        for (;;) {
            const double left = std::chrono::duration<double>(drawn_ + interval - Clock::now()).count();
            if (left <= 0) {
                glfwPollEvents();
                return;
            }
            glfwWaitEventsTimeout(std::max(0.001, left));
            if (stirred_ > 0) {
                --stirred_;
                return;
            }
        }
    }

    void frame() {
        const TraceSpan span(trace_, "window", "frame");
        drawn_ = Clock::now();
        window_rate_.tick();
        view_.window_fps = window_rate_.per_second();
        session_.state(state_);
        imgui_->begin_frame();
        const ImGuiIO& io = ImGui::GetIO();
        const bool fresh = stage_.follow(state_);
        stage_.lay_out({io.DisplaySize.x, io.DisplaySize.y}, panel_width(view_), state_, view_);
        live::Settings settings = session_.settings();
        Hover hover;
        bool changed = stage_.mouse(state_, settings, view_, hover);
        const Mode before = view_.mode;
        changed |= draw_overlay(state_, settings, view_, hover);
        if (options_.kiosk) changed |= kiosk_.step(state_, settings, view_);
        if (view_.mode != before) {
            follow_mode(view_, settings);
            changed = true;
        }
        if (changed) session_.set(settings);
        stage_.annotate(state_, settings, view_);
        menus_.follow(session_, view_);
        follow_requests();
        imgui_->end_frame();
        show(fresh);
        window_.set_full_screen(view_.full_screen);
        window_.hide_cursor(options_.kiosk && kiosk_.cursor_hidden());
    }

    void show(bool fresh) {
        const bool capturing = view_to_save_.has_value() || session_.wants_view();
        if (capturing) window_.capture();
        const bool drawn = window_.draw([&](vk::CommandBuffer commands) { stage_.upload(commands); },
                                        [&](vk::CommandBuffer commands) {
                                            stage_.draw(commands, view_, window_.extent(), pixel_ratio());
                                            commands.setScissor(0, vk::Rect2D({0, 0}, window_.extent()));
                                            imgui_->draw(commands);
                                        });
        if (!drawn) {
            glfwWaitEventsTimeout(0.1);
            return;
        }
        const Clock::time_point now = Clock::now();
        if (fresh) {
            view_.latency_ms = std::chrono::duration<double, std::milli>(now - state_.captured).count();
            if (trace_ != nullptr) trace_->complete("latency", "capture to display", state_.captured, now);
        }
        if (trace_ != nullptr && key_at_) trace_->complete("keys", "key to display", *key_at_, now);
        key_at_.reset();
        if (capturing) take_view();
    }

    /// The pictures' part of the window, for a recording or a snapshot.
    void take_view() {
        std::optional<Picture> all = window_.take_capture();
        if (!all) return;
        const float ratio = pixel_ratio();
        const auto edge = [&](float v, int most) { return std::clamp(static_cast<int>(v * ratio), 0, most); };
        const Rect area = stage_.area();
        const int left = edge(area.origin.x, all->width - 2);
        const int width = std::max(2, (all->width - left) & ~1);
        const int height = std::max(2, all->height & ~1);
        Picture part(width, height);
        for (int y = 0; y < height; ++y) {
            std::copy_n(all->pixel(left, std::min(y, all->height - 1)),
                        std::size_t{4} * static_cast<std::size_t>(width), part.pixel(0, y));
        }
        if (view_to_save_) session_.save(*std::exchange(view_to_save_, std::nullopt), part);
        if (session_.wants_view()) session_.offer_view(std::move(part));
    }

    float pixel_ratio() const {
        const float width = ImGui::GetIO().DisplaySize.x;
        return width > 0 ? static_cast<float>(window_.extent().width) / width : 1;
    }

    void follow_requests() {
        const bool record = std::exchange(view_.record_asked, false);
        const bool snapshot = std::exchange(view_.snapshot_asked, false);
        const bool best = std::exchange(view_.save_best_asked, false);
        if (!view_.may_keep) {
            if (record || snapshot || best) session_.say("this kiosk keeps nothing: start it with --allow-record");
            return;
        }
        if (record) {
            if (state_.recording) {
                session_.stop_recording();
            } else {
                session_.record(file_name(".mkv"));
            }
        }
        if (snapshot) {
            const std::string name = file_name(".png");
            session_.save_projection(name.substr(0, name.size() - 4) + "-projection.png");
            if (window_.can_capture()) view_to_save_ = name;
        }
        if (best) session_.save_best(file_name("-best.png"));
    }

    void on_key(int key, int mods) {
        if (ImGui::GetIO().WantTextInput) return;
        if (!key_at_) key_at_ = Clock::now();
        if (options_.kiosk) {
            const int both = GLFW_MOD_CONTROL | GLFW_MOD_SHIFT;
            if (key == GLFW_KEY_Q && (mods & both) == both) view_.quit = true;
        }
        for (const Key& entry : key_table()) {
            if (entry.key != key) continue;
            // Visitors do not close the exhibit.
            if (options_.kiosk && (entry.action == Action::quit || entry.action == Action::full_screen)) continue;
            live::Settings settings = session_.settings();
            act(entry.action, state_, settings, view_, carried_.first);
            session_.set(settings);
        }
    }

    /// A dropped network becomes the model, anything else the source.
    void on_drop(const std::string& path) {
        stir();
        if (options_.kiosk) return;
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
        menus_.look(settings.options, view_);
    }

    const WindowOptions& options_;
    Trace* trace_;
    Carried& carried_;
    gpu::Device device_;
    gpu::Pipelines pipelines_;
    Window window_;
    Canvas canvas_;
    Stage stage_;
    std::optional<ImGuiBackend> imgui_;
    ViewState view_;
    Menus menus_;
    Kiosk kiosk_;
    live::State state_;
    live::Rate window_rate_;
    Clock::time_point drawn_;
    std::optional<Clock::time_point> key_at_;  // pressed, not yet shown
    std::optional<std::string> view_to_save_;
    int stirred_ = 3;  // frames to draw at once, because something was done
    live::Session session_;
};

}  // namespace

void run_window(const live::Options& options, const WindowOptions& window) {
    const Display display;
    std::optional<Trace> trace;
    if (!options.trace.empty()) trace.emplace();
    Carried carried;
    carried.settings.options = options;
    carried.settings.random_layers = options.random_layers;
    carried.record = options.record;
    const std::string remembered = live::preferences_path();
    if (!window.kiosk) {
        const live::Preferences preferences = live::load_preferences(remembered, carried.message);
        take_up(preferences, window.given, carried.settings, carried.view);
        carried.geometry[2] = preferences.width;
        carried.geometry[3] = preferences.height;
    }
    carried.first = carried.settings;
    for (std::size_t i = 0; i < live::view_names().size(); ++i) {
        if (window.view == live::view_names()[i]) carried.view.mode = static_cast<Mode>(i);
    }
    follow_mode(carried.view, carried.settings);
    carried.view.kiosk = window.kiosk;
    if (window.kiosk) carried.view.full_screen = true;
    if (window.kiosk) carried.view.panel = false;
    carried.view.may_keep = !window.kiosk || window.allow_record;
    for (bool again = true; again;) {
        const std::string device = carried.settings.options.device;
        try {
            App app(display, carried, window, trace ? &*trace : nullptr);
            again = app.run();
        } catch (const Error& error) {
            // Another device that cannot be had: back to the one before.
            if (carried.view.device_asked.empty() || carried.settings.options.device == carried.first.options.device)
                throw;
            carried.message = error.what();
            carried.settings.options.device = carried.first.options.device;
            carried.view.device_asked.clear();
            continue;
        }
        if (again) {
            carried.first.options.device = device;
            carried.settings.options.device = carried.view.device_asked;
        }
    }
    if (!window.kiosk) {
        const std::string fault = live::save_preferences(
            remembered, to_remember(carried.settings, carried.view, carried.geometry[2], carried.geometry[3]));
        if (!fault.empty()) std::fprintf(stderr, "deconv-live: %s\n", fault.c_str());
    }
    if (trace) trace->write(options.trace);
}

}  // namespace deconv::ui
