// The live window in a virtual X server: what is on the screen, and what keys, mouse and drops do.
#include <nlohmann/json.hpp>
#include <opencv2/videoio.hpp>

#include "media/sink.h"
#include "media/source.h"
#include "ui/screen.h"
#include "ui/x11_drop.h"

namespace deconv {
namespace {

using testing::Arguments;
using testing::eventually;
using testing::LiveWindow;
using testing::Program;
using testing::stage;
using testing::variety;

constexpr int controls = 340;  // points, the width of the panel
const cv::Scalar accent(64, 166, 242);

/// Where pixels of the marks' colour are.
cv::Rect marks(const cv::Mat& screen, const cv::Rect& within) {
    cv::Mat mask;
    cv::inRange(screen(within), accent - cv::Scalar(6, 6, 6), accent + cv::Scalar(6, 6, 6), mask);
    // Lines, not letters: what is at least ten pixels long across or down.
    cv::Mat across;
    cv::Mat down;
    cv::morphologyEx(mask, across, cv::MORPH_OPEN, cv::Mat::ones(1, 14, CV_8U));
    cv::morphologyEx(mask, down, cv::MORPH_OPEN, cv::Mat::ones(14, 1, CV_8U));
    std::vector<cv::Point> points;
    cv::findNonZero(across | down, points);
    if (points.empty()) return {};
    cv::Rect box = cv::boundingRect(points);
    return box + within.tl();
}

double mean_difference(const cv::Mat& a, const cv::Mat& b) {
    return cv::norm(a, b, cv::NORM_L1) / static_cast<double>(a.total() * 3);
}

class WindowTest : public LiveWindow {
  protected:
    /// A still picture, and the window on it with a network input of the same size: then nothing is resampled.
    static constexpr int side = 240;

    std::string still(const std::string& name, double seconds) const {
        const Picture scene = media::draw_demo(320, side, seconds);
        const cv::Mat rgba(scene.height, scene.width, CV_8UC4, const_cast<std::uint8_t*>(scene.rgba.data()));
        cv::Mat bgr;
        cv::cvtColor(rgba, bgr, cv::COLOR_RGBA2BGR);
        std::filesystem::create_directories(folder_ / "pictures");
        std::string path = folder_ / ("pictures/" + name);
        EXPECT_TRUE(cv::imwrite(path, bgr(cv::Rect(40, 0, side, side))));
        return path;
    }

    /// Presses P and gives the two files that come: the view and the projection.
    std::pair<std::string, std::string> snapshot() {
        const std::size_t before = files(".png").size();
        screen_->press("p");
        EXPECT_TRUE(eventually([&] { return files(".png").size() == before + 2; }, 30));
        ::usleep(300000);  // the second may still be under a temporary name
        std::pair<std::string, std::string> newest;
        for (const std::string& file : files(".png")) {
            if (std::find(seen_.begin(), seen_.end(), file) != seen_.end()) continue;
            seen_.push_back(file);
            (file.find("-projection") == std::string::npos ? newest.first : newest.second) = file;
        }
        return newest;
    }

    static std::string setting(const std::string& png, const std::string& option) {
        const media::Metadata metadata = media::read_png_metadata(png);
        for (const auto& [key, value] : metadata) {
            const auto json = nlohmann::json::parse(value, nullptr, false);
            if (!json.is_array()) continue;
            for (std::size_t i = 0; i + 1 < json.size(); ++i) {
                if (json[i] == option) return json[i + 1];
            }
        }
        return {};
    }

    /// What the program without a window makes of the same picture with the settings of `png`.
    cv::Mat headless_projection(const std::string& png, const std::string& picture) const {
        const std::string out = folder_ / "headless.png";
        testing::run_well({"--replay", png, "--input", picture, "--headless", "--frames", "1", "--snapshot", out},
                          {folder_.path(), {{"XDG_CACHE_HOME", folder_ / "cache"}}});
        const cv::Mat view = cv::imread(out);
        EXPECT_EQ(view.cols, 2 * side + 8);
        if (view.cols < side) return {};
        return view(cv::Rect(view.cols - side, 0, side, side)).clone();
    }

