// Camera devices as the kernel shows them (Video4Linux), to say what OpenCV does not: why one does not open.
#pragma once

#include <string>
#include <vector>

namespace deconv::media {

/// "cameras here: 0, 2", or that there is none and what to do instead.
std::string cameras_here(const std::vector<int>& cameras);

/// The line for a camera whose opening failed with `error_number` (errno): not there, forbidden, busy, or other.
/// `name` is as the person gave it.
std::string camera_fault(const std::string& name, int error_number, const std::vector<int>& cameras);

/// 0 if the device can be opened and gives pictures, otherwise an errno; ENOTTY if it is no camera at all.
int try_device(const std::string& path);

/// 0, or EBUSY if another program is streaming from the device, which shows only when buffers are asked for.
int try_streaming(const std::string& path);

}  // namespace deconv::media
