#include "live/best.h"

#include <cmath>
#include <limits>
#include <random>

#include "media/media_testing.h"

namespace deconv::live {
namespace {

using testing::is_color;
using testing::plain_picture;

constexpr Colour outside{10, 20, 30};

/// The pixels that position p sees, followed back through convolutions and pools one by one.
struct Layer {
    int kernel, stride, pad;
};
std::array<int, 2> followed_back(const std::vector<Layer>& layers, int p) {
    int first = p;
    int last = p;
    for (std::size_t i = layers.size(); i-- > 0;) {
        const Layer& layer = layers[i];
        first = first * layer.stride - layer.pad;
        last = last * layer.stride - layer.pad + layer.kernel - 1;
    }
    return {first, last + 1};
}

struct FieldCase {
    const char* name;
    std::vector<Layer> layers;
    nn::ReceptiveField field;
};

const FieldCase field_cases[] = {
    {"conv 3", {{3, 1, 1}}, {3, 1, -1}},
    {"conv 3, pool 2, conv 3", {{3, 1, 1}, {2, 2, 0}, {3, 1, 1}}, {8, 2, -3}},
    {"conv 11 by 4, pool 3 by 2", {{11, 4, 2}, {3, 2, 0}}, {19, 8, -2}},
    {"strides 3 and 3, no pads", {{5, 3, 0}, {3, 3, 0}}, {11, 9, 0}},
    {"conv 7 by 2, pad 3; conv 5 by 3, pad 4", {{7, 2, 3}, {5, 3, 4}}, {15, 6, -11}},
};

void expect_rect(const Rect& rect, double x, double y, double width, double height) {
    EXPECT_NEAR(rect.x, x, 1e-9);
    EXPECT_NEAR(rect.y, y, 1e-9);
    EXPECT_NEAR(rect.width, width, 1e-9);
    EXPECT_NEAR(rect.height, height, 1e-9);
}

TEST(FieldOf, IsWhatFollowingTheLayersBackFinds) {
    for (const FieldCase& rows : field_cases) {
        for (const FieldCase& columns : field_cases) {
            for (const int y : {0, 1, 6}) {
                for (const int x : {0, 3, 5}) {
                    SCOPED_TRACE(std::string(rows.name) + " / " + columns.name);
                    const auto [top, bottom] = followed_back(rows.layers, y);
                    const auto [left, right] = followed_back(columns.layers, x);
                    expect_rect(field_of({rows.field, columns.field}, y, x, 64, 48), left, top, right - left,
                                bottom - top);
                }
            }
        }
    }
}

TEST(FieldOf, IsNotCutToTheImage) {
    expect_rect(field_of({{{212, 32, -90}, {212, 32, -90}}}, 0, 6, 224, 224), 102, -90, 212, 212);
    expect_rect(field_of({{{483, 32, -241}, {483, 32, -241}}}, 3, 0, 32, 32), -241, -145, 483, 483);
}

TEST(FieldOf, IsAllOfTheInputAlongAnAxisWhereItIsGlobal) {
    nn::ReceptiveField global;
    global.size = 48;
    global.stride = 8;
    global.global = true;
    const nn::ReceptiveField local{5, 2, -2};
    expect_rect(field_of({global, global}, 3, 4, 64, 48), 0, 0, 64, 48);
    expect_rect(field_of({global, local}, 3, 4, 64, 48), 6, 0, 5, 48);
    expect_rect(field_of({local, global}, 3, 4, 64, 48), 0, 4, 64, 5);
}

TEST(InPicture, FollowsEveryFit) {
    const Rect part{-3, 2, 8, 16};
    // 640×480 to 32×32.  Crop: the middle 480, 15 pixels for one of the input, from 80 on.
    expect_rect(in_picture(part, image::place(image::Fit::crop, 640, 480, 32, 32)), 80 - 45, 30, 120, 240);
    expect_rect(in_picture(part, image::place(image::Fit::stretch, 640, 480, 32, 32)), -60, 30, 160, 240);
    // Letterbox: 20 pixels for one, four rows of grey above.
    expect_rect(in_picture(part, image::place(image::Fit::letterbox, 640, 480, 32, 32)), -60, -40, 160, 320);
    // Growing, upright: 30×60 to 90×60; crop takes 30×20 rows from 20 on, a third of a pixel each.
    expect_rect(in_picture(part, image::place(image::Fit::crop, 30, 60, 90, 60)), -1, 20 + 2.0 / 3, 8.0 / 3, 16.0 / 3);
    // Letterbox: scale 1, 30 columns of grey on the left.
    expect_rect(in_picture(part, image::place(image::Fit::letterbox, 30, 60, 90, 60)), -33, 2, 8, 16);
}

TEST(InPicture, AllOfTheInputIsWhatTheNetworkSeesAndTheBars) {
    const image::Placement crop = image::place(image::Fit::crop, 640, 480, 32, 32);
    expect_rect(seen_part(crop), 80, 0, 480, 480);
    expect_rect(in_picture({0, 0, 32, 32}, crop), 80, 0, 480, 480);
    const image::Placement letterbox = image::place(image::Fit::letterbox, 640, 480, 32, 32);
    expect_rect(seen_part(letterbox), 0, 0, 640, 480);
    expect_rect(in_picture({0, 0, 32, 32}, letterbox), 0, -80, 640, 640);
}

TEST(MeanColour, IsTheByteThatBecomesZero) {
    image::Preprocessing p;
    p.mean = {0.2F, 0.4F, 0.6F};
    EXPECT_EQ(mean_colour(p), (Colour{51, 102, 153}));
    p.bgr = true;
    EXPECT_EQ(mean_colour(p), (Colour{153, 102, 51}));
    p.range = 255;
    p.mean = {103.939F, 116.779F, 123.68F};
    EXPECT_EQ(mean_colour(p), (Colour{124, 117, 104}));
    p.bgr = false;
    EXPECT_EQ(mean_colour(p, 1), (Colour{104, 104, 104}));
    p.mean = {-5, 300, 0};
    EXPECT_EQ(mean_colour(p), (Colour{0, 255, 0}));
}

/// Red is the column, green the row.
Picture coordinates(int width, int height) {
    Picture picture(width, height);
    for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
            picture.pixel(x, y)[0] = static_cast<std::uint8_t>(x);
            picture.pixel(x, y)[1] = static_cast<std::uint8_t>(y);
            picture.pixel(x, y)[2] = 77;
        }
    }
    return picture;
}

