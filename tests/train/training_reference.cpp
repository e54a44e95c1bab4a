#include "train/training_reference.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace deconv::testing {
namespace {

using reference::Tensor;

struct Window {
    std::vector<std::int64_t> kernel, stride, pads, dilation;

    Window(const nn::Node& node, const std::vector<std::int64_t>& fallback)
        : kernel(node.attributes.integers("kernel_shape", fallback)),
          stride(node.attributes.integers("strides", {1, 1})),
          pads(node.attributes.integers("pads", {0, 0, 0, 0})),
          dilation(node.attributes.integers("dilations", {1, 1})) {}
    std::int64_t output(std::size_t axis, std::int64_t size) const {
        return (size + pads[axis] + pads[axis + 2] - (kernel[axis] - 1) * dilation[axis] - 1) / stride[axis] + 1;
    }
};

/// Calls f(n, c, v, u, k, l, y, x) for every place of an output plane and every tap that lies inside.
template <typename Begin, typename F, typename End>
void for_windows(const Window& w, const reference::Shape& in, const reference::Shape& out, Begin begin, F f, End end) {
    for (std::int64_t n = 0; n < out[0]; ++n)
        for (std::int64_t c = 0; c < out[1]; ++c)
            for (std::int64_t v = 0; v < out[2]; ++v)
                for (std::int64_t u = 0; u < out[3]; ++u) {
                    begin();
                    for (std::int64_t k = 0; k < w.kernel[0]; ++k)
                        for (std::int64_t l = 0; l < w.kernel[1]; ++l) {
                            const std::int64_t y = v * w.stride[0] - w.pads[0] + k * w.dilation[0];
                            const std::int64_t x = u * w.stride[1] - w.pads[1] + l * w.dilation[1];
                            if (y >= 0 && x >= 0 && y < in[2] && x < in[3]) f(n, c, k, l, y, x);
                        }
                    end(n, c, v, u);
                }
}

std::size_t at(const reference::Shape& s, std::int64_t n, std::int64_t c, std::int64_t y, std::int64_t x) {
    return static_cast<std::size_t>(((n * s[1] + c) * s[2] + y) * s[3] + x);
}

class Forward {
  public:
    Forward(const TrainingReference& reference, const DoubleValues& values, const Tensor& images)
        : reference_(reference), values_(values) {
        tensors[reference.graph.inputs.at(0).name] = images;
        for (const nn::Node& node : reference.graph.nodes) tensors[node.outputs.at(0)] = run(node);
    }

    std::map<std::string, Tensor> tensors;

  private:
    const std::vector<double>& value(const nn::Node& node, std::size_t input) const {
        return values_.at(node.inputs.at(input));
    }
    const reference::Shape& shape(const nn::Node& node, std::size_t input) const {
        return reference_.graph.constants.at(node.inputs.at(input)).shape;
    }

    Tensor run(const nn::Node& node) const {
        const Tensor& x = tensors.at(node.inputs.at(0));
        if (node.op == "Conv") return conv(node, x);
        if (node.op == "MaxPool" || node.op == "AveragePool") return pool(node, x);
        if (node.op == "BatchNormalization") return normalise(node, x);
        if (node.op == "Gemm") return gemm(node, x);
        Tensor y = x;
        if (node.op == "Relu") {
            for (double& v : y.data) v = std::max(v, 0.0);
        } else if (node.op == "Add") {
            const Tensor& other = tensors.at(node.inputs.at(1));
            for (std::size_t i = 0; i < y.data.size(); ++i) y.data[i] += other.data[i];
        } else if (node.op == "Dropout") {
            const std::vector<double>& mask = reference_.masks.at(node.outputs.at(0));
            for (std::size_t i = 0; i < y.data.size(); ++i) y.data[i] *= mask[i];
        } else if (node.op == "Flatten") {
            y.shape = {x.shape[0], static_cast<std::int64_t>(x.data.size()) / x.shape[0]};
        } else if (node.op == "GlobalAveragePool") {
            y = Tensor::zeros({x.shape[0], x.shape[1], 1, 1});
            const auto plane = static_cast<std::size_t>(x.shape[2] * x.shape[3]);
            for (std::size_t i = 0; i < x.data.size(); ++i) {
                y.data[i / plane] += x.data[i] / static_cast<double>(plane);
            }
        } else {
            throw std::runtime_error("no reference of " + node.op);
        }
        return y;
    }

    Tensor conv(const nn::Node& node, const Tensor& x) const {
        const reference::Shape& w = shape(node, 1);
        const std::vector<double>& weights = value(node, 1);
        const Window window(node, {w[2], w[3]});
        const std::int64_t groups = node.attributes.integer("group", 1);
        Tensor y = Tensor::zeros({x.shape[0], w[0], window.output(0, x.shape[2]), window.output(1, x.shape[3])});
        double sum = 0;
        for_windows(
            window, x.shape, y.shape, [&] { sum = 0; },
            [&](std::int64_t n, std::int64_t o, std::int64_t k, std::int64_t l, std::int64_t row, std::int64_t column) {
                const std::int64_t first = o / (w[0] / groups) * w[1];
                for (std::int64_t i = 0; i < w[1]; ++i) {
                    sum += weights[at(w, o, i, k, l)] * x.data[at(x.shape, n, first + i, row, column)];
                }
            },
            [&](std::int64_t n, std::int64_t o, std::int64_t v, std::int64_t u) {
                if (node.inputs.size() > 2) sum += value(node, 2)[static_cast<std::size_t>(o)];
                y.data[at(y.shape, n, o, v, u)] = sum;
            });
        return y;
    }

