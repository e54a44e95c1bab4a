#include "train/augment.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace deconv::train {
namespace {

/// Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators".
class SplitMix {
  public:
    explicit SplitMix(std::uint64_t state) : state_(state) {}
    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }
    /// Below `count`.
    std::uint64_t below(std::uint64_t count) { return ((next() >> 32) * count) >> 32; }
    float uniform() { return static_cast<float>(next() >> 40) * (1.0F / 16777216.0F); }

  private:
    std::uint64_t state_;
};

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    return SplitMix(a ^ (b * 0xd1342543de82ef95ULL)).next();
}

/// One picture, cropped at (top, left) of its border, into (C, H, W).
struct Crop {
    int top = 0, left = 0;
    bool mirrored = false;
};

/// value · scale + shift by channel, and a share of grey mixed in.
struct Colours {
    std::array<float, 3> scale, shift;
    float saturation = 1;
};

void place(const Images& images, std::size_t index, const Crop& crop, const Colours& colours, float* out) {
    const int height = images.height;
    const int width = images.width;
    const auto channels = static_cast<std::size_t>(images.channels);
    const auto plane = static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
    const std::uint8_t* picture = images.image(index);
    for (int y = 0; y < height; ++y) {
        const int from_y = y + crop.top;
        float* row = out + static_cast<std::size_t>(y) * static_cast<std::size_t>(width);
        if (from_y < 0 || from_y >= height) {
            for (std::size_t c = 0; c < channels; ++c) std::fill(row + c * plane, row + c * plane + width, 0.0F);
            continue;
        }
        const std::uint8_t* from =
            picture + static_cast<std::size_t>(from_y) * static_cast<std::size_t>(width) * channels;
        for (int x = 0; x < width; ++x) {
            const int from_x = (crop.mirrored ? width - 1 - x : x) + crop.left;
            const bool inside = from_x >= 0 && from_x < width;
            const std::uint8_t* pixel = from + static_cast<std::size_t>(inside ? from_x : 0) * channels;
            float grey = 0;
            if (colours.saturation != 1 && channels == 3) {
                grey = 0.299F * static_cast<float>(pixel[0]) + 0.587F * static_cast<float>(pixel[1]) +
                       0.114F * static_cast<float>(pixel[2]);
            }
            for (std::size_t c = 0; c < channels; ++c) {
                const float value = grey + (static_cast<float>(pixel[c]) - grey) * colours.saturation;
                // Outside lies the mean colour: zero once normalised.
                row[c * plane + static_cast<std::size_t>(x)] = inside ? value * colours.scale[c] + colours.shift[c] : 0;
            }
        }
    }
}

Colours plain_colours(const Normalisation& n) {
    Colours colours;
    for (std::size_t c = 0; c < 3; ++c) {
        colours.scale.at(c) = 1.0F / (255.0F * n.std.at(c));
        colours.shift.at(c) = -n.mean.at(c) / n.std.at(c);
    }
    colours.saturation = 1;
    return colours;
}

}  // namespace

Normalisation measure(const Images& images) {
    Normalisation result;
    const auto channels = static_cast<std::size_t>(images.channels);
    std::array<double, 3> sum{};
    std::array<double, 3> squares{};
    for (std::size_t i = 0; i < images.pixels.size(); i += channels) {
        for (std::size_t c = 0; c < channels; ++c) {
            const double v = images.pixels[i + c] / 255.0;
            sum.at(c) += v;
            squares.at(c) += v * v;
        }
    }
    const auto count = static_cast<double>(images.pixels.size()) / static_cast<double>(channels);
    for (std::size_t c = 0; c < 3; ++c) {
        const std::size_t from = std::min(c, channels - 1);
        const double mean = sum.at(from) / count;
        result.mean.at(c) = static_cast<float>(mean);
        // Pictures of one colour would divide by zero.
        result.std.at(c) =
            std::max(1e-3F, static_cast<float>(std::sqrt(std::max(0.0, squares.at(from) / count - mean * mean))));
    }
    return result;
}

void normalise(const Images& images, std::size_t first, std::size_t count, const Normalisation& normalisation,
               float* out) {
    const Colours colours = plain_colours(normalisation);
    for (std::size_t i = 0; i < count; ++i) place(images, first + i, {}, colours, out + i * images.image_bytes());
}

