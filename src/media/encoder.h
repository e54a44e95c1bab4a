// The video encoder of a recording.
#pragma once

#include <array>
#include <span>
#include <string>

#include "media/libav.h"

namespace deconv::media {

/// In order of preference; all of them are software.
constexpr std::array<const char*, 4> recording_encoders = {"libx264", "libopenh264", "mpeg4", "ffv1"};

/// Frames between pictures that decode by themselves.
constexpr int key_frame_every = 15;

/// Throws Error, saying what to install, where FFmpeg was built without all of `names`.
void require_encoder(std::span<const char* const> names);

/// The first of `names` that opens for pictures of this size (which must be even), set to a quality for keeping and to
/// holding no picture back.  Throws Error saying why each refused, and what to do.
av::CodecContext open_encoder(std::span<const char* const> names, int width, int height, AVRational rate);

}  // namespace deconv::media
