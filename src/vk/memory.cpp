#include "vk/memory.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/error.h"

namespace deconv::gpu {

std::uint64_t align_up(std::uint64_t value, std::uint64_t alignment) {
    return (value + alignment - 1) / alignment * alignment;
}

std::uint64_t texel_view_bytes(const Slice& slice) {
    return (slice.bytes >> 8 & 255) == 0 ? slice.bytes + texel_tail : slice.bytes;
}

Buffer::Buffer(const Device& device, std::uint64_t bytes, MemoryUse use) : bytes_(std::max<std::uint64_t>(bytes, 4)) {
    using Usage = vk::BufferUsageFlagBits;
    using Property = vk::MemoryPropertyFlagBits;
    std::uint64_t size = bytes_ + texel_tail;
    if (std::has_single_bit(size)) size += texel_tail;
    try {
        buffer_ = device.handle().createBufferUnique(
            {{}, size, Usage::eStorageBuffer | Usage::eUniformTexelBuffer | Usage::eTransferSrc | Usage::eTransferDst});
        const vk::MemoryRequirements needs = device.handle().getBufferMemoryRequirements(*buffer_);
        std::uint32_t type = 0;
        bool map = true;
        switch (use) {
            case MemoryUse::device: {
                // On CPUs and integrated GPUs device memory is host memory: map it and spare the staging copy.
                const bool shared =
                    device.info().type == DeviceType::cpu || device.info().type == DeviceType::integrated;
                const vk::MemoryPropertyFlags visible = Property::eHostVisible | Property::eHostCoherent;
                type = device.memory_type(needs.memoryTypeBits, Property::eDeviceLocal,
                                          shared ? visible : vk::MemoryPropertyFlags{});
                const vk::MemoryPropertyFlags has =
                    device.physical().getMemoryProperties().memoryTypes[type].propertyFlags;
                map = shared && (has & visible) == visible;
                break;
            }
            case MemoryUse::upload:
                type = device.memory_type(needs.memoryTypeBits, Property::eHostVisible | Property::eHostCoherent, {});
                break;
            case MemoryUse::readback:
                type = device.memory_type(needs.memoryTypeBits, Property::eHostVisible | Property::eHostCoherent,
                                          Property::eHostCached);
                break;
        }
        memory_ = device.handle().allocateMemoryUnique({needs.size, type});
        device.handle().bindBufferMemory(*buffer_, *memory_, 0);
        if (map) {
            mapped_ = {static_cast<std::byte*>(device.handle().mapMemory(*memory_, 0, VK_WHOLE_SIZE)), bytes_};
        }
    } catch (const vk::SystemError& error) {
        throw Error("no " + std::to_string(bytes_ >> 20) + " MiB of memory to be had on " + device.info().name + " (" +
                    vk::to_string(static_cast<vk::Result>(error.code().value())) +
                    "): choose a smaller --size or network");
    }
}

void Buffer::fill(const Device& device, std::span<const std::byte> data, std::uint64_t at) {
    if (!mapped_.empty()) {
        std::memcpy(mapped_.data() + at, data.data(), data.size());
        return;
    }
    constexpr std::size_t step = std::size_t{16} << 20;
    const Buffer staging(device, std::min(step, data.size()), MemoryUse::upload);
    for (std::size_t from = 0; from < data.size(); from += step) {
        const std::size_t size = std::min(step, data.size() - from);
        std::memcpy(staging.mapped().data(), data.data() + from, size);
        device.run_once([&](vk::CommandBuffer commands) {
            commands.copyBuffer(staging.slice().buffer, *buffer_, vk::BufferCopy(0, at + from, size));
        });
    }
}

Arena::Arena(const Device& device, std::uint64_t chunk_bytes) : device_(device), chunk_bytes_(chunk_bytes) {}

Slice Arena::allocate(std::uint64_t bytes) {
    const std::uint64_t size = align_up(std::max<std::uint64_t>(bytes, 4), device_.limits().storage_alignment);
    if (chunks_.empty() || used_ + size > chunks_.back().bytes()) {
        chunks_.emplace_back(device_, std::max(size, chunk_bytes_), MemoryUse::device);
        total_ += chunks_.back().bytes();
        used_ = 0;
    }
    const Slice slice = chunks_.back().slice().part(used_, bytes);
    used_ += size;
    return slice;
}

Slice Arena::upload(std::span<const std::byte> data) {
    const Slice slice = allocate(data.size());
    chunks_.back().fill(device_, data, slice.offset);
    return slice;
}

void download(const Device& device, const Slice& slice, std::span<std::byte> to) {
    const Buffer buffer(device, slice.bytes, MemoryUse::readback);
    device.run_once([&](vk::CommandBuffer commands) {
        // Whatever was submitted before must have written the slice.
        const vk::MemoryBarrier before(vk::AccessFlagBits::eMemoryWrite, vk::AccessFlagBits::eTransferRead);
        commands.pipelineBarrier(vk::PipelineStageFlagBits::eAllCommands, vk::PipelineStageFlagBits::eTransfer, {},
                                 before, {}, {});
        commands.copyBuffer(slice.buffer, buffer.slice().buffer, vk::BufferCopy(slice.offset, 0, slice.bytes));
        const vk::MemoryBarrier after(vk::AccessFlagBits::eTransferWrite, vk::AccessFlagBits::eHostRead);
        commands.pipelineBarrier(vk::PipelineStageFlagBits::eTransfer, vk::PipelineStageFlagBits::eHost, {}, after, {},
                                 {});
    });
    std::memcpy(to.data(), buffer.mapped().data(), std::min<std::size_t>(to.size(), slice.bytes));
}

void upload(const Device& device, std::span<const std::byte> from, const Slice& slice) {
    const Buffer buffer(device, from.size(), MemoryUse::upload);
    std::memcpy(buffer.mapped().data(), from.data(), from.size());
    device.run_once([&](vk::CommandBuffer commands) {
        const vk::MemoryBarrier before(vk::AccessFlagBits::eMemoryRead | vk::AccessFlagBits::eMemoryWrite,
                                       vk::AccessFlagBits::eTransferWrite);
        commands.pipelineBarrier(vk::PipelineStageFlagBits::eAllCommands, vk::PipelineStageFlagBits::eTransfer, {},
                                 before, {}, {});
        commands.copyBuffer(buffer.slice().buffer, slice.buffer, vk::BufferCopy(0, slice.offset, from.size()));
        const vk::MemoryBarrier after(vk::AccessFlagBits::eTransferWrite,
                                      vk::AccessFlagBits::eMemoryRead | vk::AccessFlagBits::eMemoryWrite);
        commands.pipelineBarrier(vk::PipelineStageFlagBits::eTransfer, vk::PipelineStageFlagBits::eAllCommands, {},
                                 after, {}, {});
    });
}

}  // namespace deconv::gpu
