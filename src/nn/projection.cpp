#include "nn/projection.h"

#include "nn/ops/emit.h"

namespace deconv::nn {

SelectionRequest to_request(const Selection& selection, std::int64_t width) {
    return {selection.channel, static_cast<std::int32_t>(selection.where),
            static_cast<std::int32_t>(selection.y * width + selection.x), selection.one ? 1 : 0};
}

Extent extent_of(const Shape& shape) {
    Extent extent;
    if (shape.size() == 1) extent.channels = shape[0];
    if (shape.size() > 1) {
        extent.images = shape[0];
        extent.channels = shape[1];
    }
    for (std::size_t i = 2; i < shape.size(); ++i) extent.plane *= shape[i];
    if (shape.size() > 2) extent.width = shape.back();
    return extent;
}

void emit_selection(Emitter& emitter, const Tensor& tensor, const gpu::Slice& peaks, const gpu::Slice& requests,
                    const gpu::Slice& selections, std::int64_t copies) {
    const Extent extent = extent_of(tensor.shape);
    const std::int64_t planes = extent.images * extent.channels;

    struct PeaksPush {
        std::uint32_t planes, plane;
    };
    const PeaksPush push{u(planes), u(extent.plane)};
    gpu::Dispatch find;
    if (gpu::prefers_texels(emitter.device(), {tensor.slice})) {
        find = linear_dispatch(emitter, "nn/peaks.single", push.planes, push,
                               {gpu::in_texels(tensor.slice), gpu::out(peaks)}, "peaks");
    } else {
        find.shader = "nn/peaks.group";
        find.bindings = {gpu::in(tensor.slice), gpu::out(peaks)};
        find.set_push(push);
        find.groups = gpu::linear_groups(static_cast<std::uint64_t>(planes), 1);
    }
    find.bytes = static_cast<double>(tensor.slice.bytes);
    find.flops = static_cast<double>(elements(tensor.shape));
    find.label = "peaks";
    emitter.emit(std::move(find));

    struct SelectPush {
        std::uint32_t channels, images;
    };
    gpu::Dispatch select;
    select.shader = "nn/select";
    select.bindings = {gpu::in(peaks), gpu::in(requests), gpu::out(selections)};
    select.set_push(SelectPush{u(extent.channels), u(extent.images)});
    select.groups = {u(copies * extent.images), 1, 1};
    select.label = "select";
    emitter.emit(std::move(select));
}

void emit_start(Emitter& emitter, const Tensor& tensor, const gpu::Slice& peaks, const gpu::Slice& selections,
                const Signal& start) {
    const Extent extent = extent_of(tensor.shape);
    struct StartPush {
        std::uint32_t items, first_copy, channels, plane, images;
    };
    const std::int64_t one = elements(tensor.shape);
    for_slices(start.copies, {one * 4}, emitter.device().limits, [&](std::int64_t first, std::int64_t count) {
        const gpu::Slice to = floats(start.slice, first * one, count * one);
        const bool chosen_only = emitter.device().type == gpu::DeviceType::cpu;
        if (chosen_only) emit_zeros(emitter, to, count * one, "start");
        const StartPush start_push{u(count * (chosen_only ? extent.images * extent.plane : one)), u(first),
                                   u(extent.channels), u(extent.plane), u(extent.images)};
        emitter.emit(
            linear_dispatch(emitter, chosen_only ? "nn/start.chosen" : "nn/start.all", start_push.items, start_push,
                            {gpu::in(tensor.slice), gpu::in(peaks), gpu::in(selections), gpu::out(to)}, "start"));
    });
}

}  // namespace deconv::nn
