// A live session without a window: what is asked for takes effect while frames keep coming, what cannot be is refused,
// and what is saved can be made again.
#include <cstdlib>
#include <filesystem>

#include "live/choices.h"
#include "live/preferences.h"
#include "live_device/live_device_testing.h"
#include "media/small_disk.h"
#include "media/source.h"

namespace deconv::testing {
namespace {

using live::Session;
using live::Settings;
using live::Show;
using live::State;

class LiveSession : public ::testing::Test {
  protected:
    void begin(const std::function<void(Settings&)>& change = {}) {
        Settings settings;
        settings.options.input = "demo";
        settings.options.model = model_;
        if (change) change(settings);
        session_ = std::make_unique<Session>(engine().device, engine().pipelines, settings);
        ASSERT_TRUE(eventually([&] { return session_->state().frames > 0; })) << session_->state().trouble;
    }
    void change(const std::function<void(Settings&)>& how) {
        Settings settings = session_->settings();
        how(settings);
        session_->set(settings);
    }
    /// Nothing is being made, and frames have come since.
    bool settled() {
        if (!eventually([&] { return !session_->state().working; })) return false;
        return more_frames(4);
    }
    bool more_frames(std::uint64_t count) {
        const std::uint64_t before = session_->state().frames;
        return eventually([&] { return session_->state().frames >= before + count || !session_->alive(); }) &&
               session_->alive();
    }
    std::string still(int width = 240, int height = 240) {
        const Picture scene = media::draw_demo(width, height, 3);
        const cv::Mat rgba(height, width, CV_8UC4, const_cast<std::uint8_t*>(scene.rgba.data()));
        cv::Mat bgr;
        cv::cvtColor(rgba, bgr, cv::COLOR_RGBA2BGR);
        return write_picture(folder_, "still.png", bgr);
    }

