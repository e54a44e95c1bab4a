// A graph at one input size: every tensor with its shape, every node with its operator, and the layers people choose.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nn/graph.h"
#include "nn/operator.h"

namespace deconv::nn {

/// The receptive field of a tensor's positions in the image, along one axis: position p sees the pixels from
/// p · stride + offset on, `size` of them; what lies outside the image is padding.
struct ReceptiveField {
    double size = 1, stride = 1, offset = 0;
    bool global = false;  // every position sees the whole image
};

class Network {
  public:
    struct TensorInfo {
        std::string name;
        Shape shape;
        int producer = -1;                    // node index; -1 for graph inputs
        std::size_t output = 0;               // which output of the producer
        std::vector<int> consumers;           // node indices, once for each use
        std::array<ReceptiveField, 2> field;  // rows, columns
    };
    struct NodeInfo {
        const Node* node = nullptr;
        std::unique_ptr<Operator> op;
        std::vector<int> inputs;   // tensor indices; -1 for constants and for inputs left out
        std::vector<int> outputs;  // tensor indices; one for each shape of the operator, -1 where the node names none
    };
    /// What a person chooses from.
    struct Layer {
        int tensor = 0;
        std::string name;  // of the tensor
        std::string op;    // "Conv", or for a stage "Conv + Relu"
        bool stage = false;
        std::int64_t parameters = 0;
    };

    /// Fixes the shapes: `inputs` by name overrides what the graph declares; open dimensions become 1 for the batch,
    /// and must be given otherwise.  Throws Error naming the node where something does not fit.
    explicit Network(Graph graph, const std::map<std::string, Shape>& inputs = {});

    const Graph& graph() const { return graph_; }
    const std::vector<TensorInfo>& tensors() const { return tensors_; }
    const std::vector<NodeInfo>& nodes() const { return nodes_; }
    const std::vector<int>& inputs() const { return inputs_; }    // tensor indices; the image first
    const std::vector<int>& outputs() const { return outputs_; }  // tensor indices
    /// Tensors known without running anything (shape arithmetic on the host), by name.
    const std::map<std::string, HostTensor>& constants() const { return constants_; }
    int find_tensor(const std::string& name) const;  // -1 where there is none

    /// Stages first (convolutions and fully connected layers after the rectifier that follows them, pools, concats,
    /// sums), then every other tensor, both in the order of the network.
    const std::vector<Layer>& layers() const { return layers_; }
    std::size_t stage_count() const;
    /// By index into layers(), by output name or by node name.  Throws Error with the nearest names or the range.
    const Layer& find_layer(const std::string& name_or_index) const;
    /// The stage in the middle of the network.
    const Layer& default_layer() const;
    /// Where a projection of `tensor` starts: the tensor itself, or the input of the Softmax that made it.
    int projection_start(int tensor) const;
    /// The tensor of the classes' scores (logits where the network ends in Softmax) and whether the network's output
    /// already went through Softmax.
    struct Classes {
        int tensor = -1;  // (1, C); -1 where the network does not classify
        bool probabilities = false;
    };
    Classes classes() const;

  private:
    void build_node(const Node& node);
    void compute_fields();
    void list_layers();

    Graph graph_;
    std::vector<TensorInfo> tensors_;
    std::vector<NodeInfo> nodes_;
    std::vector<int> inputs_, outputs_;
    std::map<std::string, HostTensor> constants_;
    std::map<std::string, int> tensor_by_name_;
    std::vector<Layer> layers_;
};

}  // namespace deconv::nn
