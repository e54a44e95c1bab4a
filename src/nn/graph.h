// A network as its file describes it: nodes, constants, inputs and outputs, every tensor under its own name.
// Nothing here knows a device or an input size.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "nn/tensor.h"

namespace deconv::nn {

/// The attributes of a node, as ONNX names them.
class Attributes {
  public:
    using Value =
        std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>, std::vector<float>, HostTensor>;

    void set(std::string name, Value value) { values_.insert_or_assign(std::move(name), std::move(value)); }
    bool has(std::string_view name) const { return values_.find(name) != values_.end(); }
    const std::map<std::string, Value, std::less<>>& all() const { return values_; }

    /// The attribute, or the fallback where the node has none.  A value of another type throws Error.
    std::int64_t integer(std::string_view name, std::int64_t fallback) const;
    float real(std::string_view name, float fallback) const;
    std::string text(std::string_view name, std::string fallback) const;
    std::vector<std::int64_t> integers(std::string_view name, std::vector<std::int64_t> fallback) const;
    std::vector<float> reals(std::string_view name, std::vector<float> fallback) const;
    /// nullptr where the node has none.
    const HostTensor* tensor(std::string_view name) const;

  private:
    std::map<std::string, Value, std::less<>> values_;
};

struct Node {
    std::string name;                  // never empty: nodes without one are named after their first output
    std::string op;                    // ONNX operator, e.g. "Conv"
    std::vector<std::string> inputs;   // tensor names; "" where an optional input is left out
    std::vector<std::string> outputs;  // likewise
    Attributes attributes;
};

/// A graph input that is not a constant.  -1 stands for a dimension that is left open.
struct Input {
    std::string name;
    Shape shape;
};

struct Graph {
    std::string name;
    int opset = 0;                                // of the default operator set
    std::vector<Node> nodes;                      // in topological order
    std::map<std::string, HostTensor> constants;  // initializers
    std::vector<Input> inputs;                    // the image first
    std::vector<std::string> outputs;
    std::vector<std::string> warnings;  // one line each, e.g. that weights hold NaN
};

/// Reads an ONNX file (opsets 7 to 17).  Half and double precision weights become float32, constant Cast is left to
/// Network, or to fold_constants().  Weights in external files are read only from the model's own folder.
/// Throws Error for a file that is missing, empty, damaged, or uses what is not supported (naming node and operator).
Graph import_onnx(const std::string& path);
/// The same from a serialized ModelProto in memory; `where` names it in messages, `folder` holds external weights.
Graph import_onnx_bytes(std::string_view bytes, const std::string& where, const std::string& folder);

/// The ONNX operators that the importer lets through; of these, Shape Gather ConstantOfShape Floor Ceil Range Equal
/// Where Expand only where they can be computed on the host (see constant_folding.h).
const std::vector<std::string>& supported_operators();

/// Names out of `candidates` that are nearest to `wanted` (edit distance, prefixes first), at most `count`: for
/// "no layer named X; nearest: …".
std::vector<std::string> nearest_names(std::string_view wanted, const std::vector<std::string>& candidates,
                                       std::size_t count = 3);

}  // namespace deconv::nn
