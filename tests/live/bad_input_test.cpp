// Sources, devices and output paths that cannot be used, and pictures of unusual kinds that can.
#include "live/live_models.h"
#include "live/pictures.h"
#include "live/program.h"

namespace deconv::testing {
namespace {

class BadInput : public ::testing::Test {
  protected:
    /// What is said of a run with the colour model; nothing is left where it ran.
    std::string refusal(Arguments more, const std::map<std::string, std::string>& environment = {}) {
        Arguments arguments{"--headless", "--model", model_};
        arguments.insert(arguments.end(), more.begin(), more.end());
        const TempDir here;
        std::string said = failure(arguments, 1, {here.path(), environment});
        EXPECT_EQ(here.files(), 0U);
        return said;
    }
    std::string refused_input(const std::string& path) {
        return refusal({"--input", path, "--record", "out.mkv", "--snapshot", "out.png", "--raw", "out.npy"});
    }

    /// A picture of a kind of its own: it runs, and its snapshot opens.
    void expect_runs(const cv::Mat& picture) {
        const std::string input = write_picture(folder_, "picture.png", picture);
        run_json({"--model", model_, "--input", input, "--snapshot", folder_ / "view.png"});
        EXPECT_FALSE(cv::imread(folder_ / "view.png").empty());
    }

