// Camera devices as the kernel shows them (Video4Linux), to say what OpenCV does not: why one does not open, what it
// is called, and which of its formats is fast.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "media/source.h"

namespace deconv::media {

/// list_cameras(), with the devices of this folder for those of /dev.
std::vector<CameraDevice> cameras_in(const std::string& folder);

/// "cameras here: 0 (HD Webcam), 2", or that there is none and what to do instead.
std::string cameras_here(const std::vector<CameraDevice>& cameras);

/// The line for a camera whose opening failed with `error_number` (errno): not there, forbidden, busy, or other.
/// `name` is as the person gave it.
std::string camera_fault(const std::string& name, int error_number, const std::vector<CameraDevice>& cameras);

/// 0 if the device can be opened and gives pictures, otherwise an errno; ENOTTY if it is no camera at all.
int try_device(const std::string& path);

/// 0, or EBUSY if another program is streaming from the device, which shows only when buffers are asked for.
int try_streaming(const std::string& path);

/// A pixel format by its four letters, "YUYV", as the kernel writes them.
constexpr std::uint32_t four_letters(std::string_view letters) {
    std::uint32_t code = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        code |= static_cast<std::uint32_t>(static_cast<unsigned char>(letters[i])) << 8 * i;
    }
    return code;
}

/// Sensors for infrared and depth are cameras to the kernel too; their pictures have one channel.
bool is_colourless(std::uint32_t format);

/// The highest rate, in frames a second, at which the device offers pictures of this format and size; 0 where it does
/// not offer them or does not say.
double highest_rate(const std::string& path, std::uint32_t format, int width, int height);

}  // namespace deconv::media
