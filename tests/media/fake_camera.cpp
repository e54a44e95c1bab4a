#include "media/fake_camera.h"

#include <fcntl.h>
#include <linux/videodev2.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdarg>
#include <cstring>
#include <deque>
#include <fstream>
#include <map>
#include <mutex>
#include <opencv2/imgcodecs.hpp>
#include <thread>

#include "base/error.h"

namespace deconv::testing {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t buffer_bytes = std::size_t{1} << 20;
constexpr std::uint32_t most_buffers = 8;

std::uint32_t code_of(const std::string& letters) {
    return v4l2_fourcc(static_cast<std::uint32_t>(letters[0]), static_cast<std::uint32_t>(letters[1]),
                       static_cast<std::uint32_t>(letters[2]), static_cast<std::uint32_t>(letters[3]));
}

/// BT.601 with limited range, as cameras send.
std::array<std::uint8_t, 3> yuv_of(const int (&rgb)[3]) {
    const auto byte = [](double value) {
        return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 255.0)));
    };
    const double r = rgb[0];
    const double g = rgb[1];
    const double b = rgb[2];
    return {byte(16 + 0.257 * r + 0.504 * g + 0.098 * b), byte(128 - 0.148 * r - 0.291 * g + 0.439 * b),
            byte(128 + 0.439 * r - 0.368 * g - 0.071 * b)};
}

std::vector<std::uint8_t> picture_in(const std::string& letters, std::uint32_t width, std::uint32_t height) {
    const auto [y, u, v] = yuv_of(camera_color);
    const std::size_t pixels = std::size_t{width} * height;
    if (letters == "GREY") return std::vector<std::uint8_t>(pixels, y);
    std::vector<std::uint8_t> bytes;
    if (letters == "MJPG") {
        const cv::Mat bgr(static_cast<int>(height), static_cast<int>(width), CV_8UC3,
                          cv::Scalar(camera_color[2], camera_color[1], camera_color[0]));
        cv::imencode(".jpg", bgr, bytes);
        return bytes;
    }
    bytes.resize(pixels * 2);
    for (std::size_t i = 0; i < bytes.size(); i += 4) {
        bytes[i] = bytes[i + 2] = y;
        bytes[i + 1] = u;
        bytes[i + 3] = v;
    }
    return bytes;
}

}  // namespace

struct FakeCamera::State {
    std::string path;
    FakeDevice device;
    std::uint8_t* memory = nullptr;  // of all buffers, shared with whoever maps the file

    std::mutex mutex;
    std::size_t format = 0;
    std::uint32_t width = 640, height = 480;
    std::deque<std::uint32_t> queued;
    std::string sent;
    int frames = 0;
    Clock::time_point due = Clock::now();

    int fail(int error) const {
        errno = error;
        return -1;
    }
    const FakeFormat& now() const { return device.formats[format]; }

    int describe(v4l2_capability& capability) const {
        std::memcpy(capability.driver, "fake", 5);
        std::strncpy(reinterpret_cast<char*>(capability.card), device.name.c_str(), sizeof(capability.card) - 1);
        capability.device_caps = device.captures ? V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING : V4L2_CAP_META_CAPTURE;
        capability.capabilities = capability.device_caps | V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_DEVICE_CAPS;
        return 0;
    }

    int describe(v4l2_fmtdesc& format_description) const {
        if (format_description.index >= device.formats.size()) return fail(EINVAL);
        format_description.pixelformat = code_of(device.formats[format_description.index].letters);
        return 0;
    }

    int describe(v4l2_frmivalenum& interval) const {
        if (interval.index > 0) return fail(EINVAL);
        for (const FakeFormat& offered : device.formats) {
            if (code_of(offered.letters) != interval.pixel_format) continue;
            interval.type = V4L2_FRMIVAL_TYPE_DISCRETE;
            interval.discrete = {1000, static_cast<std::uint32_t>(offered.fps * 1000)};
            return 0;
        }
        return fail(EINVAL);
    }

    void fill(v4l2_pix_format& pixels) const {
        const std::uint32_t bytes = now().letters == "GREY" ? 1 : 2;
        pixels.width = width;
        pixels.height = height;
        pixels.pixelformat = code_of(now().letters);
        pixels.field = V4L2_FIELD_NONE;
        pixels.bytesperline = now().letters == "MJPG" ? 0 : width * bytes;
        pixels.sizeimage = now().letters == "MJPG" ? buffer_bytes : width * height * bytes;
    }

    /// As drivers do: what is not offered becomes what is in use.
    int set(v4l2_format& wanted) {
        if (wanted.type != V4L2_BUF_TYPE_VIDEO_CAPTURE) return fail(EINVAL);
        if (device.busy) return fail(EBUSY);
        for (std::size_t i = 0; i < device.formats.size(); ++i) {
            if (code_of(device.formats[i].letters) == wanted.fmt.pix.pixelformat) format = i;
        }
        width = std::clamp(wanted.fmt.pix.width, 160U, 640U);
        height = std::clamp(wanted.fmt.pix.height, 120U, 480U);
        fill(wanted.fmt.pix);
        return 0;
    }

    int describe(v4l2_streamparm& parameters) const {
        parameters.parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
        parameters.parm.capture.timeperframe = {1000, static_cast<std::uint32_t>(now().fps * 1000)};
        return 0;
    }

