// Private to the importer: ONNX's TensorProto, with all its ways to store values, as a HostTensor.
#pragma once

#include <onnx/onnx_pb.h>

#include <string>

#include "nn/tensor.h"

namespace deconv::nn {

/// Converts a tensor: floating-point types to float, integers and booleans to int64.  `what` names it in messages,
/// e.g. "initializer 'conv1.weight'"; weights in external files are read only from inside `folder`.
HostTensor decode_tensor(const onnx::TensorProto& tensor, const std::string& what, const std::string& folder);

/// The same, and frees the memory of `tensor`: what is left is an empty tensor of the same name and type, which
/// onnx::checker accepts.  So a large model is never in memory twice.
HostTensor take_tensor(onnx::TensorProto& tensor, const std::string& what, const std::string& folder);

}  // namespace deconv::nn
