#include "image/display.h"

#include <algorithm>

namespace deconv::image {
namespace {

constexpr std::uint64_t state_bytes = 64;        // State of scale.glsl
constexpr std::uint64_t histogram_bytes = 8192;  // BINS of scale.glsl
constexpr std::uint32_t histogram_run = 4096;    // RUN of histogram.comp
constexpr std::uint32_t small_picture = 16384;   // values of one that one workgroup looks at in no time

/// FieldBox of scale.glsl.
struct FieldBox {
    std::int32_t width, height, tensor_height, tensor_width;
    float stride_y, stride_x, offset_y, offset_x, size_y, size_x;
    std::uint32_t whole;
};

gpu::Step display_step(gpu::Dispatch dispatch, std::uint32_t copies) {
    dispatch.groups[2] = copies;
    return {std::move(dispatch), {}, "display"};
}

}  // namespace

DisplayMapping::DisplayMapping(const gpu::Device& device, const gpu::Slice& reconstruction,
                               const gpu::Slice& selections, int copies, int channels, int width, int height,
                               const FieldOfStart& field, const DisplayOptions& options)
    : width_(width), height_(height) {
    const auto pixels = static_cast<std::uint32_t>(width * height);
    const auto copy_count = static_cast<std::uint32_t>(copies);
    const bool norm = options.display == Display::norm;
    const std::uint32_t colours = norm ? 1 : 3;
    const gpu::DeviceInfo& info = device.info();
    const std::uint64_t value_bytes = std::uint64_t{4} * pixels * colours * copy_count;
    values_ = gpu::Buffer(device, value_bytes, gpu::MemoryUse::device);
    states_ = gpu::Buffer(device, state_bytes * copy_count, gpu::MemoryUse::device);
    histogram_ = gpu::Buffer(device, histogram_bytes * copy_count, gpu::MemoryUse::device);
    viewing_ = gpu::Buffer(device, sizeof(Viewing), gpu::MemoryUse::device);
    pictures_ = gpu::Buffer(device, std::uint64_t{4} * pixels * copy_count, gpu::MemoryUse::device);
    device.run_once([&](vk::CommandBuffer commands) {
        commands.fillBuffer(states_.slice().buffer, 0, VK_WHOLE_SIZE, 0);
        commands.fillBuffer(histogram_.slice().buffer, 0, VK_WHOLE_SIZE, 0);
    });

    struct ValuesPush {
        std::uint32_t pixels, channels, bgr, use_length;
        std::array<float, 3> factor;
    };
    // Those that every shader here reads.
    const bool texels = gpu::prefers_texels(info, {reconstruction, values_.slice()});
    const auto read = [&](const gpu::Slice& slice) { return texels ? gpu::in_texels(slice) : gpu::in(slice); };
    const ValuesPush values_push{pixels, static_cast<std::uint32_t>(channels), options.bgr ? 1U : 0U, norm ? 1U : 0U,
                                 options.factor};
    steps_.push_back(
        display_step(gpu::linear_dispatch(info, texels ? "image/values.texels" : "image/values.buffer", pixels,
                                          values_push, {read(reconstruction), gpu::out(values_.slice())}, "values"),
                     copy_count));
    if (norm && options.blur > 0) {
        blurred_ = gpu::Buffer(device, value_bytes, gpu::MemoryUse::device);
        struct BlurPush {
            std::int32_t width, height;
            std::uint32_t vertical;
            float sigma;
        };
        for (const bool vertical : {false, true}) {
            const BlurPush push{width, height, vertical ? 1U : 0U, static_cast<float>(options.blur)};
            const gpu::Slice from = vertical ? blurred_.slice() : values_.slice();
            const gpu::Slice to = vertical ? values_.slice() : blurred_.slice();
            steps_.push_back(display_step(
                gpu::linear_dispatch(info, "image/blur", pixels, push, {gpu::in(from), gpu::out(to)}, "blur"),
                copy_count));
        }
    }

    struct ScalePush {
        FieldBox field;
        std::uint32_t colours, round;
    };
    const auto f = [](double value) { return static_cast<float>(value); };
    ScalePush push{{width, height, field.tensor_height, field.tensor_width, f(field.stride[0]), f(field.stride[1]),
                    f(field.offset[0]), f(field.offset[1]), f(field.size[0]), f(field.size[1]), field.whole ? 1U : 0U},
                   colours,
                   0};
    const bool small = pixels * colours <= small_picture;
    if (small) {
        gpu::Dispatch percentile;
        percentile.shader = texels ? "image/percentile.texels" : "image/percentile.buffer";
        percentile.constants = {info.type == gpu::DeviceType::cpu ? 8U : 64U};
        percentile.bindings = {read(values_.slice()), gpu::in(selections), gpu::in_out(states_.slice()),
                               gpu::in(viewing_.slice())};
        percentile.set_push(push);
        percentile.groups = {copy_count, 1, 1};
        percentile.flops = 200.0 * pixels * colours * copies;
        percentile.label = "percentile";
        steps_.push_back({std::move(percentile), {}, "display"});
    }
    for (std::uint32_t round = 0; round <= 3 && !small; ++round) {
        push.round = round;
        gpu::Dispatch scale;
        scale.shader = "image/scale";
        scale.bindings = {gpu::in(selections), gpu::in_out(states_.slice()), gpu::in_out(histogram_.slice()),
                          gpu::in(viewing_.slice())};
        scale.set_push(push);
        scale.groups = {copy_count, 1, 1};
        scale.label = "scale";
        steps_.push_back({std::move(scale), {}, "display"});
        if (round == 3) break;
        gpu::Dispatch histogram;
        histogram.shader = texels ? "image/histogram.texels" : "image/histogram.buffer";
        histogram.bindings = {read(values_.slice()), gpu::in(selections), gpu::in_out(states_.slice()),
                              gpu::in_out(histogram_.slice())};
        histogram.set_push(push);
        histogram.groups = {gpu::divide_up(pixels, histogram_run), colours, copy_count};
        histogram.flops = 10.0 * pixels * colours * copies;
        histogram.label = "histogram";
        steps_.push_back({std::move(histogram), {}, "display"});
    }

    struct DisplayPush {
        std::uint32_t pixels, mode;
    };
    const DisplayPush display_push{pixels, static_cast<std::uint32_t>(options.display)};
    // Four pixels an invocation.
    steps_.push_back(display_step(
        gpu::linear_dispatch(
            info, texels ? "image/display.texels" : "image/display.buffer", gpu::divide_up(pixels, 4), display_push,
            {read(values_.slice()), gpu::in(states_.slice()), gpu::in(viewing_.slice()), gpu::out(pictures_.slice())},
            "display"),
        copy_count));
}

DevicePicture DisplayMapping::picture(int k) const {
    const std::uint64_t bytes =
        std::uint64_t{4} * static_cast<std::uint64_t>(width_) * static_cast<std::uint64_t>(height_);
    return {pictures_.slice().part(bytes * static_cast<std::uint64_t>(k), bytes), width_, height_};
}

}  // namespace deconv::image