TEST(Cut, AtItsOwnSizeCopies) {
    const Picture picture = coordinates(40, 30);
    const Picture part = cut(picture, {5, 7, 12, 9}, whole(picture), 12, outside);
    ASSERT_EQ(part.width, 12);
    ASSERT_EQ(part.height, 9);
    for (int y = 0; y < 9; ++y) {
        for (int x = 0; x < 12; ++x) EXPECT_TRUE(is_color(part, x, y, {5 + x, 7 + y, 77}, 0));
    }
    EXPECT_EQ(part.pixel(3, 3)[3], 255);
}

TEST(Cut, KeepsTheAspectOfThePart) {
    const Picture picture = coordinates(40, 30);
    for (const auto& [part, width, height] : std::vector<std::tuple<Rect, int, int>>{{{0, 0, 30, 30}, 64, 64},
                                                                                     {{0, 0, 40, 10}, 64, 16},
                                                                                     {{-9, 3, 5, 20}, 16, 64},
                                                                                     {{0, 0, 1000, 1}, 64, 1},
                                                                                     {{0, 0, 7, 0}, 64, 64}}) {
        const Picture tile = cut(picture, part, whole(picture), 64, outside);
        EXPECT_EQ(tile.width, width);
        EXPECT_EQ(tile.height, height);
    }
}

TEST(Cut, ShrinkingAverages) {
    const Picture picture = coordinates(40, 30);
    // Each pixel is the mean of 4×4; of columns 0 … 3 that is 1.5, rounded up.
    const Picture part = cut(picture, {0, 4, 16, 16}, whole(picture), 4, outside);
    ASSERT_EQ(part.width, 4);
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(is_color(part, i, i, {4 * i + 2, 4 + 4 * i + 2, 77}, 0));
    // Between pixels: columns 0.5 … 2.5 are a half of 0, 1, and a half of 2.
    EXPECT_TRUE(is_color(cut(picture, {0.5, 0.5, 2, 2}, whole(picture), 1, outside), 0, 0, {1, 1, 77}, 0));
}

