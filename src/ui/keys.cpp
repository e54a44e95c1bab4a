#include "ui/keys.h"

#define GLFW_INCLUDE_NONE
#include <GLFW/glfw3.h>

namespace deconv::ui {

std::span<const Key> key_table() {
    static const Key keys[] = {
        {"F1", "this help", GLFW_KEY_F1, Action::help},
        {"Tab", "show or hide the controls", GLFW_KEY_TAB, Action::panel},
        {"V", "next view: side by side, overlay, layer", GLFW_KEY_V, Action::next_view},
        {"Up", "the layer before", GLFW_KEY_UP, Action::layer_up},
        {"Down", "the next layer", GLFW_KEY_DOWN, Action::layer_down},
        {"Left", "the channel before", GLFW_KEY_LEFT, Action::channel_left},
        {"Right", "the next channel", GLFW_KEY_RIGHT, Action::channel_right},
        {"S", "follow the strongest channel", GLFW_KEY_S, Action::strongest},
        {"N", "the next strongest channel", GLFW_KEY_N, Action::next_strongest},
        {"A", "all channels together", GLFW_KEY_A, Action::all_channels},
        {"W", "start with the whole feature map", GLFW_KEY_W, Action::start_all},
        {"X", "start with the map's maximum only", GLFW_KEY_X, Action::start_max},
        {"R", "next rule: deconv, guided, gradient", GLFW_KEY_R, Action::next_rule},
        {"D", "next display: signed, positive, norm, range", GLFW_KEY_D, Action::next_display},
        {"+", "more gain", GLFW_KEY_EQUAL, Action::gain_up},
        {"-", "less gain", GLFW_KEY_MINUS, Action::gain_down},
        {"Space", "freeze the camera", GLFW_KEY_SPACE, Action::freeze_camera},
        {"F", "hold the channel", GLFW_KEY_F, Action::freeze_selection},
        {"M", "mirror what is shown", GLFW_KEY_M, Action::mirror},
        {".", "overlay: more of the projection", GLFW_KEY_PERIOD, Action::opacity_up},
        {",", "overlay: less of the projection", GLFW_KEY_COMMA, Action::opacity_down},
        {"0", "zoom and pan back", GLFW_KEY_0, Action::reset_zoom},
        {"C", "record, or finish the recording", GLFW_KEY_C, Action::record},
        {"P", "save a picture", GLFW_KEY_P, Action::snapshot},
        {"F11", "full screen", GLFW_KEY_F11, Action::full_screen},
        {"Q", "leave", GLFW_KEY_Q, Action::quit},
    };
    return keys;
}

std::string key_of(Action action) {
    for (const Key& key : key_table()) {
        if (key.action == action) return key.name;
    }
    return {};
}

}  // namespace deconv::ui
