// The live window in a virtual X server, for tests: what is on the screen, and keys.
#pragma once

#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <optional>
#include <string>
#include <vector>

#include "live/program.h"

namespace deconv::testing {

inline bool installed(const std::string& program) {
    return std::system(("command -v " + program + " >/dev/null 2>&1").c_str()) == 0;
}

/// A virtual X server for one test.  The server itself picks a free number, and says it once it listens.
class Screen {
  public:
    explicit Screen(int width = 1280, int height = 800) : size_(std::to_string(width) + "x" + std::to_string(height)) {
        int ends[2] = {-1, -1};
        if (::pipe(ends) != 0) throw Error("no pipe");
        std::fflush(stdout);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::close(ends[0]);
            const int nowhere = ::open("/dev/null", O_WRONLY);
            ::dup2(nowhere, STDOUT_FILENO);
            ::dup2(nowhere, STDERR_FILENO);
            ::execlp("Xvfb", "Xvfb", "-displayfd", std::to_string(ends[1]).c_str(), "-screen", "0",
                     (size_ + "x24").c_str(), "-noreset", nullptr);
            ::_exit(127);
        }
        ::close(ends[1]);
        char digit = 0;
        name_ = ":";
        while (::read(ends[0], &digit, 1) == 1 && digit != '\n') name_ += digit;
        ::close(ends[0]);
    }
    ~Screen() {
        ::kill(pid_, SIGTERM);
        ::waitpid(pid_, nullptr, 0);
    }
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;

    const std::string& name() const { return name_; }
    cv::Mat picture(const TempDir& folder) const {
        const std::string file = folder / "screen.png";
        const std::string command = "ffmpeg -loglevel quiet -y -f x11grab -draw_mouse 0 -video_size " + size_ + " -i " +
                                    name_ + " -frames:v 1 " + file + " </dev/null";
        if (std::system(command.c_str()) != 0) return {};
        return cv::imread(file);
    }
    void press(const std::string& key) const { xdotool("key " + key); }
    void click(int x, int y) const {
        xdotool("mousemove " + std::to_string(x) + " " + std::to_string(y) +
                " sleep 0.2 mousedown 1 sleep 0.2 mouseup 1");
    }
    void move(int x, int y) const { xdotool("mousemove " + std::to_string(x) + " " + std::to_string(y)); }
    void resize(int width, int height) const {
        xdotool("search --name deconv-live windowsize " + std::to_string(width) + " " + std::to_string(height));
    }

  private:
    void xdotool(const std::string& what) const {
        EXPECT_EQ(std::system(("DISPLAY=" + name_ + " xdotool " + what + " >/dev/null").c_str()), 0) << what;
    }

    std::string size_, name_;
    pid_t pid_ = -1;
};

/// The part of the window right of the controls.
inline cv::Mat stage(const cv::Mat& screen) {
    return screen(cv::Rect(360, 40, 900, 600));
}

inline double variety(const cv::Mat& picture) {
    cv::Scalar mean;
    cv::Scalar deviation;
    cv::meanStdDev(picture, mean, deviation);
    return deviation[0] + deviation[1] + deviation[2];
}

inline bool eventually(const std::function<bool()>& what, int seconds = 60) {
    for (int i = 0; i < seconds * 4; ++i) {
        if (what()) return true;
        ::usleep(250000);
    }
    return false;
}

class LiveWindow : public ::testing::Test {
  protected:
    void SetUp() override {
        for (const char* program : {"Xvfb", "xdotool", "ffmpeg"}) {
            if (!installed(program)) GTEST_SKIP() << "SKIPPED: " << program << " is not installed";
        }
        screen_.emplace();
        place_.folder = folder_.path();
        place_.environment = {{"DISPLAY", screen_->name()},
                              {"XDG_CACHE_HOME", folder_ / "cache"},
                              {"XDG_CONFIG_HOME", folder_ / "config"},
                              {"DECONV_VALIDATION", "1"}};
    }

    bool shows_pictures() const {
        const cv::Mat now = screen_->picture(folder_);
        return !now.empty() && variety(stage(now)) > 60;
    }
    std::vector<std::string> files(const std::string& extension) const {
        std::vector<std::string> found;
        for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
            if (entry.path().extension() == extension &&
                entry.path().filename().string().rfind("deconv-live-", 0) == 0) {
                found.push_back(entry.path());
            }
        }
        std::sort(found.begin(), found.end());
        return found;
    }
    /// Leaves by a key and expects that all was well.
    void leave(Program& program, const std::string& key = "q") const {
        screen_->press(key);
        const Outcome outcome = program.wait(std::chrono::seconds(20));
        EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
        EXPECT_EQ(outcome.err.find("Vulkan validation"), std::string::npos) << outcome.err;
    }

    TempDir folder_;
    std::optional<Screen> screen_;
    Place place_;
};

}  // namespace deconv::testing
