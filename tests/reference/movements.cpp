// Operators that only move data.  Each is a map from output element to input element (or to no element); the reverse
// adds every signal to where its value came from.
#include <algorithm>
#include <limits>
#include <numeric>

#include "reference/operators.h"

namespace deconv::reference {

namespace {

/// Output element i is input element from[i], or `fill` where from[i] is -1.
struct Movement {
    Shape shape;
    std::vector<std::int64_t> from;
    double fill = 0;
};

std::vector<std::int64_t> integers(const Tensor& t) {
    return {t.data.begin(), t.data.end()};
}

/// A list that was an attribute in early opsets and became input i later; the fallback where it is neither.
std::vector<std::int64_t> list_of(const Step& step, const char* attribute, std::size_t i,
                                  const std::vector<std::int64_t>& fallback) {
    if (step.has(i)) return integers(step.input(i));
    return step.node.attributes.list(attribute, fallback);
}

std::vector<std::int64_t> in_order(std::int64_t n) {
    std::vector<std::int64_t> order(static_cast<std::size_t>(n));
    std::iota(order.begin(), order.end(), 0);
    return order;
}

std::vector<std::int64_t> strides_of(const Shape& shape) {
    std::vector<std::int64_t> strides(shape.size(), 1);
    for (std::size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
    return strides;
}

/// Where along_axis(d, o) is the input coordinate of output coordinate o along axis d, -1 for none.  `axis_of[d]` is
/// the input axis that output axis d runs along.
template <typename AlongAxis>
std::vector<std::int64_t> separable(const Shape& in, const Shape& out, const std::vector<std::int64_t>& axis_of,
                                    AlongAxis along_axis) {
    const auto in_strides = strides_of(in);
    const auto out_strides = strides_of(out);
    std::vector<std::int64_t> from(static_cast<std::size_t>(elements(out)), 0);
    for (std::size_t i = 0; i < from.size(); ++i) {
        for (std::size_t d = 0; d < out.size(); ++d) {
            const std::int64_t o = static_cast<std::int64_t>(i) / out_strides[d] % out[d];
            const std::int64_t at = along_axis(d, o);
            if (at < 0) {
                from[i] = -1;
                break;
            }
            from[i] += at * in_strides[axis_of[d]];
        }
    }
    return from;
}

Movement identity(const Step& step) {
    return {step.input(0).shape, in_order(step.input(0).size())};
}

Movement flatten(const Step& step) {
    const Shape& in = step.input(0).shape;
    const auto rank = static_cast<std::int64_t>(in.size());
    std::int64_t axis = step.node.attributes.integer("axis", 1);
    if (axis < 0) axis += rank;
    if (axis < 0 || axis > rank) step.fail("axis out of range");
    const std::int64_t rows = elements(Shape(in.begin(), in.begin() + axis));
    return {{rows, elements(Shape(in.begin() + axis, in.end()))}, in_order(step.input(0).size())};
}

Movement reshape(const Step& step) {
    const Tensor& in = step.input(0);
    Shape shape = list_of(step, "shape", 1, {});
    const bool allow_zero = step.node.attributes.integer("allowzero", 0) != 0;
    std::int64_t open = -1;
    for (std::size_t d = 0; d < shape.size(); ++d) {
        if (shape[d] == 0 && !allow_zero) shape[d] = in.shape.at(d);
        if (shape[d] == -1) open = static_cast<std::int64_t>(d);
    }
    if (open >= 0) {
        shape[open] = 1;
        shape[open] = in.size() / elements(shape);
    }
    if (elements(shape) != in.size()) step.fail("cannot reshape " + to_string(in.shape) + " to " + to_string(shape));
    return {shape, in_order(in.size())};
}

Movement squeeze(const Step& step) {
    const Shape& in = step.input(0).shape;
    const auto rank = static_cast<std::int64_t>(in.size());
    const auto axes = list_of(step, "axes", 1, {});
    Shape shape;
    for (std::int64_t d = 0; d < rank; ++d) {
        const bool named = std::any_of(axes.begin(), axes.end(), [&](auto a) { return (a + rank) % rank == d; });
        if (named && in[d] != 1) step.fail("cannot squeeze an axis of " + std::to_string(in[d]));
        if (!named && (!axes.empty() || in[d] != 1)) shape.push_back(in[d]);
    }
    return {shape, in_order(step.input(0).size())};
}

Movement unsqueeze(const Step& step) {
    const auto axes = list_of(step, "axes", 1, {});
    const Shape& in = step.input(0).shape;
    const auto rank = static_cast<std::int64_t>(in.size() + axes.size());
    Shape shape;
    auto next = in.begin();
    for (std::int64_t d = 0; d < rank; ++d) {
        const bool named = std::any_of(axes.begin(), axes.end(), [&](auto a) { return (a + rank) % rank == d; });
        shape.push_back(named ? 1 : *next++);
    }
    return {shape, in_order(step.input(0).size())};
}

Movement transpose(const Step& step) {
    const Shape& in = step.input(0).shape;
    auto order = in_order(static_cast<std::int64_t>(in.size()));
    std::reverse(order.begin(), order.end());
    const auto perm = step.node.attributes.list("perm", order);
    Shape shape;
    for (const auto axis : perm) shape.push_back(in.at(axis));
    return {shape, separable(in, shape, perm, [](std::size_t, std::int64_t o) { return o; })};
}

Movement pad(const Step& step) {
    const Shape& in = step.input(0).shape;
    const std::size_t rank = in.size();
    const auto pads = list_of(step, "pads", 1, {});
    if (pads.size() != 2 * rank) step.fail("needs " + std::to_string(2 * rank) + " pads");
    const std::string mode = step.node.attributes.text("mode", "constant");
    Movement movement;
    movement.fill = step.has(2) ? step.input(2).data.at(0) : step.node.attributes.real("value", 0);
    for (std::size_t d = 0; d < rank; ++d) movement.shape.push_back(in[d] + pads[d] + pads[rank + d]);
    movement.from = separable(in, movement.shape, in_order(static_cast<std::int64_t>(rank)),
                              [&](std::size_t d, std::int64_t o) -> std::int64_t {
                                  const std::int64_t at = o - pads[d];
                                  const std::int64_t last = in[d] - 1;
                                  if (mode == "edge") return std::clamp<std::int64_t>(at, 0, last);
                                  if (mode == "reflect") return at < 0 ? -at : at > last ? 2 * last - at : at;
                                  if (mode != "constant") step.fail("mode " + mode);
                                  return at < 0 || at > last ? -1 : at;
                              });
    return movement;
}

Movement slice(const Step& step) {
    const Shape& in = step.input(0).shape;
    const auto rank = static_cast<std::int64_t>(in.size());
    const auto starts = list_of(step, "starts", 1, {});
    const auto ends = list_of(step, "ends", 2, {});
    const auto axes = list_of(step, "axes", 3, in_order(static_cast<std::int64_t>(starts.size())));
    const auto steps = list_of(step, "steps", 4, std::vector<std::int64_t>(starts.size(), 1));
    Shape shape = in;
    std::vector<std::int64_t> first(in.size(), 0);
    std::vector<std::int64_t> by(in.size(), 1);
    for (std::size_t k = 0; k < starts.size(); ++k) {
        const std::int64_t axis = (axes.at(k) + rank) % rank;
        const std::int64_t n = in[axis];
        const std::int64_t stride = steps.at(k);
        const auto bound = [n](std::int64_t v, std::int64_t low, std::int64_t high) {
            return std::clamp(v < 0 ? v + n : v, low, high);
        };
        // numpy's rule: a negative step may end before element 0.
        const std::int64_t begin = stride > 0 ? bound(starts[k], 0, n) : bound(starts[k], 0, n - 1);
        const std::int64_t end = stride > 0 ? bound(ends.at(k), 0, n) : bound(ends.at(k), -1, n - 1);
        const std::int64_t span = stride > 0 ? end - begin : begin - end;
        const std::int64_t size = std::abs(stride);
        first[axis] = begin;
        by[axis] = stride;
        shape[axis] = std::max<std::int64_t>(0, (span + size - 1) / size);
    }
    return {shape,
            separable(in, shape, in_order(rank), [&](std::size_t d, std::int64_t o) { return first[d] + o * by[d]; })};
}

Movement movement_of(const Step& step) {
    static const std::map<std::string, Movement (*)(const Step&)> movements{
        {"Identity", identity}, {"Dropout", identity}, {"Cast", identity},       {"Flatten", flatten},
        {"Reshape", reshape},   {"Squeeze", squeeze},  {"Unsqueeze", unsqueeze}, {"Transpose", transpose},
        {"Pad", pad},           {"Slice", slice}};
    return movements.at(step.node.op)(step);
}

std::vector<Tensor> move_forward(const Step& step) {
    const Movement movement = movement_of(step);
    Tensor out{movement.shape, {}, step.input(0).integer};
    for (const auto i : movement.from) out.data.push_back(i < 0 ? movement.fill : step.input(0).data[i]);
    return {out};
}

std::vector<Tensor> move_reverse(const ReverseStep& step) {
    const Movement movement = movement_of(step);
    Tensor back = Tensor::zeros(step.input(0).shape);
    for (std::size_t i = 0; i < movement.from.size(); ++i) {
        if (movement.from[i] >= 0) back.data[movement.from[i]] += step.signal.data[i];
    }
    return {back};
}

std::vector<Tensor> dropout_forward(const Step& step) {
    if (step.has(2) && step.input(2).data.at(0) != 0) step.fail("training mode");
    Tensor mask = step.input(0);
    std::fill(mask.data.begin(), mask.data.end(), 1.0);
    return {step.input(0), mask};
}

std::vector<Tensor> cast_forward(const Step& step) {
    constexpr int float_types[] = {1, 10, 11, 16};  // FLOAT, FLOAT16, DOUBLE, BFLOAT16 of TensorProto.DataType
    constexpr int boolean = 9;
    const auto to = step.node.attributes.integer("to", 1);
    Tensor out = step.input(0);
    out.integer = std::find(std::begin(float_types), std::end(float_types), to) == std::end(float_types);
    for (double& v : out.data) {
        if (to == boolean)
            v = v != 0 ? 1 : 0;
        else if (out.integer)
            v = static_cast<double>(static_cast<std::int64_t>(v));
    }
    return {out};
}

/// Concat's inputs one after another along an axis: each is a stretch of every row of the output.
struct Parts {
    Shape shape;
    std::int64_t rows = 1;              // product of the sizes before the axis
    std::vector<std::int64_t> lengths;  // a row of each input
    std::int64_t length = 0;            // a row of the output
};

Parts parts_of(const Step& step) {
    Parts parts;
    parts.shape = step.input(0).shape;
    std::int64_t axis = step.node.attributes.integer("axis", 1);
    if (axis < 0) axis += static_cast<std::int64_t>(parts.shape.size());
    parts.shape.at(axis) = 0;
    for (std::size_t k = 0; k < step.inputs.size(); ++k) {
        const Shape& in = step.input(k).shape;
        for (std::size_t d = 0; d < in.size(); ++d) {
            if (static_cast<std::int64_t>(d) != axis && in[d] != parts.shape.at(d)) step.fail("sizes differ");
        }
        parts.shape[axis] += in.at(axis);
        parts.lengths.push_back(elements(Shape(in.begin() + axis, in.end())));
        parts.length += parts.lengths.back();
    }
    parts.rows = elements(Shape(parts.shape.begin(), parts.shape.begin() + axis));
    return parts;
}

std::vector<Tensor> concat_forward(const Step& step) {
    const Parts parts = parts_of(step);
    Tensor out{parts.shape, {}, step.input(0).integer};
    for (std::int64_t row = 0; row < parts.rows; ++row) {
        for (std::size_t k = 0; k < parts.lengths.size(); ++k) {
            const auto begin = step.input(k).data.begin() + row * parts.lengths[k];
            out.data.insert(out.data.end(), begin, begin + parts.lengths[k]);
        }
    }
    return {out};
}

std::vector<Tensor> concat_reverse(const ReverseStep& step) {
    const Parts parts = parts_of(step);
    std::vector<Tensor> back;
    std::int64_t offset = 0;
    for (std::size_t k = 0; k < parts.lengths.size(); ++k) {
        back.push_back(Tensor::zeros(step.input(k).shape));
        for (std::int64_t row = 0; row < parts.rows; ++row) {
            std::copy_n(step.signal.data.begin() + row * parts.length + offset, parts.lengths[k],
                        back[k].data.begin() + row * parts.lengths[k]);
        }
        offset += parts.lengths[k];
    }
    return back;
}

}  // namespace

void add_movements(OperatorTable& table) {
    for (const char* op : {"Identity", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Pad", "Slice"}) {
        table[op] = {move_forward, move_reverse, Flow::first};
    }
    table["Dropout"] = {dropout_forward, move_reverse, Flow::first};
    table["Cast"] = {cast_forward, move_reverse, Flow::first};
    table["Concat"] = {concat_forward, concat_reverse, Flow::all};
}

}  // namespace deconv::reference
