#include "ui/remember.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "live/choices.h"
#include "live/models.h"
#include "ui/actions.h"

namespace deconv::ui {
namespace {

int index_of(const std::vector<std::string>& names, const std::string& name) {
    const auto found = std::find(names.begin(), names.end(), name);
    return found == names.end() ? 0 : static_cast<int>(found - names.begin());
}

template <typename Choice>
Choice value_of(const live::Choices<Choice>& choices, const std::string& name) {
    return choices.at(static_cast<std::size_t>(index_of(live::names_of(choices), name))).second;
}

bool is_there(const std::string& model) {
    try {
        return std::filesystem::exists(live::find_model(model));
    } catch (const Error&) {
        return false;
    }
}

}  // namespace

void take_up(const live::Preferences& preferences, const std::set<std::string>& given, live::Settings& settings,
             ViewState& view) {
    const auto free = [&](const char* option) { return given.count(option) == 0; };
    live::Options& options = settings.options;
    if (free("--view")) view.mode = static_cast<Mode>(index_of(live::view_names(), preferences.view));
    view.blend = static_cast<Blend>(index_of(live::blend_names(), preferences.blend));
    view.opacity = preferences.opacity;
    view.mirror = preferences.mirror;
    view.panel = preferences.panel;
    view.full_screen = preferences.full_screen;
    settings.gain = preferences.gain;
    settings.gamma = preferences.gamma;
    settings.record = static_cast<live::RecordWhat>(index_of(live::record_names(), preferences.record));
    if (free("--rule")) options.rule = value_of(live::rule_choices(), preferences.rule);
    if (free("--lrn")) options.lrn = value_of(live::lrn_choices(), preferences.lrn);
    if (free("--precision")) options.precision = value_of(live::precision_choices(), preferences.precision);
    if (free("--fit")) options.fit = value_of(live::fit_choices(), preferences.fit);
    if (free("--display") && free("--blur")) {
        options.display = value_of(live::display_choices(), preferences.display);
        options.blur = preferences.blur;
    }
    // A network that has gone since is not asked for.
    const bool other_model = free("--model") && free("--size") && !preferences.model.empty();
    if (other_model && is_there(preferences.model)) {
        options.model = preferences.model;
        if (preferences.model != live::default_model) {
            options.input_width.reset();
            options.input_height.reset();
        }
    }
    follow_mode(view, settings);
}

live::Preferences to_remember(const live::Settings& settings, const ViewState& view, int width, int height) {
    live::Preferences preferences;
    const auto name = [](const std::vector<std::string>& names, auto value) {
        return names.at(static_cast<std::size_t>(value));
    };
    preferences.view = name(live::view_names(), view.mode);
    preferences.blend = name(live::blend_names(), view.blend);
    preferences.opacity = view.opacity;
    preferences.mirror = view.mirror;
    preferences.panel = view.panel;
    preferences.full_screen = view.full_screen;
    preferences.width = width;
    preferences.height = height;
    preferences.gain = settings.gain;
    preferences.gamma = settings.gamma;
    preferences.record = name(live::record_names(), settings.record);
    preferences.rule = live::name_of(live::rule_choices(), settings.options.rule);
    preferences.lrn = live::name_of(live::lrn_choices(), settings.options.lrn);
    preferences.precision = live::name_of(live::precision_choices(), settings.options.precision);
    preferences.fit = live::name_of(live::fit_choices(), settings.options.fit);
    preferences.display = live::name_of(live::display_choices(), settings.options.display);
    preferences.blur = settings.options.blur;
    preferences.model = settings.options.model;
    return preferences;
}

}  // namespace deconv::ui
