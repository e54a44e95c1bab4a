// Windows of convolutions and pools: attributes, auto_pad, and how many there are.
#include <algorithm>

#include "reference/operators.h"

namespace deconv::reference {

namespace {

/// One entry of a per-axis attribute of a one- or two-dimensional operator; a lone value belongs to x.
std::int64_t entry(const std::vector<std::int64_t>& list, bool y_axis, std::int64_t fallback) {
    if (list.empty()) return fallback;
    if (list.size() == 1) return y_axis ? fallback : list[0];
    return list[y_axis ? 0 : 1];
}

Window::Axis axis_of(const Step& step, bool y_axis, std::int64_t kernel, std::int64_t n) {
    const auto& attributes = step.node.attributes;
    Window::Axis axis;
    axis.kernel = kernel;
    axis.stride = entry(attributes.list("strides", {}), y_axis, 1);
    axis.dilation = entry(attributes.list("dilations", {}), y_axis, 1);
    const std::string auto_pad = attributes.text("auto_pad", "NOTSET");
    if (auto_pad == "NOTSET") {
        const auto pads = attributes.list("pads", {});
        if (pads.size() == 2) {
            axis.pad_begin = y_axis ? 0 : pads[0];
            axis.pad_end = y_axis ? 0 : pads[1];
        } else if (pads.size() == 4) {
            axis.pad_begin = pads[y_axis ? 0 : 1];
            axis.pad_end = pads[y_axis ? 2 : 3];
        } else if (!pads.empty()) {
            step.fail("pads of " + std::to_string(pads.size() / 2) + " spatial axes");
        }
    } else if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
        const std::int64_t windows = (n + axis.stride - 1) / axis.stride;
        const std::int64_t total = std::max<std::int64_t>(0, (windows - 1) * axis.stride + axis.extent() - n);
        axis.pad_begin = auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
        axis.pad_end = total - axis.pad_begin;
    } else if (auto_pad != "VALID") {
        step.fail("auto_pad " + auto_pad);
    }
    return axis;
}

}  // namespace

Window window_of(const Step& step, std::int64_t kernel_h, std::int64_t kernel_w, std::int64_t h, std::int64_t w) {
    return {axis_of(step, true, kernel_h, h), axis_of(step, false, kernel_w, w)};
}

Window window_of(const Step& step, std::int64_t h, std::int64_t w) {
    const auto kernel = step.node.attributes.list("kernel_shape", {});
    if (kernel.empty() || kernel.size() > 2) step.fail("kernel_shape must have one or two entries");
    return window_of(step, entry(kernel, true, 1), entry(kernel, false, 1), h, w);
}

std::int64_t windows_along(const Window::Axis& axis, std::int64_t n, bool ceil_mode) {
    const std::int64_t room = n + axis.pad_begin + axis.pad_end - axis.extent();
    if (room < 0) return 0;
    std::int64_t windows = room / axis.stride + 1;
    // A last window that would begin behind the input sees nothing and is left out, as PyTorch does (and ONNX since
    // its text was made clear).
    if (ceil_mode && room % axis.stride != 0 && windows * axis.stride < n + axis.pad_begin) ++windows;
    return windows;
}

Shape spatial_shape(const Shape& like, std::int64_t channels, std::int64_t h, std::int64_t w) {
    if (like.size() == 3) return {like[0], channels, w};
    return {like[0], channels, h, w};
}

}  // namespace deconv::reference
