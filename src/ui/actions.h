// What an action of the key table does to settings and view.
#pragma once

#include "ui/keys.h"
#include "ui/view_state.h"

namespace deconv::ui {

/// Changes `settings` and `view`; `first` are the settings that the program began with.
void act(Action action, const live::State& state, live::Settings& settings, ViewState& view,
         const live::Settings& first);

/// Sides of square inputs that menu and keys offer, in pixels.
const std::vector<int>& input_sizes();

/// Makes the settings show what a view needs.
void follow_mode(const ViewState& view, live::Settings& settings);

/// Is the device that runs a GPU with half precision?  On a CPU nothing is gained by it.
bool gains_by_half(const live::State& state, const ViewState& view);

/// Chooses what the class unit `index` looks at: the layer of the scores.
void choose_class(int index, const live::State& state, live::Settings& settings);

/// The channel that comes after the shown one in the order of the peaks; the strongest after the weakest.
int next_weaker(const live::State& state);

}  // namespace deconv::ui
