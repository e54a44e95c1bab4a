// The projection rules, the graph's traversal, starts, choices, receptive fields and pictures.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "reference/test_models.h"

namespace deconv::reference {
namespace {

Tensor row(const std::vector<double>& values) {
    return {{1, static_cast<std::int64_t>(values.size())}, values};
}

std::vector<double> back_through(const ModelMaker& maker, const Tensor& x, const Tensor& r, Rule rule) {
    const Network network = maker.network();
    return network.project(network.forward({{"x", x}}), "y", r, rule, Lrn::identity, "x").data;
}

TEST(Rules, ReluAsTheTableSays) {
    ModelMaker maker;
    maker.node("Relu", {"x"}, "y");
    const Tensor x = row({1, 1, -1, -1, 0, 0});
    const Tensor r = row({2, -3, 2, -3, 5, -5});
    EXPECT_EQ(back_through(maker, x, r, Rule::deconv), (std::vector<double>{2, 0, 2, 0, 5, 0}));
    EXPECT_EQ(back_through(maker, x, r, Rule::gradient), (std::vector<double>{2, -3, 0, 0, 0, 0}));
    EXPECT_EQ(back_through(maker, x, r, Rule::guided), (std::vector<double>{2, 0, 0, 0, 0, 0}));
}

TEST(Rules, ClipFromZeroIsARectifierAndAlsoBlocksAboveItsMaximum) {
    ModelMaker maker(10);
    maker.node("Clip", {"x"}, "y", {{"min", 0.F}, {"max", 6.F}});
    const Tensor x = row({1, 1, -1, 7, 7, 6});
    const Tensor r = row({2, -3, 2, 2, -3, 4});
    EXPECT_EQ(back_through(maker, x, r, Rule::deconv), (std::vector<double>{2, 0, 2, 2, 0, 4}));
    EXPECT_EQ(back_through(maker, x, r, Rule::gradient), (std::vector<double>{2, -3, 0, 0, 0, 4}));
    EXPECT_EQ(back_through(maker, x, r, Rule::guided), (std::vector<double>{2, 0, 0, 0, 0, 4}));
}

TEST(Rules, OtherActivationsScaleByTheirDerivative) {
    ModelMaker maker;
    maker.constant("slope", {{}, {-0.5}});
    maker.node("PRelu", {"x", "slope"}, "y");
    const Tensor x = row({1, 1, -1, -1});
    const Tensor r = row({2, -3, 2, -3});
    EXPECT_EQ(back_through(maker, x, r, Rule::deconv), (std::vector<double>{2, 0, 1, 0}));
    EXPECT_EQ(back_through(maker, x, r, Rule::gradient), (std::vector<double>{2, -3, -1, 1.5}));
    EXPECT_EQ(back_through(maker, x, r, Rule::guided), (std::vector<double>{2, 0, -1, 0}));
}

TEST(Rules, LrnIsPassedByUnlessItsDerivativeIsAskedFor) {
    RandomTensors random(1);
    ModelMaker maker;
    maker.node("LRN", {"x"}, "y", {{"size", std::int64_t{3}}, {"alpha", 1.F}});
    const Network network = maker.network();
    const auto values = network.forward({{"x", random.normal({1, 4, 2, 2})}});
    const Tensor r = random.normal({1, 4, 2, 2});
    const auto back = [&](Rule rule, Lrn lrn) { return network.project(values, "y", r, rule, lrn, "x").data; };
    EXPECT_EQ(back(Rule::deconv, Lrn::identity), r.data);
    EXPECT_EQ(back(Rule::guided, Lrn::identity), r.data);
    EXPECT_NE(back(Rule::gradient, Lrn::identity), r.data);
    EXPECT_EQ(back(Rule::gradient, Lrn::identity), back(Rule::deconv, Lrn::derivative));
}

TEST(Pools, TiesGoToTheFirstAndOverlappingWindowsAddUp) {
    ModelMaker maker;
    maker.node("MaxPool", {"x"}, "y", {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}}, {"indices"});
    const Network network = maker.network();
    Tensor x = Tensor::zeros({1, 1, 5, 5});
    x.data[12] = 1;  // the middle, in all four windows
    auto values = network.forward({{"x", x}});
    const Tensor r{{1, 1, 2, 2}, {1, 2, 4, 8}};
    EXPECT_EQ(network.project(values, "y", r, Rule::deconv, Lrn::identity, "x").data[12], 15);
    values = network.forward({{"x", Tensor::zeros({1, 1, 5, 5})}});
    EXPECT_EQ(values.at("indices").data, (std::vector<double>{0, 2, 10, 12}));
    EXPECT_EQ(switches_of(network, values, "y"), (std::vector<std::int64_t>{0, 2, 10, 12}));
}

TEST(Pools, PaddingIsNeverASwitch) {
    ModelMaker maker;
    maker.node("MaxPool", {"x"}, "y", {{"kernel_shape", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}});
    const Network network = maker.network();
    const auto values = network.forward({{"x", {{1, 1, 1, 1}, {-3}}}});
    EXPECT_EQ(values.at("y").data, (std::vector<double>{-3, -3, -3, -3}));
}

TEST(Graph, SignalsOfATensorUsedTwiceAddUpAndNodesAfterTheTargetTakeNoPart) {
    ModelMaker maker;
    maker.node("Identity", {"x"}, "a");
    maker.node("Add", {"a", "x"}, "b");
    maker.node("Sub", {"b", "a"}, "y");
    const Network network = maker.network();
    const auto values = network.forward({{"x", row({1, 2})}});
    const Tensor r = row({1, -1});
    const auto back = [&](const char* target) {
        return network.project(values, target, r, Rule::gradient, Lrn::identity, "x").data;
    };
    EXPECT_EQ(back("y"), r.data);  // x + x - x
    EXPECT_EQ(back("b"), (std::vector<double>{2, -2}));
    EXPECT_EQ(back("x"), r.data);
}

TEST(Graph, ASoftmaxIsNeverCrossed) {
    ModelMaker maker;
    maker.node("Relu", {"x"}, "logits");
    maker.node("Softmax", {"logits"}, "prob");
    maker.node("Identity", {"prob"}, "after");
    const Network network = maker.network();
    const auto values = network.forward({{"x", row({1, 2})}});
    EXPECT_EQ(network.start_of("prob"), "logits");
    const Tensor r = row({3, 4});
    EXPECT_EQ(network.project(values, "prob", r, Rule::deconv, Lrn::identity, "x").data, r.data);
    EXPECT_THROW(network.project(values, "after", r, Rule::deconv, Lrn::identity, "x"), std::runtime_error);
}

TEST(Graph, ChoicesReplaceSwitchesAndMasks) {
    ModelMaker maker;
    maker.node("Relu", {"x"}, "a");
    maker.node("MaxPool", {"a"}, "y", {{"kernel_shape", Ints{1, 2}}, {"strides", Ints{1, 2}}});
    const Network network = maker.network();
    const auto values = network.forward({{"x", {{1, 1, 1, 4}, {1, 1, -1, 2}}}});
    Choices choices;
    choices.switches["y"] = {1, 2};
    choices.activations["a"] = {{1, 1, 1, 4}, {1, 1, 0.5, 2}};
    const Tensor r{{1, 1, 1, 2}, {5, 7}};
    EXPECT_EQ(network.project(values, "y", r, Rule::gradient, Lrn::identity, "x", &choices).data,
              (std::vector<double>{0, 5, 7, 0}));
}

TEST(Start, ChannelsPlacesAndValues) {
    const Tensor t{{1, 3, 2, 2}, {1, 2, 3, 4, -1, 9, 9, 0, -5, -6, -7, -8}};
    const auto start = [&](ChannelChoice c, PlaceChoice p, StartValue v) { return make_start(t, c, p, v).data; };
    EXPECT_EQ(strongest_channel(t), 1);
    EXPECT_EQ(start(ChannelChoice::strongest(), PlaceChoice::all(), StartValue::value),
              (std::vector<double>{0, 0, 0, 0, -1, 9, 9, 0, 0, 0, 0, 0}));
    EXPECT_EQ(start(ChannelChoice::strongest(), PlaceChoice::max(), StartValue::one),
              (std::vector<double>{0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}));
    EXPECT_EQ(start(ChannelChoice::number(2), PlaceChoice::at(1, 0), StartValue::value),
              (std::vector<double>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -7, 0}));
    EXPECT_EQ(start(ChannelChoice::all(), PlaceChoice::max(), StartValue::value),
              (std::vector<double>{0, 0, 0, 4, 0, 9, 0, 0, -5, 0, 0, 0}));
    EXPECT_EQ(start(ChannelChoice::all(), PlaceChoice::all(), StartValue::value), t.data);
    EXPECT_THROW(make_start(t, ChannelChoice::number(3), PlaceChoice::all(), StartValue::one), std::runtime_error);
}

