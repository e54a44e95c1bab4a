#include "media/camera_device.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#ifdef __linux__
#include <linux/videodev2.h>
#endif

namespace deconv::media {

std::string cameras_here(const std::vector<CameraDevice>& cameras) {
    if (cameras.empty()) return "no camera is connected; use --input with a file, or --input demo";
    std::string text;
    for (const CameraDevice& camera : cameras) {
        text += (text.empty() ? "cameras here: " : ", ") + std::to_string(camera.index);
        if (!camera.name.empty()) text += " (" + camera.name + ")";
    }
    return text;
}

std::string camera_fault(const std::string& name, int error_number, const std::vector<CameraDevice>& cameras) {
    switch (error_number) {
        case ENOENT:
        case ENODEV:
        case ENXIO:
        case ENOTDIR:
            return name + ": not there; " + cameras_here(cameras);
        case EACCES:
        case EPERM:
            return name + ": may not be opened; join the group video (sudo usermod -aG video $USER) and log in again";
        case EBUSY:
            return name + ": is busy: another program uses it; close that program and try again";
        case ENOTTY:
            return name + ": is not a camera; " + cameras_here(cameras);
        default:
            return name + ": cannot be opened: " + std::generic_category().message(error_number);
    }
}

bool is_colourless(std::uint32_t format) {
    constexpr std::array formats = {four_letters("GREY"), four_letters("Y04 "), four_letters("Y06 "),
                                    four_letters("Y10 "), four_letters("Y12 "), four_letters("Y14 "),
                                    four_letters("Y16 "), four_letters("Y8I "), four_letters("Y12I"),
                                    four_letters("Z16 "), four_letters("INZI")};
    return std::find(formats.begin(), formats.end(), format) != formats.end();
}

#ifdef __linux__

namespace {

class Descriptor {
  public:
    // Not blocking: a device must not hang the look at it.
    explicit Descriptor(const std::string& path) : value_(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC)) {}
    ~Descriptor() {
        if (value_ >= 0) ::close(value_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return value_; }

  private:
    int value_;
};

int query(const Descriptor& device, v4l2_capability& capability) {
    if (::ioctl(device.get(), VIDIOC_QUERYCAP, &capability) < 0) return errno == EBUSY ? EBUSY : ENOTTY;
    // One camera often has a second device, for metadata.
    const bool own = (capability.capabilities & V4L2_CAP_DEVICE_CAPS) != 0;
    const auto capabilities = own ? capability.device_caps : capability.capabilities;
    return (capabilities & (V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_VIDEO_CAPTURE_MPLANE)) != 0 ? 0 : ENOTTY;
}

/// False where nothing is known of its formats.
bool only_colourless(const Descriptor& device) {
    v4l2_fmtdesc format{};
    format.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    for (; ::ioctl(device.get(), VIDIOC_ENUM_FMT, &format) == 0; ++format.index) {
        if (!is_colourless(format.pixelformat)) return false;
    }
    return format.index > 0;
}

std::string name_of_forbidden(const std::string& device) {
    std::ifstream file("/sys/class/video4linux/" + device + "/name");
    std::string name;
    std::getline(file, name);
    return name;
}

/// Fills in the name; false where this is no camera, or one without colour.
bool look_at(const std::string& device, CameraDevice& camera) {
    const Descriptor opened(camera.path);
    v4l2_capability capability{};
    const int fault = opened.get() < 0 ? errno : query(opened, capability);
    if (fault == EACCES || fault == EPERM || fault == EBUSY) {
        // It is there all the same.
        camera.name = name_of_forbidden(device);
        return true;
    }
    if (fault != 0 || only_colourless(opened)) return false;
    const auto* card = reinterpret_cast<const char*>(capability.card);
    camera.name.assign(card, ::strnlen(card, sizeof(capability.card)));
    return true;
}

}  // namespace

int try_device(const std::string& path) {
    const Descriptor device(path);
    if (device.get() < 0) return errno;
    v4l2_capability capability{};
    return query(device, capability);
}

int try_streaming(const std::string& path) {
    const Descriptor device(path);
    if (device.get() < 0) return errno;
    v4l2_requestbuffers request{};
    request.count = 1;
    request.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    request.memory = V4L2_MEMORY_MMAP;
    if (::ioctl(device.get(), VIDIOC_REQBUFS, &request) < 0 && errno == EBUSY) return EBUSY;
    return 0;
}

double highest_rate(const std::string& path, std::uint32_t format, int width, int height) {
    const Descriptor device(path);
    double highest = 0;
    v4l2_frmivalenum interval{};
    interval.pixel_format = format;
    interval.width = static_cast<std::uint32_t>(width);
    interval.height = static_cast<std::uint32_t>(height);
    constexpr std::uint32_t most = 64;  // against a driver that never ends
    for (; interval.index < most && ::ioctl(device.get(), VIDIOC_ENUM_FRAMEINTERVALS, &interval) == 0;
         ++interval.index) {
        const bool discrete = interval.type == V4L2_FRMIVAL_TYPE_DISCRETE;
        const v4l2_fract shortest = discrete ? interval.discrete : interval.stepwise.min;
        if (shortest.numerator > 0) {
            highest = std::max(highest, static_cast<double>(shortest.denominator) / shortest.numerator);
        }
        if (!discrete) break;
    }
    return highest;
}

std::vector<CameraDevice> cameras_in(const std::string& folder) {
    std::vector<CameraDevice> cameras;
    std::error_code error;
    std::filesystem::directory_iterator entry(folder, error);
    for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
        constexpr std::string_view prefix = "video";
        const std::string device = entry->path().filename().string();
        if (!device.starts_with(prefix)) continue;
        CameraDevice camera{entry->path().string(), -1, {}};
        const char* end = device.data() + device.size();
        const auto [stop, wrong] = std::from_chars(device.data() + prefix.size(), end, camera.index);
        if (wrong != std::errc() || stop != end || camera.index < 0) continue;
        if (look_at(device, camera)) cameras.push_back(std::move(camera));
    }
    std::sort(cameras.begin(), cameras.end(),
              [](const CameraDevice& a, const CameraDevice& b) { return a.index < b.index; });
    return cameras;
}

#else

int try_device(const std::string& /*path*/) {
    return 0;
}
int try_streaming(const std::string& /*path*/) {
    return 0;
}
double highest_rate(const std::string& /*path*/, std::uint32_t /*format*/, int /*width*/, int /*height*/) {
    return 0;
}
std::vector<CameraDevice> cameras_in(const std::string& /*folder*/) {
    return {};
}

#endif

std::vector<CameraDevice> list_cameras() {
    return cameras_in("/dev");
}

}  // namespace deconv::media
