#include "nn/ops/conv_fft.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "nn/ops/emit.h"
#include "vk/fft.h"

namespace deconv::nn {
namespace {

constexpr std::int64_t block = 4;  // output channels of an invocation of fft_product.comp
/// Of the weights' transforms of one layer and direction: what every device binds at once.
constexpr std::int64_t most_weight_bytes = std::int64_t{128} << 20;
/// Larger transforms gain nothing over tiles, and need more shared memory than some devices have.
constexpr std::int64_t largest_size = 128;

/// One axis of a correlation at stride 1: destination place v reads source places v + first + t · dilation, t < taps.
struct Axis {
    std::int64_t source = 1, destination = 1;
    std::int64_t taps = 1, dilation = 1, first = 0;

    std::int64_t reach() const { return (taps - 1) * dilation + 1; }
};

/// A convolution is a correlation; its adjoint is one with the kernel turned round.
Axis axis_of(Direction direction, std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t dilation,
             std::int64_t pad) {
    if (direction == Direction::forward) return {in, out, kernel, dilation, -pad};
    Axis axis{out, in, kernel, dilation, 0};
    axis.first = pad - axis.reach() + 1;
    return axis;
}

/// Tiles along one axis: each reads `size` source places and makes `valid` destination places.
struct Tiles {
    std::int64_t size = 2, valid = 1, count = 1;
};

struct Tiling {
    Axis y, x;
    Tiles tiles_y, tiles_x;
    std::int64_t source_channels = 1, destination_channels = 1;  // of one group
    std::int64_t lanes = 8;                                      // of a workgroup of the product

    std::int64_t tiles() const { return tiles_y.count * tiles_x.count; }
    std::int64_t frequencies() const { return tiles_y.size * (tiles_x.size / 2 + 1); }
    std::int64_t pairs() const { return frequencies() / 2; }  // sizes are even
    std::int64_t runs() const { return (pairs() + lanes - 1) / lanes; }
    std::int64_t blocks() const { return (destination_channels + block - 1) / block; }
    std::int64_t plane_bytes() const { return frequencies() * 8; }
    /// Of one group.
    std::int64_t weight_bytes() const { return blocks() * runs() * lanes * source_channels * block * 16; }
};

/// What one image is taken to last, in nanoseconds on two cores; only ratios count.
double cost(const Tiling& tiling, std::int64_t groups) {
    const auto planes = static_cast<double>(tiling.tiles() * groups);
    const auto pixels = static_cast<double>(tiling.tiles_y.size * tiling.tiles_x.size);
    const auto products = static_cast<double>(tiling.destination_channels * tiling.source_channels) *
                          static_cast<double>(tiling.frequencies());
    // As measured on lavapipe: transforms and what packs for them, products in registers, weights read once.
    return planes * static_cast<double>(tiling.source_channels + tiling.destination_channels) * pixels * 15.0 +
           planes * products * 0.35 + static_cast<double>(groups) * products * 1.5;
}

std::vector<Tiles> tilings_of(const Axis& axis) {
    std::vector<Tiles> all;
    const std::int64_t whole = axis.destination + axis.reach() - 1;
    for (std::int64_t size = axis.reach(); size <= largest_size; ++size) {
        size = gpu::fft_size(static_cast<std::uint32_t>(size));
        if (size > largest_size) break;
        const std::int64_t valid = std::min(size - axis.reach() + 1, axis.destination);
        all.push_back({size, valid, (axis.destination + valid - 1) / valid});
        if (size >= whole) break;
    }
    return all;
}

/// The tiles that promise the least time, among those whose weights fit; none where nothing fits.  The same for any
/// number of images and on any device, so that slices of images are laid out alike.
std::optional<Tiling> tiling_of(const ConvolutionTask& task) {
    const Convolution& c = task.convolution;
    const bool forward = task.direction == Direction::forward;
    Tiling tiling;
    tiling.y = axis_of(task.direction, c.in_height, c.out_height, c.kernel_y, c.dilation_y, c.pad_y);
    tiling.x = axis_of(task.direction, c.in_width, c.out_width, c.kernel_x, c.dilation_x, c.pad_x);
    tiling.source_channels = forward ? c.in_channels : c.out_channels;
    tiling.destination_channels = forward ? c.out_channels : c.in_channels;
    tiling.lanes = 64;
    std::optional<Tiling> best;
    double least = 0;
    const std::vector<Tiles> across = tilings_of(tiling.x);
    for (const Tiles& y : tilings_of(tiling.y)) {
        for (const Tiles& x : across) {
            tiling.tiles_y = y;
            tiling.tiles_x = x;
            if (c.groups * tiling.weight_bytes() > most_weight_bytes) continue;
            const double costs = cost(tiling, c.groups);
            if (best && costs >= least) continue;
            best = tiling;
            least = costs;
        }
    }
    return best;
}

bool reads_texels(const gpu::DeviceInfo& device) {
    return device.type == gpu::DeviceType::cpu && device.subgroup_size == 8;
}
std::int64_t lanes_of(const gpu::DeviceInfo& device) {
    return device.type == gpu::DeviceType::cpu ? 8 : 64;
}

/// Scratch memory holds the transforms of the source, then those of the destination.
struct Scratch {
    std::uint64_t source = 0, destination = 0;  // bytes

