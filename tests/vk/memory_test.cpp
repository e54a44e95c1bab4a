// Buffers and arenas.
#include <cstring>
#include <numeric>

#include "vk/vk_testing.h"

namespace deconv::testing {
namespace {

std::vector<std::byte> pattern(std::size_t bytes, unsigned seed = 1) {
    std::vector<std::byte> data(bytes);
    for (std::size_t i = 0; i < bytes; ++i) data[i] = static_cast<std::byte>(i * 7 + i / 251 + seed);
    return data;
}

std::vector<std::byte> bytes_of(const gpu::Slice& slice) {
    std::vector<std::byte> data(slice.bytes);
    gpu::download(engine().device, slice, data);
    return data;
}

TEST(Memory, AlignsUpwards) {
    EXPECT_EQ(gpu::align_up(0, 256), 0U);
    EXPECT_EQ(gpu::align_up(1, 256), 256U);
    EXPECT_EQ(gpu::align_up(256, 256), 256U);
    EXPECT_EQ(gpu::align_up(257, 16), 272U);
}

TEST(Memory, WhatGoesUpComesDown) {
    for (const std::size_t bytes : {4U, 100U, 4096U, 1000003U, 20U << 20U}) {
        const gpu::Buffer buffer(engine().device, bytes, gpu::MemoryUse::device);
        EXPECT_EQ(buffer.bytes(), bytes);
        const std::vector<std::byte> data = pattern(bytes);
        gpu::upload(engine().device, data, buffer.slice());
        EXPECT_EQ(bytes_of(buffer.slice()), data) << bytes;
    }
}

TEST(Memory, PartsOfABuffer) {
    const gpu::Buffer buffer(engine().device, 1000, gpu::MemoryUse::device);
    const std::vector<std::byte> data = pattern(1000);
    gpu::upload(engine().device, data, buffer.slice());
    const std::vector<std::byte> other = pattern(200, 77);
    const gpu::Slice part = buffer.slice().part(100, 500).part(200, 200);
    EXPECT_EQ(part.offset, 300U);
    gpu::upload(engine().device, other, part);
    std::vector<std::byte> expected = data;
    std::copy(other.begin(), other.end(), expected.begin() + 300);
    EXPECT_EQ(bytes_of(buffer.slice()), expected);
    EXPECT_EQ(bytes_of(part), other);
}

TEST(Memory, HostVisibleKindsAreMapped) {
    for (const gpu::MemoryUse use : {gpu::MemoryUse::upload, gpu::MemoryUse::readback}) {
        const gpu::Buffer buffer(engine().device, 64, use);
        ASSERT_EQ(buffer.mapped().size(), 64U);
        const std::vector<std::byte> data = pattern(64);
        std::memcpy(buffer.mapped().data(), data.data(), 64);
        EXPECT_EQ(bytes_of(buffer.slice()), data);
    }
}

TEST(Memory, AnEmptyBufferCanBeBound) {
    const gpu::Buffer buffer(engine().device, 0, gpu::MemoryUse::device);
    EXPECT_GE(buffer.bytes(), 4U);
    EXPECT_FALSE(gpu::Slice{});
    EXPECT_TRUE(buffer.slice());
}

// The validation layer refuses a view that ends behind its buffer.
TEST(Memory, TexelViewsAllLookAlikeAndEndWithinTheirBuffer) {
    for (const std::uint64_t bytes : {16U, 256U, 4096U, 65536U, 65552U, 1048576U - 256U, 1048576U}) {
        const gpu::Buffer buffer(engine().device, bytes, gpu::MemoryUse::device);
        for (std::uint64_t size = 16; size <= bytes; size *= 2) {
            const gpu::Slice slice = buffer.slice().part((bytes - size) / 256 * 256, size);
            const std::uint64_t view = gpu::texel_view_bytes(slice);
            EXPECT_GE(view, size);
            EXPECT_LE(view, size + gpu::texel_tail);
            EXPECT_NE(view >> 8 & 255, 0U) << size;
            if (view / 16 > engine().device.limits().texel_elements) continue;
            EXPECT_TRUE(engine().device.handle().createBufferViewUnique(
                {{}, slice.buffer, vk::Format::eR32G32B32A32Sfloat, slice.offset, view}));
        }
    }
}

TEST(Memory, MoreThanThereIsIsAnErrorWithItsSize) {
    // A device of its own: the validation layer has an opinion of such sizes too.
    const gpu::Device device;
    const std::string said =
        error_of([&] { const gpu::Buffer buffer(device, std::uint64_t{1} << 50U, gpu::MemoryUse::device); });
    EXPECT_HAS(said, std::to_string(std::uint64_t{1} << 30U) + " MiB");
}

TEST(Arena, SlicesAreAlignedAndApart) {
    gpu::Arena arena(engine().device, 8192);
    std::vector<gpu::Slice> slices;
    for (const std::uint64_t bytes : {4U, 100U, 256U, 3000U, 7000U, 1U, 50000U, 12U}) {
        const gpu::Slice slice = arena.allocate(bytes);
        EXPECT_EQ(slice.bytes, bytes);
        EXPECT_EQ(slice.offset % engine().device.limits().storage_alignment, 0U);
        for (const gpu::Slice& other : slices) {
            EXPECT_TRUE(other.buffer != slice.buffer || other.offset + other.bytes <= slice.offset ||
                        slice.offset + slice.bytes <= other.offset);
        }
        slices.push_back(slice);
    }
    const std::uint64_t total = std::accumulate(slices.begin(), slices.end(), std::uint64_t{0},
                                                [](auto sum, auto& s) { return sum + s.bytes; });
    EXPECT_GE(arena.bytes(), total);
}

TEST(Arena, KeepsWhatIsUploaded) {
    gpu::Arena arena(engine().device, 1U << 16U);
    std::vector<gpu::Slice> slices;
    const std::vector<std::size_t> sizes = {4, 60000, 100, 300000, 12, std::size_t{33} << 20U};
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        slices.push_back(arena.upload(pattern(sizes[i], static_cast<unsigned>(i))));
    }
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        EXPECT_EQ(bytes_of(slices[i]), pattern(sizes[i], static_cast<unsigned>(i))) << sizes[i];
    }
}

}  // namespace
}  // namespace deconv::testing
