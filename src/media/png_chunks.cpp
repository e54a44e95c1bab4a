#include "media/png_chunks.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace deconv::media {
namespace {

constexpr std::array<std::uint8_t, 8> signature = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};

constexpr std::array<std::uint32_t, 256> crc_table = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < table.size(); ++i) {
        std::uint32_t crc = i;
        for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? 0xEDB88320U ^ (crc >> 1) : crc >> 1;
        table[i] = crc;
    }
    return table;
}();

std::uint32_t crc32(Bytes bytes) {
    std::uint32_t crc = 0xFFFFFFFF;
    for (const std::uint8_t byte : bytes) crc = crc_table[(crc ^ byte) & 0xFF] ^ (crc >> 8);
    return ~crc;
}

std::uint32_t big_endian(Bytes bytes) {
    return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3];
}

}  // namespace

bool is_png(Bytes file) {
    return file.size() >= signature.size() && std::equal(signature.begin(), signature.end(), file.begin());
}

PngChunks::PngChunks(Bytes file) : rest_(is_png(file) ? file.subspan(signature.size()) : Bytes{}) {}

std::optional<PngChunks::Chunk> PngChunks::next() {
    constexpr std::size_t around = 12;  // length and type before the data, checksum after it
    if (complete_ || rest_.size() < around) return std::nullopt;
    const std::size_t size = big_endian(rest_);
    if (size > rest_.size() - around) return std::nullopt;
    if (crc32(rest_.subspan(4, 4 + size)) != big_endian(rest_.subspan(8 + size))) return std::nullopt;
    const Chunk chunk{{reinterpret_cast<const char*>(rest_.data()) + 4, 4}, rest_.subspan(8, size)};
    rest_ = rest_.subspan(around + size);
    complete_ = chunk.type == "IEND";
    return chunk;
}

}  // namespace deconv::media
