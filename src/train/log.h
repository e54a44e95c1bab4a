// What each epoch came to: as a table that spreadsheets read, and as a picture.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace deconv::train {

struct EpochResult {
    std::int64_t epoch = 0;                     // from 1
    double learning_rate = 0;                   // of its last step
    double train_loss = 0, train_accuracy = 0;  // over the epoch's own augmented batches
    double test_loss = 0, test_accuracy = 0;
    double images_per_second = 0, seconds = 0;  // of its training
};

/// CSV with a line of names.
void write_log(const std::string& path, const std::vector<EpochResult>& results);

/// Loss and accuracy over the epochs, side by side, as PNG, 1280 × 560.
void draw_curves(const std::string& path, const std::string& title, const std::vector<EpochResult>& results);

}  // namespace deconv::train
