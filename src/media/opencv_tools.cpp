#include "media/opencv_tools.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgproc.hpp>

#include "base/error.h"

extern "C" {
#include <libavutil/log.h>
}

namespace deconv::media {

void quiet_libraries() {
    static std::once_flag once;
    std::call_once(once, [] {
        cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
        // Read by OpenCV when it opens its first stream; a person's own settings stand.
        ::setenv("OPENCV_FFMPEG_LOGLEVEL", "-8", 0);
        ::setenv("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "5", 0);
        av_log_set_level(AV_LOG_QUIET);
    });
}

namespace {

double full_range(int depth) {
    switch (depth) {
        case CV_8S:
            return 127;
        case CV_16U:
            return 65535;
        case CV_16S:
            return 32767;
        case CV_32S:
            return 2147483647;
        case CV_8U:
            return 255;
        default:
            return 1;  // floating point
    }
}

cv::Mat shrunk(const cv::Mat& pixels) {
    const int side = std::max(pixels.cols, pixels.rows);
    if (side <= max_side) return pixels;
    const double scale = static_cast<double>(max_side) / side;
    const cv::Size size(std::max(1, static_cast<int>(std::lround(pixels.cols * scale))),
                        std::max(1, static_cast<int>(std::lround(pixels.rows * scale))));
    cv::Mat small;
    cv::resize(pixels, small, size, 0, 0, cv::INTER_AREA);
    return small;
}

void composite_over_black(Picture& picture) {
    for (std::size_t i = 0; i < picture.rgba.size(); i += 4) {
        const unsigned alpha = picture.rgba[i + 3];
        for (std::size_t c = 0; c < 3; ++c) {
            picture.rgba[i + c] = static_cast<std::uint8_t>((picture.rgba[i + c] * alpha + 127) / 255);
        }
        picture.rgba[i + 3] = 255;
    }
}

}  // namespace

Picture to_picture(const cv::Mat& pixels) {
    Picture picture;
    to_picture(pixels, picture);
    return picture;
}

void to_picture(const cv::Mat& pixels, Picture& picture) {
    if (pixels.empty() || pixels.dims != 2 || pixels.channels() > 4) throw Error("the source gave an empty picture");
    cv::Mat bytes = shrunk(pixels);
    if (bytes.depth() != CV_8U) bytes.convertTo(bytes, CV_8U, 255 / full_range(bytes.depth()));

    picture.resize(bytes.cols, bytes.rows);
    cv::Mat rgba(bytes.rows, bytes.cols, CV_8UC4, picture.rgba.data());
    switch (bytes.channels()) {
        case 1:
            cv::cvtColor(bytes, rgba, cv::COLOR_GRAY2RGBA);
            break;
        case 2: {
            const int from_to[] = {0, 0, 0, 1, 0, 2, 1, 3};
            cv::mixChannels(&bytes, 1, &rgba, 1, from_to, 4);
            break;
        }
        case 3:
            cv::cvtColor(bytes, rgba, cv::COLOR_BGR2RGBA);
            break;
        default:
            cv::cvtColor(bytes, rgba, cv::COLOR_BGRA2RGBA);
            break;
    }
    if (bytes.channels() % 2 == 0) composite_over_black(picture);
}

}  // namespace deconv::media
