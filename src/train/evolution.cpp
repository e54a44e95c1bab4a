#include "train/evolution.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "base/error.h"
#include "media/opencv_tools.h"
#include "media/sink.h"
#include "train/inference.h"
#include "train/trainer.h"

namespace deconv::train {
namespace {

constexpr std::size_t at_once = 50;  // pictures of a pass

/// First pixel and size of a receptive field along an axis.
struct Span {
    int first = 0, size = 0;
};
Span span_of(const nn::ReceptiveField& field, std::int64_t position, int whole) {
    if (field.global || field.size >= whole) return {0, whole};
    return {static_cast<int>(std::lround(static_cast<double>(position) * field.stride + field.offset)),
            static_cast<int>(std::lround(field.size))};
}

/// Display `signed` of one field: 0.5 + R · std / (2 s), s the 99.5th percentile of its absolute values.
std::vector<std::uint8_t> signed_picture(const std::vector<float>& r, int channels, int height, int width,
                                         const Span& y, const Span& x, const Normalisation& normalisation) {
    const auto value = [&](int row, int column, int c) {
        const int from = std::min(c, channels - 1);
        if (row < 0 || column < 0 || row >= height || column >= width) return 0.0F;
        const std::size_t at =
            (static_cast<std::size_t>(from) * static_cast<std::size_t>(height) + static_cast<std::size_t>(row)) *
                static_cast<std::size_t>(width) +
            static_cast<std::size_t>(column);
        return r[at] * normalisation.std.at(static_cast<std::size_t>(from));
    };
    std::vector<float> magnitudes;
    for (int i = 0; i < y.size; ++i) {
        for (int j = 0; j < x.size; ++j) {
            for (int c = 0; c < 3; ++c) magnitudes.push_back(std::abs(value(y.first + i, x.first + j, c)));
        }
    }
    const auto rank = static_cast<std::ptrdiff_t>(0.995 * static_cast<double>(magnitudes.size() - 1));
    std::nth_element(magnitudes.begin(), magnitudes.begin() + rank, magnitudes.end());
    float scale = magnitudes[static_cast<std::size_t>(rank)];
    if (scale <= 0) scale = *std::max_element(magnitudes.begin(), magnitudes.end());
    std::vector<std::uint8_t> picture;
    for (int i = 0; i < y.size; ++i) {
        for (int j = 0; j < x.size; ++j) {
            for (int c = 0; c < 3; ++c) {
                const float v = scale > 0 ? 0.5F + value(y.first + i, x.first + j, c) / (2 * scale) : 0.5F;
                picture.push_back(static_cast<std::uint8_t>(std::lround(255 * std::clamp(v, 0.0F, 1.0F))));
            }
        }
    }
    return picture;
}

std::vector<std::uint8_t> patch(const Images& images, std::size_t index, const Span& y, const Span& x) {
    std::vector<std::uint8_t> picture;
    for (int i = 0; i < y.size; ++i) {
        for (int j = 0; j < x.size; ++j) {
            const int row = y.first + i;
            const int column = x.first + j;
            const bool inside = row >= 0 && column >= 0 && row < images.height && column < images.width;
            for (int c = 0; c < 3; ++c) {
                const int at = (row * images.width + column) * images.channels + std::min(c, images.channels - 1);
                picture.push_back(inside ? images.image(index)[at] : 128);
            }
        }
    }
    return picture;
}

}  // namespace

Evolution::Evolution(const gpu::Device& device, gpu::Pipelines& pipelines, std::vector<std::string> layers,
                     const Images& test, const Normalisation& normalisation)
    : device_(device), pipelines_(pipelines), layers_(std::move(layers)), normalisation_(normalisation) {
    images_.channels = test.channels;
    images_.height = test.height;
    images_.width = test.width;
    const std::size_t count = std::min(pictures, test.count());
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint8_t* picture = test.image(i * test.count() / count);
        images_.pixels.insert(images_.pixels.end(), picture, picture + test.image_bytes());
        images_.labels.push_back(0);
    }
}

bool Evolution::due(std::int64_t epoch, std::int64_t epochs) {
    static constexpr std::int64_t early[] = {1, 2, 5, 10, 20, 30, 40, 64};
    if (epoch == epochs || std::find(std::begin(early), std::end(early), epoch) != std::end(early)) return true;
    return epoch > 64 && std::has_single_bit(static_cast<std::uint64_t>(epoch));
}

void Evolution::check(const nn::Graph& network) const {
    const nn::Network net(network, {{network.inputs.at(0).name, {1, images_.channels, images_.height, images_.width}}});
    for (const std::string& layer : layers_) net.find_layer(layer);
}

std::vector<Evolution::Cell> Evolution::look(const nn::Graph& network, const std::string& layer) const {
    const std::size_t count = images_.count();
    const std::size_t batch = std::min(at_once, count);
    std::vector<std::size_t> chosen;
    std::vector<float> best;
    std::vector<std::size_t> best_image;
    {
        Inference many(device_, pipelines_, network, images_, batch, layer);
        const auto all = static_cast<std::size_t>(nn::extent_of(many.layer().shape).channels);
        for (std::size_t i = 0; i < std::min(channels, all); ++i) chosen.push_back(i * all / std::min(channels, all));
        best.assign(chosen.size(), -INFINITY);
        best_image.assign(chosen.size(), 0);
        for (std::size_t first = 0; first < count; first += batch) {
            const std::size_t from = std::min(first, count - batch);  // the last pass looks at some again
            normalise(images_, from, batch, normalisation_, many.input().data());
            many.project(0);
            const std::vector<Inference::Peak> peaks = many.peaks();
            for (std::size_t n = 0; n < batch; ++n) {
                for (std::size_t i = 0; i < chosen.size(); ++i) {
                    const float value = peaks[n * all + chosen[i]].value;
                    if (value > best[i]) best[i] = value, best_image[i] = from + n;
                }
            }
        }
    }
    Inference one(device_, pipelines_, network, images_, 1, layer);
    const std::int64_t width = nn::extent_of(one.layer().shape).width;
    std::vector<Cell> cells;
    for (std::size_t i = 0; i < chosen.size(); ++i) {
        normalise(images_, best_image[i], 1, normalisation_, one.input().data());
        one.project(static_cast<std::int32_t>(chosen[i]));
        const std::int64_t place = one.peaks()[chosen[i]].place;
        const Span y = span_of(one.layer().field[0], place / width, images_.height);
        const Span x = span_of(one.layer().field[1], place % width, images_.width);
        cells.push_back({signed_picture(one.reconstruction(), images_.channels, images_.height, images_.width, y, x,
                                        normalisation_),
                         patch(images_, best_image[i], y, x), y.size, x.size});
    }
    return cells;
}

