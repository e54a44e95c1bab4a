// What every action of the key table does to settings and view, and that it does nothing else.
#include "ui/actions.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>

#include "live/preferences.h"
#include "media/media_testing.h"
#include "ui_host/ui_host_testing.h"

namespace deconv::ui {
namespace {

using testing::TempDir;
using Where = nn::Selection::Where;

/// Everything that actions may change, by name, as text: what changed is what differs.
std::map<std::string, std::string> facts(const live::Settings& s, const ViewState& v) {
    const auto t = [](auto value) { return std::to_string(static_cast<double>(value)); };
    std::map<std::string, std::string> f;
    f["layer"] = t(s.layer);
    f["channel"] = t(s.selection.channel);
    f["where"] = t(static_cast<int>(s.selection.where));
    f["place"] = t(s.selection.y) + t(s.selection.x);
    f["one"] = t(s.selection.one);
    f["gain"] = t(s.gain);
    f["gamma"] = t(s.gamma);
    f["freeze_camera"] = t(s.freeze_camera);
    f["freeze_selection"] = t(s.freeze_selection);
    f["show"] = t(static_cast<int>(s.show));
    f["random_layers"] = t(s.random_layers);
    f["second"] = t(s.second.on);
    f["second_rest"] =
        s.second.model + t(s.second.layer) + t(s.second.selection.channel) + t(static_cast<int>(s.second.rule));
    f["best"] = t(s.best);
    f["record"] = t(static_cast<int>(s.record));
    f["rule"] = t(static_cast<int>(s.options.rule));
    f["lrn"] = t(static_cast<int>(s.options.lrn));
    f["precision"] = t(static_cast<int>(s.options.precision));
    f["fit"] = t(static_cast<int>(s.options.fit));
    f["display"] = t(static_cast<int>(s.options.display));
    f["blur"] = t(s.options.blur);
    f["camera"] = s.options.camera;
    f["input"] = s.options.input;
    f["model"] = s.options.model;
    f["layer_name"] = s.options.layer;
    f["size"] = t(s.options.input_width.value_or(-1)) + t(s.options.input_height.value_or(-1));
    f["mode"] = t(static_cast<int>(v.mode));
    f["blend"] = t(static_cast<int>(v.blend));
    f["mirror"] = t(v.mirror);
    f["help"] = t(v.help);
    f["panel"] = t(v.panel);
    f["quit"] = t(v.quit);
    f["full_screen"] = t(v.full_screen);
    f["timings"] = t(v.timings);
    f["hint"] = t(v.hint);
    f["opacity"] = t(v.opacity);
    for (const View& view : v.views) f["views"] += t(view.zoom) + t(view.pan.x) + t(view.pan.y);
    f["device"] = v.device_asked;
    f["asked"] = t(v.record_asked) + t(v.snapshot_asked) + t(v.save_best_asked);
    return f;
}

class Acting : public ::testing::Test {
  protected:
    Acting() {
        first.options.input = "demo";
        settings = first;
        settings.layer = 1;
        settings.selection.channel = 4;
        view.hint = false;
        follow_mode(view, settings);
    }

    void press(Action action) { act(action, state, settings, view, first); }

    /// The names of what differs after an action.
    std::set<std::string> changes(Action action) {
        const auto before = facts(settings, view);
        press(action);
        const auto after = facts(settings, view);
        std::set<std::string> names;
        for (const auto& [name, value] : before) {
            if (after.at(name) != value) names.insert(name);
        }
        return names;
    }

    /// Two networks that are there and one that is not, and three devices, the second of which runs.
    void offer() {
        view.models = {{"first", "first"}, {"to fetch", "catalogued", true}, {"mine", "/nets/mine.onnx"}};
        view.devices.resize(3);
        for (std::uint32_t i = 0; i < 3; ++i) {
            view.devices[i].index = i;
            view.devices[i].name = "device " + std::to_string(i);
            view.devices[i].half_precision = i == 1;
        }
        state.device = "device 1";
    }

