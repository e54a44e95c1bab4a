// The sources behind open_input() and open_camera(), one file each.  All throw Error naming the path and what is wrong.
#pragma once

#include <memory>
#include <string>

#include "media/source.h"

namespace deconv::media {

std::unique_ptr<Source> open_video(const std::string& path);
std::unique_ptr<Source> open_image(const std::string& path);
std::unique_ptr<Source> open_folder(const std::string& path);
std::unique_ptr<Source> open_demo();
std::unique_ptr<Source> open_stream(const std::string& url);

}  // namespace deconv::media
