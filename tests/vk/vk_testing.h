// What the tests of the Vulkan layer share: buffers of floats and small steps on them.
#pragma once

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine.h"

namespace deconv::testing {

inline gpu::Buffer on_device(const std::vector<float>& values) {
    gpu::Buffer buffer(engine().device, values.size() * sizeof(float), gpu::MemoryUse::device);
    gpu::upload(engine().device, std::as_bytes(std::span(values)), buffer.slice());
    return buffer;
}

inline std::vector<float> from_device(const gpu::Slice& slice) {
    std::vector<float> values(slice.bytes / sizeof(float));
    gpu::download(engine().device, slice, std::as_writable_bytes(std::span(values)));
    return values;
}

/// Sets every element; `cost` is what it claims to take, in milliseconds at the recording's default rates.
inline gpu::Step fill(const gpu::Slice& to, float value, const std::string& stage = "test", double cost_ms = 0) {
    struct Push {
        std::uint32_t items;
        float value;
    };
    const auto items = static_cast<std::uint32_t>(to.bytes / 4);
    gpu::Dispatch dispatch =
        gpu::linear_dispatch(engine().device.info(), "bench/fill", items, Push{items, value}, {gpu::out(to)}, "fill");
    dispatch.flops = cost_ms * 1e6 * gpu::Recording::Options{}.gflops;
    return {std::move(dispatch), {}, stage};
}

/// to = from · scale + shift; `parameters` holds the two.
inline gpu::Step affine(const gpu::Slice& from, const gpu::Slice& parameters, const gpu::Slice& to,
                        const std::string& stage = "test", double cost_ms = 0) {
    struct Push {
        std::uint32_t items, first, channels, plane, use_shift, accumulate;
    };
    const auto items = static_cast<std::uint32_t>(to.bytes / 4);
    gpu::Dispatch dispatch =
        gpu::linear_dispatch(engine().device.info(), "nn/affine", items, Push{items, 0, 1, items, 1, 0},
                             {gpu::in(from), gpu::in(parameters), gpu::in_out(to)}, "affine");
    dispatch.flops = cost_ms * 1e6 * gpu::Recording::Options{}.gflops;
    return {std::move(dispatch), {}, stage};
}

inline gpu::Step copy(const gpu::Slice& from, const gpu::Slice& to, const std::string& stage = "test") {
    return {{}, {from, to}, stage};
}

/// The one line that `action` throws.
template <typename Action>
std::string error_of(Action action) {
    try {
        action();
    } catch (const Error& error) {
        std::string text = error.what();
        EXPECT_EQ(text.find('\n'), std::string::npos) << text;
        return text;
    }
    ADD_FAILURE() << "no error was thrown";
    return "";
}

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

}  // namespace deconv::testing
