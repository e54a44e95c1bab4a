// Loss and accuracy over the epochs as a picture.
#include <algorithm>
#include <cmath>
#include <functional>
#include <opencv2/imgproc.hpp>

#include "media/opencv_tools.h"
#include "media/sink.h"
#include "train/log.h"

namespace deconv::train {
namespace {

const cv::Scalar ink(60, 60, 60), faint(230, 230, 230), train_colour(200, 120, 40), test_colour(40, 80, 220);  // BGR

struct Curve {
    const char* name;
    cv::Scalar colour;
    std::vector<double> values;
};

/// A step of 1, 2 or 5 times a power of ten that cuts `span` into at most `most` pieces.
double tick_step(double span, int most) {
    const double rough = std::max(span, 1e-9) / most;
    const double power = std::pow(10, std::floor(std::log10(rough)));
    for (const double factor : {1.0, 2.0, 5.0}) {
        if (factor * power >= rough) return factor * power;
    }
    return 10 * power;
}

std::string number(double value, double step) {
    char text[32];
    const int digits = std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
    std::snprintf(text, sizeof text, "%.*f", digits, value);
    return text;
}

void write(cv::Mat& picture, const std::string& text, cv::Point at, const cv::Scalar& colour, double size,
           double align) {
    int base = 0;
    const cv::Size extent = cv::getTextSize(text, cv::FONT_HERSHEY_SIMPLEX, size, 1, &base);
    at.x -= static_cast<int>(align * extent.width);
    cv::putText(picture, text, at, cv::FONT_HERSHEY_SIMPLEX, size, colour, 1, cv::LINE_AA);
}

/// `best` picks the value to mark of two.
void draw_plot(cv::Mat& picture, const cv::Rect& area, const std::string& title, const std::vector<Curve>& curves,
               bool largest_is_best) {
    double low = INFINITY;
    double high = -INFINITY;
    std::size_t epochs = 0;
    for (const Curve& curve : curves) {
        epochs = std::max(epochs, curve.values.size());
        for (const double v : curve.values) {
            if (!std::isfinite(v)) continue;
            low = std::min(low, v);
            high = std::max(high, v);
        }
    }
    if (!std::isfinite(low)) return;
    const double step = tick_step(high - low, 6);
    low = std::floor(low / step) * step;
    high = std::max(std::ceil(high / step) * step, low + step);
    const double last = static_cast<double>(std::max<std::size_t>(epochs, 2));
    const auto place = [&](double epoch, double value) {
        return cv::Point2d(area.x + area.width * (epoch - 1) / (last - 1),
                           area.y + area.height * (1 - (value - low) / (high - low)));
    };
    write(picture, title, {area.x + area.width / 2, area.y - 18}, ink, 0.6, 0.5);
    for (int i = 0; low + i * step <= high + step / 2; ++i) {
        const double v = low + i * step;
        const auto y = static_cast<int>(std::lround(place(1, v).y));
        cv::line(picture, {area.x, y}, {area.x + area.width, y}, faint, 1, cv::LINE_AA);
        write(picture, number(v, step), {area.x - 8, y + 5}, ink, 0.42, 1);
    }
    const auto epoch_step = std::max(1, static_cast<int>(tick_step(last - 1, 8)));
    for (int e = epoch_step; e <= static_cast<int>(last); e += epoch_step) {
        const auto x = static_cast<int>(std::lround(place(e, low).x));
        cv::line(picture, {x, area.y}, {x, area.y + area.height}, faint, 1, cv::LINE_AA);
        write(picture, number(e, 1), {x, area.y + area.height + 20}, ink, 0.42, 0.5);
    }
    write(picture, "epoch", {area.x + area.width / 2, area.y + area.height + 42}, ink, 0.45, 0.5);
    int row = 0;
    for (const Curve& curve : curves) {
        constexpr int fraction_bits = 4;  // sixteenths of a pixel
        std::vector<cv::Point> line;
        for (std::size_t i = 0; i < curve.values.size(); ++i) {
            if (!std::isfinite(curve.values[i])) continue;
            const cv::Point2d p = place(static_cast<double>(i + 1), curve.values[i]);
            line.emplace_back(static_cast<int>(std::lround(p.x * 16)), static_cast<int>(std::lround(p.y * 16)));
        }
        cv::polylines(picture, line, false, curve.colour, 2, cv::LINE_AA, fraction_bits);
        if (line.size() < 40) {
            for (const cv::Point& p : line) cv::circle(picture, p, 40, curve.colour, -1, cv::LINE_AA, fraction_bits);
        }
        const auto best = largest_is_best ? std::max_element(curve.values.begin(), curve.values.end())
                                          : std::min_element(curve.values.begin(), curve.values.end());
        const cv::Point2d at = place(static_cast<double>(best - curve.values.begin() + 1), *best);
        cv::circle(picture, cv::Point(at), 6, curve.colour, 1, cv::LINE_AA);
        // Where the curves leave room: accuracy rises to the right, loss falls.
        const int y = largest_is_best ? area.y + area.height - 52 + 24 * row : area.y + 24 + 24 * row;
        const int x = area.x + area.width - 200;
        cv::line(picture, {x, y - 5}, {x + 26, y - 5}, curve.colour, 2, cv::LINE_AA);
        write(picture, std::string(curve.name) + ", best " + number(*best, 0.0001), {x + 34, y}, ink, 0.45, 0);
        ++row;
    }
    cv::rectangle(picture, area, ink, 1, cv::LINE_AA);
}

}  // namespace

void draw_curves(const std::string& path, const std::string& title, const std::vector<EpochResult>& results) {
    if (results.empty()) return;
    cv::Mat picture(560, 1280, CV_8UC3, cv::Scalar(255, 255, 255));
    const auto values = [&](double EpochResult::*member) {
        std::vector<double> all;
        for (const EpochResult& r : results) all.push_back(r.*member);
        return all;
    };
    write(picture, title, {640, 34}, ink, 0.65, 0.5);
    draw_plot(picture, {80, 90, 520, 390}, "loss",
              {{"train", train_colour, values(&EpochResult::train_loss)},
               {"test", test_colour, values(&EpochResult::test_loss)}},
              false);
    draw_plot(picture, {720, 90, 520, 390}, "accuracy",
              {{"train", train_colour, values(&EpochResult::train_accuracy)},
               {"test", test_colour, values(&EpochResult::test_accuracy)}},
              true);
    media::write_png(path, media::to_picture(picture));
}

}  // namespace deconv::train
