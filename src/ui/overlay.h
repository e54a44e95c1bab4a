// The overlay's panels: functions over the state, drawn anew every frame (Dear ImGui).
#pragma once

#include "ui/view_state.h"

namespace deconv::ui {

/// All panels.  Changes settings and view in place; returns true where the settings changed.
bool draw_overlay(const live::State& state, live::Settings& settings, ViewState& view, const Hover& hover);

/// Width in points that the controls take from the left, 0 while they are hidden.
float panel_width(const ViewState& view);

}  // namespace deconv::ui
