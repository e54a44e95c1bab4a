// Camera devices, against a driver of the tests' own.
#include "media/camera_device.h"

#include <cerrno>
#include <chrono>

#include "media/fake_camera.h"
#include "media/media_testing.h"

namespace deconv::media {
namespace {

using testing::error_of;
using testing::FakeCamera;
using testing::TempDir;

const std::array<int, 3> color = {testing::camera_color[0], testing::camera_color[1], testing::camera_color[2]};

/// Frames a second over half a second or so.
double rate_of(Source& source) {
    constexpr int frames = 15;
    static_cast<void>(source.next());
    static_cast<void>(source.next());
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < frames; ++i) {
        const auto frame = source.next();
        EXPECT_TRUE(frame && testing::is_color(frame->picture, 300, 200, color, 6));
    }
    return frames / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

TEST(CameraDevice, AFastRawFormatIsKept) {
    const TempDir dir;
    const FakeCamera fake(dir / "video0", {.formats = {{"YUYV", 30}, {"MJPG", 60}}});
    const auto camera = open_camera(fake.path());
    EXPECT_EQ(camera->fps(), 30);
    EXPECT_TRUE(camera->live());
    EXPECT_NEAR(rate_of(*camera), 30, 3);
    EXPECT_EQ(fake.sent_format(), "YUYV");
    EXPECT_EQ(camera->next()->picture.width, 640);
}

TEST(CameraDevice, MjpgIsAskedOfOneWhoseRawFormatIsSlow) {
    const TempDir dir;
    const FakeCamera fake(dir / "video0", {.formats = {{"YUYV", 10}, {"MJPG", 30}}});
    const auto camera = open_camera(fake.path());
    EXPECT_EQ(fake.sent_format(), "MJPG");
    EXPECT_EQ(camera->fps(), 30);
    EXPECT_NEAR(rate_of(*camera), 30, 3);
}

TEST(CameraDevice, ASlowOneWithoutAnythingFasterIsTakenAsItIs) {
    const TempDir dir;
    for (const auto& formats : {std::vector<testing::FakeFormat>{{"YUYV", 10}}, {{"YUYV", 10}, {"MJPG", 5}}}) {
        const FakeCamera fake(dir / "video0", {.formats = formats});
        const auto camera = open_camera(fake.path());
        EXPECT_EQ(fake.sent_format(), "YUYV");
        EXPECT_EQ(camera->fps(), 10);
    }
}

TEST(CameraDevice, TheListNamesThoseWithColour) {
    const TempDir dir;
    EXPECT_TRUE(cameras_in(dir.path()).empty());
    EXPECT_TRUE(cameras_in(dir / "none").empty());
    const FakeCamera late(dir / "video10", {.name = "Second"});
    const FakeCamera metadata(dir / "video1", {.captures = false});
    const FakeCamera infrared(dir / "video2", {.name = "Infrared", .formats = {{"GREY", 30}}});
    const FakeCamera first(dir / "video0", {.name = "HD Webcam"});
    const FakeCamera other(dir / "audio0", {});
    const FakeCamera numberless(dir / "video", {});
    testing::write_text(dir / "video7", "no camera");
    const auto found = cameras_in(dir.path());
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].index, 0);
    EXPECT_EQ(found[0].name, "HD Webcam");
    EXPECT_EQ(found[0].path, dir / "video0");
    EXPECT_EQ(found[1].index, 10);
    EXPECT_EQ(found[1].name, "Second");
    EXPECT_EQ(cameras_here(found), "cameras here: 0 (HD Webcam), 10 (Second)");
}

TEST(CameraDevice, OneWithoutColourSaysSo) {
    const TempDir dir;
    const FakeCamera fake(dir / "video0", {.formats = {{"GREY", 30}}});
    EXPECT_CONTAINS(error_of([&] { open_camera(fake.path()); }), "gives no colour pictures");
}

TEST(CameraDevice, ABusyOneSaysSo) {
    const TempDir dir;
    const FakeCamera fake(dir / "video0", {.busy = true});
    EXPECT_CONTAINS(error_of([&] { open_camera(fake.path()); }), "is busy: another program uses it");
}

TEST(CameraDevice, AForbiddenOneIsToldApart) {
    const TempDir dir;
    const FakeCamera fake(dir / "video0", {});
    std::filesystem::permissions(fake.path(), std::filesystem::perms::none);
    if (::access(fake.path().c_str(), R_OK) == 0) GTEST_SKIP() << "NOT TESTED: nothing is forbidden to root";
    EXPECT_EQ(try_device(fake.path()), EACCES);
    EXPECT_EQ(cameras_in(dir.path()).size(), 1U) << "it is there all the same";
}

TEST(CameraDevice, OneThatIsUnpluggedIsNoticedAtOnceAndOpensAgain) {
    const TempDir dir;
    {
        const FakeCamera fake(dir / "video0", {.unplugged_after = 20});
        const auto camera = open_camera(fake.path());
        int frames = 0;
        const auto start = std::chrono::steady_clock::now();
        const std::string text = error_of([&] {
            for (; camera->next(); ++frames) {
            }
        });
        EXPECT_CONTAINS(text, "was it unplugged?");
        EXPECT_GE(frames, 18);
        EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
    }
    EXPECT_CONTAINS(error_of([&] { open_camera(dir / "video0"); }), "not there");
    const FakeCamera again(dir / "video0", {});
    EXPECT_TRUE(open_camera(again.path())->next());
}

}  // namespace
}  // namespace deconv::media
