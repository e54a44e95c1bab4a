// The key table: what every key does, for the window and for its help.
#pragma once

#include <span>
#include <string>

namespace deconv::ui {

enum class Action {
    help,
    panel,
    full_screen,
    quit,
    next_view,
    view_side_by_side,
    view_overlay,
    view_layer,
    view_mosaic,
    view_ladder,
    view_network,
    view_compare,
    layer_up,
    layer_down,
    channel_left,
    channel_right,
    channels_back,
    channels_on,
    strongest,
    next_strongest,
    all_channels,
    start_all,
    start_max,
    start_one,
    next_rule,
    next_display,
    gain_up,
    gain_down,
    gamma_up,
    gamma_down,
    freeze_camera,
    freeze_selection,
    mirror,
    opacity_up,
    opacity_down,
    next_blend,
    reset_zoom,
    reset_all,
    next_fit,
    swap_source,
    file_before,
    next_file,
    smaller_input,
    larger_input,
    next_network,
    next_device,
    half_precision,
    randomise,
    restore_weights,
    best,
    save_best,
    record,
    next_record,
    snapshot,
    timings,
};

/// The help's headings, in its order.
enum class Group { views, layer, way_back, picture, source, keep, window };
const char* heading(Group group);

struct Key {
    const char* name;  // as the help shows it
    const char* what;
    int key;  // GLFW's
    Action action;
    Group group;
};

std::span<const Key> key_table();
/// The name of an action's key, for tooltips.
std::string key_of(Action action);

}  // namespace deconv::ui
