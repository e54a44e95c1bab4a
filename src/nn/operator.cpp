#include "nn/operator.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "base/error.h"
#include "nn/ops/operators.h"

namespace deconv::nn {

void NodeContext::fail(const std::string& text) const {
    throw Error("node " + node.name + " (" + node.op + "): " + text);
}

const HostTensor& NodeContext::constant(std::size_t i, std::string_view what) const {
    if (i >= constants.size() || constants[i] == nullptr) {
        fail("its " + std::string(what) + " must be a constant of the model");
    }
    return *constants[i];
}

const HostTensor& NodeContext::weights(std::size_t i, std::string_view what, std::int64_t count) const {
    const HostTensor& tensor = constant(i, what);
    if (!tensor.is_float()) fail("its " + std::string(what) + " must be of a floating-point type");
    if (count >= 0 && elements(tensor.shape) != count) {
        fail("its " + std::string(what) + " has shape " + to_string(tensor.shape) + " but " + std::to_string(count) +
             " values are needed");
    }
    return tensor;
}

std::vector<std::int64_t> NodeContext::integers(std::size_t i, std::string_view attribute, int since,
                                                const std::vector<std::int64_t>& fallback) const {
    if (opset < since) return node.attributes.integers(attribute, fallback);
    if (!has(i)) return fallback;
    const HostTensor& tensor = constant(i, attribute);
    if (tensor.is_float()) fail("its " + std::string(attribute) + " must be integers");
    return *tensor.integers;
}

std::unique_ptr<Operator> make_operator(const NodeContext& context) {
    using Maker = std::unique_ptr<Operator> (*)(const NodeContext&);
    static const std::map<std::string_view, Maker> makers = {
        {"Conv", make_conv},
        {"ConvTranspose", make_conv_transpose},
        {"MaxPool", make_max_pool},
        {"GlobalMaxPool", make_max_pool},
        {"MaxUnpool", make_max_unpool},
        {"AveragePool", make_average_pool},
        {"GlobalAveragePool", make_average_pool},
        {"ReduceMean", make_average_pool},
        {"Relu", make_unary},
        {"LeakyRelu", make_unary},
        {"Clip", make_unary},
        {"Sigmoid", make_unary},
        {"HardSigmoid", make_unary},
        {"HardSwish", make_unary},
        {"Tanh", make_unary},
        {"PRelu", make_binary},
        {"Add", make_binary},
        {"Sub", make_binary},
        {"Mul", make_binary},
        {"Div", make_binary},
        {"Sum", make_sum},
        {"BatchNormalization", make_batch_normalization},
        {"TrainingBatchNormalization", make_training_batch_normalization},
        {"TrainingDropout", make_training_dropout},
        {"LRN", make_lrn},
        {"Gemm", make_gemm},
        {"MatMul", make_matmul},
        {"Concat", make_concat},
        {"Flatten", make_view},
        {"Reshape", make_view},
        {"Squeeze", make_view},
        {"Unsqueeze", make_view},
        {"Identity", make_view},
        {"Dropout", make_view},
        {"Cast", make_view},
        {"Transpose", make_transpose},
        {"Slice", make_slice},
        {"Pad", make_pad},
        {"Softmax", make_softmax},
    };
    const auto it = makers.find(context.node.op);
    if (it == makers.end()) context.fail("it is only supported where it computes shapes from constants");
    std::unique_ptr<Operator> made = it->second(context);
    for (const Shape& shape : made->output_shapes()) {
        for (const std::int64_t size : shape) {
            if (size < 1)
                context.fail("its output would be empty (shape " + to_string(shape) + "): choose a larger --size");
        }
    }
    return made;
}

void for_slices(std::int64_t count, std::initializer_list<std::int64_t> item_bytes, const gpu::Limits& limits,
                const std::function<void(std::int64_t first, std::int64_t count)>& f, std::int64_t enough) {
    const auto range = static_cast<std::int64_t>(limits.storage_range);
    const std::int64_t wanted = std::min(range, enough);
    const auto alignment = static_cast<std::int64_t>(limits.storage_alignment);
    const std::int64_t largest = std::max(item_bytes);
    if (count * largest <= wanted) {
        f(0, count);
        return;
    }
    // Every run must start at the alignment that bindings need.
    std::int64_t unit = 1;
    for (const std::int64_t bytes : item_bytes) unit = std::lcm(unit, alignment / std::gcd(alignment, bytes));
    const std::int64_t run = std::max(wanted / largest / unit, std::int64_t{1}) * unit;
    if (std::min(run, count) * largest > range) {
        throw Error("a tensor of " + std::to_string(count * largest >> 20) +
                    " MiB cannot be bound in parts on this device (" + std::to_string(range >> 20) +
                    " MiB a binding): choose a smaller --size or fewer channels at once");
    }
    for (std::int64_t first = 0; first < count; first += run) f(first, std::min(run, count - first));
}

}  // namespace deconv::nn
