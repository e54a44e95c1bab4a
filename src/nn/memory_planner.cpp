#include "nn/memory_planner.h"

#include <algorithm>
#include <numeric>

namespace deconv::nn {

MemoryPlan plan_memory(const std::vector<MemoryRequest>& requests, std::uint64_t alignment, std::uint64_t block_bytes) {
    MemoryPlan plan;
    plan.places.resize(requests.size());
    const auto size_of = [&](std::size_t i) {
        return (std::max<std::uint64_t>(requests[i].bytes, 4) + alignment - 1) / alignment * alignment;
    };
    std::vector<std::size_t> order(requests.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return requests[a].bytes > requests[b].bytes; });

    std::vector<std::vector<std::size_t>> placed;  // by block
    for (const std::size_t i : order) {
        const std::uint64_t size = size_of(i);
        bool done = false;
        for (std::size_t block = 0; !done; ++block) {
            if (block == placed.size()) {
                placed.emplace_back();
                plan.blocks.push_back(0);
            }
            // The occupied ranges of those that live at the same time, from the bottom up.
            std::vector<std::pair<std::uint64_t, std::uint64_t>> taken;
            for (const std::size_t other : placed[block]) {
                if (requests[i].first <= requests[other].last && requests[other].first <= requests[i].last) {
                    taken.emplace_back(plan.places[other].offset, plan.places[other].offset + size_of(other));
                }
            }
            std::sort(taken.begin(), taken.end());
            std::uint64_t offset = 0;
            for (const auto& [begin, end] : taken) {
                if (offset + size <= begin) break;
                offset = std::max(offset, end);
            }
            if (offset + size <= block_bytes || placed[block].empty()) {
                plan.places[i] = {block, offset};
                plan.blocks[block] = std::max(plan.blocks[block], offset + size);
                placed[block].push_back(i);
                done = true;
            }
        }
    }
    return plan;
}

}  // namespace deconv::nn
