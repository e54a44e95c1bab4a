#include <cerrno>
#include <chrono>
#include <future>

#include "media/camera_device.h"
#include "media/mjpeg_server.h"
#include "media/source.h"
#include "media_testing.h"

namespace deconv::media {
namespace {

using testing::error_of;
using testing::MjpegServer;

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int number_of(const Picture& picture) {
    const cv::Mat rgba(picture.height, picture.width, CV_8UC4, const_cast<std::uint8_t*>(picture.rgba.data()));
    return testing::number_of(rgba, picture.width);
}

TEST(Camera, AStreamGivesEveryFrameInTime) {
    const MjpegServer server({.fps = 30});
    const auto camera = open_camera(server.url());
    EXPECT_TRUE(camera->live());
    EXPECT_FALSE(camera->count());
    EXPECT_EQ(camera->fps(), 30) << "MJPEG over HTTP says no rate";
    EXPECT_EQ(camera->name(), server.url());
    double last = -1;
    int number = -1;
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 60; ++i) {
        const auto frame = camera->next();
        ASSERT_TRUE(frame);
        EXPECT_EQ(frame->index, i);
        EXPECT_GT(frame->time_s, last);
        last = frame->time_s;
        ASSERT_EQ(frame->picture.width, 320);
        ASSERT_EQ(frame->picture.height, 240);
        EXPECT_TRUE(testing::is_color(frame->picture, 160, 120, testing::served_color, 6));
        if (number >= 0) {
            EXPECT_EQ(number_of(frame->picture), number + 1) << "none is left out or repeated";
        }
        number = number_of(frame->picture);
    }
    EXPECT_NEAR(60 / seconds_since(start), 30, 3);
    EXPECT_LE(server.sent() - number, 3) << "pictures are not held back";
}

TEST(Camera, AStreamThatCloses) {
    const MjpegServer server({.fps = 50, .frames = 40});
    const auto camera = open_camera(server.url());
    int frames = 0;
    while (camera->next()) ++frames;
    EXPECT_GE(frames, 38);
    EXPECT_LE(frames, 40);
    EXPECT_FALSE(camera->next());
}

TEST(Camera, AStreamThatChangesSizeIsFollowed) {
    MjpegServer server({.width = 160, .height = 120, .fps = 50});
    const auto camera = open_camera(server.url());
    for (const auto& [width, height] : {std::pair{640, 480}, {160, 96}, {322, 242}, {5000, 64}}) {
        server.resize(width, height);
        const int at_most = std::min(width, 4096);  // shrunk where it is larger
        const auto resized = [&](const Picture& picture) { return picture.width == at_most; };
        auto frame = camera->next();
        for (int i = 0; i < 50 && frame && !resized(frame->picture); ++i) frame = camera->next();
        ASSERT_TRUE(frame);
        ASSERT_EQ(frame->picture.width, at_most);
        ASSERT_NEAR(frame->picture.height, static_cast<double>(height) * at_most / width, 1);
        for (const int x : {at_most / 2, at_most - 2}) {
            EXPECT_TRUE(testing::is_color(frame->picture, x, frame->picture.height - 2, testing::served_color, 12))
                << width << " x " << height;
        }
        if (width == at_most) {
            EXPECT_LE(server.sent() - number_of(frame->picture), 4) << width << " x " << height;
        }
    }
}

TEST(Camera, AShortStallOfAStreamIsWaitedFor) {
    MjpegServer server({.fps = 50});
    const auto camera = open_camera(server.url());
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(camera->next());
    server.stall(1);
    const auto start = std::chrono::steady_clock::now();
    while (seconds_since(start) < 1.5) ASSERT_TRUE(camera->next());
    EXPECT_EQ(server.connections(), 1);
}

TEST(Camera, AStreamThatStallsIsGivenUp) {
    MjpegServer server({.fps = 50});
    const auto camera = open_camera(server.url());
    server.stall(60);
    const auto start = std::chrono::steady_clock::now();
    const std::string text = error_of([&] {
        while (camera->next()) {
        }
    });
    EXPECT_CONTAINS(text, "gave no picture for 5 seconds");
    EXPECT_LT(seconds_since(start), 6);
}

TEST(Camera, AStalledStreamCanBeCancelled) {
    MjpegServer server({.fps = 50});
    const auto camera = open_camera(server.url());
    server.stall(60);
    auto end = std::async(std::launch::async, [&] {
        while (camera->next()) {
        }
    });
    EXPECT_EQ(end.wait_for(std::chrono::milliseconds(500)), std::future_status::timeout);
    camera->cancel();
    EXPECT_EQ(end.wait_for(std::chrono::milliseconds(500)), std::future_status::ready);
}

TEST(Camera, AServerThatAcceptsAndSaysNothingIsGivenUp) {
    MjpegServer server;
    server.stall(60);  // pictures; the answer's beginning comes
    const auto start = std::chrono::steady_clock::now();
    EXPECT_CONTAINS(error_of([&] { open_camera(server.url()); }), "did not answer within 5 seconds");
    EXPECT_LT(seconds_since(start), 6);
}

TEST(Camera, AStreamThatDisappearsCanBeOpenedAgainAtAnotherSize) {
    MjpegServer server({.fps = 30});
    auto camera = open_camera(server.url());
    server.resize(200, 160);
    server.disappear(1.5);
    const auto start = std::chrono::steady_clock::now();
    while (camera->next()) {
    }
    EXPECT_LT(seconds_since(start), 1) << "it is noticed at once";
    EXPECT_CONTAINS(error_of([&] { open_camera(server.url()); }), "Connection refused");
    while (seconds_since(start) < 1.8) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    camera = open_camera(server.url());
    const auto frame = camera->next();
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->picture.width, 200);
    EXPECT_EQ(frame->picture.height, 160);
}

