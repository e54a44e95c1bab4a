#include "media/camera_device.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <system_error>

#ifdef __linux__
#include <linux/videodev2.h>
#endif

#include "media/source.h"

namespace deconv::media {
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

}  // namespace

std::string cameras_here(const std::vector<int>& cameras) {
    if (cameras.empty()) return "no camera is connected; use --input with a file, or --input demo";
    std::string text = "cameras here: ";
    for (std::size_t i = 0; i < cameras.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(cameras[i]);
    return text;
}

std::string camera_fault(const std::string& name, int error_number, const std::vector<int>& cameras) {
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

#ifdef __linux__

int try_device(const std::string& path) {
    const Descriptor device(path);
    if (device.get() < 0) return errno;
    v4l2_capability capability{};
    if (::ioctl(device.get(), VIDIOC_QUERYCAP, &capability) < 0) return errno == EBUSY ? EBUSY : ENOTTY;
    // One camera often has a second device, for metadata.
    const bool own = (capability.capabilities & V4L2_CAP_DEVICE_CAPS) != 0;
    const auto capabilities = own ? capability.device_caps : capability.capabilities;
    return (capabilities & (V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_VIDEO_CAPTURE_MPLANE)) != 0 ? 0 : ENOTTY;
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

std::vector<int> list_cameras() {
    std::vector<int> cameras;
    std::error_code error;
    std::filesystem::directory_iterator entry("/dev", error);
    for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
        constexpr std::string_view prefix = "video";
        const std::string name = entry->path().filename().string();
        if (!name.starts_with(prefix)) continue;
        int number = -1;
        const char* end = name.data() + name.size();
        const auto [stop, wrong] = std::from_chars(name.data() + prefix.size(), end, number);
        if (wrong != std::errc() || stop != end || number < 0) continue;
        // One that is forbidden or busy is there all the same.
        const int fault = try_device(entry->path().string());
        if (fault == 0 || fault == EACCES || fault == EPERM || fault == EBUSY) cameras.push_back(number);
    }
    std::sort(cameras.begin(), cameras.end());
    return cameras;
}

#else

int try_device(const std::string& /*path*/) {
    return 0;
}
int try_streaming(const std::string& /*path*/) {
    return 0;
}
std::vector<int> list_cameras() {
    return {};
}

#endif

}  // namespace deconv::media
