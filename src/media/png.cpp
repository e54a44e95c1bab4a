#include <png.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

#include "base/error.h"
#include "base/whole_file.h"
#include "media/png_chunks.h"
#include "media/sink.h"

namespace deconv::media {
namespace {

/// What libpng's callbacks know.  libpng reports errors by longjmp(), so they may not throw: a failed write is noted
/// here and encode() returns false.
struct Encoding {
    WholeFile* file = nullptr;
    std::array<char, 160> error{};

    void note(const char* text) { std::snprintf(error.data(), error.size(), "%s", text); }
};

void on_error(png_structp png, png_const_charp text) {
    static_cast<Encoding*>(png_get_error_ptr(png))->note(text);
    png_longjmp(png, 1);
}

void on_warning(png_structp /*png*/, png_const_charp /*text*/) {}

void on_write(png_structp png, png_bytep bytes, png_size_t size) {
    auto* encoding = static_cast<Encoding*>(png_get_io_ptr(png));
    bool failed = false;
    try {
        encoding->file->write(bytes, size);
    } catch (const Error& error) {
        encoding->note(error.what());
        failed = true;
    }
    if (failed) png_longjmp(png, 1);
}

void on_flush(png_structp /*png*/) {}

/// Owns nothing with a destructor between setjmp() and a possible longjmp().
bool encode(png_structp png, png_infop info, Encoding& encoding, const Picture& picture, std::span<png_text> texts) {
    if (setjmp(png_jmpbuf(png)) != 0) return false;
    png_set_write_fn(png, &encoding, on_write, on_flush);
    png_set_IHDR(png, info, static_cast<png_uint_32>(picture.width), static_cast<png_uint_32>(picture.height), 8,
                 PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (!texts.empty()) png_set_text(png, info, texts.data(), static_cast<int>(texts.size()));
    png_write_info(png, info);
    png_set_filler(png, 0, PNG_FILLER_AFTER);  // leaves out every fourth byte
    for (int y = 0; y < picture.height; ++y) png_write_row(png, picture.pixel(0, y));
    png_write_end(png, info);
    return true;
}

struct Writer {
    explicit Writer(Encoding& encoding)
        : png(png_create_write_struct(PNG_LIBPNG_VER_STRING, &encoding, on_error, on_warning)),
          info(png != nullptr ? png_create_info_struct(png) : nullptr) {}
    ~Writer() { png_destroy_write_struct(&png, &info); }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    png_structp png;
    png_infop info;
};

bool ascii(const std::string& text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 128; });
}

/// libpng keeps no pointer into the map beyond png_write_info(), but wants pointers that are not const.
std::vector<png_text> text_chunks(std::map<std::string, std::string>& metadata, const std::string& path) {
    std::vector<png_text> texts;
    for (auto& [key, value] : metadata) {
        if (key.empty() || key.size() > 79 || !ascii(key)) {
            throw Error(std::string(path).append(": '").append(key).append("' cannot be the name of a PNG text"));
        }
        png_text text{};
        // tEXt holds Latin-1 only; what needs more goes into an iTXt chunk, which is UTF-8.
        text.compression = ascii(value) ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE;
        text.key = const_cast<char*>(key.c_str());  // NOLINT: png_text is both libpng's input and output
        text.text = value.data();
        text.text_length = ascii(value) ? value.size() : 0;
        text.itxt_length = ascii(value) ? 0 : value.size();
        texts.push_back(text);
    }
    return texts;
}

std::string text_of(Bytes bytes) {
    return {bytes.begin(), bytes.end()};
}

/// Splits at the first zero byte; the second part is without it.
std::pair<Bytes, Bytes> split(Bytes bytes) {
    const auto zero = std::find(bytes.begin(), bytes.end(), std::uint8_t{0});
    const auto at = static_cast<std::size_t>(zero - bytes.begin());
    return {bytes.first(at), bytes.subspan(std::min(at + 1, bytes.size()))};
}

}  // namespace

void write_png(const std::string& path, const Picture& picture, const Metadata& metadata) {
    if (picture.width <= 0 || picture.height <= 0) throw Error(path + ": there is no picture to write");
    Metadata copy = metadata;
    std::vector<png_text> texts = text_chunks(copy, path);
    WholeFile file(path);
    Encoding encoding;
    encoding.file = &file;
    Writer writer(encoding);
    if (writer.info == nullptr) throw Error(path + ": cannot be written: no memory for the PNG encoder");
    if (!encode(writer.png, writer.info, encoding, picture, texts)) {
        const std::string why = encoding.error.data();
        throw Error(why.starts_with(path) ? why : path + ": cannot be written: " + why);
    }
    file.commit();
}

Metadata read_png_metadata(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw Error(path + ": cannot be opened for reading");
    const std::vector<char> content{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    const Bytes bytes(reinterpret_cast<const std::uint8_t*>(content.data()), content.size());
    if (!is_png(bytes)) throw Error(path + ": is not a PNG file");

    Metadata metadata;
    PngChunks chunks(bytes);
    while (const auto chunk = chunks.next()) {
        const auto [key, rest] = split(chunk->data);
        if (chunk->type == "tEXt") metadata[text_of(key)] = text_of(rest);
        // iTXt: keyword, 0, compressed?, method, language, 0, translated keyword, 0, UTF-8 text.
        if (chunk->type == "iTXt" && rest.size() >= 2 && rest[0] == 0) {
            metadata[text_of(key)] = text_of(split(split(rest.subspan(2)).second).second);
        }
    }
    if (!chunks.complete()) throw Error(path + ": is cut short or damaged; no settings can be taken from it");
    return metadata;
}

void check_writable(const std::string& path) {
    check_writable_file(path);
}

}  // namespace deconv::media
