// Planes as tiles, marks of switches, thumbnails and their grids, each against plain loops over pixels.
#include "image/tiles.h"

#include <functional>
#include <tuple>

#include "image/image_testing.h"
#include "image/maps.h"

namespace deconv::testing {
namespace {

using image::Planes;
using image::TileRow;
using image::TileStyle;
using Bytes = std::vector<std::uint8_t>;

constexpr std::uint32_t untouched = 0x7b5a3c11;
constexpr std::array<std::uint8_t, 3> background{0x18, 0x1a, 0x1c};

/// Numbers of both signs, some of them zero.
std::vector<float> signal(std::size_t count, unsigned seed, double zeros = 0.2) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::uniform_real_distribution<double> uniform;
    std::vector<float> values(count);
    for (float& value : values) value = uniform(random) < zeros ? 0.0F : normal(random);
    return values;
}

struct Stats {
    float largest, mean;
};

std::vector<Stats> stats_of(const std::vector<float>& values, std::size_t planes) {
    const std::size_t plane = values.size() / planes;
    std::vector<Stats> stats;
    for (std::size_t p = 0; p < planes; ++p) {
        double sum = 0;
        float largest = 0;
        for (std::size_t i = 0; i < plane; ++i) {
            sum += values[p * plane + i];
            largest = std::max(largest, std::abs(values[p * plane + i]));
        }
        stats.push_back({largest, static_cast<float>(sum / static_cast<double>(plane))});
    }
    return stats;
}

TEST(PlaneStats, AreTheLargestMagnitudeAndTheMean) {
    // Around the 64 invocations of a group, and more planes than a row of groups has.
    for (const auto& [channels, height, width] : std::vector<std::tuple<int, int, int>>{{1, 1, 1},
                                                                                        {3, 1, 2},
                                                                                        {5, 7, 9},
                                                                                        {2, 8, 8},
                                                                                        {4, 5, 13},
                                                                                        {7, 1, 129},
                                                                                        {33, 13, 11},
                                                                                        {1, 301, 97},
                                                                                        {70001, 1, 3}}) {
        SCOPED_TRACE(std::to_string(channels) + "x" + std::to_string(height) + "x" + std::to_string(width));
        const auto count = static_cast<std::size_t>(channels);
        std::vector<float> values = signal(count * static_cast<std::size_t>(height * width), 21);
        const std::size_t plane = values.size() / count;
        // A plane of which the largest magnitude is negative, one that is negative throughout, and one of nothing.
        if (channels >= 4) {
            values[plane - 1] = -50;
            for (std::size_t i = 0; i < plane; ++i) values[plane + i] = -std::abs(values[plane + i]) - 1;
            std::fill_n(values.begin() + static_cast<std::ptrdiff_t>(2 * plane), plane, 0.0F);
        }
        const gpu::Buffer tensor = on_device(values);
        const gpu::Buffer stats = on_device(std::vector<Stats>(count, {-7, -7}));
        run_steps({image::plane_stats_step({tensor.slice(), channels, height, width}, stats.slice())});
        const std::vector<Stats> is = from_device<Stats>(stats.slice());
        const std::vector<Stats> should = stats_of(values, count);
        for (std::size_t p = 0; p < count; ++p) {
            ASSERT_EQ(is[p].largest, should[p].largest) << "plane " << p;
            ASSERT_NEAR(is[p].mean, should[p].mean, 1e-5 * (1 + should[p].largest)) << "plane " << p;
        }
    }
}

/// A row of tiles in a picture, and what lies in it.
struct Drawn {
    std::string what;
    int channels, map_height, map_width;
    TileRow row;
    std::vector<std::int32_t> choices;
    int picture_width, picture_height;
};

void PrintTo(const Drawn& d, std::ostream* out) {  // NOLINT(readability-identifier-naming): googletest's
    *out << d.channels << "x" << d.map_height << "x" << d.map_width << " in tiles of " << d.row.tile_height << "x"
         << d.row.tile_width;
}

const std::vector<Drawn> drawn = {
    {"enlarged by a whole factor", 4, 5, 6, {2, 3, 18, 15, 20, 3}, {2, 0, 3}, 64, 20},
    {"enlarged by a broken one", 3, 5, 3, {1, 0, 8, 13, 9, 3}, {0, 1, 2}, 29, 14},
    {"as large", 5, 7, 9, {0, 0, 9, 7, 9, 2}, {4, 1}, 18, 7},
    {"shrunk", 3, 40, 31, {5, 2, 9, 11, 12, 3}, {1, 2, 0}, 45, 15},
    {"shrunk by a whole factor", 2, 32, 24, {0, 1, 8, 8, 8, 2}, {1, 0}, 16, 10},
    {"shrunk across and enlarged down", 2, 3, 50, {3, 1, 16, 20, 17, 2}, {0, 1}, 40, 22},
    {"with empty places", 6, 4, 4, {1, 1, 8, 8, 9, 4}, {-1, 5, -1, 0}, 40, 10},
    {"a vector", 1, 1, 37, {0, 0, 100, 9, 104, 1}, {0}, 101, 9},
    {"the same plane twice", 3, 2, 2, {0, 0, 5, 5, 6, 2}, {1, 1}, 12, 5},
    {"nothing chosen", 3, 2, 2, {0, 0, 5, 5, 6, 2}, {-1, -1}, 12, 5},
};

/// The entries of a map that lie under a pixel of a tile along one axis: [first, last).
std::pair<int, int> under(int pixel, int map, int tile) {
    const int first = pixel * map / tile;
    return {first, std::max(first + 1, (pixel + 1) * map / tile)};
}

/// Looks at every pixel of a picture: f(tile, y, x) for those of a tile, (−1, …) for others.
void for_each_pixel(const Drawn& d, const std::function<void(std::size_t at, int tile, int y, int x)>& f) {
    for (int py = 0; py < d.picture_height; ++py) {
        for (int px = 0; px < d.picture_width; ++px) {
            const int x = px - d.row.left;
            const int y = py - d.row.top;
            const int tile = x >= 0 ? x / d.row.step : -1;
            const bool inside =
                x >= 0 && y >= 0 && y < d.row.tile_height && tile < d.row.count && x % d.row.step < d.row.tile_width;
            f(static_cast<std::size_t>(py * d.picture_width + px), inside ? tile : -1, y, inside ? x % d.row.step : x);
        }
    }
}

std::string colour_at(const Bytes& picture, std::size_t at) {
    std::string text;
    for (std::size_t c = 0; c < 4; ++c) text += std::to_string(picture[4 * at + c]) + " ";
    return text;
}

class Tiles : public ::testing::TestWithParam<Drawn> {
  protected:
    Tiles() : d(GetParam()), values(signal(count(), 31)) {
        // What is not chosen is a hundred times as large: it must not matter.
        for (std::size_t c = 0; c < static_cast<std::size_t>(d.channels); ++c) {
            const bool chosen = std::find(d.choices.begin(), d.choices.end(), c) != d.choices.end();
            for (std::size_t i = 0; i < plane() && !chosen; ++i) values[c * plane() + i] *= 100;
        }
    }
    std::size_t plane() const { return static_cast<std::size_t>(d.map_height * d.map_width); }
    std::size_t count() const { return static_cast<std::size_t>(d.channels) * plane(); }
    std::size_t pixels() const { return static_cast<std::size_t>(d.picture_width * d.picture_height); }