    live::State state = testing::some_state();
    live::Settings first, settings;
    ViewState view;
};

using Names = std::set<std::string>;

TEST_F(Acting, EachActionChangesItsOwnAndNothingElse) {
    const std::map<Action, Names> own = {
        {Action::help, {"help"}},
        {Action::panel, {"panel"}},
        {Action::full_screen, {"full_screen"}},
        {Action::quit, {"quit"}},
        {Action::timings, {"timings"}},
        {Action::next_view, {"mode"}},
        {Action::view_overlay, {"mode"}},
        {Action::view_layer, {"mode", "show"}},
        {Action::view_mosaic, {"mode", "show"}},
        {Action::view_ladder, {"mode", "show"}},
        {Action::view_network, {"mode", "show"}},
        {Action::view_compare, {"mode", "second"}},
        {Action::layer_up, {"layer"}},
        {Action::layer_down, {"layer"}},
        {Action::channel_left, {"channel"}},
        {Action::channel_right, {"channel"}},
        {Action::channels_back, {"channel"}},
        {Action::channels_on, {"channel"}},
        {Action::strongest, {"channel"}},
        {Action::next_strongest, {"channel"}},
        {Action::all_channels, {"channel"}},
        {Action::start_max, {"where"}},
        {Action::start_one, {"one"}},
        {Action::next_rule, {"rule"}},
        {Action::next_display, {"display"}},
        {Action::gain_up, {"gain"}},
        {Action::gain_down, {"gain"}},
        {Action::gamma_up, {"gamma"}},
        {Action::gamma_down, {"gamma"}},
        {Action::freeze_camera, {"freeze_camera"}},
        {Action::freeze_selection, {"freeze_selection"}},
        {Action::mirror, {"mirror"}},
        {Action::opacity_up, {"opacity"}},
        {Action::opacity_down, {"opacity"}},
        {Action::next_blend, {"blend"}},
        {Action::next_fit, {"fit"}},
        {Action::swap_source, {"camera", "input"}},
        {Action::smaller_input, {"size"}},
        {Action::larger_input, {"size"}},
        {Action::next_network, {"model"}},
        {Action::next_device, {"device"}},
        {Action::half_precision, {"precision"}},
        {Action::randomise, {"random_layers"}},
        {Action::best, {"best"}},
        {Action::save_best, {"asked"}},
        {Action::record, {"asked"}},
        {Action::next_record, {"record"}},
        {Action::snapshot, {"asked"}},
    };
    // These find what they would set.
    const std::set<Action> idle{Action::view_side_by_side, Action::start_all,   Action::reset_zoom,
                                Action::restore_weights,   Action::file_before, Action::next_file};
    offer();
    const live::Settings settings_before = settings;
    const ViewState view_before = view;
    for (int i = 0; i <= static_cast<int>(Action::timings); ++i) {
        const auto action = static_cast<Action>(i);
        if (action == Action::reset_all) continue;
        settings = settings_before;
        view = view_before;
        const auto expected = own.find(action);
        ASSERT_TRUE(expected != own.end() || idle.count(action) > 0) << "no expectation of action " << i;
        EXPECT_EQ(changes(action), expected == own.end() ? Names{} : expected->second) << "action " << i;
    }
}

TEST_F(Acting, WhatIsSwitchedOnIsSwitchedOffAgain) {
    for (const Action action : {Action::help, Action::panel, Action::full_screen, Action::timings, Action::start_one,
                                Action::freeze_camera, Action::freeze_selection, Action::mirror, Action::best}) {
        const auto before = facts(settings, view);
        press(action);
        EXPECT_NE(facts(settings, view), before) << static_cast<int>(action);
        press(action);
        EXPECT_EQ(facts(settings, view), before) << static_cast<int>(action);
    }
}

TEST_F(Acting, HalfPrecisionIsForGpusThatHaveIt) {
    offer();
    press(Action::half_precision);
    EXPECT_EQ(settings.options.precision, nn::Precision::half);
    press(Action::half_precision);
    EXPECT_EQ(settings.options.precision, nn::Precision::single);
    state.device = "device 0";
    press(Action::half_precision);
    EXPECT_EQ(settings.options.precision, nn::Precision::single);
    view.devices[1].type = gpu::DeviceType::cpu;
    state.device = "device 1";
    press(Action::half_precision);
    EXPECT_EQ(settings.options.precision, nn::Precision::single);
}

TEST_F(Acting, TheHintGoesWithTheFirstThingThatIsDone) {
    view.hint = true;
    press(Action::help);
    EXPECT_TRUE(view.hint);
    press(Action::mirror);
    EXPECT_FALSE(view.hint);
}

TEST_F(Acting, EveryViewShowsWhatItNeeds) {
    const std::map<Action, std::pair<Mode, live::Show>> views = {
        {Action::view_side_by_side, {Mode::side_by_side, live::Show::projection}},
        {Action::view_overlay, {Mode::overlay, live::Show::projection}},
        {Action::view_layer, {Mode::layer, live::Show::maps}},
        {Action::view_mosaic, {Mode::mosaic, live::Show::mosaic}},
        {Action::view_ladder, {Mode::ladder, live::Show::ladder}},
        {Action::view_network, {Mode::network, live::Show::network}},
        {Action::view_compare, {Mode::compare, live::Show::projection}},
    };
    const std::vector<Action> order{Action::view_side_by_side, Action::view_overlay, Action::view_layer,
                                    Action::view_mosaic,       Action::view_ladder,  Action::view_network,
                                    Action::view_compare};
    ASSERT_EQ(order.size(), live::view_names().size());
    for (const auto& [action, what] : views) {
        press(action);
        EXPECT_EQ(view.mode, what.first);
        EXPECT_EQ(settings.show, what.second);
        EXPECT_EQ(settings.second.on, what.first == Mode::compare);
    }
    // The next view, seven times round.
    press(Action::view_side_by_side);
    for (std::size_t i = 1; i <= order.size(); ++i) {
        press(Action::next_view);
        const auto& expected = views.at(order[i % order.size()]);
        EXPECT_EQ(view.mode, expected.first) << i;
        EXPECT_EQ(settings.show, expected.second) << i;
    }
}

TEST_F(Acting, LayersStopAtTheEndsOfTheStages) {
    for (const int layer : {2, 3, 3, 3}) {
        press(Action::layer_down);
        EXPECT_EQ(settings.layer, layer);
    }
    for (const int layer : {2, 1, 0, 0, 0}) {
        press(Action::layer_up);
        EXPECT_EQ(settings.layer, layer);
    }
    // From a raw tensor, which stands behind the stages, up leads back to them and down nowhere.
    settings.layer = 5;
    press(Action::layer_down);
    EXPECT_EQ(settings.layer, 5);
    for (const int layer : {4, 3, 2}) {
        press(Action::layer_up);
        EXPECT_EQ(settings.layer, layer);
    }
    // Before anything was chosen it goes on from the layer that is shown.
    settings.layer = -1;
    press(Action::layer_down);
    EXPECT_EQ(settings.layer, 2);
    // Without a network nothing happens.
    state.layers = std::make_shared<const std::vector<live::LayerInfo>>();
    press(Action::layer_down);
    EXPECT_EQ(settings.layer, 2);
}

TEST_F(Acting, ChannelsGoRound) {
    const int channels = static_cast<int>(state.peaks.size());
    for (const auto& [action, by] : std::map<Action, int>{{Action::channel_left, -1},
                                                          {Action::channel_right, 1},
                                                          {Action::channels_back, -10},
                                                          {Action::channels_on, 10}}) {
        int expected = 4;
        settings.selection.channel = 4;
        for (int i = 0; i < 30; ++i) {
            press(action);
            expected = (expected + by + channels) % channels;
            ASSERT_EQ(settings.selection.channel, expected) << "press " << i << " of " << by;
        }
    }
    // Steps of ten where there are fewer than ten.
    state.peaks = {1, 2, 3};
    for (const Action action : {Action::channels_back, Action::channels_on}) {
        for (int i = 0; i < 8; ++i) {
            press(action);
            ASSERT_GE(settings.selection.channel, 0);
            ASSERT_LT(settings.selection.channel, 3);
        }
    }
    // From `strongest` it goes on from the channel that is shown; from all channels from the strongest.
    state = testing::some_state();
    settings.selection.channel = nn::Selection::strongest;
    state.selection.channel = state.selection.strongest = 9;
    press(Action::channel_right);
    EXPECT_EQ(settings.selection.channel, 10);
    settings.selection.channel = nn::Selection::all;
    state.selection.channel = nn::Selection::all;
    press(Action::channel_left);
    EXPECT_EQ(settings.selection.channel, 8);
    state.peaks.clear();
    press(Action::channel_left);
    EXPECT_EQ(settings.selection.channel, 8);
}

TEST_F(Acting, ChannelsByWordAndByPlace) {
    press(Action::strongest);
    EXPECT_EQ(settings.selection.channel, nn::Selection::strongest);
    press(Action::all_channels);
    EXPECT_EQ(settings.selection.channel, nn::Selection::all);
    settings.selection.where = Where::pinned;
    press(Action::start_all);
    EXPECT_EQ(settings.selection.where, Where::all);
    press(Action::start_max);
    EXPECT_EQ(settings.selection.where, Where::max);
}

/// From the strongest down to the weakest, each once, and round.
TEST_F(Acting, TheNextWeakerWalksThroughAllChannels) {
    std::vector<int> walk;
    state.selection.channel = 4;  // the strongest
    for (std::size_t i = 0; i < state.peaks.size(); ++i) {
        walk.push_back(state.selection.channel);
        state.selection.channel = next_weaker(state);
    }
    EXPECT_EQ(state.selection.channel, 4) << "not round";
    EXPECT_EQ(walk, (std::vector<int>{4, 9, 11, 10, 1, 7, 5, 2, 0, 8, 3, 6}));
    for (const int none : {-1, -2, 12, 99}) {
        state.selection.channel = none;
        EXPECT_EQ(next_weaker(state), 4) << none;
    }
    state.peaks.clear();
    EXPECT_EQ(next_weaker(state), 0);
    state = testing::some_state();
    press(Action::next_strongest);
    EXPECT_EQ(settings.selection.channel, 9);
}

TEST_F(Acting, RulesFitsBlendsAndRecordingsGoRound) {
    const auto expect_round = [&](Action action, int count, const std::function<int()>& now) {
        std::set<int> seen;
        const int begin = now();
        for (int i = 0; i < count; ++i) {
            seen.insert(now());
            press(action);
        }
        EXPECT_EQ(static_cast<int>(seen.size()), count) << static_cast<int>(action);
        EXPECT_EQ(now(), begin) << static_cast<int>(action);
    };
    expect_round(Action::next_rule, 3, [&] { return static_cast<int>(settings.options.rule); });
    expect_round(Action::next_fit, 3, [&] { return static_cast<int>(settings.options.fit); });
    expect_round(Action::next_blend, static_cast<int>(live::blend_names().size()),
                 [&] { return static_cast<int>(view.blend); });
    expect_round(Action::next_record, static_cast<int>(live::record_names().size()),
                 [&] { return static_cast<int>(settings.record); });
    press(Action::next_rule);
    EXPECT_EQ(settings.options.rule, nn::Rule::guided) << "as the help says: deconv, guided, gradient";
    press(Action::next_rule);
    EXPECT_EQ(settings.options.rule, nn::Rule::gradient);
}

TEST_F(Acting, DisplaysAreSignedPositiveNormBlurredRange) {
    using image::Display;
    for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(settings.options.display, Display::signed_zero_grey);
        EXPECT_EQ(settings.options.blur, 0);
        press(Action::next_display);
        EXPECT_EQ(settings.options.display, Display::positive);
        EXPECT_EQ(settings.options.blur, 0);
        press(Action::next_display);
        EXPECT_EQ(settings.options.display, Display::norm);
        EXPECT_EQ(settings.options.blur, 0);
        press(Action::next_display);
        EXPECT_EQ(settings.options.display, Display::norm);
        EXPECT_GT(settings.options.blur, 0);
        press(Action::next_display);
        EXPECT_EQ(settings.options.display, Display::range);
        EXPECT_EQ(settings.options.blur, 0);
        press(Action::next_display);
    }
    // A blur from the command line counts as blurred.
    settings.options.display = Display::norm;
    settings.options.blur = 5;
    press(Action::next_display);
    EXPECT_EQ(settings.options.display, Display::range);
}

TEST_F(Acting, ValuesStayInTheirRangesAndComeBack) {
    struct Range {
        Action up, down;
        std::function<float()> now;
        float low, high;
    };
    const std::vector<Range> ranges = {
        {Action::gain_up, Action::gain_down, [&] { return settings.gain; }, 0.1F, 10},
        {Action::gamma_up, Action::gamma_down, [&] { return settings.gamma; }, 0.3F, 3},
        {Action::opacity_up, Action::opacity_down, [&] { return view.opacity; }, 0, 1},
    };
    for (const Range& range : ranges) {
        const float begin = range.now();
        press(range.up);
        EXPECT_GT(range.now(), begin);
        press(range.down);
        EXPECT_NEAR(range.now(), begin, 1e-5);
        for (int i = 0; i < 60; ++i) press(range.up);
        EXPECT_EQ(range.now(), range.high);
        for (int i = 0; i < 60; ++i) press(range.down);
        EXPECT_EQ(range.now(), range.low);
        press(range.up);
        EXPECT_GT(range.now(), range.low) << "stuck at the lower end";
    }
}

TEST_F(Acting, RandomLayersStopAtWhatWasLearned) {
    for (const int layers : {1, 2, 3, 3, 3}) {
        press(Action::randomise);
        EXPECT_EQ(settings.random_layers, layers);
    }
    press(Action::restore_weights);
    EXPECT_EQ(settings.random_layers, 0);
}

TEST_F(Acting, InputsGrowAndShrinkThroughTheUsualSizes) {
    const std::vector<int>& sizes = input_sizes();
    ASSERT_TRUE(std::is_sorted(sizes.begin(), sizes.end()));
    // From the network's own size, which need not be one of them.
    state.input_width = state.input_height = 100;
    press(Action::larger_input);
    EXPECT_EQ(settings.options.input_width, 128);
    press(Action::smaller_input);
    EXPECT_EQ(settings.options.input_width, 96);
    for (std::size_t i = 0; i < 2 * sizes.size(); ++i) press(Action::smaller_input);
    for (std::size_t i = 0; i < sizes.size() + 3; ++i) {
        EXPECT_EQ(settings.options.input_width, sizes[std::min(i, sizes.size() - 1)]);
        EXPECT_EQ(settings.options.input_height, settings.options.input_width);
        press(Action::larger_input);
    }
}

TEST_F(Acting, NetworksAndDevicesGoRound) {
    press(Action::next_network);
    press(Action::next_device);
    EXPECT_EQ(settings.options.model, "") << "there is no other";
    EXPECT_EQ(view.device_asked, "");
    offer();
    settings.options.input_width = settings.options.input_height = 99;
    for (const char* name : {"first", "/nets/mine.onnx", "first", "/nets/mine.onnx"}) {
        press(Action::next_network);
        EXPECT_EQ(settings.options.model, name) << "only what is there";
        EXPECT_FALSE(settings.options.input_width || settings.options.input_height) << "another network's size";
    }
    for (const char* next : {"2", "0", "1"}) {
        press(Action::next_device);
        EXPECT_EQ(view.device_asked, next);
        state.device = "device " + view.device_asked;
    }
}

TEST_F(Acting, AskedForThingsAreAskedForOnce) {
    press(Action::record);
    EXPECT_TRUE(view.record_asked && !view.snapshot_asked && !view.save_best_asked);
    press(Action::snapshot);
    EXPECT_TRUE(view.snapshot_asked && !view.save_best_asked);
    press(Action::save_best);
    EXPECT_TRUE(view.save_best_asked);
    EXPECT_FALSE(view.quit);
    press(Action::quit);
    EXPECT_TRUE(view.quit);
}

TEST_F(Acting, ZoomAndPanGoBack) {
    for (View& one : view.views) one.zoom = 3;
    view.views[1].pan = {5, 6};
    press(Action::reset_zoom);
    EXPECT_EQ(facts(settings, view).at("views"), facts(settings, ViewState()).at("views"));
}

TEST_F(Acting, ResetKeepsSourceNetworkAndWhatIsRecorded) {
    first.options.rule = nn::Rule::guided;  // the command line's
    first.options.layer = "pool1";
    first.options.channel = "7";
    first.options.display = image::Display::norm;
    for (const bool camera : {false, true}) {
        SCOPED_TRACE(camera ? "camera" : "file");
        settings = first;
        settings.options.camera = camera ? "1" : "";
        settings.options.input = camera ? "" : "holiday.jpg";
        settings.options.model = "other.onnx";
        settings.options.input_width = 99;
        settings.options.input_height = 77;
        settings.record = live::RecordWhat::projection;
        view.help = view.timings = true;
        view.full_screen = true;
        view.panel = false;
        for (const Action action :
             {Action::next_rule, Action::next_display, Action::layer_down, Action::channel_right, Action::start_max,
              Action::start_one, Action::gain_up, Action::gamma_down, Action::freeze_camera, Action::freeze_selection,
              Action::randomise, Action::best, Action::next_fit, Action::mirror, Action::opacity_down,
              Action::next_blend, Action::view_compare}) {
            press(action);
        }
        settings.second.rule = nn::Rule::gradient;
        settings.second.layer = 2;
        view.views[0].zoom = 4;
        press(Action::reset_all);
        EXPECT_EQ(settings.options.camera, camera ? "1" : "");
        EXPECT_EQ(settings.options.input, camera ? "" : "holiday.jpg");
        EXPECT_EQ(settings.options.model, "other.onnx");
        EXPECT_EQ(settings.options.input_width, 99);
        EXPECT_EQ(settings.options.input_height, 77);
        EXPECT_EQ(settings.record, live::RecordWhat::projection);
        // What is not of the picture.
        EXPECT_TRUE(view.help && view.timings && view.full_screen && !view.panel);
        // All else is as in settings that nobody has touched, with the command line's rule and display.
        live::Settings fresh;
        fresh.options.rule = nn::Rule::guided;
        fresh.options.display = image::Display::norm;
        fresh.options.camera = settings.options.camera;
        fresh.options.input = settings.options.input;
        fresh.options.model = settings.options.model;
        fresh.options.input_width = 99;
        fresh.options.input_height = 77;
        fresh.record = settings.record;
        ViewState fresh_view;
        fresh_view.help = fresh_view.timings = fresh_view.full_screen = true;
        fresh_view.panel = fresh_view.hint = false;
        EXPECT_EQ(facts(settings, view), facts(fresh, fresh_view));
        EXPECT_EQ(settings.options.channel, "strongest");
    }
}

TEST_F(Acting, TheOtherSourceAndBack) {
    // From the demo to the first camera, and back.
    press(Action::swap_source);
    EXPECT_EQ(settings.options.camera, "0");
    EXPECT_EQ(settings.options.input, "");
    press(Action::swap_source);
    EXPECT_EQ(settings.options.camera, "");
    EXPECT_EQ(settings.options.input, "demo");
    // Those of the command line come first.
    first.options.camera = "http://host/stream";
    first.options.input = "";
    settings.options = first.options;
    press(Action::swap_source);
    EXPECT_EQ(settings.options.camera, "");
    EXPECT_EQ(settings.options.input, "demo");
    press(Action::swap_source);
    EXPECT_EQ(settings.options.camera, "http://host/stream");
    EXPECT_EQ(settings.options.input, "");
    first.options.camera = "";
    first.options.input = "film.mp4";
    press(Action::swap_source);
    EXPECT_EQ(settings.options.input, "film.mp4");
}

class Files : public Acting {
  protected:
    Files() {
        for (const char* name : {"b.JPG", "a.png", "d.mkv", "c.jpeg", "notes.txt", "x.onnx", "e.webp"}) {
            std::ofstream(folder_ / name) << name;
        }
        std::filesystem::create_directory(folder_ / "bb.d");
    }
    std::string shown() const { return std::filesystem::path(settings.options.input).filename().string(); }

