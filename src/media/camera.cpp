// Cameras by number or device path (Video4Linux), through OpenCV.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <opencv2/videoio.hpp>
#include <utility>

#include "base/error.h"
#include "media/camera_device.h"
#include "media/opencv_tools.h"
#include "media/sources.h"

namespace deconv::media {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds read_timeout{5};  // as quiet_libraries() tells OpenCV, whose reads cannot be cancelled
constexpr double assumed_fps = 30;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

bool is_url(const std::string& which) {
    return which.find("://") != std::string::npos;
}

class Camera : public Source {
  public:
    Camera(std::string name, const cv::VideoCapture& capture, cv::Mat first)
        : name_(std::move(name)), capture_(capture), pixels_(std::move(first)) {
        const double claimed = capture_.get(cv::CAP_PROP_FPS);
        if (claimed >= 1 && claimed <= 1000) fps_ = claimed;
    }

    bool read(Frame& frame) override {
        // The first frame was taken on opening, to know that there are any.
        if (index_ > 0) grab();
        to_picture(pixels_, frame.picture);
        frame.index = index_++;
        frame.time_s = seconds_since(opened_);
        return true;
    }
    double fps() const override { return fps_; }
    bool live() const override { return true; }
    std::optional<std::int64_t> count() const override { return std::nullopt; }
    std::string name() const override { return name_; }

  private:
    void grab() {
        const Clock::time_point start = Clock::now();
        bool done = false;
        try {
            done = capture_.read(pixels_) && !pixels_.empty();
        } catch (const cv::Exception&) {
            done = false;
        }
        if (done) return;
        if (Clock::now() - start > read_timeout * 9 / 10) {
            throw Error(name_ + ": gave no picture for " + std::to_string(read_timeout.count()) +
                        " seconds; is it still connected?");
        }
        throw Error(name_ + ": gives no more pictures; was it unplugged?");
    }

    std::string name_;
    cv::VideoCapture capture_;  // a handle that copies share
    cv::Mat pixels_;
    double fps_ = assumed_fps;
    std::int64_t index_ = 0;
    Clock::time_point opened_ = Clock::now();
};

std::uint32_t format_of(const cv::VideoCapture& capture) {
    return static_cast<std::uint32_t>(static_cast<int>(capture.get(cv::CAP_PROP_FOURCC)));
}

/// Over USB 2 a camera sends few raw pictures a second, and many compressed ones.
constexpr double slow_fps = 25;

/// Asks for MJPG where the format in use is slow, and the device offers MJPG and says that it is faster.
bool ask_for_mjpg(cv::VideoCapture& capture, const std::string& path) {
    constexpr std::uint32_t mjpg = four_letters("MJPG");
    const auto format = format_of(capture);
    if (format == mjpg || format == four_letters("JPEG")) return false;
    const int width = static_cast<int>(capture.get(cv::CAP_PROP_FRAME_WIDTH));
    const int height = static_cast<int>(capture.get(cv::CAP_PROP_FRAME_HEIGHT));
    double raw = highest_rate(path, format, width, height);
    if (raw <= 0) raw = capture.get(cv::CAP_PROP_FPS);
    const double compressed = highest_rate(path, mjpg, width, height);
    if (raw <= 0 || raw >= slow_fps || compressed <= raw) return false;
    capture.set(cv::CAP_PROP_FOURCC, mjpg);
    capture.set(cv::CAP_PROP_FPS, std::min(compressed, assumed_fps));
    return true;
}

std::unique_ptr<Source> open_device(const std::string& path, const std::string& name) {
    if (const int fault = try_device(path); fault != 0) throw Error(camera_fault(name, fault, list_cameras()));
    cv::VideoCapture capture(path, cv::CAP_V4L2);
    cv::Mat first;
    bool given = false;
    if (capture.isOpened()) {
        const bool asked = ask_for_mjpg(capture, path);
        given = capture.read(first);
        // Slow pictures are better than none.
        if (!given && asked) given = capture.open(path, cv::CAP_V4L2) && capture.read(first);
    }
    if (!given) {
        capture.release();
        if (const int fault = try_streaming(path); fault != 0) throw Error(camera_fault(name, fault, {}));
        throw Error(name + ": opens but gives no colour picture; unplug it and plug it in again, or choose another: " +
                    cameras_here(list_cameras()));
    }
    if (first.channels() != 3 || is_colourless(format_of(capture))) {
        throw Error(name + ": gives no colour pictures (a sensor for infrared or depth?); choose another: " +
                    cameras_here(list_cameras()));
    }
    return std::make_unique<Camera>(name, capture, std::move(first));
}

}  // namespace

std::unique_ptr<Source> open_camera(const std::string& which) {
    quiet_libraries();
    try {
        if (is_url(which)) return open_stream(which);
        int number = -1;
        const char* end = which.data() + which.size();
        const auto [stop, wrong] = std::from_chars(which.data(), end, number);
        if (!which.empty() && stop == end && wrong == std::errc()) {
            return open_device("/dev/video" + std::to_string(number), "camera " + which);
        }
        const bool file = std::filesystem::is_regular_file(which) || std::filesystem::is_directory(which);
        if (file && try_device(which) != 0) {
            throw Error(which + ": is not a camera; open it with --input " + which);
        }
        return open_device(which, "camera " + which);
    } catch (const cv::Exception&) {
        throw Error("camera " + which + ": cannot be opened; " + cameras_here(list_cameras()));
    }
}

}  // namespace deconv::media