    /// Draws the tiles, and marks over them where there are switches.
    Bytes draw(TileStyle style, const std::vector<std::uint32_t>& switches = {}) const {
        const gpu::Buffer tensor = on_device(values);
        const gpu::Buffer stats = on_device(stats_of(values, static_cast<std::size_t>(d.channels)));
        const gpu::Buffer choices = on_device(d.choices);
        const gpu::Buffer picture = on_device(std::vector<std::uint32_t>(pixels(), untouched));
        const Planes planes{tensor.slice(), d.channels, d.map_height, d.map_width};
        const image::DevicePicture canvas{picture.slice(), d.picture_width, d.picture_height};
        const gpu::DeviceInfo& device = engine().device.info();
        std::vector<gpu::Step> steps{
            image::tiles_step(device, style, planes, stats.slice(), choices.slice(), canvas, d.row)};
        gpu::Buffer marks;
        if (!switches.empty()) {
            marks = on_device(switches);
            const int pooled = static_cast<int>(switches.size()) / d.channels;
            steps.push_back(
                image::switches_step(device, marks.slice(), pooled, planes, choices.slice(), canvas, d.row));
        }
        run_steps(steps);
        return from_device<std::uint8_t>(picture.slice());
    }

    float chosen_largest() const {
        const std::vector<Stats> stats = stats_of(values, static_cast<std::size_t>(d.channels));
        float largest = 0;
        for (const std::int32_t c : d.choices) {
            if (c >= 0) largest = std::max(largest, stats[static_cast<std::size_t>(c)].largest);
        }
        return largest;
    }

