#include "ui/overlay.h"

#include <imgui.h>
#include <imgui_stdlib.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>

#include "ui/keys.h"

namespace deconv::ui {
namespace {

constexpr float base_width = 350;

float scale() {
    return ImGui::GetFontSize() / 15;
}

void tooltip(const char* text, Action action) {
    if (ImGui::IsItemHovered()) ImGui::SetTooltip("%s (%s)", text, key_of(action).c_str());
}

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text;
}

bool layer_list(const live::State& state, live::Settings& settings, ViewState& view) {
    if (state.layers.empty()) return false;
    bool changed = false;
    const auto index =
        static_cast<std::size_t>(std::clamp<int>(settings.layer, 0, static_cast<int>(state.layers.size()) - 1));
    ImGui::SetNextItemWidth(-1);
    if (ImGui::BeginCombo("##layer", state.layers[index].name.c_str(), ImGuiComboFlags_HeightLarge)) {
        ImGui::SetNextItemWidth(-1);
        ImGui::InputTextWithHint("##search", "search", &view.layer_search);
        for (std::size_t i = 0; i < state.layers.size(); ++i) {
            const live::LayerInfo& layer = state.layers[i];
            if (lower(layer.name).find(lower(view.layer_search)) == std::string::npos) continue;
            char label[256];
            std::snprintf(label, sizeof label, "%s   %d x %dx%d   %s##%zu", layer.name.c_str(), layer.channels,
                          layer.height, layer.width, layer.op.c_str(), i);
            if (!layer.stage) ImGui::PushStyleColor(ImGuiCol_Text, ImGui::GetStyleColorVec4(ImGuiCol_TextDisabled));
            if (ImGui::Selectable(label, i == index)) {
                settings.layer = static_cast<int>(i);
                changed = true;
            }
            if (!layer.stage) ImGui::PopStyleColor();
        }
        ImGui::EndCombo();
    }
    tooltip("Layer: stages first, other tensors in grey", Action::layer_down);
    return changed;
}

bool channel_controls(const live::State& state, live::Settings& settings) {
    bool changed = false;
    nn::Selection& selection = settings.selection;
    const bool strongest = selection.channel == nn::Selection::strongest;
    const bool all = selection.channel == nn::Selection::all;
    int channel = std::max(0, state.selection.channel);
    ImGui::SetNextItemWidth(100 * scale());
    if (ImGui::InputInt("channel", &channel) && !state.peaks.empty()) {
        selection.channel = std::clamp(channel, 0, static_cast<int>(state.peaks.size()) - 1);
        changed = true;
    }
    ImGui::SameLine();
    if (ImGui::RadioButton("strongest", strongest)) {
        selection.channel = nn::Selection::strongest;
        changed = true;
    }
    tooltip("Follow the channel with the largest activation", Action::strongest);
    ImGui::SameLine();
    if (ImGui::RadioButton("all", all)) {
        selection.channel = nn::Selection::all;
        changed = true;
    }
    tooltip("All channels together", Action::all_channels);

    using Where = nn::Selection::Where;
    const std::array<std::pair<const char*, Where>, 3> places{
        {{"whole map", Where::all}, {"maximum", Where::max}, {"pinned", Where::pinned}}};
    for (const auto& [name, where] : places) {
        if (where != Where::all) ImGui::SameLine();
        if (ImGui::RadioButton(name, selection.where == where)) {
            selection.where = where;
            changed = true;
        }
    }
    if (selection.where == Where::pinned) {
        ImGui::SameLine();
        ImGui::TextDisabled("%d,%d", selection.y, selection.x);
    }
    return changed;
}

bool way_back_controls(live::Settings& settings) {
    bool changed = false;
    int rule = static_cast<int>(settings.options.rule);
    ImGui::SetNextItemWidth(140 * scale());
    if (ImGui::Combo("rule", &rule, "deconv\0guided\0gradient\0")) {
        settings.options.rule = static_cast<nn::Rule>(rule);
        changed = true;
    }
    tooltip("What rectifiers let through on the way back", Action::next_rule);
    int display = static_cast<int>(settings.options.display);
    ImGui::SetNextItemWidth(140 * scale());
    if (ImGui::Combo("display", &display, "signed\0positive\0norm\0range\0")) {
        settings.options.display = static_cast<image::Display>(display);
        changed = true;
    }
    tooltip("How the projection becomes a picture", Action::next_display);
    ImGui::SetNextItemWidth(140 * scale());
    changed |= ImGui::SliderFloat("gain", &settings.gain, 0.1F, 10, "%.2f", ImGuiSliderFlags_Logarithmic);
    tooltip("Contrast", Action::gain_up);
    ImGui::SetNextItemWidth(140 * scale());
    changed |= ImGui::SliderFloat("gamma", &settings.gamma, 0.3F, 3, "%.2f", ImGuiSliderFlags_Logarithmic);
    return changed;
}

void predictions(const live::State& state, live::Settings& settings, bool& changed) {
    for (const live::Prediction& prediction : state.predictions) {
        const std::string label = prediction.label.empty() ? "class " + std::to_string(prediction.index)
                                                           : prediction.label.substr(0, prediction.label.find(','));
        ImGui::PushID(prediction.index);
        const ImVec2 at = ImGui::GetCursorScreenPos();
        const float width = ImGui::GetContentRegionAvail().x;
        if (ImGui::InvisibleButton("##class", ImVec2(width, ImGui::GetTextLineHeightWithSpacing()))) {
            // Its class unit in the layer of the scores.
            for (std::size_t i = 0; i < state.layers.size(); ++i) {
                if (state.layers[i].channels == static_cast<int>(std::max<std::size_t>(state.labels.size(), 1)) &&
                    state.layers[i].height * state.layers[i].width == 1) {
                    settings.layer = static_cast<int>(i);
                }
            }
            settings.selection.channel = prediction.index;
            settings.selection.where = nn::Selection::Where::all;
            changed = true;
        }
        ImDrawList* list = ImGui::GetWindowDrawList();
        const float bar = width * static_cast<float>(prediction.probability);
        list->AddRectFilled(at, ImVec2(at.x + bar, at.y + ImGui::GetTextLineHeight() + 2), IM_COL32(242, 166, 64, 110),
                            3);
        if (ImGui::IsItemHovered()) {
            list->AddRect(at, ImVec2(at.x + width, at.y + ImGui::GetTextLineHeight() + 2), IM_COL32(255, 255, 255, 90),
                          3);
            ImGui::SetTooltip("%s\nclick: project this class", prediction.label.c_str());
        }
        char text[128];
        std::snprintf(text, sizeof text, "%4.1f %%  %s", 100 * prediction.probability, label.c_str());
        list->AddText(ImVec2(at.x + 4, at.y + 1), ImGui::GetColorU32(ImGuiCol_Text), text);
        ImGui::PopID();
    }
}

void statistics(const live::State& state) {
    ImGui::Text("network %.1f  camera %.1f  window %.0f", state.network_fps, state.camera_fps,
                ImGui::GetIO().Framerate);
    if (state.dropped > 0) {
        ImGui::TextDisabled("%lld camera frames dropped: the newest wins", static_cast<long long>(state.dropped));
    }
    std::vector<float> times(state.frame_ms.begin(), state.frame_ms.end());
    if (!times.empty()) {
        char now[48];
        std::snprintf(now, sizeof now, "%.1f ms a frame", static_cast<double>(times.back()));
        ImGui::PlotLines("##times", times.data(), static_cast<int>(times.size()), 0, now, 0, FLT_MAX,
                         ImVec2(ImGui::GetContentRegionAvail().x, 46 * scale()));
        if (ImGui::IsItemHovered()) {
            std::string text;
            for (const auto& [stage, ms] : state.stage_ms) {
                char line[64];
                std::snprintf(line, sizeof line, "%-8s %7.2f ms\n", stage.c_str(), ms);
                text += line;
            }
            ImGui::SetTooltip("%s", text.c_str());
        }
    }
}

void help_window(ViewState& view) {
    const ImVec2 middle(ImGui::GetIO().DisplaySize.x / 2, ImGui::GetIO().DisplaySize.y / 2);
    ImGui::SetNextWindowPos(middle, ImGuiCond_Always, ImVec2(0.5F, 0.5F));
    ImGui::Begin("Keys", &view.help, ImGuiWindowFlags_AlwaysAutoResize | ImGuiWindowFlags_NoCollapse);
    if (ImGui::BeginTable("keys", 2)) {
        for (const Key& key : key_table()) {
            ImGui::TableNextRow();
            ImGui::TableNextColumn();
            ImGui::TextColored(ImVec4(0.95F, 0.65F, 0.25F, 1), "%s", key.name);
            ImGui::TableNextColumn();
            ImGui::TextUnformatted(key.what);
        }
        ImGui::EndTable();
    }
    ImGui::Separator();
    ImGui::TextUnformatted(
        "Mouse: wheel zooms, drag moves; in the layer view a click chooses a map,\n"
        "and a click into the chosen map pins that position.\n"
        "Drop a video, a picture, a folder or an ONNX network onto the window.");
    ImGui::End();
}

void line_at(const char* id, float y, const ImVec4& colour, const std::string& text) {
    ImGui::SetNextWindowPos(ImVec2(ImGui::GetIO().DisplaySize.x / 2, y), ImGuiCond_Always, ImVec2(0.5F, 0.5F));
    ImGui::Begin(id, nullptr,
                 ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_AlwaysAutoResize | ImGuiWindowFlags_NoInputs |
                     ImGuiWindowFlags_NoSavedSettings | ImGuiWindowFlags_NoFocusOnAppearing);
    ImGui::TextColored(colour, "%s", text.c_str());
    ImGui::End();
}

}  // namespace

