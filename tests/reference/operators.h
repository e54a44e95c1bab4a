// One operator: its forward and its reverse side by side, and the table in which networks look it up.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "reference/network.h"

namespace deconv::reference {

/// What a node computes from.  inputs[i] is nullptr where the optional input i is left out.
struct Step {
    const Node& node;
    int opset;
    std::vector<const Tensor*> inputs;
    const Choices* choices;

    const Tensor& input(std::size_t i) const;
    bool has(std::size_t i) const { return i < inputs.size() && inputs[i] != nullptr; }
    [[noreturn]] void fail(const std::string& what) const;
};

/// The way back through a node: `signal` is R at its first output, `output` that tensor's forward value.
struct ReverseStep : Step {
    const Tensor& output;
    const Tensor& signal;
    Rule rule;
    Lrn lrn;
    std::vector<bool> wanted;  // inputs through which a path leads to the image
};

/// Which inputs carry signal back.
enum class Flow {
    none,   // none: shapes and constants
    first,  // the first; the others (weights, shapes, indices) must not depend on the image's values
    all
};

struct Operator {
    std::vector<Tensor> (*forward)(const Step&);
    /// One signal an input; those not wanted may stay empty.
    std::vector<Tensor> (*reverse)(const ReverseStep&);
    Flow flow = Flow::first;
};

using OperatorTable = std::map<std::string, Operator>;
void add_convolutions(OperatorTable& table);
void add_pools(OperatorTable& table);
void add_rectifiers(OperatorTable& table);
void add_normalizations(OperatorTable& table);
void add_matrices(OperatorTable& table);
void add_arithmetic(OperatorTable& table);
void add_movements(OperatorTable& table);
void add_constants(OperatorTable& table);

/// Throws where there is no such operator.
const Operator& find_operator(const Node& node);

/// Windows of convolutions and pools over the last two axes; (N, C, L) is taken as one row of height 1.
struct Window {
    struct Axis {
        std::int64_t kernel = 1, stride = 1, dilation = 1, pad_begin = 0, pad_end = 0;
        std::int64_t extent() const { return (kernel - 1) * dilation + 1; }
    } y, x;
};
/// Kernel, strides, dilations and pads as the attributes say; auto_pad is resolved for an input of h x w.
Window window_of(const Step& step, std::int64_t kernel_h, std::int64_t kernel_w, std::int64_t h, std::int64_t w);
/// From the attribute kernel_shape.
Window window_of(const Step& step, std::int64_t h, std::int64_t w);
/// ConvTranspose's, with the pads that output_shape or auto_pad ask for.
Window transposed_window(const Step& step);
/// The number of windows along an axis of n elements.
std::int64_t windows_along(const Window::Axis& axis, std::int64_t n, bool ceil_mode);
/// Like `like`, of the same rank, with other spatial sizes (and channels).
Shape spatial_shape(const Shape& like, std::int64_t channels, std::int64_t h, std::int64_t w);
/// The flat plane-local switch of every output element of a MaxPool or GlobalMaxPool, from the choices if they have it.
std::vector<std::int64_t> pool_switches(const Step& step);

/// Sums a signal back over the axes along which `shape` was broadcast to it.
Tensor sum_to(const Tensor& signal, const Shape& shape);
/// The element of a tensor of `shape` that numpy's broadcasting puts at each element of `out`.
std::vector<std::int64_t> broadcast_map(const Shape& shape, const Shape& out);
Shape broadcast_shapes(const Shape& a, const Shape& b);

/// Runs body(i) for i in [0, n) on two threads.
void parallel_for(std::int64_t n, const std::function<void(std::int64_t)>& body);

}  // namespace deconv::reference
