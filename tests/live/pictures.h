// Pictures, films and arrays that the tests of the program make and look at.
#pragma once

#include <algorithm>
#include <cmath>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>
#include <string>
#include <vector>

#include "base/npy.h"
#include "live/program.h"

namespace deconv::testing {

/// A picture with something different in each of its quarters; `turn` moves it on.
inline cv::Mat quarters(int width, int height, int turn = 0) {
    const std::vector<cv::Scalar> colours = {{40, 30, 220}, {50, 200, 60}, {210, 70, 40}, {200, 210, 220}};  // BGR
    cv::Mat picture(height, width, CV_8UC3);
    for (int quarter = 0; quarter < 4; ++quarter) {
        const cv::Rect part((quarter % 2) * (width / 2), (quarter / 2) * (height / 2), width - width / 2,
                            height - height / 2);
        picture(part).setTo(colours[static_cast<std::size_t>(quarter + turn) % 4]);
    }
    return picture;
}

inline std::string write_picture(const TempDir& folder, const std::string& name, const cv::Mat& picture) {
    EXPECT_TRUE(cv::imwrite(folder / name, picture));
    return folder / name;
}

/// `frames` turned quarters as Motion JPEG.
inline std::string write_film(const TempDir& folder, const std::string& name, int width, int height, int frames,
                              double fps) {
    cv::VideoWriter writer(folder / name, cv::VideoWriter::fourcc('M', 'J', 'P', 'G'), fps, {width, height});
    EXPECT_TRUE(writer.isOpened());
    for (int i = 0; i < frames; ++i) writer.write(quarters(width, height, i));
    return folder / name;
}

/// Mean difference of the picture and what the left part of the view shows, in grey levels.
inline double difference_on_the_left(const cv::Mat& view, const cv::Mat& picture) {
    const int width = picture.cols * view.rows / picture.rows;
    if (width > view.cols) return 255;
    cv::Mat expected;
    cv::resize(picture, expected, {width, view.rows}, 0, 0, cv::INTER_AREA);
    return cv::norm(view(cv::Rect(0, 0, width, view.rows)), expected, cv::NORM_L1) /
           static_cast<double>(expected.total() * 3);
}

/// The frames of a recording.
inline std::vector<cv::Mat> frames_of(const std::string& path) {
    cv::VideoCapture capture(path, cv::CAP_FFMPEG);
    std::vector<cv::Mat> frames;
    cv::Mat frame;
    while (capture.read(frame)) frames.push_back(frame.clone());
    return frames;
}

/// Numbers between −1 and 1 that look random and never are.
inline std::vector<float> varied(std::size_t count) {
    std::vector<float> values(count);
    std::uint32_t state = 12345;
    for (float& value : values) {
        state = state * 1664525U + 1013904223U;
        value = static_cast<float>(state >> 8U) / static_cast<float>(1U << 23U) - 1.0F;
    }
    return values;
}

inline std::string write_array(const TempDir& folder, const std::string& name, const std::vector<std::int64_t>& shape,
                               const std::vector<float>& values) {
    write_npy(folder / name, shape, values);
    return folder / name;
}

}  // namespace deconv::testing