/// The box of what a unit's gradient reaches when all weights are positive is its field, by definition.
TEST(ReceptiveFields, AreWhereTheGradientReaches) {
    const auto ones = [](Shape shape) {
        Tensor t = Tensor::zeros(std::move(shape));
        std::fill(t.data.begin(), t.data.end(), 1.0);
        return t;
    };
    ModelMaker maker;
    maker.constant("w", ones({1, 1, 3, 5}));
    maker.constant("v", ones({1, 1, 2, 3}));
    maker.constant("u", ones({1, 1, 4, 3}));
    maker.node("Conv", {"x", "w"}, "a", {{"strides", Ints{2, 1}}, {"pads", Ints{1, 2, 0, 2}}});
    maker.node("AveragePool", {"a"}, "b",
               {{"kernel_shape", Ints{3, 2}}, {"strides", Ints{1, 2}}, {"pads", Ints{1, 0, 1, 0}}});
    maker.node("AveragePool", {"a"}, "c",
               {{"kernel_shape", Ints{1, 4}}, {"strides", Ints{1, 2}}, {"pads", Ints{0, 1, 0, 1}}});
    maker.node("Add", {"b", "c"}, "d");
    maker.node("Conv", {"d", "v"}, "e", {{"dilations", Ints{2, 1}}});
    maker.node("ConvTranspose", {"e", "u"}, "f", {{"strides", Ints{2, 3}}, {"pads", Ints{1, 0, 1, 0}}});
    maker.node("GlobalAveragePool", {"f"}, "g");
    const Network network = maker.network();
    const auto values = network.forward({{"x", ones({1, 1, 31, 32})}});
    const auto cut = [](double at, std::int64_t n) {
        return std::clamp<std::int64_t>(static_cast<std::int64_t>(at), 0, n);
    };
    int compared = 0;
    for (const char* name : {"a", "b", "c", "d", "e", "f"}) {
        const Planes p = planes_of(values.at(name).shape);
        const ReceptiveField field = receptive_field(network, values, name, "x");
        for (std::int64_t y = 0; y < p.height; ++y) {
            for (std::int64_t x = 0; x < p.width; ++x) {
                SCOPED_TRACE(std::string(name) + " " + std::to_string(y) + "," + std::to_string(x));
                const Tensor start =
                    make_start(values.at(name), ChannelChoice::all(), PlaceChoice::at(y, x), StartValue::one);
                const Tensor r = network.project(values, name, start, Rule::gradient, Lrn::identity, "x");
                Box reached{31, 32, 0, 0};
                for (std::int64_t i = 0; i < r.size(); ++i) {
                    if (r.data[i] == 0) continue;
                    reached.y0 = std::min(reached.y0, i / 32);
                    reached.y1 = std::max(reached.y1, i / 32 + 1);
                    reached.x0 = std::min(reached.x0, i % 32);
                    reached.x1 = std::max(reached.x1, i % 32 + 1);
                }
                // At the border of a map in between, a field ends earlier than in the middle: compare there.
                const Box box = field_box(network, values, name, "x", {y, x, y + 1, x + 1});
                EXPECT_TRUE(box.y0 <= reached.y0 && box.y1 >= reached.y1 && box.x0 <= reached.x0 &&
                            box.x1 >= reached.x1);
                if (box.y0 > 8 && box.y1 < 23) {
                    EXPECT_TRUE(box.y0 == reached.y0 && box.y1 == reached.y1);
                    ++compared;
                }
                if (box.x0 > 8 && box.x1 < 24) {
                    EXPECT_TRUE(box.x0 == reached.x0 && box.x1 == reached.x1);
                    ++compared;
                }
                if (*name > 'e') continue;  // after a transposed convolution fields differ from unit to unit
                EXPECT_EQ(box.y0, cut(field.y.offset + y * field.y.stride, 31));
                EXPECT_EQ(box.y1, cut(field.y.offset + y * field.y.stride + field.y.size, 31));
                EXPECT_EQ(box.x0, cut(field.x.offset + x * field.x.stride, 32));
                EXPECT_EQ(box.x1, cut(field.x.offset + x * field.x.stride + field.x.size, 32));
            }
        }
    }
    EXPECT_GT(compared, 100);
}

