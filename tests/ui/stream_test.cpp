// The live window and a camera that misbehaves: a network camera on loopback.
#include <opencv2/videoio.hpp>
#include <regex>

#include "media/mjpeg_server.h"
#include "media/small_disk.h"
#include "ui/screen.h"

namespace deconv {
namespace {

using testing::eventually;
using testing::LiveWindow;
using testing::MjpegServer;
using testing::Program;

class LiveStream : public LiveWindow {
  protected:
    /// Where the camera's picture is: the largest area of the colour that its pictures are painted in.
    cv::Rect camera_picture() const {
        const cv::Mat screen = screen_->picture(folder_);
        if (screen.empty()) return {};
        const cv::Scalar color(testing::served_color[2], testing::served_color[1], testing::served_color[0]);
        const cv::Scalar near(24, 24, 24);
        cv::Mat mask;
        cv::inRange(screen, color - near, color + near, mask);
        cv::Mat labels;
        cv::Mat stats;
        cv::Mat centres;
        const int areas = cv::connectedComponentsWithStats(mask, labels, stats, centres);
        cv::Rect largest;
        int most = 5000;  // pixels: smaller than any picture in the window
        for (int i = 1; i < areas; ++i) {
            if (stats.at<int>(i, cv::CC_STAT_AREA) <= most) continue;
            most = stats.at<int>(i, cv::CC_STAT_AREA);
            largest = {stats.at<int>(i, cv::CC_STAT_LEFT), stats.at<int>(i, cv::CC_STAT_TOP),
                       stats.at<int>(i, cv::CC_STAT_WIDTH), stats.at<int>(i, cv::CC_STAT_HEIGHT)};
        }
        return largest;
    }

    /// Lines on standard error so far that match.
    static int lines(const Program& program, const std::string& pattern) {
        const std::string said = program.said();
        const std::regex line(pattern);
        return static_cast<int>(std::distance(std::sregex_iterator(said.begin(), said.end(), line), {}));
    }
};

TEST_F(LiveStream, StallsDisappearsAndComesBackAtAnotherSize) {
    MjpegServer server({.width = 640, .height = 480, .fps = 30});
    Program program({"--camera", server.url()}, place_);
    ASSERT_TRUE(eventually([&] { return camera_picture().area() > 0; })) << program.said();
    const cv::Rect wide = camera_picture();
    EXPECT_GT(wide.width, wide.height * 1.2) << "4 : 3, less the numbers at its top";

    server.stall(4);
    EXPECT_TRUE(eventually([&] { return lines(program, "no frame for") == 1; }, 10)) << program.said();
    EXPECT_GT(camera_picture().area(), wide.area() / 2) << "the last picture stays";
    EXPECT_TRUE(eventually([&] { return lines(program, "is back") == 1; }, 10)) << program.said();
    EXPECT_EQ(server.connections(), 1) << "it came back by itself";

    server.resize(480, 480);
    server.disappear(5);
    EXPECT_TRUE(eventually([&] { return lines(program, "trying again") >= 1; }, 5)) << program.said();
    EXPECT_GT(camera_picture().area(), wide.area() / 2) << "the last picture stays";
    EXPECT_TRUE(eventually([&] { return lines(program, "is back") == 2; }, 20)) << program.said();
    EXPECT_EQ(server.connections(), 2);
    EXPECT_TRUE(eventually(
        [&] {
            const cv::Rect square = camera_picture();
            return square.area() > 0 && square.width < square.height * 1.15;
        },
        10))
        << "the picture's new shape is not shown: " << camera_picture();

    EXPECT_TRUE(program.running());
    screen_->press("q");
    const testing::Outcome outcome = program.wait(std::chrono::seconds(10));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.err.find("Vulkan validation"), std::string::npos) << outcome.err;
}

TEST_F(LiveStream, ItIsLeftInHalfASecondWhileItIsSilent) {
    MjpegServer server({.fps = 30});
    Program program({"--camera", server.url()}, place_);
    ASSERT_TRUE(eventually([&] { return camera_picture().area() > 0; })) << program.said();
    server.stall(60);
    EXPECT_TRUE(eventually([&] { return lines(program, "no frame for") == 1; }, 10)) << program.said();
    const auto start = std::chrono::steady_clock::now();
    program.send(SIGINT);
    EXPECT_EQ(program.wait(std::chrono::seconds(10)).exit_code, 0);
    // The window and the device take their time, too.
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(3));
}

TEST_F(LiveStream, ItIsLeftAtOnceWhileItsCameraDoesNotAnswer) {
    MjpegServer server;
    server.stall(60);
    Program program({"--camera", server.url()}, place_);
    ASSERT_TRUE(eventually([&] { return server.connections() > 0; })) << program.said();
    ::sleep(1);
    const auto start = std::chrono::steady_clock::now();
    program.send(SIGINT);
    EXPECT_EQ(program.wait(std::chrono::seconds(10)).exit_code, 0);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(3));
}

TEST_F(LiveStream, KilledItLosesASecondOfItsRecordingAtMost) {
    constexpr double fps = 30;
    const MjpegServer server({.width = 640, .height = 480, .fps = fps});
    Program program({"--camera", server.url()}, place_);
    ASSERT_TRUE(eventually([&] { return camera_picture().area() > 0; })) << program.said();
    screen_->press("c");
    ASSERT_TRUE(eventually([&] { return files(".mkv").size() == 1; }, 20)) << program.said();
    ::sleep(5);
    program.send(SIGKILL);
    const int sent = server.sent();
    EXPECT_EQ(program.wait().signal, SIGKILL);
    const std::string path = files(".mkv")[0];
    EXPECT_GE(testing::probe(path).frames, 4 * fps);
    cv::VideoCapture recording(path, cv::CAP_FFMPEG);
    cv::Mat frame;
    cv::Mat last;
    while (recording.read(frame)) last = frame.clone();
    ASSERT_FALSE(last.empty());
    // The camera's picture is on the left, and carries its number.
    const double lost = (sent - testing::number_of(last, 640)) / fps;
    EXPECT_LE(lost, 1);
    std::printf("killed: the last picture kept is %.2f s old\n", lost);
}

TEST_F(LiveStream, AFullDiskStopsTheRecordingOnly) {
    const MjpegServer server({.width = 640, .height = 480, .fps = 30});
    const testing::SmallDisk disk(200);
    place_.folder = disk.path();
    Program program({"--camera", server.url()}, place_);
    ASSERT_TRUE(eventually([&] { return server.connections() > 0 && camera_picture().area() > 0; })) << program.said();
    screen_->press("c");
    EXPECT_TRUE(eventually([&] { return program.said().find(disk.fault()) != std::string::npos; }, 60))
        << program.said();
    EXPECT_EQ(lines(program, "recording stopped: .*what was written plays"), 1) << program.said();
    ::sleep(1);
    EXPECT_TRUE(program.running());
    if (disk.mounted()) {
        EXPECT_GT(camera_picture().area(), 0) << "it goes on";
    }
    screen_->press("q");
    EXPECT_EQ(program.wait(std::chrono::seconds(10)).exit_code, 0);
    int recordings = 0;
    for (const auto& entry : std::filesystem::directory_iterator(disk.path())) {
        if (entry.path().extension() != ".mkv") continue;
        ++recordings;
        EXPECT_GE(testing::probe(entry.path()).frames, 15);
    }
    EXPECT_EQ(recordings, 1);
}

}  // namespace
}  // namespace deconv
