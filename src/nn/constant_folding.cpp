#include "nn/constant_folding.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <numeric>
#include <set>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/error.h"
#include "nn/host_arithmetic.h"

namespace deconv::nn {

namespace {

using Integers = std::vector<std::int64_t>;

struct Call {
    const Node& node;
    int opset;
    const std::vector<const HostTensor*>& inputs;

    const HostTensor* optional(std::size_t index) const { return index < inputs.size() ? inputs[index] : nullptr; }
    const HostTensor& input(std::size_t index) const {
        if (optional(index) == nullptr) throw Error("input " + std::to_string(index) + " is missing");
        return *inputs[index];
    }
    const Integers& integers(std::size_t index) const {
        if (input(index).is_float()) throw Error("input " + std::to_string(index) + " does not hold integers");
        return *inputs[index]->integers;
    }
    std::int64_t rank(std::size_t index) const { return static_cast<std::int64_t>(input(index).shape.size()); }

    /// A file of a few bytes can ask for any amount of memory, by Expand for instance.  Results no larger than what
    /// is there already are always allowed.
    std::size_t checked_elements(const Shape& shape) const {
        std::int64_t limit = std::int64_t{1} << 26;
        for (const HostTensor* tensor : inputs) {
            if (tensor != nullptr) limit = std::max(limit, elements(tensor->shape));
        }
        const std::int64_t count = elements(shape);
        if (count > limit) throw Error("its result of shape " + to_string(shape) + " is too large for a constant");
        return static_cast<std::size_t>(count);
    }
};

/// Calls `compute` with the values, whatever their type, and makes a tensor of what it returns.
template <typename Compute>
HostTensor rebuild(const HostTensor& tensor, Shape shape, Compute compute) {
    return tensor.is_float() ? HostTensor::of(std::move(shape), compute(*tensor.floats))
                             : HostTensor::of(std::move(shape), compute(*tensor.integers));
}

HostTensor with_shape(const HostTensor& tensor, Shape shape) {
    if (elements(shape) != elements(tensor.shape)) {
        throw Error("the shape " + to_string(tensor.shape) + " cannot become " + to_string(shape));
    }
    return {std::move(shape), tensor.floats, tensor.integers};
}

std::size_t axis_of(std::int64_t axis, std::int64_t rank) {
    if (axis < -rank || axis >= rank) {
        throw Error("axis " + std::to_string(axis) + " is not one of " + std::to_string(rank));
    }
    return static_cast<std::size_t>(axis < 0 ? axis + rank : axis);
}

/// axes as a set of flags; an axis given twice is an error.
std::vector<bool> axis_flags(const Integers& axes, std::int64_t rank) {
    std::vector<bool> flags(static_cast<std::size_t>(rank), false);
    for (const std::int64_t axis : axes) {
        const std::size_t index = axis_of(axis, rank);
        if (flags[index]) throw Error("axis " + std::to_string(axis) + " is given twice");
        flags[index] = true;
    }
    return flags;
}

std::int64_t product(const Shape& shape, std::size_t from, std::size_t to) {
    return std::accumulate(shape.begin() + static_cast<std::ptrdiff_t>(from),
                           shape.begin() + static_cast<std::ptrdiff_t>(to), std::int64_t{1}, std::multiplies<>());
}

/// Another way to walk over a tensor's elements: what Transpose, Slice and Expand have in common.
struct View {
    Shape shape;
    Integers strides;  // in elements, one for each dimension of shape
    std::int64_t offset = 0;
};

Integers dense_strides(const Shape& shape) {
    // Nothing is ever read from an empty tensor, and the product of its other sizes may not be a number.
    if (elements(shape) == 0) return Integers(shape.size(), 0);
    Integers strides(shape.size(), 1);
    for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
    return strides;
}

HostTensor copy_view(const Call& call, const HostTensor& tensor, const View& view) {
    const std::size_t count = call.checked_elements(view.shape);
    return rebuild(tensor, view.shape, [&](const auto& values) {
        std::decay_t<decltype(values)> result;
        result.reserve(count);
        Integers position(view.shape.size(), 0);
        std::int64_t at = view.offset;
        while (result.size() < count) {
            result.push_back(values[static_cast<std::size_t>(at)]);
            for (std::size_t i = position.size(); i-- > 0;) {
                at += view.strides[i];
                if (++position[i] < view.shape[i]) break;
                at -= view.strides[i] * view.shape[i];
                position[i] = 0;
            }
        }
        return result;
    });
}

Shape broadcast_shape(const Shape& a, const Shape& b) {
    Shape shape(std::max(a.size(), b.size()), 1);
    for (std::size_t i = 0; i < shape.size(); ++i) {
        // Counted from the last dimension.
        const std::int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1;
        const std::int64_t y = i < b.size() ? b[b.size() - 1 - i] : 1;
        if (x != y && x != 1 && y != 1) {
            throw Error("the shapes " + to_string(a) + " and " + to_string(b) + " do not fit each other");
        }
        shape[shape.size() - 1 - i] = x == 1 ? y : x;
    }
    return shape;
}

HostTensor broadcast_to(const Call& call, const HostTensor& tensor, const Shape& shape) {
    if (tensor.shape == shape) return tensor;
    View view{shape, Integers(shape.size(), 0), 0};
    const Integers strides = dense_strides(tensor.shape);
    const std::size_t added = shape.size() - tensor.shape.size();
    for (std::size_t i = 0; i < strides.size(); ++i) view.strides[added + i] = tensor.shape[i] == 1 ? 0 : strides[i];
    return copy_view(call, tensor, view);
}

HostTensor transpose(const Call& call) {
    const HostTensor& tensor = call.input(0);
    Integers order(tensor.shape.size());
    std::iota(order.rbegin(), order.rend(), 0);
    order = call.node.attributes.integers("perm", order);
    if (order.size() != tensor.shape.size()) throw Error("perm does not have one entry for each dimension");
    axis_flags(order, call.rank(0));
    const Integers strides = dense_strides(tensor.shape);
    View view;
    for (const std::int64_t from : order) {
        const std::size_t axis = axis_of(from, call.rank(0));
        view.shape.push_back(tensor.shape[axis]);
        view.strides.push_back(strides[axis]);
    }
    return copy_view(call, tensor, view);
}

HostTensor slice(const Call& call) {
    const HostTensor& tensor = call.input(0);
    const Attributes& attributes = call.node.attributes;
    const bool by_attribute = call.opset < 10;
    const Integers starts = by_attribute ? attributes.integers("starts", {}) : call.integers(1);
    const Integers ends = by_attribute ? attributes.integers("ends", {}) : call.integers(2);
    Integers axes(starts.size());
    std::iota(axes.begin(), axes.end(), 0);
    if (by_attribute) {
        axes = attributes.integers("axes", axes);
    } else if (call.optional(3) != nullptr) {
        axes = call.integers(3);
    }
    const Integers steps = !by_attribute && call.optional(4) != nullptr ? call.integers(4) : Integers(starts.size(), 1);
    if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size()) {
        throw Error("starts, ends, axes and steps are not of one length");
    }
    axis_flags(axes, call.rank(0));