TEST(Cut, GrowingInterpolatesBetweenPixelCentres) {
    Picture picture = plain_picture(2, 1, 0, 0, 0);
    picture.pixel(1, 0)[0] = 200;
    const Picture grown = cut(picture, {0, 0, 2, 1}, whole(picture), 8, outside);
    ASSERT_EQ(grown.width, 8);
    ASSERT_EQ(grown.height, 4);
    const int expected[] = {0, 0, 25, 75, 125, 175, 200, 200};
    for (int x = 0; x < 8; ++x) EXPECT_TRUE(is_color(grown, x, 2, {expected[x], 0, 0}, 0));
}

TEST(Cut, WhatLiesOutsideIsTheGivenColour) {
    const Picture picture = plain_picture(20, 20, 200, 100, 0);
    for (const int tile : {8, 16, 64}) {  // shrinking, as it is, growing
        const Picture part = cut(picture, {-8, 12, 16, 16}, whole(picture), tile, outside);
        for (int y = 0; y < tile; ++y) {
            for (int x = 0; x < tile; ++x) {
                const bool inside = x >= tile / 2 && y < tile / 2;
                EXPECT_TRUE(inside ? is_color(part, x, y, {200, 100, 0}, 0) : is_color(part, x, y, {10, 20, 30}, 0))
                    << "tile " << tile;
            }
        }
    }
    // All outside, on every side.
    for (const Rect& far : {Rect{-50, 0, 20, 20}, Rect{20, 0, 20, 20}, Rect{0, -20, 20, 20}, Rect{0, 900, 20, 20}}) {
        const Picture part = cut(picture, far, whole(picture), 4, outside);
        for (int i = 0; i < 16; ++i) EXPECT_TRUE(is_color(part, i % 4, i / 4, {10, 20, 30}, 0));
    }
}

TEST(Cut, APixelThatLiesPartlyOutsideIsBlended) {
    const Picture picture = plain_picture(20, 20, 210, 120, 30);
    // Each takes 4 pixels; the first has 3 of them outside.
    const Picture part = cut(picture, {-3, 0, 16, 16}, whole(picture), 4, outside);
    EXPECT_TRUE(is_color(part, 0, 0, {60, 45, 30}, 0));
    EXPECT_TRUE(is_color(part, 1, 0, {210, 120, 30}, 0));
    // Each is a quarter of a pixel; the edge lies in the middle of the second.
    const Picture grown = cut(picture, {-0.375, 0, 4, 4}, whole(picture), 16, outside);
    EXPECT_TRUE(is_color(grown, 0, 0, {10, 20, 30}, 0));
    EXPECT_TRUE(is_color(grown, 1, 0, {110, 70, 30}, 0));
    EXPECT_TRUE(is_color(grown, 2, 0, {210, 120, 30}, 0));
}

TEST(Cut, PixelsThatTheNetworkDoesNotSeeAreOutside) {
    // Red where it looks, blue beside that; crop's edges lie between pixels.
    const int width = 33;
    const int height = 20;
    Picture picture = plain_picture(width, height, 0, 0, 255);
    const image::Placement placement = image::place(image::Fit::crop, width, height, 16, 16);
    const Rect seen = seen_part(placement);
    EXPECT_EQ(seen.x, 6.5);
    for (int y = 0; y < height; ++y) {
        for (int x = 6; x < 27; ++x)
            std::copy_n(std::array<std::uint8_t, 3>{255, 0, 0}.begin(), 3, picture.pixel(x, y));
    }
    for (const int tile : {9, 64}) {
        const Picture part = cut(picture, in_picture({-4, -4, 24, 24}, placement), seen, tile, {0, 255, 0});
        for (int y = 0; y < tile; ++y) {
            for (int x = 0; x < tile; ++x) EXPECT_EQ(part.pixel(x, y)[2], 0) << x << "," << y << " at " << tile;
        }
        EXPECT_TRUE(is_color(part, tile / 2, tile / 2, {255, 0, 0}, 0));
        EXPECT_TRUE(is_color(part, 0, 0, {0, 255, 0}, 0));
    }
}