    int reserve(v4l2_requestbuffers& request) {
        if (device.busy) return fail(EBUSY);
        request.count = std::min(request.count, most_buffers);
        queued.clear();
        return 0;
    }

    static int describe(v4l2_buffer& buffer) {
        buffer.length = buffer_bytes;
        buffer.m.offset = buffer.index * static_cast<std::uint32_t>(buffer_bytes);
        return 0;
    }

    int take(v4l2_buffer& buffer) {
        if (frames >= device.unplugged_after) return fail(ENODEV);
        if (queued.empty()) return fail(EINVAL);
        std::this_thread::sleep_until(due);
        due = std::max(due, Clock::now() - std::chrono::seconds(1)) +
              std::chrono::microseconds(static_cast<int>(1e6 / now().fps));
        buffer.index = queued.front();
        queued.pop_front();
        describe(buffer);
        const std::vector<std::uint8_t> picture = picture_in(now().letters, width, height);
        std::memcpy(memory + buffer.m.offset, picture.data(), picture.size());
        buffer.bytesused = static_cast<std::uint32_t>(picture.size());
        sent = now().letters;
        ++frames;
        return 0;
    }

    int answer(unsigned long request, void* argument) {
        const std::lock_guard lock(mutex);
        switch (request) {
            case VIDIOC_QUERYCAP:
                return describe(*static_cast<v4l2_capability*>(argument));
            case VIDIOC_ENUM_FMT:
                return describe(*static_cast<v4l2_fmtdesc*>(argument));
            case VIDIOC_ENUM_FRAMEINTERVALS:
                return describe(*static_cast<v4l2_frmivalenum*>(argument));
            case VIDIOC_G_FMT:
                fill(static_cast<v4l2_format*>(argument)->fmt.pix);
                return 0;
            case VIDIOC_S_FMT:
                return set(*static_cast<v4l2_format*>(argument));
            case VIDIOC_G_PARM:
            case VIDIOC_S_PARM:
                return describe(*static_cast<v4l2_streamparm*>(argument));
            case VIDIOC_REQBUFS:
                return reserve(*static_cast<v4l2_requestbuffers*>(argument));
            case VIDIOC_QUERYBUF:
                return describe(*static_cast<v4l2_buffer*>(argument));
            case VIDIOC_QBUF:
                queued.push_back(static_cast<v4l2_buffer*>(argument)->index);
                return 0;
            case VIDIOC_DQBUF:
                return take(*static_cast<v4l2_buffer*>(argument));
            case VIDIOC_STREAMON:
                return 0;
            case VIDIOC_STREAMOFF:
                queued.clear();
                return 0;
            case VIDIOC_G_INPUT:
                *static_cast<int*>(argument) = 0;
                return 0;
            case VIDIOC_S_INPUT:
            case VIDIOC_ENUMINPUT:
                return 0;
            default:
                return fail(ENOTTY);
        }
    }
};

namespace {

struct Cameras {
    std::mutex mutex;
    std::map<std::string, std::shared_ptr<FakeCamera::State>> by_path;
};
Cameras& cameras() {
    static Cameras all;
    return all;
}

std::shared_ptr<FakeCamera::State> camera_behind(int descriptor) {
    std::array<char, 4096> path{};
    const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
    const ssize_t length = ::readlink(link.c_str(), path.data(), path.size());
    if (length <= 0) return nullptr;
    const std::lock_guard lock(cameras().mutex);
    const auto found = cameras().by_path.find(std::string(path.data(), static_cast<std::size_t>(length)));
    return found == cameras().by_path.end() ? nullptr : found->second;
}

}  // namespace

FakeCamera::FakeCamera(std::string path, FakeDevice device) : state_(std::make_shared<State>()) {
    state_->path = std::move(path);
    state_->device = std::move(device);
    const int file = ::open(state_->path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    constexpr std::size_t bytes = buffer_bytes * most_buffers;
    if (file < 0 || ::ftruncate(file, static_cast<off_t>(bytes)) != 0) throw Error("no file for the camera");
    void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
    if (memory == MAP_FAILED) throw Error("no memory for the camera");
    state_->memory = static_cast<std::uint8_t*>(memory);
    const std::lock_guard lock(cameras().mutex);
    cameras().by_path[state_->path] = state_;
}

FakeCamera::~FakeCamera() {
    {
        const std::lock_guard lock(cameras().mutex);
        cameras().by_path.erase(state_->path);
    }
    ::munmap(state_->memory, buffer_bytes * most_buffers);
    ::unlink(state_->path.c_str());
}

const std::string& FakeCamera::path() const {
    return state_->path;
}

std::string FakeCamera::sent_format() const {
    const std::lock_guard lock(state_->mutex);
    return state_->sent;
}

}  // namespace deconv::testing

// Found before the C library's, by the libraries too.
extern "C" int ioctl(int descriptor, unsigned long request, ...) noexcept {
    va_list arguments;
    va_start(arguments, request);
    void* argument = va_arg(arguments, void*);
    va_end(arguments);
    const auto camera = deconv::testing::camera_behind(descriptor);
    if (camera) return camera->answer(request, argument);
    return static_cast<int>(::syscall(SYS_ioctl, descriptor, request, argument));
}
