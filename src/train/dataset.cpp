#include "train/dataset.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <opencv2/imgproc.hpp>
#include <thread>

#include "base/error.h"
#include "media/image_file.h"
#include "media/opencv_tools.h"
#include "train/data_formats.h"

namespace deconv::train {
namespace {

namespace fs = std::filesystem;

/// Cut to the middle square where it is none, and resized.
cv::Mat sized(const cv::Mat& picture, int size) {
    const int side = std::min(picture.rows, picture.cols);
    cv::Mat square = picture(cv::Rect((picture.cols - side) / 2, (picture.rows - side) / 2, side, side));
    if (side == size) return square;
    cv::Mat result;
    cv::resize(square, result, {size, size}, 0, 0, side > size ? cv::INTER_AREA : cv::INTER_LINEAR);
    return result;
}

cv::Mat decode(const fs::path& path) {
    const Picture picture = media::read_image(path.string());
    cv::Mat rgb;
    cv::cvtColor(cv::Mat(picture.height, picture.width, CV_8UC4, const_cast<std::uint8_t*>(picture.rgba.data())), rgb,
                 cv::COLOR_RGBA2RGB);
    return rgb;
}

/// Decodes on all cores, each picture into its own place.
class Decoder {
  public:
    Decoder(std::optional<int> size, const Progress& progress, std::size_t all)
        : size_(size), progress_(progress), all_(all) {}

    void read(const std::vector<LabelledFile>& files, Images& images) {
        if (files.empty()) return;
        const cv::Mat first = decode(files.front().path);
        images.channels = 3;
        images.height = size_.value_or(first.rows);
        images.width = size_.value_or(first.cols);
        images.pixels.resize(files.size() * images.image_bytes());
        images.labels.resize(files.size());
        std::atomic<std::size_t> next{0};
        const auto work = [&] {
            for (std::size_t i = next++; i < files.size() && !failed_; i = next++) {
                try {
                    place(files[i], files.front().path, images, i);
                    if (++done_ % 500 == 0 && progress_) {
                        const std::lock_guard lock(mutex_);
                        progress_(done_, all_);
                    }
                } catch (const std::exception& error) {
                    const std::lock_guard lock(mutex_);
                    if (!failed_ || i < failed_at_) message_ = error.what(), failed_at_ = i;
                    failed_ = true;
                }
            }
        };
        std::vector<std::thread> threads;
        for (unsigned t = 1; t < std::max(1U, std::thread::hardware_concurrency()); ++t) threads.emplace_back(work);
        work();
        for (std::thread& thread : threads) thread.join();
        if (failed_) throw Error(message_);
    }

  private:
    void place(const LabelledFile& file, const fs::path& first, Images& images, std::size_t i) const {
        const cv::Mat decoded = decode(file.path);
        const cv::Mat picture = size_ ? sized(decoded, *size_) : decoded;
        if (picture.rows != images.height || picture.cols != images.width) {
            throw Error(file.path.string() + " is " + std::to_string(picture.cols) + "x" +
                        std::to_string(picture.rows) + ", " + first.string() + " is " + std::to_string(images.width) +
                        "x" + std::to_string(images.height) + ": give a --size");
        }
        cv::Mat to(images.height, images.width, CV_8UC3, images.pixels.data() + i * images.image_bytes());
        picture.copyTo(to);
        images.labels[i] = file.label;
    }

    std::optional<int> size_;
    const Progress& progress_;
    std::size_t all_;
    std::atomic<std::size_t> done_{0};
    std::atomic<bool> failed_{false};
    std::size_t failed_at_ = 0;
    std::mutex mutex_;
    std::string message_;
};

/// Pictures that came whole from a binary format.
void resize(Images& images, int size) {
    if (images.height == size && images.width == size) return;
    const int type = images.channels == 1 ? CV_8UC1 : CV_8UC3;
    Images result;
    result.channels = images.channels;
    result.height = result.width = size;
    result.pixels.resize(images.count() * result.image_bytes());
    for (std::size_t i = 0; i < images.count(); ++i) {
        const cv::Mat from(images.height, images.width, type, images.pixels.data() + i * images.image_bytes());
        cv::Mat to(size, size, type, result.pixels.data() + i * result.image_bytes());
        sized(from, size).copyTo(to);
    }
    result.labels = std::move(images.labels);
    images = std::move(result);
}

struct Format {
    bool (*is)(const fs::path&);
    Found (*read)(const fs::path&);
};
constexpr Format formats[] = {
    {is_cifar10, read_cifar10}, {is_idx, read_idx}, {is_tiny_imagenet, list_tiny_imagenet}, {is_folders, list_folders}};

}  // namespace

DataSet read_data_set(const std::string& folder, std::optional<int> size, const Progress& progress) {
    media::quiet_libraries();
    const fs::path root(folder);
    std::error_code ignored;
    if (!fs::is_directory(root, ignored)) throw Error("no folder " + folder + ": --data names one with pictures");
    const auto* const format =
        std::find_if(std::begin(formats), std::end(formats), [&](const Format& f) { return f.is(root); });
    if (format == std::end(formats)) {
        throw Error(folder +
                    " holds no data set that is known here: CIFAR-10's binaries (data_batch_1.bin …), Tiny "
                    "ImageNet (wnids.txt …), IDX files (train-images-idx3-ubyte …), or a folder a class "
                    "(train/CLASS/*.jpg, test/CLASS/*.jpg)");
    }
    Found found = format->read(root);
    DataSet& data = found.data;
    data.name = fs::absolute(root).lexically_normal().filename().string();
    if (data.name.empty()) data.name = fs::absolute(root).lexically_normal().parent_path().filename().string();
    Decoder decoder(size, progress, found.train.size() + found.test.size());
    decoder.read(found.train, data.train);
    decoder.read(found.test, data.test);
    if (size) {
        resize(data.train, *size);
        resize(data.test, *size);
    }
    if (data.train.count() == 0 || data.test.count() == 0) {
        throw Error(folder + " holds no pictures to " + (data.train.count() == 0 ? "train on" : "test on"));
    }
    if (data.train.height != data.test.height || data.train.width != data.test.width) {
        throw Error(folder + ": training and test pictures differ in size: give a --size");
    }
    if (data.classes.size() < 2) throw Error(folder + " has a single class: there is nothing to tell apart");
    return std::move(found.data);
}

}  // namespace deconv::train
