// Constants and the operators from which graphs compute shapes.  No signal passes back through them.
#include <algorithm>
#include <cmath>

#include "reference/operators.h"

namespace deconv::reference {

namespace {

std::vector<Tensor> constant(const Step& step) {
    const Attributes& a = step.node.attributes;
    const auto has = [](const auto& map, const char* name) { return map.find(name) != map.end(); };
    if (has(a.tensors, "value")) return {a.tensors.at("value")};
    if (has(a.reals, "value_float")) return {Tensor{{}, {a.reals.at("value_float")}}};
    if (has(a.integers, "value_int")) return {Tensor{{}, {static_cast<double>(a.integers.at("value_int"))}, true}};
    if (has(a.real_lists, "value_floats")) {
        const auto& list = a.real_lists.at("value_floats");
        return {Tensor{{static_cast<std::int64_t>(list.size())}, list}};
    }
    const auto list = a.list("value_ints", {});
    return {Tensor{{static_cast<std::int64_t>(list.size())}, {list.begin(), list.end()}, true}};
}

std::vector<Tensor> shape(const Step& step) {
    const Shape& in = step.input(0).shape;
    const auto rank = static_cast<std::int64_t>(in.size());
    const auto bound = [&](std::int64_t v) { return std::clamp<std::int64_t>(v < 0 ? v + rank : v, 0, rank); };
    const std::int64_t begin = bound(step.node.attributes.integer("start", 0));
    const std::int64_t end = std::max(begin, bound(step.node.attributes.integer("end", rank)));
    return {Tensor{{end - begin}, {in.begin() + begin, in.begin() + end}, true}};
}

std::vector<Tensor> size(const Step& step) {
    return {Tensor{{}, {static_cast<double>(step.input(0).size())}, true}};
}

std::vector<Tensor> constant_of_shape(const Step& step) {
    const auto value = step.node.attributes.tensors.find("value");
    const bool given = value != step.node.attributes.tensors.end();
    Tensor out = Tensor::zeros({step.input(0).data.begin(), step.input(0).data.end()});
    if (given) {
        std::fill(out.data.begin(), out.data.end(), value->second.data.at(0));
        out.integer = value->second.integer;
    }
    return {out};
}

std::vector<Tensor> gather(const Step& step) {
    const Tensor& data = step.input(0);
    const Tensor& indices = step.input(1);
    std::int64_t axis = step.node.attributes.integer("axis", 0);
    if (axis < 0) axis += data.rank();
    const std::int64_t n = data.shape.at(axis);
    const std::int64_t outer = elements(Shape(data.shape.begin(), data.shape.begin() + axis));
    const std::int64_t inner = elements(Shape(data.shape.begin() + axis + 1, data.shape.end()));
    Tensor out{{data.shape.begin(), data.shape.begin() + axis}, {}, data.integer};
    out.shape.insert(out.shape.end(), indices.shape.begin(), indices.shape.end());
    out.shape.insert(out.shape.end(), data.shape.begin() + axis + 1, data.shape.end());
    for (std::int64_t o = 0; o < outer; ++o) {
        for (const double value : indices.data) {
            const auto index = static_cast<std::int64_t>(value) + (value < 0 ? n : 0);
            if (index < 0 || index >= n) step.fail("index out of range");
            const auto begin = data.data.begin() + (o * n + index) * inner;
            out.data.insert(out.data.end(), begin, begin + inner);
        }
    }
    return {out};
}

template <double (*function)(double)>
std::vector<Tensor> round_with(const Step& step) {
    Tensor out = step.input(0);
    for (double& v : out.data) v = function(v);
    return {out};
}

double round_down(double v) {
    return std::floor(v);
}
double round_up(double v) {
    return std::ceil(v);
}

std::vector<Tensor> no_way_back(const ReverseStep& step) {
    step.fail("no signal passes back through it");
}

}  // namespace

void add_constants(OperatorTable& table) {
    table["Constant"] = {constant, no_way_back, Flow::none};
    table["Shape"] = {shape, no_way_back, Flow::none};
    table["Size"] = {size, no_way_back, Flow::none};
    table["ConstantOfShape"] = {constant_of_shape, no_way_back, Flow::none};
    table["Gather"] = {gather, no_way_back, Flow::first};
    table["Floor"] = {round_with<round_down>, no_way_back, Flow::first};
    table["Ceil"] = {round_with<round_up>, no_way_back, Flow::first};
}

}  // namespace deconv::reference
