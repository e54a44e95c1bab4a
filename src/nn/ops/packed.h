// Packed channels, [image][group][channel / 4][row][column][4], and the product that reads them.
#pragma once

#include <vector>

#include "nn/operator.h"

namespace deconv::nn {

/// Invocations of the packed kernels' workgroups, which are one subgroup.
constexpr std::int64_t packed_lanes = 8;

/// Can the device run the packed kernels: one subgroup of eight a workgroup, with shuffles?
bool runs_packed(const gpu::DeviceInfo& device);

/// A packed tensor: `groups` times `channels` channels of each image.
struct Packed {
    std::int64_t images = 1, groups = 1, channels = 1;
    std::int64_t height = 1, width = 1;     // with its border
    std::int64_t first_y = 0, first_x = 0;  // the place of the dense tensor that lies at the beginning

    std::int64_t blocks() const { return (channels + 3) / 4; }
    std::int64_t plane() const { return height * width; }
    std::int64_t image_bytes() const { return groups * blocks() * plane() * 16; }
};

/// Packs a dense tensor of `height` × `width` planes, across a rectifier if one is given: the source is then the
/// signal from element `rectified_first` on.
void emit_pack(Emitter& emitter, const gpu::Slice& source, std::int64_t height, std::int64_t width,
               const gpu::Slice& destination, const Packed& packed, const std::optional<Rectifier>& rectifier,
               std::int64_t rectified_first, const std::string& label);

/// One run of conv_packed.comp, or, of few source channels and one tap, conv_narrow.comp.  Texels count in the packed
/// source's planes.
struct PackedProduct {
    Packed source;
    std::int64_t grid_height = 1, grid_width = 1;  // places
    std::int64_t stride_y = 1, stride_x = 1;       // source rows and columns from one place to the next
    std::int64_t taps_y = 1, taps_x = 1;
    std::int64_t tap_first_y = 0, tap_first_x = 0;  // the first tap's row and column at the first place
    std::int64_t tap_step_y = 1, tap_step_x = 1;    // rows and columns from one tap to the next
    std::int64_t destination_channels = 1;          // of one group
    std::int64_t destination_height = 1, destination_width = 1;
    std::int64_t destination_first_y = 0, destination_first_x = 0;
    std::int64_t destination_step_y = 1, destination_step_x = 1;
    /// Destination channels count phases too, [channel][phase y][phase x], each a place further on in the (dense)
    /// destination.
    std::int64_t phases_y = 1, phases_x = 1;
    double useful = 1;               // of the products' weights
    std::int64_t source_stride = 0;  // elements from one image to the next where others lie between, else 0
    /// The destination, packed, is what a pool makes of the grid, whose places then go by windows; or, unpooled, what
    /// it was made from.  Sizes and steps are those of the pool's output either way.
    std::optional<Pooling> pool;
    bool unpooled = false;
    bool accumulate = false;
    Activation activation = Activation::none;
    /// The source is dense, (N, C, H, W) with H and W those of `source`, and has no border.
    bool plain = false;
    bool rectified = false;  // max(x, 0) of the source
    /// Packed, but without a border for all taps: those outside are zero.
    bool tested = false;
    /// The destination is packed too, its last block of channels filled up with zeros.
    bool quads = false;
    /// Only these channels of the source are read; without a bias.
    std::optional<Chosen> chosen;
    /// Makes the source, or adds to it, first: only where that has at most `widest_waist` channels.
    std::optional<PointwiseSource> before;
    std::int64_t first_image = 0;  // of the source, as the selections count

    /// Of all images that one workgroup may have places of: those with channels of their own run apart.
    std::int64_t total() const { return grid_height * grid_width * (chosen ? 1 : source.images); }
    bool few_places() const;
    /// Source channels that conv_narrow.comp is compiled for, where it runs the product; 0: conv_packed.comp does.
    std::int64_t waist() const;
    static constexpr std::int64_t widest_waist = 96;
    /// Output channels that a workgroup computes: the weights' innermost dimension but one.
    std::int64_t block() const;
};

/// Weights as the product reads them: [group][block][tap y][tap x][channel / 4][BLOCK][4], zeros where a block is not
/// full; index(g, o, k, l, i) is the element that is the weight of output o and input channel i of group g at tap
/// (k, l).
template <typename F>
std::vector<std::uint32_t> weight_table(const PackedProduct& product, const F& index) {
    const std::int64_t block = product.block();
    const std::int64_t outputs = product.destination_channels;
    const std::int64_t blocks = (outputs + block - 1) / block;
    const std::int64_t quads = product.source.blocks();
    const std::int64_t taps = product.taps_y * product.taps_x;
    std::vector<std::uint32_t> table(
        static_cast<std::size_t>(product.source.groups * blocks * taps * quads * block * 4), WeightLayout::none);
    for (std::int64_t g = 0; g < product.source.groups; ++g) {
        for (std::int64_t o = 0; o < outputs; ++o) {
            for (std::int64_t t = 0; t < taps; ++t) {
                for (std::int64_t i = 0; i < product.source.channels; ++i) {
                    const std::int64_t at =
                        ((((g * blocks + o / block) * taps + t) * quads + i / 4) * block + o % block) * 4 + i % 4;
                    table[static_cast<std::size_t>(at)] =
                        static_cast<std::uint32_t>(index(g, o, t / product.taps_x, t % product.taps_x, i));
                }
            }
        }
    }
    return table;
}

/// `bias` may be empty.
void emit_packed_product(Emitter& emitter, const PackedProduct& product, const gpu::Slice& source,
                         const gpu::Slice& weights, const gpu::Slice& bias, const gpu::Slice& destination,
                         const std::string& label);

}  // namespace deconv::nn
