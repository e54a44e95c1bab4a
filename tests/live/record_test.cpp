// Recordings that end badly: the program is killed, the disk fills up.
#include "live/live_models.h"
#include "live/pictures.h"
#include "live/program.h"
#include "media/mjpeg_server.h"
#include "media/small_disk.h"

namespace deconv::testing {
namespace {

class Recording : public ::testing::Test {
  protected:
    TempDir folder_;
    std::string model_ = write_colour_model(folder_);
};

TEST_F(Recording, KilledItLosesASecondAtMost) {
    constexpr double fps = 30;
    for (const int ms : {1500, 2200, 3000, 4700}) {
        const std::string path = folder_ / "out.mkv";
        std::filesystem::remove(path);
        const MjpegServer server({.width = 320, .height = 240, .fps = fps});
        Program program({"--headless", "--model", model_, "--camera", server.url(), "--record", path});
        for (int i = 0; i < 600 && !std::filesystem::exists(path); ++i) ::usleep(100000);
        ASSERT_TRUE(std::filesystem::exists(path)) << "no recording began";
        ::usleep(static_cast<useconds_t>(ms) * 1000);
        program.send(SIGKILL);
        const int sent = server.sent();
        EXPECT_EQ(program.wait().signal, SIGKILL);

        EXPECT_GT(probe(path).frames, 0);
        const std::vector<cv::Mat> frames = frames_of(path);
        ASSERT_FALSE(frames.empty());
        // The camera's picture is on the left, and carries its number.
        const int last = number_of(frames.back(), 320);
        EXPECT_LE(last, sent);
        EXPECT_LE((sent - last) / fps, 1) << "seconds lost of " << ms / 1000.0;
        std::printf("killed after %.1f s: %zu frames, the last %.2f s old\n", ms / 1000.0, frames.size(),
                    (sent - last) / fps);
    }
}

TEST_F(Recording, OfAStreamKeepsItsTime) {
    const std::string path = folder_ / "out.mkv";
    for (const double fps : {10.0, 50.0}) {
        const MjpegServer server({.width = 160, .height = 120, .fps = fps});
        const int frames = static_cast<int>(4 * fps);
        run_well({"--headless", "--model", model_, "--camera", server.url(), "--frames", std::to_string(frames),
                  "--record", path});
        const Film film = probe(path);
        EXPECT_EQ(film.rate, "30/1") << "MJPEG over HTTP does not say its rate";
        // Frames that were dropped are not counted: it may have taken a little longer.
        EXPECT_GE(film.frames, 4 * 30 - 4) << fps;
        EXPECT_LE(film.frames, 5 * 30) << fps;
    }
}

TEST_F(Recording, AFullDiskEndsTheRunSayingSoAndTheFilePlays) {
    const SmallDisk disk(300);
    const std::string path = disk / "out.mkv";
    const std::string line =
        failure({"--headless", "--model", model_, "--input", "demo", "--frames", "100000", "--record", path});
    EXPECT_CONTAINS(line, path + ": " + disk.fault());
    EXPECT_GE(probe(path).frames, 15);
    EXPECT_EQ(probe(path).rate, "30/1");
    EXPECT_GE(frames_of(path).size(), 15U);
}

}  // namespace
}  // namespace deconv::testing