    View view{tensor.shape, dense_strides(tensor.shape), 0};
    for (std::size_t i = 0; i < starts.size(); ++i) {
        const std::size_t axis = axis_of(axes[i], call.rank(0));
        const std::int64_t size = tensor.shape[axis];
        // Bounds before the first and behind the last element stop there; going backwards that is -1 and size - 1.
        const bool backwards = steps[i] < 0;
        const std::int64_t low = backwards ? -1 : 0;
        const std::int64_t high = backwards ? size - 1 : size;
        const auto bounded = [&](std::int64_t at) { return std::clamp(at < 0 ? at + size : at, low, high); };
        if (steps[i] == 0) throw Error("a step is 0");
        const std::int64_t start = bounded(starts[i]);
        const std::int64_t distance = backwards ? start - bounded(ends[i]) : bounded(ends[i]) - start;
        // No step reaches further than the tensor, and -INT64_MIN does not exist.
        const std::int64_t step = std::clamp<std::int64_t>(steps[i], -size - 1, size + 1);
        const std::int64_t stride = std::abs(step);
        view.shape[axis] = distance <= 0 ? 0 : (distance - 1) / stride + 1;
        view.offset += start * view.strides[axis];
        view.strides[axis] *= step;
    }
    return copy_view(call, tensor, view);
}

HostTensor expand(const Call& call) {
    const HostTensor& tensor = call.input(0);
    return broadcast_to(call, tensor, broadcast_shape(tensor.shape, call.integers(1)));
}

HostTensor reshape(const Call& call) {
    const HostTensor& tensor = call.input(0);
    Shape shape = call.integers(1);
    const bool zero_means_zero = call.node.attributes.integer("allowzero", 0) != 0;
    std::optional<std::size_t> open;
    for (std::size_t i = 0; i < shape.size(); ++i) {
        if (shape[i] == 0 && !zero_means_zero) {
            if (i >= tensor.shape.size()) throw Error("the new shape keeps a dimension that is not there");
            shape[i] = tensor.shape[i];
        } else if (shape[i] == -1) {
            if (open) throw Error("the new shape leaves two dimensions open");
            open = i;
        }
    }
    if (open) {
        shape[*open] = 1;
        const std::int64_t known = elements(shape);
        const std::int64_t count = elements(tensor.shape);
        if (known == 0) throw Error("the new shape leaves a dimension open beside one of size 0");
        shape[*open] = count / known;
    }
    return with_shape(tensor, std::move(shape));
}

/// The axes of Squeeze and Unsqueeze: an attribute before opset 13, an input since.
std::optional<Integers> squeezed_axes(const Call& call) {
    if (call.opset >= 13) return call.optional(1) != nullptr ? std::optional(call.integers(1)) : std::nullopt;
    if (!call.node.attributes.has("axes")) return std::nullopt;
    return call.node.attributes.integers("axes", {});
}

HostTensor squeeze(const Call& call) {
    const HostTensor& tensor = call.input(0);
    const auto axes = squeezed_axes(call);
    const std::vector<bool> flags = axis_flags(axes.value_or(Integers{}), call.rank(0));
    Shape shape;
    for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
        if (flags[i] && tensor.shape[i] != 1) throw Error("it squeezes a dimension that is not 1");
        if (axes ? !flags[i] : tensor.shape[i] != 1) shape.push_back(tensor.shape[i]);
    }
    return with_shape(tensor, std::move(shape));
}