TEST(Cut, AFieldLargerThanTheImageShowsItSmallInTheMiddle) {
    const Picture picture = plain_picture(32, 32, 255, 0, 0);
    const Picture part = cut(picture, {-32, -32, 96, 96}, whole(picture), 48, neutral_grey);
    int inside = 0;
    for (int y = 0; y < 48; ++y) {
        for (int x = 0; x < 48; ++x) {
            const bool red = x >= 16 && x < 32 && y >= 16 && y < 32;
            inside += red ? 1 : 0;
            EXPECT_TRUE(red ? is_color(part, x, y, {255, 0, 0}, 0) : is_color(part, x, y, {128, 128, 128}, 0));
        }
    }
    EXPECT_EQ(inside, 256);
}

TEST(Cut, MayLookAtNothing) {
    const double nan = std::nan("");
    const Picture none;
    for (const Rect& part : {Rect{0, 0, 0, 0}, Rect{0, 0, -4, 4}, Rect{0, 0, nan, 4}, Rect{nan, nan, 4, 4}}) {
        const Picture tile = cut(plain_picture(8, 8, 1, 1, 1), part, {0, 0, 8, 8}, 4, outside);
        ASSERT_EQ(tile.rgba.size(), 64U);
        EXPECT_TRUE(is_color(tile, 2, 2, {10, 20, 30}, 0));
    }
    EXPECT_TRUE(is_color(cut(none, {0, 0, 4, 4}, whole(none), 4, outside), 1, 1, {10, 20, 30}, 0));
    EXPECT_EQ(cut(none, {0, 0, 4, 4}, whole(none), 0, outside).width, 1);
}

/// The middle of a picture: of the pixel there, or of the two or four around it.
std::array<double, 2> middle_of(const Picture& picture) {
    std::array<double, 2> sum{};
    for (const int y : {(picture.height - 1) / 2, picture.height / 2}) {
        for (const int x : {(picture.width - 1) / 2, picture.width / 2}) {
            for (std::size_t c = 0; c < 2; ++c) sum.at(c) += picture.pixel(x, y)[c] / 4.0;
        }
    }
    return sum;
}

TEST(Cut, TheMiddleOfAPatchIsTheCameraPixelThatTheUnitLooksAt) {
    std::mt19937 random(7);
    const auto pick = [&](int from, int to) { return std::uniform_int_distribution<int>(from, to)(random); };
    int looked = 0;
    for (int trial = 0; trial < 2000; ++trial) {
        const int width = pick(20, 250);
        const int height = pick(20, 250);
        const int input_width = pick(8, 120);
        const int input_height = pick(8, 120);
        const auto fit = static_cast<image::Fit>(pick(0, 2));
        const image::Placement placement = image::place(fit, width, height, input_width, input_height);
        const FieldCase& rows = field_cases[static_cast<std::size_t>(pick(0, 4))];
        const FieldCase& columns = field_cases[static_cast<std::size_t>(pick(0, 4))];
        const int y = pick(0, static_cast<int>(input_height / rows.field.stride));
        const int x = pick(0, static_cast<int>(input_width / columns.field.stride));

        // Where the middle of the pixels that it sees lies in the camera's picture, by the fit's own geometry.
        const auto [top, bottom] = followed_back(rows.layers, y);
        const auto [left, right] = followed_back(columns.layers, x);
        const double u = (left + right) / 2.0;
        const double v = (top + bottom) / 2.0;
        double camera_x = u / input_width * width;
        double camera_y = v / input_height * height;
        double pixel_x = static_cast<double>(width) / input_width;  // of the camera, for one of the input
        double pixel_y = static_cast<double>(height) / input_height;
        if (fit == image::Fit::crop) {
            const double scale = std::min(pixel_x, pixel_y);
            camera_x = width / 2.0 + (u - input_width / 2.0) * scale;
            camera_y = height / 2.0 + (v - input_height / 2.0) * scale;
            pixel_x = pixel_y = scale;
        } else if (fit == image::Fit::letterbox) {
            pixel_x = static_cast<double>(width) / placement.place_width;
            pixel_y = static_cast<double>(height) / placement.place_height;
            camera_x = (u - placement.left) * pixel_x;
            camera_y = (v - placement.top) * pixel_y;
        }
        const Rect seen = seen_part(placement);
        const int tile = pick(5, 90);
        // What surrounds the middle must lie inside, or it is not the camera's.
        const double longer = std::max((right - left) * pixel_x, (bottom - top) * pixel_y);
        const double margin = 1.5 * longer / tile + 1;
        if (camera_x < seen.x + margin || camera_x > seen.x + seen.width - margin || camera_y < seen.y + margin ||
            camera_y > seen.y + seen.height - margin) {
            continue;
        }
        ++looked;
        const Rect part = in_picture(field_of({rows.field, columns.field}, y, x, input_width, input_height), placement);
        const Picture patch = cut(coordinates(width, height), part, seen, tile, outside);
        const auto [column, row] = middle_of(patch);
        // Pixel i has its middle at i + 0.5; bytes are rounded.
        ASSERT_NEAR(column, camera_x - 0.5, 0.51) << "trial " << trial << ", tile " << tile;
        ASSERT_NEAR(row, camera_y - 0.5, 0.51) << "trial " << trial << ", tile " << tile;
    }
    EXPECT_GT(looked, 500);
}

