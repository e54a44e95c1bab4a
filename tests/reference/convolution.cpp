// Conv and ConvTranspose.  Both are one matrix W (channels of the small map x window elements of the large map) applied
// to columns: `correlate` gathers the columns of the large map, `scatter` adds them back.  Each is the other's adjoint.
#include <algorithm>
#include <array>

#include "reference/operators.h"

namespace deconv::reference {

namespace {

/// A convolution's geometry: the large map is Conv's input, the small one its output.
struct Geometry {
    Planes large, small;
    Window window;
    std::int64_t group = 1;

    std::int64_t large_channels() const { return large.channels / group; }  // of one group
    std::int64_t small_channels() const { return small.channels / group; }
    std::int64_t taps() const { return window.y.kernel * window.x.kernel; }
};

/// c[m][j] += sum over k of a(m, k) * b[k][j] for a tile of T columns, a(m, k) = a[m * am + k * ak].
template <int T>
void multiply_tile(std::int64_t rows, std::int64_t depth, const double* a, std::int64_t am, std::int64_t ak,
                   const double* b, double* c) {
    for (std::int64_t m = 0; m < rows; ++m) {
        double* __restrict out = c + m * T;
        std::int64_t k = 0;
        for (; k + 4 <= depth; k += 4) {
            const double w0 = a[m * am + k * ak];
            const double w1 = a[m * am + (k + 1) * ak];
            const double w2 = a[m * am + (k + 2) * ak];
            const double w3 = a[m * am + (k + 3) * ak];
            const double* __restrict in = b + k * T;
            for (int j = 0; j < T; ++j) {
                out[j] += w0 * in[j] + w1 * in[T + j] + w2 * in[2 * T + j] + w3 * in[3 * T + j];
            }
        }
        for (; k < depth; ++k) {
            const double w = a[m * am + k * ak];
            const double* __restrict in = b + k * T;
            for (int j = 0; j < T; ++j) out[j] += w * in[j];
        }
    }
}

/// Calls visit(column, y, x) for each of a tile's columns whose window element (ky, kx) lies inside the large map.
template <typename Visit>
void visit_inside(const Geometry& g, std::int64_t first, std::int64_t count, std::int64_t ky, std::int64_t kx,
                  Visit visit) {
    for (std::int64_t j = 0; j < count; ++j) {
        const std::int64_t oy = (first + j) / g.small.width;
        const std::int64_t ox = (first + j) % g.small.width;
        const std::int64_t y = oy * g.window.y.stride - g.window.y.pad_begin + ky * g.window.y.dilation;
        const std::int64_t x = ox * g.window.x.stride - g.window.x.pad_begin + kx * g.window.x.dilation;
        if (y >= 0 && y < g.large.height && x >= 0 && x < g.large.width) visit(j, y, x);
    }
}

/// small[s][p] += sum over l, ky, kx of weights[s][l][ky][kx] * large[l][p * stride - pad + k * dilation].
template <int T>
void correlate_tiles(const Geometry& g, const double* weights, const double* large, double* small) {
    const std::int64_t depth = g.large_channels() * g.taps();
    const std::int64_t tiles = (g.small.area() + T - 1) / T;
    parallel_for(tiles, [&](std::int64_t tile) {
        const std::int64_t first = tile * T;
        const std::int64_t count = std::min<std::int64_t>(T, g.small.area() - first);
        std::vector<double> columns(static_cast<std::size_t>(depth * T), 0.0);
        std::vector<double> sums(static_cast<std::size_t>(g.small_channels() * T), 0.0);
        double* column = columns.data();
        for (std::int64_t l = 0; l < g.large_channels(); ++l) {
            const double* plane = large + l * g.large.area();
            for (std::int64_t ky = 0; ky < g.window.y.kernel; ++ky) {
                for (std::int64_t kx = 0; kx < g.window.x.kernel; ++kx, column += T) {
                    visit_inside(g, first, count, ky, kx, [&](std::int64_t j, std::int64_t y, std::int64_t x) {
                        column[j] = plane[y * g.large.width + x];
                    });
                }
            }
        }
        multiply_tile<T>(g.small_channels(), depth, weights, depth, 1, columns.data(), sums.data());
        for (std::int64_t s = 0; s < g.small_channels(); ++s) {
            std::copy_n(sums.data() + s * T, count, small + s * g.small.area() + first);
        }
    });
}

/// large[l][p * stride - pad + k * dilation] += sum over s of weights[s][l][ky][kx] * small[s][p].
template <int T>
void scatter_tiles(const Geometry& g, const double* weights, const double* small, double* large) {
    const std::int64_t depth = g.large_channels() * g.taps();
    const std::int64_t tiles = (g.small.area() + T - 1) / T;
    parallel_for(g.large_channels(), [&](std::int64_t l) {
        std::vector<double> rows(static_cast<std::size_t>(g.small_channels() * T));
        std::vector<double> columns(static_cast<std::size_t>(g.taps() * T));
        double* plane = large + l * g.large.area();
        for (std::int64_t tile = 0; tile < tiles; ++tile) {
            const std::int64_t first = tile * T;
            const std::int64_t count = std::min<std::int64_t>(T, g.small.area() - first);
            std::fill(rows.begin(), rows.end(), 0.0);
            std::fill(columns.begin(), columns.end(), 0.0);
            for (std::int64_t s = 0; s < g.small_channels(); ++s) {
                std::copy_n(small + s * g.small.area() + first, count, rows.data() + s * T);
            }
            multiply_tile<T>(g.taps(), g.small_channels(), weights + l * g.taps(), 1, depth, rows.data(),
                             columns.data());
            const double* column = columns.data();
            for (std::int64_t ky = 0; ky < g.window.y.kernel; ++ky) {
                for (std::int64_t kx = 0; kx < g.window.x.kernel; ++kx, column += T) {
                    visit_inside(g, first, count, ky, kx, [&](std::int64_t j, std::int64_t y, std::int64_t x) {
                        plane[y * g.large.width + x] += column[j];
                    });
                }
            }
        }
    });
}

/// Over all images and groups.  `from` and `to` are whole tensors; `to` holds zeros.
void correlate(const Geometry& g, const double* weights, const Tensor& large, Tensor& small) {
    const std::int64_t large_step = g.large_channels() * g.large.area();
    const std::int64_t small_step = g.small_channels() * g.small.area();
    const std::int64_t weight_step = g.small_channels() * g.large_channels() * g.taps();
    for (std::int64_t i = 0; i < g.large.images * g.group; ++i) {
        const auto run = g.small.area() <= 8 ? correlate_tiles<8> : correlate_tiles<128>;
        run(g, weights + (i % g.group) * weight_step, large.data.data() + i * large_step,
            small.data.data() + i * small_step);
    }
}

void scatter(const Geometry& g, const double* weights, const Tensor& small, Tensor& large) {
    const std::int64_t large_step = g.large_channels() * g.large.area();
    const std::int64_t small_step = g.small_channels() * g.small.area();
    const std::int64_t weight_step = g.small_channels() * g.large_channels() * g.taps();
    for (std::int64_t i = 0; i < g.large.images * g.group; ++i) {
        const auto run = g.small.area() <= 8 ? scatter_tiles<8> : scatter_tiles<128>;
        run(g, weights + (i % g.group) * weight_step, small.data.data() + i * small_step,
            large.data.data() + i * large_step);
    }
}

void add_bias(const Step& step, const Planes& planes, Tensor& out) {
    if (!step.has(2)) return;
    const Tensor& bias = step.input(2);
    if (bias.size() != planes.channels) step.fail("a bias of " + std::to_string(bias.size()) + " channels");
    for (std::int64_t i = 0; i < planes.images * planes.channels; ++i) {
        for (std::int64_t p = 0; p < planes.area(); ++p) {
            out.data[i * planes.area() + p] += bias.data[i % planes.channels];
        }
    }
}

std::array<std::int64_t, 2> kernel_of(const Step& step) {
    const Shape& w = step.input(1).shape;
    if ((w.size() != 3 && w.size() != 4) || w.size() != step.input(0).shape.size()) {
        step.fail("weights " + to_string(w) + " over an input " + to_string(step.input(0).shape));
    }
    return {w.size() == 4 ? w[2] : 1, w.back()};
}

Geometry conv_geometry(const Step& step) {
    const auto [kernel_h, kernel_w] = kernel_of(step);
    Geometry g;
    g.large = planes_of(step.input(0).shape);
    g.group = step.node.attributes.integer("group", 1);
    g.window = window_of(step, kernel_h, kernel_w, g.large.height, g.large.width);
    g.small.images = g.large.images;
    g.small.channels = step.input(1).shape[0];
    g.small.height = windows_along(g.window.y, g.large.height, false);
    g.small.width = windows_along(g.window.x, g.large.width, false);
    if (step.input(1).shape[1] != g.large_channels() || g.small.channels % g.group != 0 || g.small.area() == 0) {
        step.fail("weights " + to_string(step.input(1).shape) + " over an input " + to_string(step.input(0).shape));
    }
    return g;
}

std::vector<Tensor> conv_forward(const Step& step) {
    const Geometry g = conv_geometry(step);
    Tensor out = Tensor::zeros(spatial_shape(step.input(0).shape, g.small.channels, g.small.height, g.small.width));
    correlate(g, step.input(1).data.data(), step.input(0), out);
    add_bias(step, g.small, out);
    return {out};
}

std::vector<Tensor> conv_reverse(const ReverseStep& step) {
    Tensor back = Tensor::zeros(step.input(0).shape);
    scatter(conv_geometry(step), step.input(1).data.data(), step.signal, back);
    return {back};
}

/// The size of ConvTranspose's output along one axis; where output_shape or auto_pad ask for a size, the pads that
/// give it are stored in `axis`.
std::int64_t transposed_size(const Step& step, Window::Axis& axis, bool y_axis, bool two_axes, std::int64_t n) {
    const auto entry = [&](const char* name, std::int64_t fallback) {
        const auto list = step.node.attributes.list(name, {});
        if (list.empty() || (y_axis && !two_axes)) return fallback;
        return list[list.size() - (y_axis ? 2 : 1)];  // output_shape may name all axes or the spatial ones only
    };
    const std::string auto_pad = step.node.attributes.text("auto_pad", "NOTSET");
    const std::int64_t whole = axis.stride * (n - 1) + entry("output_padding", 0) + axis.extent();
    std::int64_t size = entry("output_shape", -1);
    if (size < 0 && auto_pad.rfind("SAME", 0) == 0) size = n * axis.stride;
    if (size < 0) return whole - axis.pad_begin - axis.pad_end;
    const std::int64_t total = std::max<std::int64_t>(0, whole - size);
    axis.pad_begin = auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
    axis.pad_end = total - axis.pad_begin;
    return size;
}

Geometry transposed_geometry(const Step& step) {
    const auto [kernel_h, kernel_w] = kernel_of(step);
    Geometry g;
    g.small = planes_of(step.input(0).shape);
    g.group = step.node.attributes.integer("group", 1);
    g.window = window_of(step, kernel_h, kernel_w, g.small.height, g.small.width);
    g.large.images = g.small.images;
    g.large.channels = step.input(1).shape[1] * g.group;
    const bool two_axes = step.input(0).shape.size() == 4;
    g.large.height = two_axes ? transposed_size(step, g.window.y, true, two_axes, g.small.height) : 1;
    g.large.width = transposed_size(step, g.window.x, false, two_axes, g.small.width);
    if (step.input(1).shape[0] != g.small.channels || g.large.height <= 0 || g.large.width <= 0) {
        step.fail("weights " + to_string(step.input(1).shape) + " over an input " + to_string(step.input(0).shape));
    }
    return g;
}

std::vector<Tensor> transposed_forward(const Step& step) {
    const Geometry g = transposed_geometry(step);
    Tensor out = Tensor::zeros(spatial_shape(step.input(0).shape, g.large.channels, g.large.height, g.large.width));
    scatter(g, step.input(1).data.data(), step.input(0), out);
    add_bias(step, g.large, out);
    return {out};
}

std::vector<Tensor> transposed_reverse(const ReverseStep& step) {
    Tensor back = Tensor::zeros(step.input(0).shape);
    correlate(transposed_geometry(step), step.input(1).data.data(), step.signal, back);
    return {back};
}

}  // namespace

Window transposed_window(const Step& step) {
    return transposed_geometry(step).window;
}

void add_convolutions(OperatorTable& table) {
    table["Conv"] = {conv_forward, conv_reverse, Flow::first};
    table["ConvTranspose"] = {transposed_forward, transposed_reverse, Flow::first};
}

}  // namespace deconv::reference
