// Small helpers that operators share to make dispatches.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "base/error.h"
#include "nn/operator.h"

namespace deconv::nn {

using gpu::workgroup_size;

/// Sizes as shaders take them.
inline std::uint32_t u(std::int64_t value) {
    return static_cast<std::uint32_t>(value);
}
inline std::int32_t i(std::int64_t value) {
    return static_cast<std::int32_t>(value);
}

/// See gpu::linear_dispatch.
template <typename Push>
gpu::Dispatch linear_dispatch(const Emitter& emitter, std::string_view shader, std::uint64_t items, const Push& push,
                              std::vector<gpu::Binding> bindings, std::string label,
                              std::vector<std::uint32_t> constants = {}) {
    return gpu::linear_dispatch(emitter.device(), shader, items, push, std::move(bindings), std::move(label),
                                std::move(constants));
}

/// Items `first` … of a dense run of floats.
inline gpu::Slice floats(const gpu::Slice& slice, std::int64_t first, std::int64_t count) {
    return slice.part(static_cast<std::uint64_t>(first) * 4, static_cast<std::uint64_t>(count) * 4);
}

/// The same of tensors in any layout.
inline gpu::Slice elements_of(const gpu::Slice& slice, Layout layout, std::int64_t first, std::int64_t count) {
    const std::int64_t bytes = element_bytes(layout);
    return slice.part(static_cast<std::uint64_t>(first * bytes), static_cast<std::uint64_t>(count * bytes));
}

/// A shape seen with exactly four dimensions: ones are put in front (as broadcasting aligns them).
/// Throws Error where there are more.
inline std::array<std::uint32_t, 4> four(const Shape& shape, const std::string& who) {
    if (shape.size() > 4) throw Error("node " + who + ": tensors of more than four dimensions are not supported");
    std::array<std::uint32_t, 4> sizes{1, 1, 1, 1};
    for (std::size_t i = 0; i < shape.size(); ++i) {
        sizes.at(4 - shape.size() + i) = static_cast<std::uint32_t>(shape[i]);
    }
    return sizes;
}

/// `count` copies of a signal from `first` on.
inline gpu::Slice copies_of(const Signal& signal, std::int64_t first, std::int64_t count) {
    return elements_of(signal.slice, signal.layout, first * elements(signal.shape), count * elements(signal.shape));
}

/// Row-major steps of four dimensions.
inline std::array<std::uint32_t, 4> steps(const std::array<std::uint32_t, 4>& sizes) {
    return {sizes[1] * sizes[2] * sizes[3], sizes[2] * sizes[3], sizes[3], 1};
}

/// Rows and columns of a window operator's input or output: (N, C, W) counts as one row.
struct Plane {
    std::int64_t height = 1, width = 1;
    std::int64_t size() const { return height * width; }
};
inline Plane plane_of(const Shape& shape) {
    if (shape.size() == 3) return {1, shape[2]};
    return {shape[2], shape[3]};
}

/// result (+)= signal, element by element: the way back through whatever only hands a signal on.
void emit_copy(Emitter& emitter, const gpu::Slice& from, const gpu::Slice& to, std::int64_t items, bool accumulate,
               const std::string& label);
/// result (+)= factor · signal, summed over the dimensions along which `own` was broadcast to `output`.
void emit_broadcast_reverse(Emitter& emitter, const ReverseArguments& arguments, const Shape& output, const Shape& own,
                            const HostTensor& factor, const std::string& name);
/// `count` elements of a signal in that layout, from its element `first` on, across a Relu.  May run in place.
void emit_rectifier(Emitter& emitter, Layout layout, const gpu::Slice& from, const gpu::Slice& to, std::int64_t count,
                    std::int64_t first, const Rectifier& rectifier, bool accumulate, const std::string& label);
void emit_zeros(Emitter& emitter, const gpu::Slice& to, std::int64_t items, const std::string& label);

/// Partial sums of a tensor (a, b, c) with c innermost, by their steps in elements.
struct SumOfParts {
    std::int64_t a = 1, b = 1, c = 1;
    std::int64_t step_a = 0, step_b = 0, step_part = 0;
    std::int64_t count = 1;  // of the parts
};
/// Where the places of a regular grid lie in a plane, in elements.
struct Spread {
    std::int64_t grid_width = 1, plane = 1;
    std::int64_t first = 0, step_y = 0, step_x = 1;
};
/// to (+)= Σ parts + bias, through the activation; `bias`, of b elements, may be empty.  `spread`: c counts places of
/// a grid, which lie so in `to`; else they follow each other.  `layout` is that of `to`; in halves b counts channels.
void emit_sum_of_parts(Emitter& emitter, const gpu::Slice& parts, const SumOfParts& sum, const gpu::Slice& bias,
                       bool accumulate, Activation activation, const gpu::Slice& to, const std::string& label,
                       const std::optional<Spread>& spread = {}, Layout layout = Layout::dense);

/// A box of up to four dimensions, moved by steps; see shaders/nn/move.comp.
struct Move {
    std::array<std::uint32_t, 4> size{1, 1, 1, 1};
    std::array<std::int32_t, 4> step_source{}, step_destination{};
    std::int32_t first_source = 0, first_destination = 0;
    std::int32_t copy_source = 0, copy_destination = 0;
    std::uint32_t copies = 1;
    bool accumulate = false;
};
void emit_move(Emitter& emitter, const gpu::Slice& from, const gpu::Slice& to, const Move& move,
               const std::string& label);

/// The window of a convolution or pool along both axes, from a node's attributes.
struct Window {
    std::array<std::int64_t, 2> kernel{1, 1}, stride{1, 1}, dilation{1, 1};
    std::array<std::int64_t, 2> begin{0, 0}, end{0, 0};  // pads
    std::string auto_pad;

    std::int64_t reach(std::size_t axis) const { return (kernel.at(axis) - 1) * dilation.at(axis) + 1; }
};
/// Reads kernel_shape (or takes `kernel`), strides, pads, dilations and auto_pad.  `rank` is the input's: 3 or 4.
Window read_window(const NodeContext& context, std::vector<std::int64_t> kernel);
/// Output size along an axis; resolves auto_pad into begin and end first.
std::int64_t window_output(Window& window, std::size_t axis, std::int64_t size, bool ceil_mode,
                           const NodeContext& context);
/// The receptive field of a window along an axis.
Field window_field(const Window& window, int axis);
/// (N, C) with the spatial sizes in the rank of the input.
Shape with_plane(const Shape& like, std::int64_t channels, std::int64_t height, std::int64_t width);

}  // namespace deconv::nn
