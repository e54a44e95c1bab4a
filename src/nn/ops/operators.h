// The makers of all operators: each file here holds one operator, or one family of them, forward and reverse.
#pragma once

#include <memory>

#include "nn/operator.h"

namespace deconv::nn {

std::unique_ptr<Operator> make_conv(const NodeContext& context);
std::unique_ptr<Operator> make_conv_transpose(const NodeContext& context);
std::unique_ptr<Operator> make_max_pool(const NodeContext& context);  // and GlobalMaxPool
std::unique_ptr<Operator> make_max_unpool(const NodeContext& context);
std::unique_ptr<Operator> make_average_pool(const NodeContext& context);  // GlobalAveragePool, ReduceMean
std::unique_ptr<Operator> make_unary(const NodeContext& context);
std::unique_ptr<Operator> make_binary(const NodeContext& context);  // Add, Sub, Mul, Div, PRelu
std::unique_ptr<Operator> make_sum(const NodeContext& context);
std::unique_ptr<Operator> make_batch_normalization(const NodeContext& context);
/// By the batch's own statistics; no ONNX operator of ours, only training makes it.  Outputs: the normalised tensor,
/// and (C, 8): mean, variance, scale, shift and what the way back needs (shaders/nn/channel_totals.comp).
std::unique_ptr<Operator> make_training_batch_normalization(const NodeContext& context);
/// Likewise.  Inputs: the tensor, and the seed and step of its random numbers, two uint32; attributes: ratio, and node,
/// a number that no other has.
std::unique_ptr<Operator> make_training_dropout(const NodeContext& context);
std::unique_ptr<Operator> make_lrn(const NodeContext& context);
std::unique_ptr<Operator> make_gemm(const NodeContext& context);
std::unique_ptr<Operator> make_matmul(const NodeContext& context);
std::unique_ptr<Operator> make_concat(const NodeContext& context);
std::unique_ptr<Operator> make_view(const NodeContext& context);  // Flatten, Reshape, Squeeze, Identity, Dropout, …
std::unique_ptr<Operator> make_transpose(const NodeContext& context);
std::unique_ptr<Operator> make_slice(const NodeContext& context);
std::unique_ptr<Operator> make_pad(const NodeContext& context);
std::unique_ptr<Operator> make_softmax(const NodeContext& context);

}  // namespace deconv::nn