HostTensor unsqueeze(const Call& call) {
    const HostTensor& tensor = call.input(0);
    const auto axes = squeezed_axes(call);
    if (!axes) throw Error("it has no axes");
    const std::vector<bool> flags = axis_flags(*axes, call.rank(0) + static_cast<std::int64_t>(axes->size()));
    Shape shape;
    std::size_t from = 0;
    for (const bool added : flags) shape.push_back(added ? 1 : tensor.shape[from++]);
    return with_shape(tensor, std::move(shape));
}

HostTensor concat(const Call& call) {
    const HostTensor& first = call.input(0);
    if (!call.node.attributes.has("axis")) throw Error("it has no axis");
    const std::size_t axis = axis_of(call.node.attributes.integer("axis", 0), call.rank(0));
    Shape shape = first.shape;
    shape[axis] = 0;
    for (std::size_t i = 0; i < call.inputs.size(); ++i) {
        Shape expected = call.input(i).shape;
        if (call.input(i).is_float() != first.is_float() || expected.size() != shape.size()) {
            throw Error("input " + std::to_string(i) + " is not of the first one's kind");
        }
        shape[axis] += std::exchange(expected[axis], first.shape[axis]);
        if (expected != first.shape) {
            throw Error("the shapes " + to_string(first.shape) + " and " + to_string(call.input(i).shape) +
                        " cannot be concatenated");
        }
    }
    const std::size_t count = call.checked_elements(shape);
    return rebuild(first, shape, [&](const auto& kind) {
        std::decay_t<decltype(kind)> result;
        result.reserve(count);
        const std::int64_t outer = count == 0 ? 0 : product(shape, 0, axis);
        for (std::int64_t row = 0; row < outer; ++row) {
            for (const HostTensor* tensor : call.inputs) {
                const std::int64_t size = product(tensor->shape, axis, shape.size());
                const auto append = [&](const auto& values) {
                    const auto from = values.begin() + row * size;
                    result.insert(result.end(), from, from + size);
                };
                if constexpr (std::is_same_v<std::decay_t<decltype(kind)>, Integers>) {
                    append(*tensor->integers);
                } else {
                    append(*tensor->floats);
                }
            }
        }
        return result;
    });
}

