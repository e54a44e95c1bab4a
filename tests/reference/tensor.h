// Dense row-major tensors in float64: what the reference computes with.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace deconv::reference {

using Shape = std::vector<std::int64_t>;

std::int64_t elements(const Shape& shape);
std::string to_string(const Shape& shape);

/// Integer tensors (shapes, indices) are held in doubles too, exact up to 2^53; `integer` only makes Div truncate.
struct Tensor {
    Shape shape;
    std::vector<double> data;
    bool integer = false;

    static Tensor zeros(Shape shape);
    std::int64_t size() const { return static_cast<std::int64_t>(data.size()); }
    std::int64_t rank() const { return static_cast<std::int64_t>(shape.size()); }
};

/// ‖a − b‖ / ‖b‖ over the whole tensor; 0 where both are zero, infinity where only b is or the shapes differ.
double relative_error(const Tensor& a, const Tensor& b);

/// The inner product over the whole tensor.
double inner(const Tensor& a, const Tensor& b);

/// a += b, elementwise; an empty `a` (no shape, no data) becomes b.
void accumulate(Tensor& a, const Tensor& b);

/// The last two axes of an image tensor: (N, C, H, W); (N, C, L) is one row; (N, C) one pixel.
struct Planes {
    std::int64_t images = 1, channels = 1, height = 1, width = 1;
    std::int64_t area() const { return height * width; }
};
/// Throws for ranks other than 1 (channels only) to 4.
Planes planes_of(const Shape& shape);

}  // namespace deconv::reference
