#include "nn/ops/channel_sums.h"

#include <algorithm>

#include "nn/ops/emit.h"

namespace deconv::nn {
namespace {

struct Parts {
    gpu::Slice slice;
    std::int64_t count = 1;  // of a channel
};

/// channel_sums.comp; `inputs` are its bindings besides the parts.
Parts emit_parts(Emitter& emitter, const Channels& shape, const std::string& kind, bool rectified,
                 const gpu::Slice& source, const gpu::Slice& x, const gpu::Slice& statistics, float epsilon,
                 const std::string& label) {
    struct Push {
        std::uint32_t images, chunk, chunks, channels, plane;
        float epsilon;
    };
    const gpu::DeviceInfo& device = emitter.device();
    if (static_cast<std::uint64_t>(shape.images * shape.channels * shape.plane) * 4 > device.limits.storage_range) {
        throw Error(label + ": a tensor of " + std::to_string(shape.images) + " images does not fit a binding (" +
                    std::to_string(device.limits.storage_range >> 20) + " MiB): choose a smaller --batch");
    }
    const bool wide = runs_wide(
        emitter, shape, x ? std::initializer_list<gpu::Slice>{source, x} : std::initializer_list<gpu::Slice>{source});
    // A CPU runs a workgroup as vectors of eight, a GPU wants many lanes and many workgroups.
    const bool cpu = device.type == gpu::DeviceType::cpu;
    const std::uint32_t lanes = cpu ? 8 : 64;
    const std::int64_t chunk = std::max<std::int64_t>(1, cpu ? 65536 / shape.plane : 4096 / shape.plane);
    const std::int64_t chunks = (shape.images + chunk - 1) / chunk;
    Parts parts;
    parts.count = chunks * lanes;
    parts.slice = emitter.scratch(static_cast<std::uint64_t>(shape.channels * parts.count) * 16);

    const auto reads = [&](const gpu::Slice& slice) {
        return wide ? gpu::in_texels(slice, gpu::Texels::rgba32f) : gpu::in(slice);
    };
    gpu::Dispatch dispatch;
    static constexpr std::array<const char*, 6> shaders = {"nn/channel_sums.moments",  "nn/channel_sums.reverse",
                                                           "nn/channel_sums.total",    "nn/channel_sums.moments4",
                                                           "nn/channel_sums.reverse4", "nn/channel_sums.total4"};
    const std::size_t variant = kind == "moments" ? 0 : kind == "reverse" ? 1 : 2;
    dispatch.shader = shaders.at(variant + (wide ? 3 : 0));
    dispatch.constants = {lanes, rectified ? 1U : 0U};
    dispatch.bindings = {reads(source), gpu::out(parts.slice)};
    if (x) {
        dispatch.bindings.push_back(reads(x));
        dispatch.bindings.push_back(gpu::in(statistics));
    }
    dispatch.set_push(
        Push{u(shape.images), u(chunk), u(chunks), u(shape.channels), u(shape.plane / (wide ? 4 : 1)), epsilon});
    dispatch.groups = {u(chunks), u(shape.channels), 1};
    dispatch.bytes = static_cast<double>(source.bytes + x.bytes);
    dispatch.flops = static_cast<double>(source.bytes);
    dispatch.label = label;
    emitter.emit(std::move(dispatch));
    return parts;
}

void emit_totals(Emitter& emitter, std::string_view shader, const Channels& shape, const Parts& parts, float epsilon,
                 std::vector<gpu::Binding> bindings, const std::string& label) {
    struct Push {
        std::uint32_t channels, count;
        float elements, epsilon;
    };
    bindings.insert(bindings.begin(), gpu::in(parts.slice));
    const Push push{u(shape.channels), u(parts.count), static_cast<float>(shape.images * shape.plane), epsilon};
    emitter.emit(linear_dispatch(emitter, shader, push.channels, push, std::move(bindings), label + " totals"));
}

}  // namespace

Channels::Channels(const Shape& shape)
    : images(shape.at(0)), channels(shape.at(1)), plane(elements(shape) / (images * channels)) {}

bool runs_wide(const Emitter& emitter, const Channels& shape, std::initializer_list<gpu::Slice> slices) {
    return shape.plane % 4 == 0 && gpu::prefers_texels(emitter.device(), slices);
}

void emit_channel_moments(Emitter& emitter, const Channels& shape, const gpu::Slice& x, const gpu::Slice& gamma,
                          const gpu::Slice& beta, float epsilon, const gpu::Slice& statistics,
                          const std::string& label) {
    const Parts parts = emit_parts(emitter, shape, "moments", false, x, {}, {}, epsilon, label);
    emit_totals(emitter, "nn/channel_totals.moments", shape, parts, epsilon,
                {gpu::in(gamma), gpu::in(beta), gpu::out(statistics)}, label);
}

void emit_channel_reverse(Emitter& emitter, const Channels& shape, const gpu::Slice& signal, const gpu::Slice& x,
                          float epsilon, bool rectified, const gpu::Slice& statistics, const gpu::Slice& gamma_gradient,
                          const gpu::Slice& beta_gradient, const std::string& label) {
    const Parts parts = emit_parts(emitter, shape, "reverse", rectified, signal, x, statistics, epsilon, label);
    emit_totals(emitter, "nn/channel_totals.reverse", shape, parts, epsilon,
                {gpu::out(gamma_gradient), gpu::out(beta_gradient), gpu::in_out(statistics)}, label);
}

void emit_channel_totals(Emitter& emitter, const Channels& shape, const gpu::Slice& source, const gpu::Slice& totals,
                         const std::string& label) {
    const Parts parts = emit_parts(emitter, shape, "total", false, source, {}, {}, 0, label);
    emit_totals(emitter, "nn/channel_totals.total", shape, parts, 0, {gpu::out(totals)}, label);
}

}  // namespace deconv::nn