    TempDir folder_;
    std::string model_ = write_colour_model(folder_);
};

TEST_F(BadInput, NoSuchFile) {
    EXPECT_CONTAINS(refused_input(folder_ / "absent.png"), "absent.png");
    EXPECT_CONTAINS(refused_input(folder_ / "absent.npy"), "absent.npy");
}

TEST_F(BadInput, AVideoThatCannotBeDecoded) {
    write_text(folder_ / "text.mp4", "This is not a film at all, although its name says so.\n");
    EXPECT_CONTAINS(refused_input(folder_ / "text.mp4"), "text.mp4");
    FileBytes film = read_file(write_film(folder_, "film.avi", 64, 48, 10, 10));
    film.resize(600);  // the header, and no frame
    write_file(folder_ / "cut.avi", film);
    EXPECT_CONTAINS(refused_input(folder_ / "cut.avi"), "cut.avi");
    write_text(folder_ / "empty.mkv", "");
    EXPECT_CONTAINS(refused_input(folder_ / "empty.mkv"), "empty.mkv");
}

TEST_F(BadInput, AVideoThatEndsEarlyKeepsWhatThereWas) {
    FileBytes film = read_file(write_film(folder_, "film.avi", 64, 48, 30, 10));
    film.resize(film.size() / 2);
    write_file(folder_ / "half.avi", film);
    const Json json = run_json({"--model", model_, "--input", folder_ / "half.avi", "--record", folder_ / "out.mkv"});
    const int frames = json.at("frames").at("processed");
    EXPECT_GT(frames, 0);
    EXPECT_LT(frames, 30);
    EXPECT_EQ(probe(folder_ / "out.mkv").frames, frames);
}

TEST_F(BadInput, AnImageThatIsCutShort) {
    FileBytes bytes = read_file(write_picture(folder_, "whole.png", quarters(64, 64)));
    bytes.resize(bytes.size() - 20);
    write_file(folder_ / "cut.png", bytes);
    EXPECT_CONTAINS(refused_input(folder_ / "cut.png"), "cut.png");
}

TEST_F(BadInput, AFolderWithoutImages) {
    std::filesystem::create_directory(folder_ / "photos");
    EXPECT_CONTAINS(refused_input(folder_ / "photos"), "photos");
    write_text(folder_ / "photos/notes.txt", "no picture");
    EXPECT_CONTAINS(refused_input(folder_ / "photos"), "no image");
}

TEST_F(BadInput, AFolderWithADamagedImage) {
    std::filesystem::create_directory(folder_ / "photos");
    write_picture(folder_, "photos/1.png", quarters(64, 64));
    write_text(folder_ / "photos/2.png", "no picture");
    const std::string said = failure({"--model", model_, "--input", folder_ / "photos", "--snapshot",
                                      folder_ / "view.png", "--record", folder_ / "out.mkv"});
    EXPECT_CONTAINS(said, "2.png");
    EXPECT_FALSE(std::filesystem::exists(folder_ / "view.png"));
    // A recording keeps what was written, or is not there.
    if (std::filesystem::exists(folder_ / "out.mkv")) {
        EXPECT_EQ(probe(folder_ / "out.mkv").frames, 1);
    }
}

TEST_F(BadInput, UnusualPictures) {
    expect_runs(quarters(1, 1));
    expect_runs(quarters(1, 300));
    expect_runs(quarters(300, 2));
    expect_runs(cv::Mat(30, 40, CV_8UC1, cv::Scalar(90)));
    expect_runs(cv::Mat(30, 40, CV_8UC4, cv::Scalar(10, 200, 90, 128)));
    expect_runs(cv::Mat(30, 40, CV_16UC3, cv::Scalar(1000, 20000, 60000)));
}

TEST_F(BadInput, TwentyThousandPixelsASide) {
    // One row of blocks is enough for the width; a square of that size costs minutes on some machines.
    expect_runs(quarters(20000, 16));
    expect_runs(cv::Mat(20000, 2000, CV_8UC1, cv::Scalar(90)));
}

TEST_F(BadInput, CamerasThatAreNotThere) {
    EXPECT_CONTAINS(refusal({"--camera", "63", "--frames", "1"}), "63");
    EXPECT_CONTAINS(refusal({"--camera", "/dev/video63", "--frames", "1"}), "/dev/video63");
    EXPECT_CONTAINS(refusal({"--camera", "http://127.0.0.1:9/stream", "--frames", "1"}), "127.0.0.1:9");
}

TEST_F(BadInput, NoVulkanDriver) {
    const Arguments demo{"--input", "demo", "--frames", "1", "--snapshot", "out.png"};
    const auto without = [](const std::string& manifest) {
        return std::map<std::string, std::string>{{"VK_ICD_FILENAMES", manifest}, {"VK_DRIVER_FILES", manifest}};
    };
    EXPECT_CONTAINS(refusal(demo, without("/nonexistent")), "Vulkan");
    write_text(folder_ / "empty.json", "");
    EXPECT_CONTAINS(refusal(demo, without(folder_ / "empty.json")), "Vulkan");
    write_text(folder_ / "driver.json", R"({"file_format_version": "1.0.0",
        "ICD": {"library_path": "/nonexistent/libvulkan_none.so", "api_version": "1.3.0"}})");
    EXPECT_CONTAINS(refusal(demo, without(folder_ / "driver.json")), "Vulkan");
    EXPECT_CONTAINS(refusal({"--list-devices"}, without("/nonexistent")), "Vulkan");
}

TEST_F(BadInput, NoSuchDevice) {
    const std::string name = run_json({"--list-devices"}).at("devices").at(0).at("name");
    const std::string by_index = refusal({"--input", "demo", "--frames", "1", "--device", "99"});
    EXPECT_CONTAINS(by_index, "99");
    EXPECT_CONTAINS(by_index, name);
    const std::string by_name = refusal({"--input", "demo", "--frames", "1", "--device", "abacus"});
    EXPECT_CONTAINS(by_name, "abacus");
    EXPECT_CONTAINS(by_name, name);
    const std::string part = name.substr(1, 4);
    EXPECT_EQ(run_json({"--model", model_, "--input", "demo", "--frames", "1", "--device", part}).at("device"), name);
}

TEST_F(BadInput, OutputsThatCannotBeWritten) {
    std::filesystem::create_directory(folder_ / "taken.png");
    std::filesystem::create_directory(folder_ / "taken.mkv");
    for (const auto& [option, name] : std::map<std::string, std::string>{
             {"--snapshot", "x.png"}, {"--record", "x.mkv"}, {"--raw", "x.npy"}, {"--activations", "y.npy"}}) {
        const std::string path = folder_ / ("absent/" + name);
        EXPECT_CONTAINS(refusal({"--input", "demo", "--frames", "1", option, path}), path);
    }
    EXPECT_CONTAINS(refusal({"--input", "demo", "--frames", "1", "--snapshot", folder_ / "taken.png"}), "taken.png");
    EXPECT_CONTAINS(refusal({"--input", "demo", "--frames", "1", "--record", folder_ / "taken.mkv"}), "taken.mkv");
    EXPECT_CONTAINS(refusal({"--input", "demo", "--frames", "1", "--record", folder_ / "out.mp4"}), ".mkv");
    EXPECT_FALSE(std::filesystem::exists(folder_ / "out.mp4"));
}

TEST_F(BadInput, AnExistingFileSurvivesAFailedRun) {
    write_text(folder_ / "view.png", "precious");
    failure({"--model", model_, "--input", folder_ / "absent.png", "--snapshot", folder_ / "view.png"});
    EXPECT_EQ(read_file(folder_ / "view.png").size(), 8U);
}

TEST_F(BadInput, ArraysThatDoNotFit) {
    const std::string shaped = write_array(folder_, "x.npy", {1, 3, 4, 4}, varied(48));
    const std::string said = refused_input(shaped);
    EXPECT_CONTAINS(said, "x.npy");
    EXPECT_CONTAINS(said, "1x3x4x4");
    EXPECT_CONTAINS(said, "1x3x8x8");
    FileBytes bytes = read_file(write_array(folder_, "y.npy", {1, 3, 8, 8}, varied(192)));
    bytes.resize(bytes.size() - 7);
    write_file(folder_ / "cut.npy", bytes);
    EXPECT_CONTAINS(refused_input(folder_ / "cut.npy"), "cut.npy");
    write_text(folder_ / "text.npy", "no array");
    EXPECT_CONTAINS(refused_input(folder_ / "text.npy"), "text.npy");
}

}  // namespace
}  // namespace deconv::testing
