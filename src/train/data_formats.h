// The formats that read_data_set() knows: each says whether a folder is its own, and reads it.
#pragma once

#include <filesystem>
#include <vector>

#include "train/dataset.h"

namespace deconv::train {

/// A picture's file and its class.
struct LabelledFile {
    std::filesystem::path path;
    std::uint16_t label = 0;
};

/// What a format makes of a folder: pictures already, or files that are still to be decoded.
struct Found {
    DataSet data;
    std::vector<LabelledFile> train, test;
};

bool is_cifar10(const std::filesystem::path& folder);
Found read_cifar10(const std::filesystem::path& folder);

bool is_idx(const std::filesystem::path& folder);
Found read_idx(const std::filesystem::path& folder);

bool is_tiny_imagenet(const std::filesystem::path& folder);
Found list_tiny_imagenet(const std::filesystem::path& folder);

bool is_folders(const std::filesystem::path& folder);
Found list_folders(const std::filesystem::path& folder);

/// Folders within a folder, sorted by name; files that look like pictures, likewise.
std::vector<std::filesystem::path> folders_in(const std::filesystem::path& folder);
std::vector<std::filesystem::path> pictures_in(const std::filesystem::path& folder);

}  // namespace deconv::train