    TempDir folder_;
    std::string model_ = write_chain_model(folder_);
    std::unique_ptr<Session> session_;
};

TEST_F(LiveSession, WhatIsAskedForTakesEffectWhileFramesKeepComing) {
    begin();
    EXPECT_EQ(session_->state().model, "chain");
    EXPECT_EQ(session_->state().input_width, 24);
    EXPECT_EQ(session_->state().input_height, 16);
    EXPECT_EQ(session_->state().learned_layers, 2);
    const int layers = static_cast<int>(session_->state().layers->size());
    for (int i = 0; i < 24; ++i) {
        const int layer = i * 5 % layers;
        const auto rule = static_cast<nn::Rule>(i % 3);
        const auto show = static_cast<Show>(i % 5);
        SCOPED_TRACE("layer " + std::to_string(layer) + ", rule " + std::to_string(i % 3) + ", show " +
                     std::to_string(i % 5));
        change([&](Settings& s) {
            s.layer = layer;
            s.options.rule = rule;
            s.show = show;
            s.selection.channel = i % 2 == 0 ? nn::Selection::strongest : 0;
        });
        const std::uint64_t before = session_->state().frames;
        ASSERT_TRUE(eventually([&] {
            const State now = session_->state();
            const bool shown = show == Show::projection ? !now.exhibit : now.exhibit && now.exhibit->show == show;
            // Its numbers come with its first frame.
            const auto channels = (*now.layers)[static_cast<std::size_t>(layer)].channels;
            const bool numbers = static_cast<int>(now.peaks.size()) == channels;
            return now.layer == layer && shown && numbers && now.frames > before && !now.working;
        })) << "now layer "
            << session_->state().layer << ", " << session_->state().said;
        const State now = session_->state();
        ASSERT_TRUE(now.pictures);
        EXPECT_EQ(now.pictures->projection.width, 24);
        if (now.exhibit) {
            EXPECT_EQ(now.pictures->exhibit.width, now.exhibit->width);
            for (const live::ExhibitRow& row : now.exhibit->rows) {
                for (const live::ExhibitTile& tile : row.tiles) {
                    EXPECT_TRUE(tile.left >= 0 && tile.top >= 0 && tile.left + tile.width <= now.exhibit->width &&
                                tile.top + tile.height <= now.exhibit->height)
                        << row.title << ": a tile outside of its picture";
                }
            }
        }
        ASSERT_TRUE(settled());
        const Settings is = session_->settings();
        EXPECT_TRUE(is.layer == layer && is.options.rule == rule && is.show == show) << "settings of their own";
    }
    EXPECT_EQ(session_->state().trouble, "");
}

TEST_F(LiveSession, ManyWishesAtOnceEndInTheLast) {
    begin();
    std::uint32_t random = 5;
    for (int round = 0; round < 12; ++round) {
        Settings last;
        for (int i = 0; i < 6; ++i) {
            random = random * 1664525U + 1013904223U;
            change([&](Settings& s) {
                s.layer = static_cast<int>(random >> 24U) % 5;
                s.options.rule = static_cast<nn::Rule>((random >> 20U) % 3);
                s.options.fit = static_cast<image::Fit>((random >> 16U) % 3);
                s.random_layers = static_cast<int>(random >> 12U) % 3;
                s.show = static_cast<Show>((random >> 8U) % 5);
                last = s;
            });
            std::this_thread::sleep_for(std::chrono::milliseconds(random >> 28U));
        }
        ASSERT_TRUE(eventually([&] {
            const State now = session_->state();
            const bool shown =
                last.show == Show::projection ? !now.exhibit : now.exhibit && now.exhibit->show == last.show;
            return !now.working && now.layer == last.layer && now.random_layers == last.random_layers && shown;
        })) << "round "
            << round;
        EXPECT_EQ(session_->settings().layer, last.layer);
    }
}

TEST_F(LiveSession, OptionsNameTheFirstLayerAndChannel) {
    begin([](Settings& s) {
        s.options.layer = "relu2";
        s.options.channel = "3";
    });
    ASSERT_TRUE(settled());
    const State now = session_->state();
    EXPECT_EQ((*now.layers)[static_cast<std::size_t>(now.layer)].name, "relu2");
    EXPECT_EQ(now.selection.channel, 3);
    EXPECT_EQ(session_->settings().selection.channel, 3);
}

TEST_F(LiveSession, ABadNetworkIsRefusedAndSettingsReturnToWhatRuns) {
    begin();
    write_text(folder_ / "broken.onnx", "no network");
    for (const std::string& bad : {folder_ / "broken.onnx", folder_ / "missing.onnx", std::string("nobody's")}) {
        SCOPED_TRACE(bad);
        const Settings before = session_->settings();
        change([&](Settings& s) {
            s.options.model = bad;
            s.options.input_width = s.options.input_height = 50;
            // What is asked for together with it goes with it.
            s.options.fit = image::Fit::letterbox;
            s.options.display = image::Display::range;
        });
        ASSERT_TRUE(eventually([&] { return session_->settings().options.model == model_; }));
        EXPECT_CONTAINS(session_->state().said, bad.substr(bad.rfind('/') + 1));
        ASSERT_TRUE(settled());
        const State now = session_->state();
        EXPECT_EQ(now.model, "chain");
        const Settings is = session_->settings();
        EXPECT_EQ(is.layer, before.layer);
        EXPECT_FALSE(is.options.input_width || is.options.input_height);
        // Settings and pictures agree: a letterbox of a 4 : 3 picture in 3 : 2 leaves bars.
        EXPECT_EQ(is.options.fit == image::Fit::letterbox, now.pictures->placement.place_width < 24);
        EXPECT_EQ(is.options.display, before.options.display);
    }
    // And it goes on.
    change([](Settings& s) { s.layer = 0; });
    EXPECT_TRUE(eventually([&] { return session_->state().layer == 0; }));
}

/// Whatever is done meanwhile, why something was refused can be read to its end; what was said meanwhile comes then.
TEST_F(LiveSession, ARefusalStandsItsFullTime) {
    begin();
    change([&](Settings& s) { s.options.model = folder_ / "missing.onnx"; });
    ASSERT_TRUE(eventually([&] { return session_->state().said.find("missing.onnx") != std::string::npos; }));
    ASSERT_TRUE(eventually([&] { return session_->settings().options.model == model_; }));
    const auto refused_at = session_->state().said_at;
    const auto end = refused_at + std::chrono::duration<double>(live::said_seconds - 0.5);
    for (int i = 0; std::chrono::steady_clock::now() < end; ++i) {
        change([&](Settings& s) { s.options.rule = static_cast<nn::Rule>(i % 3); });
        session_->save_projection(folder_ / "meanwhile.png");
        session_->say("key " + std::to_string(i));
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        const State now = session_->state();
        if (std::chrono::steady_clock::now() >= end) break;
        ASSERT_NE(now.said.find("missing.onnx"), std::string::npos) << now.said;
        ASSERT_EQ(now.said_at, refused_at);
    }
    EXPECT_TRUE(eventually([&] { return session_->state().said.find("missing.onnx") == std::string::npos; }));
    EXPECT_GE(session_->state().said_at - refused_at, std::chrono::duration<double>(live::said_seconds));
}

/// The default layer asked for while an engine for another one is being made: it is the default that stays.
TEST_F(LiveSession, TheDefaultLayerIsNotThatOfAnEngineUnderWay) {
    begin();
    ASSERT_TRUE(settled());
    const int usual = session_->state().layer;
    ASSERT_NE(usual, 0);
    for (int i = 0; i < 10; ++i) {
        change([&](Settings& s) {
            s.layer = 0;
            s.options.input_width = s.options.input_height = 64 + 32 * i;
        });
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        change([](Settings& s) { s.layer = -1; });
        ASSERT_TRUE(eventually([&] { return session_->state().working; }, 2) || session_->state().layer == usual);
        ASSERT_TRUE(settled());
        ASSERT_TRUE(eventually([&] { return session_->state().layer == usual && !session_->state().working; }, 5));
        EXPECT_EQ(session_->settings().layer, usual);
    }
}

/// Layer, peaks and selection are of one engine at every moment.
TEST_F(LiveSession, StateIsOfOneEngine) {
    begin();
    for (int i = 0; i < 12; ++i) {
        const int layer = i % 2 == 0 ? 2 : 0;  // of six channels, and of four
        change([&](Settings& s) {
            s.layer = layer;
            s.selection.channel = i % 3 == 0 ? nn::Selection::strongest : 3;
        });
        ASSERT_TRUE(eventually([&] {
            const State now = session_->state();
            const auto channels = (*now.layers)[static_cast<std::size_t>(now.layer)].channels;
            EXPECT_EQ(static_cast<int>(now.peaks.size()), channels);
            EXPECT_LT(now.selection.channel, channels);
            return now.layer == layer;
        }));
    }
}

/// Once everything was seen, the device's memory in one state is the same whatever was looked at in between.
TEST_F(LiveSession, DeviceMemoryComesBack) {
    // What is found to be faster in the meantime takes other memory.
    begin([](Settings& s) { s.options.tuning = false; });
    const auto at_reference = [&]() -> std::uint64_t {
        change([](Settings& s) {
            s.layer = 2;
            s.options.rule = nn::Rule::deconv;
            s.options.input_width = s.options.input_height = 32;
            s.random_layers = 0;
            s.show = Show::projection;
        });
        const auto there = [&] {
            const State now = session_->state();
            return !now.working && now.layer == 2 && now.input_width == 32 && now.random_layers == 0 && !now.exhibit;
        };
        EXPECT_TRUE(eventually(there) && settled());
        return session_->state().memory_bytes;
    };
    const auto look_at_everything = [&] {
        for (int i = 0; i < 36; ++i) {
            change([&](Settings& s) {
                s.layer = i % 3;
                s.options.rule = static_cast<nn::Rule>(i / 3 % 3);
                s.options.input_width = s.options.input_height = i % 2 == 0 ? 48 : 320;
                s.random_layers = i / 9 % 3;
                s.show = static_cast<Show>(i % 5);
            });
            ASSERT_TRUE(settled());
        }
    };
    look_at_everything();
    const std::uint64_t before = at_reference();
    EXPECT_GT(before, 0U);
    look_at_everything();
    EXPECT_EQ(at_reference(), before);
}

/// A bad network, and a good one before the bad one has failed: in the end settings and pictures are the good one's.
TEST_F(LiveSession, AFailureDoesNotTakeBackANewerWish) {
    const std::string other = write_chain_model(folder_, "other", 9);
    // It fails late: its weights end before they should.
    onnx::ModelProto model = chain_model();
    model.mutable_graph()->mutable_initializer(1)->mutable_float_data()->RemoveLast();
    write_model(folder_, model, "bad.onnx");
    begin();
    for (int i = 0; i < 25; ++i) {
        const std::string& good = i % 2 == 0 ? other : model_;
        change([&](Settings& s) { s.options.model = folder_ / "bad.onnx"; });
        std::this_thread::sleep_for(std::chrono::milliseconds(i));
        change([&](Settings& s) { s.options.model = good; });
        const std::string name = i % 2 == 0 ? "other" : "chain";
        ASSERT_TRUE(eventually([&] { return session_->state().model == name && !session_->state().working; }, 20))
            << "round " << i << ": " << session_->state().model << " runs";
        ASSERT_TRUE(settled());
        ASSERT_EQ(session_->settings().options.model, good) << "round " << i;
        ASSERT_EQ(session_->state().model, name) << "round " << i;
    }
}

TEST_F(LiveSession, AnotherNetworkKeepsTheLayersNameAndNothingElse) {
    const std::string other = write_chain_model(folder_, "other", 9);
    begin([](Settings& s) {
        s.options.layer = "relu1";
        s.options.channel = "2";
    });
    change([&](Settings& s) {
        s.options.model = other;
        s.random_layers = 2;
    });
    ASSERT_TRUE(eventually([&] { return session_->state().model == "other"; }));
    ASSERT_TRUE(settled());
    const State now = session_->state();
    EXPECT_EQ((*now.layers)[static_cast<std::size_t>(now.layer)].name, "relu1");
    EXPECT_EQ(session_->settings().layer, now.layer);
    EXPECT_EQ(session_->settings().selection.channel, nn::Selection::strongest);
    EXPECT_EQ(now.random_layers, 0);
}

TEST_F(LiveSession, WithoutAnyNetworkItSaysSoAndTakesOneLater) {
    Settings settings;
    settings.options.input = "demo";
    settings.options.model = folder_ / "missing.onnx";
    session_ = std::make_unique<Session>(engine().device, engine().pipelines, settings);
    ASSERT_TRUE(eventually([&] { return !session_->state().said.empty(); }));
    EXPECT_CONTAINS(session_->state().said, "missing.onnx");
    EXPECT_TRUE(session_->alive());
    change([&](Settings& s) { s.options.model = model_; });
    EXPECT_TRUE(eventually([&] { return session_->state().frames > 2; }));
    EXPECT_EQ(session_->state().model, "chain");
}

TEST_F(LiveSession, ChannelsAndPinsThatALayerDoesNotHaveDoNoHarm) {
    begin([](Settings& s) { s.options.layer = "relu1"; });
    for (const int channel : {3, 1000, -2, -1}) {
        for (const auto& [y, x] : std::vector<std::pair<int, int>>{{0, 0}, {15, 23}, {0, 23}, {9, 3}, {500, 500}}) {
            for (const int layer : {0, 1, 2, 3}) {
                change([&, row = y, column = x](Settings& s) {
                    s.layer = layer;
                    s.selection.channel = channel;
                    s.selection.where = nn::Selection::Where::pinned;
                    s.selection.y = row;
                    s.selection.x = column;
                });
                ASSERT_TRUE(eventually([&] { return session_->state().layer == layer; }));
                ASSERT_TRUE(settled());
                const State now = session_->state();
                const live::LayerInfo& info = (*now.layers)[static_cast<std::size_t>(layer)];
                EXPECT_LT(now.selection.channel, info.channels);
                EXPECT_LT(now.selection.place, info.height * info.width);
                // A pin that lies beside this layer's maps is none in them.
                const bool inside = y < info.height && x < info.width;
                const auto where = static_cast<nn::Selection::Where>(now.selection.where);
                EXPECT_EQ(where, inside ? nn::Selection::Where::pinned : nn::Selection::Where::max)
                    << info.name << " at " << y << "," << x;
                if (inside) {
                    EXPECT_EQ(now.selection.place, y * info.width + x);
                }
            }
        }
    }
}

/// The file that is saved, and what the program makes without a window of the settings in it.
TEST_F(LiveSession, ASavedProjectionIsWhatAHeadlessRunMakes) {
    const std::string picture = still();
    begin([&](Settings& s) {
        s.options.input = picture;
        s.options.input_width = s.options.input_height = 240;
    });
    struct Wish {
        int layer, channel;
        nn::Rule rule;
        nn::Selection::Where where;
        image::Display display;
        bool one;
        int random_layers;
    };
    using Where = nn::Selection::Where;
    const std::vector<Wish> wishes = {
        {2, 4, nn::Rule::deconv, Where::all, image::Display::signed_zero_grey, false, 0},
        {1, nn::Selection::strongest, nn::Rule::guided, Where::max, image::Display::positive, false, 0},
        {2, nn::Selection::all, nn::Rule::gradient, Where::all, image::Display::norm, true, 0},
        {2, 1, nn::Rule::guided, Where::all, image::Display::range, true, 1},
        {2, 3, nn::Rule::deconv, Where::pinned, image::Display::signed_zero_grey, true, 0},
    };
    for (std::size_t i = 0; i < wishes.size(); ++i) {
        const Wish& wish = wishes[i];
        SCOPED_TRACE("wish " + std::to_string(i));
        change([&](Settings& s) {
            s.layer = wish.layer;
            s.selection = {wish.channel, wish.where, 60, 97, wish.one};
            s.options.rule = wish.rule;
            s.options.display = wish.display;
            s.random_layers = wish.random_layers;
        });
        ASSERT_TRUE(eventually([&] {
            const State now = session_->state();
            return now.layer == wish.layer && now.random_layers == wish.random_layers && !now.working;
        }));
        ASSERT_TRUE(settled());
        const std::string saved = folder_ / ("saved" + std::to_string(i) + ".png");
        session_->save_projection(saved);
        ASSERT_TRUE(eventually([&] { return std::filesystem::exists(saved); }));
        const std::string out = folder_ / "headless.png";
        Arguments arguments{"--replay", saved, "--input", picture, "--headless", "--frames", "1", "--snapshot", out};
        const char* limits = std::getenv("DECONV_LIMITS");
        if (limits != nullptr && std::string(limits) == "minimum")
            arguments.insert(arguments.end(), {"--limits", "minimum"});
        run_well(arguments);
        const cv::Mat view = cv::imread(out);
        ASSERT_GE(view.cols, 480);
        const cv::Mat expected = view(cv::Rect(view.cols - 240, 0, 240, 240));
        const cv::Mat is = cv::imread(saved);
        ASSERT_EQ(is.size(), expected.size());
        EXPECT_LE(cv::norm(is, expected, cv::NORM_INF), 1);
        cv::Scalar mean;
        cv::Scalar deviation;
        cv::meanStdDev(is, mean, deviation);
        EXPECT_GT(deviation[0] + deviation[1] + deviation[2], 0.05) << "a plain picture: this shows little";
    }
}

TEST_F(LiveSession, WhatCannotBeWrittenIsSaidAndTheRestGoesOn) {
    begin();
    session_->save_projection(folder_ / "no/such/folder/x.png");
    EXPECT_TRUE(eventually([&] { return session_->state().said.find("no/such/folder") != std::string::npos; }));
    session_->save_best(folder_ / "best.png");
    EXPECT_TRUE(eventually([&] { return session_->state().said.find("no strong moment") != std::string::npos; }));
    session_->record(folder_ / "no/such/folder/x.mkv");
    EXPECT_TRUE(eventually([&] { return session_->state().said.find("x.mkv") != std::string::npos; }));
    EXPECT_TRUE(more_frames(3));
    EXPECT_FALSE(session_->state().recording);
    EXPECT_FALSE(std::filesystem::exists(folder_ / "best.png"));
}

TEST_F(LiveSession, TheSecondSideComesAndGoes) {
    const std::string other = write_chain_model(folder_, "other", 9);
    begin();
    for (int round = 0; round < 3; ++round) {
        SCOPED_TRACE("round " + std::to_string(round));
        change([&](Settings& s) {
            s.second.on = true;
            s.second.model = round == 1 ? other : "";
            s.second.layer = 2;
            s.second.rule = nn::Rule::gradient;
            s.second.selection.channel = 1;
        });
        ASSERT_TRUE(eventually([&] { return session_->state().second_pictures != nullptr; }));
        ASSERT_TRUE(settled());
        State now = session_->state();
        EXPECT_EQ(now.second_layer, 2);
        EXPECT_EQ(now.second_selection.channel, 1);
        EXPECT_EQ(now.second_layers->at(2).channels, round == 1 ? 9 : 6);
        EXPECT_NE(now.second_pictures, now.pictures);
        // Both sides change while both run.
        change([](Settings& s) {
            s.layer = 1;
            s.second.layer = 0;
        });
        ASSERT_TRUE(eventually([&] { return session_->state().layer == 1 && session_->state().second_layer == 0; }));
        ASSERT_TRUE(settled());
        change([](Settings& s) { s.second.on = false; });
        ASSERT_TRUE(eventually([&] { return session_->state().second_pictures == nullptr; }));
        ASSERT_TRUE(more_frames(3));
        EXPECT_EQ(session_->state().second_pictures, nullptr);
    }
}

TEST_F(LiveSession, ASecondNetworkThatIsNoneIsRefusedEveryTimeItIsAskedFor) {
    begin();
    for (int round = 0; round < 3; ++round) {
        const auto before = session_->state().said_at;
        change([&](Settings& s) {
            s.second.on = true;
            s.second.model = folder_ / "missing.onnx";
        });
        ASSERT_TRUE(eventually(
            [&] {
                const State now = session_->state();
                return now.said_at > before && now.said.find("missing.onnx") != std::string::npos;
            },
            20))
            << "round " << round << ": nothing is said";
        ASSERT_TRUE(eventually([&] { return !session_->settings().second.on; }));
        ASSERT_TRUE(more_frames(3));
    }
}

/// The places of the strip of strongest moments that are taken.
int moments_in(const State& state) {
    if (!state.best) return 0;
    constexpr int most = 9;
    constexpr int tile = 96;
    const Picture& strip = *state.best;
    const int gap = (strip.width - most * tile) / (most + 1);
    int taken = 0;
    for (int i = 0; i < most; ++i) {
        // A free place shows the background inside of its frame.
        const std::uint8_t* middle = strip.pixel(gap + i * (tile + gap) + tile / 2, gap + tile / 2);
        if (!std::equal(middle, middle + 3, strip.pixel(0, 0))) ++taken;
    }
    return taken;
}

TEST_F(LiveSession, StrongMomentsFillAndAreForgotten) {
    begin([](Settings& s) {
        s.options.layer = "relu2";
        s.best = true;
    });
    change([](Settings& s) { s.selection.channel = 2; });
    ASSERT_TRUE(eventually([&] { return moments_in(session_->state()) >= 2; }));
    const State full = session_->state();
    EXPECT_GT(full.best->width, full.best->height);
    session_->save_best(folder_ / "best.png");
    ASSERT_TRUE(eventually([&] { return std::filesystem::exists(folder_ / "best.png"); }));
    EXPECT_FALSE(cv::imread(folder_ / "best.png").empty());
    // Another channel begins anew; so do another layer and switching it off and on.
    const auto begins_anew = [&](const std::function<void(Settings&)>& how) {
        const std::uint64_t version = session_->state().best_version;
        change(how);
        return eventually([&] {
            const State now = session_->state();
            return now.best_version > version && moments_in(now) == 1;
        });
    };
    EXPECT_TRUE(begins_anew([](Settings& s) { s.selection.channel = 1; })) << "another channel";
    ASSERT_TRUE(eventually([&] { return moments_in(session_->state()) >= 2; }));
    EXPECT_TRUE(begins_anew([](Settings& s) { s.layer = 0; })) << "another layer";
    ASSERT_TRUE(eventually([&] { return moments_in(session_->state()) >= 2; }));
    EXPECT_TRUE(begins_anew([](Settings& s) { s.options.rule = nn::Rule::guided; })) << "another rule";
    change([](Settings& s) { s.best = false; });
    EXPECT_TRUE(eventually([&] { return !session_->state().best; }));
    EXPECT_TRUE(begins_anew([](Settings& s) { s.best = true; })) << "on again";
}

TEST_F(LiveSession, RecordsEachKind) {
    begin();
    Picture window(322, 200);
    for (const live::RecordWhat what :
         {live::RecordWhat::side_by_side, live::RecordWhat::projection, live::RecordWhat::view}) {
        const auto kind = static_cast<std::size_t>(what);
        SCOPED_TRACE(live::record_names().at(kind));
        const std::string path = folder_ / ("kind" + std::to_string(kind) + ".mkv");
        change([&](Settings& s) { s.record = what; });
        ASSERT_TRUE(settled());
        session_->record(path);
        ASSERT_TRUE(eventually([&] { return session_->state().recording; }));
        EXPECT_EQ(session_->wants_view(), what == live::RecordWhat::view);
        // What is being recorded stays, whatever is asked for the next recording.
        change([](Settings& s) { s.record = live::RecordWhat::projection; });
        ASSERT_TRUE(eventually([&] {
            session_->offer_view(window);
            return session_->state().recorded_bytes > 0 && session_->state().recorded_seconds > 1;
        }));
        session_->stop_recording();
        ASSERT_TRUE(eventually([&] { return !session_->state().recording && session_->state().frames > 0; }));
        ASSERT_TRUE(eventually([&] { return session_->state().said == "wrote " + path; })) << session_->state().said;
        EXPECT_FALSE(session_->wants_view());
        const Film film = probe(path);
        EXPECT_GT(film.frames, 0);
        if (what == live::RecordWhat::view) {
            EXPECT_EQ(film.width, 322);
            EXPECT_EQ(film.height, 200);
        } else if (what == live::RecordWhat::projection) {
            EXPECT_EQ(film.width, 24 * 30) << "tiny projections are enlarged by a whole factor";
            EXPECT_EQ(film.height, 16 * 30);
        } else {
            EXPECT_GT(film.width, film.height * 2);
        }
    }
}

TEST_F(LiveSession, LeavingFinishesTheRecording) {
    begin();
    const std::string path = folder_ / "left.mkv";
    session_->record(path);
    ASSERT_TRUE(eventually([&] { return session_->state().recorded_bytes > 0; }));
    session_.reset();
    EXPECT_GT(probe(path).frames, 0);
}

TEST_F(LiveSession, AFullDiskEndsTheRecordingAndNothingElse) {
    const SmallDisk disk(150);
    begin([](Settings& s) { s.record = live::RecordWhat::view; });
    const std::string path = disk / "out.mkv";
    session_->record(path);
    ASSERT_TRUE(eventually([&] { return session_->state().recording; }));
    Picture noise(320, 240);
    std::uint32_t random = 1;
    ASSERT_TRUE(eventually([&] {
        for (std::uint8_t& byte : noise.rgba)
            byte = static_cast<std::uint8_t>((random = random * 1664525U + 1013904223U) >> 24U);
        session_->offer_view(noise);
        return session_->state().said.find(disk.fault()) != std::string::npos;
    })) << session_->state().said;
    EXPECT_TRUE(more_frames(3));
    EXPECT_FALSE(session_->state().recording);
    EXPECT_GT(probe(path).frames, 0);
    // And the next one can begin.
    session_->record(folder_ / "next.mkv");
    EXPECT_TRUE(eventually([&] { return session_->state().recording; }));
}

TEST_F(LiveSession, AFrozenCameraShowsWhatIsSet) {
    begin();
    change([](Settings& s) { s.freeze_camera = true; });
    ASSERT_TRUE(settled());
    const auto captured = session_->state().captured;
    change([](Settings& s) { s.layer = 0; });
    ASSERT_TRUE(eventually([&] { return session_->state().layer == 0; }));
    ASSERT_TRUE(more_frames(4));
    EXPECT_EQ(session_->state().captured, captured) << "the camera goes on";
    change([](Settings& s) { s.freeze_camera = false; });
    EXPECT_TRUE(eventually([&] { return session_->state().captured > captured; }));
}

TEST_F(LiveSession, SourcesAreExchangedAndMissingOnesWaitedFor) {
    const std::string picture = still(64, 48);
    begin();
    change([&](Settings& s) { s.options.input = picture; });
    ASSERT_TRUE(eventually([&] {
        const auto pictures = session_->state().pictures;
        return pictures && pictures->camera.width == 64 && pictures->camera.height == 48;
    }));
    change([&](Settings& s) { s.options.input = folder_ / "missing.png"; });
    ASSERT_TRUE(eventually([&] { return session_->state().trouble.find("missing.png") != std::string::npos; }));
    EXPECT_TRUE(session_->alive());
    change([](Settings& s) { s.options.input = "demo"; });
    ASSERT_TRUE(eventually([&] { return session_->state().trouble.empty(); }));
    EXPECT_TRUE(more_frames(3));
}

}  // namespace
}  // namespace deconv::testing
