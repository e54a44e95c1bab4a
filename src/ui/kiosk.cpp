#include "ui/kiosk.h"

#include <algorithm>

#include "ui/actions.h"

namespace deconv::ui {

bool Kiosk::step(const live::State& state, live::Settings& settings, ViewState& view, Clock::time_point now) {
    if (!idle(now)) {
        walking_ = false;
        return false;
    }
    const int stages = static_cast<int>(
        std::count_if(state.layers->begin(), state.layers->end(), [](const auto& layer) { return layer.stage; }));
    if (stages == 0 || state.frames == 0) return false;
    if (!walking_) {
        // What the last visitor left behind goes.
        walking_ = true;
        steps_ = 0;
        settings.best = false;
        settings.freeze_camera = settings.freeze_selection = false;
        settings.random_layers = 0;
        settings.selection = {};
        settings.gain = settings.gamma = 1;
        settings.options.rule = nn::Rule::deconv;
        view.views = {};
        view.help = false;
    } else if (now - stepped_ < pace) {
        return false;
    }
    stepped_ = now;
    // Three strong channels of a stage, then the next stage, from the lower ones up and round; the view changes too.
    constexpr int channels = 3;
    const int round = steps_ / channels;
    settings.layer = (round * 2 + 1) % stages;
    settings.selection.channel = steps_ % channels == 0 ? nn::Selection::strongest : next_weaker(state);
    static constexpr std::array<Mode, 4> walk{Mode::side_by_side, Mode::layer, Mode::overlay, Mode::ladder};
    view.mode = walk.at(static_cast<std::size_t>(round) % walk.size());
    follow_mode(view, settings);
    ++steps_;
    return true;
}

}  // namespace deconv::ui