BatchMaker::BatchMaker(const Images& images, const Normalisation& normalisation, const Augmentation& augmentation,
                       std::uint64_t seed, std::size_t batch)
    : images_(images), normalisation_(normalisation), augmentation_(augmentation), seed_(seed), batch_(batch) {
    if (batches() == 0) {
        throw Error("a batch of " + std::to_string(batch) + " is more than the " + std::to_string(images.count()) +
                    " pictures there are: give a smaller --batch");
    }
}

BatchMaker::~BatchMaker() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void BatchMaker::start(std::uint64_t epoch, std::size_t first) {
    {
        const std::lock_guard lock(mutex_);
        epoch_ = epoch;
        next_ = first;
        ++run_;
        ready_.clear();
    }
    changed_.notify_all();
    if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
}

void BatchMaker::work() {
    std::unique_lock lock(mutex_);
    while (!stop_) {
        if (ready_.size() >= ahead) {
            changed_.wait(lock);
            continue;
        }
        if (next_ >= batches()) {
            next_ = 0;
            ++epoch_;
        }
        const std::uint64_t run = run_;
        const std::uint64_t epoch = epoch_;
        const std::size_t index = next_++;
        Batch batch;
        if (!spare_.empty()) {
            batch = std::move(spare_.back());
            spare_.pop_back();
        }
        lock.unlock();
        make(epoch, index, batch);
        lock.lock();
        if (run == run_) ready_.push_back(std::move(batch));
        changed_.notify_all();
    }
}

BatchMaker::Batch BatchMaker::next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !ready_.empty(); });
    Batch batch = std::move(ready_.front());
    ready_.pop_front();
    changed_.notify_all();
    return batch;
}

void BatchMaker::give_back(Batch batch) {
    const std::lock_guard lock(mutex_);
    spare_.push_back(std::move(batch));
}

const std::vector<std::uint32_t>& BatchMaker::order_of(std::uint64_t epoch) const {
    if (order_epoch_ != epoch) {
        order_.resize(images_.count());
        std::iota(order_.begin(), order_.end(), 0U);
        SplitMix random(mix(seed_, epoch));
        for (std::size_t i = order_.size() - 1; i > 0; --i) std::swap(order_[i], order_[random.below(i + 1)]);
        order_epoch_ = epoch;
    }
    return order_;
}

void BatchMaker::make(std::uint64_t epoch, std::size_t index, Batch& to) const {
    std::vector<std::uint32_t> picked;
    {
        const std::lock_guard lock(order_mutex_);
        const std::vector<std::uint32_t>& order = order_of(epoch);
        const auto first = order.begin() + static_cast<std::ptrdiff_t>(index * batch_);
        picked.assign(first, first + static_cast<std::ptrdiff_t>(batch_));
    }
    to.pixels.resize(batch_ * images_.image_bytes());
    to.labels.resize(batch_);
    const Colours plain = plain_colours(normalisation_);
    for (std::size_t i = 0; i < batch_; ++i) {
        SplitMix random(mix(mix(mix(seed_, epoch), index), i));
        Crop crop;
        if (augmentation_.pad > 0) {
            const auto places = static_cast<std::uint64_t>(2 * augmentation_.pad + 1);
            crop.top = static_cast<int>(random.below(places)) - augmentation_.pad;
            crop.left = static_cast<int>(random.below(places)) - augmentation_.pad;
        }
        crop.mirrored = augmentation_.flip && random.below(2) == 1;
        Colours colours = plain;
        if (augmentation_.jitter > 0) {
            const auto factor = [&] { return 1.0F + augmentation_.jitter * (2 * random.uniform() - 1); };
            const float brightness = factor();
            const float contrast = factor();
            colours.saturation = factor();
            // Contrast turns about the mean colour, which is zero once normalised.
            for (std::size_t c = 0; c < 3; ++c) {
                colours.scale.at(c) = plain.scale.at(c) * brightness * contrast;
                colours.shift.at(c) = plain.shift.at(c) * contrast;
            }
        }
        place(images_, picked[i], crop, colours, to.pixels.data() + i * images_.image_bytes());
        to.labels[i] = images_.labels[picked[i]];
    }
}

}  // namespace deconv::train
