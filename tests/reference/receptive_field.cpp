#include "reference/receptive_field.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <stdexcept>

#include "reference/operators.h"

namespace deconv::reference {

namespace {

/// Inclusive; indices outside the tensor stand for padding.
struct Interval {
    std::int64_t first, last;
};

using Intervals = std::array<Interval, 2>;  // along y, x

Interval join(const Interval& a, const Interval& b) {
    return {std::min(a.first, b.first), std::max(a.last, b.last)};
}

Interval through_window(const Window::Axis& axis, const Interval& out) {
    return {out.first * axis.stride - axis.pad_begin, out.last * axis.stride - axis.pad_begin + axis.extent() - 1};
}

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

/// Input i of a transposed convolution reaches outputs i * stride - pad … i * stride - pad + extent - 1.
Interval through_transposed(const Window::Axis& axis, const Interval& out) {
    const std::int64_t first = out.first + axis.pad_begin - axis.extent() + 1;
    return {-floor_div(-first, axis.stride), floor_div(out.last + axis.pad_begin, axis.stride)};
}

/// Follows intervals from a tensor back to the input.
class Tracer {
  public:
    Tracer(const Network& network, const Network::Values& values, std::string input)
        : network_(network), values_(values), input_(std::move(input)) {}

    /// nullopt where no path leads from the input to the tensor.
    std::optional<Intervals> trace(const std::string& tensor, const Intervals& units) const {
        std::map<std::string, Intervals> seen{{tensor, units}};
        for (auto node = network_.nodes().rbegin(); node != network_.nodes().rend(); ++node) {
            const auto out = seen.find(node->outputs[0]);
            if (out == seen.end()) continue;
            const Flow flow = find_operator(*node).flow;
            const std::size_t carrying = flow == Flow::none ? 0 : flow == Flow::first ? 1 : node->inputs.size();
            for (std::size_t i = 0; i < carrying; ++i) {
                if (network_.constants().count(node->inputs[i]) != 0) continue;
                const Intervals in = through(*node, i, out->second);
                const auto [slot, fresh] = seen.emplace(node->inputs[i], in);
                if (!fresh) slot->second = {join(slot->second[0], in[0]), join(slot->second[1], in[1])};
            }
        }
        const auto found = seen.find(input_);
        return found != seen.end() ? std::optional(found->second) : std::nullopt;
    }

    Planes size_of(const std::string& tensor) const {
        const Shape& shape = network_.find(values_, tensor)->shape;
        return shape.size() <= 4 ? planes_of(shape) : Planes{};
    }

  private:
    /// What of input i the units `out` of a node's first output see.
    Intervals through(const Node& node, std::size_t i, const Intervals& out) const {
        Step step{node, network_.opset(), {}, nullptr};
        for (const auto& name : node.inputs) step.inputs.push_back(network_.find(values_, name));
        const Shape& shape = step.input(i).shape;
        const Planes in = size_of(node.inputs[i]);
        const Planes made = size_of(node.outputs[0]);
        const Intervals whole{Interval{0, in.height - 1}, Interval{0, in.width - 1}};
        if (node.op == "Conv") {
            const Shape& w = step.input(1).shape;
            const Window window = window_of(step, w.size() == 4 ? w[2] : 1, w.back(), in.height, in.width);
            return {through_window(window.y, out[0]), through_window(window.x, out[1])};
        }
        if (node.op == "MaxPool" || node.op == "AveragePool") {
            const Window window = window_of(step, in.height, in.width);
            return {through_window(window.y, out[0]), through_window(window.x, out[1])};
        }
        if (node.op == "ConvTranspose") {
            const Window window = transposed_window(step);
            return {through_transposed(window.y, out[0]), through_transposed(window.x, out[1])};
        }
        if (node.op == "MaxUnpool") {
            const Window window = window_of(step, in.height, in.width);
            return {through_transposed(window.y, out[0]), through_transposed(window.x, out[1])};
        }
        if (node.op == "Pad" || node.op == "Slice") return moved(step, out, whole);
        if (node.op == "ReduceMean") return reduced(step, out, whole);
        static const std::set<std::string> elementwise{"Relu",      "Clip",    "LeakyRelu",
                                                       "PRelu",     "Sigmoid", "HardSigmoid",
                                                       "HardSwish", "Tanh",    "BatchNormalization",
                                                       "LRN",       "Add",     "Sub",
                                                       "Mul",       "Div",     "Sum",
                                                       "Concat",    "Dropout", "Identity",
                                                       "Cast",      "Softmax"};
        const bool same_place = elementwise.count(node.op) != 0 || (shape.size() >= 2 && in.area() == 1);
        if (!same_place) return whole;  // Gemm, MatMul, Flatten, Reshape, Transpose, global pools …
        // Along an axis of one element that was broadcast, every unit sees that element.
        return {in.height == 1 && made.height > 1 ? whole[0] : out[0],
                in.width == 1 && made.width > 1 ? whole[1] : out[1]};
    }