Moment moment(float value, double seconds) {
    Moment made;
    made.value = value;
    made.seconds = seconds;
    return made;
}

std::vector<float> values_of(const LiveBest& best) {
    std::vector<float> values;
    for (const Moment& one : best.moments()) values.push_back(one.value);
    return values;
}

TEST(LiveBest, KeepsTheNineStrongestInOrder) {
    LiveBest best;
    EXPECT_EQ(best.version(), 0U);
    std::vector<float> given{3, 14, 1, 59, 26, 5, 35, 8, 9, 7, 93, 2, 38, 4, 62};
    for (std::size_t i = 0; i < given.size(); ++i) {
        const bool wanted = best.wants(given[i], 2.0 * static_cast<double>(i));
        EXPECT_EQ(best.add(moment(given[i], 2.0 * static_cast<double>(i))), wanted);
        ASSERT_LE(best.moments().size(), LiveBest::capacity);
    }
    EXPECT_EQ(values_of(best), (std::vector<float>{93, 62, 59, 38, 35, 26, 14, 9, 8}));
    EXPECT_FALSE(best.wants(8, 100)) << "no stronger than the weakest";
    EXPECT_TRUE(best.wants(8.5F, 100));
}

TEST(LiveBest, NeverWantsWhatIsNotPositive) {
    LiveBest best;
    for (const float value : {0.0F, -0.0F, -1.0F, std::nanf(""), std::numeric_limits<float>::infinity()}) {
        EXPECT_FALSE(best.wants(value, 0)) << value;
        EXPECT_FALSE(best.add(moment(value, 0))) << value;
    }
    EXPECT_TRUE(best.wants(std::numeric_limits<float>::denorm_min(), 0));
    EXPECT_EQ(best.version(), 0U);
}

TEST(LiveBest, FramesOfOneEventAreOneMoment) {
    LiveBest best;
    // An event of 0.9 s at 30 frames a second, rising and falling.
    for (int frame = 0; frame < 27; ++frame) {
        best.add(moment(10 - std::abs(frame - 13) * 0.5F, frame / 30.0));
    }
    ASSERT_EQ(best.moments().size(), 1U);
    EXPECT_EQ(best.moments()[0].value, 10);
    EXPECT_DOUBLE_EQ(best.moments()[0].seconds, 13 / 30.0);

    EXPECT_FALSE(best.wants(9, 13 / 30.0 + 0.99));
    EXPECT_FALSE(best.wants(10, 0.5)) << "equal: the first stays";
    EXPECT_TRUE(best.wants(9, 13 / 30.0 + 1));
    EXPECT_TRUE(best.wants(9, -0.6)) << "a video that begins again goes back in time";
}

