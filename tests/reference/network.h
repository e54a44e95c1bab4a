// An independent float64 implementation of the networks and of their projections, to test the engine against.  It
// shares no code with the product: it reads ONNX by itself and computes on the host, plainly.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "reference/tensor.h"

namespace onnx {
class ModelProto;
class TensorProto;
}  // namespace onnx

namespace deconv::reference {

/// A node's attributes as ONNX names them; every getter gives the fallback where the node has none.
struct Attributes {
    std::map<std::string, std::int64_t> integers;
    std::map<std::string, double> reals;
    std::map<std::string, std::string> texts;
    std::map<std::string, std::vector<std::int64_t>> integer_lists;
    std::map<std::string, std::vector<double>> real_lists;
    std::map<std::string, Tensor> tensors;

    std::int64_t integer(const std::string& name, std::int64_t fallback) const;
    double real(const std::string& name, double fallback) const;
    std::string text(const std::string& name, const std::string& fallback) const;
    std::vector<std::int64_t> list(const std::string& name, const std::vector<std::int64_t>& fallback) const;
};

struct Node {
    std::string name;  // a node without one is named after its first output
    std::string op;
    std::vector<std::string> inputs;  // "" where an optional input is left out
    std::vector<std::string> outputs;
    Attributes attributes;
};

/// What a rectifier does on the way back: "The way back, node by node".
enum class Rule { deconv, guided, gradient };
/// What LRN does on the way back under the rules `deconv` and `guided`; under `gradient` it is always the derivative.
enum class Lrn { identity, derivative };

/// Discrete decisions to take over from elsewhere (from the device) instead of making them from float64 values: where
/// two compared values are nearly equal, both decisions are right, but what follows from them differs.
struct Choices {
    /// By node name of a MaxPool or GlobalMaxPool: for each output element the flat position y * W + x in its input
    /// plane, -1 for a window that holds nothing but padding.
    std::map<std::string, std::vector<std::int64_t>> switches;
    /// By tensor name: activations whose sign (or side of a kink) decides a rectifier's mask.  Looked up by the
    /// rectifier's input first, then (Relu, Clip, LeakyRelu, where the output tells as much) by its output.
    std::map<std::string, Tensor> activations;
};

class Network {
  public:
    using Values = std::map<std::string, Tensor>;

    static Network load(const std::string& onnx_path);
    static Network parse(const onnx::ModelProto& model);

    /// Every tensor by name: the inputs and all node outputs, MaxPool's indices too (initializers are constants()).
    /// With `until`, stops once that tensor is made.
    Values forward(const Values& inputs, const Choices* choices = nullptr, const std::string& until = {}) const;

    /// The tensor at which a projection asked of `target` starts: `target`, or, where that is a Softmax's output, the
    /// Softmax's input.
    std::string start_of(const std::string& target) const;

    /// R₀ at the graph input `input` of the signal `start` at start_of(target).  `start` has that tensor's shape.
    /// Zero where no path leads from the input to the target.  Throws where a Softmax would have to be crossed.
    Tensor project(const Values& values, const std::string& target, const Tensor& start, Rule rule, Lrn lrn,
                   const std::string& input, const Choices* choices = nullptr) const;

    int opset() const { return opset_; }
    const std::vector<Node>& nodes() const { return nodes_; }
    const std::map<std::string, Tensor>& constants() const { return constants_; }
    /// Graph inputs that are not initializers; an open dimension is -1.
    const std::vector<std::pair<std::string, Shape>>& inputs() const { return inputs_; }
    const std::vector<std::string>& outputs() const { return outputs_; }

    /// The node that makes a tensor; nullptr for inputs and constants.
    const Node* producer(const std::string& tensor) const;
    /// The tensor of that name in `values` or among the constants; nullptr where there is none (and for "").
    const Tensor* find(const Values& values, const std::string& tensor) const;

  private:
    std::set<std::string> reached_from(const std::string& input) const;

    int opset_ = 0;
    std::vector<Node> nodes_;
    std::map<std::string, Tensor> constants_;
    std::vector<std::pair<std::string, Shape>> inputs_;
    std::vector<std::string> outputs_;
};

/// The plane-local switches of a MaxPool or GlobalMaxPool of the network, as in Choices::switches.
std::vector<std::int64_t> switches_of(const Network& network, const Network::Values& values, const std::string& node);

/// Any numeric ONNX tensor as float64.
Tensor to_tensor(const onnx::TensorProto& proto);

}  // namespace deconv::reference
