// The tuner: what it measures, keeps, and hands to a model.
#include "nn/tuner.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "engine_cases.h"

namespace deconv::testing {
namespace {

class EngineTuner : public ::testing::Test {
  protected:
    EngineTuner()
        : folder_(std::filesystem::path(::testing::TempDir()) / ("tuner-" + std::to_string(::getpid()))), random_(71) {
        // The first step of a way back needs no tuner, the second does.
        maker_.constant("w", random_.normal({24, 8, 3, 3}));
        maker_.constant("v", random_.normal({8, 24, 1, 1}));
        maker_.node("Conv", {"x", "w"}, "z", {{"pads", Ints{1, 1, 1, 1}}});
        maker_.node("Conv", {"z", "v"}, "u");
        maker_.node("Relu", {"u"}, "y");
        std::filesystem::create_directories(folder_);
        comparison_.emplace(maker_.proto(), reference::Network::Values{{"x", random_.normal({1, 8, 20, 20})}},
                            std::vector<std::string>{"y"});
    }
    ~EngineTuner() override { std::filesystem::remove_all(folder_); }

    Runner& runner() { return comparison_->runner(); }
    /// What is looked at is dense, on all devices, and then every algorithm may run.
    void plan(const std::string& target) {
        runner().plan(target, nn::Rule::deconv, nn::LrnReverse::identity, 1, {"z", "u"});
    }
    std::filesystem::path file() const { return folder_ / ("tuning-" + engine().device.info().key + ".json"); }

    static constexpr const char* forward = "forward 8x20x20 3x3 s1x1 p1x1 d1x1 g1 to 24x20x20 n1";
    static constexpr const char* reverse = "reverse 8x20x20 3x3 s1x1 p1x1 d1x1 g1 to 24x20x20 n1";

    std::filesystem::path folder_;
    Random random_;
    ModelMaker maker_;
    std::optional<Comparison> comparison_;
};

TEST_F(EngineTuner, MeasuresEveryAlgorithmAndRemembersAcrossPrograms) {
    plan("y");
    nn::Tuner tuner(engine().device, engine().pipelines, folder_);
    EXPECT_TRUE(tuner.measured(forward).empty());
    tuner.tune(runner().model(), runner().current());
    for (const char* task : {forward, reverse}) {
        const auto milliseconds = tuner.measured(task);
        ASSERT_FALSE(milliseconds.empty()) << task;
        EXPECT_EQ(milliseconds.count("direct"), 1U);
        const std::string choice = runner().model().choices().get(task);
        ASSERT_EQ(milliseconds.count(choice), 1U) << choice;
        for (const auto& [algorithm, ms] : milliseconds) {
            EXPECT_GT(ms, 0) << algorithm;
            EXPECT_LE(milliseconds.at(choice), ms) << algorithm;
        }
    }
    // Nothing is left to learn or to change.
    EXPECT_FALSE(tuner.tune(runner().model(), runner().current()));

    const nn::Tuner later(engine().device, engine().pipelines, folder_);
    EXPECT_EQ(later.measured(forward), tuner.measured(forward));
    Comparison other(maker_.proto(), {{"x", random_.normal({1, 8, 20, 20})}}, {"y"});
    later.recall(other.runner().model());
    EXPECT_EQ(other.runner().model().choices().get(forward), runner().model().choices().get(forward));
    other.expect_forward();
}

TEST_F(EngineTuner, SaysWhetherANewPlanWouldDiffer) {
    runner().model().choices().set(forward, "no such algorithm");
    plan("");
    nn::Tuner tuner(engine().device, engine().pipelines, {});
    EXPECT_TRUE(tuner.tune(runner().model(), runner().current()));
    EXPECT_FALSE(tuner.tune(runner().model(), runner().current()));
}

TEST_F(EngineTuner, LeavesWhenAsked) {
    plan("y");
    nn::Tuner tuner(engine().device, engine().pipelines, folder_);
    int asked = 0;
    EXPECT_FALSE(tuner.tune(runner().model(), runner().current(), [&] {
        ++asked;
        return false;
    }));
    EXPECT_EQ(asked, 1);
    EXPECT_TRUE(tuner.measured(forward).empty());
}

TEST_F(EngineTuner, AnotherVersionsOrADamagedFileIsMeasuredAnew) {
    for (const std::string& text :
         {std::string(R"({"version": "0.0.0", "tasks": {")") + forward + R"(": {"direct": 1}}})",
          std::string("{\"version"), std::string("[]"), std::string()}) {
        std::ofstream(file()) << text;
        const nn::Tuner tuner(engine().device, engine().pipelines, folder_);
        EXPECT_TRUE(tuner.measured(forward).empty()) << text;
    }
}

}  // namespace
}  // namespace deconv::testing
