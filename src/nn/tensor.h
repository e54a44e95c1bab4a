// Shapes and host tensors: what the graph and the operators speak about.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace deconv::nn {

/// Sizes from the outermost dimension; row-major and dense in memory.  Images are (N, C, H, W).
using Shape = std::vector<std::int64_t>;

std::int64_t elements(const Shape& shape);

/// How a tensor lies in device memory.  `packed`: [image][channel / 4][row][column][4], only of (N, C, H, W) with C a
/// multiple of four, so that it has the same size, and so has any run of four channels; what goes element by element
/// needs not know.  `halves`: [image][channel / 8][row][column][8] in half precision, with C a multiple of sixteen;
/// switches likewise, but in whole words.
enum class Layout : std::uint8_t { dense, packed, halves };

/// What the channels of a tensor in that layout, and of a group, are a multiple of.
inline std::int64_t channel_multiple(Layout layout) {
    return layout == Layout::halves ? 16 : (layout == Layout::packed ? 4 : 1);
}
/// Of an element that is no switch.
inline std::int64_t element_bytes(Layout layout) {
    return layout == Layout::halves ? 2 : 4;
}
/// "1x3x224x224"; "scalar" for no dimensions.
std::string to_string(const Shape& shape);

/// A constant in host memory: weights (float) or what shapes are computed from (int64).
/// The data is shared and never changes, so copies are cheap.
struct HostTensor {
    Shape shape;
    std::shared_ptr<const std::vector<float>> floats;           // set for floating-point types
    std::shared_ptr<const std::vector<std::int64_t>> integers;  // set for integer and boolean types

    static HostTensor of(Shape shape, std::vector<float> values);
    static HostTensor of(Shape shape, std::vector<std::int64_t> values);
    bool is_float() const { return floats != nullptr; }
};

}  // namespace deconv::nn
