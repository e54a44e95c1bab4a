// --replay: a picture and a recording say how they were made, and the program takes that up again.
#include "live/live_models.h"
#include "live/pictures.h"
#include "live/program.h"
#include "media/sink.h"

namespace deconv::testing {
namespace {

class Replay : public ::testing::Test {
  protected:
    Replay() : model_(write_colour_model(folder_)), input_(write_picture(folder_, "in.png", quarters(32, 24))) {}

    /// R₀ of a run with these settings beside the source.
    std::vector<float> raw(Arguments settings) {
        const std::string file = folder_ / "r0.npy";
        settings.insert(settings.end(), {"--headless", "--input", input_, "--raw", file});
        run_well(settings);
        return read_npy(file).data;
    }

    TempDir folder_;
    std::string model_, input_;
};

TEST_F(Replay, APictureAndARecordingGiveTheirSettingsBack) {
    const std::string png = folder_ / "out.png";
    const std::string mkv = folder_ / "out.mkv";
    const Arguments settings{"--model", model_, "--layer", "relu1",  "--channel", "2",       "--projection", "3,4",
                             "--start", "one",  "--rule",  "guided", "--fit",     "stretch", "--size",       "12x10"};
    Arguments first = settings;
    first.insert(first.end(), {"--snapshot", png, "--record", mkv});
    const std::vector<float> made = raw(first);
    ASSERT_EQ(made.size(), 3U * 12 * 10);
    EXPECT_NE(made, std::vector<float>(made.size(), 0.0F));
    EXPECT_EQ(raw({"--replay", png}), made);
    EXPECT_EQ(raw({"--replay", mkv}), made);
    // What the command line itself says wins.
    EXPECT_NE(raw({"--replay", png, "--channel", "1"}), made);
}

TEST_F(Replay, AnotherModelUnderTheSameNameIsNoticed) {
    const std::string png = folder_ / "out.png";
    raw({"--model", model_, "--snapshot", png});
    onnx::ModelProto other = colour_model();
    other.set_producer_name("another");
    write_model(folder_, other);
    const Outcome outcome = run_well({"--headless", "--input", input_, "--replay", png});
    EXPECT_NE(outcome.err.find("another network"), std::string::npos) << outcome.err;
}

TEST_F(Replay, FilesThatSayNothingAreRefused) {
    for (const std::string& file : {input_, model_, folder_ / "missing.png"}) {
        const Outcome outcome = run({"--headless", "--replay", file});
        EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
        EXPECT_NE(outcome.err.find(file), std::string::npos) << outcome.err;
        EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    }
}

TEST_F(Replay, AFileCannotMakeTheProgramWrite) {
    const std::string png = folder_ / "evil.png";
    const std::string target = folder_ / "written.npy";
    media::write_png(png, Picture(8, 8), {{"deconv-settings", R"(["--raw", ")" + target + R"("])"}});
    const Outcome outcome = run({"--headless", "--input", input_, "--replay", png});
    EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
    EXPECT_FALSE(std::filesystem::exists(target));
}

}  // namespace
}  // namespace deconv::testing