TEST(LiveBest, AStrongerMomentTakesTheWeakerOnesOfItsSecondAlong) {
    LiveBest best;
    best.add(moment(5, 10));
    best.add(moment(4, 11.5));
    best.add(moment(1, 20));
    EXPECT_FALSE(best.wants(4.5F, 10.8)) << "weaker than one of the two";
    EXPECT_TRUE(best.add(moment(6, 10.8)));
    EXPECT_EQ(values_of(best), (std::vector<float>{6, 1}));
}

TEST(LiveBest, AFullOneStillImprovesAMoment) {
    LiveBest best;
    for (int i = 0; i < 9; ++i) best.add(moment(static_cast<float>(10 + i), 5.0 * i));
    EXPECT_FALSE(best.wants(9, 100));
    EXPECT_FALSE(best.wants(10, 0.5));
    EXPECT_TRUE(best.add(moment(12.5F, 5.2))) << "replaces 11, not the weakest";
    EXPECT_EQ(values_of(best), (std::vector<float>{18, 17, 16, 15, 14, 13, 12.5F, 12, 10}));
}

TEST(LiveBest, MomentsAreAlwaysASecondApart) {
    std::mt19937 random(3);
    std::uniform_real_distribution<float> values(-1, 5);
    LiveBest best;
    float strongest = 0;
    for (int frame = 0; frame < 3000; ++frame) {
        const float value = values(random);
        strongest = std::max(strongest, value);
        best.add(moment(value, frame / 24.0));
        ASSERT_EQ(best.moments()[0].value, strongest);
        for (std::size_t i = 1; i < best.moments().size(); ++i) {
            ASSERT_LE(best.moments()[i].value, best.moments()[i - 1].value);
            for (std::size_t j = 0; j < i; ++j) {
                ASSERT_GE(std::abs(best.moments()[i].seconds - best.moments()[j].seconds), LiveBest::apart);
            }
        }
    }
    EXPECT_EQ(best.moments().size(), LiveBest::capacity);
}

TEST(LiveBest, TheVersionTellsOfEveryChangeAndOfNothingElse) {
    LiveBest best;
    best.clear();
    EXPECT_EQ(best.version(), 0U);
    best.add(moment(1, 0));
    const std::uint64_t one = best.version();
    EXPECT_NE(one, 0U);
    best.add(moment(0.5F, 0.1));
    EXPECT_EQ(best.version(), one);
    best.add(moment(2, 0.1));
    const std::uint64_t two = best.version();
    EXPECT_NE(two, one);
    best.clear();
    EXPECT_NE(best.version(), two);
    EXPECT_TRUE(best.moments().empty());
    EXPECT_TRUE(best.wants(0.1F, 0.1)) << "nothing of before is left";
}

constexpr std::array<int, 3> background{0x18, 0x1a, 0x1c};

/// One picture of each colour: patches red, the stronger the brighter, projections green.
LiveBest filled(int count, int width, int height) {
    LiveBest best;
    for (int i = 0; i < count; ++i) {
        Moment made = moment(static_cast<float>(100 - i), 10.0 * i);
        const auto level = static_cast<std::uint8_t>(250 - 20 * i);
        made.patch = plain_picture(width, height, level, 0, 0);
        made.projection = plain_picture(width, height, 0, level, 0);
        best.add(std::move(made));
    }
    return best;
}

TEST(LiveBest, TheSheetHasNineColumnsAndTwoRows) {
    for (const int tile : {16, 64}) {
        const Picture sheet = filled(9, tile, tile).sheet(tile);
        const int gap = tile / 16;
        ASSERT_EQ(sheet.width, 9 * tile + 10 * gap);
        ASSERT_EQ(sheet.height, 2 * tile + 3 * gap);
        int drawn = 0;
        for (int y = 0; y < sheet.height; ++y) {
            for (int x = 0; x < sheet.width; ++x) {
                const int column = x / (tile + gap);
                const int row = y / (tile + gap);
                const bool inside = x % (tile + gap) >= gap && y % (tile + gap) >= gap;
                const int level = 250 - 20 * column;
                drawn += inside ? 1 : 0;
                const std::array<int, 3> expected =
                    !inside ? background
                            : (row == 0 ? std::array<int, 3>{level, 0, 0} : std::array<int, 3>{0, level, 0});
                ASSERT_TRUE(is_color(sheet, x, y, expected, 0));
                ASSERT_EQ(sheet.pixel(x, y)[3], 255);
            }
        }
        EXPECT_EQ(drawn, 18 * tile * tile);
    }
}

