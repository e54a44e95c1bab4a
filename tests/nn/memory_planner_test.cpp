// Memory sharing and the splitting of what exceeds a binding: properties over random requests.
#include "nn/memory_planner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/error.h"
#include "nn/operator.h"

namespace deconv::nn {
namespace {

TEST(MemoryPlanner, NothingThatLivesTogetherOverlaps) {
    std::mt19937 engine(1);
    const auto random = [&](std::uint64_t low, std::uint64_t high) {
        return std::uniform_int_distribution<std::uint64_t>(low, high)(engine);
    };
    for (int trial = 0; trial < 300; ++trial) {
        SCOPED_TRACE(trial);
        const std::uint64_t alignment = std::uint64_t{1} << random(2, 8);
        const std::uint64_t block = random(2000, 20000);
        std::vector<MemoryRequest> requests(random(1, 40));
        for (MemoryRequest& request : requests) {
            request.bytes = random(0, random(0, 9) == 0 ? 30000 : 1500);  // some larger than a block
            request.first = static_cast<int>(random(0, 20));
            request.last = request.first + static_cast<int>(random(0, 6));
        }
        const MemoryPlan plan = plan_memory(requests, alignment, block);
        ASSERT_EQ(plan.places.size(), requests.size());
        for (std::size_t i = 0; i < requests.size(); ++i) {
            const MemoryPlace& a = plan.places[i];
            ASSERT_LT(a.block, plan.blocks.size());
            EXPECT_EQ(a.offset % alignment, 0U);
            EXPECT_LE(a.offset + requests[i].bytes, plan.blocks[a.block]);
            for (std::size_t j = 0; j < i; ++j) {
                const MemoryPlace& b = plan.places[j];
                const bool together = requests[i].first <= requests[j].last && requests[j].first <= requests[i].last;
                if (!together || a.block != b.block || requests[i].bytes == 0 || requests[j].bytes == 0) continue;
                EXPECT_TRUE(a.offset + requests[i].bytes <= b.offset || b.offset + requests[j].bytes <= a.offset)
                    << "requests " << i << " and " << j;
            }
        }
        std::uint64_t largest = 0;
        for (const MemoryRequest& request : requests) largest = std::max(largest, request.bytes);
        for (const std::uint64_t bytes : plan.blocks) {
            EXPECT_LE(bytes, std::max(block, largest + alignment));
        }
    }
}

TEST(MemoryPlanner, AChainNeedsTwoOfItsTensors) {
    std::vector<MemoryRequest> chain;
    for (int i = 0; i < 50; ++i) chain.push_back({1024, i, i + 1});
    const MemoryPlan plan = plan_memory(chain, 256, 1 << 20);
    EXPECT_EQ(plan.blocks, (std::vector<std::uint64_t>{2048}));
    EXPECT_TRUE(plan_memory({}, 256, 1 << 20).blocks.empty());
}

TEST(ForSlices, CoversEverythingOnceWithinTheRangeAndAligned) {
    std::mt19937 engine(2);
    const auto random = [&](std::int64_t low, std::int64_t high) {
        return std::uniform_int_distribution<std::int64_t>(low, high)(engine);
    };
    int split = 0;
    int refused = 0;
    for (int trial = 0; trial < 2000; ++trial) {
        gpu::Limits limits;
        limits.storage_alignment = std::uint64_t{1} << random(2, 8);
        limits.storage_range = static_cast<std::uint64_t>(random(1000, 100000));
        const std::int64_t count = random(1, 200);
        const std::int64_t a = 4 * random(1, 3000);
        const std::int64_t b = 4 * random(1, 500);
        const auto range = static_cast<std::int64_t>(limits.storage_range);
        const auto alignment = static_cast<std::int64_t>(limits.storage_alignment);
        std::int64_t next = 0;
        int runs = 0;
        try {
            for_slices(count, {a, b}, limits, [&](std::int64_t first, std::int64_t length) {
                EXPECT_EQ(first, next);
                EXPECT_GE(length, 1);
                EXPECT_LE(length * std::max(a, b), range);
                EXPECT_EQ(first * a % alignment, 0);
                EXPECT_EQ(first * b % alignment, 0);
                next = first + length;
                ++runs;
            });
            EXPECT_EQ(next, count);
            split += runs > 1 ? 1 : 0;
        } catch (const Error&) {
            EXPECT_EQ(runs, 0);
            // Rightly: no aligned run of whole items fits.
            std::int64_t unit = 1;
            while (unit * a % alignment != 0 || unit * b % alignment != 0) ++unit;
            EXPECT_GT(unit * std::max(a, b), range);
            ++refused;
        }
    }
    EXPECT_GT(split, 100);
    EXPECT_GT(refused, 10);
}

TEST(ForSlices, RunsAreNoLongerThanIsEnoughOrThanAlignmentAsks) {
    gpu::Limits limits;
    limits.storage_range = 1 << 20;
    limits.storage_alignment = 256;
    const auto longest = [&](std::int64_t count, std::int64_t bytes, std::int64_t enough) {
        std::int64_t most = 0;
        std::int64_t all = 0;
        for_slices(
            count, {bytes}, limits,
            [&](std::int64_t /*first*/, std::int64_t length) {
                most = std::max(most, length);
                all += length;
            },
            enough);
        EXPECT_EQ(all, count);
        return most;
    };
    EXPECT_EQ(longest(16, 1024, 1 << 20), 16);
    EXPECT_EQ(longest(16, 1024, 4096), 4);
    EXPECT_EQ(longest(16, 1024, 100), 1);
    EXPECT_EQ(longest(200, 1028, 4096), 64);  // sixty-four of them end at a multiple of 256 bytes
    EXPECT_EQ(longest(3, 1028, 100), 3);
}

}  // namespace
}  // namespace deconv::nn
