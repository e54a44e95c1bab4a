// BatchNormalization, LRN and Softmax.
#include <algorithm>
#include <cmath>

#include "reference/operators.h"

namespace deconv::reference {

namespace {

/// γ / √(σ² + ε) of each channel.
std::vector<double> batch_factors(const Step& step) {
    if (step.node.attributes.integer("training_mode", 0) != 0) step.fail("training mode");
    const double epsilon = step.node.attributes.real("epsilon", 1e-5);
    const Tensor& gamma = step.input(1);
    const Tensor& variance = step.input(4);
    const Planes planes = planes_of(step.input(0).shape);
    if (gamma.size() != planes.channels || variance.size() != planes.channels) step.fail("one value a channel");
    std::vector<double> factors;
    for (std::size_t c = 0; c < gamma.data.size(); ++c) {
        factors.push_back(gamma.data[c] / std::sqrt(variance.data[c] + epsilon));
    }
    return factors;
}

std::vector<Tensor> batch_forward(const Step& step) {
    const auto factors = batch_factors(step);
    const Planes planes = planes_of(step.input(0).shape);
    Tensor out = step.input(0);
    for (std::size_t i = 0; i < out.data.size(); ++i) {
        const std::size_t c = i / planes.area() % planes.channels;
        out.data[i] = (out.data[i] - step.input(3).data[c]) * factors[c] + step.input(2).data[c];
    }
    return {out};
}

std::vector<Tensor> batch_reverse(const ReverseStep& step) {
    const auto factors = batch_factors(step);
    const Planes planes = planes_of(step.input(0).shape);
    Tensor back = step.signal;
    for (std::size_t i = 0; i < back.data.size(); ++i) back.data[i] *= factors[i / planes.area() % planes.channels];
    return {back};
}

/// y_c = x_c * s_c^-beta with s_c = bias + alpha / size * the sum of x² over the channels around c.
struct LrnParameters {
    std::int64_t size;
    double alpha, beta, bias;
    Planes planes;

    std::int64_t first(std::int64_t c) const { return std::max<std::int64_t>(0, c - (size - 1) / 2); }
    std::int64_t last(std::int64_t c) const { return std::min(planes.channels - 1, c + size / 2); }
};

LrnParameters lrn_parameters(const Step& step) {
    const auto& attributes = step.node.attributes;
    return {attributes.integer("size", 1), attributes.real("alpha", 1e-4), attributes.real("beta", 0.75),
            attributes.real("bias", 1.0), planes_of(step.input(0).shape)};
}

/// Calls visit(the index of channel 0, channel stride) for each pixel of each image.
template <typename Visit>
void visit_pixels(const Planes& planes, Visit visit) {
    for (std::int64_t n = 0; n < planes.images; ++n) {
        for (std::int64_t p = 0; p < planes.area(); ++p) visit(n * planes.channels * planes.area() + p, planes.area());
    }
}

double lrn_sum(const LrnParameters& lrn, const double* x, std::int64_t stride, std::int64_t c) {
    double squares = 0;
    for (std::int64_t k = lrn.first(c); k <= lrn.last(c); ++k) squares += x[k * stride] * x[k * stride];
    return lrn.bias + lrn.alpha / static_cast<double>(lrn.size) * squares;
}

std::vector<Tensor> lrn_forward(const Step& step) {
    const LrnParameters lrn = lrn_parameters(step);
    const Tensor& x = step.input(0);
    Tensor out = Tensor::zeros(x.shape);
    visit_pixels(lrn.planes, [&](std::int64_t base, std::int64_t stride) {
        for (std::int64_t c = 0; c < lrn.planes.channels; ++c) {
            const double sum = lrn_sum(lrn, x.data.data() + base, stride, c);
            out.data[base + c * stride] = x.data[base + c * stride] * std::pow(sum, -lrn.beta);
        }
    });
    return {out};
}

/// dy_c/dx_k = [c = k] s_c^-beta - 2 alpha beta / size * x_c x_k s_c^(-beta - 1) for k in c's window.
std::vector<Tensor> lrn_reverse(const ReverseStep& step) {
    if (step.rule != Rule::gradient && step.lrn == Lrn::identity) return {step.signal};
    const LrnParameters lrn = lrn_parameters(step);
    Tensor back = Tensor::zeros(step.input(0).shape);
    visit_pixels(lrn.planes, [&](std::int64_t base, std::int64_t stride) {
        const double* x = step.input(0).data.data() + base;
        for (std::int64_t c = 0; c < lrn.planes.channels; ++c) {
            const double sum = lrn_sum(lrn, x, stride, c);
            const double r = step.signal.data[base + c * stride];
            back.data[base + c * stride] += r * std::pow(sum, -lrn.beta);
            const double slope = -2 * lrn.alpha * lrn.beta / static_cast<double>(lrn.size) * x[c * stride] *
                                 std::pow(sum, -lrn.beta - 1);
            for (std::int64_t k = lrn.first(c); k <= lrn.last(c); ++k) {
                back.data[base + k * stride] += r * slope * x[k * stride];
            }
        }
    });
    return {back};
}

/// Before opset 13 over all axes from `axis` on, taken as one; since then over `axis` alone.
std::vector<Tensor> softmax_forward(const Step& step) {
    Tensor out = step.input(0);
    const std::int64_t rank = out.rank();
    std::int64_t axis = step.node.attributes.integer("axis", step.opset < 13 ? 1 : -1);
    if (axis < 0) axis += rank;
    std::int64_t count = 1;
    std::int64_t stride = 1;
    for (std::int64_t d = axis; d < rank; ++d) (step.opset < 13 || d == axis ? count : stride) *= out.shape[d];
    for (std::int64_t i = 0; i < out.size(); ++i) {
        if (i / stride % count != 0) continue;  // i is the first element of its row
        double* row = out.data.data() + i;
        double largest = row[0];
        for (std::int64_t k = 0; k < count; ++k) largest = std::max(largest, row[k * stride]);
        double sum = 0;
        for (std::int64_t k = 0; k < count; ++k) sum += row[k * stride] = std::exp(row[k * stride] - largest);
        for (std::int64_t k = 0; k < count; ++k) row[k * stride] /= sum;
    }
    return {out};
}

std::vector<Tensor> softmax_reverse(const ReverseStep& step) {
    step.fail("a Softmax is never crossed: start at its input");
}

}  // namespace

void add_normalizations(OperatorTable& table) {
    table["BatchNormalization"] = {batch_forward, batch_reverse, Flow::first};
    table["LRN"] = {lrn_forward, lrn_reverse, Flow::first};
    table["Softmax"] = {softmax_forward, softmax_reverse, Flow::first};
}

}  // namespace deconv::reference
