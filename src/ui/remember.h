// What the window takes up from last time, and what it leaves for the next.
#pragma once

#include <set>

#include "live/preferences.h"
#include "ui/view_state.h"

namespace deconv::ui {

/// Puts preferences into settings and view.  `given` are the command line's options ("--rule"), which win.
void take_up(const live::Preferences& preferences, const std::set<std::string>& given, live::Settings& settings,
             ViewState& view);
/// What is worth remembering.
live::Preferences to_remember(const live::Settings& settings, const ViewState& view, int width, int height);

}  // namespace deconv::ui
