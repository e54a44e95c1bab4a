// The window for minutes or hours, with a restless hand at the keys: it stays alive, it stays as small as it was, and
// what was pressed has been done.
//
//     DECONV_SOAK_MINUTES=30 [DECONV_SOAK_SEED=7] [DECONV_SOAK_VALIDATION=1] build/release/tests/test-ui
//         --gtest_filter=Soak*
//
// Memory is judged without the validation layer, which keeps a megabyte or two for each engine that is made; with it,
// its messages are judged, and memory is only told.
#include <fstream>
#include <random>

#include "media/sink.h"
#include "ui/hand.h"
#include "ui/screen.h"

namespace deconv {
namespace {

using testing::eventually;
using testing::Hand;
using testing::Json;
using testing::LiveWindow;
using testing::Program;
using Clock = std::chrono::steady_clock;

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
        if (minutes == nullptr) GTEST_SKIP() << "SKIPPED: set DECONV_SOAK_MINUTES to run it";
        minutes_ = std::stod(minutes);
        if (const char* seed = std::getenv("DECONV_SOAK_SEED")) seed_ = static_cast<unsigned>(std::stoul(seed));
        LiveWindow::SetUp();
        if (IsSkipped()) return;
        validation_ = std::getenv("DECONV_SOAK_VALIDATION") != nullptr;
        if (!validation_) place_.environment.erase("DECONV_VALIDATION");
    }

    /// Resident mebibytes.  Where the device is the processor they hold the device's memory too.
    static double resident(const Program& program) {
        std::ifstream status("/proc/" + std::to_string(program.pid()) + "/status");
        for (std::string line; std::getline(status, line);) {
            if (line.rfind("VmRSS:", 0) == 0) return std::stod(line.substr(6)) / 1024;
        }
        return 0;
    }

    void press(const std::string& key) {
        screen_->press(key);
        hand_.pressed(key);
        ++presses_;
    }

    /// The one state in which memory is compared: as it began, with the smallest input.
    void come_to_rest() {
        // Keys act when they come, the mouse with the next frame: what it did must not come after them.
        ::sleep(1);
        press("BackSpace");
        for (int i = 0; i < 12; ++i) press("F2");
        press("1");
        screen_->resize(1280, 800);
        ::sleep(4);
    }
    static double resident_at_rest(const Program& program) {
        std::vector<double> samples;
        for (int i = 0; i < 7; ++i) {
            samples.push_back(resident(program));
            ::usleep(200000);
        }
        return median(samples);
    }

    /// Everything once: what is compiled or kept from then on is no news later.  Each kernel that a driver compiles
    /// stays, with two or three megabytes, and rare ones are only met at some size under some rule from some layer.
    void see_everything() {
        const auto wait = [](int ms) { ::usleep(static_cast<useconds_t>(ms) * 1000); };
        for (const std::string& key : Hand::keys()) {
            press(key);
            wait(300);
        }
        come_to_rest();
        const auto layers = Hand::layers().size();
        for (int size = 0; size < 6; ++size) {
            const auto under_all_rules = [&] {
                for (int rule = 0; rule < 3; ++rule) {
                    press("r");
                    wait(250 + 100 * size);
                }
            };
            for (const char* view : {"2", "3", "4", "5", "6", "7", "1"}) {
                press(view);
                under_all_rules();
            }
            for (std::size_t i = 0; i < layers; ++i) press("Up");
            for (std::size_t i = 0; i < layers; ++i) {
                under_all_rules();
                press("Down");
            }
            press("F3");
        }
        for (int i = 0; i < 12; ++i) press("F3");
    }

    int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
    void pause() { ::usleep(static_cast<useconds_t>(pick(20, 400)) * 1000); }

    /// A key, most of the time; sometimes another size of the window.
    void do_something() {
        const auto& keys = Hand::keys();
        if (pick(0, 19) == 0) {
            screen_->resize(pick(420, 1280), pick(320, 800));
        } else {
            press(keys[static_cast<std::size_t>(pick(0, static_cast<int>(keys.size()) - 1))]);
        }
        pause();
    }
    /// The mouse over the pictures: what it does depends on what is there.
    void touch_something() {
        if (pick(0, 1) == 0) {
            screen_->click(pick(380, 1270), pick(30, 790));
        } else {
            screen_->move(pick(380, 1270), pick(30, 790));
        }
        pause();
    }

