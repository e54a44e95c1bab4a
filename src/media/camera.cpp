// Cameras by number or device path (Video4Linux) and streams by URL (FFmpeg), both through OpenCV.
#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <opencv2/videoio.hpp>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "media/camera_device.h"
#include "media/opencv_tools.h"
#include "media/source.h"

namespace deconv::media {
namespace {

using Clock = std::chrono::steady_clock;

// OpenCV's read() cannot be cancelled; it can be told when to give up.
constexpr std::chrono::milliseconds open_timeout{5000};
constexpr std::chrono::milliseconds read_timeout{5000};
constexpr double assumed_fps = 30;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

bool is_url(const std::string& which) {
    return which.find("://") != std::string::npos;
}

/// A stream's address may hold a password, which belongs neither on the screen nor in a recording.
std::string without_password(const std::string& url) {
    const std::size_t host = url.find("://") + 3;
    const std::size_t end = std::min(url.find('/', host), url.size());
    const std::size_t at = url.rfind('@', end);
    if (at == std::string::npos || at < host) return url;
    return url.substr(0, host) + url.substr(at + 1);
}

class Camera : public Source {
  public:
    Camera(std::string name, const cv::VideoCapture& capture, cv::Mat first, bool stream)
        : name_(std::move(name)), capture_(capture), pixels_(std::move(first)), stream_(stream) {
        const double claimed = capture_.get(cv::CAP_PROP_FPS);
        if (claimed >= 1 && claimed <= 1000) fps_ = claimed;
    }

    std::optional<Frame> next() override {
        // The first frame was taken on opening, to know that there are any.
        if (index_ > 0 && !read()) return std::nullopt;
        Frame frame;
        frame.picture = to_picture(pixels_);
        frame.index = index_++;
        frame.time_s = seconds_since(opened_);
        return frame;
    }
    double fps() const override { return fps_; }
    bool live() const override { return true; }
    std::optional<std::int64_t> count() const override { return std::nullopt; }
    std::string name() const override { return name_; }

  private:
    /// False where a stream has ended.
    bool read() {
        const Clock::time_point start = Clock::now();
        bool done = false;
        try {
            done = capture_.read(pixels_) && !pixels_.empty();
        } catch (const cv::Exception&) {
            done = false;
        }
        if (done) return true;
        if (Clock::now() - start > read_timeout * 9 / 10) {
            throw Error(name_ + ": gave no picture for " + std::to_string(read_timeout.count() / 1000) +
                        " seconds; is it still connected?");
        }
        if (!stream_) throw Error(name_ + ": gives no more pictures; was it unplugged?");
        return false;
    }

    std::string name_;
    cv::VideoCapture capture_;  // a handle that copies share
    cv::Mat pixels_;
    bool stream_ = false;
    double fps_ = assumed_fps;
    std::int64_t index_ = 0;
    Clock::time_point opened_ = Clock::now();
};

std::unique_ptr<Source> open_stream(const std::string& url) {
    const std::string name = without_password(url);
    const std::vector<int> options = {cv::CAP_PROP_OPEN_TIMEOUT_MSEC, static_cast<int>(open_timeout.count()),
                                      cv::CAP_PROP_READ_TIMEOUT_MSEC, static_cast<int>(read_timeout.count())};
    const Clock::time_point start = Clock::now();
    cv::VideoCapture capture(url, cv::CAP_FFMPEG, options);
    if (!capture.isOpened()) {
        const bool silent = Clock::now() - start > open_timeout * 9 / 10;
        throw Error(name +
                    (silent ? ": did not answer within " + std::to_string(open_timeout.count() / 1000) +
                                  " seconds; check the address; "
                            : ": no video stream there; check the address and that it is being served; ") +
                    cameras_here(list_cameras()));
    }
    cv::Mat first;
    if (!capture.read(first) || first.channels() != 3) throw Error(name + ": the stream gives no colour pictures");
    return std::make_unique<Camera>(name, capture, std::move(first), true);
}

/// Sensors for infrared and depth are cameras to the kernel too; their pictures have one channel.
bool is_colourless(int fourcc) {
    constexpr std::array<std::string_view, 9> formats = {"GREY", "Y04 ", "Y06 ", "Y10 ", "Y12 ",
                                                         "Y14 ", "Y16 ", "Z16 ", "INZI"};
    const std::array<char, 4> letters = {static_cast<char>(fourcc), static_cast<char>(fourcc >> 8),
                                         static_cast<char>(fourcc >> 16), static_cast<char>(fourcc >> 24)};
    return std::find(formats.begin(), formats.end(), std::string_view(letters.data(), letters.size())) != formats.end();
}

std::unique_ptr<Source> open_device(const std::string& path, const std::string& name) {
    if (const int fault = try_device(path); fault != 0) throw Error(camera_fault(name, fault, list_cameras()));
    cv::VideoCapture capture(path, cv::CAP_V4L2);
    cv::Mat first;
    if (!capture.isOpened() || !capture.read(first)) {
        capture.release();
        if (const int fault = try_streaming(path); fault != 0) throw Error(camera_fault(name, fault, {}));
        throw Error(name + ": opens but gives no colour picture; unplug it and plug it in again, or choose another: " +
                    cameras_here(list_cameras()));
    }
    if (first.channels() != 3 || is_colourless(static_cast<int>(capture.get(cv::CAP_PROP_FOURCC)))) {
        throw Error(name + ": gives no colour pictures (a sensor for infrared or depth?); choose another: " +
                    cameras_here(list_cameras()));
    }
    return std::make_unique<Camera>(name, capture, std::move(first), false);
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
        if (std::filesystem::is_regular_file(which) || std::filesystem::is_directory(which)) {
            throw Error(which + ": is not a camera; open it with --input " + which);
        }
        return open_device(which, "camera " + which);
    } catch (const cv::Exception&) {
        throw Error("camera " + which + ": cannot be opened; " + cameras_here(list_cameras()));
    }
}

}  // namespace deconv::media
