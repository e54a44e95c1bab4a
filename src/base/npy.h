// NumPy's .npy files, float32, C order (format: numpy.lib.format, versions 1.0 and 2.0).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace deconv {

struct NpyArray {
    std::vector<std::int64_t> shape;
    std::vector<float> data;  // row-major
};

/// Reads a little-endian float32 array in C order.  Throws Error naming the file and what is wrong with it.
NpyArray read_npy(const std::string& path);

/// Writes under a temporary name and renames, so that a file under the final name is always whole.
void write_npy(const std::string& path, std::span<const std::int64_t> shape, std::span<const float> data);

}  // namespace deconv
