// What the tests of sources and sinks share.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/picture.h"

namespace deconv::testing {

/// A folder of the test's own, gone with it.
class TempDir {
  public:
    TempDir() {
        std::string name = (std::filesystem::temp_directory_path() / "deconv-test-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw Error("no temporary folder");
        path_ = name;
    }
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;

    std::string operator/(const std::string& name) const { return (path_ / name).string(); }
    std::string path() const { return path_.string(); }
    std::size_t files() const {
        return static_cast<std::size_t>(
            std::distance(std::filesystem::directory_iterator(path_), std::filesystem::directory_iterator()));
    }

  private:
    std::filesystem::path path_;
};

using FileBytes = std::vector<std::uint8_t>;

inline FileBytes read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline void write_file(const std::string& path, const FileBytes& bytes) {
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

inline void write_text(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
}

/// The standard output of a shell command.
inline std::string output_of(const std::string& command) {
    struct Close {
        void operator()(std::FILE* pipe) const { ::pclose(pipe); }
    };
    const std::unique_ptr<std::FILE, Close> pipe(::popen(command.c_str(), "r"));
    std::string text;
    std::array<char, 4096> part{};
    while (std::fgets(part.data(), part.size(), pipe.get()) != nullptr) text += part.data();
    return text;
}

/// The text of the Error that `action` throws; fails the test if it throws none, more than a line, or if anything else
/// was printed to standard error on the way.
template <class Action>
std::string error_of(Action&& action) {
    ::testing::internal::CaptureStderr();
    std::string text = "(no error)";
    try {
        action();
        ADD_FAILURE() << "no error was thrown";
    } catch (const Error& error) {
        text = error.what();
    }
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "") << "besides: " << text;
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    return text;
}

/// A file of the shared folder, or "" where that is absent.
inline std::string shared_file(const std::string& name) {
    const char* given = std::getenv("DECONV_SHARED");
#ifdef DECONV_SHARED_DIR
    const std::filesystem::path folder = given != nullptr ? given : DECONV_SHARED_DIR;
#else
    const std::filesystem::path folder = given != nullptr ? given : "";
#endif
    std::error_code ignored;
    return std::filesystem::exists(folder / name, ignored) ? (folder / name).string() : std::string();
}

inline Picture plain_picture(int width, int height, std::uint8_t r, std::uint8_t g, std::uint8_t b) {
    Picture picture(width, height);
    for (std::size_t i = 0; i < picture.rgba.size(); i += 4) {
        picture.rgba[i] = r;
        picture.rgba[i + 1] = g;
        picture.rgba[i + 2] = b;
    }
    return picture;
}

/// Whether the pixel is within `tolerance` of the colour in each of R, G and B.
inline ::testing::AssertionResult is_color(const Picture& picture, int x, int y, std::array<int, 3> color,
                                           int tolerance) {
    const std::uint8_t* pixel = picture.pixel(x, y);
    for (std::size_t c = 0; c < 3; ++c) {
        if (std::abs(pixel[c] - color[c]) > tolerance) {
            return ::testing::AssertionFailure()
                   << "pixel " << x << "," << y << " is (" << int{pixel[0]} << ", " << int{pixel[1]} << ", "
                   << int{pixel[2]} << "), not (" << color[0] << ", " << color[1] << ", " << color[2] << ")";
        }
    }
    return ::testing::AssertionSuccess();
}

}  // namespace deconv::testing

#define EXPECT_CONTAINS(text, part) \
    EXPECT_NE(std::string(text).find(part), std::string::npos) << "in: " << (text) << "\nexpected: " << (part)
