#include "media/letterbox.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

namespace deconv::media {

Picture letterbox(const Picture& picture, int width, int height) {
    Picture result;
    letterbox(picture, width, height, result);
    return result;
}

void letterbox(const Picture& picture, int width, int height, Picture& result) {
    result.resize(width, height);
    cv::Mat canvas(height, width, CV_8UC4, result.rgba.data());
    canvas.setTo(cv::Scalar(0, 0, 0, 255));
    if (picture.width < 1 || picture.height < 1) return;
    const double scale =
        std::min(static_cast<double>(width) / picture.width, static_cast<double>(height) / picture.height);
    const int inner_width = std::clamp(static_cast<int>(std::lround(picture.width * scale)), 1, width);
    const int inner_height = std::clamp(static_cast<int>(std::lround(picture.height * scale)), 1, height);
    // OpenCV takes no constant memory; it only reads here.
    const cv::Mat source(picture.height, picture.width, CV_8UC4, const_cast<std::uint8_t*>(picture.rgba.data()));
    cv::Mat inner = canvas(cv::Rect((width - inner_width) / 2, (height - inner_height) / 2, inner_width, inner_height));
    cv::resize(source, inner, inner.size(), 0, 0, scale < 1 ? cv::INTER_AREA : cv::INTER_LINEAR);
}

}  // namespace deconv::media