    /// What a picture saved now says of how it was made; empty where none comes.
    std::map<std::string, std::string> settings_of_a_picture() const {
        screen_->press("p");
        std::string path;
        const auto written = [&] {
            for (const std::string& file : files(".png")) {
                if (file.ends_with("-projection.png")) path = file;
            }
            return !path.empty();
        };
        std::map<std::string, std::string> settings;
        if (!eventually(written, 20)) return settings;
        const Json words = Json::parse(media::read_png_metadata(path).at("deconv-settings"));
        for (std::size_t i = 0; i + 1 < words.size(); i += 2) settings[words[i]] = words[i + 1];
        for (const std::string& file : files(".png")) std::filesystem::remove(file);
        return settings;
    }

    /// What the pictures show is what the keys asked for, once the engine that they asked for runs.
    void expect_done() {
        std::string differences = "no picture";
        const auto done = [&] {
            differences = hand_.differences(settings_of_a_picture());
            return differences.empty();
        };
        if (hand_.at_camera()) press("i");  // without a camera nothing comes
        EXPECT_TRUE(eventually(done, 8)) << "after " << presses_ << " presses: " << differences;
        if (!differences.empty()) ++dropped_;
    }

    double minutes_ = 1;
    unsigned seed_ = 20140901U;
    bool validation_ = false;
    std::mt19937 random_;
    Hand hand_;
    int presses_ = 0, dropped_ = 0;
};

TEST_F(Soak, StaysAliveAndAsSmallAsItWasAndDropsNothing) {
    std::printf("soak: %.1f minutes, seed %u\n", minutes_, seed_);
    Program program({"--input", "demo"}, place_);
    ASSERT_TRUE(eventually([&] { return shows_pictures(); })) << program.said();
    see_everything();
    come_to_rest();
    expect_done();
    const auto begin = Clock::now();
    const auto minutes = [&] { return std::chrono::duration<double>(Clock::now() - begin).count() / 60; };
    // A quarter of it, at most three minutes, warms up: every view at every size leaves code and pools behind.
    const double warm = std::min(3.0, minutes_ / 4);
    std::vector<std::pair<double, double>> resting;  // minutes, mebibytes
    random_.seed(seed_);
    while (minutes() < minutes_) {
        for (int i = 0; i < 40; ++i) do_something();
        expect_done();
        for (int i = 0; i < 4; ++i) touch_something();
        ASSERT_TRUE(program.running()) << "it ended after " << presses_ << " presses: " << program.said();
        come_to_rest();
        // The layer of the start is only known again once its engine runs: the next key counts from there.
        expect_done();
        resting.emplace_back(minutes(), resident_at_rest(program));
        std::printf("soak: %5.1f minutes, %d presses, %d rounds with a dropped key, %.1f MiB\n", resting.back().first,
                    presses_, dropped_, resting.back().second);
        static_cast<void>(std::fflush(stdout));
    }
    // The first fifth after the warm-up against the last.
    std::vector<double> first;
    std::vector<double> last;
    const double fifth = (minutes_ - warm) / 5;
    for (const auto& [at, mebibytes] : resting) {
        if (at >= warm && (at <= warm + fifth || first.empty())) first.push_back(mebibytes);
        if (at >= minutes_ - fifth) last.push_back(mebibytes);
    }
    const double growth = median(last) / median(first) - 1;
    std::printf("soak: resident %.1f MiB after the warm-up, %.1f MiB in the end: %+.2f %%\n", median(first),
                median(last), 100 * growth);
    // A minute warms up hardly anything: it only finds what grows with every key.
    if (!validation_) {
        EXPECT_LT(growth, minutes_ >= 10 ? 0.01 : 0.15);
    }
    EXPECT_EQ(program.said().find("Vulkan validation"), std::string::npos) << program.said();
    // What pictures do not say, the window remembers when it is left.
    for (int i = 0; i < 40; ++i) do_something();
    leave(program);
    std::ifstream remembered(folder_ / "config/deconv-live/settings.json");
    EXPECT_EQ(hand_.differences_remembered(Json::parse(remembered, nullptr, false)), "");
}

}  // namespace
}  // namespace deconv