    std::vector<std::string> seen_;
};

TEST_F(WindowTest, EveryViewIsDrawn) {
    Program program({"--input", "demo"}, place_);
    ASSERT_TRUE(eventually([&] { return shows_pictures(); })) << "no picture on the screen: " << program.said();
    cv::Mat before = screen_->picture(folder_);
    for (const char* key : {"2", "3", "4", "5", "6", "7", "1"}) {
        screen_->press(key);
        EXPECT_TRUE(eventually(
            [&] {
                const cv::Mat now = screen_->picture(folder_);
                return variety(stage(now)) > 30 && mean_difference(stage(now), stage(before)) > 4;
            },
            30))
            << "nothing changed on the way to view " << key;
        before = screen_->picture(folder_);
    }
    screen_->press("F1");
    EXPECT_TRUE(eventually([&] { return mean_difference(stage(screen_->picture(folder_)), stage(before)) > 10; }, 10))
        << "no help";
    leave(program);
}

TEST_F(WindowTest, ClicksAndKeysChooseWhatTheHeadlessProgramProjectsToo) {
    const std::string picture = still("still.png", 3);
    Program program({"--input", picture, "--model", "cifar10", "--size", std::to_string(side), "--layer", "relu3_1",
                     "--channel", "5"},
                    place_);
    ASSERT_TRUE(eventually([&] { return shows_pictures(); })) << program.said();
    ::sleep(2);
    const auto [view, projection] = snapshot();
    ASSERT_FALSE(view.empty() || projection.empty());
    EXPECT_EQ(setting(projection, "--channel"), "5");
    EXPECT_EQ(setting(projection, "--layer"), "relu3_1");

    // The file, and the pane on the screen, hold what the headless program makes.
    const cv::Mat expected = headless_projection(projection, picture);
    const cv::Mat alone = cv::imread(projection);
    ASSERT_EQ(alone.size(), expected.size());
    EXPECT_LE(cv::norm(alone, expected, cv::NORM_INF), 1);
    const int pane = (1280 - controls - 6) / 2;
    const cv::Rect box(controls + pane + 6, (800 - pane) / 2, pane, pane);
    const cv::Mat screen = screen_->picture(folder_);
    cv::Mat enlarged;
    cv::resize(expected, enlarged, box.size(), 0, 0, cv::INTER_LINEAR);
    EXPECT_LT(mean_difference(screen(box), enlarged), 2.5);

    // A click chooses a map, which is marked; a second one pins a place in it.
    screen_->press("3");
    const cv::Rect maps(controls, 0, 560, 760);
    ASSERT_TRUE(eventually([&] { return marks(screen_->picture(folder_), maps).area() > 0; }, 30))
        << "no map is marked";
    const cv::Point click(controls + 200, 420);
    screen_->click(click.x, click.y);
    EXPECT_TRUE(eventually([&] { return marks(screen_->picture(folder_), maps).contains(click); }, 20))
        << "the mark is at " << marks(screen_->picture(folder_), maps);
    const std::string chosen = setting(snapshot().second, "--channel");
    EXPECT_NE(chosen, "5");
    screen_->click(click.x, click.y);
    ::sleep(2);
    const std::string pinned = snapshot().second;
    EXPECT_EQ(setting(pinned, "--channel"), chosen);
    EXPECT_NE(setting(pinned, "--projection").find(','), std::string::npos) << setting(pinned, "--projection");
    EXPECT_LE(cv::norm(cv::imread(pinned), headless_projection(pinned, picture), cv::NORM_INF), 1);

    // Keys: another rule, the layer before, the next channel.
    screen_->press("r");
    screen_->press("w");
    screen_->press("Up");
    screen_->press("Right");
    ::sleep(4);
    const std::string guided = snapshot().second;
    EXPECT_EQ(setting(guided, "--rule"), "guided");
    EXPECT_EQ(setting(guided, "--layer"), "pool2");
    EXPECT_EQ(setting(guided, "--projection"), "all");
    EXPECT_LE(cv::norm(cv::imread(guided), headless_projection(guided, picture), cv::NORM_INF), 1);
    leave(program);
}

TEST_F(WindowTest, RandomWeightsChangeThePictureAndComeBack) {
    const std::string picture = still("still.png", 3);
    Program program({"--input", picture, "--size", "64", "--layer", "relu4_1", "--channel", "5"}, place_);
    ASSERT_TRUE(eventually([&] { return shows_pictures(); })) << program.said();
    ::sleep(1);
    const cv::Mat learned = cv::imread(snapshot().second);
    for (int i = 0; i < 5; ++i) screen_->press("z");
    ::sleep(4);
    const std::string random = snapshot().second;
    EXPECT_EQ(setting(random, "--random-layers"), "5");
    EXPECT_GT(mean_difference(cv::imread(random), learned), 2);
    screen_->press("u");
    ::sleep(3);
    EXPECT_EQ(cv::norm(cv::imread(snapshot().second), learned, cv::NORM_INF), 0);
    leave(program);
}

TEST_F(WindowTest, AWatchedNetworkIsLoadedAnewWithItsLayerAndChannelKept) {
    const std::string picture = still("still.png", 3);
    const std::string model = folder_ / "net.onnx";
    for (const char* kind : {".onnx", ".json", "-labels.txt"}) {
        const std::string source = std::string(DECONV_SOURCE_DIR "/weights/cifar10") + kind;
        const bool labels = std::string(kind) == "-labels.txt";
        std::filesystem::copy(source, labels ? folder_ / "cifar10-labels.txt" : folder_ / (std::string("net") + kind));
    }
    Program program(
        {"--input", picture, "--size", "64", "--model", model, "--watch", "--layer", "relu2_2", "--channel", "5"},
        place_);
    ASSERT_TRUE(eventually([&] { return shows_pictures(); })) << program.said();
    ::sleep(1);
    const cv::Mat before = cv::imread(snapshot().second);
    // Its weights the other way round, under its name at once, as a trainer writes.
    testing::write_text(folder_ / "turn.py",
                        "import onnx, os, sys\nfrom onnx import numpy_helper\n"
                        "model = onnx.load(sys.argv[1])\n"
                        "for tensor in model.graph.initializer:\n"
                        "    if tensor.data_type in (1, 10):\n"
                        "        turned = numpy_helper.to_array(tensor)[::-1].copy()\n"
                        "        tensor.CopyFrom(numpy_helper.from_array(turned, tensor.name))\n"
                        "onnx.save(model, sys.argv[1] + '.new')\n"
                        "os.rename(sys.argv[1] + '.new', sys.argv[1])\n");
    ASSERT_EQ(std::system(("/usr/bin/python3 " + (folder_ / "turn.py") + " " + model).c_str()), 0);
    ::sleep(3);
    const std::string now = snapshot().second;
    EXPECT_EQ(setting(now, "--layer"), "relu2_2");
    EXPECT_EQ(setting(now, "--channel"), "5");
    EXPECT_GT(mean_difference(cv::imread(now), before), 2);
    leave(program);
}

TEST_F(WindowTest, RecordsTheViewBothPicturesOrTheProjection) {
    Program program({"--input", "demo", "--size", "64"}, place_);
    ASSERT_TRUE(eventually([&] { return shows_pictures(); })) << program.said();
    // Side by side first, then what H makes of it: the projection, then the window's view.
    for (std::size_t i = 0; i < 3; ++i) {
        screen_->press("c");
        EXPECT_TRUE(eventually([&] { return files(".mkv").size() == i + 1; }, 20));
        ::sleep(2);
        if (i == 0) {
            // The red mark at the bottom left of the pictures.
            const cv::Mat screen = screen_->picture(folder_);
            cv::Mat red;
            cv::inRange(screen(cv::Rect(controls, 740, 300, 60)), cv::Scalar(0, 0, 150), cv::Scalar(90, 90, 255), red);
            EXPECT_GT(cv::countNonZero(red), 20) << "no red mark";
        }
        if (i < 2) {
            screen_->press("c");
            EXPECT_TRUE(eventually(
                [&] {
                    const std::string said = program.said();
                    std::size_t wrote = 0;
                    for (std::size_t at = said.find("wrote "); at != std::string::npos;
                         at = said.find("wrote ", at + 1))
                        ++wrote;
                    return wrote == i + 1;
                },
                20));
            screen_->press("h");
            ::usleep(500000);
        }
    }
    // Closing by a signal finishes the file.
    program.send(SIGINT);
    const testing::Outcome outcome = program.wait(std::chrono::seconds(20));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.err.find("Vulkan validation"), std::string::npos) << outcome.err;
    ASSERT_EQ(files(".mkv").size(), 3U);
    const std::array<cv::Size, 3> sizes{cv::Size(640 + 8 + 480, 480), cv::Size(512, 512),
                                        cv::Size(1280 - controls, 800)};
    for (std::size_t i = 0; i < 3; ++i) {
        const testing::Film film = testing::probe(files(".mkv")[i]);
        EXPECT_EQ(cv::Size(film.width, film.height), sizes.at(i)) << files(".mkv")[i];
        // At 30 a second, however slow the network: frames are repeated to keep time.
        EXPECT_GE(film.frames, 45) << files(".mkv")[i];
    }
}

TEST_F(WindowTest, FollowsDropsAndItsOwnSize) {
    const std::string first = still("first.png", 3);
    const std::string second = still("second.png", 11);
    Program program({"--input", first, "--size", "64"}, place_);
    ASSERT_TRUE(eventually([&] { return shows_pictures(); })) << program.said();
    ::sleep(1);
    const cv::Rect camera(controls + 10, 180, 400, 400);
    const cv::Mat before = screen_->picture(folder_)(camera).clone();
    ASSERT_EQ(testing::drop_file(screen_->name(), second), "");
    EXPECT_TRUE(eventually([&] { return mean_difference(screen_->picture(folder_)(camera), before) > 5; }, 20))
        << "the dropped picture is not shown";
    // A network that is none: one line, and everything goes on.
    testing::write_text(folder_ / "broken.onnx", "no network");
    ASSERT_EQ(testing::drop_file(screen_->name(), folder_ / "broken.onnx"), "");
    EXPECT_TRUE(eventually([&] { return program.said().find("broken.onnx") != std::string::npos; }, 20));
    screen_->press("J");  // the file before in its folder
    EXPECT_TRUE(eventually([&] { return mean_difference(screen_->picture(folder_)(camera), before) < 1; }, 20))
        << "the first picture is not back";
    screen_->resize(900, 560);
    EXPECT_TRUE(eventually(
        [&] {
            const cv::Mat now = screen_->picture(folder_);
            return variety(now(cv::Rect(360, 140, 520, 280))) > 60;
        },
        20))
        << "no pictures in the smaller window";
    leave(program);
    // What was left is there at the next start.
    Program again({"--input", first, "--size", "64"}, place_);
    ASSERT_TRUE(eventually([&] { return !screen_->picture(folder_).empty() && again.running(); }));
    ::sleep(3);
    const cv::Mat now = screen_->picture(folder_);
    EXPECT_LT(variety(now(cv::Rect(1000, 600, 200, 150))), 3) << "the window is not as small as it was";
    leave(again);
}

TEST_F(WindowTest, TheKioskWalksByItselfAndKeepsNothing) {
    Program program({"--input", "demo", "--size", "64", "--kiosk"}, place_);
    ASSERT_TRUE(eventually([&] { return shows_pictures(); })) << program.said();
    const cv::Mat before = screen_->picture(folder_);
    ::sleep(11);  // two steps of the walk
    EXPECT_GT(mean_difference(screen_->picture(folder_), before), 2) << "nothing happens";
    screen_->press("p");
    screen_->press("c");
    EXPECT_TRUE(eventually([&] { return program.said().find("--allow-record") != std::string::npos; }, 10));
    EXPECT_TRUE(files(".png").empty() && files(".mkv").empty());
    screen_->press("q");
    ::sleep(1);
    EXPECT_TRUE(program.running()) << "a visitor's key closed it";
    leave(program, "ctrl+shift+q");
}

TEST_F(WindowTest, SaysWhatIsWrongInTheWindowAndGoesOn) {
    // A camera that is not there: the window stays open and can be left.
    Program program({"--camera", "97"}, place_);
    ASSERT_TRUE(eventually([&] {
        const cv::Mat now = screen_->picture(folder_);
        // The notice at the bottom of the window.
        return !now.empty() && variety(now(cv::Rect(500, 750, 600, 45))) > 10;
    }));
    EXPECT_TRUE(program.running());
    leave(program);
}

TEST_F(WindowTest, ABrokenSettingsFileIsSetAside) {
    std::filesystem::create_directories(folder_ / "config/deconv-live");
    testing::write_text(folder_ / "config/deconv-live/settings.json", "{ not json");
    Program program({"--input", "demo", "--size", "32"}, place_);
    ASSERT_TRUE(eventually([&] { return shows_pictures(); })) << program.said();
    EXPECT_NE(program.said().find("settings.json"), std::string::npos) << program.said();
    EXPECT_TRUE(std::filesystem::exists(folder_ / "config/deconv-live/settings.json.broken"));
    leave(program);
    EXPECT_TRUE(std::filesystem::exists(folder_ / "config/deconv-live/settings.json"));
}

}  // namespace
}  // namespace deconv
