// Runs without a window: sources in, pictures, recordings and JSON out.
#include "live/live_models.h"
#include "live/pictures.h"
#include "live/program.h"

namespace deconv::testing {
namespace {

/// A folder with the colour model, in which the program runs.
class Headless : public ::testing::Test {
  protected:
    Arguments with(Arguments more) const {
        Arguments arguments{"--headless", "--model", model_};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return arguments;
    }

    TempDir folder_;
    std::string model_ = write_colour_model(folder_);
};

TEST_F(Headless, JsonHasItsKeysAndNothingElseIsOnStandardOutput) {
    const Json json = run_json(with({"--input", "demo", "--frames", "4", "--record", folder_ / "out.mkv"}));
    for (const char* key : {"device", "model", "model_sha256", "source", "layer", "rule", "precision"}) {
        EXPECT_TRUE(json.at(key).is_string()) << key;
    }
    EXPECT_EQ(json.at("model"), "colour");
    EXPECT_EQ(json.at("source"), "demo");
    EXPECT_EQ(json.at("rule"), "deconv");
    EXPECT_EQ(json.at("model_sha256").get<std::string>().size(), 64U);
    EXPECT_TRUE(json.at("channel").is_number_integer());
    EXPECT_EQ(json.at("frames"), (Json{{"in", 4}, {"processed", 4}, {"dropped", 0}}));
    for (const char* stage : {"capture", "upload", "fit", "forward", "project", "display", "record"}) {
        const Json& times = json.at("stages").at(stage);
        EXPECT_GE(times.at("median").get<double>(), 0) << stage;
        EXPECT_GE(times.at("p95").get<double>(), times.at("median").get<double>()) << stage;
    }
    EXPECT_GT(json.at("fps").get<double>(), 0);
    EXPECT_GT(json.at("memory_bytes").get<std::uint64_t>(), 0U);
    const Json& predictions = json.at("predictions");
    ASSERT_EQ(predictions.size(), 3U);
    double sum = 0;
    double before = 1;
    for (const Json& prediction : predictions) {
        EXPECT_TRUE(prediction.at("index").is_number_integer());
        EXPECT_TRUE(prediction.at("label").is_string());
        EXPECT_LE(prediction.at("probability").get<double>(), before);
        before = prediction.at("probability").get<double>();
        sum += before;
    }
    EXPECT_NEAR(sum, 1, 1e-5);
}

TEST_F(Headless, TheBundledNetworkSeesTheDemo) {
    const Json json = run_json({"--input", "demo", "--frames", "2", "--snapshot", folder_ / "demo.png"});
    EXPECT_EQ(json.at("model"), "tiny-imagenet");
    ASSERT_EQ(json.at("predictions").size(), 5U);
    double sum = 0;
    for (const Json& prediction : json.at("predictions")) sum += prediction.at("probability").get<double>();
    EXPECT_LE(sum, 1 + 1e-5);
    const cv::Mat view = cv::imread(folder_ / "demo.png");
    ASSERT_FALSE(view.empty());
    EXPECT_GT(view.cols, view.rows);
    // The projection on the right is not one plain colour.
    cv::Scalar mean;
    cv::Scalar deviation;
    cv::meanStdDev(view(cv::Rect(view.cols - view.rows, 0, view.rows, view.rows)), mean, deviation);
    EXPECT_GT(deviation[0] + deviation[1] + deviation[2], 3);
}

TEST_F(Headless, RandomWeightsChangeTheBundledNetworkWhoseWeightsAreHalfPrecision) {
    std::vector<Json> predictions;
    for (const char* layers : {"0", "1", "5"}) {
        predictions.push_back(
            run_json({"--input", "demo", "--frames", "1", "--random-layers", layers}).at("predictions"));
    }
    EXPECT_NE(predictions[0], predictions[1]);
    EXPECT_NE(predictions[1], predictions[2]);
}

TEST_F(Headless, AnImageAndItsSnapshot) {
    const cv::Mat picture = quarters(320, 240);
    const std::string input = write_picture(folder_, "quarters.png", picture);
    const Json json = run_json(with({"--input", input, "--snapshot", folder_ / "view.png"}));
    EXPECT_EQ(json.at("frames").at("in"), 1);
    EXPECT_EQ(json.at("source"), "quarters.png");
    const cv::Mat view = cv::imread(folder_ / "view.png");
    ASSERT_EQ(view.rows, 240);
    EXPECT_GE(view.cols, 320 + 240);  // the network's input is a square
    EXPECT_LT(difference_on_the_left(view, picture), 2);
}

TEST_F(Headless, APictureOfOneColourIsPredictedAsThatColour) {
    const std::string input = write_picture(folder_, "green.png", cv::Mat(20, 20, CV_8UC3, cv::Scalar(0, 255, 0)));
    const Json json = run_json(with({"--input", input}));
    EXPECT_EQ(json.at("predictions").at(0).at("label"), "green");
    EXPECT_EQ(json.at("predictions").at(0).at("index"), 1);
    EXPECT_NEAR(json.at("predictions").at(0).at("probability").get<double>(), std::exp(1) / (std::exp(1) + 2), 1e-4);
}

TEST_F(Headless, AFolderOfImagesOfSeveralSizes) {
    const TempDir images;
    write_picture(images, "b.jpg", quarters(64, 64, 1));
    write_picture(images, "a.png", quarters(96, 64, 0));
    write_picture(images, "c.bmp", quarters(33, 57, 2));
    const Json json = run_json(with({"--input", images.path(), "--record", folder_ / "out.mkv"}));
    EXPECT_EQ(json.at("frames").at("in"), 3);
    EXPECT_EQ(json.at("frames").at("processed"), 3);
    EXPECT_EQ(probe(folder_ / "out.mkv").frames, 3);
    const std::vector<cv::Mat> frames = frames_of(folder_ / "out.mkv");
    ASSERT_EQ(frames.size(), 3U);
    EXPECT_LT(difference_on_the_left(frames[0], quarters(96, 64, 0)), 10);
    EXPECT_EQ(run_json(with({"--input", images.path(), "--frames", "2"})).at("frames").at("in"), 2);
}

TEST_F(Headless, AVideoIsRecordedFrameForFrame) {
    const std::string film = write_film(folder_, "film.avi", 64, 48, 20, 12);
    const Json json = run_json(with({"--input", film, "--record", folder_ / "out.mkv"}));
    EXPECT_EQ(json.at("frames"), (Json{{"in", 20}, {"processed", 20}, {"dropped", 0}}));
    const Film recorded = probe(folder_ / "out.mkv");
    EXPECT_EQ(recorded.frames, 20);
    EXPECT_EQ(recorded.rate, "12/1");
    EXPECT_EQ(recorded.width % 2, 0);
    EXPECT_GT(recorded.width, recorded.height * 2);  // 4 : 3 beside a square
    const std::vector<cv::Mat> frames = frames_of(folder_ / "out.mkv");
    ASSERT_EQ(frames.size(), 20U);
    for (int i = 0; i < 20; ++i) {
        EXPECT_LT(difference_on_the_left(frames[static_cast<std::size_t>(i)], quarters(64, 48, i)), 16) << i;
    }
}

TEST_F(Headless, TheWholeSharedClip) {
    const std::string clip = shared_file("media/objects-640x480-30fps.mp4");
    if (clip.empty()) GTEST_SKIP() << "the shared clip is not there";
    const Json json = run_json(with({"--input", clip, "--record", folder_ / "out.mkv"}));
    EXPECT_EQ(json.at("frames"), (Json{{"in", 360}, {"processed", 360}, {"dropped", 0}}));
    const Film recorded = probe(folder_ / "out.mkv");
    EXPECT_EQ(recorded.frames, 360);
    EXPECT_EQ(recorded.rate, "30/1");
    EXPECT_EQ(recorded.height, 480);
    EXPECT_GE(recorded.width, 640 + 480);
}

TEST_F(Headless, WhatWasWrittenIsSaid) {
    const Outcome outcome =
        run_well(with({"--input", "demo", "--frames", "1", "--snapshot", "view.png"}), {folder_.path(), {}});
    EXPECT_EQ(outcome.out, "");
    EXPECT_CONTAINS(outcome.err, "view.png");
    EXPECT_TRUE(std::filesystem::exists(folder_ / "view.png"));
}

TEST_F(Headless, EveryDisplayGivesAPicture) {
    const std::string input = write_picture(folder_, "quarters.png", quarters(64, 64));
    std::vector<cv::Mat> views;
    for (const char* display : {"signed", "positive", "norm", "range"}) {
        run_well(with({"--input", input, "--display", display, "--snapshot", folder_ / "view.png", "--channel", "all",
                       "--layer", "relu1"}));
        const cv::Mat view = cv::imread(folder_ / "view.png");
        ASSERT_FALSE(view.empty()) << display;
        for (const cv::Mat& other : views) EXPECT_GT(cv::norm(view, other, cv::NORM_INF), 20) << display;
        views.push_back(view);
    }
}

TEST_F(Headless, ASizeOfOnesOwn) {
    run_well(with({"--input", "demo", "--frames", "1", "--size", "20x10", "--raw", folder_ / "raw.npy"}));
    EXPECT_EQ(read_npy(folder_ / "raw.npy").shape, (std::vector<std::int64_t>{1, 3, 10, 20}));
}

TEST_F(Headless, TheModelsOwnFilesOnly) {
    // Without a sidecar the network has no labels, and a graph that leaves its size open needs --size.
    std::filesystem::remove(folder_ / "colour.json");
    EXPECT_CONTAINS(failure(with({"--input", "demo", "--frames", "1"})), "--size");
    const Json json = run_json(with({"--input", "demo", "--frames", "1", "--size", "8"}));
    EXPECT_EQ(json.at("predictions").at(0).at("label"), "");
}

}  // namespace
}  // namespace deconv::testing
