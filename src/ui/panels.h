// The groups of controls in the panel at the left.  Each changes what it is given and returns true where the settings
// changed.
#pragma once

#include "ui/keys.h"
#include "ui/view_state.h"

namespace deconv::ui {

/// How much larger than usual the overlay is drawn: high-DPI screens.
float overlay_scale();
/// A tooltip of the last item, with the key that does the same.
void tooltip(const char* text);
void tooltip(const char* text, Action action);

bool view_controls(ViewState& view);
bool layer_and_channel(const live::State& state, live::Settings& settings, ViewState& view);
bool way_back(const live::State& state, live::Settings& settings);
bool other_side(const live::State& state, live::Settings& settings, ViewState& view);
bool picture_controls(live::Settings& settings);
bool keep_controls(const live::State& state, live::Settings& settings, ViewState& view);
bool source_and_network(const live::State& state, live::Settings& settings, ViewState& view);
bool predictions(const live::State& state, live::Settings& settings);
void statistics(const live::State& state, const ViewState& view);

}  // namespace deconv::ui
