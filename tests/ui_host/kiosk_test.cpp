// The walk of a window that is left to itself, on a clock of the test's own.
#include "ui/kiosk.h"

#include <set>

#include "ui_host/ui_host_testing.h"

namespace deconv::ui {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class KioskWalk : public ::testing::Test {
  protected:
    bool step() { return kiosk.step(state, settings, view, now); }
    /// Waits until the kiosk has walked a step, and gives how long it took.
    milliseconds next_step() {
        milliseconds waited{0};
        while (!step()) {
            now += milliseconds(100);
            waited += milliseconds(100);
            if (waited > seconds(100)) break;
        }
        return waited;
    }

    Kiosk::Clock::time_point now = Kiosk::Clock::time_point(seconds(1000));
    Kiosk kiosk{now};
    live::State state = testing::some_state();
    live::Settings settings;
    ViewState view;
};

TEST_F(KioskWalk, BeginsAtOnceWhereNobodyIs) {
    EXPECT_TRUE(kiosk.idle(now));
    EXPECT_TRUE(kiosk.cursor_hidden(now));
    EXPECT_TRUE(step());
}

TEST_F(KioskWalk, BeginsAfterPatienceFromTheLastTouch) {
    kiosk.touch(now);
    now += Kiosk::patience - milliseconds(1);
    EXPECT_FALSE(kiosk.idle(now) || step());
    kiosk.touch(now);
    now += Kiosk::patience - milliseconds(1);
    EXPECT_FALSE(kiosk.idle(now) || step());
    now += milliseconds(1);
    EXPECT_TRUE(kiosk.idle(now));
    EXPECT_TRUE(step());
}

TEST_F(KioskWalk, TheCursorRests) {
    kiosk.touch(now);
    EXPECT_FALSE(kiosk.cursor_hidden(now + Kiosk::cursor_rest - milliseconds(1)));
    EXPECT_TRUE(kiosk.cursor_hidden(now + Kiosk::cursor_rest));
}

TEST_F(KioskWalk, WaitsForANetworkAndItsFirstFrame) {
    state.frames = 0;
    EXPECT_FALSE(step());
    state = testing::some_state();
    state.layers = std::make_shared<const std::vector<live::LayerInfo>>();
    EXPECT_FALSE(step());
    state = testing::some_state();
    EXPECT_TRUE(step());
}

TEST_F(KioskWalk, PacesThroughStagesChannelsAndViews) {
    ASSERT_TRUE(step());
    std::set<int> layers;
    std::set<Mode> modes;
    int before = settings.layer;
    for (int i = 1; i < 48; ++i) {
        EXPECT_FALSE(step()) << "twice at the same time";
        EXPECT_EQ(next_step(), Kiosk::pace) << "step " << i;
        EXPECT_TRUE(settings.layer >= 0 && settings.layer < 4) << "not a stage: " << settings.layer;
        // Three channels of a stage, the strongest first.
        EXPECT_EQ(settings.selection.channel == nn::Selection::strongest, i % 3 == 0) << "step " << i;
        if (i % 3 != 0) {
            EXPECT_EQ(settings.layer, before) << "step " << i;
            EXPECT_EQ(settings.selection.channel, 9) << "the next weaker than the channel that is shown";
        }
        before = settings.layer;
        layers.insert(settings.layer);
        modes.insert(view.mode);
        const bool maps = view.mode == Mode::layer;
        const bool ladder = view.mode == Mode::ladder;
        EXPECT_EQ(settings.show, maps ? live::Show::maps : ladder ? live::Show::ladder : live::Show::projection);
    }
    EXPECT_GE(layers.size(), 2U);
    EXPECT_GE(modes.size(), 3U);
}

TEST_F(KioskWalk, WhatAVisitorLeftGoes) {
    ASSERT_TRUE(step());
    kiosk.touch(now);
    settings.best = settings.freeze_camera = settings.freeze_selection = true;
    settings.random_layers = 3;
    settings.selection.where = nn::Selection::Where::pinned;
    settings.selection.one = true;
    settings.gain = 7;
    settings.gamma = 2;
    settings.options.rule = nn::Rule::gradient;
    settings.options.input = "demo";
    settings.options.model = "mine";
    view.mode = Mode::compare;
    view.help = true;
    view.views[0].zoom = 5;
    settings.second.on = true;
    EXPECT_FALSE(step());
    now += Kiosk::patience;
    ASSERT_TRUE(step());
    EXPECT_FALSE(settings.best || settings.freeze_camera || settings.freeze_selection || settings.second.on);
    EXPECT_EQ(settings.random_layers, 0);
    EXPECT_EQ(settings.selection.where, nn::Selection::Where::all);
    EXPECT_FALSE(settings.selection.one);
    EXPECT_EQ(settings.gain, 1);
    EXPECT_EQ(settings.gamma, 1);
    EXPECT_EQ(settings.options.rule, nn::Rule::deconv);
    EXPECT_FALSE(view.help);
    EXPECT_EQ(view.views[0].zoom, 1);
    EXPECT_EQ(settings.options.input, "demo");
    EXPECT_EQ(settings.options.model, "mine");
}

TEST_F(KioskWalk, ATouchEndsTheWalkAndLeavesWhatIsShown) {
    ASSERT_TRUE(step());
    now += Kiosk::pace;
    kiosk.touch(now);
    settings.gain = 5;
    settings.selection.channel = 2;
    for (int i = 0; i < 190; ++i) {
        now += milliseconds(100);
        ASSERT_FALSE(step()) << i;
    }
    EXPECT_EQ(settings.gain, 5);
    EXPECT_EQ(settings.selection.channel, 2);
    // And it begins anew, with the strongest channel.
    now += seconds(1);
    EXPECT_TRUE(step());
    EXPECT_EQ(settings.gain, 1);
    EXPECT_EQ(settings.selection.channel, nn::Selection::strongest);
}

}  // namespace
}  // namespace deconv::ui