    /// The entry of the largest magnitude under a pixel of a tile.
    float entry(int channel, int y, int x) const {
        float value = 0;
        const auto [v0, v1] = under(y, d.map_height, d.row.tile_height);
        const auto [u0, u1] = under(x, d.map_width, d.row.tile_width);
        for (int v = v0; v < v1; ++v) {
            for (int u = u0; u < u1; ++u) {
                const float here = values[static_cast<std::size_t>((channel * d.map_height + v) * d.map_width + u)];
                if (std::abs(here) > std::abs(value)) value = here;
            }
        }
        return value;
    }

    /// R, G, B in 0 … 1, by the words at the top of tiles.comp.
    std::array<double, 3> expected(TileStyle style, int channel, int y, int x) const {
        const double largest = chosen_largest();
        const double value = entry(channel, y, x);
        const double size = largest > 0 ? std::sqrt(std::abs(value) / largest) : 0;
        std::array<double, 3> colour{};
        const std::array<double, 3> warm{1.0, 0.93, 0.75};
        const std::array<double, 3> blue{0.15, 0.45, 1.0};
        const std::array<double, 3> deep{0.1, 0.25, 0.9};
        for (std::size_t c = 0; c < 3; ++c) {
            const double grey = 64.0 / 255;
            colour.at(c) = style == TileStyle::activation ? (value >= 0 ? size : deep.at(c) * size)
                                                          : grey + size * ((value >= 0 ? warm : blue).at(c) - grey);
        }
        return colour;
    }

    void expect_tiles(TileStyle style) const {
        const Bytes picture = draw(style);
        for_each_pixel(d, [&](std::size_t at, int tile, int y, int x) {
            const std::string where = "tile " + std::to_string(tile) + ", pixel " + std::to_string(y) + "," +
                                      std::to_string(x) + ": " + colour_at(picture, at);
            const std::int32_t channel = tile < 0 ? -2 : d.choices[static_cast<std::size_t>(tile)];
            for (std::size_t c = 0; c < 4; ++c) {
                if (tile < 0) {
                    ASSERT_EQ(picture[4 * at + c], untouched >> (8 * c) & 0xffU) << "beside the tiles, " << where;
                } else if (c == 3) {
                    ASSERT_EQ(picture[4 * at + c], 255) << where;
                } else if (channel < 0) {
                    ASSERT_EQ(picture[4 * at + c], background.at(c)) << "of an empty tile, " << where;
                } else {
                    ASSERT_NEAR(picture[4 * at + c], 255 * expected(style, channel, y, x).at(c), 0.6) << where;
                }
            }
        });
    }

