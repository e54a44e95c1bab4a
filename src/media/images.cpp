// Single images and folders of images.
#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "media/image_file.h"
#include "media/sources.h"

namespace deconv::media {
namespace {

namespace fs = std::filesystem;

// Folders are most often a film's frames.
constexpr double images_per_second = 30;

/// Files named as images are taken even if they turn out to be damaged: leaving one out silently would shift all
/// that follow.  Files with other names are taken if their first bytes are those of an image.
bool named_as_image(const fs::path& file) {
    constexpr std::array<std::string_view, 15> extensions = {".bmp", ".dib", ".jp2", ".jpe",  ".jpeg",
                                                             ".jpg", ".pbm", ".pgm", ".png",  ".pnm",
                                                             ".ppm", ".ras", ".tif", ".tiff", ".webp"};
    std::string extension = file.extension().string();
    std::transform(extension.begin(), extension.end(), extension.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return std::find(extensions.begin(), extensions.end(), extension) != extensions.end();
}

std::vector<std::string> images_in(const std::string& folder) {
    std::vector<std::string> files;
    std::error_code error;
    fs::directory_iterator entry(folder, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
        std::error_code ignored;
        if (!entry->is_regular_file(ignored) || entry->path().filename().string().starts_with('.')) continue;
        if (named_as_image(entry->path()) || is_image(entry->path().string())) files.push_back(entry->path().string());
    }
    if (error) throw Error(folder + ": the folder cannot be read: " + error.message());
    std::sort(files.begin(), files.end());
    return files;
}

class Images : public Source {
  public:
    Images(std::string name, std::vector<std::string> files) : name_(std::move(name)), files_(std::move(files)) {}

    bool read(Frame& frame) override {
        if (index_ == files_.size()) return false;
        frame.picture = read_image(files_[index_]);
        frame.index = static_cast<std::int64_t>(index_);
        frame.time_s = static_cast<double>(index_) / images_per_second;
        ++index_;
        return true;
    }
    double fps() const override { return images_per_second; }
    bool live() const override { return false; }
    bool stills() const override { return true; }
    std::optional<std::int64_t> count() const override { return static_cast<std::int64_t>(files_.size()); }
    std::string name() const override { return name_; }

  private:
    std::string name_;
    std::vector<std::string> files_;
    std::size_t index_ = 0;
};

/// Read when it is opened, so that what is wrong with it is said before a network is loaded.
class SingleImage : public Source {
  public:
    explicit SingleImage(const std::string& path)
        : name_(fs::path(path).filename().string()), picture_(read_image(path)) {}

    bool read(Frame& frame) override {
        if (!picture_) return false;
        frame = {};
        frame.picture = *std::exchange(picture_, std::nullopt);
        return true;
    }
    double fps() const override { return images_per_second; }
    bool live() const override { return false; }
    bool stills() const override { return true; }
    std::optional<std::int64_t> count() const override { return 1; }
    std::string name() const override { return name_; }

  private:
    std::string name_;
    std::optional<Picture> picture_;
};

}  // namespace

std::unique_ptr<Source> open_image(const std::string& path) {
    return std::make_unique<SingleImage>(path);
}

std::unique_ptr<Source> open_folder(const std::string& path) {
    std::vector<std::string> files = images_in(path);
    if (files.empty()) {
        throw Error(path + ": no image in this folder (folders inside it are not looked into); give one with images");
    }
    fs::path folder(path);
    if (!folder.has_filename()) folder = folder.parent_path();  // "photos/" is called "photos"
    return std::make_unique<Images>(folder.filename().string(), std::move(files));
}

}  // namespace deconv::media