    Scratch(const Tiling& tiling, std::int64_t groups, std::int64_t images) {
        const auto planes = static_cast<std::uint64_t>(images * tiling.tiles() * groups * tiling.plane_bytes());
        source = planes * static_cast<std::uint64_t>(tiling.source_channels);
        destination = planes * static_cast<std::uint64_t>(tiling.destination_channels);
    }
    std::uint64_t destination_at() const { return gpu::align_up(source, 256); }  // the largest alignment there is
    std::uint64_t bytes() const { return destination_at() + gpu::align_up(destination, 256); }
};

/// cos and sin of 2π f t d / size: [t][f].
struct Waves {
    std::vector<double> cosine, sine;

    Waves(const Axis& axis, std::int64_t size, std::int64_t count) {
        for (std::int64_t t = 0; t < axis.taps; ++t) {
            for (std::int64_t f = 0; f < count; ++f) {
                const double turns = static_cast<double>(f * t * axis.dilation % size) / static_cast<double>(size);
                cosine.push_back(std::cos(2 * std::numbers::pi * turns));
                sine.push_back(std::sin(2 * std::numbers::pi * turns));
            }
        }
    }
};

/// C[g, o, i, v, u] = Σ_{k, l} w'[o, i, k, l] exp(2πi (v k dy / height + u l dx / width)) / (height · width): the
/// conjugate transform of the correlation's kernel w', and what VkFFT's inverse leaves out; in fft_product.comp's
/// layout.  Computed in float64, axis by axis.
std::vector<float> transform_weights(const ConvolutionTask& task, const Tiling& tiling) {
    const Convolution& c = task.convolution;
    const bool forward = task.direction == Direction::forward;
    const std::int64_t height = tiling.tiles_y.size;
    const std::int64_t half = tiling.tiles_x.size / 2 + 1;
    const std::int64_t taps_y = c.kernel_y;
    const std::int64_t taps_x = c.kernel_x;
    const Waves waves_y(tiling.y, height, height);
    const Waves waves_x(tiling.x, tiling.tiles_x.size, half);
    const double scale = 1.0 / static_cast<double>(height * tiling.tiles_x.size);
    std::vector<float> packed(static_cast<std::size_t>(c.groups * tiling.weight_bytes() / 4), 0.0F);
    std::vector<double> real(static_cast<std::size_t>(taps_y * half));
    std::vector<double> imaginary(real.size());
    std::vector<double> row(static_cast<std::size_t>(2 * half));
    const auto transform = [&](const float* kernel, float* to) {
        for (std::int64_t k = 0; k < taps_y; ++k) {
            double* re = &real[static_cast<std::size_t>(k * half)];
            double* im = &imaginary[static_cast<std::size_t>(k * half)];
            std::fill_n(re, half, 0.0);
            std::fill_n(im, half, 0.0);
            for (std::int64_t l = 0; l < taps_x; ++l) {
                const std::int64_t tap = k * taps_x + l;
                const double w = scale * static_cast<double>(kernel[forward ? tap : taps_y * taps_x - 1 - tap]);
                const double* cosine = &waves_x.cosine[static_cast<std::size_t>(l * half)];
                const double* sine = &waves_x.sine[static_cast<std::size_t>(l * half)];
                for (std::int64_t u = 0; u < half; ++u) {
                    re[u] += w * cosine[u];
                    im[u] += w * sine[u];
                }
            }
        }
        for (std::int64_t v = 0; v < height; ++v) {
            std::fill(row.begin(), row.end(), 0.0);
            for (std::int64_t k = 0; k < taps_y; ++k) {
                const double cosine = waves_y.cosine[static_cast<std::size_t>(k * height + v)];
                const double sine = waves_y.sine[static_cast<std::size_t>(k * height + v)];
                const double* re = &real[static_cast<std::size_t>(k * half)];
                const double* im = &imaginary[static_cast<std::size_t>(k * half)];
                for (std::int64_t u = 0; u < half; ++u) {
                    row[static_cast<std::size_t>(u)] += re[u] * cosine - im[u] * sine;
                    row[static_cast<std::size_t>(half + u)] += re[u] * sine + im[u] * cosine;
                }
            }
            for (std::int64_t u = 0; u < half; ++u) {
                const std::int64_t f = v * half + u;
                const std::int64_t pair = f / 2;
                float* at =
                    to +
                    (pair / tiling.lanes * tiling.source_channels * block * tiling.lanes + pair % tiling.lanes) * 4 +
                    f % 2 * 2;
                at[0] = static_cast<float>(row[static_cast<std::size_t>(u)]);
                at[1] = static_cast<float>(row[static_cast<std::size_t>(half + u)]);
            }
        }
    };
    for (std::int64_t g = 0; g < c.groups; ++g) {
        for (std::int64_t d = 0; d < tiling.destination_channels; ++d) {
            for (std::int64_t s = 0; s < tiling.source_channels; ++s) {
                const std::int64_t o = g * c.out_channels + (forward ? d : s);
                const std::int64_t from = (o * c.in_channels + (forward ? s : d)) * taps_y * taps_x;
                const std::int64_t first_run = (g * tiling.blocks() + d / block) * tiling.runs();
                const std::int64_t to =
                    ((first_run * tiling.source_channels + s) * block + d % block) * tiling.lanes * 4;
                transform(task.weights->floats->data() + from, packed.data() + to);
            }
        }
    }
    return packed;
}

void emit_transforms(Emitter& emitter, const Tiling& tiling, std::int64_t planes, bool inverse, const gpu::Slice& data,
                     const std::string& label) {
    gpu::Dispatch dispatch;
    dispatch.fft = gpu::FftShape{u(tiling.tiles_x.size), u(tiling.tiles_y.size), u(planes), inverse};
    dispatch.bindings = {gpu::in_out(data)};
    const auto pixels = static_cast<double>(tiling.tiles_y.size * tiling.tiles_x.size);
    // Half of what a complex transform of that length takes; read and written once for each axis.
    dispatch.flops = static_cast<double>(planes) * 2.5 * pixels * std::log2(pixels);
    dispatch.bytes = 4 * static_cast<double>(data.bytes);
    dispatch.label = label;
    emitter.emit(std::move(dispatch));
}

void emit_pack(Emitter& emitter, const ConvolutionTask& task, const Tiling& tiling, const gpu::Slice& to) {
    struct Push {
        std::uint32_t channels, height, width, pairs, row_pairs, rows, tiles, row_tiles;
        std::int32_t step_y, step_x, first_y, first_x;
        std::uint32_t forward_first, forward_items;
    };
    const std::optional<Rectifier>& rectifier = task.rectifier;
    const gpu::Slice forward = rectifier && rectifier->x ? rectifier->x : emitter.unused();
    const std::int64_t items = rectifier ? rectifier->items : 1;
    std::uint32_t rule = 0;  // as the shader counts them
    if (rectifier) rule = rectifier->rule == Rule::deconv ? 1 : rectifier->rule == Rule::guided ? 2 : 3;
    const gpu::DeviceInfo& device = emitter.device();
    const bool texels = gpu::prefers_texels(device, {task.source, forward});
    const std::uint32_t workgroup = workgroup_size(device);
    const std::int64_t row_pairs = tiling.tiles_x.size / 2;
    const std::int64_t pairs = tiling.tiles_y.size * row_pairs;
    gpu::Dispatch dispatch;
    dispatch.shader = texels ? "nn/fft_pack.texels" : "nn/fft_pack.buffer";
    dispatch.constants = {workgroup, rule};
    dispatch.bindings = {texels ? gpu::in_texels(task.source) : gpu::in(task.source), gpu::out(to),
                         texels ? gpu::in_texels(forward) : gpu::in(forward)};
    const std::int64_t channels = task.convolution.groups * tiling.source_channels;
    dispatch.set_push(Push{u(channels), u(tiling.y.source), u(tiling.x.source), u(pairs), u(row_pairs),
                           u(tiling.tiles_y.size), u(tiling.tiles()), u(tiling.tiles_x.count), i(tiling.tiles_y.valid),
                           i(tiling.tiles_x.valid), i(tiling.y.first), i(tiling.x.first),
                           u(items > 0 ? task.first_element() % items : 0), u(items)});
    dispatch.groups = {gpu::divide_up(static_cast<std::uint64_t>(pairs), workgroup), u(channels),
                       u(task.images * tiling.tiles())};
    dispatch.bytes = static_cast<double>(task.source.bytes + to.bytes);
    dispatch.label = task.label + " pack";
    emitter.emit(std::move(dispatch));
}

void emit_product(Emitter& emitter, const ConvolutionTask& task, const Tiling& tiling, const gpu::Slice& source,
                  const gpu::Slice& destination) {
    struct Push {
        std::uint32_t columns, groups, pairs, runs, source_channels, destination_channels, blocks;
    };
    const Convolution& c = task.convolution;
    const std::string name = std::string("fft ") + (task.direction == Direction::forward ? "forward " : "reverse ") +
                             std::to_string(c.groups) + " " + std::to_string(c.dilation_y) + "x" +
                             std::to_string(c.dilation_x) + " " + std::to_string(tiling.tiles_y.size) + "x" +
                             std::to_string(tiling.tiles_x.size) + " " + std::to_string(tiling.lanes);
    const gpu::Slice weights = emitter.constant(*task.weights, name, [&] { return transform_weights(task, tiling); });
    const gpu::Limits& limits = emitter.device().limits;
    const auto fits = [&](const gpu::Slice& slice) { return slice.bytes <= std::uint64_t{16} * limits.texel_elements; };
    const bool texels = reads_texels(emitter.device()) && fits(source) && fits(weights);
    const std::int64_t columns = task.images * tiling.tiles();
    const std::size_t variant = columns <= 1 ? 0 : columns <= 2 ? 1 : 2;
    static constexpr std::array<std::array<const char*, 3>, 2> shaders = {
        {{"nn/fft_product.4x1.buffer", "nn/fft_product.4x2.buffer", "nn/fft_product.4x4.buffer"},
         {"nn/fft_product.4x1.texels", "nn/fft_product.4x2.texels", "nn/fft_product.4x4.texels"}}};
    gpu::Dispatch dispatch;
    dispatch.shader = shaders.at(texels ? 1 : 0).at(variant);
    dispatch.constants = {u(tiling.lanes)};
    const auto read = [&](const gpu::Slice& slice) {
        return texels ? gpu::in_texels(slice, gpu::Texels::rgba32f) : gpu::in(slice);
    };
    dispatch.bindings = {read(source), read(weights), gpu::out(destination)};
    dispatch.set_push(Push{u(columns), u(c.groups), u(tiling.pairs()), u(tiling.runs()), u(tiling.source_channels),
                           u(tiling.destination_channels), u(tiling.blocks())});
    dispatch.groups = {gpu::divide_up(static_cast<std::uint64_t>(columns), std::uint64_t{1} << variant),
                       u(tiling.runs()), u(c.groups * tiling.blocks())};
    dispatch.flops = 8.0 * static_cast<double>(columns * c.groups * tiling.source_channels) *
                     static_cast<double>(tiling.destination_channels * tiling.frequencies());
    dispatch.bytes = static_cast<double>(source.bytes + weights.bytes + destination.bytes);
    dispatch.label = task.label;
    emitter.emit(std::move(dispatch));
}

void emit_unpack(Emitter& emitter, const ConvolutionTask& task, const Tiling& tiling, const gpu::Slice& from) {
    struct Push {
        std::uint32_t channels, places, width, rows, row, tiles, row_tiles, step_y, step_x;
    };
    const gpu::DeviceInfo& device = emitter.device();
    const bool texels = gpu::prefers_texels(device, {from});
    const std::uint32_t workgroup = workgroup_size(device);
    const std::int64_t channels = task.convolution.groups * tiling.destination_channels;
    const std::int64_t places = tiling.y.destination * tiling.x.destination;
    gpu::Dispatch dispatch;
    dispatch.shader = texels ? "nn/fft_unpack.texels" : "nn/fft_unpack.buffer";
    dispatch.constants = {workgroup, task.bias != nullptr ? 1U : 0U, task.accumulate ? 1U : 0U,
                          task.activation == Activation::relu ? 1U : 0U};
    dispatch.bindings = {texels ? gpu::in_texels(from) : gpu::in(from),
                         gpu::in(task.bias != nullptr ? emitter.constant(*task.bias) : emitter.unused()),
                         task.accumulate ? gpu::in_out(task.destination) : gpu::out(task.destination)};
    dispatch.set_push(Push{u(channels), u(places), u(tiling.x.destination), u(tiling.tiles_y.size),
                           u(tiling.tiles_x.size + 2), u(tiling.tiles()), u(tiling.tiles_x.count),
                           u(tiling.tiles_y.valid), u(tiling.tiles_x.valid)});
    dispatch.groups = {gpu::divide_up(static_cast<std::uint64_t>(places), workgroup), u(channels), u(task.images)};
    dispatch.bytes = static_cast<double>(from.bytes + task.destination.bytes);
    dispatch.label = task.label + " unpack";
    emitter.emit(std::move(dispatch));
}

}  // namespace

bool FftConvolution::supports(const ConvolutionTask& task, const gpu::DeviceInfo& device) const {
    const Convolution& c = task.convolution;
    if (!gpu::has_fft() || c.stride_y != 1 || c.stride_x != 1) return false;
    const std::optional<Tiling> tiling = tiling_of(task);
    if (!tiling) return false;
    // VkFFT binds a transform's memory from the beginning of the scratch buffer on.
    const std::uint64_t scratch = Scratch(*tiling, c.groups, 1).bytes();
    const auto weights = static_cast<std::uint64_t>(c.groups * tiling->weight_bytes());
    const std::int64_t most_groups = device.limits.workgroup_count[1];
    const std::int64_t columns = task.images * tiling->tiles();
    return scratch <= device.limits.storage_range &&
           weights <= std::min(device.limits.storage_range, device.limits.allocation) &&
           columns * c.groups * std::max(c.in_channels, c.out_channels) <= most_groups && tiling->runs() <= most_groups;
}

bool FftConvolution::suits(const ConvolutionTask& /*task*/, const gpu::DeviceInfo& /*device*/) const {
    return false;
}

std::int64_t FftConvolution::scratch_bytes(const ConvolutionTask& task) const {
    const std::optional<Tiling> tiling = tiling_of(task);
    return tiling ? static_cast<std::int64_t>(Scratch(*tiling, task.convolution.groups, 1).bytes()) : 0;
}

void FftConvolution::emit(Emitter& emitter, const ConvolutionTask& task) const {
    const Convolution& c = task.convolution;
    const gpu::DeviceInfo& device = emitter.device();
    Tiling tiling = tiling_of(task).value();
    tiling.lanes = lanes_of(device);
    const std::int64_t columns = task.images * tiling.tiles();
    const std::int64_t sources = c.groups * tiling.source_channels;
    const std::int64_t destinations = c.groups * tiling.destination_channels;
    const Scratch sizes(tiling, c.groups, task.images);
    const gpu::Slice scratch = emitter.scratch(sizes.bytes());
    const gpu::Slice source = scratch.part(0, sizes.source);
    const gpu::Slice destination = scratch.part(sizes.destination_at(), sizes.destination);

    emit_pack(emitter, task, tiling, source);
    emit_transforms(emitter, tiling, columns * sources, false, source, task.label + " transform");
    emit_product(emitter, task, tiling, source, destination);
    emit_transforms(emitter, tiling, columns * destinations, true, destination, task.label + " inverse transform");
    emit_unpack(emitter, task, tiling, destination);
}

}  // namespace deconv::nn
