// Add, Sub, Mul, Div, Sum with numpy's broadcasting, and ReduceMean.
#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "reference/operators.h"

namespace deconv::reference {

Shape broadcast_shapes(const Shape& a, const Shape& b) {
    Shape out(std::max(a.size(), b.size()), 1);
    for (std::size_t i = 0; i < out.size(); ++i) {  // from the last axis
        const std::int64_t da = i < a.size() ? a[a.size() - 1 - i] : 1;
        const std::int64_t db = i < b.size() ? b[b.size() - 1 - i] : 1;
        if (da != db && da != 1 && db != 1) {
            throw std::runtime_error("shapes " + to_string(a) + " and " + to_string(b) + " do not broadcast");
        }
        out[out.size() - 1 - i] = da == 1 ? db : da;
    }
    return out;
}

std::vector<std::int64_t> broadcast_map(const Shape& shape, const Shape& out) {
    if (broadcast_shapes(shape, out) != out) {
        throw std::runtime_error("shape " + to_string(shape) + " does not broadcast to " + to_string(out));
    }
    std::vector<std::int64_t> map(static_cast<std::size_t>(elements(out)));
    for (std::size_t i = 0; i < map.size(); ++i) {
        auto rest = static_cast<std::int64_t>(i);
        std::int64_t stride = 1;
        for (std::size_t d = 0; d < shape.size(); ++d) {  // from the last axis
            const std::int64_t n = shape[shape.size() - 1 - d];
            const std::int64_t full = out[out.size() - 1 - d];
            if (n > 1) map[i] += rest % full * stride;
            rest /= full;
            stride *= n;
        }
    }
    return map;
}

Tensor sum_to(const Tensor& signal, const Shape& shape) {
    if (signal.shape == shape) return signal;
    Tensor out = Tensor::zeros(shape);
    const auto map = broadcast_map(shape, signal.shape);
    for (std::size_t i = 0; i < map.size(); ++i) out.data[map[i]] += signal.data[i];
    return out;
}

namespace {

double combine(const std::string& op, double a, double b, bool integer) {
    if (op == "Sub") return a - b;
    if (op == "Mul") return a * b;
    if (op == "Div") return integer ? std::trunc(a / b) : a / b;
    return a + b;
}

std::vector<Tensor> forward(const Step& step) {
    Tensor out = step.input(0);
    for (std::size_t k = 1; k < step.inputs.size(); ++k) {
        const Tensor& b = step.input(k);
        Tensor next;
        next.shape = broadcast_shapes(out.shape, b.shape);
        next.integer = out.integer && b.integer;
        const auto a_map = broadcast_map(out.shape, next.shape);
        const auto b_map = broadcast_map(b.shape, next.shape);
        next.data.resize(a_map.size());
        for (std::size_t i = 0; i < a_map.size(); ++i) {
            next.data[i] = combine(step.node.op, out.data[a_map[i]], b.data[b_map[i]], next.integer);
        }
        out = std::move(next);
    }
    return {out};
}

/// The signal at each operand before it is summed back over its broadcast axes: R times the partial derivative.
std::vector<Tensor> reverse(const ReverseStep& step) {
    const std::string& op = step.node.op;
    std::vector<Tensor> back(step.inputs.size());
    for (std::size_t k = 0; k < back.size(); ++k) {
        if (!step.wanted[k]) continue;
        Tensor r = step.signal;
        if (op == "Sub" && k == 1) {
            for (double& v : r.data) v = -v;
        } else if (op == "Mul" || op == "Div") {
            const Tensor& a = step.input(0);
            const Tensor& b = step.input(1);
            const auto a_map = broadcast_map(a.shape, r.shape);
            const auto b_map = broadcast_map(b.shape, r.shape);
            for (std::size_t i = 0; i < r.data.size(); ++i) {
                const double x = a.data[a_map[i]];
                const double y = b.data[b_map[i]];
                if (op == "Mul")
                    r.data[i] *= k == 0 ? y : x;
                else
                    r.data[i] *= k == 0 ? 1 / y : -x / (y * y);
            }
        }
        back[k] = sum_to(r, step.input(k).shape);
    }
    return back;
}

struct Reduction {
    Shape kept;  // with 1 in place of the reduced axes
    Shape shape;
};

Reduction reduction_of(const Step& step) {
    const Shape& in = step.input(0).shape;
    const auto rank = static_cast<std::int64_t>(in.size());
    std::vector<std::int64_t> axes = step.node.attributes.list("axes", {});
    if (axes.empty()) {
        for (std::int64_t d = 0; d < rank; ++d) axes.push_back(d);
    }
    const bool keep = step.node.attributes.integer("keepdims", 1) != 0;
    Reduction reduction;
    for (std::int64_t d = 0; d < rank; ++d) {
        const bool reduced = std::any_of(axes.begin(), axes.end(), [&](auto a) { return (a + rank) % rank == d; });
        reduction.kept.push_back(reduced ? 1 : in[d]);
        if (!reduced || keep) reduction.shape.push_back(reduction.kept.back());
    }
    return reduction;
}

std::vector<Tensor> mean_forward(const Step& step) {
    const Reduction reduction = reduction_of(step);
    Tensor out = sum_to(step.input(0), reduction.kept);
    const double count = static_cast<double>(step.input(0).size()) / static_cast<double>(out.size());
    for (double& v : out.data) v /= count;
    out.shape = reduction.shape;
    return {out};
}

/// R spread evenly over what was averaged.
std::vector<Tensor> mean_reverse(const ReverseStep& step) {
    const Reduction reduction = reduction_of(step);
    Tensor back = Tensor::zeros(step.input(0).shape);
    const auto map = broadcast_map(reduction.kept, back.shape);
    const double count = static_cast<double>(back.size()) / static_cast<double>(step.signal.size());
    for (std::size_t i = 0; i < map.size(); ++i) back.data[i] = step.signal.data[map[i]] / count;
    return {back};
}

}  // namespace

void add_arithmetic(OperatorTable& table) {
    for (const char* op : {"Add", "Sub", "Mul", "Div", "Sum"}) table[op] = {forward, reverse, Flow::all};
    table["ReduceMean"] = {mean_forward, mean_reverse, Flow::first};
}

}  // namespace deconv::reference
