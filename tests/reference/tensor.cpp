#include "reference/tensor.h"

#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace deconv::reference {

std::int64_t elements(const Shape& shape) {
    return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

std::string to_string(const Shape& shape) {
    std::string text;
    for (const auto d : shape) {
        if (!text.empty()) text += 'x';
        text += std::to_string(d);
    }
    return text.empty() ? "scalar" : text;
}

Tensor Tensor::zeros(Shape shape) {
    Tensor t;
    t.data.assign(static_cast<std::size_t>(elements(shape)), 0.0);
    t.shape = std::move(shape);
    return t;
}

double relative_error(const Tensor& a, const Tensor& b) {
    if (a.shape != b.shape) return std::numeric_limits<double>::infinity();
    double difference = 0;
    double length = 0;
    for (std::size_t i = 0; i < b.data.size(); ++i) {
        difference += (a.data[i] - b.data[i]) * (a.data[i] - b.data[i]);
        length += b.data[i] * b.data[i];
    }
    if (difference == 0) return 0;
    return std::sqrt(difference / length);  // NaN stays NaN and fails every comparison
}

double inner(const Tensor& a, const Tensor& b) {
    if (a.shape != b.shape) throw std::runtime_error("inner: shapes differ");
    return std::inner_product(a.data.begin(), a.data.end(), b.data.begin(), 0.0);
}

void accumulate(Tensor& a, const Tensor& b) {
    if (a.data.empty() && a.shape.empty()) {
        a = b;
        return;
    }
    if (a.shape != b.shape) {
        throw std::runtime_error("signals of shapes " + to_string(a.shape) + " and " + to_string(b.shape) +
                                 " cannot be added");
    }
    for (std::size_t i = 0; i < b.data.size(); ++i) a.data[i] += b.data[i];
}

Planes planes_of(const Shape& shape) {
    Planes p;
    switch (shape.size()) {
        case 4:
            p.width = shape[3];
            p.height = shape[2];
            break;
        case 3:
            p.width = shape[2];
            break;
        case 2:
            break;
        case 1:
            p.channels = shape[0];
            return p;
        default:
            throw std::runtime_error("a tensor of shape " + to_string(shape) + " is no batch of feature maps");
    }
    p.images = shape[0];
    p.channels = shape[1];
    return p;
}

}  // namespace deconv::reference
