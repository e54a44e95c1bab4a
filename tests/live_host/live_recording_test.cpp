// Recordings of a live view: the file's time is true whatever the pace of the pictures.
#include "live/live_recording.h"

#include <chrono>
#include <thread>

#include "live/pictures.h"
#include "live/program.h"
#include "media/sink.h"
#include "media/small_disk.h"

namespace deconv::testing {
namespace {

using Clock = std::chrono::steady_clock;
using live::LiveRecording;

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

class LiveRecordings : public ::testing::Test {
  protected:
    TempDir folder_;
};

/// One picture a second or two hundred: the file has one for every tick.
TEST_F(LiveRecordings, KeepTheirTimeWhateverThePace) {
    for (const double fps : {15.0, 30.0}) {
        for (const int pause_ms : {1000, 50, 5}) {
            const std::string path = folder_ / "out.mkv";
            LiveRecording recording(path, fps, {});
            const auto begin = Clock::now();
            int shown = 0;
            while (seconds_since(begin) < 2.2) {
                recording.show(plain_picture(64, 48, static_cast<std::uint8_t>(shown++), 90, 30));
                std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms));
            }
            const double seconds = seconds_since(begin);
            EXPECT_GE(recording.seconds(), 0);
            EXPECT_LE(recording.seconds(), seconds_since(begin) + 0.1);
            EXPECT_GT(recording.bytes(), 0);
            recording.finish();
            EXPECT_EQ(recording.failure(), "");
            const Film film = probe(path);
            // A busy machine may leave the encoder a little behind, but never by the pace of the pictures.
            EXPECT_NEAR(film.frames, seconds * fps, 0.3 * fps)
                << shown << " pictures in " << seconds << " s at " << fps << " a second";
            EXPECT_EQ(film.rate, std::to_string(static_cast<int>(fps)) + "/1");
        }
    }
}

/// Each tick shows the picture that was the newest then.
TEST_F(LiveRecordings, RepeatTheNewestPicture) {
    const std::string path = folder_ / "out.mkv";
    LiveRecording recording(path, 30, {});
    for (const std::uint8_t level : {40, 120, 220}) {
        recording.show(plain_picture(64, 48, level, level, level));
        std::this_thread::sleep_for(std::chrono::milliseconds(600));
    }
    recording.finish();
    std::vector<double> levels;
    std::map<int, int> counts;
    for (const cv::Mat& frame : frames_of(path)) {
        levels.push_back(cv::mean(frame)[1]);
        ++counts[static_cast<int>(std::lround(levels.back() / 20))];
    }
    EXPECT_TRUE(std::is_sorted(levels.begin(), levels.end(), [](double a, double b) { return a < b - 2; }));
    for (const int level : {2, 6, 11}) EXPECT_GE(counts[level], 6) << "grey " << level * 20;
    EXPECT_EQ(counts.size(), 3U);
}

TEST_F(LiveRecordings, FitPicturesOfOtherSizes) {
    const std::string path = folder_ / "out.mkv";
    LiveRecording recording(path, 30, {{"title", "sizes"}});
    recording.show(plain_picture(96, 64, 200, 200, 200));
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    // Twice as high as wide: in the middle, black beside it.
    recording.show(plain_picture(100, 200, 200, 200, 200));
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    recording.show(plain_picture(33, 3, 200, 200, 200));
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    recording.finish();
    const std::vector<cv::Mat> frames = frames_of(path);
    ASSERT_GT(frames.size(), 15U);
    bool narrow = false;
    bool low = false;
    for (const cv::Mat& frame : frames) {
        ASSERT_EQ(frame.size(), cv::Size(96, 64));
        EXPECT_NEAR(frame.at<cv::Vec3b>(32, 48)[0], 200, 8) << "the middle is the picture";
        const bool beside = frame.at<cv::Vec3b>(32, 10)[0] > 100;
        const bool above = frame.at<cv::Vec3b>(6, 48)[0] > 100;
        EXPECT_TRUE(beside || above);
        narrow = narrow || !beside;
        low = low || !above;
        if (!beside) {
            EXPECT_NEAR(frame.at<cv::Vec3b>(32, 48 - 13)[0], 200, 20) << "32 pixels wide";
            EXPECT_LT(frame.at<cv::Vec3b>(32, 48 - 20)[0], 40);
        }
    }
    EXPECT_TRUE(narrow && low);
    EXPECT_EQ(media::read_metadata(path).at("title"), "sizes");
}

TEST_F(LiveRecordings, EndWithTheirObject) {
    const std::string path = folder_ / "out.mkv";
    {
        LiveRecording recording(path, 30, {});
        recording.show(plain_picture(64, 48, 1, 2, 3));
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
    }
    EXPECT_GT(probe(path).frames, 3);
    // The last picture is in it even if no tick came any more.
    LiveRecording brief(folder_ / "brief.mkv", 30, {});
    brief.show(plain_picture(64, 48, 1, 2, 3));
    brief.finish();
    EXPECT_EQ(probe(folder_ / "brief.mkv").frames, 1);
}

TEST_F(LiveRecordings, WithoutAPictureThereIsNoFile) {
    const std::string path = folder_ / "out.mkv";
    LiveRecording recording(path, 30, {});
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    recording.finish();
    EXPECT_FALSE(std::filesystem::exists(path));
    EXPECT_EQ(recording.failure(), "");
}

TEST_F(LiveRecordings, RefuseAPlaceWhereNothingCanBeWritten) {
    EXPECT_CONTAINS(error_of([&] { LiveRecording(folder_ / "none/out.mkv", 30, {}); }), "none");
}

TEST_F(LiveRecordings, AFullDiskIsSaidAndWhatWasWrittenPlays) {
    const SmallDisk disk(200);
    const std::string path = disk / "out.mkv";
    LiveRecording recording(path, 30, {});
    std::uint32_t random = 1;
    const auto begin = Clock::now();
    while (recording.failure().empty() && seconds_since(begin) < 60) {
        Picture noise(320, 240);
        for (std::uint8_t& byte : noise.rgba) {
            random = random * 1664525U + 1013904223U;
            byte = static_cast<std::uint8_t>(random >> 24U);
        }
        recording.show(std::move(noise));
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_CONTAINS(recording.failure(), disk.fault());
    recording.show(plain_picture(320, 240, 1, 2, 3));  // into the void
    EXPECT_CONTAINS(error_of([&] { recording.finish(); }), disk.fault());
    EXPECT_GT(probe(path).frames, 0);
    EXPECT_FALSE(frames_of(path).empty());
}

}  // namespace
}  // namespace deconv::testing
