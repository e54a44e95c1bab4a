#include "ui/overlay.h"

#include <imgui.h>

#include <chrono>
#include <cstdio>

#include "ui/panels.h"

namespace deconv::ui {
namespace {

constexpr float base_width = 340;

void help_window(ViewState& view) {
    const ImVec2 screen = ImGui::GetIO().DisplaySize;
    ImGui::SetNextWindowPos(ImVec2(screen.x / 2, screen.y / 2), ImGuiCond_Always, ImVec2(0.5F, 0.5F));
    ImGui::SetNextWindowBgAlpha(1);
    ImGui::Begin("Keys", &view.help,
                 ImGuiWindowFlags_AlwaysAutoResize | ImGuiWindowFlags_NoCollapse | ImGuiWindowFlags_NoSavedSettings);
    // Three columns of groups, about equally long.
    const auto keys = key_table();
    const std::size_t a_column = (keys.size() + 7 + 2) / 3;
    std::size_t in_column = 0;
    ImGui::BeginGroup();
    const char* last = nullptr;
    for (const Key& key : keys) {
        const char* title = heading(key.group);
        if (title != last) {
            if (in_column + 3 > a_column) {
                ImGui::EndGroup();
                ImGui::SameLine(0, 28 * overlay_scale());
                ImGui::BeginGroup();
                in_column = 0;
            } else if (last != nullptr) {
                ImGui::Spacing();
            }
            ImGui::TextDisabled("%s", title);
            last = title;
            ++in_column;
        }
        ImGui::TextColored(ImVec4(0.95F, 0.65F, 0.25F, 1), "%s", key.name);
        ImGui::SameLine(84 * overlay_scale());
        ImGui::TextUnformatted(key.what);
        ++in_column;
    }
    ImGui::EndGroup();
    ImGui::Separator();
    ImGui::TextUnformatted(
        "Mouse: wheel zooms, drag moves. A click chooses a map or thumbnail, a click into the chosen map pins that\n"
        "position. In the network view a click goes to the stage, in the ladder to the step.\n"
        "Drop a video, a picture, a folder or an ONNX network onto the window.");
    if (view.kiosk) ImGui::TextUnformatted("Leave the kiosk with Ctrl + Shift + Q.");
    ImGui::End();
}

void timings_window(const live::State& state) {
    const ImVec2 screen = ImGui::GetIO().DisplaySize;
    ImGui::SetNextWindowPos(ImVec2(screen.x - 12, 44 * overlay_scale()), ImGuiCond_Always, ImVec2(1, 0));
    ImGui::Begin("Timings", nullptr,
                 ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_AlwaysAutoResize | ImGuiWindowFlags_NoInputs |
                     ImGuiWindowFlags_NoSavedSettings | ImGuiWindowFlags_NoFocusOnAppearing);
    for (std::size_t i = 0; i < live::stage_count; ++i) {
        const auto stage = static_cast<live::Stage>(i);
        if (!state.stage_ms.ran(stage)) continue;
        const std::string_view name = live::name_of(stage);
        ImGui::TextUnformatted(name.data(), name.data() + name.size());
        ImGui::SameLine(90 * overlay_scale());
        ImGui::Text("%8.2f ms", state.stage_ms[stage]);
    }
    ImGui::End();
}

/// `pivot`: 0.5 centres it at x, 0 begins there.
void line_at(const char* id, float x, float y, float pivot, const ImVec4& colour, const std::string& text) {
    ImGui::SetNextWindowPos(ImVec2(x, y), ImGuiCond_Always, ImVec2(pivot, 0.5F));
    ImGui::Begin(id, nullptr,
                 ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_AlwaysAutoResize | ImGuiWindowFlags_NoInputs |
                     ImGuiWindowFlags_NoSavedSettings | ImGuiWindowFlags_NoFocusOnAppearing);
    ImGui::PushTextWrapPos(ImGui::GetIO().DisplaySize.x * 0.6F);
    ImGui::TextColored(colour, "%s", text.c_str());
    ImGui::PopTextWrapPos();
    ImGui::End();
}

/// What went wrong, what has just happened, or what to do: one line at the bottom of the pictures.
void message(const live::State& state, const ViewState& view, float middle) {
    const float bottom = ImGui::GetIO().DisplaySize.y - 28 * overlay_scale();
    const double age = std::chrono::duration<double>(std::chrono::steady_clock::now() - state.said_at).count();
    const char* const hint = view.kiosk ? "Touch a key: Up/Down layer, Left/Right channel, V view, F1 help"
                                        : "Up/Down layer, Left/Right channel, V view, Tab controls, F1 help";
    if (!state.trouble.empty()) {
        line_at("notice", middle, bottom, 0.5F, ImVec4(1, 0.85F, 0.5F, 1), state.trouble);
    } else if (!state.said.empty() && age < live::said_seconds) {
        line_at("notice", middle, bottom, 0.5F, ImVec4(1, 0.92F, 0.75F, 1), state.said);
    } else if (state.frames == 0) {
        line_at("notice", middle, bottom, 0.5F, ImVec4(1, 1, 1, 1), "loading the network ...");
    } else if (view.hint) {
        std::string text = hint;
        // Small networks keep up with a camera on a CPU, too.
        const bool behind = state.network_fps > 0 && state.network_fps < 12 && state.network_fps < state.camera_fps;
        if (state.slow_device && behind)
            text = "This network is slow on the CPU; a GPU's driver makes it fluent.\n" + text;
        line_at("hint", middle, bottom, 0.5F, ImVec4(0.9F, 0.9F, 0.9F, 1), text);
    }
}

}  // namespace

float panel_width(const ViewState& view) {
    return view.panel ? base_width * overlay_scale() : 0;
}

bool draw_overlay(const live::State& state, live::Settings& settings, ViewState& view, const Hover& hover) {
    bool changed = false;
    const ImVec2 screen = ImGui::GetIO().DisplaySize;
    if (view.panel) {
        ImGui::SetNextWindowPos(ImVec2(0, 0));
        ImGui::SetNextWindowSize(ImVec2(panel_width(view), screen.y));
        ImGui::Begin("controls", nullptr,
                     ImGuiWindowFlags_NoTitleBar | ImGuiWindowFlags_NoResize | ImGuiWindowFlags_NoMove |
                         ImGuiWindowFlags_NoCollapse | ImGuiWindowFlags_NoSavedSettings);
        changed |= source_and_network(state, settings, view);
        ImGui::Separator();
        changed |= view_controls(view);
        ImGui::Separator();
        changed |= layer_and_channel(state, settings, view);
        ImGui::Separator();
        changed |= way_back(state, settings);
        ImGui::Separator();
        changed |= other_side(state, settings, view);
        changed |= picture_controls(settings);
        changed |= keep_controls(state, settings, view);
        ImGui::Separator();
        changed |= predictions(state, settings);
        ImGui::Separator();
        statistics(state, view);
        ImGui::End();
    }
    if (view.help) help_window(view);
    if (view.timings) timings_window(state);
    if (!hover.text.empty()) ImGui::SetTooltip("%s", hover.text.c_str());
    const float middle = (panel_width(view) + screen.x) / 2;
    const float left = panel_width(view) + 12 * overlay_scale();
    const float bottom = screen.y - 28 * overlay_scale();
    if (state.recording) {
        char text[96];
        std::snprintf(text, sizeof text, "REC  %d:%02d   %.1f MB", static_cast<int>(state.recorded_seconds) / 60,
                      static_cast<int>(state.recorded_seconds) % 60, static_cast<double>(state.recorded_bytes) / 1e6);
        line_at("recording", left, bottom, 0, ImVec4(1, 0.25F, 0.2F, 1), text);
    } else if (state.working && state.frames > 0) {
        line_at("working", left, bottom, 0, ImVec4(0.8F, 0.8F, 0.8F, 1), "preparing ...");
    }
    message(state, view, middle);
    return changed;
}

}  // namespace deconv::ui