TEST(Fitting, KeepsConstantsAndCopiesAtItsOwnSize) {
    const Preprocessing plain{false, 1, {0, 0, 0}, {1, 1, 1}};
    std::vector<std::uint8_t> flat(std::size_t{4} * 7 * 5, 51);
    for (const Fit how : {Fit::crop, Fit::stretch}) {
        for (const int size : {1, 3, 5, 16}) {
            const Tensor t = fit(flat, 7, 5, how, size, size, plain);
            for (const double v : t.data) EXPECT_NEAR(v, 0.2, 1e-12);
        }
    }
    std::vector<std::uint8_t> ramp(std::size_t{4} * 4 * 2);
    for (std::size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<std::uint8_t>(i);
    const Tensor same = fit(ramp, 4, 2, Fit::stretch, 4, 2, {true, 255, {1, 2, 3}, {2, 4, 8}});
    for (int i = 0; i < 8; ++i) {
        EXPECT_DOUBLE_EQ(same.data[i], (4 * i + 2 - 1) / 2.0);  // blue first
        EXPECT_DOUBLE_EQ(same.data[8 + i], (4 * i + 1 - 2) / 4.0);
        EXPECT_DOUBLE_EQ(same.data[16 + i], (4 * i - 3) / 8.0);
    }
    const Tensor half = fit(ramp, 4, 2, Fit::stretch, 2, 1, {false, 255, {0, 0, 0}, {1, 1, 1}});
    EXPECT_DOUBLE_EQ(half.data[0], (0 + 4 + 16 + 20) / 4.0);
    const Tensor tall = fit(ramp, 4, 2, Fit::letterbox, 4, 4, {false, 255, {7, 7, 7}, {1, 1, 1}});
    EXPECT_EQ(tall.data[0], 0);
    EXPECT_EQ(tall.data[4], -7);  // the first pixel, 0, in the second row
    EXPECT_EQ(tall.data[12], 0);
}

TEST(Display, MapsZeroToNeutralAndTheScaleToItsEnds) {
    const Preprocessing plain{false, 1, {0, 0, 0}, {1, 1, 1}};
    const Tensor nothing = Tensor::zeros({1, 3, 4, 4});
    const Box all{0, 0, 4, 4};
    EXPECT_EQ(display(nothing, Display::signed_, Rule::deconv, plain, all).data[5], 0.5);
    EXPECT_EQ(display(nothing, Display::positive, Rule::deconv, plain, all).data[5], 0);
    EXPECT_EQ(display(nothing, Display::norm, Rule::deconv, plain, all).data[5], 0);
    EXPECT_EQ(display(nothing, Display::range, Rule::deconv, plain, all).data[5], 0.5);
    Tensor one = nothing;
    one.data[0] = 3;
    one.data[16] = -4;
    const Preprocessing colours{true, 1, {0, 0, 0}, {1, 2, 4}};
    const Tensor colour = to_colour(one, Rule::deconv, colours);
    EXPECT_EQ(colour.data[32], 3);   // blue was first
    EXPECT_EQ(colour.data[16], -8);  // times std
    EXPECT_EQ(to_colour(one, Rule::gradient, colours).data[16], -2);
    EXPECT_EQ(display_scale(colour, Display::signed_, {0, 0, 1, 1}), 8);
    EXPECT_EQ(display_scale(colour, Display::norm, {0, 0, 1, 1}), std::hypot(3, 8));
    EXPECT_EQ(display(colour, Display::signed_, 8).data[16], 0);
    EXPECT_EQ(display(colour, Display::positive, 8).data[32], 3.0 / 8);
    EXPECT_EQ(display(colour, Display::range, 8).data[32], 1);
}

TEST(Display, TheScaleIsTheNearestRankPercentile) {
    Tensor t = Tensor::zeros({1, 3, 10, 20});  // 600 values: the 597th is the scale
    for (std::int64_t i = 0; i < t.size(); ++i) t.data[i] = static_cast<double>(i + 1) * (i % 2 == 0 ? 1 : -1);
    EXPECT_EQ(display_scale(t, Display::signed_, {0, 0, 10, 20}), 597);
    Tensor sparse = Tensor::zeros({1, 3, 20, 20});
    sparse.data[3] = -2;  // the percentile is 0: the maximum takes its place
    EXPECT_EQ(display_scale(sparse, Display::signed_, {0, 0, 20, 20}), 2);
}

}  // namespace
}  // namespace deconv::reference
