#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/stubs/logging.h>
#include <onnx/checker.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <new>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "nn/graph.h"
#include "nn/onnx_tensor.h"

namespace deconv::nn {

namespace {

namespace fs = std::filesystem;

constexpr int oldest_opset = 7;
constexpr int newest_opset = 17;

/// Names in a damaged file can hold anything, and the checker writes several lines: what a person sees is one.
std::string one_line(std::string_view text) {
    constexpr std::size_t longest = 2000;
    std::string line;
    for (const char c : text.substr(0, longest)) {
        const bool space = c == '\n' || c == '\r' || c == '\t' || c == ' ';
        if (space && (line.empty() || line.back() == ' ')) continue;
        const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
        line += space ? ' ' : control ? '?' : c;
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    return line;
}

bool is_default_domain(const std::string& domain) {
    return domain.empty() || domain == "ai.onnx";
}

std::string quoted(const std::string& name) {
    return "'" + name + "'";
}

/// What to call a node in messages, before it has a name of its own.
std::string label(const onnx::NodeProto& node, int index) {
    if (!node.name().empty()) return "node " + quoted(node.name());
    for (const auto& output : node.output()) {
        if (!output.empty()) return "node " + quoted(output);
    }
    return "node number " + std::to_string(index);
}

/// Turns a parsed model into a Graph, emptying the model on the way.
class Importer {
  public:
    Importer(onnx::ModelProto& model, std::string folder) : model_(model), folder_(std::move(folder)) {}

    Graph run() {
        if (model_.ir_version() < 1 || !model_.has_graph()) throw Error("not an ONNX model: it holds no graph");
        graph_.name = model_.graph().name();
        read_opset();
        check_operators();
        take_initializers();
        take_inputs();
        check_order();
        take_nodes();
        take_outputs();
        check_model();
        return std::move(graph_);
    }

  private:
    void read_opset();
    void check_operators() const;
    void take_initializers();
    void take_inputs();
    void check_order();
    void take_nodes();
    void take_outputs();
    void check_model();
    void take_constant(onnx::NodeProto& node, const std::string& node_label);
    void add_constant(const std::string& name, HostTensor tensor, const std::string& what);
    Attributes::Value attribute(onnx::AttributeProto& attribute, const std::string& node_label);
    std::string unique_name(const onnx::NodeProto& node, int index);

    onnx::ModelProto& model_;
    std::string folder_;
    Graph graph_;
    std::unordered_set<std::string> known_;          // tensors made so far
    std::unordered_set<std::string> file_names_;     // node names in the file
    std::unordered_set<std::string> node_names_;     // node names given so far
    std::unordered_map<std::string, int> suffixes_;  // the next to try, for each name that came again
};

void Importer::read_opset() {
    std::int64_t version = 0;
    for (auto& opset : *model_.mutable_opset_import()) {
        if (!is_default_domain(opset.domain())) continue;
        opset.set_domain("");  // the checker looks for one spelling
        version = std::max(version, opset.version());
    }
    // The oldest models name no operator set and mean the first one.
    if (version == 0 && model_.ir_version() < 3) version = 1;
    if (version == 0) throw Error("it does not say which version of ONNX's operators (opset) it uses");
    if (version < oldest_opset || version > newest_opset) {
        throw Error("it uses opset " + std::to_string(version) + "; supported are opsets " +
                    std::to_string(oldest_opset) + " to " + std::to_string(newest_opset));
    }
    graph_.opset = static_cast<int>(version);
}

void Importer::check_operators() const {
    const auto& supported = supported_operators();
    const std::unordered_set<std::string> names(supported.begin(), supported.end());
    const auto& nodes = model_.graph().node();
    if (nodes.empty()) throw Error("its graph holds no nodes");
    for (int i = 0; i < nodes.size(); ++i) {
        const bool foreign = !is_default_domain(nodes[i].domain());
        if (!foreign && names.contains(nodes[i].op_type())) continue;
        std::string list;
        for (const std::string& name : supported) list += (list.empty() ? "" : ", ") + name;
        throw Error(label(nodes[i], i) + ": operator " + quoted(nodes[i].op_type()) +
                    (foreign ? " of the domain " + quoted(nodes[i].domain()) : "") +
                    " is not supported; supported are " + list);
    }
}

void Importer::add_constant(const std::string& name, HostTensor tensor, const std::string& what) {
    if (tensor.is_float()) {
        const auto& values = *tensor.floats;
        const auto strange = std::count_if(values.begin(), values.end(), [&](float value) {
            // An infinite scalar is a bound (of Clip, of Pad), not a weight.
            return std::isnan(value) || (std::isinf(value) && !tensor.shape.empty());
        });
        if (strange > 0) {
            graph_.warnings.push_back(one_line(what + " holds " + std::to_string(strange) + " of " +
                                               std::to_string(values.size()) + " values that are NaN or infinite"));
        }
    }
    if (!graph_.constants.emplace(name, std::move(tensor)).second || !known_.insert(name).second) {
        throw Error(what + " is there twice");
    }
}

void Importer::take_initializers() {
    auto& graph = *model_.mutable_graph();
    if (!graph.sparse_initializer().empty()) throw Error("sparse initializers are not supported");
    for (auto& tensor : *graph.mutable_initializer()) {
        const std::string what = "initializer " + quoted(tensor.name());
        if (tensor.name().empty()) throw Error("an initializer has no name");
        add_constant(tensor.name(), take_tensor(tensor, what, folder_), what);
    }
}

void Importer::take_inputs() {
    std::optional<std::size_t> image;  // the first that can be one
    for (const auto& input : model_.graph().input()) {
        // Before the fourth version of the format initializers were inputs, too.
        if (graph_.constants.contains(input.name())) continue;
        const std::string what = "input " + quoted(input.name());
        if (input.name().empty()) throw Error("an input has no name");
        if (!known_.insert(input.name()).second) throw Error(what + " is there twice");
        if (!input.type().has_tensor_type()) throw Error(what + " is not a tensor");
        const auto& type = input.type().tensor_type();
        if (!type.has_shape()) throw Error(what + " has no shape");
        Shape shape;
        for (const auto& size : type.shape().dim()) {
            shape.push_back(size.has_dim_value() && size.dim_value() > 0 ? size.dim_value() : -1);
        }
        const bool real =
            type.elem_type() == onnx::TensorProto::FLOAT || type.elem_type() == onnx::TensorProto::FLOAT16 ||
            type.elem_type() == onnx::TensorProto::DOUBLE || type.elem_type() == onnx::TensorProto::BFLOAT16;
        if (!image && real && shape.size() == 4) image = graph_.inputs.size();
        graph_.inputs.push_back({input.name(), std::move(shape)});
    }
    if (graph_.inputs.empty()) throw Error("it has no input");
    if (image) {
        const auto first = graph_.inputs.begin();
        const auto found = first + static_cast<std::ptrdiff_t>(*image);
        std::rotate(first, found, found + 1);
    }
}

void Importer::check_order() {
    const auto& nodes = model_.graph().node();
    std::unordered_set<std::string_view> made;
    for (const auto& node : nodes) made.insert(node.output().begin(), node.output().end());
    for (int i = 0; i < nodes.size(); ++i) {
        for (const auto& input : nodes[i].input()) {
            if (input.empty() || known_.contains(input)) continue;
            throw Error(
                label(nodes[i], i) + ": its input " + quoted(input) +
                (made.contains(input) ? " is made only later: the nodes are not in order" : " is not in the graph"));
        }
        for (const auto& output : nodes[i].output()) {
            if (!output.empty() && !known_.insert(output).second) {
                throw Error(label(nodes[i], i) + ": its output " + quoted(output) + " is there twice");
            }
        }
    }
}

Attributes::Value Importer::attribute(onnx::AttributeProto& attribute, const std::string& node_label) {
    using Proto = onnx::AttributeProto;
    switch (attribute.type()) {
        case Proto::INT:
            return attribute.i();
        case Proto::FLOAT:
            return attribute.f();
        case Proto::STRING:
            return attribute.s();
        case Proto::INTS:
            return std::vector<std::int64_t>(attribute.ints().begin(), attribute.ints().end());
        case Proto::FLOATS:
            return std::vector<float>(attribute.floats().begin(), attribute.floats().end());
        case Proto::TENSOR:
            return take_tensor(*attribute.mutable_t(), node_label + ": attribute " + quoted(attribute.name()), folder_);
        default:
            throw Error(node_label + ": attribute " + quoted(attribute.name()) + " is of a type (" +
                        Proto::AttributeType_Name(attribute.type()) + ") that is not supported");
    }
}

void Importer::take_constant(onnx::NodeProto& node, const std::string& node_label) {
    if (node.output_size() != 1 || node.output(0).empty()) throw Error(node_label + ": a Constant has one output");
    if (node.attribute_size() != 1) throw Error(node_label + ": a Constant has one attribute");
    const std::string form = node.attribute(0).name();
    Attributes::Value value = attribute(*node.mutable_attribute(0), node_label);
    HostTensor tensor;
    if (auto* whole = std::get_if<HostTensor>(&value); form == "value" && whole != nullptr) {
        tensor = std::move(*whole);
    } else if (const auto* real = std::get_if<float>(&value); form == "value_float" && real != nullptr) {
        tensor = HostTensor::of({}, std::vector<float>{*real});
    } else if (const auto* integer = std::get_if<std::int64_t>(&value); form == "value_int" && integer != nullptr) {
        tensor = HostTensor::of({}, std::vector<std::int64_t>{*integer});
    } else if (auto* reals = std::get_if<std::vector<float>>(&value); form == "value_floats" && reals != nullptr) {
        const Shape shape{static_cast<std::int64_t>(reals->size())};
        tensor = HostTensor::of(shape, std::move(*reals));
    } else if (auto* integers = std::get_if<std::vector<std::int64_t>>(&value);
               form == "value_ints" && integers != nullptr) {
        const Shape shape{static_cast<std::int64_t>(integers->size())};
        tensor = HostTensor::of(shape, std::move(*integers));
    } else {
        throw Error(node_label + ": a Constant of the form " + quoted(form) + " is not supported");
    }
    known_.erase(node.output(0));
    add_constant(node.output(0), std::move(tensor), "constant " + quoted(node.output(0)));
}

/// The node's name, or its first output's; "_2", "_3" … is added where another node has it already.  A name that the
/// file gives is kept by the first node that it gives it to.
std::string Importer::unique_name(const onnx::NodeProto& node, int index) {
    std::string name = node.name();
    for (int i = 0; name.empty() && i < node.output_size(); ++i) name = node.output(i);
    if (name.empty()) name = node.op_type() + "_" + std::to_string(index);
    const auto is_free = [&](const std::string& wanted) {
        return (wanted == node.name() || !file_names_.contains(wanted)) && node_names_.insert(wanted).second;
    };
    if (is_free(name)) return name;
    for (int& suffix = suffixes_.try_emplace(name, 2).first->second;; ++suffix) {
        std::string other = name + "_" + std::to_string(suffix);
        if (is_free(other)) return other;
    }
}

void Importer::take_nodes() {
    auto& nodes = *model_.mutable_graph()->mutable_node();
    for (const auto& node : nodes) {
        if (!node.name().empty()) file_names_.insert(node.name());
    }
    for (int i = 0; i < nodes.size(); ++i) {
        onnx::NodeProto& proto = nodes[i];
        proto.set_domain("");
        const std::string node_label = label(proto, i);
        if (proto.op_type() == "Constant") {
            take_constant(proto, node_label);
            continue;
        }
        Node node;
        node.name = unique_name(proto, i);
        node.op = proto.op_type();
        node.inputs.assign(proto.input().begin(), proto.input().end());
        node.outputs.assign(proto.output().begin(), proto.output().end());
        for (auto& each : *proto.mutable_attribute()) node.attributes.set(each.name(), attribute(each, node_label));
        graph_.nodes.push_back(std::move(node));
    }
}

void Importer::take_outputs() {
    for (const auto& output : model_.graph().output()) {
        if (!known_.contains(output.name())) throw Error("its output " + quoted(output.name()) + " is made by no node");
        graph_.outputs.push_back(output.name());
    }
    if (graph_.outputs.empty()) throw Error("it has no output");
}

/// ONNX's own checker compares each node with its operator's schema.  It runs last, over tensors that are already
/// emptied: what it would say of their data is checked when they are decoded.
void Importer::check_model() {
    // It refuses files of a newer format, and asks of those of an older one that initializers be inputs, too; neither
    // matters here.  Nor does what a model carries besides its graph.
    model_.set_ir_version(onnx::IR_VERSION);
    model_.clear_functions();
    model_.clear_metadata_props();
    model_.clear_training_info();
    try {
        onnx::checker::check_model(model_);
    } catch (const std::exception& error) {
        std::string text = error.what();
        const std::string context = "==> Context: ";
        for (auto at = text.find(context); at != std::string::npos; at = text.find(context)) {
            text.replace(at, context.size(), "- ");
        }
        throw Error("not a valid ONNX model: " + text);
    }
}

template <typename Parse>
Graph import_with(const std::string& where, const std::string& folder, Parse parse) {
    // protobuf reports damage on stderr as well; the exception says it once.
    const google::protobuf::LogSilencer silencer;
    try {
        onnx::ModelProto model;
        if (!parse(model)) throw Error("not an ONNX model, or damaged or cut short");
        return Importer(model, folder).run();
    } catch (const std::bad_alloc&) {
        throw Error(one_line(where) + ": not enough memory for this model");
    } catch (const std::exception& error) {
        throw Error(one_line(where + ": " + error.what()));
    }
}

void check_size(std::uintmax_t size, const std::string& where) {
    if (size == 0) throw Error(where + ": the file is empty");
    if (size > static_cast<std::uintmax_t>(std::numeric_limits<int>::max())) {
        throw Error(where + ": larger than 2 GB, more than one ONNX file can hold; keep the weights in external files");
    }
}

}  // namespace

const std::vector<std::string>& supported_operators() {
    static const std::vector<std::string> names = {"Conv",
                                                   "ConvTranspose",
                                                   "MaxPool",
                                                   "MaxUnpool",
                                                   "AveragePool",
                                                   "GlobalAveragePool",
                                                   "GlobalMaxPool",
                                                   "Relu",
                                                   "LeakyRelu",
                                                   "PRelu",
                                                   "Clip",
                                                   "Sigmoid",
                                                   "HardSigmoid",
                                                   "HardSwish",
                                                   "Tanh",
                                                   "BatchNormalization",
                                                   "LRN",
                                                   "Gemm",
                                                   "MatMul",
                                                   "Concat",
                                                   "Add",
                                                   "Sub",
                                                   "Mul",
                                                   "Div",
                                                   "Sum",
                                                   "Flatten",
                                                   "Reshape",
                                                   "Transpose",
                                                   "Squeeze",
                                                   "Unsqueeze",
                                                   "Pad",
                                                   "Slice",
                                                   "ReduceMean",
                                                   "Softmax",
                                                   "Dropout",
                                                   "Identity",
                                                   "Constant",
                                                   "Cast",
                                                   "Shape",
                                                   "Gather",
                                                   "ConstantOfShape",
                                                   "Floor",
                                                   "Ceil",
                                                   "Range",
                                                   "Equal",
                                                   "Where",
                                                   "Expand"};
    return names;
}

Graph import_onnx(const std::string& path) {
    std::error_code failed;
    const fs::file_status status = fs::status(path, failed);
    if (status.type() == fs::file_type::not_found) throw Error(path + ": no such file");
    if (!fs::exists(status)) throw Error(path + ": cannot be read: " + failed.message());
    if (fs::is_directory(status)) throw Error(path + ": a folder, not an ONNX file");
    if (!fs::is_regular_file(status)) throw Error(path + ": not a regular file");
    const std::uintmax_t size = fs::file_size(path, failed);
    std::ifstream file(path, std::ios::binary);
    if (failed || !file) throw Error(path + ": cannot be read");
    check_size(size, path);

    // What git leaves in the place of a large file that was not fetched.
    const std::string_view pointer = "version https://git-lfs";
    std::string beginning(pointer.size(), '\0');
    if (file.read(beginning.data(), static_cast<std::streamsize>(beginning.size())) && beginning == pointer) {
        throw Error(path + ": a Git LFS pointer, not the model itself; fetch it with `git lfs pull`");
    }
    file.clear();
    file.seekg(0);
    const std::string folder = fs::path(path).parent_path().string();
    return import_with(path, folder.empty() ? "." : folder, [&](onnx::ModelProto& model) {
        google::protobuf::io::IstreamInputStream stream(&file);
        return model.ParseFromZeroCopyStream(&stream);
    });
}

Graph import_onnx_bytes(std::string_view bytes, const std::string& where, const std::string& folder) {
    check_size(bytes.size(), where);
    return import_with(where, folder, [&](onnx::ModelProto& model) {
        return model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
    });
}

}  // namespace deconv::nn
