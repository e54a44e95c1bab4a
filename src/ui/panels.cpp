#include "ui/panels.h"

#include <imgui.h>
#include <imgui_stdlib.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>

#include "live/choices.h"
#include "live/preferences.h"
#include "ui/actions.h"

namespace deconv::ui {
namespace {

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text;
}

float half_width() {
    return (ImGui::GetContentRegionAvail().x - ImGui::GetStyle().ItemSpacing.x) / 2;
}

bool choice(const char* id, const std::vector<std::string>& names, int& value) {
    bool changed = false;
    if (ImGui::BeginCombo(id, names.at(static_cast<std::size_t>(value)).c_str())) {
        for (std::size_t i = 0; i < names.size(); ++i) {
            if (ImGui::Selectable(names[i].c_str(), value == static_cast<int>(i))) {
                value = static_cast<int>(i);
                changed = true;
            }
        }
        ImGui::EndCombo();
    }
    return changed;
}

/// The list of layers with its search; `index` is the chosen one.
bool layer_list(const char* id, const std::vector<live::LayerInfo>& layers, int& index, std::string& search) {
    if (layers.empty()) return false;
    bool changed = false;
    const auto now = static_cast<std::size_t>(std::clamp<int>(index, 0, static_cast<int>(layers.size()) - 1));
    ImGui::SetNextItemWidth(-1);
    if (ImGui::BeginCombo(id, layers[now].name.c_str(), ImGuiComboFlags_HeightLargest)) {
        ImGui::SetNextItemWidth(-1);
        if (ImGui::IsWindowAppearing()) ImGui::SetKeyboardFocusHere();
        ImGui::InputTextWithHint("##search", "search", &search);
        for (std::size_t i = 0; i < layers.size(); ++i) {
            const live::LayerInfo& layer = layers[i];
            if (lower(layer.name).find(lower(search)) == std::string::npos) continue;
            char label[256];
            std::snprintf(label, sizeof label, "%s   %d x %dx%d   %s##%zu", layer.name.c_str(), layer.channels,
                          layer.height, layer.width, layer.op.c_str(), i);
            if (!layer.stage) ImGui::PushStyleColor(ImGuiCol_Text, ImGui::GetStyleColorVec4(ImGuiCol_TextDisabled));
            if (ImGui::Selectable(label, i == now)) {
                index = static_cast<int>(i);
                changed = true;
                search.clear();
            }
            if (!layer.stage) ImGui::PopStyleColor();
        }
        ImGui::EndCombo();
    }
    return changed;
}

bool rule_choice(const char* id, nn::Rule& rule) {
    int value = static_cast<int>(rule);
    if (!choice(id, live::names_of(live::rule_choices()), value)) return false;
    rule = static_cast<nn::Rule>(value);
    return true;
}

bool channel_row(const char* id, nn::Selection& selection, int shown, int channels) {
    bool changed = false;
    ImGui::PushID(id);
    int channel = std::max(0, selection.channel >= 0 ? selection.channel : shown);
    ImGui::SetNextItemWidth(96 * overlay_scale());
    if (ImGui::InputInt("##channel", &channel) && channels > 0) {
        selection.channel = (channel % channels + channels) % channels;
        changed = true;
    }
    tooltip("Channel", Action::channel_right);
    ImGui::SameLine();
    if (ImGui::RadioButton("strongest", selection.channel == nn::Selection::strongest)) {
        selection.channel = nn::Selection::strongest;
        changed = true;
    }
    tooltip("Follow the channel with the largest activation", Action::strongest);
    ImGui::SameLine();
    if (ImGui::RadioButton("all", selection.channel == nn::Selection::all)) {
        selection.channel = nn::Selection::all;
        changed = true;
    }
    tooltip("All channels together", Action::all_channels);
    ImGui::PopID();
    return changed;
}

}  // namespace

float overlay_scale() {
    return ImGui::GetFontSize() / 15;
}

void tooltip(const char* text) {
    if (ImGui::IsItemHovered()) ImGui::SetTooltip("%s", text);
}

void tooltip(const char* text, Action action) {
    if (ImGui::IsItemHovered()) ImGui::SetTooltip("%s  (%s)", text, key_of(action).c_str());
}

