// Labelled pictures to train on, read whole into memory.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace deconv::train {

/// Pictures of one size: (N, H, W, C), C 1 (grey) or 3 (red, green, blue).
struct Images {
    int channels = 3, height = 0, width = 0;
    std::vector<std::uint8_t> pixels;
    std::vector<std::uint16_t> labels;  // below the number of classes

    std::size_t count() const { return labels.size(); }
    std::size_t image_bytes() const {
        return static_cast<std::size_t>(channels) * static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
    }
    const std::uint8_t* image(std::size_t i) const { return pixels.data() + i * image_bytes(); }
};

struct DataSet {
    std::string name;                  // the folder's
    std::string format;                // e.g. "CIFAR-10 binaries"
    std::vector<std::string> classes;  // in the order of the labels
    Images train, test;
};

/// Called from time to time with how many pictures of how many are read; from one thread at a time.  What it
/// throws ends the reading.
using Progress = std::function<void(std::size_t done, std::size_t all)>;

/// Reads whichever of these lies in the folder:
///   CIFAR-10's official binaries (data_batch_1.bin … test_batch.bin, batches.meta.txt);
///   Tiny ImageNet's layout (wnids.txt, words.txt, train/WNID/images, val/images, val/val_annotations.txt);
///   IDX files as MNIST and Fashion-MNIST have them, packed by gzip or not;
///   a folder a class: train/CLASS and test/CLASS (or val/CLASS), or CLASS alone, of which every tenth picture, in the
///   order of the names, is then held back for the test.
/// Classes are in the sorted order of their folders, or as the format says.  `size`: every picture is cut to its middle
/// square and resized to that, by area where it shrinks.
/// Throws Error, in one line: what is wrong, in which file, and what would be right.
DataSet read_data_set(const std::string& folder, std::optional<int> size, const Progress& progress = {});

}  // namespace deconv::train
