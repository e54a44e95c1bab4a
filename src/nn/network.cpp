#include "nn/network.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "nn/constant_folding.h"

namespace deconv::nn {
namespace {

bool is_activation(const std::string& op) {
    static const std::set<std::string, std::less<>> ops = {"Relu",    "LeakyRelu",   "PRelu",     "Clip",
                                                           "Sigmoid", "HardSigmoid", "HardSwish", "Tanh"};
    return ops.count(op) > 0;
}

/// Begins a stage, and may be followed by batch normalisation and a rectifier that belong to it.
bool is_weighted(const std::string& op) {
    return op == "Conv" || op == "ConvTranspose" || op == "Gemm" || op == "MatMul";
}
bool is_sum(const std::string& op) {
    return op == "Add" || op == "Sum" || op == "Concat";
}
bool is_pool(const std::string& op) {
    return op == "MaxPool" || op == "AveragePool" || op == "GlobalAveragePool" || op == "GlobalMaxPool" ||
           op == "MaxUnpool" || op == "ReduceMean";
}

}  // namespace

Network::Network(Graph graph, const std::map<std::string, Shape>& inputs) : graph_(std::move(graph)) {
    constants_ = graph_.constants;
    for (const Input& input : graph_.inputs) {
        Shape shape = input.shape;
        if (const auto it = inputs.find(input.name); it != inputs.end()) {
            shape = it->second;
            if (!input.shape.empty() && shape.size() != input.shape.size()) {
                throw Error("input " + input.name + " has " + std::to_string(input.shape.size()) +
                            " dimensions in the model, not " + std::to_string(shape.size()));
            }
        }
        if (!shape.empty() && shape[0] < 1) shape[0] = 1;
        for (const std::int64_t size : shape) {
            if (size < 1) {
                throw Error("the model leaves the size of its input " + input.name +
                            " open: give one with --size, for example --size 224");
            }
        }
        tensor_by_name_[input.name] = static_cast<int>(tensors_.size());
        inputs_.push_back(static_cast<int>(tensors_.size()));
        tensors_.push_back({input.name, shape, -1, 0, {}, {}});
    }
    for (const Node& node : graph_.nodes) build_node(node);
    for (const std::string& name : graph_.outputs) {
        const int tensor = find_tensor(name);
        if (tensor >= 0) outputs_.push_back(tensor);
    }
    compute_fields();
    list_layers();
}

void Network::build_node(const Node& node) {
    std::vector<const HostTensor*> constants;
    std::vector<std::optional<Shape>> known;
    std::vector<int> inputs;
    for (const std::string& name : node.inputs) {
        const auto constant = constants_.find(name);
        const int tensor = find_tensor(name);
        constants.push_back(constant == constants_.end() ? nullptr : &constant->second);
        inputs.push_back(constant == constants_.end() ? tensor : -1);
        if (constants.back() != nullptr) {
            known.emplace_back(constants.back()->shape);
        } else if (tensor >= 0) {
            known.emplace_back(tensors_[static_cast<std::size_t>(tensor)].shape);
        } else {
            known.emplace_back();
            if (!name.empty()) throw Error("node " + node.name + " (" + node.op + "): no tensor named " + name);
        }
    }
    const bool on_host = node.op == "Shape" || std::none_of(inputs.begin(), inputs.end(), [](int i) { return i >= 0; });
    if (on_host) {
        if (auto folded = fold(node, graph_.opset, constants, known)) {
            for (std::size_t i = 0; i < node.outputs.size() && i < folded->size(); ++i) {
                constants_[node.outputs[i]] = std::move((*folded)[i]);
            }
            return;
        }
    }
    NodeContext context{node, graph_.opset, {}, constants};
    for (const auto& shape : known) context.shapes.push_back(shape.value_or(Shape{}));
    if (context.shapes.empty()) context.fail("it has no inputs");
    NodeInfo info;
    info.node = &node;
    info.op = make_operator(context);
    info.inputs = std::move(inputs);
    const int index = static_cast<int>(nodes_.size());
    for (const int input : info.inputs) {
        if (input >= 0) tensors_[static_cast<std::size_t>(input)].consumers.push_back(index);
    }
    for (std::size_t i = 0; i < info.op->output_shapes().size(); ++i) {
        // Switches exist whether or not the model names them: the way back needs them.
        const bool named = i < node.outputs.size() && !node.outputs[i].empty();
        if (!named && i == 0) context.fail("its first output has no name");
        const std::string name = named ? node.outputs[i] : node.outputs[0] + ":switches";
        info.outputs.push_back(static_cast<int>(tensors_.size()));
        tensor_by_name_[name] = static_cast<int>(tensors_.size());
        tensors_.push_back({name, info.op->output_shapes()[i], index, i, {}, {}});
    }
    nodes_.push_back(std::move(info));
}

int Network::find_tensor(const std::string& name) const {
    const auto it = tensor_by_name_.find(name);
    return it == tensor_by_name_.end() ? -1 : it->second;
}

void Network::compute_fields() {
    if (inputs_.empty()) return;
    const Shape& image = tensors_[static_cast<std::size_t>(inputs_[0])].shape;
    for (const NodeInfo& node : nodes_) {
        std::array<ReceptiveField, 2> merged;
        for (int axis = 0; axis < 2; ++axis) {
            const auto a = static_cast<std::size_t>(axis);
            const double whole = image.size() == 4
                                     ? static_cast<double>(image[2 + a])
                                     : (image.size() == 3 && axis == 1 ? static_cast<double>(image[2]) : 1);
            const Field step = node.op->field(axis);
            bool first = true;
            ReceptiveField& result = merged.at(a);
            for (const int input : node.inputs) {
                if (input < 0) continue;
                const ReceptiveField& from = tensors_[static_cast<std::size_t>(input)].field.at(a);
                ReceptiveField field;
                field.stride = static_cast<double>(step.stride) * from.stride / static_cast<double>(step.transposed);
                field.offset = step.offset * from.stride + from.offset;
                field.size = static_cast<double>(step.size - 1) * from.stride + from.size;
                field.global = from.global || (step.global && step.size > 1);
                if (first) {
                    result = field;
                } else if (field.stride != result.stride) {
                    result.global = true;
                } else {
                    const double end = std::max(result.offset + result.size, field.offset + field.size);
                    result.offset = std::min(result.offset, field.offset);
                    result.size = end - result.offset;
                    result.global = result.global || field.global;
                }
                first = false;
            }
            const std::size_t rank = node.op->output_shapes()[0].size();
            const std::string& op = node.node->op;
            // Without rows and columns of its own a tensor sees everything.
            if (rank < 3 || op == "Gemm" || op == "Reshape") result.global = true;
            if (result.global) result = {whole, result.stride, 0, true};
        }
        for (const int output : node.outputs) tensors_[static_cast<std::size_t>(output)].field = merged;
    }
}

void Network::list_layers() {
    std::set<const NodeInfo*> absorbed;  // nodes that are part of a stage which an earlier node began
    std::set<int> listed;
    const auto info = [&](int tensor) -> const TensorInfo& { return tensors_[static_cast<std::size_t>(tensor)]; };
    const auto add = [&](int tensor, std::string op, bool stage, std::int64_t parameters) {
        if (!listed.insert(tensor).second) return;
        layers_.push_back({tensor, info(tensor).name, std::move(op), stage, parameters});
    };
    for (const NodeInfo& node : nodes_) {
        const std::string& op = node.node->op;
        if (absorbed.count(&node) > 0 || (!is_pool(op) && !is_weighted(op) && !is_sum(op))) continue;
        int last = node.outputs[0];
        std::string names = op;
        std::int64_t parameters = node.op->parameters();
        // Batch normalisation, a bias added on its own, and the rectifier belong to the stage.
        while (!is_pool(op) && info(last).consumers.size() == 1) {
            const NodeInfo& next = nodes_[static_cast<std::size_t>(info(last).consumers[0])];
            const std::string& follows = next.node->op;
            const bool bias = op == "MatMul" && follows == "Add" && next.op->parameters() > 0;
            if (follows != "BatchNormalization" && !is_activation(follows) && !bias) break;
            absorbed.insert(&next);
            last = next.outputs[0];
            names += " + " + follows;
            parameters += next.op->parameters();
            if (is_activation(follows)) break;
        }
        add(last, names, true, parameters);
    }
    for (const NodeInfo& node : nodes_) add(node.outputs[0], node.node->op, false, node.op->parameters());
}

std::size_t Network::stage_count() const {
    return static_cast<std::size_t>(
        std::count_if(layers_.begin(), layers_.end(), [](const Layer& layer) { return layer.stage; }));
}

const Network::Layer& Network::default_layer() const {
    if (layers_.empty()) throw Error("the model has no layers");
    return layers_[stage_count() / 2];
}

const Network::Layer& Network::find_layer(const std::string& wanted) const {
    for (const Layer& layer : layers_) {
        if (layer.name == wanted) return layer;
    }
    for (const Layer& layer : layers_) {
        const TensorInfo& tensor = tensors_[static_cast<std::size_t>(layer.tensor)];
        if (nodes_[static_cast<std::size_t>(tensor.producer)].node->name == wanted) return layer;
    }
    const bool number =
        !wanted.empty() && std::all_of(wanted.begin(), wanted.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (number) {
        const unsigned long index = wanted.size() < 8 ? std::stoul(wanted) : layers_.size();
        if (index < layers_.size()) return layers_[index];
        throw Error("no layer " + wanted + ": they are numbered 0 to " + std::to_string(layers_.size() - 1) +
                    " (see --list-layers)");
    }
    std::vector<std::string> names;
    for (const Layer& layer : layers_) {
        names.push_back(layer.name);
        const TensorInfo& tensor = tensors_[static_cast<std::size_t>(layer.tensor)];
        const std::string& node = nodes_[static_cast<std::size_t>(tensor.producer)].node->name;
        if (node != layer.name) names.push_back(node);
    }
    std::string nearest;
    for (const std::string& name : nearest_names(wanted, names)) nearest += (nearest.empty() ? "" : ", ") + name;
    throw Error("no layer named \"" + wanted + "\"; nearest: " + nearest + " (see --list-layers)");
}

int Network::projection_start(int tensor) const {
    const TensorInfo& info = tensors_[static_cast<std::size_t>(tensor)];
    if (info.producer < 0) return tensor;
    const NodeInfo& node = nodes_[static_cast<std::size_t>(info.producer)];
    // Views between a Softmax and the output hand its values on.
    if (node.node->op == "Softmax") return projection_start(node.inputs[0]);
    if (node.op->is_view() && node.inputs[0] >= 0) {
        const int below = projection_start(node.inputs[0]);
        if (below != node.inputs[0]) return below;
    }
    return tensor;
}

Network::Classes Network::classes() const {
    if (outputs_.empty()) return {};
    const int output = outputs_[0];
    const Shape& shape = tensors_[static_cast<std::size_t>(output)].shape;
    const bool scores = shape.size() >= 2 && elements(shape) == shape[0] * shape[1] && shape[1] > 1;
    if (!scores) return {};
    return {output, projection_start(output) != output};
}

}  // namespace deconv::nn
