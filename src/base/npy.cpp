#include "base/npy.h"

#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "base/whole_file.h"

namespace deconv {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are read and written as they lie in memory");

constexpr std::string_view magic = "\x93NUMPY";
constexpr std::size_t max_header = 1 << 20;  // headers of plain arrays take some 118 bytes

struct Header {
    std::string descr;
    bool fortran_order = false;
    std::vector<std::int64_t> shape;
};

/// The header is a Python dict literal with three known keys, in any order.
class HeaderParser {
  public:
    HeaderParser(std::string_view text, const std::string& path) : rest_(text), path_(path) {}

    Header parse() {
        Header header;
        bool have_descr = false;
        bool have_order = false;
        bool have_shape = false;
        expect('{');
        while (!accept('}')) {
            const std::string key = quoted();
            expect(':');
            if (key == "descr") {
                skip_space();
                if (!rest_.empty() && rest_[0] == '[') {
                    throw Error(path_ + ": holds records; save one plain float32 array");
                }
                header.descr = quoted();
                have_descr = true;
            } else if (key == "fortran_order") {
                header.fortran_order = boolean();
                have_order = true;
            } else if (key == "shape") {
                header.shape = tuple();
                have_shape = true;
            } else {
                fail();
            }
            if (!accept(',')) {
                expect('}');
                break;
            }
        }
        if (!have_descr || !have_order || !have_shape) fail();
        return header;
    }

  private:
    [[noreturn]] void fail() const {
        throw Error(path_ + ": the header of this NPY file cannot be read; save it again with numpy.save");
    }
    void skip_space() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\n"), rest_.size())); }
    bool accept(char c) {
        skip_space();
        if (rest_.empty() || rest_[0] != c) return false;
        rest_.remove_prefix(1);
        return true;
    }
    void expect(char c) {
        if (!accept(c)) fail();
    }
    std::string quoted() {
        skip_space();
        if (rest_.empty() || (rest_[0] != '\'' && rest_[0] != '"')) fail();
        const std::size_t end = rest_.find(rest_[0], 1);
        if (end == std::string_view::npos) fail();
        std::string text(rest_.substr(1, end - 1));
        rest_.remove_prefix(end + 1);
        return text;
    }
    bool boolean() {
        skip_space();
        for (const bool value : {false, true}) {
            const std::string_view word = value ? "True" : "False";
            if (rest_.starts_with(word)) {
                rest_.remove_prefix(word.size());
                return value;
            }
        }
        fail();
    }
    std::vector<std::int64_t> tuple() {
        std::vector<std::int64_t> values;
        expect('(');
        while (!accept(')')) {
            skip_space();
            std::int64_t value = -1;
            const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
            if (error != std::errc() || value < 0) fail();
            rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
            accept('L');  // numpy under Python 2 wrote long integers
            values.push_back(value);
            if (!accept(',')) {
                expect(')');
                break;
            }
        }
        return values;
    }

    std::string_view rest_;
    const std::string& path_;
};

/// Nothing where the count does not fit in memory.
std::optional<std::size_t> element_count(std::span<const std::int64_t> shape) {
    constexpr std::size_t limit = std::numeric_limits<std::ptrdiff_t>::max() / sizeof(float);
    std::size_t count = 1;
    for (const std::int64_t extent : shape) {
        if (extent < 0) return std::nullopt;
        const auto n = static_cast<std::size_t>(extent);
        if (n != 0 && count > limit / n) return std::nullopt;
        count *= n;
    }
    return count;
}

void check_type(const Header& header, const std::string& path) {
    if (header.descr == ">f4") {
        throw Error(path + ": is big-endian; save it with numpy.save(name, array.astype('<f4'))");
    }
    if (header.descr != "<f4") {
        throw Error(path + ": holds elements of type '" + header.descr +
                    "', not float32; save it with numpy.save(name, array.astype('<f4'))");
    }
    if (header.fortran_order) {
        throw Error(path + ": is in Fortran order; save it with numpy.save(name, numpy.ascontiguousarray(array))");
    }
}

}  // namespace

