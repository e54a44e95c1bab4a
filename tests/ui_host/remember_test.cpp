// What the window takes up from last time: all that it left, but never against the command line.
#include "ui/remember.h"

#include <fstream>
#include <functional>
#include <random>

#include "live/models.h"
#include "media/media_testing.h"
#include "ui_host/ui_host_testing.h"

namespace deconv::ui {
namespace {

using live::Preferences;

Preferences unusual() {
    Preferences p;
    p.view = "ladder";
    p.panel = false;
    p.mirror = true;
    p.full_screen = true;
    p.width = 900;
    p.height = 700;
    p.opacity = 0.25F;
    p.blend = "spotlight";
    p.rule = "gradient";
    p.lrn = "derivative";
    p.display = "norm";
    p.fit = "letterbox";
    p.blur = 3.5;
    p.gain = 2.5F;
    p.gamma = 0.75F;
    p.record = "projection";
    p.model = live::default_model;
    return p;
}

/// What is left after starting with these preferences and leaving at once.
Preferences round(const Preferences& preferences, const std::set<std::string>& given = {},
                  live::Settings settings = {}) {
    ViewState view;
    take_up(preferences, given, settings, view);
    return to_remember(settings, view, preferences.width, preferences.height);
}

TEST(Remember, WhatWasLeftComesBack) {
    EXPECT_EQ(round(unusual()), unusual());
    EXPECT_EQ(round(Preferences()), Preferences());
}

TEST(Remember, EveryChoiceComesBack) {
    std::mt19937 random(31);
    const auto any = [&](const std::vector<std::string>& names) { return names.at(random() % names.size()); };
    for (int i = 0; i < 200; ++i) {
        Preferences p = unusual();
        p.view = any(live::view_names());
        p.blend = any(live::blend_names());
        p.record = any(live::record_names());
        p.rule = any({"deconv", "guided", "gradient"});
        p.lrn = any({"identity", "derivative"});
        p.fit = any({"crop", "stretch", "letterbox"});
        p.display = any({"signed", "positive", "norm", "range"});
        p.panel = random() % 2 == 0;
        p.mirror = random() % 2 == 0;
        p.full_screen = random() % 2 == 0;
        p.model = random() % 2 == 0 ? "" : live::default_model;
        ASSERT_EQ(round(p), p) << "round " << i;
    }
}

TEST(Remember, ViewsTakeUpWhatTheyShow) {
    live::Settings settings;
    ViewState view;
    Preferences p;
    p.view = "compare";
    take_up(p, {}, settings, view);
    EXPECT_TRUE(settings.second.on);
    p.view = "mosaic";
    take_up(p, {}, settings, view);
    EXPECT_FALSE(settings.second.on);
    EXPECT_EQ(settings.show, live::Show::mosaic);
}

/// An option that was given wins, and only where it says something.
TEST(Remember, TheCommandLineWins) {
    using Get = std::function<std::string(const Preferences&)>;
    const std::map<std::string, std::vector<Get>> of = {
        {"--rule", {[](const Preferences& p) { return p.rule; }}},
        {"--lrn", {[](const Preferences& p) { return p.lrn; }}},
        {"--fit", {[](const Preferences& p) { return p.fit; }}},
        {"--display",
         {[](const Preferences& p) { return p.display; }, [](const Preferences& p) { return std::to_string(p.blur); }}},
        {"--blur",
         {[](const Preferences& p) { return p.display; }, [](const Preferences& p) { return std::to_string(p.blur); }}},
        {"--view", {[](const Preferences& p) { return p.view; }}},
        {"--model", {[](const Preferences& p) { return p.model; }}},
        {"--size", {[](const Preferences& p) { return p.model; }}},
    };
    const Preferences fresh = round(Preferences());
    const Preferences all = round(unusual());
    for (const auto& [option, gets] : of) {
        const Preferences is = round(unusual(), {option});
        for (const Get& get : gets) EXPECT_EQ(get(is), get(fresh)) << option;
        for (const auto& [other, other_gets] : of) {
            const bool together =
                (option == "--display" && other == "--blur") || (option == "--blur" && other == "--display") ||
                (option == "--model" && other == "--size") || (option == "--size" && other == "--model");
            if (other == option || together) continue;
            for (const Get& get : other_gets) EXPECT_EQ(get(is), get(all)) << other << " with " << option << " given";
        }
        EXPECT_EQ(is.gain, all.gain);
        EXPECT_EQ(is.panel, all.panel);
        EXPECT_EQ(is.opacity, all.opacity);
    }
    live::Settings given;
    given.options.rule = nn::Rule::guided;
    EXPECT_EQ(round(unusual(), {"--rule"}, given).rule, "guided");
}

TEST(Remember, ANetworkThatHasGoneIsNotAskedFor) {
    const testing::TempDir folder;
    const std::string path = folder / "mine.onnx";
    Preferences p;
    p.model = path;
    live::Settings settings;
    settings.options.model = "";
    settings.options.input_width = settings.options.input_height = 320;
    ViewState view;
    take_up(p, {}, settings, view);
    EXPECT_EQ(settings.options.model, "");
    EXPECT_EQ(settings.options.input_width, 320) << "another network's size is of no use, but this is the same one";
    p.model = "a name that none has";
    take_up(p, {}, settings, view);
    EXPECT_EQ(settings.options.model, "");

    std::ofstream(path) << "network";
    p.model = path;
    take_up(p, {}, settings, view);
    EXPECT_EQ(settings.options.model, path);
    EXPECT_FALSE(settings.options.input_width || settings.options.input_height) << "the default network's size";
}

TEST(Remember, NothingOfTheSourceIsRemembered) {
    live::Settings settings;
    settings.options.input = "private.png";
    settings.options.camera = "http://user:secret@host/";
    settings.layer = 3;
    settings.selection.channel = 7;
    const Preferences p = to_remember(settings, ViewState(), 1280, 800);
    Preferences expected;
    EXPECT_EQ(p, expected);
}

}  // namespace
}  // namespace deconv::ui
