// Rectifiers and the other pointwise activations.
#include <algorithm>
#include <cmath>
#include <limits>

#include "reference/operators.h"

namespace deconv::reference {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

struct Bounds {
    double low = -infinity, high = infinity;
};

Bounds clip_bounds(const Step& step) {
    if (step.opset < 11) {
        return {step.node.attributes.real("min", -infinity), step.node.attributes.real("max", infinity)};
    }
    Bounds bounds;
    if (step.has(1)) bounds.low = step.input(1).data.at(0);
    if (step.has(2)) bounds.high = step.input(2).data.at(0);
    return bounds;
}

double hard_sigmoid(double x, double alpha, double beta) {
    return std::clamp(alpha * x + beta, 0.0, 1.0);
}

double sigmoid(double x) {
    return 1.0 / (1.0 + std::exp(-x));
}

/// PRelu's slope at each element of x (unidirectional broadcasting).
std::vector<double> slopes_of(const Step& step) {
    const Tensor& slope = step.input(1);
    const auto map = broadcast_map(slope.shape, step.input(0).shape);
    std::vector<double> slopes;
    slopes.reserve(map.size());
    for (const auto i : map) slopes.push_back(slope.data[i]);
    return slopes;
}

/// The activation as a function of one element; element i matters to PRelu only.
double activate(const Step& step, const std::vector<double>& slopes, std::size_t i, double x) {
    const std::string& op = step.node.op;
    const auto& attributes = step.node.attributes;
    if (op == "Relu") return std::max(x, 0.0);
    if (op == "Clip") {
        const Bounds bounds = clip_bounds(step);
        return std::min(std::max(x, bounds.low), bounds.high);
    }
    if (op == "LeakyRelu") return x >= 0 ? x : attributes.real("alpha", 0.01) * x;
    if (op == "PRelu") return x >= 0 ? x : slopes[i] * x;
    if (op == "Sigmoid") return sigmoid(x);
    if (op == "HardSigmoid") return hard_sigmoid(x, attributes.real("alpha", 0.2), attributes.real("beta", 0.5));
    if (op == "HardSwish") return x * hard_sigmoid(x, 1.0 / 6.0, 0.5);
    return std::tanh(x);
}

/// Its derivative.  `side` is the x that decides at a kink (where it is not the reference's own, see Choices).
double derivative(const Step& step, const std::vector<double>& slopes, std::size_t i, double x, double side) {
    const std::string& op = step.node.op;
    const auto& attributes = step.node.attributes;
    if (op == "Relu") return side > 0 ? 1 : 0;
    if (op == "Clip") {
        const Bounds bounds = clip_bounds(step);
        return side > bounds.low && side <= bounds.high ? 1 : 0;
    }
    if (op == "LeakyRelu") return side > 0 ? 1 : attributes.real("alpha", 0.01);
    if (op == "PRelu") return side > 0 ? 1 : slopes[i];
    if (op == "Sigmoid") return sigmoid(x) * (1 - sigmoid(x));
    if (op == "HardSigmoid") {
        const double alpha = attributes.real("alpha", 0.2);
        const double inner = alpha * side + attributes.real("beta", 0.5);
        return inner > 0 && inner < 1 ? alpha : 0;
    }
    if (op == "HardSwish") return side <= -3 ? 0 : side >= 3 ? 1 : x / 3 + 0.5;
    return 1 - std::tanh(x) * std::tanh(x);
}

/// The activations that decide the masks: the input's, or the output's where its sign says as much.
const Tensor& decider(const ReverseStep& step) {
    const Tensor& x = step.input(0);
    if (step.choices == nullptr) return x;
    const auto& activations = step.choices->activations;
    auto found = activations.find(step.node.inputs[0]);
    const bool output_tells = step.node.op == "Relu" || step.node.op == "Clip" || step.node.op == "LeakyRelu";
    if (found == activations.end() && output_tells) found = activations.find(step.node.outputs[0]);
    if (found == activations.end()) return x;
    if (found->second.shape != x.shape) step.fail("the chosen activations have another shape");
    return found->second;
}

std::vector<Tensor> forward(const Step& step) {
    Tensor out = step.input(0);
    const auto slopes = step.node.op == "PRelu" ? slopes_of(step) : std::vector<double>{};
    for (std::size_t i = 0; i < out.data.size(); ++i) out.data[i] = activate(step, slopes, i, out.data[i]);
    return {out};
}

std::vector<Tensor> reverse(const ReverseStep& step) {
    const Tensor& x = step.input(0);
    const Tensor& side = decider(step);
    const auto slopes = step.node.op == "PRelu" ? slopes_of(step) : std::vector<double>{};
    // Relu and a Clip that rectifies let max(R, 0) through under `deconv`, whatever x was; every other activation
    // scales it by |d|.
    const bool rectifier = step.node.op == "Relu" || (step.node.op == "Clip" && clip_bounds(step).low >= 0);
    Tensor back = step.signal;
    for (std::size_t i = 0; i < back.data.size(); ++i) {
        const double r = step.signal.data[i];
        const double d = derivative(step, slopes, i, x.data[i], side.data[i]);
        switch (step.rule) {
            case Rule::gradient:
                back.data[i] = d * r;
                break;
            case Rule::guided:
                back.data[i] = d * std::max(r, 0.0);
                break;
            case Rule::deconv:
                back.data[i] = (rectifier ? 1.0 : std::abs(d)) * std::max(r, 0.0);
                break;
        }
    }
    return {back};
}

}  // namespace

void add_rectifiers(OperatorTable& table) {
    for (const char* op : {"Relu", "Clip", "LeakyRelu", "PRelu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh"}) {
        table[op] = {forward, reverse, Flow::first};
    }
}

}  // namespace deconv::reference
