// From R₀ to a picture, against the float64 reference.
#include "image/mapping.h"

namespace deconv::testing {
namespace {

struct Mode {
    image::Display display;
    reference::Display reference;
    double blur;
    const char* name;
};

const std::vector<Mode> modes = {
    {image::Display::signed_zero_grey, reference::Display::signed_, 0, "Signed"},
    {image::Display::positive, reference::Display::positive, 0, "Positive"},
    {image::Display::norm, reference::Display::norm, 0, "Norm"},
    {image::Display::norm, reference::Display::norm, 1.7, "NormBlurred"},
    {image::Display::range, reference::Display::range, 0, "Range"},
};

class DisplayModes : public ::testing::TestWithParam<Mode> {
  protected:
    static Mapped mapped(int width, int height) {
        Mapped what;
        what.width = width;
        what.height = height;
        what.options.display = GetParam().display;
        what.options.blur = GetParam().blur;
        return what;
    }
    static reference::Tensor reference_of(const reference::Tensor& r0, const reference::Box& box) {
        const reference::Preprocessing plain{false, 1, {0, 0, 0}, {1, 1, 1}};
        return reference::display(r0, GetParam().reference, reference::Rule::deconv, plain, box, GetParam().blur);
    }
};

INSTANTIATE_TEST_SUITE_P(All, DisplayModes, ::testing::ValuesIn(modes),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(DisplayModes, AsTheReference) {
    for (const auto& [width, height] : std::vector<std::pair<int, int>>{{40, 30}, {96, 96}, {7, 3}, {1, 1}}) {
        MappingRun run(mapped(width, height));
        for (unsigned seed = 1; seed <= 3; ++seed) {
            const reference::Tensor r0 = sparse_signal(width, height, seed);
            run.run(to_floats(r0.data));
            expect_picture(run.picture(), reference_of(r0, {0, 0, height, width}),
                           std::to_string(width) + " wide, seed " + std::to_string(seed));
        }
    }
}

TEST_P(DisplayModes, FactorsAndTheOrderOfColours) {
    const reference::Tensor r0 = sparse_signal(40, 30, 5);
    for (const bool bgr : {false, true}) {
        for (const reference::Rule rule : {reference::Rule::deconv, reference::Rule::gradient}) {
            const reference::Preprocessing preprocessing{bgr, 1, {0.5, 0.4, 0.3}, {0.2, 0.5, 1.5}};
            Mapped what = mapped(40, 30);
            what.options.bgr = bgr;
            for (std::size_t c = 0; c < 3; ++c) {
                const double std = preprocessing.std.at(c);
                what.options.factor.at(c) = static_cast<float>(rule == reference::Rule::gradient ? 1 / std : std);
            }
            MappingRun run(what);
            run.run(to_floats(r0.data));
            expect_picture(
                run.picture(),
                reference::display(r0, GetParam().reference, rule, preprocessing, {0, 0, 30, 40}, GetParam().blur),
                bgr ? "bgr" : "rgb");
        }
    }
}

TEST_P(DisplayModes, NothingAtAllIsNeutral) {
    MappingRun run(mapped(40, 30));
    for (const float seconds : {0.0F, 0.04F, 0.04F}) {
        run.run(std::vector<float>(3 * 40 * 30, 0.0F), {seconds});
        const reference::Tensor nothing = reference::Tensor::zeros({1, 3, 30, 40});
        expect_picture(run.picture(), reference_of(nothing, {0, 0, 30, 40}), "zero");
    }
}

TEST_P(DisplayModes, ASingleValueIsScaledByItself) {
    // Far less than half a percent of the image: the percentile is zero, and the largest decides.
    reference::Tensor r0 = reference::Tensor::zeros({1, 3, 60, 80});
    r0.data[2345] = 3e-7;
    MappingRun run(mapped(80, 60));
    run.run(to_floats(r0.data));
    expect_picture(run.picture(), reference_of(r0, {0, 0, 60, 80}), "one value");
}

TEST_P(DisplayModes, SeveralCopiesAtOnce) {
    Mapped what = mapped(33, 21);
    what.copies = 5;
    MappingRun run(what);
    std::vector<reference::Tensor> signals;
    std::vector<float> all;
    for (unsigned copy = 0; copy < 5; ++copy) {
        signals.push_back(sparse_signal(33, 21, copy + 1, 0.1 + 0.2 * copy));
        for (double& value : signals.back().data) value *= std::pow(100, copy);
        all.insert(all.end(), signals.back().data.begin(), signals.back().data.end());
    }
    for (double& value : signals[3].data) value = 0;
    std::fill_n(all.begin() + std::ptrdiff_t{3} * 3 * 33 * 21, 3 * 33 * 21, 0.0F);
    run.run(all);
    for (int copy = 0; copy < 5; ++copy) {
        expect_picture(run.picture(copy), reference_of(signals[static_cast<std::size_t>(copy)], {0, 0, 21, 33}),
                       "copy " + std::to_string(copy));
    }
}

TEST_P(DisplayModes, GreyNetworks) {
    Mapped what = mapped(40, 30);
    what.channels = 1;
    what.options.factor = {0.25, 7, 7};
    MappingRun run(what);
    reference::Tensor r0 = sparse_signal(40, 30, 8);
    std::copy_n(r0.data.begin(), 1200, r0.data.begin() + 1200);
    std::copy_n(r0.data.begin(), 1200, r0.data.begin() + 2400);
    run.run(to_floats({r0.data.begin(), r0.data.begin() + 1200}));
    // The length over three equal colours is √3 times the value, and so is its scale.
    expect_picture(run.picture(), reference_of(r0, {0, 0, 30, 40}), "grey");
}

/// Magnitudes that differ by half at the ranks around the percentile: a neighbour taken instead would show.
reference::Tensor steep_signal(int width, int height, unsigned seed) {
    reference::Tensor r0 = reference::Tensor::zeros({1, 3, height, width});
    const std::size_t count = r0.data.size();
    for (std::size_t i = 0; i < count; ++i) {
        const double exponent = std::max(
            -30.0, static_cast<double>(i) - static_cast<double>(count) - std::floor(static_cast<double>(count) / 200));
        r0.data[i] = static_cast<double>(static_cast<float>(std::pow(1.5, exponent) * (i % 2 == 0 ? 1 : -1)));
    }
    std::shuffle(r0.data.begin(), r0.data.end(), std::mt19937(seed));
    return r0;
}

TEST(DisplayScale, ThePercentileIsExact) {
    const reference::Preprocessing plain{false, 1, {0, 0, 0}, {1, 1, 1}};
    for (const auto& [width, height] : std::vector<std::pair<int, int>>{{40, 20}, {67, 1}, {131, 71}, {5, 5}}) {
        Mapped what;
        what.width = width;
        what.height = height;
        MappingRun run(what);
        for (unsigned seed = 1; seed <= 3; ++seed) {
            const reference::Tensor r0 = steep_signal(width, height, seed);
            run.run(to_floats(r0.data));
            expect_picture(run.picture(),
                           reference::display(r0, reference::Display::signed_, reference::Rule::deconv, plain,
                                              {0, 0, height, width}),
                           std::to_string(width) + "x" + std::to_string(height));
        }
    }
}

/// Where the scale is measured, for each kind of start; what lies outside is a thousand times as large.
TEST(DisplayScale, IsThatOfTheFieldOfTheStart) {
    const reference::Preprocessing plain{false, 1, {0, 0, 0}, {1, 1, 1}};
    constexpr int width = 64;
    constexpr int height = 48;
    Mapped what;
    what.width = width;
    what.height = height;
    what.field.whole = false;
    what.field.tensor_height = 5;
    what.field.tensor_width = 6;
    what.field.stride = {8, 4};
    what.field.offset = {-3, 10};
    what.field.size = {11, 7};
    MappingRun run(what);
    const reference::Box union_box{0, 10, 40, 37};
    const auto box_at = [](int y, int x) {
        return reference::Box{std::max(0, y * 8 - 3), x * 4 + 10, y * 8 - 3 + 11, x * 4 + 10 + 7};
    };
    struct Case {
        nn::ResolvedSelection selection;
        reference::Box box;
        const char* what;
    };
    const std::vector<Case> cases = {
        {whole_map(), union_box, "every channel, everywhere"},
        {{4, 0, 13, 0, 0, 0, {}}, union_box, "one channel's map"},
        {{nn::Selection::all, 1, 13, 0, 0, 0, {}}, union_box, "a maximum in every channel"},
        {{4, 1, 2 * 6 + 3, 0, 0, 0, {}}, box_at(2, 3), "a channel's maximum"},
        {only_place(0), box_at(0, 0), "a corner"},
        {only_place(4 * 6 + 5), box_at(4, 5), "the other corner"},
        {{nn::Selection::all, 2, 1 * 6 + 2, 0, 0, 0, {}}, box_at(1, 2), "every channel at a position"},
    };
    for (const Case& c : cases) {
        reference::Tensor r0 = sparse_signal(width, height, 11, 0.9);
        for (int i = 0; i < 3 * width * height; ++i) {
            const int x = i % width;
            const int y = i / width % height;
            const bool inside = x >= c.box.x0 && x < c.box.x1 && y >= c.box.y0 && y < c.box.y1;
            if (!inside) r0.data[static_cast<std::size_t>(i)] *= 1000;
        }
        run.select({c.selection});
        run.run(to_floats(r0.data));
        expect_picture(run.picture(),
                       reference::display(r0, reference::Display::signed_, reference::Rule::deconv, plain, c.box),
                       c.what);
    }
}

}  // namespace
}  // namespace deconv::testing