bool view_controls(ViewState& view) {
    const Mode before = view.mode;
    int mode = static_cast<int>(view.mode);
    ImGui::SetNextItemWidth(half_width());
    if (choice("##view", live::view_names(), mode)) view.mode = static_cast<Mode>(mode);
    tooltip("View", Action::next_view);
    if (view.mode == Mode::overlay) {
        ImGui::SameLine();
        int blend = static_cast<int>(view.blend);
        ImGui::SetNextItemWidth(-1);
        if (choice("##blend", live::blend_names(), blend)) view.blend = static_cast<Blend>(blend);
        tooltip("How the projection lies over the camera", Action::next_blend);
        ImGui::SetNextItemWidth(-1);
        ImGui::SliderFloat("##opacity", &view.opacity, 0, 1, "opacity %.2f");
        tooltip("How much of the projection covers the camera", Action::opacity_up);
    } else {
        ImGui::SameLine();
        if (ImGui::Button("help")) view.help = !view.help;
        tooltip("All keys", Action::help);
        ImGui::SameLine();
        ImGui::Checkbox("mirror", &view.mirror);
        tooltip("For the eye only: the network sees the picture as it is", Action::mirror);
    }
    return view.mode != before;
}

bool layer_and_channel(const live::State& state, live::Settings& settings, ViewState& view) {
    bool changed = false;
    int layer = settings.layer >= 0 ? settings.layer : state.layer;
    if (layer_list("##layer", *state.layers, layer, view.layer_search)) {
        settings.layer = layer;
        changed = true;
    }
    tooltip("Layer: stages first, other tensors in grey", Action::layer_down);
    nn::Selection& selection = settings.selection;
    changed |= channel_row("first", selection, state.selection.channel, static_cast<int>(state.peaks.size()));
    using Where = nn::Selection::Where;
    struct Place {
        const char* name;
        Where where;
        const char* what;
        Action action;
    };
    static const std::array<Place, 2> places{
        {{"whole map", Where::all, "Start with the whole map", Action::start_all},
         {"maximum", Where::max, "Start with its largest value only", Action::start_max}}};
    for (const Place& place : places) {
        if (ImGui::RadioButton(place.name, selection.where == place.where)) {
            selection.where = place.where;
            changed = true;
        }
        tooltip(place.what, place.action);
        ImGui::SameLine();
    }
    char pin[48];
    std::snprintf(pin, sizeof pin, "pin %d,%d###pin", selection.y, selection.x);
    if (ImGui::RadioButton(pin, selection.where == Where::pinned)) {
        selection.where = Where::pinned;
        changed = true;
    }
    tooltip("Start with one position: click into the chosen map in the layer view");
    changed |= ImGui::Checkbox("hold channel", &settings.freeze_selection);
    tooltip("`strongest` stays what it is", Action::freeze_selection);
    ImGui::SameLine();
    changed |= ImGui::Checkbox("start with ones", &selection.one);
    tooltip("In place of the activations", Action::start_one);
    return changed;
}

bool way_back(const live::State& state, live::Settings& settings) {
    bool changed = false;
    ImGui::SetNextItemWidth(half_width());
    changed |= rule_choice("##rule", settings.options.rule);
    tooltip("Rule: what rectifiers let through on the way back", Action::next_rule);
    ImGui::SameLine();
    static const std::vector<std::string> displays{"signed", "positive", "norm", "norm, blurred", "range"};
    const bool blurred = settings.options.display == image::Display::norm && settings.options.blur > 0;
    int display = static_cast<int>(settings.options.display);
    if (blurred || display == 3) ++display;
    ImGui::SetNextItemWidth(-1);
    if (choice("##display", displays, display)) {
        settings.options.display = static_cast<image::Display>(display > 2 ? display - 1 : display);
        settings.options.blur = display == 3 ? 2 : 0;
        changed = true;
    }
    tooltip("How the projection becomes a picture", Action::next_display);
    if (state.learned_layers > 0) {
        ImGui::SetNextItemWidth(-1);
        const char* format = settings.random_layers == 0 ? "sanity: all weights learned" : "random from the top: %d";
        changed |= ImGui::SliderInt("##random", &settings.random_layers, 0, state.learned_layers, format);
        tooltip("Random weights layer by layer, from the top:\ndoes the picture depend on what was learned?",
                Action::randomise);
    }
    return changed;
}