    static Tensor pool(const nn::Node& node, const Tensor& x) {
        const Window window(node, {});
        const bool max = node.op == "MaxPool";
        Tensor y = Tensor::zeros({x.shape[0], x.shape[1], window.output(0, x.shape[2]), window.output(1, x.shape[3])});
        double value = 0;
        double count = 0;
        for_windows(
            window, x.shape, y.shape,
            [&] {
                value = max ? -INFINITY : 0;
                count = 0;
            },
            [&](std::int64_t n, std::int64_t c, std::int64_t, std::int64_t, std::int64_t row, std::int64_t column) {
                const double v = x.data[at(x.shape, n, c, row, column)];
                value = max ? std::max(value, v) : value + v;
                ++count;
            },
            [&](std::int64_t n, std::int64_t c, std::int64_t v, std::int64_t u) {
                y.data[at(y.shape, n, c, v, u)] = max ? value : value / count;
            });
        return y;
    }

    Tensor normalise(const nn::Node& node, const Tensor& x) const {
        Tensor y = x;
        const std::int64_t channels = x.shape[1];
        const std::int64_t plane = static_cast<std::int64_t>(x.data.size()) / x.shape[0] / channels;
        const double count = static_cast<double>(x.shape[0] * plane);
        const double epsilon = node.attributes.real("epsilon", 1e-5F);
        for (std::int64_t c = 0; c < channels; ++c) {
            const auto each = [&](const auto& f) {
                for (std::int64_t n = 0; n < x.shape[0]; ++n) {
                    for (std::int64_t p = 0; p < plane; ++p)
                        f(static_cast<std::size_t>((n * channels + c) * plane + p));
                }
            };
            double mean = 0;
            double variance = 0;
            each([&](std::size_t i) { mean += x.data[i] / count; });
            each([&](std::size_t i) { variance += (x.data[i] - mean) * (x.data[i] - mean) / count; });
            const double gamma = value(node, 1)[static_cast<std::size_t>(c)];
            const double beta = value(node, 2)[static_cast<std::size_t>(c)];
            each([&](std::size_t i) { y.data[i] = gamma * (x.data[i] - mean) / std::sqrt(variance + epsilon) + beta; });
        }
        return y;
    }

    Tensor gemm(const nn::Node& node, const Tensor& x) const {
        const reference::Shape& w = shape(node, 1);  // transB: (outputs, inputs)
        Tensor y = Tensor::zeros({x.shape[0], w[0]});
        for (std::int64_t n = 0; n < x.shape[0]; ++n) {
            for (std::int64_t o = 0; o < w[0]; ++o) {
                double sum = node.inputs.size() > 2 ? value(node, 2)[static_cast<std::size_t>(o)] : 0;
                for (std::int64_t i = 0; i < w[1]; ++i) {
                    sum += value(node, 1)[static_cast<std::size_t>(o * w[1] + i)] *
                           x.data[static_cast<std::size_t>(n * w[1] + i)];
                }
                y.data[static_cast<std::size_t>(n * w[0] + o)] = sum;
            }
        }
        return y;
    }

    const TrainingReference& reference_;
    const DoubleValues& values_;
};

}  // namespace

double TrainingReference::loss(const DoubleValues& values, const reference::Tensor& images,
                               const std::vector<std::uint32_t>& labels,
                               std::map<std::string, reference::Tensor>* tensors) const {
    Forward forward(*this, values, images);
    const reference::Tensor& scores = forward.tensors.at(graph.outputs.at(0));
    const auto classes = static_cast<std::size_t>(scores.shape[1]);
    double loss = 0;
    for (std::size_t n = 0; n < labels.size(); ++n) {
        const double* row = scores.data.data() + n * classes;
        double sum = 0;
        for (std::size_t c = 0; c < classes; ++c) sum += std::exp(row[c]);
        for (std::size_t c = 0; c < classes; ++c) {
            const double target = (c == labels[n] ? 1 - smoothing : 0) + smoothing / static_cast<double>(classes);
            loss -= target * (row[c] - std::log(sum));
        }
    }
    if (tensors != nullptr) *tensors = std::move(forward.tensors);
    return loss / static_cast<double>(labels.size());
}

double TrainingReference::derivative(const DoubleValues& values, const std::string& name, std::size_t element,
                                     const reference::Tensor& images, const std::vector<std::uint32_t>& labels) const {
    DoubleValues moved = values;
    double& value = moved.at(name)[element];
    const double centre = value;
    constexpr double step = 1e-6;
    value = centre + step;
    const double above = loss(moved, images, labels);
    value = centre - step;
    return (above - loss(moved, images, labels)) / (2 * step);
}

}  // namespace deconv::testing