NpyArray read_npy(const std::string& path) {
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    if (!std::filesystem::exists(status)) throw Error(path + ": no such file");
    if (!std::filesystem::is_regular_file(status)) throw Error(path + ": is not a file");
    const std::uintmax_t file_size = std::filesystem::file_size(path, error);
    std::ifstream file(path, std::ios::binary);
    if (error || !file) throw Error(path + ": cannot be opened for reading; check its permissions");
    if (file_size == 0) throw Error(path + ": is empty");

    std::array<char, 8> start{};  // magic, then the version's two bytes
    file.read(start.data(), start.size());
    if (!std::string_view(start.data(), static_cast<std::size_t>(file.gcount())).starts_with(magic)) {
        throw Error(path + ": is not an NPY file");
    }
    const int version = static_cast<unsigned char>(start[6]);
    if (file && version != 1 && version != 2) {
        throw Error(path + ": is an NPY file of version " + std::to_string(version) + "; versions 1 and 2 are read");
    }
    std::array<unsigned char, 4> length{};
    const std::size_t length_bytes = version == 1 ? 2 : 4;
    file.read(reinterpret_cast<char*>(length.data()), static_cast<std::streamsize>(length_bytes));
    if (!file) throw Error(path + ": is cut short within its header");
    const std::size_t header_size = length[0] | std::size_t{length[1]} << 8 | std::size_t{length[2]} << 16 |
                                    std::size_t{length[3]} << 24;  // the last two stay 0 in version 1
    const std::size_t data_start = start.size() + length_bytes + header_size;
    if (data_start > file_size) throw Error(path + ": is cut short within its header");
    if (header_size > max_header) {
        throw Error(path + ": its header claims " + std::to_string(header_size) + " bytes; the file is damaged");
    }
    std::string text(header_size, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (!file) throw Error(path + ": cannot be read");

    Header header = HeaderParser(text, path).parse();
    check_type(header, path);
    const std::optional<std::size_t> count = element_count(header.shape);
    const std::uintmax_t present = file_size - data_start;
    // Checked before anything is allocated: a damaged shape must not ask for all memory.
    if (!count || *count * sizeof(float) > present) {
        const std::string claimed = count ? std::to_string(*count * sizeof(float)) : std::string("more than all");
        throw Error(path + ": is cut short: its shape needs " + claimed + " bytes of data, " + std::to_string(present) +
                    " are there");
    }
    if (*count * sizeof(float) < present) {
        throw Error(path + ": has " + std::to_string(present - *count * sizeof(float)) +
                    " bytes after its data; give a file with one array");
    }
    NpyArray array{std::move(header.shape), std::vector<float>(*count)};
    file.read(reinterpret_cast<char*>(array.data.data()), static_cast<std::streamsize>(*count * sizeof(float)));
    if (!file) throw Error(path + ": cannot be read");
    return array;
}

void write_npy(const std::string& path, std::span<const std::int64_t> shape, std::span<const float> data) {
    if (element_count(shape) != data.size()) throw Error(path + ": the array's shape does not fit its data");
    std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
    for (std::size_t i = 0; i < shape.size(); ++i) {
        header += (i == 0 ? "" : " ") + std::to_string(shape[i]) + (i + 1 < shape.size() || i == 0 ? "," : "");
    }
    header += "), }";
    // The data starts at a multiple of 64 bytes and the header ends in a newline, as the format asks.
    constexpr std::size_t prefix = 10;
    header.append(64 - (prefix + header.size() + 1) % 64, ' ');
    header += '\n';

    WholeFile file(path);
    file.write(magic.data(), magic.size());
    const std::array<unsigned char, 4> version_and_length = {1, 0, static_cast<unsigned char>(header.size() & 0xFF),
                                                             static_cast<unsigned char>(header.size() >> 8)};
    file.write(version_and_length.data(), version_and_length.size());
    file.write(header.data(), header.size());
    file.write(data.data(), data.size_bytes());
    file.commit();
}

}  // namespace deconv