bool other_side(const live::State& state, live::Settings& settings, ViewState& view) {
    if (view.mode != Mode::compare) return false;
    bool changed = false;
    live::Second& second = settings.second;
    ImGui::PushID("second");
    ImGui::TextDisabled("compared with");
    int layer = second.layer >= 0 ? second.layer : state.second_layer;
    if (layer_list("##layer", *state.second_layers, layer, view.layer_search)) {
        second.layer = layer;
        changed = true;
    }
    const int channels = state.second_layer >= 0 && state.second_layer < static_cast<int>(state.second_layers->size())
                             ? (*state.second_layers)[static_cast<std::size_t>(state.second_layer)].channels
                             : 0;
    changed |= channel_row("second", second.selection, state.second_selection.channel, channels);
    ImGui::SetNextItemWidth(half_width());
    changed |= rule_choice("##rule", second.rule);
    tooltip("Rule of the compared side");
    ImGui::SameLine();
    ImGui::SetNextItemWidth(-1);
    const std::string shown = second.model.empty() ? "same network" : second.model;
    if (ImGui::BeginCombo("##model", shown.c_str())) {
        if (ImGui::Selectable("same network", second.model.empty()) && !second.model.empty()) {
            second.model.clear();
            second.layer = -1;
            second.selection = {};
            changed = true;
        }
        for (const Offer& offer : view.models) {
            if (offer.fetch || !ImGui::Selectable(offer.label.c_str(), second.model == offer.value)) continue;
            second.model = offer.value;
            second.layer = -1;
            second.selection = {};
            changed = true;
        }
        ImGui::EndCombo();
    }
    tooltip("Network of the compared side");
    ImGui::PopID();
    ImGui::Separator();
    return changed;
}

bool picture_controls(live::Settings& settings) {
    bool changed = false;
    ImGui::SetNextItemWidth(half_width());
    changed |= ImGui::SliderFloat("##gain", &settings.gain, 0.1F, 10, "gain %.2f", ImGuiSliderFlags_Logarithmic);
    tooltip("Contrast", Action::gain_up);
    ImGui::SameLine();
    ImGui::SetNextItemWidth(-1);
    changed |= ImGui::SliderFloat("##gamma", &settings.gamma, 0.3F, 3, "gamma %.2f", ImGuiSliderFlags_Logarithmic);
    tooltip("Weak parts brighter or darker", Action::gamma_up);
    changed |= ImGui::Checkbox("freeze camera", &settings.freeze_camera);
    tooltip("Keep this picture and go on exploring it", Action::freeze_camera);
    ImGui::SameLine();
    changed |= ImGui::Checkbox("best moments", &settings.best);
    tooltip("Collect the nine strongest moments of the chosen channel", Action::best);
    return changed;
}

bool keep_controls(const live::State& state, live::Settings& settings, ViewState& view) {
    if (!view.may_keep) return false;
    bool changed = false;
    if (ImGui::Button(state.recording ? "finish" : "record")) view.record_asked = true;
    tooltip("A video, as H.264 in Matroska, in the working folder", Action::record);
    ImGui::SameLine();
    if (ImGui::Button("snapshot")) view.snapshot_asked = true;
    tooltip("The view and the bare projection, as PNG", Action::snapshot);
    ImGui::SameLine();
    int what = static_cast<int>(settings.record);
    ImGui::SetNextItemWidth(-1);
    if (choice("##what", live::record_names(), what)) {
        settings.record = static_cast<live::RecordWhat>(what);
        changed = true;
    }
    tooltip("What is recorded", Action::next_record);
    return changed;
}

