// Where pictures go: PNG snapshots and MKV recordings.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/picture.h"

namespace deconv::media {

/// Key and value pairs that a file carries (program version, model, selection, …).
using Metadata = std::map<std::string, std::string>;

/// Writes an RGB PNG under a temporary name in the same folder and renames it.  Metadata becomes tEXt
/// chunks (iTXt where a value is not ASCII).  Throws Error, and then leaves under that name what was there before.
void write_png(const std::string& path, const Picture& picture, const Metadata& metadata = {});
/// The tEXt and iTXt chunks of a PNG.  Throws Error if it is no PNG, cut short or damaged.
Metadata read_png_metadata(const std::string& path);
/// What a PNG or a video file carries, keys in lower case.  Throws Error where it is neither.
Metadata read_metadata(const std::string& path);

/// Throws Error now if `path` cannot be written later: its folder is missing or forbidden, or it is a folder itself.
/// Leaves nothing behind and does not touch an existing file.
void check_writable(const std::string& path);

/// An H.264 video in a Matroska file, crash-safe: what was added plays, up to the last half second, even after the
/// program is killed, at whatever pace pictures came.  Sizes that are odd are padded by one pixel.  Not for use by
/// several threads at once.
class Recorder {
  public:
    /// The file is made at the first picture.  Throws Error if the path cannot be written, does not end in .mkv, or no
    /// encoder is found.
    Recorder(std::string path, double fps, Metadata metadata = {});
    ~Recorder();
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;

    /// Appends one picture; all have the size of the first.  Throws Error (disk full, encoder failed): what was
    /// written before stays and plays; a file without a picture is removed.  A picture of another size is refused and
    /// the recording can go on; after any other Error it has ended.
    void add(const Picture& picture);
    /// Flushes the encoder and closes the file; called by the destructor too (which swallows errors).
    void finish();

    std::int64_t frames() const;
    std::int64_t bytes() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace deconv::media
