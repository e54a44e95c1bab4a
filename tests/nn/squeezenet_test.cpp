// SqueezeNet v1.1 on a real photograph: activations and projections against the float64 reference.
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "engine_networks.h"

namespace deconv::testing {
namespace {

using Where = nn::Selection::Where;

/// The photograph's centre as the network's input: BGR, 0 … 255, minus the mean (as squeezenet1.1.json says).
reference::Tensor photograph(const std::string& shared) {
    const TemporaryFolder folder;
    const std::string name = "imagenet-sample/n01443537_goldfish.jpg";
    const std::string command =
        "tar -xf '" + shared + "/data/imagenet-sample.tar' -C " + folder.path().string() + " " + name;
    if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
    const cv::Mat picture = cv::imread((folder.path() / name).string(), cv::IMREAD_COLOR);
    if (picture.empty()) throw std::runtime_error("cannot read " + name);
    const int side = std::min(picture.rows, picture.cols);
    const cv::Rect centre((picture.cols - side) / 2, (picture.rows - side) / 2, side, side);
    cv::Mat fitted;
    cv::resize(picture(centre), fitted, cv::Size(227, 227), 0, 0, cv::INTER_AREA);
    constexpr double mean[] = {104, 117, 123};
    reference::Tensor image = reference::Tensor::zeros({1, 3, 227, 227});
    for (int c = 0; c < 3; ++c) {
        for (int y = 0; y < 227; ++y) {
            for (int x = 0; x < 227; ++x) {
                image.data[static_cast<std::size_t>((c * 227 + y) * 227 + x)] = fitted.at<cv::Vec3b>(y, x)[c] - mean[c];
            }
        }
    }
    return image;
}

/// Read and compared once for all tests of this file.
class EngineSqueezeNet : public ::testing::Test {
  protected:
    static void SetUpTestSuite() {
        const std::string shared = shared_folder();
        const std::string path = shared + "/models/squeezenet1.1.onnx";
        if (shared.empty() || !std::filesystem::exists(path)) return;
        if (!std::filesystem::exists(shared + "/data/imagenet-sample.tar")) return;
        comparison = std::make_unique<NetworkComparison>(path, photograph(shared));
    }
    static void TearDownTestSuite() { comparison.reset(); }
    void SetUp() override {
        if (!comparison) GTEST_SKIP() << "SKIPPED: no shared folder with squeezenet1.1.onnx and imagenet-sample.tar";
    }

    inline static std::unique_ptr<NetworkComparison> comparison;
};

nn::Selection selection(std::int32_t channel, Where where = Where::all, bool one = false, std::int32_t y = 0,
                        std::int32_t x = 0) {
    return {channel, where, y, x, one};
}

constexpr std::int32_t strongest = nn::Selection::strongest;
constexpr std::int32_t all = nn::Selection::all;

TEST_F(EngineSqueezeNet, ActivationsOfAPhotograph) {
    comparison->expect_forward();
    const auto& scores = comparison->values().at("prob").data;
    // ImageNet's second class.
    EXPECT_EQ(std::max_element(scores.begin(), scores.end()) - scores.begin(), 1);
    std::printf("[          ] %d discrete choices differ between nearly equal values\n", comparison->choices_taken());
}

TEST_F(EngineSqueezeNet, ProjectionsOfAPhotograph) {
    comparison->expect_forward();
    const auto expect = [&](const std::string& layer, nn::Rule rule, const std::vector<nn::Selection>& selections) {
        comparison->expect_projection(layer, rule, selections);
        return selections.size();
    };
    std::size_t compared = 0;
    compared +=
        expect("relu_conv1", nn::Rule::deconv, {selection(5), selection(all), selection(strongest, Where::max)});
    compared += expect("relu_conv1", nn::Rule::gradient, {selection(17, Where::pinned, true, 40, 50)});
    compared +=
        expect("pool1", nn::Rule::guided, {selection(all), selection(strongest), selection(3, Where::max, true)});
    compared += expect("fire3/concat", nn::Rule::deconv, {selection(strongest), selection(30, Where::max)});
    compared += expect("fire3/concat", nn::Rule::gradient, {selection(all), selection(100, Where::all, true)});
    compared += expect("fire5/concat", nn::Rule::guided, {selection(strongest, Where::max), selection(all)});
    compared += expect("pool5", nn::Rule::deconv, {selection(strongest), selection(77, Where::pinned, false, 6, 7)});
    compared += expect("fire7/concat", nn::Rule::gradient, {selection(strongest, Where::max, true), selection(9)});
    compared += expect("fire9/concat", nn::Rule::deconv,
                       {selection(strongest), selection(strongest, Where::max), selection(all), selection(3)});
    compared +=
        expect("fire9/concat", nn::Rule::guided, {selection(strongest, Where::all, true), selection(all, Where::max)});
    compared += expect("fire9/concat", nn::Rule::gradient, {selection(strongest, Where::max, true)});
    // A class: the goldfish's logit, from behind the Softmax.
    compared += expect("prob", nn::Rule::gradient, {selection(1, Where::all, true)});
    compared += expect("prob", nn::Rule::deconv, {selection(strongest)});
    EXPECT_GE(compared, 24U);
}

TEST_F(EngineSqueezeNet, SixteenChannelsAtOnceEqualSixteenAlone) {
    // The strongest sixteen, so that something comes back from each.
    const reference::Tensor& activation = comparison->values().at("fire5/concat");
    std::vector<std::pair<double, std::int32_t>> order;
    for (std::int64_t c = 0; c < activation.shape[1]; ++c) {
        const auto start = reference::make_start(activation, reference::ChannelChoice::number(c),
                                                 reference::PlaceChoice::all(), reference::StartValue::value);
        order.emplace_back(-largest(start.data), static_cast<std::int32_t>(c));
    }
    std::sort(order.begin(), order.end());
    std::vector<nn::Selection> selections;
    for (std::size_t k = 0; k < 16; ++k) {
        selections.push_back(selection(order[k].second, k % 3 == 2 ? Where::max : Where::all, k % 4 == 3));
    }
    const std::vector<float> batch = comparison->project("fire5/concat", nn::Rule::deconv, selections);
    const auto one = static_cast<std::ptrdiff_t>(batch.size() / 16);
    for (std::size_t k = 0; k < 16; ++k) {
        SCOPED_TRACE(describe(selections[k]));
        const std::vector<float> alone = comparison->project("fire5/concat", nn::Rule::deconv, {selections[k]});
        const auto from = batch.begin() + static_cast<std::ptrdiff_t>(k) * one;
        EXPECT_GT(largest({alone.begin(), alone.end()}), 0);
        EXPECT_LE(relative_error({from, from + one}, {alone.begin(), alone.end()}), 1e-5);
    }
}

}  // namespace
}  // namespace deconv::testing