bool source_and_network(const live::State& state, live::Settings& settings, ViewState& view) {
    bool changed = false;
    live::Options& options = settings.options;
    const auto take_source = [&](const std::string& value) {
        const bool camera = value.rfind("camera:", 0) == 0;
        options.camera = camera ? value.substr(7) : std::string();
        options.input = camera ? std::string() : value;
        changed = true;
    };
    ImGui::SetNextItemWidth(-1);
    if (ImGui::BeginCombo("##source", state.source.empty() ? "opening ..." : state.source.c_str())) {
        if (ImGui::IsWindowAppearing()) view.menu_opened = true;
        for (const Offer& offer : view.sources) {
            if (ImGui::Selectable(offer.label.c_str())) take_source(offer.value);
        }
        ImGui::SetNextItemWidth(-1);
        const auto enter = ImGuiInputTextFlags_EnterReturnsTrue;
        if (ImGui::InputTextWithHint("##path", "a file, a folder, or a stream's address", &view.source_path, enter)) {
            const bool stream = view.source_path.find("://") != std::string::npos;
            take_source((stream ? "camera:" : "") + view.source_path);
            ImGui::CloseCurrentPopup();
        }
        ImGui::EndCombo();
    }
    tooltip("Source; files can also be dropped onto the window", Action::swap_source);
    ImGui::SetNextItemWidth(-1);
    if (ImGui::BeginCombo("##model", state.model.empty() ? "loading ..." : state.model.c_str())) {
        if (ImGui::IsWindowAppearing()) view.menu_opened = true;
        for (const Offer& offer : view.models) {
            if (!ImGui::Selectable(offer.label.c_str(), !offer.fetch && offer.value == options.model)) continue;
            if (offer.fetch) {
                view.fetch_asked = offer.value;
            } else {
                options.model = offer.value;
                options.input_width.reset();
                options.input_height.reset();
                changed = true;
            }
        }
        ImGui::SetNextItemWidth(-1);
        if (ImGui::InputTextWithHint("##path", "an ONNX file", &view.model_path,
                                     ImGuiInputTextFlags_EnterReturnsTrue)) {
            options.model = view.model_path;
            options.input_width.reset();
            options.input_height.reset();
            changed = true;
            ImGui::CloseCurrentPopup();
        }
        ImGui::EndCombo();
    }
    tooltip("Network; an ONNX file can also be dropped onto the window", Action::next_network);
    if (!view.fetching.empty()) {
        const float button = ImGui::CalcTextSize("cancel").x + 4 * ImGui::GetStyle().FramePadding.x;
        ImGui::ProgressBar(view.fetched, ImVec2(-button, 0), "");
        tooltip(view.fetching.c_str());
        ImGui::SameLine();
        if (ImGui::SmallButton("cancel")) view.fetch_cancelled = true;
        ImGui::TextDisabled("%s", view.fetching.c_str());
    }
    char size[32];
    std::snprintf(size, sizeof size, "%dx%d", state.input_width, state.input_height);
    ImGui::SetNextItemWidth(half_width());
    if (ImGui::BeginCombo("##size", size)) {
        if (ImGui::Selectable("the network's own")) {
            options.input_width.reset();
            options.input_height.reset();
            changed = true;
        }
        for (const int side : input_sizes()) {
            const std::string label = std::to_string(side) + "x" + std::to_string(side);
            if (!ImGui::Selectable(label.c_str(), side == state.input_width && side == state.input_height)) continue;
            options.input_width = options.input_height = side;
            changed = true;
        }
        ImGui::EndCombo();
    }
    tooltip("Size of the network's input, where its graph allows another", Action::larger_input);
    ImGui::SameLine();
    int fit = static_cast<int>(options.fit);
    ImGui::SetNextItemWidth(-1);
    if (choice("##fit", live::names_of(live::fit_choices()), fit)) {
        options.fit = static_cast<image::Fit>(fit);
        changed = true;
    }
    tooltip("How a picture becomes the network's input", Action::next_fit);
    ImGui::SetNextItemWidth(-1);
    if (ImGui::BeginCombo("##device", state.device.c_str())) {
        for (const gpu::DeviceInfo& device : view.devices) {
            const std::string label = device.name + "##" + std::to_string(device.index);
            if (ImGui::Selectable(label.c_str(), device.name == state.device) && device.name != state.device)
                view.device_asked = std::to_string(device.index);
        }
        ImGui::EndCombo();
    }
    tooltip("Device; another one starts everything anew on it", Action::next_device);
    if (gains_by_half(state, view)) {
        bool half = options.precision == nn::Precision::half;
        if (ImGui::Checkbox("half precision", &half)) {
            options.precision = half ? nn::Precision::half : nn::Precision::single;
            changed = true;
        }
        tooltip("Convolutions in half precision: faster, less exact", Action::half_precision);
    }
    return changed;
}

bool predictions(const live::State& state, live::Settings& settings) {
    bool changed = false;
    for (const live::Prediction& prediction : state.predictions) {
        const std::string label = prediction.label.empty() ? "class " + std::to_string(prediction.index)
                                                           : prediction.label.substr(0, prediction.label.find(','));
        ImGui::PushID(prediction.index);
        const ImVec2 at = ImGui::GetCursorScreenPos();
        const float width = ImGui::GetContentRegionAvail().x;
        if (ImGui::InvisibleButton("##class", ImVec2(width, ImGui::GetTextLineHeight() + 3))) {
            choose_class(prediction.index, state, settings);
            changed = true;
        }
        ImDrawList* list = ImGui::GetWindowDrawList();
        const float bar = width * static_cast<float>(prediction.probability);
        const float bottom = at.y + ImGui::GetTextLineHeight() + 2;
        list->AddRectFilled(at, ImVec2(at.x + bar, bottom), IM_COL32(242, 166, 64, 110), 3);
        if (ImGui::IsItemHovered()) {
            list->AddRect(at, ImVec2(at.x + width, bottom), IM_COL32(255, 255, 255, 90), 3);
            ImGui::SetTooltip("%s\nclick: project this class", prediction.label.c_str());
        }
        char text[128];
        std::snprintf(text, sizeof text, "%4.1f %%  %s", 100 * prediction.probability, label.c_str());
        list->AddText(ImVec2(at.x + 4, at.y + 1), ImGui::GetColorU32(ImGuiCol_Text), text);
        ImGui::PopID();
    }
    return changed;
}

