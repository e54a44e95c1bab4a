// One run of a compute shader, as data: operators make these, recordings turn them into commands.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "vk/fft.h"
#include "vk/memory.h"

namespace deconv::gpu {

/// A uniform texel buffer in place of a storage buffer, and what one texel is.
enum class Texels : std::uint8_t { none, r32f, rgba32f, r32ui, rgba32ui };
inline std::uint64_t texel_bytes(Texels texels) {
    return texels == Texels::rgba32f || texels == Texels::rgba32ui ? 16 : 4;
}

/// A storage buffer binding and what the shader does with it.  Hazards between dispatches follow from this.
struct Binding {
    Slice slice;
    bool read = false;
    bool write = false;
    Texels texels = Texels::none;
};
inline Binding in(const Slice& slice) {
    return {slice, true, false};
}
/// Read as texels: some CPU drivers gather those by one instruction (and four components by one load a lane), and
/// storage buffers by a loop.
inline Binding in_texels(const Slice& slice, Texels texels = Texels::r32f) {
    return {slice, true, false, texels};
}
/// Does the device gain by reading these slices as texels, and may it?
inline bool prefers_texels(const DeviceInfo& device, std::initializer_list<Slice> slices) {
    return device.type == DeviceType::cpu && device.subgroup_size == 8 &&
           std::all_of(slices.begin(), slices.end(), [&](const Slice& slice) {
               return slice.bytes <= std::uint64_t{4} * device.limits.texel_elements;
           });
}
inline Binding out(const Slice& slice) {
    return {slice, false, true};
}
inline Binding in_out(const Slice& slice) {
    return {slice, true, true};
}

/// Workgroups to run; origin and size of the grid.
using Groups = std::array<std::uint32_t, 3>;

struct Dispatch {
    std::string_view shader;               // an embedded shader's name
    std::optional<FftShape> fft;           // VkFFT's shaders instead, in place in the only binding; never cut
    std::vector<std::uint32_t> constants;  // specialization constants 0, 1, 2, …
    std::vector<Binding> bindings;         // 0, 1, 2, …; at most four storage buffers (Vulkan's minimum)
    std::array<std::byte, 128> push{};     // at most 128 bytes (Vulkan's minimum)
    std::uint32_t push_bytes = 0;
    Groups groups{1, 1, 1};
    double flops = 0;   // arithmetic of the whole grid, for cutting segments and for the bench
    double bytes = 0;   // memory that must at least move
    std::string label;  // what a person calls it, e.g. "conv1 forward"

    template <typename T>
    void set_push(const T& values) {
        static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 128);
        std::memcpy(push.data(), &values, sizeof values);
        push_bytes = sizeof values;
    }
};

inline std::uint32_t divide_up(std::uint64_t value, std::uint64_t by) {
    return static_cast<std::uint32_t>((value + by - 1) / by);
}

/// A one-dimensional run of `items` invocations in workgroups of `workgroup`, spread over x and y because no
/// dimension may exceed 65535 groups.  The shader's index is linear_index() of common.glsl.
inline Groups linear_groups(std::uint64_t items, std::uint32_t workgroup) {
    const std::uint32_t groups = std::max<std::uint32_t>(1, divide_up(items, workgroup));
    constexpr std::uint32_t row = 32768;
    if (groups <= row) return {groups, 1, 1};
    return {row, divide_up(groups, row), 1};
}

/// Invocations a workgroup for kernels without shared memory: many vectors of a CPU's driver, which runs a workgroup
/// on one thread and takes a tenth of a microsecond to begin one, or a few subgroups of a GPU's.
inline std::uint32_t workgroup_size(const DeviceInfo& device) {
    return device.type == DeviceType::cpu ? 128 : 64;
}

/// A dispatch of one invocation for each of `items`; the workgroup's size is specialization constant 0, `constants`
/// follow.
template <typename Push>
Dispatch linear_dispatch(const DeviceInfo& device, std::string_view shader, std::uint64_t items, const Push& push,
                         std::vector<Binding> bindings, std::string label, std::vector<std::uint32_t> constants = {}) {
    Dispatch dispatch;
    dispatch.shader = shader;
    const std::uint32_t size = workgroup_size(device);
    dispatch.constants = std::move(constants);
    dispatch.constants.insert(dispatch.constants.begin(), size);
    dispatch.bindings = std::move(bindings);
    dispatch.set_push(push);
    dispatch.groups = linear_groups(items, size);
    dispatch.label = std::move(label);
    for (const Binding& binding : dispatch.bindings) dispatch.bytes += static_cast<double>(binding.slice.bytes);
    dispatch.flops = static_cast<double>(items);
    return dispatch;
}

}  // namespace deconv::gpu
