#include "nn/tensor.h"

#include <algorithm>
#include <limits>

#include "base/error.h"

namespace deconv::nn {

std::int64_t elements(const Shape& shape) {
    if (std::any_of(shape.begin(), shape.end(), [](std::int64_t size) { return size < 0; })) {
        throw Error("the shape " + to_string(shape) + " is not fully known");
    }
    if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
    std::int64_t count = 1;
    for (const std::int64_t size : shape) {
        // Shapes come from files: a product that wraps around would pass every later check of sizes.
        if (count > std::numeric_limits<std::int64_t>::max() / size) {
            throw Error("the shape " + to_string(shape) + " is too large");
        }
        count *= size;
    }
    return count;
}

std::string to_string(const Shape& shape) {
    if (shape.empty()) return "scalar";
    std::string text;
    for (const std::int64_t size : shape) {
        if (!text.empty()) text += 'x';
        text += size < 0 ? "?" : std::to_string(size);
    }
    return text;
}

namespace {

void check_count(const Shape& shape, std::size_t count) {
    if (elements(shape) != static_cast<std::int64_t>(count)) {
        throw Error("a tensor of shape " + to_string(shape) + " cannot hold " + std::to_string(count) + " values");
    }
}

}  // namespace

HostTensor HostTensor::of(Shape shape, std::vector<float> values) {
    check_count(shape, values.size());
    return {std::move(shape), std::make_shared<const std::vector<float>>(std::move(values)), nullptr};
}

HostTensor HostTensor::of(Shape shape, std::vector<std::int64_t> values) {
    check_count(shape, values.size());
    return {std::move(shape), nullptr, std::make_shared<const std::vector<std::int64_t>>(std::move(values))};
}

}  // namespace deconv::nn