void statistics(const live::State& state, const ViewState& view) {
    ImGui::Text("network %.1f  camera %.1f  window %.0f /s", state.network_fps, state.camera_fps, view.window_fps);
    char dropped[64] = "";
    if (state.dropped > 0)
        std::snprintf(dropped, sizeof dropped, "   %lld dropped", static_cast<long long>(state.dropped));
    ImGui::TextDisabled("latency %.0f ms%s", view.latency_ms, dropped);
    tooltip("From the camera's frame to its projection on the screen.\nDropped: the newest frame wins");
    // A stacked plot: forward, way back, everything else.
    struct Part {
        const char* name;
        std::vector<live::Stage> stages;
        ImU32 colour;
    };
    static const std::array<Part, 3> parts{
        {{"forward", {live::Stage::forward}, IM_COL32(90, 150, 220, 255)},
         {"way back", {live::Stage::project}, IM_COL32(242, 166, 64, 255)},
         {"pictures",
          {live::Stage::upload, live::Stage::fit, live::Stage::display, live::Stage::publish},
          IM_COL32(120, 190, 120, 255)}}};
    const std::size_t frames = state.stage_history.size();
    if (frames > 0) {
        const ImVec2 at = ImGui::GetCursorScreenPos();
        const ImVec2 size(ImGui::GetContentRegionAvail().x, 44 * overlay_scale());
        ImGui::InvisibleButton("##times", size);
        ImDrawList* list = ImGui::GetWindowDrawList();
        list->AddRectFilled(at, ImVec2(at.x + size.x, at.y + size.y), IM_COL32(40, 42, 46, 255), 3);
        float most = 1e-3F;
        const auto time_of = [&](std::size_t k, std::size_t i) {
            float sum = 0;
            for (const live::Stage stage : parts.at(k).stages) {
                sum += std::max(0.0F, static_cast<float>(state.stage_history[i][stage]));
            }
            return sum;
        };
        for (std::size_t i = 0; i < frames; ++i) most = std::max(most, time_of(0, i) + time_of(1, i) + time_of(2, i));
        const float step = size.x / static_cast<float>(std::max<std::size_t>(frames, 120));
        for (std::size_t i = 0; i < frames; ++i) {
            float below = 0;
            const float left = at.x + size.x - static_cast<float>(frames - i) * step;
            for (std::size_t k = 0; k < parts.size(); ++k) {
                const float height = time_of(k, i) / most * (size.y - 4);
                const float bottom = at.y + size.y - below;
                list->AddRectFilled(ImVec2(left, bottom - height), ImVec2(left + std::max(1.0F, step), bottom),
                                    parts.at(k).colour);
                below += height;
            }
        }
        char label[48];
        const float now = time_of(0, frames - 1) + time_of(1, frames - 1) + time_of(2, frames - 1);
        std::snprintf(label, sizeof label, "%.1f ms a frame", static_cast<double>(now));
        list->AddRectFilled(ImVec2(at.x + 2, at.y + 2),
                            ImVec2(at.x + 8 + ImGui::CalcTextSize(label).x, at.y + 4 + ImGui::GetTextLineHeight()),
                            IM_COL32(20, 21, 22, 190), 3);
        list->AddText(ImVec2(at.x + 5, at.y + 2), IM_COL32(235, 235, 235, 255), label);
        if (ImGui::IsItemHovered()) {
            ImGui::SetTooltip("blue: forward, orange: the way back, green: pictures  (%s: numbers)",
                              key_of(Action::timings).c_str());
        }
    }
    char memory[96];
    std::snprintf(memory, sizeof memory, "%.0f MiB on the device", static_cast<double>(state.memory_bytes) / 1048576);
    ImGui::TextDisabled("%s", memory);
}

}  // namespace deconv::ui
