#include "ui/actions.h"

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "live/models.h"
#include "live/preferences.h"

namespace deconv::ui {
namespace {

namespace fs = std::filesystem;

/// The file `by` places on in the folder of the one that is shown, in the order of their names; none where there is no
/// such file.
std::string neighbour(const std::string& path, int by) {
    std::error_code error;
    const fs::path file(path);
    if (!fs::is_regular_file(file, error)) return {};
    std::vector<std::string> files;
    const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
        static const std::array<const char*, 11> kinds{".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif",
                                                       ".mp4", ".mkv",  ".avi", ".mov", ".webm"};
        std::string kind = entry.path().extension().string();
        std::transform(kind.begin(), kind.end(), kind.begin(), [](unsigned char c) { return std::tolower(c); });
        if (std::find(kinds.begin(), kinds.end(), kind) != kinds.end()) files.push_back(entry.path().string());
    }
    std::sort(files.begin(), files.end());
    const auto here =
        std::find_if(files.begin(), files.end(), [&](const std::string& f) { return fs::equivalent(f, file, error); });
    if (here == files.end()) return {};
    const auto count = static_cast<std::ptrdiff_t>(files.size());
    const std::ptrdiff_t at = ((here - files.begin() + by) % count + count) % count;
    return files[static_cast<std::size_t>(at)];
}

void step_layer(const live::State& state, live::Settings& settings, int by) {
    const int stages = static_cast<int>(
        std::count_if(state.layers->begin(), state.layers->end(), [](const auto& layer) { return layer.stage; }));
    if (stages == 0) return;
    const int now = settings.layer >= 0 ? settings.layer : state.layer;
    settings.layer = std::clamp(now + by, 0, std::max(stages - 1, now));
}

void step_channel(const live::State& state, live::Settings& settings, int by) {
    const int channels = static_cast<int>(state.peaks.size());
    if (channels == 0) return;
    const int shown = state.selection.channel >= 0 ? state.selection.channel : state.selection.strongest;
    // Several presses between two frames count each.
    const int now = settings.selection.channel >= 0 ? settings.selection.channel : shown;
    settings.selection.channel = ((now + by) % channels + channels) % channels;
}

/// The next of the usual sizes; a graph that does not allow it says so.
void step_input(const live::State& state, live::Options& options, bool larger) {
    const auto& sizes = input_sizes();
    const int now = options.input_width.value_or(state.input_width);
    if (larger) {
        const auto above = std::find_if(sizes.begin(), sizes.end(), [&](int size) { return size > now; });
        if (above != sizes.end()) options.input_width = options.input_height = *above;
    } else {
        const auto below = std::find_if(sizes.rbegin(), sizes.rend(), [&](int size) { return size < now; });
        if (below != sizes.rend()) options.input_width = options.input_height = *below;
    }
}

void next_network(const ViewState& view, live::Options& options) {
    std::vector<std::string> here;
    for (const Offer& offer : view.models) {
        if (!offer.fetch) here.push_back(offer.value);
    }
    if (here.size() < 2) return;
    const std::string now = options.model.empty() ? live::default_model : options.model;
    const auto at = std::find(here.begin(), here.end(), now);
    options.model = at == here.end() || at + 1 == here.end() ? here.front() : *(at + 1);
    options.input_width.reset();
    options.input_height.reset();
}

template <typename Choice>
Choice next(Choice choice, int count) {
    return static_cast<Choice>((static_cast<int>(choice) + 1) % count);
}

/// signed, positive, norm, norm blurred, range.
void next_display(live::Options& options) {
    constexpr double soft = 2;  // pixels
    if (options.display == image::Display::norm && options.blur == 0) {
        options.blur = soft;
        return;
    }
    options.blur = 0;
    options.display = next(options.display, 4);
}

}  // namespace

const std::vector<int>& input_sizes() {
    static const std::vector<int> sizes{32, 64, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512};
    return sizes;
}

int next_weaker(const live::State& state) {
    std::vector<int> order(state.peaks.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
        return state.peaks[static_cast<std::size_t>(a)] > state.peaks[static_cast<std::size_t>(b)];
    });
    const auto at = std::find(order.begin(), order.end(), state.selection.channel);
    if (order.empty()) return 0;
    return at == order.end() || at + 1 == order.end() ? order.front() : *(at + 1);
}

void choose_class(int index, const live::State& state, live::Settings& settings) {
    if (state.class_layer >= 0) settings.layer = state.class_layer;
    settings.selection.channel = index;
    settings.selection.where = nn::Selection::Where::all;
}

void follow_mode(const ViewState& view, live::Settings& settings) {
    switch (view.mode) {
        case Mode::side_by_side:
        case Mode::overlay:
        case Mode::compare:
            settings.show = live::Show::projection;
            break;
        case Mode::layer:
            settings.show = live::Show::maps;
            break;
        case Mode::mosaic:
            settings.show = live::Show::mosaic;
            break;
        case Mode::ladder:
            settings.show = live::Show::ladder;
            break;
        case Mode::network:
            settings.show = live::Show::network;
            break;
    }
    settings.second.on = view.mode == Mode::compare;
}

bool gains_by_half(const live::State& state, const ViewState& view) {
    return std::any_of(view.devices.begin(), view.devices.end(), [&](const gpu::DeviceInfo& device) {
        return device.name == state.device && device.half_precision && device.type != gpu::DeviceType::cpu;
    });
}