TEST(LiveBest, ThePosterHasPatchesOnTheLeftAndProjectionsOnTheRight) {
    const int tile = 32;
    const Picture poster = filled(9, tile, tile).poster(tile);
    EXPECT_EQ(poster.height, 3 * tile + 4 * 2);
    EXPECT_EQ(poster.width, 6 * tile + 9 * 2);
    for (std::size_t i = 0; i < 9; ++i) {
        const int level = 250 - 20 * static_cast<int>(i);
        const image::Box patch = LiveBest::poster_box(i, false, tile);
        const image::Box projection = LiveBest::poster_box(i, true, tile);
        EXPECT_TRUE(is_color(poster, patch.left, patch.top, {level, 0, 0}, 0));
        EXPECT_TRUE(is_color(poster, patch.left + tile - 1, patch.top + tile - 1, {level, 0, 0}, 0));
        EXPECT_TRUE(is_color(poster, patch.left + tile, patch.top + tile, background, 0));
        EXPECT_TRUE(is_color(poster, projection.left, projection.top, {0, level, 0}, 0));
        EXPECT_TRUE(is_color(poster, projection.left + tile - 1, projection.top + tile - 1, {0, level, 0}, 0));
        EXPECT_TRUE(is_color(poster, projection.left - 1, projection.top, background, 0));
        EXPECT_EQ(projection.top, patch.top);
        EXPECT_EQ(patch.left, 2 + static_cast<int>(i % 3) * (tile + 2));
        EXPECT_EQ(patch.top, 2 + static_cast<int>(i / 3) * (tile + 2));
        EXPECT_GT(projection.left, 3 * (tile + 2)) << "right of all patches";
    }
}

TEST(LiveBest, FreePlacesAreFaintFrames) {
    const int tile = 32;
    for (const Picture& picture : {filled(2, tile, tile).sheet(tile), LiveBest().sheet(tile)}) {
        const image::Box box = LiveBest::sheet_box(2, true, tile);
        const std::uint8_t* corner = picture.pixel(box.left, box.top);
        for (std::size_t c = 0; c < 3; ++c) {
            EXPECT_GT(corner[c], background.at(c));
            EXPECT_LT(corner[c], 80);
        }
        EXPECT_TRUE(is_color(picture, box.left + tile / 2, box.top + tile / 2, background, 0));
        EXPECT_FALSE(is_color(picture, box.left + tile - 1, box.top + tile - 1, background, 0));
    }
}

TEST(LiveBest, PicturesOfOtherSizesAreFittedIntoTheirPlaces) {
    const int tile = 32;
    for (const auto& [width, height] : {std::pair(64, 64), {8, 8}, {64, 16}, {8, 32}, {1, 1}}) {
        const Picture sheet = filled(1, width, height).sheet(tile);
        const image::Box box = LiveBest::sheet_box(0, false, tile);
        EXPECT_TRUE(is_color(sheet, box.left + tile / 2, box.top + tile / 2, {250, 0, 0}, 0));
        const bool wide = width >= height;
        const bool tall = height >= width;
        EXPECT_TRUE(
            is_color(sheet, box.left, box.top + tile / 2, wide ? std::array<int, 3>{250, 0, 0} : background, 0));
        EXPECT_TRUE(
            is_color(sheet, box.left + tile / 2, box.top, tall ? std::array<int, 3>{250, 0, 0} : background, 0));
    }
    // A moment without pictures leaves its place empty.
    LiveBest best;
    best.add(moment(1, 0));
    EXPECT_TRUE(is_color(best.sheet(tile), 10, 10, background, 0));
    EXPECT_EQ(best.poster(0).height, 3 * 1 + 4 * 1);
}

}  // namespace
}  // namespace deconv::live
