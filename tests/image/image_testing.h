// What the tests of pictures on the device share.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <vector>

#include "engine.h"
#include "image/display.h"
#include "image/fit.h"
#include "reference/display.h"

namespace deconv::testing {

/// A buffer on the device that holds `values`.
template <typename T>
gpu::Buffer on_device(const std::vector<T>& values) {
    gpu::Buffer buffer(engine().device, values.size() * sizeof(T), gpu::MemoryUse::device);
    gpu::upload(engine().device, std::as_bytes(std::span(values)), buffer.slice());
    return buffer;
}

template <typename T>
std::vector<T> from_device(const gpu::Slice& slice) {
    std::vector<T> values(slice.bytes / sizeof(T));
    gpu::download(engine().device, slice, std::as_writable_bytes(std::span(values)));
    return values;
}

/// Runs steps once, in segments as short as in the program.
inline void run_steps(const std::vector<gpu::Step>& steps) {
    const gpu::Recording recording(engine().device, engine().pipelines, steps, {});
    engine().scheduler.wait(engine().scheduler.submit(recording));
}

/// Seeded noise; alpha too, which nothing may look at.
inline std::vector<std::uint8_t> noise(int width, int height, unsigned seed = 1) {
    std::mt19937 random(seed);
    std::vector<std::uint8_t> rgba(std::size_t{4} * static_cast<std::size_t>(width * height));
    for (std::uint8_t& byte : rgba) byte = static_cast<std::uint8_t>(random() >> 24U);
    return rgba;
}

/// R₀ as a projection has it: mostly zero, some of it large.
inline reference::Tensor sparse_signal(int width, int height, unsigned seed, double share = 0.3) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    std::uniform_real_distribution<double> uniform;
    reference::Tensor r0 = reference::Tensor::zeros({1, 3, height, width});
    for (double& value : r0.data) {
        if (uniform(random) < share) value = static_cast<double>(static_cast<float>(std::pow(normal(random), 3)));
    }
    return r0;
}

inline std::vector<float> to_floats(const std::vector<double>& values) {
    return {values.begin(), values.end()};
}

inline nn::ResolvedSelection whole_map() {
    return {nn::Selection::all, 0, 0, 0, 0, 0, {}};
}
inline nn::ResolvedSelection only_place(int place) {
    return {0, 2, place, 0, 0, 0, {}};
}

}  // namespace deconv::testing