void act(Action action, const live::State& state, live::Settings& settings, ViewState& view,
         const live::Settings& first) {
    nn::Selection& selection = settings.selection;
    live::Options& options = settings.options;
    if (action != Action::help) view.hint = false;
    switch (action) {
        case Action::help:
            view.help = !view.help;
            break;
        case Action::panel:
            view.panel = !view.panel;
            break;
        case Action::full_screen:
            view.full_screen = !view.full_screen;
            break;
        case Action::quit:
            view.quit = true;
            break;
        case Action::timings:
            view.timings = !view.timings;
            break;
        case Action::next_view:
            view.mode = next(view.mode, static_cast<int>(live::view_names().size()));
            break;
        case Action::view_side_by_side:
        case Action::view_overlay:
        case Action::view_layer:
        case Action::view_mosaic:
        case Action::view_ladder:
        case Action::view_network:
        case Action::view_compare:
            view.mode = static_cast<Mode>(static_cast<int>(action) - static_cast<int>(Action::view_side_by_side));
            break;
        case Action::layer_up:
            step_layer(state, settings, -1);
            break;
        case Action::layer_down:
            step_layer(state, settings, 1);
            break;
        case Action::channel_left:
            step_channel(state, settings, -1);
            break;
        case Action::channel_right:
            step_channel(state, settings, 1);
            break;
        case Action::channels_back:
            step_channel(state, settings, -10);
            break;
        case Action::channels_on:
            step_channel(state, settings, 10);
            break;
        case Action::strongest:
            selection.channel = nn::Selection::strongest;
            break;
        case Action::next_strongest:
            selection.channel = next_weaker(state);
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
        case Action::start_one:
            selection.one = !selection.one;
            break;
        case Action::next_rule:
            options.rule = next(options.rule, 3);
            break;
        case Action::next_display:
            next_display(options);
            break;
        case Action::gain_up:
            settings.gain = std::min(10.0F, settings.gain * 1.25F);
            break;
        case Action::gain_down:
            settings.gain = std::max(0.1F, settings.gain / 1.25F);
            break;
        case Action::gamma_up:
            settings.gamma = std::min(3.0F, settings.gamma * 1.15F);
            break;
        case Action::gamma_down:
            settings.gamma = std::max(0.3F, settings.gamma / 1.15F);
            break;
        case Action::freeze_camera:
            settings.freeze_camera = !settings.freeze_camera;
            break;
        case Action::freeze_selection:
            settings.freeze_selection = !settings.freeze_selection;
            break;
        case Action::mirror:
            view.mirror = !view.mirror;
            break;
        case Action::opacity_up:
            view.opacity = std::min(1.0F, view.opacity + 0.1F);
            break;
        case Action::opacity_down:
            view.opacity = std::max(0.0F, view.opacity - 0.1F);
            break;
        case Action::next_blend:
            view.blend = next(view.blend, static_cast<int>(live::blend_names().size()));
            break;
        case Action::reset_zoom:
            view.views = {};
            break;
        case Action::reset_all: {
            // What is looked at, and by which network, stays.
            live::Settings fresh;
            fresh.options = first.options;
            fresh.options.camera = options.camera;
            fresh.options.input = options.input;
            fresh.options.model = options.model;
            fresh.options.input_width = options.input_width;
            fresh.options.input_height = options.input_height;
            fresh.options.layer.clear();
            fresh.options.channel = "strongest";
            fresh.record = settings.record;
            settings = fresh;
            view.views = {};
            view.mode = Mode::side_by_side;
            view.mirror = false;
            view.opacity = ViewState().opacity;
            view.blend = Blend::signal;
            break;
        }
        case Action::next_fit:
            options.fit = next(options.fit, 3);
            break;
        case Action::swap_source:
            if (options.camera.empty()) {
                options.camera = first.options.camera.empty() ? "0" : first.options.camera;
                options.input.clear();
            } else {
                options.input = first.options.input.empty() ? "demo" : first.options.input;
                options.camera.clear();
            }
            break;
        case Action::file_before:
        case Action::next_file:
            if (const std::string file = neighbour(options.input, action == Action::next_file ? 1 : -1); !file.empty())
                options.input = file;
            break;
        case Action::smaller_input:
        case Action::larger_input:
            step_input(state, options, action == Action::larger_input);
            break;
        case Action::next_network:
            next_network(view, options);
            break;
        case Action::next_device:
            for (std::size_t i = 0; i < view.devices.size() && view.devices.size() > 1; ++i) {
                if (view.devices[i].name == state.device)
                    view.device_asked = std::to_string(view.devices[(i + 1) % view.devices.size()].index);
            }
            break;
        case Action::half_precision:
            if (gains_by_half(state, view)) {
                const bool half = options.precision == nn::Precision::half;
                options.precision = half ? nn::Precision::single : nn::Precision::half;
            }
            break;
        case Action::randomise:
            settings.random_layers = std::min(settings.random_layers + 1, state.learned_layers);
            break;
        case Action::restore_weights:
            settings.random_layers = 0;
            break;
        case Action::best:
            settings.best = !settings.best;
            break;
        case Action::save_best:
            view.save_best_asked = true;
            break;
        case Action::record:
            view.record_asked = true;
            break;
        case Action::next_record:
            settings.record = next(settings.record, static_cast<int>(live::record_names().size()));
            break;
        case Action::snapshot:
            view.snapshot_asked = true;
            break;
    }
    follow_mode(view, settings);
}

}  // namespace deconv::ui
