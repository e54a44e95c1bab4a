// From pictures to batches of numbers: shuffled, cropped, flipped, their colours shifted, normalised; ahead of the
// device.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "train/dataset.h"

namespace deconv::train {

/// By channel, of pixels in 0 … 1: the network sees (pixel / 255 − mean) / std.
struct Normalisation {
    std::array<float, 3> mean{0, 0, 0}, std{1, 1, 1};
};
/// Mean and standard deviation over all pixels of each channel.
Normalisation measure(const Images& images);

/// Pictures `first` … as (count, C, H, W), without augmentation.
void normalise(const Images& images, std::size_t first, std::size_t count, const Normalisation& normalisation,
               float* out);

struct Augmentation {
    int pad = 4;       // a crop moves by up to this, over a border of the mean colour
    bool flip = true;  // left and right, every second time
    float jitter = 0;  // brightness, contrast and saturation each change by up to this share
};

/// Makes the batches of an epoch in order, ahead on threads of its own.  What is drawn for picture i of batch b of an
/// epoch depends on (seed, epoch, b, i) alone: any batch can be made again.
class BatchMaker {
  public:
    struct Batch {
        std::vector<float> pixels;          // (batch, C, H, W)
        std::vector<std::uint32_t> labels;  // (batch)
    };

    /// `images` outlives it.  A last incomplete batch of an epoch is left out.
    BatchMaker(const Images& images, const Normalisation& normalisation, const Augmentation& augmentation,
               std::uint64_t seed, std::size_t batch);
    ~BatchMaker();
    BatchMaker(const BatchMaker&) = delete;
    BatchMaker& operator=(const BatchMaker&) = delete;

    std::size_t batches() const { return images_.count() / batch_; }
    /// Begins with batch `first` of that epoch; those after its last are of the next epoch, and so on.
    void start(std::uint64_t epoch, std::size_t first);
    /// The next one; waits where it is not ready.
    Batch next();
    /// Memory for later batches.
    void give_back(Batch batch);
    /// The batch, made now by the calling thread.
    void make(std::uint64_t epoch, std::size_t index, Batch& to) const;

  private:
    static constexpr std::size_t ahead = 4;
    const std::vector<std::uint32_t>& order_of(std::uint64_t epoch) const;
    void work();

    const Images& images_;
    Normalisation normalisation_;
    Augmentation augmentation_;
    std::uint64_t seed_;
    std::size_t batch_;

    mutable std::mutex order_mutex_;
    mutable std::uint64_t order_epoch_ = ~std::uint64_t{0};
    mutable std::vector<std::uint32_t> order_;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Batch> ready_;
    std::vector<Batch> spare_;
    std::uint64_t epoch_ = 0;
    std::size_t next_ = 0;
    std::uint64_t run_ = 0;  // counts start()
    bool stop_ = false;
    std::thread thread_;
};

}  // namespace deconv::train
