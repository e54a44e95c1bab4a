// The key table: what every key does, for the window and for its help.
#pragma once

#include <span>
#include <string>

namespace deconv::ui {

enum class Action {
    help,
    full_screen,
    panel,
    quit,
    next_view,
    layer_up,
    layer_down,
    channel_left,
    channel_right,
    strongest,
    next_strongest,
    all_channels,
    start_all,
    start_max,
    next_rule,
    next_display,
    gain_up,
    gain_down,
    freeze_camera,
    freeze_selection,
    mirror,
    opacity_up,
    opacity_down,
    reset_zoom,
    record,
    snapshot,
};

struct Key {
    const char* name;  // as the help shows it
    const char* what;
    int key;  // GLFW's
    Action action;
};

std::span<const Key> key_table();
/// The name of an action's key, for tooltips.
std::string key_of(Action action);

}  // namespace deconv::ui