void Evolution::add(std::int64_t epoch, const nn::Graph& network) {
    Column column{epoch, {}};
    for (const std::string& layer : layers_) {
        std::vector<Cell> cells = look(network, layer);
        cells.resize(channels);  // layers with fewer leave rows empty
        std::move(cells.begin(), cells.end(), std::back_inserter(column.cells));
    }
    columns_.push_back(std::move(column));
}

void Evolution::draw(const std::string& onnx_path) const {
    if (columns_.empty()) return;
    constexpr int cell = 96;
    constexpr int gap = 6;
    constexpr int top = 34;
    const cv::Scalar ink(60, 60, 60);
    const auto write = [&](cv::Mat& sheet, const std::string& text, int centre) {
        int base = 0;
        const cv::Size size = cv::getTextSize(text, cv::FONT_HERSHEY_SIMPLEX, 0.45, 1, &base);
        cv::putText(sheet, text, {centre - size.width / 2, 22}, cv::FONT_HERSHEY_SIMPLEX, 0.45, ink, 1, cv::LINE_AA);
    };
    const auto count = static_cast<int>(columns_.size());
    for (std::size_t l = 0; l < layers_.size(); ++l) {
        cv::Mat sheet(top + static_cast<int>(channels) * (cell + gap), gap + (count + 1) * (cell + gap) + gap, CV_8UC3,
                      cv::Scalar(255, 255, 255));
        const auto place = [&](const std::vector<std::uint8_t>& pixels, const Cell& from, int column, std::size_t row) {
            if (pixels.empty()) return;
            const cv::Mat rgb(from.height, from.width, CV_8UC3, const_cast<std::uint8_t*>(pixels.data()));
            cv::Mat bgr;
            cv::cvtColor(rgb, bgr, cv::COLOR_RGB2BGR);
            cv::Mat scaled;
            cv::resize(bgr, scaled, {cell, cell}, 0, 0, cv::INTER_CUBIC);
            // The pictures stand apart from the projections.
            const int x = gap + column * (cell + gap) + (column == count ? gap : 0);
            scaled.copyTo(sheet(cv::Rect(x, top + static_cast<int>(row) * (cell + gap), cell, cell)));
        };
        for (int c = 0; c < count; ++c) {
            const Column& column = columns_[static_cast<std::size_t>(c)];
            write(sheet, "epoch " + std::to_string(column.epoch), gap + c * (cell + gap) + cell / 2);
            for (std::size_t row = 0; row < channels; ++row) {
                const Cell& from = column.cells[l * channels + row];
                place(from.projection, from, c, row);
                if (c + 1 == count) place(from.picture, from, count, row);
            }
        }
        write(sheet, "picture", 2 * gap + count * (cell + gap) + cell / 2);
        media::write_png(beside(onnx_path, "-evolution-" + layers_[l] + ".png"), media::to_picture(sheet));
    }
}

void Evolution::save(Checkpoint& checkpoint) const {
    checkpoint.integers["evolution columns"] = columns_.size();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        const std::string prefix = "evolution " + std::to_string(i) + " ";
        checkpoint.integers[prefix + "epoch"] = static_cast<std::uint64_t>(columns_[i].epoch);
        for (std::size_t k = 0; k < columns_[i].cells.size(); ++k) {
            const Cell& cell = columns_[i].cells[k];
            const std::string name = prefix + std::to_string(k) + " ";
            checkpoint.integers[name + "height"] = static_cast<std::uint64_t>(cell.height);
            checkpoint.integers[name + "width"] = static_cast<std::uint64_t>(cell.width);
            checkpoint.texts[name + "projection"] = std::string(cell.projection.begin(), cell.projection.end());
            checkpoint.texts[name + "picture"] = std::string(cell.picture.begin(), cell.picture.end());
        }
    }
}

void Evolution::load(const Checkpoint& checkpoint) {
    columns_.clear();
    if (checkpoint.integers.count("evolution columns") == 0) return;  // begun without
    for (std::uint64_t i = 0; i < checkpoint.integer("evolution columns"); ++i) {
        const std::string prefix = "evolution " + std::to_string(i) + " ";
        Column column{static_cast<std::int64_t>(checkpoint.integer(prefix + "epoch")), {}};
        for (std::size_t k = 0; k < layers_.size() * channels; ++k) {
            const std::string name = prefix + std::to_string(k) + " ";
            const std::string& projection = checkpoint.text(name + "projection");
            const std::string& picture = checkpoint.text(name + "picture");
            column.cells.push_back({{projection.begin(), projection.end()},
                                    {picture.begin(), picture.end()},
                                    static_cast<int>(checkpoint.integer(name + "height")),
                                    static_cast<int>(checkpoint.integer(name + "width"))});
        }
        columns_.push_back(std::move(column));
    }
}

}  // namespace deconv::train