HostTensor gather(const Call& call) {
    const HostTensor& tensor = call.input(0);
    const Integers& indices = call.integers(1);
    const std::size_t axis = axis_of(call.node.attributes.integer("axis", 0), call.rank(0));
    const auto split = tensor.shape.begin() + static_cast<std::ptrdiff_t>(axis);
    Shape shape(tensor.shape.begin(), split);
    shape.insert(shape.end(), call.input(1).shape.begin(), call.input(1).shape.end());
    shape.insert(shape.end(), split + 1, tensor.shape.end());
    const std::size_t count = call.checked_elements(shape);
    const std::int64_t size = tensor.shape[axis];
    return rebuild(tensor, shape, [&](const auto& values) {
        std::decay_t<decltype(values)> result;
        result.reserve(count);
        const std::int64_t outer = count == 0 ? 0 : product(tensor.shape, 0, axis);
        const std::int64_t inner = count == 0 ? 0 : product(tensor.shape, axis + 1, tensor.shape.size());
        for (std::int64_t row = 0; row < outer; ++row) {
            for (const std::int64_t index : indices) {
                if (index < -size || index >= size) {
                    throw Error("index " + std::to_string(index) + " is outside a dimension of " +
                                std::to_string(size));
                }
                const auto from = values.begin() + (row * size + (index < 0 ? index + size : index)) * inner;
                result.insert(result.end(), from, from + inner);
            }
        }
        return result;
    });
}

/// A node of two inputs that are broadcast against each other.
template <HostTensor (*compute)(const HostTensor&, const HostTensor&)>
HostTensor broadcast(const Call& call) {
    const Shape shape = broadcast_shape(call.input(0).shape, call.input(1).shape);
    return compute(broadcast_to(call, call.input(0), shape), broadcast_to(call, call.input(1), shape));
}

HostTensor where(const Call& call) {
    const Shape values = broadcast_shape(call.input(1).shape, call.input(2).shape);
    const Shape shape = broadcast_shape(call.input(0).shape, values);
    return choose(broadcast_to(call, call.input(0), shape), broadcast_to(call, call.input(1), shape),
                  broadcast_to(call, call.input(2), shape));
}

HostTensor constant_of_shape(const Call& call) {
    const Shape& shape = call.integers(0);
    const std::size_t count = call.checked_elements(shape);
    const HostTensor* value = call.node.attributes.tensor("value");
    if (value == nullptr) return HostTensor::of(shape, std::vector<float>(count, 0.0F));
    if (elements(value->shape) != 1) throw Error("its value is not a single number");
    return rebuild(*value, shape,
                   [&](const auto& single) { return std::decay_t<decltype(single)>(count, single.front()); });
}

HostTensor sequence(const Call& call) {
    for (std::size_t i = 0; i < 3; ++i) {
        if (elements(call.input(i).shape) != 1) throw Error("its bounds are not single numbers");
    }
    const std::int64_t count = range_length(call.input(0), call.input(1), call.input(2));
    call.checked_elements({count});
    return range(call.input(0), call.input(2), count);
}

HostTensor identity(const Call& call) {
    return call.input(0);
}
HostTensor cast_values(const Call& call) {
    return cast(call.input(0), call.node.attributes.integer("to", 0));
}
HostTensor floor_values(const Call& call) {
    return floor(call.input(0));
}
HostTensor ceil_values(const Call& call) {
    return ceil(call.input(0));
}

using Compute = HostTensor (*)(const Call&);

