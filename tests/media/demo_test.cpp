#include <cmath>
#include <set>

#include "media/source.h"
#include "media_testing.h"

namespace deconv::media {
namespace {

double luma(const Picture& picture, int x, int y) {
    const std::uint8_t* p = picture.pixel(x, y);
    return 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
}

TEST(Demo, IsTheSameEveryTime) {
    for (const double t : {0.0, 1.7, 1e6}) EXPECT_EQ(draw_demo(320, 240, t).rgba, draw_demo(320, 240, t).rgba);
}

TEST(Demo, IsOpaqueAtAnySize) {
    for (const auto& [width, height] : {std::pair{1, 1}, {1, 100}, {100, 1}, {33, 77}, {640, 480}, {1280, 720}}) {
        const Picture picture = draw_demo(width, height, 3);
        ASSERT_EQ(picture.rgba.size(), std::size_t{4} * width * height);
        for (std::size_t i = 3; i < picture.rgba.size(); i += 4) ASSERT_EQ(picture.rgba[i], 255);
    }
    EXPECT_TRUE(draw_demo(0, 0, 0).rgba.empty());
}

TEST(Demo, MovesAllOverButNotInJumps) {
    const Picture a = draw_demo(640, 480, 2.0);
    const Picture b = draw_demo(640, 480, 2.0 + 1.0 / 30);
    const Picture c = draw_demo(640, 480, 4.0);
    double next = 0;
    std::set<int> changed_blocks;
    for (int y = 0; y < 480; ++y) {
        for (int x = 0; x < 640; ++x) {
            next += std::abs(luma(a, x, y) - luma(b, x, y));
            if (std::abs(luma(a, x, y) - luma(c, x, y)) > 20) changed_blocks.insert(y / 80 * 8 + x / 80);
        }
    }
    EXPECT_GT(next / (640 * 480), 0.1);
    EXPECT_LT(next / (640 * 480), 20);
    EXPECT_GT(changed_blocks.size(), 24U);  // of 48
}

/// The structure tensor's angle, in bins of 22.5 degrees, of strong gradients.
std::array<int, 8> edge_directions(const Picture& picture) {
    std::array<int, 8> bins{};
    for (int y = 1; y + 1 < picture.height; ++y) {
        for (int x = 1; x + 1 < picture.width; ++x) {
            const double gx = luma(picture, x + 1, y) - luma(picture, x - 1, y);
            const double gy = luma(picture, x, y + 1) - luma(picture, x, y - 1);
            if (gx * gx + gy * gy < 60 * 60) continue;
            const double half_turns = std::atan2(gy, gx) / std::acos(-1.0) + 1.0 / 16;
            ++bins[static_cast<std::size_t>(std::floor((half_turns + 2) * 8)) % 8];
        }
    }
    return bins;
}

TEST(Demo, HasEdgesInEveryDirection) {
    for (const int count : edge_directions(draw_demo(640, 480, 0.5))) EXPECT_GT(count, 500);
}

TEST(Demo, HasGratingsOfSeveralPeriods) {
    // Along each grating's normal the autocorrelation has its next peak one period away.
    const Picture picture = draw_demo(640, 480, 0);
    struct Place {
        double x, y, angle, period;
    };
    for (const Place& g : {Place{98, 112, 0.5, 26}, {566, 272, -0.6, 13}, {500, 380, 1.571, 7}}) {
        const auto at = [&](double along) {
            return luma(picture, static_cast<int>(g.x + along * std::cos(g.angle)),
                        static_cast<int>(g.y + along * std::sin(g.angle)));
        };
        const auto match = [&](double shift) {
            double product = 0;
            double mean = 0;
            for (int i = -40; i < 40; ++i) mean += at(i * 0.5) / 80;
            for (int i = -40; i < 40; ++i) product += (at(i * 0.5) - mean) * (at(i * 0.5 + shift) - mean);
            return product;
        };
        EXPECT_GT(match(g.period), 0.5 * match(0)) << g.period;
        EXPECT_LT(match(g.period / 2), -0.3 * match(0)) << g.period;
    }
}

TEST(Demo, HasColoursOfAllKinds) {
    const Picture picture = draw_demo(640, 480, 0);
    std::array<int, 6> hues{};  // red, yellow, green, cyan, blue, magenta, each 60 degrees wide
    for (std::size_t i = 0; i < picture.rgba.size(); i += 4) {
        const double r = picture.rgba[i];
        const double g = picture.rgba[i + 1];
        const double b = picture.rgba[i + 2];
        const double most = std::max({r, g, b});
        const double span = most - std::min({r, g, b});
        if (span < 50) continue;
        const double sixths = r == most ? (g - b) / span : g == most ? 2 + (b - r) / span : 4 + (r - g) / span;
        ++hues[static_cast<std::size_t>(std::lround(sixths + 6)) % 6];
    }
    for (const int count : hues) EXPECT_GT(count, 300);
}

TEST(Demo, AsASourceIsThirtyFramesASecondWithoutEnd) {
    const auto demo = open_input("demo");
    EXPECT_EQ(demo->fps(), 30);
    EXPECT_FALSE(demo->live());
    EXPECT_EQ(demo->name(), "demo");
    EXPECT_FALSE(demo->count().has_value());
    for (int i = 0; i < 5; ++i) {
        const auto frame = demo->next();
        ASSERT_TRUE(frame);
        EXPECT_EQ(frame->index, i);
        EXPECT_DOUBLE_EQ(frame->time_s, i / 30.0);
        EXPECT_EQ(frame->picture.width, 640);
        EXPECT_EQ(frame->picture.height, 480);
        EXPECT_EQ(frame->picture.rgba, draw_demo(640, 480, i / 30.0).rgba);
    }
}

}  // namespace
}  // namespace deconv::media
