#include "nn/host_arithmetic.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"

namespace deconv::nn {

namespace {

/// TensorProto's numbers for the types of elements, as the attribute "to" of Cast gives them.
enum ElementType : std::int64_t {
    element_float = 1,
    element_uint8 = 2,
    element_int8 = 3,
    element_uint16 = 4,
    element_int16 = 5,
    element_int32 = 6,
    element_int64 = 7,
    element_bool = 9,
    element_float16 = 10,
    element_double = 11,
    element_uint32 = 12,
    element_uint64 = 13,
    element_bfloat16 = 16,
};

// Integers wrap around as ONNX Runtime's do; in C++ only unsigned ones may.
struct Add {
    float operator()(float a, float b) const { return a + b; }
    std::uint64_t operator()(std::uint64_t a, std::uint64_t b) const { return a + b; }
};
struct Subtract {
    float operator()(float a, float b) const { return a - b; }
    std::uint64_t operator()(std::uint64_t a, std::uint64_t b) const { return a - b; }
};
struct Multiply {
    float operator()(float a, float b) const { return a * b; }
    std::uint64_t operator()(std::uint64_t a, std::uint64_t b) const { return a * b; }
};

void check_same(const HostTensor& a, const HostTensor& b) {
    if (a.is_float() != b.is_float()) throw Error("its inputs are of different types");
    if (a.shape != b.shape) throw Error("its inputs are of different shapes");
}

template <typename Result, typename T, typename Function>
std::vector<Result> zip(const std::vector<T>& a, const std::vector<T>& b, Function function) {
    std::vector<Result> result(a.size());
    std::transform(a.begin(), a.end(), b.begin(), result.begin(), function);
    return result;
}

template <typename Function>
HostTensor combine(const HostTensor& a, const HostTensor& b, Function function) {
    check_same(a, b);
    if (a.is_float()) return HostTensor::of(a.shape, zip<float>(*a.floats, *b.floats, function));
    return HostTensor::of(
        a.shape, zip<std::int64_t>(*a.integers, *b.integers, [&](std::int64_t x, std::int64_t y) {
            return static_cast<std::int64_t>(function(static_cast<std::uint64_t>(x), static_cast<std::uint64_t>(y)));
        }));
}

template <typename Function>
HostTensor map_floats(const HostTensor& tensor, Function function) {
    std::vector<float> result(tensor.floats->size());
    std::transform(tensor.floats->begin(), tensor.floats->end(), result.begin(), function);
    return HostTensor::of(tensor.shape, std::move(result));
}

/// The nearest value, ties to even, that a binary format with so many bits of precision and such a smallest exponent
/// and largest value can hold.
float round_to_format(float value, int precision, int smallest_exponent, double largest) {
    if (value == 0.0F || !std::isfinite(value)) return value;
    const int exponent = std::max(std::ilogb(value), smallest_exponent);
    const double quantum = std::ldexp(1.0, exponent - (precision - 1));
    const double rounded = std::nearbyint(value / quantum) * quantum;
    if (std::abs(rounded) > largest) return std::copysign(std::numeric_limits<float>::infinity(), value);
    return static_cast<float>(rounded);
}

/// Real numbers lose their fraction and stop at the type's ends (NaN becomes 0); integers keep their lowest bits.
template <typename T>
HostTensor to_integer(const HostTensor& tensor) {
    std::vector<std::int64_t> result;
    if (tensor.is_float()) {
        result.reserve(tensor.floats->size());
        for (const float value : *tensor.floats) {
            T whole = 0;
            // Both ends as float: the upper one may be rounded up to a value that is just too large.
            if (value >= static_cast<float>(std::numeric_limits<T>::max())) {
                whole = std::numeric_limits<T>::max();
            } else if (value <= static_cast<float>(std::numeric_limits<T>::lowest())) {
                whole = std::numeric_limits<T>::lowest();
            } else if (!std::isnan(value)) {
                whole = static_cast<T>(value);
            }
            result.push_back(static_cast<std::int64_t>(whole));
        }
    } else {
        result.reserve(tensor.integers->size());
        for (const std::int64_t value : *tensor.integers) {
            result.push_back(static_cast<std::int64_t>(static_cast<T>(value)));
        }
    }
    return HostTensor::of(tensor.shape, std::move(result));
}

HostTensor to_float(const HostTensor& tensor) {
    if (tensor.is_float()) return tensor;
    return HostTensor::of(tensor.shape, std::vector<float>(tensor.integers->begin(), tensor.integers->end()));
}

HostTensor to_bool(const HostTensor& tensor) {
    std::vector<std::int64_t> result;
    const auto convert = [&](const auto& values) {
        result.reserve(values.size());
        for (const auto value : values) result.push_back(value != 0 ? 1 : 0);
    };
    if (tensor.is_float()) {
        convert(*tensor.floats);
    } else {
        convert(*tensor.integers);
    }
    return HostTensor::of(tensor.shape, std::move(result));
}

}  // namespace

HostTensor add(const HostTensor& a, const HostTensor& b) {
    return combine(a, b, Add{});
}
HostTensor subtract(const HostTensor& a, const HostTensor& b) {
    return combine(a, b, Subtract{});
}
HostTensor multiply(const HostTensor& a, const HostTensor& b) {
    return combine(a, b, Multiply{});
}

HostTensor divide(const HostTensor& a, const HostTensor& b) {
    check_same(a, b);
    if (a.is_float()) return HostTensor::of(a.shape, zip<float>(*a.floats, *b.floats, std::divides<>()));
    return HostTensor::of(a.shape, zip<std::int64_t>(*a.integers, *b.integers, [](std::int64_t x, std::int64_t y) {
                              if (y == 0) throw Error("it divides by zero");
                              // The quotient of the smallest number and -1 does not exist; negation that wraps does.
                              if (y == -1) return static_cast<std::int64_t>(-static_cast<std::uint64_t>(x));
                              return x / y;
                          }));
}

HostTensor equal(const HostTensor& a, const HostTensor& b) {
    check_same(a, b);
    const auto same = [](auto x, auto y) { return std::int64_t{x == y}; };
    if (a.is_float()) return HostTensor::of(a.shape, zip<std::int64_t>(*a.floats, *b.floats, same));
    return HostTensor::of(a.shape, zip<std::int64_t>(*a.integers, *b.integers, same));
}

HostTensor choose(const HostTensor& condition, const HostTensor& a, const HostTensor& b) {
    check_same(a, b);
    if (condition.is_float()) throw Error("its condition is not of booleans");
    if (condition.shape != a.shape) throw Error("its inputs are of different shapes");
    const auto pick = [&](const auto& x, const auto& y) {
        std::decay_t<decltype(x)> result(x.size());
        for (std::size_t i = 0; i < result.size(); ++i) result[i] = (*condition.integers)[i] != 0 ? x[i] : y[i];
        return result;
    };
    if (a.is_float()) return HostTensor::of(a.shape, pick(*a.floats, *b.floats));
    return HostTensor::of(a.shape, pick(*a.integers, *b.integers));
}

HostTensor floor(const HostTensor& tensor) {
    if (!tensor.is_float()) return tensor;
    return map_floats(tensor, [](float value) { return std::floor(value); });
}

HostTensor ceil(const HostTensor& tensor) {
    if (!tensor.is_float()) return tensor;
    return map_floats(tensor, [](float value) { return std::ceil(value); });
}

HostTensor cast(const HostTensor& tensor, std::int64_t data_type) {
    switch (data_type) {
        case element_float:
        case element_double:
            return to_float(tensor);
        case element_float16:
            return map_floats(to_float(tensor), [](float value) { return round_to_format(value, 11, -14, 65504.0); });
        case element_bfloat16:
            return map_floats(to_float(tensor),
                              [](float value) { return round_to_format(value, 8, -126, 0x1.FEp127); });
        case element_bool:
            return to_bool(tensor);
        case element_uint8:
            return to_integer<std::uint8_t>(tensor);
        case element_int8:
            return to_integer<std::int8_t>(tensor);
        case element_uint16:
            return to_integer<std::uint16_t>(tensor);
        case element_int16:
            return to_integer<std::int16_t>(tensor);
        case element_uint32:
            return to_integer<std::uint32_t>(tensor);
        case element_int32:
            return to_integer<std::int32_t>(tensor);
        case element_uint64:
            return to_integer<std::uint64_t>(tensor);
        case element_int64:
            return to_integer<std::int64_t>(tensor);
        default:
            throw Error("a Cast to type " + std::to_string(data_type) + " is not supported");
    }
}

std::int64_t range_length(const HostTensor& start, const HostTensor& limit, const HostTensor& delta) {
    if (start.is_float() != limit.is_float() || start.is_float() != delta.is_float()) {
        throw Error("its inputs are of different types");
    }
    if (start.is_float()) {
        const double step = delta.floats->front();
        const double length = std::ceil((double{limit.floats->front()} - double{start.floats->front()}) / step);
        if (step == 0.0 || std::isnan(length) || length > 0x1p62) throw Error("its range has no end");
        return length > 0.0 ? static_cast<std::int64_t>(length) : 0;
    }
    std::int64_t from = start.integers->front();
    std::int64_t to = limit.integers->front();
    const std::int64_t step = delta.integers->front();
    if (step == 0) throw Error("its range has no end");
    if (step < 0) std::swap(from, to);
    if (from >= to) return 0;
    // Unsigned, because neither the distance nor the step's magnitude need fit into an int64.
    const std::uint64_t distance = static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from);
    const std::uint64_t magnitude = step < 0 ? -static_cast<std::uint64_t>(step) : static_cast<std::uint64_t>(step);
    const std::uint64_t length = (distance - 1) / magnitude + 1;
    if (length > std::uint64_t{1} << 62U) throw Error("its range has no end");
    return static_cast<std::int64_t>(length);
}

HostTensor range(const HostTensor& start, const HostTensor& delta, std::int64_t count) {
    if (start.is_float()) {
        std::vector<float> values;
        for (std::int64_t i = 0; i < count; ++i) {
            values.push_back(start.floats->front() + static_cast<float>(i) * delta.floats->front());
        }
        return HostTensor::of({count}, std::move(values));
    }
    std::vector<std::int64_t> values;
    // Every value lies between the bounds, but a product on the way there may wrap around.
    const auto from = static_cast<std::uint64_t>(start.integers->front());
    const auto step = static_cast<std::uint64_t>(delta.integers->front());
    for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(count); ++i) {
        values.push_back(static_cast<std::int64_t>(from + i * step));
    }
    return HostTensor::of({count}, std::move(values));
}

}  // namespace deconv::nn
