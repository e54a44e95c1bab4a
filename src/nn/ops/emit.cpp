#include "nn/ops/emit.h"

#include "base/error.h"

namespace deconv::nn {

void emit_sum_of_parts(Emitter& emitter, const gpu::Slice& parts, const SumOfParts& sum, const gpu::Slice& bias,
                       bool accumulate, Activation activation, const gpu::Slice& to, const std::string& label,
                       const std::optional<Spread>& spread, Layout layout) {
    struct Push {
        std::uint32_t items, b, c, step_a, step_b, step_part, count;
        std::uint32_t grid_width, plane, first, step_y, step_x;
    };
    const Spread places = spread.value_or(Spread{sum.c, sum.c, 0, 0, 1});
    const bool halves = layout == Layout::halves;
    const Push push{u(sum.a * sum.b * sum.c / (halves ? 8 : 1)),
                    u(sum.b),
                    u(sum.c),
                    u(sum.step_a),
                    u(sum.step_b),
                    u(sum.step_part),
                    u(sum.count),
                    u(places.grid_width),
                    u(places.plane),
                    u(places.first),
                    u(places.step_y),
                    u(places.step_x)};
    emitter.emit(linear_dispatch(
        emitter, halves ? "nn/sum_parts.halves" : "nn/sum_parts.floats", push.items, push,
        {gpu::in(parts), accumulate ? gpu::in_out(to) : gpu::out(to), gpu::in(bias ? bias : emitter.unused())}, label,
        {accumulate ? 1U : 0U, bias ? 1U : 0U, activation == Activation::relu ? 1U : 0U}));
}

void emit_move(Emitter& emitter, const gpu::Slice& from, const gpu::Slice& to, const Move& move,
               const std::string& label) {
    struct Push {
        std::uint32_t items;
        std::array<std::uint32_t, 4> size;
        std::array<std::int32_t, 4> step_source, step_destination;
        std::int32_t first_source, first_destination, copy_source, copy_destination;
        std::uint32_t accumulate;
    };
    const std::uint32_t items = move.size[0] * move.size[1] * move.size[2] * move.size[3] * move.copies;
    if (items == 0) return;
    const Push push{items,
                    move.size,
                    move.step_source,
                    move.step_destination,
                    move.first_source,
                    move.first_destination,
                    move.copy_source,
                    move.copy_destination,
                    move.accumulate ? 1U : 0U};
    emitter.emit(linear_dispatch(emitter, "nn/move", items, push,
                                 {gpu::in(from), move.accumulate ? gpu::in_out(to) : gpu::out(to)}, label));
}

void emit_copy(Emitter& emitter, const gpu::Slice& from, const gpu::Slice& to, std::int64_t items, bool accumulate,
               const std::string& label) {
    if (!accumulate) {
        if (items > 0) emitter.copy({floats(from, 0, items), floats(to, 0, items)}, label);
        return;
    }
    for_slices(items, {4}, emitter.device().limits, [&](std::int64_t first, std::int64_t count) {
        Move move;
        move.size[3] = static_cast<std::uint32_t>(count);
        move.step_source[3] = move.step_destination[3] = 1;
        move.accumulate = true;
        emit_move(emitter, floats(from, first, count), floats(to, first, count), move, label);
    });
}

void emit_zeros(Emitter& emitter, const gpu::Slice& to, std::int64_t items, const std::string& label) {
    if (items > 0) emitter.copy({{}, floats(to, 0, items)}, label);
}

Window read_window(const NodeContext& context, std::vector<std::int64_t> kernel) {
    const Shape& shape = context.shapes.at(0);
    if (shape.size() != 3 && shape.size() != 4) {
        context.fail("its input has shape " + to_string(shape) + "; (N, C, H, W) or (N, C, W) is supported");
    }
    const std::size_t axes = shape.size() - 2;
    const Attributes& attributes = context.node.attributes;
    kernel = attributes.integers("kernel_shape", std::move(kernel));
    const auto strides = attributes.integers("strides", std::vector<std::int64_t>(axes, 1));
    const auto dilations = attributes.integers("dilations", std::vector<std::int64_t>(axes, 1));
    const auto pads = attributes.integers("pads", std::vector<std::int64_t>(2 * axes, 0));
    if (kernel.size() != axes || strides.size() != axes || dilations.size() != axes || pads.size() != 2 * axes) {
        context.fail("kernel_shape, strides, dilations or pads do not have " + std::to_string(axes) + " axes");
    }
    Window window;
    window.auto_pad = attributes.text("auto_pad", "NOTSET");
    if (window.auto_pad != "NOTSET" && window.auto_pad != "VALID" && window.auto_pad != "SAME_UPPER" &&
        window.auto_pad != "SAME_LOWER") {
        context.fail("auto_pad \"" + window.auto_pad + "\" is not known");
    }
    for (std::size_t i = 0; i < axes; ++i) {
        const std::size_t axis = 2 - axes + i;
        window.kernel.at(axis) = kernel[i];
        window.stride.at(axis) = strides[i];
        window.dilation.at(axis) = dilations[i];
        if (window.auto_pad == "NOTSET") {
            window.begin.at(axis) = pads[i];
            window.end.at(axis) = pads[i + axes];
        }
        if (kernel[i] < 1 || strides[i] < 1 || dilations[i] < 1) {
            context.fail("kernel_shape, strides and dilations must be at least 1");
        }
        if (pads[i] < 0 || pads[i + axes] < 0) context.fail("negative pads are not supported");
    }
    return window;
}

std::int64_t window_output(Window& window, std::size_t axis, std::int64_t size, bool ceil_mode,
                           const NodeContext& context) {
    const std::int64_t stride = window.stride.at(axis);
    if (window.auto_pad == "SAME_UPPER" || window.auto_pad == "SAME_LOWER") {
        const std::int64_t output = (size + stride - 1) / stride;
        const std::int64_t total = std::max<std::int64_t>(0, (output - 1) * stride + window.reach(axis) - size);
        const std::int64_t half = total / 2;
        window.begin.at(axis) = window.auto_pad == "SAME_UPPER" ? half : total - half;
        window.end.at(axis) = total - window.begin.at(axis);
        return output;
    }
    const std::int64_t room = size + window.begin.at(axis) + window.end.at(axis) - window.reach(axis);
    if (room < 0) {
        context.fail("its window of " + std::to_string(window.reach(axis)) + " does not fit an input of " +
                     std::to_string(size) + " (shape " + to_string(context.shapes.at(0)) + "): choose a larger --size");
    }
    std::int64_t output = (room + (ceil_mode ? stride - 1 : 0)) / stride + 1;
    // A window that would start behind the input, in padding alone, sees nothing and is left out.
    if (ceil_mode && (output - 1) * stride >= size + window.begin.at(axis)) --output;
    return output;
}

Field window_field(const Window& window, int axis) {
    const auto a = static_cast<std::size_t>(axis);
    return {window.reach(a), window.stride.at(a), static_cast<double>(-window.begin.at(a)), false};
}

Shape with_plane(const Shape& like, std::int64_t channels, std::int64_t height, std::int64_t width) {
    if (like.size() == 3) return {like[0], channels, width};
    return {like[0], channels, height, width};
}

}  // namespace deconv::nn