    /// Pad and Slice: an output index o is input index first + o * step.  Slice's is found by slicing indices.
    Intervals moved(const Step& step, const Intervals& out, const Intervals& whole) const {
        const std::size_t rank = step.input(0).shape.size();
        Intervals result = whole;
        for (std::size_t axis = 2; axis < rank; ++axis) {
            const std::size_t slot = rank == 3 ? 1 : axis - 2;
            if (step.node.op == "Pad") {
                const auto pads = step.has(1)
                                      ? std::vector<std::int64_t>(step.input(1).data.begin(), step.input(1).data.end())
                                      : step.node.attributes.list("pads", {});
                result[slot] = {out[slot].first - pads.at(axis), out[slot].last - pads.at(axis)};
                continue;
            }
            const auto [first, by] = slice_line(step, axis);
            const std::int64_t a = first + by * out[slot].first;
            const std::int64_t b = first + by * out[slot].last;
            result[slot] = {std::min(a, b), std::max(a, b)};
        }
        return result;
    }

    /// Slices a tensor that holds its own index along `axis`: the first output and the step between outputs.
    static std::pair<std::int64_t, std::int64_t> slice_line(const Step& step, std::size_t axis) {
        Tensor index = Tensor::zeros(step.input(0).shape);
        const std::int64_t inner =
            elements(Shape(index.shape.begin() + static_cast<std::ptrdiff_t>(axis) + 1, index.shape.end()));
        for (std::int64_t i = 0; i < index.size(); ++i) {
            index.data[i] = static_cast<double>(i / inner % index.shape[axis]);
        }
        Step probe = step;
        probe.inputs[0] = &index;
        const Tensor out = find_operator(step.node).forward(probe).at(0);
        const auto first = static_cast<std::int64_t>(out.data.at(0));
        if (out.shape[axis] < 2) return {first, 1};
        const std::int64_t out_inner =
            elements(Shape(out.shape.begin() + static_cast<std::ptrdiff_t>(axis) + 1, out.shape.end()));
        return {first, static_cast<std::int64_t>(out.data.at(out_inner)) - first};
    }

    /// Averaged axes are seen whole; the others where they are.
    static Intervals reduced(const Step& step, const Intervals& out, const Intervals& whole) {
        const auto rank = step.input(0).rank();
        const auto axes = step.node.attributes.list("axes", {});
        const auto averaged = [&](std::int64_t axis) {
            return axes.empty() ||
                   std::any_of(axes.begin(), axes.end(), [&](auto a) { return (a + rank) % rank == axis; });
        };
        const bool keeps = step.node.attributes.integer("keepdims", 1) != 0;
        const bool all = !keeps && rank > 2;  // the axes left over no longer are rows and columns
        if (all) return whole;
        return {rank == 4 && !averaged(2) ? out[0] : whole[0], rank >= 3 && !averaged(rank - 1) ? out[1] : whole[1]};
    }

    const Network& network_;
    const Network::Values& values_;
    std::string input_;
};

/// The field of units along one axis.
FieldAxis axis_field(const Tracer& tracer, const std::string& tensor, int axis) {
    // Strides are rational with small denominators after transposed convolutions: over a run of many units, every
    // phase is met, and the ends are exactly a whole number of periods apart.
    constexpr std::int64_t run = 5040;
    const auto field = [&](std::int64_t unit) {
        Intervals units{Interval{0, 0}, Interval{0, 0}};
        units[axis] = {unit, unit};
        const auto seen = tracer.trace(tensor, units);
        if (!seen) throw std::runtime_error("no path leads from the input to " + tensor);
        return (*seen)[axis];
    };
    const Interval first = field(0);
    FieldAxis result;
    result.offset = static_cast<double>(first.first);
    result.stride = static_cast<double>(field(run).first - first.first) / static_cast<double>(run);
    std::int64_t size = 0;
    for (std::int64_t unit = 0; unit < 64; ++unit) {
        const Interval seen = field(unit);
        size = std::max(size, seen.last - seen.first + 1);
    }
    result.size = static_cast<double>(size);
    return result;
}

}  // namespace

ReceptiveField receptive_field(const Network& network, const Network::Values& values, const std::string& tensor,
                               const std::string& input) {
    const Tracer tracer(network, values, input);
    return {axis_field(tracer, tensor, 0), axis_field(tracer, tensor, 1)};
}

Box field_box(const Network& network, const Network::Values& values, const std::string& tensor,
              const std::string& input, const Box& units) {
    const Tracer tracer(network, values, input);
    const auto seen = tracer.trace(tensor, {Interval{units.y0, units.y1 - 1}, Interval{units.x0, units.x1 - 1}});
    if (!seen) throw std::runtime_error("no path leads from the input to " + tensor);
    const Planes image = tracer.size_of(input);
    const auto cut = [](std::int64_t v, std::int64_t n) { return std::clamp<std::int64_t>(v, 0, n); };
    return {cut((*seen)[0].first, image.height), cut((*seen)[1].first, image.width),
            cut((*seen)[0].last + 1, image.height), cut((*seen)[1].last + 1, image.width)};
}

}  // namespace deconv::reference
