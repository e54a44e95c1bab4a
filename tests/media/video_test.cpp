#include "media/sink.h"
#include "media/source.h"
#include "media_testing.h"

namespace deconv::media {
namespace {

using testing::error_of;
using testing::shared_file;
using testing::TempDir;

/// Made by the ffmpeg program; `options` come between input and output.
std::string make_video(const std::string& path, const std::string& options,
                       const std::string& input = "testsrc=size=160x120:rate=25:duration=2") {
    testing::output_of("ffmpeg -y -v quiet -f lavfi -i '" + input + "' " + options + " '" + path + "' 2>&1");
    return path;
}

int count_frames(Source& source) {
    int frames = 0;
    while (const auto frame = source.next()) {
        EXPECT_EQ(frame->index, frames);
        EXPECT_NEAR(frame->time_s, frames / source.fps(), 1e-9);
        ++frames;
    }
    EXPECT_FALSE(source.next()) << "it stays ended";
    return frames;
}

TEST(Video, TheSharedClipGivesItsFrames) {
    const std::string path = shared_file("media/objects-640x480-30fps.mp4");
    if (path.empty()) GTEST_SKIP() << "NOT TESTED: the shared clip is absent (set DECONV_SHARED to its folder)";
    const auto source = open_input(path);
    EXPECT_EQ(source->fps(), 30);
    EXPECT_EQ(source->count(), 360);
    EXPECT_FALSE(source->live());
    EXPECT_EQ(source->name(), "objects-640x480-30fps.mp4");
    EXPECT_EQ(count_frames(*source), 360);
}

TEST(Video, RateAndCountAreTheContainers) {
    const TempDir dir;
    const std::string x264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p ";
    auto source = open_input(make_video(dir / "a.mp4", x264 + "-r 30000/1001"));
    EXPECT_DOUBLE_EQ(source->fps(), 30000.0 / 1001);
    ASSERT_TRUE(source->count());
    EXPECT_EQ(count_frames(*source), *source->count());

    source = open_input(make_video(dir / "a.mkv", x264));
    EXPECT_DOUBLE_EQ(source->fps(), 25);
    EXPECT_FALSE(source->count()) << "Matroska does not say";
    EXPECT_EQ(count_frames(*source), 50);
}

TEST(Video, OtherKindsAreRead) {
    const TempDir dir;
    for (const auto& [name, options] : std::vector<std::pair<std::string, std::string>>{
             {"a.gif", ""}, {"a.avi", "-c:v mjpeg"}, {"a.webm", "-c:v libvpx -deadline realtime"}, {"a.mjpeg", ""}}) {
        const auto source = open_input(make_video(dir / name, options));
        const auto frame = source->next();
        ASSERT_TRUE(frame) << name;
        EXPECT_EQ(frame->picture.width, 160) << name;
        EXPECT_EQ(frame->picture.height, 120) << name;
    }
}

TEST(Video, PicturesAreInRgbOrder) {
    const TempDir dir;
    const auto source = open_input(
        make_video(dir / "a.mp4", "-c:v libx264 -pix_fmt yuv420p", "color=c=0xC82814:size=64x48:rate=25:duration=1"));
    const auto frame = source->next();
    ASSERT_TRUE(frame);
    EXPECT_TRUE(testing::is_color(frame->picture, 30, 20, {200, 40, 20}, 6));
    EXPECT_EQ(frame->picture.pixel(0, 0)[3], 255);
}

TEST(Video, OneThatBreaksOffEndsThere) {
    const TempDir dir;
    {
        Recorder recorder(dir / "a.mkv", 30);
        for (int i = 0; i < 90; ++i) recorder.add(draw_demo(160, 120, i / 30.0));
    }
    testing::FileBytes bytes = testing::read_file(dir / "a.mkv");
    const testing::FileBytes half(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() / 2));
    testing::write_file(dir / "cut.mkv", half);
    ::testing::internal::CaptureStderr();
    auto source = open_input(dir / "cut.mkv");
    const int kept = count_frames(*source);
    EXPECT_GT(kept, 20);
    EXPECT_LT(kept, 80);

    // Noise from the middle on: fewer frames, perhaps none of them right, but an end.
    for (std::size_t i = bytes.size() / 2; i < bytes.size(); ++i) {
        bytes[i] = static_cast<std::uint8_t>(i * 2654435761U >> 13);
    }
    testing::write_file(dir / "noise.mkv", bytes);
    source = open_input(dir / "noise.mkv");
    EXPECT_GT(count_frames(*source), 20);
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(Video, EachFaultIsOneLineThatNamesTheFile) {
    const TempDir dir;
    const auto error = [](const std::string& path) {
        std::string text = error_of([&] { open_input(path); });
        EXPECT_CONTAINS(text, path);
        return text;
    };
    testing::write_text(dir / "empty.mp4", "");
    EXPECT_CONTAINS(error(dir / "empty.mp4"), "is empty");

    testing::write_text(dir / "text.mp4", "This is a text and not a video.\nIt has two lines.\n");
    EXPECT_CONTAINS(error(dir / "text.mp4"), "cannot be read as an image or a video");
    std::string long_text;
    for (int i = 0; i < 5000; ++i) long_text += "Line after line of text.\n";
    testing::write_text(dir / "long.txt", long_text);
    EXPECT_CONTAINS(error(dir / "long.txt"), "neither an image nor a video");

    // An MP4 keeps its table of contents at the end.
    make_video(dir / "whole.mp4", "-c:v libx264 -pix_fmt yuv420p");
    testing::FileBytes bytes = testing::read_file(dir / "whole.mp4");
    bytes.resize(bytes.size() / 2);
    testing::write_file(dir / "cut.mp4", bytes);
    EXPECT_CONTAINS(error(dir / "cut.mp4"), "it is cut short");

    make_video(dir / "sound.mp4", "-c:a aac", "sine=duration=1");
    EXPECT_CONTAINS(error(dir / "sound.mp4"), "holds no video");

    EXPECT_CONTAINS(error(dir / "none.mp4"), "no such file or folder");
    EXPECT_CONTAINS(error(dir / "text.mp4/x.mp4"), "no such file or folder");
    EXPECT_CONTAINS(error("/dev/null"), "is a device");
    EXPECT_CONTAINS(error("http://127.0.0.1/a"), "--camera http://127.0.0.1/a");
    EXPECT_CONTAINS(error(""), "no input given");
}

TEST(Video, APlaylistDoesNotReachForTheNetwork) {
    const TempDir dir;
    testing::write_text(dir / "list.m3u8",
                        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n");
    EXPECT_CONTAINS(error_of([&] { open_input(dir / "list.m3u8"); }), "list.m3u8");
}

TEST(Video, NamesWithColonsPercentsAndSpacesAreFiles) {
    const TempDir dir;
    const auto before = std::filesystem::current_path();
    std::filesystem::rename(make_video(dir / "a.mkv", "-c:v libx264 -pix_fmt yuv420p"), dir / "tcp:a %03d.mkv");
    std::filesystem::current_path(dir.path());
    EXPECT_EQ(count_frames(*open_input("tcp:a %03d.mkv")), 50);
    std::filesystem::current_path(before);
}

}  // namespace
}  // namespace deconv::media
