// Nodes that are computed once on the host: the small arithmetic by which exporters compute shapes, and constants that
// are cast, moved or combined before use.
#pragma once

#include <optional>
#include <vector>

#include "nn/graph.h"
#include "nn/tensor.h"

namespace deconv::nn {

/// The outputs of a node whose inputs are all constant, as ONNX defines them: Identity, Cast, Reshape, Transpose,
/// Squeeze, Unsqueeze, Slice, Concat, Gather, Expand, ConstantOfShape, Range, Add, Sub, Mul, Div, Floor, Ceil, Equal,
/// Where; and Shape, for which it is enough that the input's shape is known.
///
/// `inputs` holds one entry for each of node.inputs, null where the input is left out or is not constant; in
/// `input_shapes` an open dimension is negative and a shape that is not known is empty.  nullopt: the node cannot be
/// computed here, by its operator or by its inputs.  Throws Error, naming the node, where the inputs are not valid.
std::optional<std::vector<HostTensor>> fold(const Node& node, int opset, const std::vector<const HostTensor*>& inputs,
                                            const std::vector<std::optional<Shape>>& input_shapes);

/// Takes out of a graph every node that reads constants only (the Cast behind half-precision weights), and the
/// constants that nobody reads any more.  Then weights are constants that Networks of several sizes share.
void fold_constants(Graph& graph);

}  // namespace deconv::nn
