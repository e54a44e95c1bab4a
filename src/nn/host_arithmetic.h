// Arithmetic on constants in host memory, with the types as HostTensor knows them: real numbers and integers.
// Tensors that are combined are of one shape and kind; whoever calls broadcasts them first.
#pragma once

#include <cstdint>

#include "nn/tensor.h"

namespace deconv::nn {

HostTensor add(const HostTensor& a, const HostTensor& b);
HostTensor subtract(const HostTensor& a, const HostTensor& b);
HostTensor multiply(const HostTensor& a, const HostTensor& b);
/// Integers are divided towards zero; a division of integers by zero throws Error.
HostTensor divide(const HostTensor& a, const HostTensor& b);
/// 1 where the values are equal, else 0.
HostTensor equal(const HostTensor& a, const HostTensor& b);
/// The value of a where the condition is not 0, else that of b.
HostTensor choose(const HostTensor& condition, const HostTensor& a, const HostTensor& b);
HostTensor floor(const HostTensor& tensor);
HostTensor ceil(const HostTensor& tensor);

/// As ONNX's Cast to one of TensorProto's data types.  Values stay float or int64, but are rounded to what the type
/// can hold: half precision to the nearest, integers by dropping the fraction.
HostTensor cast(const HostTensor& tensor, std::int64_t data_type);

/// ONNX's Range over three single numbers, in two steps so that its size can be judged before it is made.
std::int64_t range_length(const HostTensor& start, const HostTensor& limit, const HostTensor& delta);
HostTensor range(const HostTensor& start, const HostTensor& delta, std::int64_t count);

}  // namespace deconv::nn
