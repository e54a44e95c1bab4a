#include "nn/ops/conv_packed.h"

#include <algorithm>

#include "nn/ops/packed.h"
#include "nn/ops/phases.h"

namespace deconv::nn {
namespace {

/// What the taps need of the source.
struct Source {
    std::vector<Taps> y, x;
    Packed packed;                       // with a border for all of them
    std::int64_t height = 1, width = 1;  // without
};

/// How many neighbouring places, along each axis, a reverse computes together, with all their phases; 0: phase by
/// phase.  One by one, few channels (of most networks' first layer) leave most of a block idle, and read all of the
/// source for each tap and phase.
std::int64_t cells_together(const ConvolutionTask& task) {
    const Convolution& c = task.convolution;
    constexpr std::int64_t most = 0xffff;  // rows and columns, as the shader takes them
    if (task.direction == Direction::forward || task.destination_layout != Layout::dense ||
        c.dilation_y * c.dilation_x != 1 || std::max(c.in_height, c.in_width) > most ||
        std::max(c.stride_y, c.stride_x) > std::min(c.kernel_y, c.kernel_x)) {
        return 0;
    }
    // Each place more has taps where the others' weights are zero: of a 3×3 kernel, 2×2 places see 4×4.
    if (c.stride_y * c.stride_x == 1) return c.in_channels <= 4 && std::min(c.kernel_y, c.kernel_x) >= 3 ? 2 : 0;
    const bool whole = phases_together_y(c, 1).count * c.stride_y == c.kernel_y &&
                       phases_together_x(c, 1).count * c.stride_x == c.kernel_x;
    return c.in_channels <= 4 || whole ? 1 : 0;
}

Source source_of(const ConvolutionTask& task) {
    const Convolution& c = task.convolution;
    const bool forward = task.direction == Direction::forward;
    Source source;
    if (const std::int64_t cells = cells_together(task); cells > 0) {
        source.y = {phases_together_y(c, cells)};
        source.x = {phases_together_x(c, cells)};
    } else {
        source.y = phases_y(c, task.direction);
        source.x = phases_x(c, task.direction);
    }
    source.height = forward ? c.in_height : c.out_height;
    source.width = forward ? c.in_width : c.out_width;
    source.packed.images = task.images;
    source.packed.groups = c.groups;
    source.packed.channels = forward ? c.in_channels : c.out_channels;
    const auto span = [](const std::vector<Taps>& phases, std::int64_t& first, std::int64_t& size) {
        std::int64_t low = 0;
        std::int64_t high = 0;
        bool any = false;
        for (const Taps& taps : phases) {
            if (taps.count == 0) continue;
            low = any ? std::min(low, taps.lowest()) : taps.lowest();
            high = any ? std::max(high, taps.highest()) : taps.highest();
            any = true;
        }
        first = low;
        size = high - low + 1;
    };
    span(source.y, source.packed.first_y, source.packed.height);
    span(source.x, source.packed.first_x, source.packed.width);
    return source;
}

/// Is a dense source better read as it is, a component at a time?  Where few channels of it are, that costs less than
/// packing all of it first; packing a small one is little work, but a step of its own.
bool reads_plain(const ConvolutionTask& task, const Source& from, const gpu::DeviceInfo& device) {
    if (!gpu::prefers_texels(device, {task.source}) || (task.rectifier && task.rectifier->rule != Rule::deconv)) {
        return false;
    }
    const std::int64_t places = task.images * from.height * from.width;
    return task.chosen || (from.packed.channels <= 4 && places <= 4096) || places <= 16;
}

/// The device runs packed kernels, and an image's `bytes` as a packed source and the weights are one binding each.
bool fits(const Convolution& c, std::int64_t bytes, const gpu::DeviceInfo& device) {
    const auto packed = static_cast<std::uint64_t>(bytes);
    const auto weights =
        static_cast<std::uint64_t>(c.groups * c.out_channels * c.in_channels * c.kernel_y * c.kernel_x);
    // Texels count up to 2^31, places up to what quotient() can do.
    return runs_packed(device) && packed <= device.limits.storage_range &&
           packed <= std::uint64_t{16} * device.limits.texel_elements && weights * 4 <= device.limits.storage_range;
}

/// The weights of the phase that has those taps.
gpu::Slice packed_weights(Emitter& emitter, const ConvolutionTask& task, const PackedProduct& product, const Taps& y,
                          const Taps& x) {
    const Convolution& c = task.convolution;
    WeightLayout layout;
    layout.name = "packed " + std::to_string(product.block()) + " " + describe_phase(c, task.direction, y, x);
    layout.table = [&] {
        return weight_table(
            product, [&](std::int64_t g, std::int64_t d, std::int64_t k, std::int64_t l, std::int64_t s) {
                const std::int64_t phase = d % (y.phases * x.phases);
                return weight_element(c, task.direction, y, x,
                                      {g, d / (y.phases * x.phases), s, k, l, phase / x.phases, phase % x.phases});
            });
    };
    return emitter.weights(*task.weights, layout);
}

}  // namespace

bool PackedConvolution::runs(const Convolution& c, const gpu::DeviceInfo& device) {
    return fits(c, std::max(c.in_elements(), c.out_elements()) * 4, device);
}

bool PackedConvolution::runs_pairs(const Convolution& c, const gpu::DeviceInfo& device) {
    // One workgroup makes all outputs of its places: fewer than two would leave a core idle.
    return runs(c, device) && c.is_pointwise() && c.groups == 1 && c.out_channels <= PackedProduct::widest_waist &&
           c.in_height * c.in_width >= 64;
}

bool PackedConvolution::supports(const ConvolutionTask& task, const gpu::DeviceInfo& device) const {
    return fits(task.convolution, scratch_bytes(task), device);
}

std::int64_t PackedConvolution::scratch_bytes(const ConvolutionTask& task) const {
    return task.source_layout == Layout::packed ? 0 : source_of(task).packed.image_bytes();
}

void PackedConvolution::emit(Emitter& emitter, const ConvolutionTask& task) const {
    const Convolution& c = task.convolution;
    const bool forward = task.direction == Direction::forward;
    Source from = source_of(task);
    gpu::Slice packed = task.source;
    const bool plain = task.source_layout == Layout::dense && reads_plain(task, from, emitter.device());
    const bool as_it_is = task.source_layout == Layout::packed || plain;
    bool tested = false;
    if (as_it_is) {
        Packed& tensor = from.packed;
        tested = tensor.first_y < 0 || tensor.first_x < 0 || tensor.first_y + tensor.height > from.height ||
                 tensor.first_x + tensor.width > from.width;
        tensor.first_y = tensor.first_x = 0;
        tensor.height = from.height;
        tensor.width = from.width;
    } else {
        packed = emitter.scratch(static_cast<std::uint64_t>(from.packed.image_bytes() * task.images));
        emit_pack(emitter, task.source, from.height, from.width, packed, from.packed, task.rectifier,
                  task.first_element(), task.label + " pack");
    }
    const gpu::Slice bias = task.bias != nullptr ? emitter.constant(*task.bias) : gpu::Slice{};
    for (const Taps& y : from.y) {
        for (const Taps& x : from.x) {
            PackedProduct product;
            product.source = from.packed;
            product.tested = tested;
            product.quads = task.destination_layout == Layout::packed;
            product.plain = plain;
            product.source_stride = task.source_stride;
            product.rectified = as_it_is && task.rectifier.has_value();
            product.grid_height = y.places;
            product.grid_width = x.places;
            product.stride_y = y.stride;
            product.stride_x = x.stride;
            // A phase without taps is zero: no taps, or none along the other axis.
            product.taps_y = x.count == 0 ? 0 : y.count;
            product.taps_x = y.count == 0 ? 0 : x.count;
            product.tap_first_y = product.taps_y == 0 ? 0 : y.first - from.packed.first_y;
            product.tap_first_x = product.taps_y == 0 ? 0 : x.first - from.packed.first_x;
            product.tap_step_y = y.step;
            product.tap_step_x = x.step;
            product.phases_y = y.phases;
            product.phases_x = x.phases;
            if (product.phases_y * product.phases_x > 1) {
                product.useful = static_cast<double>(c.kernel_y * c.kernel_x * y.stride * x.stride) /
                                 static_cast<double>(y.count * y.phases * x.count * x.phases);
            }
            product.destination_channels = (forward ? c.out_channels : c.in_channels) * y.phases * x.phases;
            product.destination_height = forward ? c.out_height : c.in_height;
            product.destination_width = forward ? c.out_width : c.in_width;
            product.destination_first_y = y.destination_first;
            product.destination_first_x = x.destination_first;
            product.destination_step_y = y.destination_step;
            product.destination_step_x = x.destination_step;
            product.accumulate = task.accumulate;
            product.chosen = task.chosen;
            product.before = task.pointwise_source;
            product.first_image = task.first_image;
            product.activation = task.activation;
            product.pool = task.pool;
            product.unpooled = task.pool && !forward;
            if (task.pool && forward) {
                product.destination_height /= 2;
                product.destination_width /= 2;
            }
            if (product.taps_y == 0 && task.accumulate && task.activation == Activation::none && !bias) continue;
            const gpu::Slice weights =
                product.taps_y > 0 ? packed_weights(emitter, task, product, y, x) : emitter.unused();
            emit_packed_product(emitter, product, packed, weights, bias, task.destination, task.label);
        }
    }
}

bool PointwiseConvolution::supports(const ConvolutionTask& task, const gpu::DeviceInfo& device) const {
    const Convolution& c = task.convolution;
    const bool strided = c.stride_y > 1 || c.stride_x > 1;
    // Padding at the far edges shows itself in the output's size alone.
    const bool padded = c.pad_y != 0 || c.pad_x != 0 || c.out_height != (c.in_height - 1) / c.stride_y + 1 ||
                        c.out_width != (c.in_width - 1) / c.stride_x + 1;
    return gpu::prefers_texels(device, {task.source}) && runs_packed(device) && c.kernel_y == 1 && c.kernel_x == 1 &&
           !padded && (task.direction == Direction::forward || !strided) &&
           task.source.bytes / 4 < (std::uint64_t{1} << 31) &&
           task.weights->floats->size() * 16 <= device.limits.storage_range;
}

bool PointwiseConvolution::suits(const ConvolutionTask& task, const gpu::DeviceInfo& /*device*/) const {
    // Packing costs about as much as what reading single components adds in a dozen passes over sixteen channels.
    const Convolution& c = task.convolution;
    return (task.direction == Direction::forward ? c.out_channels : c.in_channels) <= 192;
}

void PointwiseConvolution::emit(Emitter& emitter, const ConvolutionTask& task) const {
    const Convolution& c = task.convolution;
    const bool forward = task.direction == Direction::forward;
    PackedProduct product;
    product.plain = true;
    product.rectified = task.rectifier.has_value();
    product.quads = task.destination_layout == Layout::packed;
    product.source.images = task.images;
    product.source.groups = c.groups;
    product.source.channels = forward ? c.in_channels : c.out_channels;
    product.source.height = forward ? c.in_height : c.out_height;
    product.source.width = forward ? c.in_width : c.out_width;
    product.grid_height = product.destination_height = forward ? c.out_height : c.in_height;
    product.grid_width = product.destination_width = forward ? c.out_width : c.in_width;
    product.stride_y = c.stride_y;
    product.stride_x = c.stride_x;
    product.destination_channels = forward ? c.out_channels : c.in_channels;
    product.accumulate = task.accumulate;
    product.chosen = task.chosen;
    product.first_image = task.first_image;
    product.activation = task.activation;
    const Taps tap{1, 0, 1, 0, 1, 1, 1, 0, 1};
    emit_packed_product(emitter, product, task.source, packed_weights(emitter, task, product, tap, tap),
                        task.bias != nullptr ? emitter.constant(*task.bias) : gpu::Slice{}, task.destination,
                        task.label);
}

}  // namespace deconv::nn