    TempDir folder_;
};

TEST_F(Files, NextAndBeforeGoRoundInTheOrderOfTheNames) {
    settings.options.input = folder_ / "a.png";
    for (const char* name : {"b.JPG", "c.jpeg", "d.mkv", "e.webp", "a.png", "b.JPG"}) {
        press(Action::next_file);
        EXPECT_EQ(shown(), name);
    }
    for (const char* name : {"a.png", "e.webp", "d.mkv", "c.jpeg", "b.JPG"}) {
        press(Action::file_before);
        EXPECT_EQ(shown(), name);
    }
    EXPECT_EQ(std::filesystem::path(settings.options.input).parent_path(), folder_.path()) << "the way there stays";
}

TEST_F(Files, WhereThereIsNoFolderOfFilesNothingHappens) {
    for (const std::string& input : {std::string("demo"), std::string(), folder_.path(), folder_ / "gone.png",
                                     folder_ / "notes.txt", std::string("/nowhere/at/all.png")}) {
        settings.options.input = input;
        press(Action::next_file);
        EXPECT_EQ(settings.options.input, input);
        press(Action::file_before);
        EXPECT_EQ(settings.options.input, input);
    }
    // One alone is its own neighbour.
    const TempDir lonely;
    std::ofstream(lonely / "one.png") << "x";
    settings.options.input = lonely / "one.png";
    press(Action::next_file);
    EXPECT_EQ(settings.options.input, lonely / "one.png");
}

TEST_F(Files, InTheFolderThatItRunsIn) {
    const std::filesystem::path before = std::filesystem::current_path();
    std::filesystem::current_path(folder_.path());
    settings.options.input = "a.png";
    press(Action::next_file);
    EXPECT_EQ(shown(), "b.JPG");
    EXPECT_TRUE(std::filesystem::exists(settings.options.input));
    std::filesystem::current_path(before);
}

TEST_F(Acting, AClassIsLookedAtInTheLayerOfTheScores) {
    settings.selection.where = Where::pinned;
    settings.selection.channel = nn::Selection::all;
    choose_class(3, state, settings);
    EXPECT_EQ(settings.layer, 3);
    EXPECT_EQ(settings.selection.channel, 3);
    EXPECT_EQ(settings.selection.where, Where::all);
}

/// Not every network has labels: its classes are where its scores are.
TEST_F(Acting, AClassOfANetworkWithoutLabels) {
    state.labels = std::make_shared<const std::vector<std::string>>();
    settings.layer = 0;
    choose_class(3, state, settings);
    EXPECT_EQ(settings.layer, 3);
    EXPECT_EQ(settings.selection.channel, 3);
}

}  // namespace
}  // namespace deconv::ui
