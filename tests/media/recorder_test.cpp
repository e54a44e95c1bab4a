#include <sys/wait.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>

#include "media/encoder.h"
#include "media/sink.h"
#include "media/small_disk.h"
#include "media/source.h"
#include "media_testing.h"

namespace deconv::media {
namespace {

using testing::error_of;
using testing::TempDir;

nlohmann::json probe(const std::string& path) {
    return nlohmann::json::parse(
        testing::output_of("ffprobe -v error -count_frames -show_streams -show_format -of json '" + path + "'"));
}

void record_demo(Recorder& recorder, int frames, int width = 320, int height = 240) {
    for (int i = 0; i < frames; ++i) recorder.add(draw_demo(width, height, i / 30.0));
}

TEST(Recorder, OtherProgramsDecodeEveryFrameAtTheRate) {
    const TempDir dir;
    const std::string path = dir / "a.mkv";
    {
        Recorder recorder(path, 30);
        record_demo(recorder, 45);
        EXPECT_EQ(recorder.frames(), 45);
        recorder.finish();
        EXPECT_EQ(recorder.bytes(), static_cast<std::int64_t>(std::filesystem::file_size(path)));
    }
    const auto found = probe(path);
    const auto& stream = found["streams"][0];
    EXPECT_EQ(stream["codec_name"], "h264");
    EXPECT_EQ(stream["pix_fmt"], "yuv420p");
    EXPECT_EQ(stream["nb_read_frames"], "45");
    EXPECT_EQ(stream["r_frame_rate"], "30/1");
    EXPECT_EQ(stream["avg_frame_rate"], "30/1");
    EXPECT_CONTAINS(found["format"]["format_name"].get<std::string>(), "matroska");
    EXPECT_NEAR(std::stod(found["format"]["duration"].get<std::string>()), 1.5, 0.01);
    EXPECT_EQ(dir.files(), 1U);
}

TEST(Recorder, ColoursComeBackClose) {
    const TempDir dir;
    const std::string path = dir / "a.mkv";
    {
        Recorder recorder(path, 25);
        for (const auto& [r, g, b] : {std::tuple{230, 30, 40}, {20, 200, 60}, {30, 40, 220}, {128, 128, 128}}) {
            recorder.add(testing::plain_picture(64, 48, static_cast<std::uint8_t>(r), static_cast<std::uint8_t>(g),
                                                static_cast<std::uint8_t>(b)));
        }
        recorder.add(draw_demo(64, 48, 2));
    }
    cv::VideoCapture capture(path, cv::CAP_FFMPEG);
    cv::Mat bgr;
    for (const cv::Vec3b& expected : {cv::Vec3b(40, 30, 230), {60, 200, 20}, {220, 40, 30}, {128, 128, 128}}) {
        ASSERT_TRUE(capture.read(bgr));
        const auto pixel = bgr.at<cv::Vec3b>(24, 32);
        for (int c = 0; c < 3; ++c) EXPECT_NEAR(pixel[c], expected[c], 6);
    }
    // A detailed picture: halved colour and quantisation cost something, 30 dB is good.
    ASSERT_TRUE(capture.read(bgr));
    const Picture drawn = draw_demo(64, 48, 2);
    double squares = 0;
    for (int y = 0; y < 48; ++y) {
        for (int x = 0; x < 64; ++x) {
            const double difference = bgr.at<cv::Vec3b>(y, x)[1] - drawn.pixel(x, y)[1];
            squares += difference * difference;
        }
    }
    EXPECT_LT(squares / (64 * 48), 65);
    EXPECT_FALSE(capture.read(bgr));
}

TEST(Recorder, RatesAreExact) {
    const TempDir dir;
    for (const auto& [fps, exact] : {std::pair{29.97, 30000.0 / 1001},
                                     {30000.0 / 1001, 30000.0 / 1001},
                                     {23.976, 24000.0 / 1001},
                                     {59.94, 60000.0 / 1001},
                                     {25.0, 25.0},
                                     {12.5, 12.5},
                                     {1.0, 1.0}}) {
        {
            Recorder recorder(dir / "a.mkv", fps);
            record_demo(recorder, 8, 32, 32);
        }
        const auto stream = probe(dir / "a.mkv")["streams"][0];
        const std::string rate = stream["r_frame_rate"];
        const double found = std::stod(rate) / std::stod(rate.substr(rate.find('/') + 1));
        EXPECT_NEAR(found, exact, 1e-6 * exact) << fps;
        EXPECT_EQ(stream["nb_read_frames"], "8") << fps;
    }
}

TEST(Recorder, OddSizesArePaddedByOnePixel) {
    const TempDir dir;
    for (const auto& [width, height] : {std::pair{1, 1}, {33, 21}, {34, 21}, {33, 22}}) {
        {
            Recorder recorder(dir / "a.mkv", 30);
            for (int i = 0; i < 3; ++i) recorder.add(testing::plain_picture(width, height, 200, 100, 50));
        }
        cv::VideoCapture capture(dir / "a.mkv", cv::CAP_FFMPEG);
        cv::Mat bgr;
        ASSERT_TRUE(capture.read(bgr)) << width << " x " << height;
        EXPECT_EQ(bgr.cols, width + width % 2);
        EXPECT_EQ(bgr.rows, height + height % 2);
        const auto corner = bgr.at<cv::Vec3b>(bgr.rows - 1, bgr.cols - 1);
        for (int c = 0; c < 3; ++c) EXPECT_NEAR(corner[c], 50 * (c == 0 ? 1 : 2 * c), 8);
    }
}

TEST(Recorder, MetadataIsInTheContainer) {
    const TempDir dir;
    {
        Recorder recorder(dir / "a.mkv", 30, {{"title", "deconv-live"}, {"model_sha256", "abc"}, {"label", "für"}});
        record_demo(recorder, 2, 32, 32);
    }
    const auto tags = probe(dir / "a.mkv")["format"]["tags"];
    EXPECT_EQ(tags["title"], "deconv-live");
    EXPECT_EQ(tags["MODEL_SHA256"], "abc");  // Matroska writes names in capitals
    EXPECT_EQ(tags["LABEL"], "für");
}

TEST(Recorder, AKilledProgramLeavesAFileThatPlays) {
    const TempDir dir;
    const std::string path = dir / "a.mkv";
    constexpr int frames = 120;
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        try {
            Recorder recorder(path, 30);
            record_demo(recorder, frames, 160, 120);
            ::raise(SIGKILL);
        } catch (...) {
        }
        ::_exit(1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the recording failed in the child";
    const auto stream = probe(path)["streams"][0];
    const int kept = std::stoi(stream["nb_read_frames"].get<std::string>());
    EXPECT_GE(kept, frames - 16) << "more than half a second was lost";
    EXPECT_EQ(stream["r_frame_rate"], "30/1");
    // This program's own source reads it too.
    const auto source = open_input(path);
    EXPECT_NEAR(source->fps(), 30, 1e-3);
    int read = 0;
    while (source->next()) ++read;
    EXPECT_EQ(read, kept);
}

TEST(Recorder, AKilledProgramLosesNoMoreWherePicturesComeSlowly) {
    const TempDir dir;
    const std::string path = dir / "a.mkv";
    constexpr int frames = 12;
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        try {
            Recorder recorder(path, 30);
            for (int i = 0; i < frames; ++i) {
                recorder.add(draw_demo(160, 120, i / 30.0));
                ::usleep(200000);
            }
            ::raise(SIGKILL);
        } catch (...) {
        }
        ::_exit(1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the recording failed in the child";
    const std::string kept = probe(path)["streams"][0]["nb_read_frames"];
    EXPECT_GE(std::stoi(kept), frames - 4) << "pictures of more than three quarters of a second were lost";
}

TEST(Recorder, MakesNoFileBeforeTheFirstPicture) {
    const TempDir dir;
    {
        Recorder recorder(dir / "a.mkv", 30);
        EXPECT_EQ(dir.files(), 0U);
        recorder.finish();
    }
    EXPECT_EQ(dir.files(), 0U);
}

TEST(Recorder, SaysWhatIsWrong) {
    const TempDir dir;
    EXPECT_CONTAINS(error_of([&] { Recorder(dir / "no/a.mkv", 30); }), "does not exist");
    EXPECT_CONTAINS(error_of([&] { Recorder(dir / "a.mp4", 30); }), "ends in .mkv");
    EXPECT_CONTAINS(error_of([&] { Recorder(dir / "a.mkv", 0); }), "cannot be recorded at");
    EXPECT_CONTAINS(error_of([&] { Recorder(dir / "a.mkv", std::nan("")); }), "cannot be recorded at");
    EXPECT_EQ(dir.files(), 0U);

    Recorder recorder(dir / "a.mkv", 30);
    EXPECT_CONTAINS(error_of([&] { recorder.add(Picture()); }), "no picture");
    record_demo(recorder, 3, 32, 32);
    EXPECT_CONTAINS(error_of([&] { recorder.add(draw_demo(64, 32, 0)); }), "keeps its size, 32 x 32");
    record_demo(recorder, 3, 32, 32);  // goes on
    recorder.finish();
    EXPECT_CONTAINS(error_of([&] { recorder.add(draw_demo(32, 32, 0)); }), "has ended");
    EXPECT_EQ(probe(dir / "a.mkv")["streams"][0]["nb_read_frames"], "6");
}

TEST(Recorder, AFullDiskIsAnErrorAndNotACrash) {
    const TempDir dir;
    std::filesystem::create_symlink("/dev/full", dir / "a.mkv");
    Recorder recorder(dir / "a.mkv", 30);
    const std::string text = error_of([&] { record_demo(recorder, 60); });
    EXPECT_CONTAINS(text, "a.mkv");
    EXPECT_CONTAINS(text, "No space left");
    EXPECT_NO_THROW(recorder.finish());
}

TEST(Recorder, WhenTheDiskFillsUpWhatWasWrittenPlays) {
    const testing::SmallDisk disk(400);
    const std::string path = disk / "a.mkv";
    Recorder recorder(path, 30);
    const std::string text = error_of([&] { record_demo(recorder, 3000, 640, 480); });
    EXPECT_CONTAINS(text, path + ": " + disk.fault());
    EXPECT_CONTAINS(text, "what was written plays");
    EXPECT_CONTAINS(error_of([&] { record_demo(recorder, 1, 640, 480); }), "has ended");
    EXPECT_NO_THROW(recorder.finish());

    const std::string kept = probe(path)["streams"][0]["nb_read_frames"];
    EXPECT_GE(std::stoi(kept), recorder.frames() - 16) << "of " << recorder.frames();
    EXPECT_GE(std::stoi(kept), 30);
    EXPECT_LE(recorder.bytes(), static_cast<std::int64_t>(std::filesystem::file_size(path)));
    // And the program records again, where there is room.
    std::filesystem::remove(path);
    Recorder again(path, 30);
    record_demo(again, 15);
    EXPECT_NO_THROW(again.finish());
}

TEST(Recorder, EncodersThatAreMissingOrRefuseSaySo) {
    const std::array missing = {"libnone", "libnothing"};
    std::string text = error_of([&] { open_encoder(missing, 64, 48, {30, 1}); });
    EXPECT_CONTAINS(text, "none of libnone, libnothing");
    EXPECT_CONTAINS(text, "sudo apt install libavcodec-extra");
    EXPECT_EQ(error_of([&] { require_encoder(missing); }), text);

    const std::array refuses = {"libnone", "libx264"};
    text = error_of([&] { open_encoder(refuses, 40000, 40000, {30, 1}); });
    EXPECT_CONTAINS(text, "no encoder takes pictures of 40000 x 40000 (libx264: ");
    EXPECT_CONTAINS(text, "--size");
}

TEST(Recorder, ANameWithAColonIsAFile) {
    const TempDir dir;
    {
        Recorder recorder(dir / "tcp:a%03d.mkv", 30);
        record_demo(recorder, 2, 32, 32);
    }
    EXPECT_TRUE(std::filesystem::exists(dir / "tcp:a%03d.mkv"));
}

}  // namespace
}  // namespace deconv::media