const std::map<std::string_view, Compute>& computations() {
    static const std::map<std::string_view, Compute> table = {
        {"Add", broadcast<add>},
        {"Cast", cast_values},
        {"Ceil", ceil_values},
        {"Concat", concat},
        {"ConstantOfShape", constant_of_shape},
        {"Div", broadcast<divide>},
        {"Equal", broadcast<equal>},
        {"Expand", expand},
        {"Floor", floor_values},
        {"Gather", gather},
        {"Identity", identity},
        {"Mul", broadcast<multiply>},
        {"Range", sequence},
        {"Reshape", reshape},
        {"Slice", slice},
        {"Squeeze", squeeze},
        {"Sub", broadcast<subtract>},
        {"Transpose", transpose},
        {"Unsqueeze", unsqueeze},
        {"Where", where},
    };
    return table;
}

/// The part of the input's shape from start to end; nothing where that part has an open dimension.
std::optional<HostTensor> shape_of(const Node& node, int opset, const Shape& shape) {
    const auto rank = static_cast<std::int64_t>(shape.size());
    const auto bounded = [&](std::int64_t at) { return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank); };
    // Before opset 15 the whole shape.
    const std::int64_t start = opset < 15 ? 0 : bounded(node.attributes.integer("start", 0));
    const std::int64_t end = opset < 15 ? rank : std::max(start, bounded(node.attributes.integer("end", rank)));
    Integers sizes(shape.begin() + start, shape.begin() + end);
    if (std::any_of(sizes.begin(), sizes.end(), [](std::int64_t size) { return size < 0; })) return std::nullopt;
    return HostTensor::of({end - start}, std::move(sizes));
}

}  // namespace

std::optional<std::vector<HostTensor>> fold(const Node& node, int opset, const std::vector<const HostTensor*>& inputs,
                                            const std::vector<std::optional<Shape>>& input_shapes) try {
    if (node.op == "Shape") {
        std::optional<HostTensor> sizes;
        if (!inputs.empty() && inputs[0] != nullptr) {
            sizes = shape_of(node, opset, inputs[0]->shape);
        } else if (!input_shapes.empty() && input_shapes[0]) {
            sizes = shape_of(node, opset, *input_shapes[0]);
        }
        if (!sizes) return std::nullopt;
        return std::vector<HostTensor>{std::move(*sizes)};
    }
    const auto found = computations().find(node.op);
    if (found == computations().end()) return std::nullopt;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        if (!node.inputs[i].empty() && (i >= inputs.size() || inputs[i] == nullptr)) return std::nullopt;
    }
    return std::vector<HostTensor>{found->second({node, opset, inputs})};
} catch (const Error& error) {
    throw Error("node '" + node.name + "' (" + node.op + "): " + error.what());
}

void fold_constants(Graph& graph) {
    std::vector<Node> rest;
    for (Node& node : graph.nodes) {
        std::vector<const HostTensor*> inputs;
        std::vector<std::optional<Shape>> shapes;
        for (const std::string& name : node.inputs) {
            const auto constant = graph.constants.find(name);
            inputs.push_back(constant == graph.constants.end() ? nullptr : &constant->second);
            shapes.push_back(inputs.back() == nullptr ? std::nullopt : std::optional(constant->second.shape));
        }
        const bool constant = !inputs.empty() && std::none_of(inputs.begin(), inputs.end(),
                                                              [](const HostTensor* input) { return input == nullptr; });
        std::optional<std::vector<HostTensor>> folded;
        if (constant) folded = fold(node, graph.opset, inputs, shapes);
        if (!folded) {
            rest.push_back(std::move(node));
            continue;
        }
        for (std::size_t i = 0; i < node.outputs.size() && i < folded->size(); ++i) {
            graph.constants[node.outputs[i]] = std::move((*folded)[i]);
        }
    }
    graph.nodes = std::move(rest);
    std::set<std::string> read(graph.outputs.begin(), graph.outputs.end());
    for (const Node& node : graph.nodes) read.insert(node.inputs.begin(), node.inputs.end());
    std::erase_if(graph.constants, [&](const auto& constant) { return read.count(constant.first) == 0; });
}

}  // namespace deconv::nn
