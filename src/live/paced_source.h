// Files shown as if they were live.
#pragma once

#include <memory>
#include <string>

#include "media/source.h"

namespace deconv::live {

/// A video, folder, image or the demo at its own pace: a frame comes when its time has come, frames whose time has
/// passed are skipped, and the end is followed by the beginning.
std::unique_ptr<media::Source> open_paced(const std::string& path);

}  // namespace deconv::live
