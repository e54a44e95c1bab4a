#include "ui/keys.h"

#define GLFW_INCLUDE_NONE
#include <GLFW/glfw3.h>

namespace deconv::ui {

std::span<const Key> key_table() {
    static const Key keys[] = {
        {GLFW_KEY_F1, "F1", Action::help, "this help"},
        {GLFW_KEY_TAB, "Tab", Action::panel, "show or hide the controls"},
        {GLFW_KEY_V, "V", Action::next_view, "next view: side by side, overlay, layer"},
        {GLFW_KEY_UP, "Up", Action::layer_up, "the layer before"},
        {GLFW_KEY_DOWN, "Down", Action::layer_down, "the next layer"},
        {GLFW_KEY_LEFT, "Left", Action::channel_left, "the channel before"},
        {GLFW_KEY_RIGHT, "Right", Action::channel_right, "the next channel"},
        {GLFW_KEY_S, "S", Action::strongest, "follow the strongest channel"},
        {GLFW_KEY_N, "N", Action::next_strongest, "the next strongest channel"},
        {GLFW_KEY_A, "A", Action::all_channels, "all channels together"},
        {GLFW_KEY_W, "W", Action::start_all, "start with the whole feature map"},
        {GLFW_KEY_X, "X", Action::start_max, "start with the map's maximum only"},
        {GLFW_KEY_R, "R", Action::next_rule, "next rule: deconv, guided, gradient"},
        {GLFW_KEY_D, "D", Action::next_display, "next display: signed, positive, norm, range"},
        {GLFW_KEY_EQUAL, "+", Action::gain_up, "more gain"},
        {GLFW_KEY_MINUS, "-", Action::gain_down, "less gain"},
        {GLFW_KEY_SPACE, "Space", Action::freeze_camera, "freeze the camera"},
        {GLFW_KEY_F, "F", Action::freeze_selection, "hold the channel"},
        {GLFW_KEY_M, "M", Action::mirror, "mirror what is shown"},
        {GLFW_KEY_PERIOD, ".", Action::opacity_up, "overlay: more of the projection"},
        {GLFW_KEY_COMMA, ",", Action::opacity_down, "overlay: less of the projection"},
        {GLFW_KEY_0, "0", Action::reset_zoom, "zoom and pan back"},
        {GLFW_KEY_C, "C", Action::record, "record, or finish the recording"},
        {GLFW_KEY_P, "P", Action::snapshot, "save a picture"},
        {GLFW_KEY_F11, "F11", Action::full_screen, "full screen"},
        {GLFW_KEY_Q, "Q", Action::quit, "leave"},
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