float panel_width(const ViewState& view) {
    return view.panel ? base_width * scale() : 0;
}

bool draw_overlay(const live::State& state, live::Settings& settings, ViewState& view, const Hover& hover) {
    bool changed = false;
    const ImVec2 screen = ImGui::GetIO().DisplaySize;
    if (view.panel) {
        ImGui::SetNextWindowPos(ImVec2(0, 0));
        ImGui::SetNextWindowSize(ImVec2(base_width * scale(), screen.y));
        ImGui::Begin("controls", nullptr,
                     ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoSavedSettings);
        ImGui::TextColored(ImVec4(0.95F, 0.65F, 0.25F, 1), "%s", state.model.empty() ? "loading" : state.model.c_str());
        ImGui::SameLine();
        ImGui::TextDisabled("%s", state.source.c_str());
        int mode = static_cast<int>(view.mode);
        const std::array<const char*, 3> modes{"side by side", "overlay", "layer"};
        for (int i = 0; i < 3; ++i) {
            if (i > 0) ImGui::SameLine();
            if (ImGui::RadioButton(modes.at(static_cast<std::size_t>(i)), mode == i)) view.mode = static_cast<Mode>(i);
            tooltip("View", Action::next_view);
        }
        if (view.mode == Mode::overlay) {
            ImGui::SetNextItemWidth(140 * scale());
            ImGui::SliderFloat("opacity", &view.opacity, 0, 1, "%.2f");
            tooltip("How much of the projection covers the camera", Action::opacity_up);
        }
        ImGui::Separator();
        changed |= layer_list(state, settings, view);
        changed |= channel_controls(state, settings);
        ImGui::Separator();
        changed |= way_back_controls(settings);
        ImGui::Separator();
        changed |= ImGui::Checkbox("freeze camera", &settings.freeze_camera);
        tooltip("Keep this picture and go on exploring it", Action::freeze_camera);
        ImGui::SameLine();
        changed |= ImGui::Checkbox("hold channel", &settings.freeze_selection);
        tooltip("`strongest` stays what it is", Action::freeze_selection);
        ImGui::Checkbox("mirror", &view.mirror);
        tooltip("For the eye only: the network sees the picture as it is", Action::mirror);
        if (ImGui::Button(state.recording ? "finish recording" : "record")) view.record_asked = true;
        tooltip("Camera and projection side by side, as a video", Action::record);
        ImGui::SameLine();
        if (ImGui::Button("snapshot")) view.snapshot_asked = true;
        tooltip("Camera and projection side by side, as a picture", Action::snapshot);
        ImGui::SameLine();
        if (ImGui::Button("help")) view.help = !view.help;
        tooltip("Keys", Action::help);
        ImGui::Separator();
        predictions(state, settings, changed);
        ImGui::Separator();
        statistics(state);
        ImGui::TextDisabled("%s", state.device.c_str());
        ImGui::End();
    }
    if (view.help) help_window(view);
    if (hover.channel >= 0) {
        const auto c = static_cast<std::size_t>(hover.channel);
        if (c < state.peaks.size()) {
            ImGui::SetTooltip("channel %d, position %d,%d\nmaximum %.4g", hover.channel, hover.y, hover.x,
                              static_cast<double>(state.peaks[c]));
        }
    }
    if (state.recording) {
        char text[64];
        std::snprintf(text, sizeof text, "* recording %.0f s", state.recorded_seconds);
        line_at("recording", 24 * scale(), ImVec4(1, 0.3F, 0.25F, 1), text);
    }
    const float bottom = screen.y - 28 * scale();
    if (!state.notice.empty()) {
        line_at("notice", bottom, ImVec4(1, 0.85F, 0.5F, 1), state.notice);
    } else if (state.frames == 0) {
        line_at("notice", bottom, ImVec4(1, 1, 1, 1), "loading the network ...");
    } else if (view.hint) {
        line_at("hint", bottom, ImVec4(0.9F, 0.9F, 0.9F, 1),
                state.slow_device
                    ? "running on the CPU: expect a few frames a second; a GPU's driver makes it fluent.   "
                      "Up/Down layer, Left/Right channel, V view, F1 help"
                    : "Up/Down layer, Left/Right channel, V view, F1 help");
    }
    return changed;
}

}  // namespace deconv::ui