    const Drawn& d;
    std::vector<float> values;
};

INSTANTIATE_TEST_SUITE_P(All, Tiles, ::testing::ValuesIn(drawn), [](const auto& test) {
    std::string name = test.param.what;
    std::replace(name.begin(), name.end(), ' ', '_');
    return name;
});

TEST_P(Tiles, OfASignal) {
    expect_tiles(TileStyle::signal);
}

TEST_P(Tiles, OfActivations) {
    expect_tiles(TileStyle::activation);
}

TEST_P(Tiles, OfNothingAreNeutral) {
    std::fill(values.begin(), values.end(), 0.0F);
    expect_tiles(TileStyle::signal);
    expect_tiles(TileStyle::activation);
}

/// A pixel is marked where a switch lies under it and no signal was placed; nothing else changes.
TEST_P(Tiles, SwitchesAreMarkedWhereTheyLie) {
    std::mt19937 random(41);
    // Mostly zero, as after unpooling.
    values = signal(count(), 42, 0.85);
    const auto pooled = std::max<std::size_t>(1, plane() / 4);
    std::vector<std::uint32_t> switches(static_cast<std::size_t>(d.channels) * pooled);
    for (std::uint32_t& place : switches) {
        // A window of nothing but padding has none.
        place = random() % 8 == 0 ? 0xffffffffU : static_cast<std::uint32_t>(random() % plane());
    }
    const Bytes before = draw(TileStyle::signal);
    const Bytes after = draw(TileStyle::signal, switches);
    std::size_t marks = 0;
    for_each_pixel(d, [&](std::size_t at, int tile, int y, int x) {
        const std::int32_t channel = tile < 0 ? -1 : d.choices[static_cast<std::size_t>(tile)];
        bool marked = false;
        if (channel >= 0) {
            const auto [v0, v1] = under(y, d.map_height, d.row.tile_height);
            const auto [u0, u1] = under(x, d.map_width, d.row.tile_width);
            for (std::size_t i = 0; i < pooled; ++i) {
                const std::uint32_t place = switches[static_cast<std::size_t>(channel) * pooled + i];
                if (place == 0xffffffffU) continue;
                const int v = static_cast<int>(place) / d.map_width;
                const int u = static_cast<int>(place) % d.map_width;
                marked = marked || (v >= v0 && v < v1 && u >= u0 && u < u1);
            }
        }
        const bool grey = before[4 * at] == 64 && before[4 * at + 1] == 64 && before[4 * at + 2] == 64;
        const std::array<int, 4> expected = marked && grey ? std::array<int, 4>{41, 102, 97, 255}
                                                           : std::array<int, 4>{before[4 * at], before[4 * at + 1],
                                                                                before[4 * at + 2], before[4 * at + 3]};
        if (marked && grey) ++marks;
        for (std::size_t c = 0; c < 4; ++c) {
            ASSERT_EQ(after[4 * at + c], expected.at(c))
                << "tile " << tile << ", pixel " << y << "," << x << (marked ? " lies over a switch" : "");
        }
    });
    const bool any = std::any_of(d.choices.begin(), d.choices.end(), [](std::int32_t c) { return c >= 0; });
    EXPECT_EQ(marks > 0, any && plane() > 1);
}

/// One axis of a picture resampled: exact area coverage where it shrinks, bilinear between pixel centres where it
/// grows.  The weight of source pixel i in output pixel o.
double weight(int from, int to, int o, int i) {
    const double scale = static_cast<double>(from) / to;
    if (scale >= 1) {
        const double low = o * scale;
        return std::max(0.0, std::min(low + scale, i + 1.0) - std::max(low, static_cast<double>(i))) / scale;
    }
    const double centre = std::clamp((o + 0.5) * scale - 0.5, 0.0, from - 1.0);
    return std::max(0.0, 1 - std::abs(centre - i));
}

struct Thumbnails {
    std::string what;
    int width, height;
    image::ThumbnailGrid grid;
};

TEST(Mosaic, CopiesGoToTheirChannelsTiles) {
    const std::vector<Thumbnails> cases = {
        {"shrunk", 40, 30, {7, 3, 3, 11, 9, 2}},      {"enlarged", 5, 6, {5, 5, 1, 13, 17, 2}},
        {"as large", 12, 8, {4, 2, 2, 12, 8, 3}},     {"one pixel", 1, 1, {3, 2, 2, 8, 8, 2}},
        {"across only", 64, 8, {10, 4, 3, 9, 8, 1}},  {"a single channel", 9, 9, {1, 1, 1, 4, 4, 2}},
        {"without gaps", 16, 12, {6, 3, 2, 8, 6, 0}},
    };
    for (const Thumbnails& t : cases) {
        SCOPED_TRACE(t.what);
        const image::ThumbnailGrid& grid = t.grid;
        const int first = 1;
        // The copy before the first, channels that the grid does not have, and one that names none.
        std::vector<std::int32_t> channels{0, grid.channels - 1, grid.channels, -1, -2, grid.channels + 50};
        if (grid.channels > 2) channels.push_back(1);
        if (grid.channels > 4) channels.push_back(grid.channels / 2);
        const int count = static_cast<int>(channels.size()) - first;
        std::vector<nn::ResolvedSelection> selections;
        Bytes copies;
        for (std::size_t k = 0; k < channels.size(); ++k) {
            selections.push_back({channels[k], 0, 0, 0, 0, 5, {}});
            const Bytes copy = noise(t.width, t.height, static_cast<unsigned>(60 + k));
            copies.insert(copies.end(), copy.begin(), copy.end());
        }
        const auto pixels = static_cast<std::size_t>(grid.width() * grid.height());
        const gpu::Buffer pictures = on_device(copies);
        const gpu::Buffer chosen = on_device(selections);
        const gpu::Buffer mosaic = on_device(std::vector<std::uint32_t>(pixels, untouched));
        run_steps({image::mosaic_step(engine().device.info(), pictures.slice(), first, count, t.width, t.height,
                                      chosen.slice(), grid, mosaic.slice())});
        const Bytes is = from_device<std::uint8_t>(mosaic.slice());
        for (int py = 0; py < grid.height(); ++py) {
            for (int px = 0; px < grid.width(); ++px) {
                const int x = px % (grid.tile_width + grid.gap);
                const int y = py % (grid.tile_height + grid.gap);
                const int channel =
                    py / (grid.tile_height + grid.gap) * grid.columns + px / (grid.tile_width + grid.gap);
                const auto at = 4 * static_cast<std::size_t>(py * grid.width() + px);
                const auto copy = std::find(channels.begin() + first, channels.end(), channel);
                const bool drawn_here =
                    x < grid.tile_width && y < grid.tile_height && channel < grid.channels && copy != channels.end();
                for (std::size_t c = 0; c < 3; ++c) {
                    if (!drawn_here) {
                        ASSERT_EQ(is[at + c], untouched >> (8 * c) & 0xffU) << "pixel " << py << "," << px;
                        continue;
                    }
                    double should = 0;
                    for (int v = 0; v < t.height; ++v) {
                        for (int u = 0; u < t.width; ++u) {
                            const auto k = static_cast<int>(copy - channels.begin());
                            should += weight(t.height, grid.tile_height, y, v) *
                                      weight(t.width, grid.tile_width, x, u) *
                                      copies[4 * static_cast<std::size_t>((k * t.height + v) * t.width + u) + c];
                        }
                    }
                    ASSERT_NEAR(is[at + c], should, 0.51)
                        << "channel " << channel << ", pixel " << y << "," << x << ", colour " << c;
                }
                ASSERT_EQ(is[at + 3], drawn_here ? 255 : untouched >> 24U);
            }
        }
    }
}

TEST(Grids, ColumnsLeaveTheFewestPlacesEmptyNearTheIdeal) {
    const auto empty = [](int count, int columns) { return (columns - count % columns) % columns; };
    for (int count = 1; count <= 300; count += count < 40 ? 1 : 7) {
        for (const double ideal : {0.0, 0.3, 1.0, 2.4, 3.5, 7.9, 12.0, 17.2, 31.0, 400.0}) {
            const int columns = image::grid_columns(count, ideal);
            ASSERT_GE(columns, 1) << count << " at " << ideal;
            ASSERT_LE(columns, count) << count << " at " << ideal;
            const int about = std::clamp(static_cast<int>(std::lround(ideal)), 1, count);
            const int reach = std::max(1, about / 5);
            EXPECT_LE(std::abs(columns - about), reach) << count << " at " << ideal;
            for (int other = std::max(1, about - reach); other <= std::min(count, about + reach); ++other) {
                EXPECT_LE(empty(count, columns), empty(count, other)) << count << " at " << ideal << ": " << other;
                if (empty(count, columns) == empty(count, other)) {
                    EXPECT_LE(std::abs(columns - about), std::abs(other - about)) << count << " at " << ideal;
                }
            }
        }
    }
}

TEST(Grids, MapsAreFoundUnderThePixelsThatShowThem) {
    for (const int channels : {1, 2, 3, 17, 64, 96, 1000}) {
        for (const auto& [width, height] :
             std::vector<std::pair<int, int>>{{1, 1}, {13, 13}, {7, 5}, {2, 40}, {56, 48}, {60, 3}}) {
            const image::MapGrid grid = image::map_grid(channels, width, height, 1.2);
            SCOPED_TRACE(std::to_string(channels) + " maps of " + std::to_string(width) + "x" + std::to_string(height));
            ASSERT_GE(grid.columns * grid.rows, channels);
            ASSERT_LT((grid.rows - 1) * grid.columns, channels) << "an empty row";
            EXPECT_GE(std::max(width, height) * grid.scale, 12);
            ASSERT_GT(grid.tile_width, width * grid.scale) << "no gap";
            ASSERT_GT(grid.tile_height, height * grid.scale) << "no gap";
            // Every place of a few maps, by its corners and middle.
            for (const int channel : {0, 1, channels / 2, channels - 1}) {
                if (channel >= channels) continue;
                const auto [left, top] = grid.origin(channel);
                EXPECT_TRUE(left >= 0 && top >= 0 && left + grid.tile_width <= grid.width() &&
                            top + grid.tile_height <= grid.height());
                for (int y = 0; y < height; ++y) {
                    for (int x = 0; x < width; ++x) {
                        for (const double in : {0.0, 0.5, 0.999}) {
                            const auto hit = grid.hit(left + (x + in) * grid.scale, top + (y + in) * grid.scale);
                            ASSERT_TRUE(hit.channel == channel && hit.y == y && hit.x == x)
                                << "channel " << channel << " at " << y << "," << x << ": " << hit.channel << " at "
                                << hit.y << "," << hit.x;
                        }
                    }
                }
                EXPECT_EQ(grid.hit(left + width * grid.scale, top).channel, -1) << "in the gap";
                EXPECT_EQ(grid.hit(left, top + height * grid.scale).channel, -1) << "in the gap";
            }
            const auto [left, top] = grid.origin(grid.columns * grid.rows - 1);
            if (grid.columns * grid.rows > channels) {
                EXPECT_EQ(grid.hit(left + 0.5, top + 0.5).channel, -1);
            }
            for (const auto& [x, y] : std::vector<std::pair<double, double>>{
                     {-0.5, 0.5}, {0.5, -0.5}, {grid.width(), 0.5}, {0.5, grid.height()}, {-1e9, -1e9}, {1e9, 1e9}}) {
                EXPECT_EQ(grid.hit(x, y).channel, -1) << x << "," << y;
            }
        }
    }
}

TEST(Grids, ThumbnailsHavePlacesForAllAndFitThePixels) {
    for (const int channels : {1, 2, 5, 64, 100, 512, 1000}) {
        for (const auto& [width, height] :
             std::vector<std::pair<int, int>>{{64, 64}, {227, 227}, {320, 200}, {30, 90}}) {
            for (const double pixels : {5e4, 5e5, 2e6}) {
                const image::ThumbnailGrid grid = image::thumbnail_grid(channels, width, height, 1.2, pixels);
                SCOPED_TRACE(std::to_string(channels) + " of " + std::to_string(width) + "x" + std::to_string(height) +
                             " in " + std::to_string(pixels));
                ASSERT_EQ(grid.channels, channels);
                ASSERT_GE(grid.columns * grid.rows, channels);
                ASSERT_LT((grid.rows - 1) * grid.columns, channels) << "an empty row";
                ASSERT_TRUE(grid.tile_width >= 8 && grid.tile_height >= 8);
                EXPECT_TRUE(grid.tile_width <= std::max(8, width) && grid.tile_height <= std::max(8, height));
                const double used = static_cast<double>(channels) * grid.tile_width * grid.tile_height;
                if (grid.tile_width > 8 && grid.tile_height > 8) {
                    EXPECT_LE(used, pixels);
                    // As large as that allows: a pixel more on both sides would be too much.
                    const double more = static_cast<double>(channels) * (grid.tile_width + 1) * (grid.tile_height + 1);
                    EXPECT_TRUE(more > pixels * 0.999 || grid.tile_width == width) << used;
                    EXPECT_NEAR(static_cast<double>(grid.tile_width) / grid.tile_height,
                                static_cast<double>(width) / height, 0.2 * width / height);
                }
                for (int channel = 0; channel < channels; ++channel) {
                    const double left = channel % grid.columns * (grid.tile_width + grid.gap);
                    const double top = channel / grid.columns * (grid.tile_height + grid.gap);
                    ASSERT_EQ(grid.hit(left, top), channel);
                    ASSERT_EQ(grid.hit(left + grid.tile_width - 0.01, top + grid.tile_height - 0.01), channel);
                }
                if (grid.columns * grid.rows > channels) {
                    EXPECT_EQ(grid.hit(grid.width() - 3, grid.height() - 3), -1);
                }
                for (const auto& [x, y] : std::vector<std::pair<double, double>>{
                         {-0.5, 0.5}, {0.5, -0.5}, {grid.width(), 0.5}, {0.5, grid.height()}}) {
                    EXPECT_EQ(grid.hit(x, y), -1) << x << "," << y;
                }
            }
        }
    }
}

}  // namespace
}  // namespace deconv::testing
