// The live window in a virtual X server: what is on the screen, and what keys do.
#include <chrono>
#include <csignal>
#include <opencv2/videoio.hpp>

#include "ui/screen.h"

namespace deconv {
namespace {

using testing::eventually;
using testing::LiveWindow;
using testing::Program;
using testing::stage;
using testing::variety;

TEST_F(LiveWindow, ShowsTheDemoAndEveryView) {
    Program program({"--input", "demo"}, place_);
    ASSERT_TRUE(eventually([&] { return shows_pictures(); })) << "no picture on the screen";
    cv::Mat before = screen_->picture(folder_);
    for (const char* view : {"overlay", "layer", "side by side"}) {
        screen_->press("v");
        EXPECT_TRUE(eventually(
            [&] {
                const cv::Mat now = screen_->picture(folder_);
                return cv::norm(stage(now), stage(before), cv::NORM_L1) / static_cast<double>(stage(now).total() * 3) >
                       4;
            },
            20))
            << "nothing changed on the way to the view: " << view;
        before = screen_->picture(folder_);
    }
    screen_->press("q");
    const testing::Outcome outcome = program.wait(std::chrono::seconds(10));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.err.find("Vulkan validation"), std::string::npos) << outcome.err;
}

TEST_F(LiveWindow, SavesASnapshotAndARecording) {
    Program program({"--input", "demo"}, place_);
    ASSERT_TRUE(eventually([&] { return shows_pictures(); }));
    screen_->press("p");
    EXPECT_TRUE(eventually([&] { return files(".png").size() == 1; }, 20));
    screen_->press("c");
    EXPECT_TRUE(eventually([&] { return files(".mkv").size() == 1; }, 20));
    ::sleep(3);
    // Closing by a signal finishes the file.
    program.send(SIGINT);
    const testing::Outcome outcome = program.wait(std::chrono::seconds(10));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.err.find("Vulkan validation"), std::string::npos) << outcome.err;
    ASSERT_EQ(files(".png").size(), 1U);
    EXPECT_FALSE(cv::imread(files(".png")[0]).empty());
    ASSERT_EQ(files(".mkv").size(), 1U);
    cv::VideoCapture recording(files(".mkv")[0]);
    int frames = 0;
    cv::Mat frame;
    while (recording.read(frame)) ++frames;
    // At 30 a second, however slow the network: frames are repeated to keep time.
    EXPECT_GE(frames, 45);
}

TEST_F(LiveWindow, SaysWhatIsWrongInTheWindowAndGoesOn) {
    // A camera that is not there: the window stays open and can be left.
    Program program({"--camera", "97"}, place_);
    ASSERT_TRUE(eventually([&] {
        const cv::Mat now = screen_->picture(folder_);
        // The notice at the bottom of the window.
        return !now.empty() && variety(now(cv::Rect(400, 670, 800, 45))) > 10;
    }));
    EXPECT_TRUE(program.running());
    screen_->press("q");
    EXPECT_EQ(program.wait(std::chrono::seconds(10)).exit_code, 0);
}

}  // namespace
}  // namespace deconv
