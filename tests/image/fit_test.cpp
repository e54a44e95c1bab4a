// From a picture to the network's input, and pictures drawn into larger ones, against the float64 reference.
#include "image/image_testing.h"

namespace deconv::testing {
namespace {

struct Sizes {
    int width, height, input_width, input_height;
};

image::Preprocessing preprocessing_of(const reference::Preprocessing& from) {
    image::Preprocessing to{from.bgr, static_cast<float>(from.range), {}, {}};
    for (std::size_t c = 0; c < 3; ++c) {
        to.mean.at(c) = static_cast<float>(from.mean.at(c));
        to.std.at(c) = static_cast<float>(from.std.at(c));
    }
    return to;
}

reference::Fit reference_fit(image::Fit fit) {
    return fit == image::Fit::crop ? reference::Fit::crop
                                   : (fit == image::Fit::stretch ? reference::Fit::stretch : reference::Fit::letterbox);
}

constexpr std::array fits = {image::Fit::crop, image::Fit::stretch, image::Fit::letterbox};

/// The network's input for a picture, as the device makes it.
std::vector<float> fitted(const std::vector<std::uint8_t>& rgba, const Sizes& s, image::Fit fit,
                          const image::Preprocessing& preprocessing, int channels = 3) {
    const gpu::Buffer picture = on_device(rgba);
    // What was there before must be written over, bars too.
    const gpu::Buffer input =
        on_device(std::vector<float>(static_cast<std::size_t>(channels * s.input_width * s.input_height), 1e6F));
    const image::Placement placement = image::place(fit, s.width, s.height, s.input_width, s.input_height);
    run_steps({image::fit_step(engine().device.info(), {picture.slice(), s.width, s.height}, placement, preprocessing,
                               input.slice(), s.input_width, s.input_height, channels)});
    return from_device<float>(input.slice());
}

void expect_near(const std::vector<float>& is, const std::vector<double>& should, const std::string& what) {
    ASSERT_EQ(is.size(), should.size()) << what;
    EXPECT_LE(relative_error(is, should), 1e-4) << what;
    double largest = 0;
    for (const double value : should) largest = std::max(largest, std::abs(value));
    for (std::size_t i = 0; i < is.size(); ++i) {
        ASSERT_NEAR(is[i], should[i], 1e-4 * std::max(largest, 1e-3)) << what << ", at " << i;
    }
}

class FitSizes : public ::testing::TestWithParam<Sizes> {};

TEST_P(FitSizes, AsTheReference) {
    const Sizes s = GetParam();
    const std::vector<std::uint8_t> rgba = noise(s.width, s.height);
    reference::Preprocessing imagenet;
    reference::Preprocessing caffe{true, 255, {104, 117, 123}, {1, 1, 1}};
    const reference::Preprocessing plain{false, 1, {0, 0, 0}, {1, 1, 1}};
    for (const image::Fit fit : fits) {
        for (const reference::Preprocessing& preprocessing : {imagenet, caffe, plain}) {
            const reference::Tensor should = reference::fit(rgba, s.width, s.height, reference_fit(fit), s.input_width,
                                                            s.input_height, preprocessing);
            expect_near(
                fitted(rgba, s, fit, preprocessing_of(preprocessing)), should.data,
                "fit " + std::to_string(static_cast<int>(fit)) + ", range " + std::to_string(preprocessing.range));
        }
    }
}

INSTANTIATE_TEST_SUITE_P(All, FitSizes,
                         ::testing::Values(Sizes{32, 32, 32, 32}, Sizes{64, 48, 32, 32}, Sizes{48, 64, 32, 32},
                                           Sizes{640, 480, 227, 227}, Sizes{101, 67, 31, 37}, Sizes{33, 57, 32, 32},
                                           Sizes{16, 12, 96, 96}, Sizes{7, 5, 31, 37}, Sizes{20, 200, 30, 30},
                                           Sizes{1, 1, 9, 8}, Sizes{1, 50, 16, 16}, Sizes{50, 2, 16, 16},
                                           Sizes{300, 200, 1, 1}, Sizes{40, 30, 50, 20}, Sizes{2, 2, 3, 3}),
                         [](const auto& test) {
                             const Sizes& s = test.param;
                             return std::to_string(s.width) + "x" + std::to_string(s.height) + "to" +
                                    std::to_string(s.input_width) + "x" + std::to_string(s.input_height);
                         });

TEST(Fit, GreyNetworksSeeTheLuma) {
    const Sizes s{40, 30, 17, 19};
    const std::vector<std::uint8_t> rgba = noise(s.width, s.height);
    const reference::Preprocessing plain{false, 1, {0, 0, 0}, {1, 1, 1}};
    const image::Preprocessing grey{false, 255, {30, 99, 99}, {2, 99, 99}};
    for (const image::Fit fit : fits) {
        const std::vector<double> colours =
            reference::fit(rgba, s.width, s.height, reference_fit(fit), s.input_width, s.input_height, plain).data;
        const std::size_t pixels = colours.size() / 3;
        const image::Placement place = image::place(fit, s.width, s.height, s.input_width, s.input_height);
        std::vector<double> should(pixels);
        for (std::size_t i = 0; i < pixels; ++i) {
            const int x = static_cast<int>(i) % s.input_width - place.left;
            const int y = static_cast<int>(i) / s.input_width - place.top;
            const bool bar = x < 0 || y < 0 || x >= place.place_width || y >= place.place_height;
            const double luma = 0.299 * colours[i] + 0.587 * colours[pixels + i] + 0.114 * colours[2 * pixels + i];
            should[i] = bar ? 0 : (luma * 255 - 30) / 2;
        }
        expect_near(fitted(rgba, s, fit, grey, 1), should, "fit " + std::to_string(static_cast<int>(fit)));
    }
}

TEST(Fit, PlacementsLieWithinBoth) {
    for (const image::Fit fit : fits) {
        for (const Sizes& s : {Sizes{640, 480, 227, 227}, Sizes{1, 4000, 32, 32}, Sizes{4000, 1, 32, 32}}) {
            const image::Placement p = image::place(fit, s.width, s.height, s.input_width, s.input_height);
            EXPECT_GE(p.x, 0);
            EXPECT_GE(p.y, 0);
            EXPECT_LE(p.x + p.width, s.width + 1e-9);
            EXPECT_LE(p.y + p.height, s.height + 1e-9);
            EXPECT_GE(p.place_width, 1);
            EXPECT_GE(p.place_height, 1);
            EXPECT_LE(p.left + p.place_width, s.input_width);
            EXPECT_LE(p.top + p.place_height, s.input_height);
        }
    }
}

TEST(Compose, DrawsIntoABoxAndNowhereElse) {
    constexpr int canvas_width = 70;
    constexpr int canvas_height = 50;
    constexpr std::uint32_t untouched = 0x01020304;
    constexpr std::uint32_t background = 0xff332211;
    const image::Box box{5, 7, 40, 30};
    for (const Sizes& s : {Sizes{20, 15, 0, 0}, Sizes{120, 31, 0, 0}, Sizes{9, 100, 0, 0}, Sizes{1, 1, 0, 0}}) {
        const std::vector<std::uint8_t> rgba = noise(s.width, s.height, 3);
        const gpu::Buffer picture = on_device(rgba);
        const gpu::Buffer canvas = on_device(std::vector<std::uint32_t>(canvas_width * canvas_height, untouched));
        run_steps({image::compose_step(engine().device.info(), {picture.slice(), s.width, s.height},
                                       {canvas.slice(), canvas_width, canvas_height}, box, background)});
        const std::vector<std::uint32_t> drawn = from_device<std::uint32_t>(canvas.slice());
        const reference::Preprocessing bytes{false, 255, {0, 0, 0}, {1, 1, 1}};
        const reference::Tensor should =
            reference::fit(rgba, s.width, s.height, reference::Fit::letterbox, box.width, box.height, bytes);
        const image::Placement place = image::place(image::Fit::letterbox, s.width, s.height, box.width, box.height);
        for (int y = 0; y < canvas_height; ++y) {
            for (int x = 0; x < canvas_width; ++x) {
                const std::uint32_t pixel = drawn[static_cast<std::size_t>(y * canvas_width + x)];
                const int u = x - box.left;
                const int v = y - box.top;
                if (u < 0 || v < 0 || u >= box.width || v >= box.height) {
                    ASSERT_EQ(pixel, untouched) << x << "," << y;
                    continue;
                }
                const int i = u - place.left;
                const int j = v - place.top;
                if (i < 0 || j < 0 || i >= place.place_width || j >= place.place_height) {
                    ASSERT_EQ(pixel, background) << x << "," << y;
                    continue;
                }
                for (int c = 0; c < 3; ++c) {
                    const double expected = should.data[static_cast<std::size_t>((c * box.height + v) * box.width + u)];
                    ASSERT_NEAR(pixel >> (8 * c) & 255U, expected, 0.51) << x << "," << y;
                }
            }
        }
    }
}

TEST(Compose, FillsABox) {
    const gpu::Buffer canvas = on_device(std::vector<std::uint32_t>(20 * 10, 1));
    run_steps({image::fill_step(engine().device.info(), {canvas.slice(), 20, 10}, {3, 2, 5, 4}, 0xff0000ff)});
    const std::vector<std::uint32_t> drawn = from_device<std::uint32_t>(canvas.slice());
    for (int y = 0; y < 10; ++y) {
        for (int x = 0; x < 20; ++x) {
            const bool inside = x >= 3 && x < 8 && y >= 2 && y < 6;
            EXPECT_EQ(drawn[static_cast<std::size_t>(y * 20 + x)], inside ? 0xff0000ffU : 1U) << x << "," << y;
        }
    }
}

}  // namespace
}  // namespace deconv::testing
