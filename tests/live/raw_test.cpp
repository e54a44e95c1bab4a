// --raw and --activations: what is projected, exactly, on a network of which every result is known.
#include <numeric>

#include "live/live_models.h"
#include "live/pictures.h"
#include "live/program.h"

namespace deconv::testing {
namespace {

using Values = std::vector<float>;
using Shape = std::vector<std::int64_t>;

constexpr std::size_t plane = 64;  // of the 8 × 8 input

Values rectified(Values values) {
    for (float& value : values) value = std::max(value, 0.0F);
    return values;
}

void expect_equal(const Values& is, const Values& should) {
    ASSERT_EQ(is.size(), should.size());
    for (std::size_t i = 0; i < is.size(); ++i) ASSERT_NEAR(is[i], should[i], 1e-6) << "at " << i;
}

class Raw : public ::testing::Test {
  protected:
    /// Runs on the input and gives R₀.
    Values raw(Arguments arguments) {
        const Arguments fixed{"--model",       model_,
                              "--input",       input_,
                              "--raw",         folder_ / "raw.npy",
                              "--activations", folder_ / "activations.npy"};
        arguments.insert(arguments.begin(), fixed.begin(), fixed.end());
        json_ = run_json(arguments);
        const NpyArray array = read_npy(folder_ / "raw.npy");
        EXPECT_EQ(array.shape, (Shape{1, 3, 8, 8}));
        activations_ = read_npy(folder_ / "activations.npy");
        return array.data;
    }

