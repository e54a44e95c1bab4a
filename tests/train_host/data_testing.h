// Small data sets on disk, and a folder that goes away.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <opencv2/imgcodecs.hpp>
#include <string>
#include <vector>

#include "media/media_testing.h"

namespace deconv::testing {

/// A temporary folder that makes what lies in it.
class Folder : public TempDir {
  public:
    std::string operator/(const std::string& name) const {
        const std::filesystem::path path = std::filesystem::path(this->path()) / name;
        std::filesystem::create_directories(path.parent_path());
        return path.string();
    }
};

inline void write_bytes(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
}
inline std::string read_bytes(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline void write_picture(const std::string& path, int width, int height, const cv::Scalar& bgr) {
    cv::imwrite(path, cv::Mat(height, width, CV_8UC3, bgr));
}

/// A folder a class, of pictures in which each class has a colour and a pattern of its own.
inline void write_classes(const Folder& folder, const std::string& split, int classes, int of_each, int size) {
    for (int c = 0; c < classes; ++c) {
        for (int i = 0; i < of_each; ++i) {
            cv::Mat picture(size, size, CV_8UC3);
            for (int y = 0; y < size; ++y) {
                for (int x = 0; x < size; ++x) {
                    const int stripe = ((c % 2 == 0 ? x : y) + i) / (2 + c) % 2;
                    picture.at<cv::Vec3b>(y, x) =
                        cv::Vec3b(static_cast<std::uint8_t>(40 + 50 * c), static_cast<std::uint8_t>(200 * stripe),
                                  static_cast<std::uint8_t>((i * 37) % 200));
                }
            }
            cv::imwrite(folder / (split + "class" + std::to_string(c) + "/" + std::to_string(1000 + i) + ".png"),
                        picture);
        }
    }
}

#define EXPECT_SAYS(text, part) EXPECT_NE(std::string(text).find(part), std::string::npos) << "it says: " << (text)

}  // namespace deconv::testing