TEST(Camera, AStreamThatIsNotThere) {
    int port = 0;
    {
        const MjpegServer server;
        port = std::stoi(server.url().substr(17));
    }  // nobody listens there any more
    const std::string url = "http://127.0.0.1:" + std::to_string(port) + "/";
    const std::string text = error_of([&] { open_camera(url); });
    EXPECT_CONTAINS(text, url);
    EXPECT_CONTAINS(text, "no video stream there");
    EXPECT_CONTAINS(text, cameras_here(list_cameras()));
}

TEST(Camera, AStreamThatIsNoVideo) {
    const MjpegServer server({.other_content = "<html><body>Please log in.</body></html>\n"});
    EXPECT_CONTAINS(error_of([&] { open_camera(server.url()); }), "no video stream there");
}

TEST(Camera, APasswordIsNotShown) {
    const MjpegServer server;
    EXPECT_EQ(open_camera(server.url("user:secret@"))->name(), server.url());
    const std::string text = error_of([] { open_camera("http://user:secret@127.0.0.1:1/"); });
    EXPECT_EQ(text.find("secret"), std::string::npos) << text;
}

TEST(Camera, OneThatIsNotThereNamesThoseThatAre) {
    const std::string here = cameras_here(list_cameras());
    for (const char* which : {"97", "/dev/video97", "garden"}) {
        const std::string text = error_of([&] { open_camera(which); });
        EXPECT_CONTAINS(text, which);
        EXPECT_CONTAINS(text, "not there; " + here);
    }
    EXPECT_CONTAINS(error_of([] { open_camera(""); }), "not there");
    EXPECT_CONTAINS(error_of([] { open_camera("-1"); }), "not there");
    EXPECT_CONTAINS(error_of([] { open_camera("99999999999999"); }), "not there");
}

TEST(Camera, WhatIsNoCameraSaysSo) {
    const testing::TempDir dir;
    testing::write_text(dir / "a.mp4", "x");
    EXPECT_CONTAINS(error_of([&] { open_camera(dir / "a.mp4"); }), "open it with --input");
    EXPECT_CONTAINS(error_of([] { open_camera("/dev/null"); }), "is not a camera");
}

TEST(Camera, EachFaultOfADeviceHasItsLine) {
    EXPECT_EQ(camera_fault("camera 7", ENOENT, {{"/dev/video0", 0, "HD Webcam"}, {"/dev/video2", 2, ""}}),
              "camera 7: not there; cameras here: 0 (HD Webcam), 2");
    EXPECT_CONTAINS(camera_fault("camera 7", ENODEV, {}), "no camera is connected");
    EXPECT_CONTAINS(camera_fault("camera 0", EBUSY, {}), "another program uses it");
    EXPECT_CONTAINS(camera_fault("camera 0", EACCES, {}), "group video");
    EXPECT_CONTAINS(camera_fault("camera 0", EIO, {}), "cannot be opened: Input/output error");
}

}  // namespace
}  // namespace deconv::media