    TempDir folder_;
    std::string model_ = write_colour_model(folder_);
    Values x_ = varied(3 * plane);
    std::string input_ = write_array(folder_, "x.npy", {1, 3, 8, 8}, x_);
    Json json_;
    NpyArray activations_;
};

TEST_F(Raw, AllChannelsOfTheFirstStage) {
    const Values r0 = raw({"--layer", "relu1", "--channel", "all"});
    EXPECT_EQ(activations_.shape, (Shape{1, 3, 8, 8}));
    expect_equal(activations_.data, rectified(x_));
    expect_equal(r0, rectified(x_));
    EXPECT_EQ(json_.at("channel"), "all");
    EXPECT_EQ(json_.at("layer"), "relu1");
    EXPECT_EQ(json_.at("frames").at("processed"), 1);
}

TEST_F(Raw, TheSameTwice) {
    raw({"--channel", "all"});
    const FileBytes first = read_file(folder_ / "raw.npy");
    const FileBytes first_activations = read_file(folder_ / "activations.npy");
    raw({"--channel", "all"});
    EXPECT_EQ(read_file(folder_ / "raw.npy"), first);
    EXPECT_EQ(read_file(folder_ / "activations.npy"), first_activations);
}

TEST_F(Raw, ATensorBeforeTheRectifierKeepsItsNegativeValues) {
    const Values r0 = raw({"--layer", "copy", "--channel", "all"});
    expect_equal(activations_.data, x_);
    expect_equal(r0, x_);
}

TEST_F(Raw, ByIndexByNodeNameByTensorName) {
    const Values by_name = raw({"--layer", "relu1", "--channel", "1"});
    EXPECT_EQ(raw({"--layer", "0", "--channel", "1"}), by_name);
    EXPECT_EQ(raw({"--layer", "rectifier1", "--channel", "1"}), by_name);
}

TEST_F(Raw, OneChannel) {
    Values expected = rectified(x_);
    std::fill(expected.begin(), expected.begin() + plane, 0.0F);
    std::fill(expected.begin() + 2 * plane, expected.end(), 0.0F);
    expect_equal(raw({"--layer", "relu1", "--channel", "1"}), expected);
    EXPECT_EQ(json_.at("channel"), 1);
}

TEST_F(Raw, TheStrongestChannel) {
    const auto peak = static_cast<std::size_t>(std::max_element(x_.begin(), x_.end()) - x_.begin());
    const Values r0 = raw({"--layer", "relu1", "--projection", "max"});
    Values expected(x_.size(), 0.0F);
    expected[peak] = x_[peak];
    expect_equal(r0, expected);
    EXPECT_EQ(json_.at("channel"), peak / plane);
}

TEST_F(Raw, APinnedPosition) {
    Values expected(x_.size(), 0.0F);
    const std::size_t at = 2 * plane + 3 * 8 + 5;
    expected[at] = x_[at];
    expect_equal(raw({"--layer", "copy", "--channel", "2", "--projection", "3,5"}), expected);
}

TEST_F(Raw, StartingWithOnes) {
    expect_equal(raw({"--layer", "relu1", "--channel", "all", "--start", "one"}), Values(x_.size(), 1.0F));
    Values mask(x_.size());
    std::transform(x_.begin(), x_.end(), mask.begin(), [](float x) { return x > 0 ? 1.0F : 0.0F; });
    expect_equal(raw({"--layer", "relu1", "--channel", "all", "--start", "one", "--rule", "gradient"}), mask);
    expect_equal(raw({"--layer", "relu1", "--channel", "all", "--start", "one", "--rule", "guided"}), mask);
    EXPECT_EQ(json_.at("rule"), "guided");
}

TEST_F(Raw, AClassByItsLabel) {
    const Values r0 = raw({"--channel", "Green"});
    const Values positive = rectified(x_);
    const float mean = std::accumulate(positive.begin() + plane, positive.begin() + 2 * plane, 0.0F) / plane;
    Values expected(x_.size(), 0.0F);
    std::fill(expected.begin() + plane, expected.begin() + 2 * plane, mean / plane);
    expect_equal(r0, expected);
    EXPECT_EQ(json_.at("channel"), 1);
    EXPECT_EQ(json_.at("channel_label"), "green");
    EXPECT_EQ(activations_.shape, (Shape{1, 3}));
    EXPECT_NEAR(activations_.data.at(1), mean, 1e-6);
}

TEST_F(Raw, OnADeviceThatOffersTheMinimum) {
    const Values r0 = raw({"--layer", "relu1", "--channel", "all"});
    EXPECT_EQ(raw({"--layer", "relu1", "--channel", "all", "--limits", "minimum"}), r0);
}

TEST_F(Raw, SeveralFramesOfATensorAreRecorded) {
    raw({"--channel", "all", "--frames", "3", "--record", folder_ / "out.mkv"});
    EXPECT_EQ(json_.at("frames").at("processed"), 3);
    EXPECT_EQ(probe(folder_ / "out.mkv").frames, 3);
}

TEST_F(Raw, TheWaysToFit) {
    // Twice as wide as high: blue on the left, red on the right, so that each way is told from the others.
    cv::Mat picture(8, 16, CV_8UC3, cv::Scalar(255, 0, 0));
    picture(cv::Rect(8, 0, 8, 8)).setTo(cv::Scalar(0, 0, 255));
    input_ = write_picture(folder_, "wide.png", picture);
    const auto red_row = [&](const char* fit) {
        raw({"--fit", fit, "--layer", "relu1"});
        return activations_.data;  // in RGB order: the first plane is red
    };
    for (const char* fit : {"crop", "stretch"}) {
        const Values seen = red_row(fit);
        for (std::size_t i = 0; i < plane; ++i) EXPECT_NEAR(seen[i], i % 8 >= 4 ? 1 : 0, 1e-5) << fit << " at " << i;
    }
    const Values seen = red_row("letterbox");
    for (std::size_t i = 0; i < plane; ++i) {
        const bool bar = i / 8 < 2 || i / 8 >= 6;
        EXPECT_NEAR(seen[i], !bar && i % 8 >= 4 ? 1 : 0, 1e-5) << i;
    }
}

TEST_F(Raw, BlueFirstAsTheSidecarSays) {
    write_text(folder_ / "colour.json",
               R"({"labels": "colour.txt", "input": {"width": 8, "height": 8, "color": "bgr", "range": [0, 255],
                   "mean": [1, 2, 3], "std": [2, 2, 4]}})");
    input_ = write_picture(folder_, "plain.png", cv::Mat(8, 8, CV_8UC3, cv::Scalar(101, 52, 43)));
    raw({"--layer", "copy", "--channel", "all"});
    EXPECT_NEAR(activations_.data.at(0), (101 - 1) / 2.0, 1e-3);
    EXPECT_NEAR(activations_.data.at(plane), (52 - 2) / 2.0, 1e-3);
    EXPECT_NEAR(activations_.data.at(2 * plane), (43 - 3) / 4.0, 1e-3);
}

}  // namespace
}  // namespace deconv::testing
