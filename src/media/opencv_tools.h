// What every user of OpenCV here needs: silence, and its matrices as pictures.
#pragma once

#include <opencv2/core/mat.hpp>

#include "base/picture.h"

namespace deconv::media {

/// Pictures have at most this many pixels a side: what every Vulkan device takes as an image, and more than any
/// network looks at.
constexpr int max_side = 4096;

/// OpenCV and FFmpeg print to standard error by themselves; the program says one line, and its own.  Cheap to repeat.
void quiet_libraries();

/// Any depth; one (grey), two (grey, alpha), three (BGR) or four (BGRA) channels.  Shrunk to max_side by area where
/// it is larger.  Alpha is composited over black.  16-bit values are scaled by their full range, floats by 1.
Picture to_picture(const cv::Mat& pixels);
/// The same, in a picture's memory.
void to_picture(const cv::Mat& pixels, Picture& picture);

}  // namespace deconv::media
