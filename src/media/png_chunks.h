// The chunks of a PNG file (PNG specification, third edition, section 5), read without decoding the image.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace deconv::media {

using Bytes = std::span<const std::uint8_t>;

bool is_png(Bytes file);

/// Walks the chunks from the first to IEND.
class PngChunks {
  public:
    struct Chunk {
        std::string_view type;  // four letters, in the file's memory
        Bytes data;
    };
    explicit PngChunks(Bytes file);
    /// The next chunk; nothing after IEND, or where the file is cut short or a checksum is wrong.
    std::optional<Chunk> next();
    /// Whether IEND was reached.
    bool complete() const { return complete_; }

  private:
    Bytes rest_;
    bool complete_ = false;
};

}  // namespace deconv::media
