// The display's scale from frame to frame: quickly up, slowly down, never far below a decaying peak.
#include "image/mapping.h"

namespace deconv::testing {
namespace {

constexpr int width = 24;
constexpr int height = 16;
constexpr float frame = 1.0F / 30;

/// Plain red of one size, but a first pixel of a tenth of it: of both, one always tells the scale.
std::vector<float> plain(double size) {
    std::vector<float> signal(3 * width * height, static_cast<float>(size));
    signal[0] = static_cast<float>(size / 10);
    return signal;
}

class LiveScale : public ::testing::Test {
  protected:
    static Mapped positive() {
        Mapped what;
        what.width = width;
        what.height = height;
        what.options.display = image::Display::positive;
        return what;
    }
    /// The scale that a picture of plain(size) was made with; as exact as a byte can tell.
    double scale_after(double size, float seconds) {
        run_.run(plain(size), {seconds});
        const std::vector<std::uint8_t> picture = run_.picture();
        const double shown = picture[4];  // of the second pixel
        return shown > 0 && shown < 255 ? 255 * size / shown : 255 * size / 10 / picture[0];
    }

    MappingRun run_{positive()};
};

/// What the device should do, in double.
struct Follower {
    double smoothed = 0, peak = 0;
    bool begun = false;

    double next(double scale, double seconds) {
        if (begun && seconds > 0) {
            const double time = scale > smoothed ? 0.05 : 1.0;
            const double followed = scale + (smoothed - scale) * std::exp(-seconds / time);
            peak = std::max(scale, peak * std::exp(-seconds / 10));
            scale = std::max(followed, 0.1 * peak);
        } else {
            peak = scale;
        }
        begun = true;
        return smoothed = scale;
    }
};

TEST_F(LiveScale, AStillPictureHasItsOwn) {
    for (const double size : {1.0, 100.0, 0.01}) EXPECT_NEAR(scale_after(size, 0) / size, 1, 0.05) << size;
}

TEST_F(LiveScale, RisesFast) {
    scale_after(1, frame);
    double scale = 0;
    for (int i = 0; i < 6; ++i) scale = scale_after(10, frame);  // a fifth of a second
    EXPECT_GT(scale, 9);
    EXPECT_LE(scale, 10.5);
}

TEST_F(LiveScale, DecaysSlowlyAndNotBelowATenthOfThePeak) {
    scale_after(1, frame);
    EXPECT_GT(scale_after(0.5, frame), 0.9);
    Follower follower;
    follower.next(1, frame);
    follower.next(0.5, frame);
    double scale = 0;
    for (int i = 0; i < 120; ++i) {
        scale = scale_after(0.05, frame);
        const double should = follower.next(0.05, frame);
        ASSERT_NEAR(scale / should, 1, 0.13) << "frame " << i;  // a byte of 0.05 in 1 is 13 levels of which one is open
    }
    // Four seconds later a twentieth of the peak is shown darker than full: absence looks absent.
    EXPECT_GT(scale, 0.06);
}

TEST_F(LiveScale, NothingAfterSomethingIsDark) {
    scale_after(1, frame);
    for (int i = 0; i < 60; ++i) run_.run(std::vector<float>(3 * width * height, 0.0F), {frame});
    for (const std::uint8_t byte : run_.picture()) ASSERT_TRUE(byte == 0 || byte == 255);
    EXPECT_EQ(run_.picture()[0], 0);
    EXPECT_EQ(run_.picture()[4], 0);
    // Noise that is a hundredth of what was there is still dark.
    run_.run(plain(0.01), {frame});
    EXPECT_LT(run_.picture()[4], 40);
}

TEST_F(LiveScale, TwoRunsGiveTheSame) {
    MappingRun other(positive());
    for (int i = 0; i < 40; ++i) {
        const std::vector<float> signal = to_floats(sparse_signal(width, height, static_cast<unsigned>(i)).data);
        run_.run(signal, {frame});
        other.run(signal, {frame});
        ASSERT_EQ(run_.picture(), other.picture()) << i;
    }
}

TEST_F(LiveScale, CopiesFollowByThemselves) {
    Mapped two = positive();
    two.copies = 2;
    MappingRun both(two);
    MappingRun second(positive());
    for (int i = 0; i < 20; ++i) {
        const double size = 1 + i % 3;
        std::vector<float> signals = plain(size);
        const std::vector<float> other = plain(50 / size);
        signals.insert(signals.end(), other.begin(), other.end());
        both.run(signals, {frame});
        run_.run(plain(size), {frame});
        second.run(other, {frame});
        ASSERT_EQ(both.picture(0), run_.picture()) << i;
        ASSERT_EQ(both.picture(1), second.picture()) << i;
    }
}

/// A frame that is looked at by the way, with a scale of its own: what comes after it knows nothing of it.
TEST_F(LiveScale, AFrameAsideLeavesNoTrace) {
    for (const double aside : {0.001, 0.4, 1000.0, 0.0}) {
        MappingRun with(positive());
        MappingRun without(positive());
        MappingRun still(positive());
        for (int i = 0; i < 12; ++i) {
            SCOPED_TRACE("aside " + std::to_string(aside) + ", frame " + std::to_string(i));
            if (i % 3 == 0) {  // also before the first frame of all
                with.run(plain(aside), {-1});
                still.run(plain(aside), {0});
                ASSERT_EQ(with.picture(), still.picture()) << "not its own scale";
            }
            const double size = 1 + 2 * (i % 4);
            with.run(plain(size), {frame});
            without.run(plain(size), {frame});
            ASSERT_EQ(with.picture(), without.picture());
        }
    }
}

/// Copies from `alone` on are other channels in every frame: each has the scale of a still picture.
TEST_F(LiveScale, CopiesAloneHaveScalesOfTheirOwn) {
    Mapped four = positive();
    four.copies = 4;
    for (const int alone : {1, 2, 3, 4}) {
        MappingRun all(four);
        std::vector<std::unique_ptr<MappingRun>> following;
        for (int copy = 0; copy < 4; ++copy) following.push_back(std::make_unique<MappingRun>(positive()));
        MappingRun still(positive());
        bool differs = false;
        for (int i = 0; i < 8; ++i) {
            std::vector<float> signals;
            std::vector<std::vector<float>> parts;
            for (int copy = 0; copy < 4; ++copy) {
                parts.push_back(plain(std::pow(10, (i + copy) % 3)));
                signals.insert(signals.end(), parts.back().begin(), parts.back().end());
            }
            all.run(signals, {frame, 1, 1, static_cast<float>(alone)});
            for (int copy = 0; copy < 4; ++copy) {
                const auto k = static_cast<std::size_t>(copy);
                following[k]->run(parts[k], {frame});
                still.run(parts[k], {0});
                const auto& expected = copy < alone ? following[k]->picture() : still.picture();
                ASSERT_EQ(all.picture(copy), expected) << "copy " << copy << " with alone " << alone << ", frame " << i;
                differs = differs || following[k]->picture() != still.picture();
            }
        }
        EXPECT_TRUE(differs) << "following and being alone look the same: this shows nothing";
    }
}

TEST_F(LiveScale, GainAndGammaAreTheViewers) {
    std::vector<float> signal = plain(1);
    for (std::size_t i = 1; i < 5; ++i) signal[i] = 0.25F;
    run_.run(signal, {0, 2, 1});
    EXPECT_NEAR(run_.picture()[4], 127.5, 0.6);
    run_.run(signal, {0, 1, 2});
    EXPECT_NEAR(run_.picture()[4], 127.5, 0.6);  // √0.25
    run_.run(signal, {0, 8, 1});
    EXPECT_EQ(run_.picture()[4], 255);
}

}  // namespace
}  // namespace deconv::testing
