// One image file as a picture.
#pragma once

#include <string>

#include "base/picture.h"

namespace deconv::media {

/// By its first bytes, not its name: whether read_image() would try it.
bool is_image(const std::string& path);

/// Any image OpenCV reads: grey, colour, with alpha (composited over black), 8 or 16 bit, floating point; a JPEG is
/// turned the way its camera was held.  Larger than max_side on a side it is shrunk as it is read.  Throws Error
/// naming the file: missing, empty, cut short, damaged, or too many pixels to decode safely.
Picture read_image(const std::string& path);

}  // namespace deconv::media
