#include "ui/keys.h"

#define GLFW_INCLUDE_NONE
#include <GLFW/glfw3.h>

namespace deconv::ui {

const char* heading(Group group) {
    switch (group) {
        case Group::views:
            return "Views";
        case Group::layer:
            return "Layer and channel";
        case Group::way_back:
            return "The way back";
        case Group::picture:
            return "Picture";
        case Group::source:
            return "Source and network";
        case Group::keep:
            return "Keep";
        case Group::window:
            return "Window";
    }
    return "";
}

std::span<const Key> key_table() {
    static const Key keys[] = {
        {"V", "next view", GLFW_KEY_V, Action::next_view, Group::views},
        {"1", "camera and projection side by side", GLFW_KEY_1, Action::view_side_by_side, Group::views},
        {"2", "the projection over the camera", GLFW_KEY_2, Action::view_overlay, Group::views},
        {"3", "all feature maps of the layer", GLFW_KEY_3, Action::view_layer, Group::views},
        {"4", "mosaic: projections of all channels", GLFW_KEY_4, Action::view_mosaic, Group::views},
        {"5", "ladder: the way back, step by step", GLFW_KEY_5, Action::view_ladder, Group::views},
        {"6", "network: every stage's strongest map", GLFW_KEY_6, Action::view_network, Group::views},
        {"7", "compare two selections", GLFW_KEY_7, Action::view_compare, Group::views},

        {"Up", "the layer before", GLFW_KEY_UP, Action::layer_up, Group::layer},
        {"Down", "the next layer", GLFW_KEY_DOWN, Action::layer_down, Group::layer},
        {"Left", "the channel before", GLFW_KEY_LEFT, Action::channel_left, Group::layer},
        {"Right", "the next channel", GLFW_KEY_RIGHT, Action::channel_right, Group::layer},
        {"PgUp", "ten channels back", GLFW_KEY_PAGE_UP, Action::channels_back, Group::layer},
        {"PgDn", "ten channels on", GLFW_KEY_PAGE_DOWN, Action::channels_on, Group::layer},
        {"S", "follow the strongest channel", GLFW_KEY_S, Action::strongest, Group::layer},
        {"N", "the next strongest channel", GLFW_KEY_N, Action::next_strongest, Group::layer},
        {"A", "all channels together", GLFW_KEY_A, Action::all_channels, Group::layer},
        {"F", "hold the channel", GLFW_KEY_F, Action::freeze_selection, Group::layer},

        {"W", "start with the whole feature map", GLFW_KEY_W, Action::start_all, Group::way_back},
        {"X", "start with the map's maximum only", GLFW_KEY_X, Action::start_max, Group::way_back},
        {"O", "start with ones, or the values", GLFW_KEY_O, Action::start_one, Group::way_back},
        {"R", "next rule: deconv, guided, gradient", GLFW_KEY_R, Action::next_rule, Group::way_back},
        {"Z", "sanity: random weights, one layer more", GLFW_KEY_Z, Action::randomise, Group::way_back},
        {"U", "the learned weights again", GLFW_KEY_U, Action::restore_weights, Group::way_back},

        {"D", "next display: signed, positive, norm, ...", GLFW_KEY_D, Action::next_display, Group::picture},
        {"+", "more gain", GLFW_KEY_EQUAL, Action::gain_up, Group::picture},
        {"-", "less gain", GLFW_KEY_MINUS, Action::gain_down, Group::picture},
        {"]", "more gamma", GLFW_KEY_RIGHT_BRACKET, Action::gamma_up, Group::picture},
        {"[", "less gamma", GLFW_KEY_LEFT_BRACKET, Action::gamma_down, Group::picture},
        {".", "overlay: more of the projection", GLFW_KEY_PERIOD, Action::opacity_up, Group::picture},
        {",", "overlay: less of the projection", GLFW_KEY_COMMA, Action::opacity_down, Group::picture},
        {"Y", "overlay: next blend", GLFW_KEY_Y, Action::next_blend, Group::picture},
        {"M", "mirror what is shown", GLFW_KEY_M, Action::mirror, Group::picture},
        {"0", "zoom and pan back", GLFW_KEY_0, Action::reset_zoom, Group::picture},

        {"Space", "freeze the camera", GLFW_KEY_SPACE, Action::freeze_camera, Group::source},
        {"I", "camera, or the demo", GLFW_KEY_I, Action::swap_source, Group::source},
        {"J", "the file before, in its folder", GLFW_KEY_J, Action::file_before, Group::source},
        {"K", "the next file in its folder", GLFW_KEY_K, Action::next_file, Group::source},
        {"E", "next fit: crop, stretch, letterbox", GLFW_KEY_E, Action::next_fit, Group::source},
        {"F2", "a smaller input of the network", GLFW_KEY_F2, Action::smaller_input, Group::source},
        {"F3", "a larger input of the network", GLFW_KEY_F3, Action::larger_input, Group::source},
        {"F4", "the next network", GLFW_KEY_F4, Action::next_network, Group::source},
        {"F6", "the next device", GLFW_KEY_F6, Action::next_device, Group::source},
        {"F7", "half precision, on GPUs that have it", GLFW_KEY_F7, Action::half_precision, Group::source},

        {"C", "record, or finish the recording", GLFW_KEY_C, Action::record, Group::keep},
        {"H", "what is recorded: side by side, ...", GLFW_KEY_H, Action::next_record, Group::keep},
        {"P", "save the view and the projection", GLFW_KEY_P, Action::snapshot, Group::keep},
        {"T", "collect the channel's strongest moments", GLFW_KEY_T, Action::best, Group::keep},
        {"G", "save the strongest moments", GLFW_KEY_G, Action::save_best, Group::keep},

        {"F1", "this help", GLFW_KEY_F1, Action::help, Group::window},
        {"Tab", "show or hide the controls", GLFW_KEY_TAB, Action::panel, Group::window},
        {"L", "times of every stage", GLFW_KEY_L, Action::timings, Group::window},
        {"Backspace", "all settings as at the start", GLFW_KEY_BACKSPACE, Action::reset_all, Group::window},
        {"F11", "full screen", GLFW_KEY_F11, Action::full_screen, Group::window},
        {"Q", "leave", GLFW_KEY_Q, Action::quit, Group::window},
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
