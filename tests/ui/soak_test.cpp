// The window for minutes or hours, with a restless hand at the keys: it stays alive, it stays as small as it was.
//
//     DECONV_SOAK_MINUTES=60 [DECONV_SOAK_SEED=7] [DECONV_SOAK_VALIDATION=1] build/release/tests/test-ui
//         --gtest_filter=Soak*
//
// Memory is judged without the validation layer, which keeps one or two megabytes for each engine that is made; with
// it, its messages are, and memory is only told.
#include <fstream>
#include <random>

#include "ui/screen.h"

namespace deconv {
namespace {

using testing::eventually;
using testing::LiveWindow;
using testing::Program;
using Clock = std::chrono::steady_clock;

/// Every key of the window's table but those that leave it or write files, as xdotool names them.
const std::vector<std::string> keys = {"v",           "1",      "2",     "3",    "4",         "5",     "6",
                                       "7",           "Up",     "Down",  "Left", "Right",     "Prior", "Next",
                                       "s",           "n",      "a",     "f",    "w",         "x",     "o",
                                       "r",           "z",      "u",     "d",    "equal",     "minus", "bracketright",
                                       "bracketleft", "period", "comma", "y",    "m",         "0",     "space",
                                       "F2",          "F3",     "i",     "j",    "k",         "e",     "h",
                                       "t",           "F1",     "Tab",   "l",    "BackSpace", "F11"};

double median(std::vector<double> values) {
    if (values.empty()) return 0;
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

class Soak : public LiveWindow {
  protected:
    void SetUp() override {
        const char* minutes = std::getenv("DECONV_SOAK_MINUTES");
        if (minutes == nullptr) {
            GTEST_SKIP() << "SKIPPED: set DECONV_SOAK_MINUTES to run it";
        }
        minutes_ = std::stod(minutes);
        LiveWindow::SetUp();
        validation_ = std::getenv("DECONV_SOAK_VALIDATION") != nullptr;
        if (!validation_) place_.environment.erase("DECONV_VALIDATION");
    }

    /// Resident mebibytes.
    static double resident(const Program& program) {
        std::ifstream status("/proc/" + std::to_string(program.pid()) + "/status");
        for (std::string line; std::getline(status, line);) {
            if (line.rfind("VmRSS:", 0) == 0) return std::stod(line.substr(6)) / 1024;
        }
        return 0;
    }

    /// What the window takes in one and the same state: as it began, with the smallest input, after a few frames.
    double resident_at_rest(const Program& program) const {
        screen_->press("BackSpace");
        for (int i = 0; i < 12; ++i) screen_->press("F2");
        screen_->press("1");
        screen_->resize(1280, 800);
        ::sleep(4);
        std::vector<double> samples;
        for (int i = 0; i < 7; ++i) {
            samples.push_back(resident(program));
            ::usleep(200000);
        }
        return median(samples);
    }

    int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }

    /// A key, most of the time; sometimes the mouse over the pictures, or another size of the window.
    void do_something() {
        const int kind = pick(0, 19);
        if (kind == 0) {
            screen_->resize(pick(420, 1280), pick(320, 800));
        } else if (kind == 1) {
            screen_->click(pick(380, 1270), pick(30, 790));
        } else if (kind == 2) {
            screen_->move(pick(380, 1270), pick(30, 790));
        } else {
            screen_->press(keys[static_cast<std::size_t>(pick(0, static_cast<int>(keys.size()) - 1))]);
        }
        ::usleep(static_cast<useconds_t>(pick(20, 400)) * 1000);
    }

    double minutes_ = 0;
    bool validation_ = false;
    std::mt19937 random_;
};

TEST_F(Soak, StaysAliveAndAsSmallAsItWas) {
    const char* given = std::getenv("DECONV_SOAK_SEED");
    const unsigned seed = given != nullptr ? static_cast<unsigned>(std::stoul(given)) : 20140901U;
    std::printf("soak: %.1f minutes, seed %u\n", minutes_, seed);
    Program program({"--input", "demo"}, place_);
    ASSERT_TRUE(eventually([&] { return shows_pictures(); })) << program.said();
    // Everything once: what is compiled or kept from then on is no news later.
    for (const std::string& key : keys) {
        screen_->press(key);
        ::usleep(600000);
    }
    for (int i = 0; i < 12; ++i) screen_->press("F3");
    ::sleep(5);
    const auto begin = Clock::now();
    const auto progress = [&] { return std::chrono::duration<double>(Clock::now() - begin).count() / (60 * minutes_); };
    // The first quarter is made up as it goes; then it is done again, three times: nothing new is seen, and whatever
    // grows from then on is lost.
    std::vector<unsigned> rounds;
    std::vector<double> first, last;
    int presses = 0;
    for (std::size_t round = 0; progress() < 1; ++round) {
        if (progress() < 0.25) rounds.push_back(seed + static_cast<unsigned>(round));
        random_.seed(rounds[round % rounds.size()]);
        for (int i = 0; i < 40; ++i, ++presses) do_something();
        ASSERT_TRUE(program.running()) << "it ended after " << presses << " presses: " << program.said();
        const double now = resident_at_rest(program);
        const double at = progress();
        std::printf("soak: %5.1f %%, %d presses, %.1f MiB\n", 100 * at, presses, now);
        static_cast<void>(std::fflush(stdout));
        if (at > 0.25 && (at <= 0.5 || first.empty())) first.push_back(now);
        if (at > 0.75) last.push_back(now);
    }
    const double growth = median(last) / median(first) - 1;
    std::printf("soak: resident %.1f MiB after the first quarter, %.1f MiB in the last: %+.2f %%\n", median(first),
                median(last), 100 * growth);
    if (!validation_) {
        EXPECT_LT(growth, 0.01);
    }
    EXPECT_EQ(program.said().find("Vulkan validation"), std::string::npos) << program.said();
    leave(program);
}

}  // namespace
}  // namespace deconv
