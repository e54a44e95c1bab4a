#include "media/image_file.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <opencv2/imgcodecs.hpp>
#include <optional>
#include <vector>

#include "base/error.h"
#include "media/opencv_tools.h"
#include "media/png_chunks.h"

namespace deconv::media {
namespace {

// A file of a few kilobytes can claim a billion pixels.  These allow 20,000 × 20,000 in 8-bit colour.
constexpr std::uint64_t max_pixels = std::uint64_t{1} << 29;
constexpr std::uint64_t max_decoded_bytes = std::uint64_t{7} << 28;  // 1.75 GiB
constexpr std::uintmax_t max_file_bytes = std::uintmax_t{1} << 31;

/// What is read from a file's header before anything is decoded.
struct Header {
    std::uint64_t width = 0;
    std::uint64_t height = 0;
    std::uint64_t bytes_per_pixel = 3;  // decoded
    bool whole = false;                 // the file goes on to its end mark
};

Header png_header(Bytes file) {
    Header header;
    PngChunks chunks(file);
    while (const auto chunk = chunks.next()) {
        if (chunk->type != "IHDR" || chunk->data.size() != 13) continue;
        const auto number = [&](std::size_t at) {
            std::uint64_t value = 0;
            for (std::size_t i = 0; i < 4; ++i) value = value << 8 | chunk->data[at + i];
            return value;
        };
        header.width = number(0);
        header.height = number(4);
        constexpr std::array<std::uint64_t, 7> channels = {1, 0, 3, 4, 4, 0, 4};  // by colour type, as OpenCV decodes
        const std::uint64_t colour_type = std::min<std::uint64_t>(chunk->data[9], 6);
        header.bytes_per_pixel = channels[colour_type] * (chunk->data[8] == 16 ? 2 : 1);
    }
    header.whole = chunks.complete();
    return header;
}

bool is_jpeg(Bytes file) {
    return file.size() >= 3 && file[0] == 0xFF && file[1] == 0xD8 && file[2] == 0xFF;
}

/// Walks the segments (ITU-T T.81, annex B) to the frame header, then to the first scan, then looks for the end mark:
/// entropy-coded data cannot contain it.
Header jpeg_header(Bytes file) {
    Header header;
    std::size_t at = 2;
    while (at + 4 <= file.size() && file[at] == 0xFF) {
        const std::uint8_t marker = file[at + 1];
        if (marker == 0xFF) {
            ++at;  // fill byte
            continue;
        }
        const std::size_t length = std::size_t{file[at + 2]} << 8 | file[at + 3];
        const bool frame = marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
        if (frame && at + 9 <= file.size()) {
            header.height = std::uint64_t{file[at + 5]} << 8 | file[at + 6];
            header.width = std::uint64_t{file[at + 7]} << 8 | file[at + 8];
        }
        at += 2 + length;
        if (marker == 0xDA) break;
    }
    constexpr std::array<std::uint8_t, 2> end_mark = {0xFF, 0xD9};
    const auto scan = file.subspan(std::min(at, file.size()));
    header.whole = std::search(scan.begin(), scan.end(), end_mark.begin(), end_mark.end()) != scan.end();
    return header;
}

std::vector<std::uint8_t> read_bytes(const std::string& path) {
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    if (!std::filesystem::exists(status)) throw Error(path + ": no such file");
    const std::uintmax_t size = std::filesystem::file_size(path, error);
    std::ifstream file(path, std::ios::binary);
    if (error || !file) throw Error(path + ": cannot be opened for reading; check its permissions");
    if (size == 0) throw Error(path + ": is empty");
    if (size > max_file_bytes) throw Error(path + ": is larger than 2 GiB; no image is that large");
    std::vector<std::uint8_t> bytes(size);
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
    if (!file) throw Error(path + ": cannot be read");
    return bytes;
}

Error too_large(const std::string& path, const std::string& size) {
    return Error(path + ": " + size + " too many pixels to decode safely; shrink it with another program first");
}

/// For a JPEG far larger than max_side: decoded at half, a quarter or an eighth, which costs as much less.
int jpeg_flags(std::uint64_t longest) {
    if (longest >= 8 * std::uint64_t{max_side}) return cv::IMREAD_REDUCED_COLOR_8;
    if (longest >= 4 * std::uint64_t{max_side}) return cv::IMREAD_REDUCED_COLOR_4;
    if (longest >= 2 * std::uint64_t{max_side}) return cv::IMREAD_REDUCED_COLOR_2;
    return cv::IMREAD_COLOR;
}

}  // namespace

bool is_image(const std::string& path) {
    quiet_libraries();
    try {
        return cv::haveImageReader(path);
    } catch (const cv::Exception&) {
        return false;
    }
}

Picture read_image(const std::string& path) {
    quiet_libraries();
    const std::vector<std::uint8_t> bytes = read_bytes(path);
    // The two common formats are looked through first: their decoders would print what is wrong, and give the part
    // of a picture that is there as if it were whole.
    int flags = cv::IMREAD_UNCHANGED;
    if (const bool jpeg = is_jpeg(bytes); jpeg || is_png(bytes)) {
        const Header header = jpeg ? jpeg_header(bytes) : png_header(bytes);
        const std::uint64_t pixels = header.width * header.height;
        const std::string size = std::to_string(header.width) + " x " + std::to_string(header.height) + " are";
        if (pixels > max_pixels) throw too_large(path, size);
        if (!header.whole || pixels == 0) throw Error(path + ": is cut short or damaged");
        if (!jpeg && pixels * header.bytes_per_pixel > max_decoded_bytes) throw too_large(path, size);
        if (jpeg) flags = jpeg_flags(std::max(header.width, header.height));
    }
    try {
        const cv::Mat pixels = cv::imdecode(bytes, flags);
        if (pixels.empty() || pixels.channels() > 4)
            throw Error(path + ": cannot be decoded as an image; it is damaged or of an unknown kind");
        return to_picture(pixels);
    } catch (const cv::Exception& error) {
        // OpenCV's own limits are assertions on these names (CV_IO_MAX_IMAGE_WIDTH, _HEIGHT, _PIXELS).
        if (error.err.find("CV_IO_MAX_IMAGE") != std::string::npos) throw too_large(path, "it has");
        if (error.code == cv::Error::StsNoMem) throw too_large(path, "it has");
        throw Error(path + ": cannot be decoded as an image; it is damaged or of an unknown kind");
    } catch (const std::bad_alloc&) {
        throw too_large(path, "it has");
    }
}

}  // namespace deconv::media
