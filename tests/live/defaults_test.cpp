// What happens without being told: no arguments, and being stopped.
#include "live/live_models.h"
#include "live/pictures.h"
#include "live/program.h"
#include "media/source.h"

namespace deconv::testing {
namespace {

using std::chrono::seconds;

/// Until the file has so many bytes, or the program ends, or a minute is over.
bool wait_for_bytes(const Program& program, const std::string& path, std::uintmax_t bytes) {
    const auto end = std::chrono::steady_clock::now() + seconds(60);
    while (program.running() && std::chrono::steady_clock::now() < end) {
        std::error_code error;
        const std::uintmax_t size = std::filesystem::file_size(path, error);
        if (!error && size >= bytes) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
}

TEST(Defaults, NothingAskedForShowsTheDemoAndLeavesFiles) {
    if (!media::list_cameras().empty()) GTEST_SKIP() << "there is a camera, which would be shown";
    const TempDir empty;
    const Outcome outcome = run_well({"--frames", "3"}, {empty.path(), {}});
    EXPECT_EQ(outcome.out, "");
    EXPECT_CONTAINS(outcome.err, "no camera");
    EXPECT_CONTAINS(outcome.err, "demo");
    EXPECT_CONTAINS(outcome.err, "headless");
    EXPECT_CONTAINS(outcome.err, "deconv-live.png");
    EXPECT_CONTAINS(outcome.err, "deconv-live.mkv");
    EXPECT_EQ(empty.files(), 2U);
    const cv::Mat view = cv::imread(empty / "deconv-live.png");
    ASSERT_FALSE(view.empty());
    const Film film = probe(empty / "deconv-live.mkv");
    EXPECT_EQ(film.frames, 3);
    EXPECT_EQ(film.width, view.cols + view.cols % 2);
    EXPECT_EQ(film.height, view.rows + view.rows % 2);
    // On the left is the demo as it was at the third frame.
    Picture drawn = media::draw_demo(640, 480, 2.0 / 30);
    cv::Mat demo;
    cv::cvtColor(cv::Mat(480, 640, CV_8UC4, drawn.rgba.data()), demo, cv::COLOR_RGBA2BGR);
    EXPECT_LT(difference_on_the_left(view, demo), 5);
}

TEST(Defaults, JsonAloneLeavesNoFiles) {
    if (!media::list_cameras().empty()) GTEST_SKIP() << "there is a camera, which would be shown";
    const TempDir empty;
    EXPECT_EQ(run_json({"--frames", "1"}, {empty.path(), {}}).at("source"), "demo");
    EXPECT_EQ(empty.files(), 0U);
}

class Stopped : public ::testing::Test {
  protected:
    /// A run that would go on for hours.
    Arguments long_run() const {
        return {"--model", model_, "--input", "demo", "--frames", "1000000", "--record", folder_ / "out.mkv"};
    }

    TempDir folder_;
    std::string model_ = write_colour_model(folder_);
};

TEST_F(Stopped, AnInterruptFinishesTheFiles) {
    for (const int signal : {SIGINT, SIGTERM}) {
        std::filesystem::remove(folder_ / "out.mkv");
        Arguments arguments = long_run();
        for (const char* more : {"--json", "--snapshot"}) arguments.emplace_back(more);
        arguments.push_back(folder_ / "view.png");
        Program program(arguments);
        ASSERT_TRUE(wait_for_bytes(program, folder_ / "out.mkv", 60000)) << program.wait(seconds(1)).err;
        const auto begin = std::chrono::steady_clock::now();
        program.send(signal);
        const Outcome outcome = program.wait(seconds(30));
        EXPECT_FALSE(outcome.timed_out);
        EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
        EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(15));
        const Json json = Json::parse(outcome.out, nullptr, false);
        ASSERT_TRUE(json.is_object()) << outcome.out;
        EXPECT_EQ(json.at("frames").at("processed"), probe(folder_ / "out.mkv").frames);
        EXPECT_FALSE(cv::imread(folder_ / "view.png").empty());
    }
}

TEST_F(Stopped, AKilledRunLeavesARecordingThatPlays) {
    Program program(long_run());
    ASSERT_TRUE(wait_for_bytes(program, folder_ / "out.mkv", 200000)) << program.wait(seconds(1)).err;
    program.send(SIGKILL);
    EXPECT_EQ(program.wait().signal, SIGKILL);
    EXPECT_GE(probe(folder_ / "out.mkv").frames, 10);
}

TEST_F(Stopped, AnInterruptBeforeTheFirstFrameLeavesNothing) {
    // The second signal ends it at once, wherever it is.
    Program program(long_run());
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    program.send(SIGINT);
    program.send(SIGINT);
    const Outcome outcome = program.wait(seconds(30));
    EXPECT_FALSE(outcome.timed_out);
    EXPECT_TRUE(outcome.signal == SIGINT || outcome.exit_code >= 0);
    if (std::filesystem::exists(folder_ / "out.mkv")) {
        EXPECT_GT(probe(folder_ / "out.mkv").frames, 0);
    }
}

}  // namespace
}  // namespace deconv::testing
