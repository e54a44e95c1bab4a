// A file from which training goes on as if nothing had happened.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace deconv::train {

/// Named values, kept bit for bit.
struct Checkpoint {
    std::map<std::string, std::vector<float>> tensors;
    std::map<std::string, std::uint64_t> integers;
    std::map<std::string, std::string> texts;

    /// Throw Error where there is none of that name.
    std::uint64_t integer(const std::string& name) const;
    const std::string& text(const std::string& name) const;
    /// Those whose names begin so, without that beginning.
    std::map<std::string, std::string> texts_of(const std::string& prefix) const;
    std::map<std::string, std::vector<float>> tensors_of(const std::string& prefix) const;
    void add(const std::string& prefix, const std::map<std::string, std::vector<float>>& values);
};

/// Whole or not at all: what stood there stays until the new one is on the disk.
void save_checkpoint(const std::string& path, const Checkpoint& checkpoint);
/// Throws Error: missing, no checkpoint, of a newer version, truncated, damaged.
Checkpoint load_checkpoint(const std::string& path);

}  // namespace deconv::train
