// Sources that misbehave, behind the thread that reads them.
#include "live/feed.h"

#include <chrono>
#include <thread>

#include "live/paced_source.h"
#include "media/media_testing.h"
#include "media/mjpeg_server.h"

namespace deconv::live {
namespace {

using testing::error_of;
using testing::MjpegServer;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

FrameFeed::Opener opener(const std::string& url) {
    return [url] { return media::open_camera(url); };
}

std::shared_ptr<const FedFrame> first_frame(FrameFeed& feed) {
    return feed.wait(10);
}

TEST(Feed, ThirtyFramesASecondArrive) {
    const MjpegServer server({.width = 640, .height = 480, .fps = 30});
    FrameFeed feed(opener(server.url()));
    ASSERT_TRUE(first_frame(feed));
    const auto facts = feed.facts();
    ASSERT_TRUE(facts);
    EXPECT_EQ(facts->name, server.url());
    EXPECT_EQ(facts->fps, 30);
    EXPECT_FALSE(facts->stills);
    const Clock::time_point start = Clock::now();
    int frames = 0;
    while (seconds_since(start) < 3) {
        if (feed.wait(0.1)) ++frames;
        EXPECT_LT(feed.seconds_since_frame(), 0.5);
    }
    EXPECT_NEAR(frames + static_cast<double>(feed.dropped()), 90, 6);
    EXPECT_LE(feed.dropped(), 9);
}

TEST(Feed, TheNewestFrameWins) {
    const MjpegServer server({.fps = 30});
    FrameFeed feed(opener(server.url()));
    ASSERT_TRUE(first_frame(feed));
    for (int i = 0; i < 4; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        const auto fed = feed.wait(0.1);
        ASSERT_TRUE(fed);
        const Picture& picture = fed->frame.picture;
        const cv::Mat rgba(picture.height, picture.width, CV_8UC4, const_cast<std::uint8_t*>(picture.rgba.data()));
        EXPECT_LE(server.sent() - testing::number_of(rgba, picture.width), 4);
    }
    EXPECT_GE(feed.dropped(), 20);
}

TEST(Feed, AStallIsNoticedAndGoesByItself) {
    MjpegServer server({.fps = 30});
    FrameFeed feed(opener(server.url()));
    ASSERT_TRUE(first_frame(feed));
    server.stall(3);
    const Clock::time_point start = Clock::now();
    while (feed.seconds_since_frame() < 2) {
        ASSERT_LT(seconds_since(start), 3) << "the stall was not noticed";
        static_cast<void>(feed.wait(0.05));
    }
    EXPECT_NEAR(seconds_since(start), 2, 0.3);
    EXPECT_FALSE(feed.ended());
    EXPECT_TRUE(feed.wait(2)) << "it did not come back";
    EXPECT_LT(feed.seconds_since_frame(), 0.5);
    EXPECT_EQ(server.connections(), 1);
}

TEST(Feed, OneThatIsGoneIsAnEndAndOpensAgainAtAnotherSize) {
    MjpegServer server({.fps = 30});
    auto feed = std::make_unique<FrameFeed>(opener(server.url()));
    ASSERT_TRUE(first_frame(*feed));
    server.resize(208, 160);
    server.disappear(5);
    const Clock::time_point start = Clock::now();
    while (!feed->ended()) static_cast<void>(feed->wait(0.05));
    EXPECT_LT(seconds_since(start), 1) << "it is noticed at once";

    // What a session does: tries again until it is back.
    std::shared_ptr<const FedFrame> fed;
    int refused = 0;
    while (!fed && seconds_since(start) < 20) {
        feed = std::make_unique<FrameFeed>(opener(server.url()));
        try {
            fed = feed->wait(10);
        } catch (const Error&) {
            ++refused;
            std::this_thread::sleep_for(std::chrono::milliseconds(500));
        }
    }
    ASSERT_TRUE(fed);
    EXPECT_GE(refused, 4);
    EXPECT_NEAR(seconds_since(start), 5, 1.5);
    EXPECT_EQ(fed->frame.picture.width, 208);
    EXPECT_EQ(fed->frame.picture.height, 160);
}

TEST(Feed, LeavingASilentSourceTakesHalfASecondAtMost) {
    MjpegServer server({.fps = 30});
    {
        FrameFeed feed(opener(server.url()));
        ASSERT_TRUE(first_frame(feed));
        server.stall(60);
        while (feed.seconds_since_frame() < 0.5) static_cast<void>(feed.wait(0.05));
        const Clock::time_point start = Clock::now();
        auto leaving = std::make_unique<FrameFeed>(opener(server.url()));  // one that is still being opened
        leaving.reset();
        EXPECT_LT(seconds_since(start), 0.7);
    }
    const Clock::time_point start = Clock::now();
    { const FrameFeed other(media::open_input("demo")); }
    EXPECT_LT(seconds_since(start), 0.5);
}

TEST(Feed, AFolderBetweenTwoPicturesIsLeftAtOnce) {
    const testing::TempDir dir;
    for (const char* name : {"a.png", "b.png"}) cv::imwrite(dir / name, cv::Mat(8, 8, CV_8UC3, cv::Scalar(9, 9, 9)));
    auto feed = std::make_unique<FrameFeed>([path = dir.path()] { return open_paced(path); });
    ASSERT_TRUE(first_frame(*feed));
    ASSERT_TRUE(feed->facts()->stills);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    const Clock::time_point start = Clock::now();
    feed.reset();
    EXPECT_LT(seconds_since(start), 0.2);
}

TEST(Feed, WhatTheOpenerThrowsComesOut) {
    FrameFeed feed([]() -> std::unique_ptr<media::Source> { throw Error("not today"); });
    EXPECT_EQ(error_of([&] { static_cast<void>(feed.wait(5)); }), "not today");
    EXPECT_TRUE(feed.ended());
    EXPECT_FALSE(feed.facts());
    EXPECT_EQ(feed.seconds_since_frame(), 0);
}

TEST(Feed, FilesGiveEveryFrameInOrder) {
    FrameFeed feed(media::open_input("demo"));
    const volatile int stop = 0;
    for (int i = 0; i < 8; ++i) {
        const auto fed = feed.next(stop);
        ASSERT_TRUE(fed);
        EXPECT_EQ(fed->frame.index, i);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    EXPECT_EQ(feed.dropped(), 0);
}

}  // namespace
}  // namespace deconv::live
