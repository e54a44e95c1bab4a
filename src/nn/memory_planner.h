// Places tensors in as little memory as possible: those whose lives do not overlap share.
#pragma once

#include <cstdint>
#include <vector>

namespace deconv::nn {

/// Memory needed from time `first` to time `last`, both included.
struct MemoryRequest {
    std::uint64_t bytes = 0;
    int first = 0, last = 0;
};

struct MemoryPlace {
    std::size_t block = 0;
    std::uint64_t offset = 0;
};

struct MemoryPlan {
    std::vector<MemoryPlace> places;    // by request
    std::vector<std::uint64_t> blocks;  // bytes of each
};

/// Greedy, the largest first, each at the lowest free place (Pisarchyk and Lee 2020, "greedy by size").  No block
/// exceeds `block_bytes` unless one request does.
MemoryPlan plan_memory(const std::vector<MemoryRequest>& requests, std::uint64_t alignment, std::uint64_t block_bytes);

}  // namespace deconv::nn
