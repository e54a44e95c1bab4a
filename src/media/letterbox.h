// A picture in another size.
#pragma once

#include "base/picture.h"

namespace deconv::media {

/// The picture in its own aspect in the middle of width × height, black around it; by area where it shrinks, bilinear
/// where it grows.
Picture letterbox(const Picture& picture, int width, int height);
/// The same, in another picture's memory.
void letterbox(const Picture& picture, int width, int height, Picture& result);

}  // namespace deconv::media
