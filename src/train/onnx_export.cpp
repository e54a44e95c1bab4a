#include "train/onnx_export.h"

#include <onnx/checker.h>
#include <onnx/onnx_pb.h>

#include <bit>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/half.h"
#include "base/whole_file.h"

namespace deconv::train {
namespace {

namespace fs = std::filesystem;

void write_text(const std::string& path, const std::string& text) {
    WholeFile file(path);
    file.write(text.data(), text.size());
    file.commit();
}

/// Data and shape, not the name.
void set_tensor(onnx::TensorProto& to, const nn::HostTensor& from) {
    for (const std::int64_t size : from.shape) to.add_dims(size);
    to.set_data_type(from.is_float() ? onnx::TensorProto::FLOAT : onnx::TensorProto::INT64);
    if (from.is_float()) {
        to.set_raw_data(from.floats->data(), from.floats->size() * sizeof(float));
    } else {
        to.set_raw_data(from.integers->data(), from.integers->size() * sizeof(std::int64_t));
    }
}

/// Sets an attribute by the type of its value.
struct SetAttribute {
    onnx::AttributeProto& to;

    void operator()(std::int64_t value) const {
        to.set_type(onnx::AttributeProto::INT);
        to.set_i(value);
    }
    void operator()(float value) const {
        to.set_type(onnx::AttributeProto::FLOAT);
        to.set_f(value);
    }
    void operator()(const std::string& value) const {
        to.set_type(onnx::AttributeProto::STRING);
        to.set_s(value);
    }
    void operator()(const std::vector<std::int64_t>& values) const {
        to.set_type(onnx::AttributeProto::INTS);
        for (const std::int64_t value : values) to.add_ints(value);
    }
    void operator()(const std::vector<float>& values) const {
        to.set_type(onnx::AttributeProto::FLOATS);
        for (const float value : values) to.add_floats(value);
    }
    void operator()(const nn::HostTensor& value) const {
        to.set_type(onnx::AttributeProto::TENSOR);
        set_tensor(*to.mutable_t(), value);
    }
};

/// The constant as an initializer; a half-precision one is cast back by a node.
void add_constant(onnx::GraphProto& graph, const std::string& name, const nn::HostTensor& tensor, bool half) {
    onnx::TensorProto& to = *graph.add_initializer();
    to.set_name(name);
    if (!tensor.is_float() || !half || tensor.shape.size() < 2) {
        set_tensor(to, tensor);
        return;
    }
    for (const std::int64_t size : tensor.shape) to.add_dims(size);
    std::vector<std::uint16_t> halves;
    halves.reserve(tensor.floats->size());
    for (const float value : *tensor.floats) halves.push_back(float_to_half(value));
    to.set_name(name + ".half");
    to.set_data_type(onnx::TensorProto::FLOAT16);
    to.set_raw_data(halves.data(), halves.size() * sizeof(std::uint16_t));
    onnx::NodeProto& cast = *graph.add_node();
    cast.set_op_type("Cast");
    cast.set_name(name);
    cast.add_input(name + ".half");
    cast.add_output(name);
    onnx::AttributeProto& type = *cast.add_attribute();
    type.set_name("to");
    type.set_type(onnx::AttributeProto::INT);
    type.set_i(onnx::TensorProto::FLOAT);
}

void add_value(onnx::ValueInfoProto& info, const std::string& name, const nn::Shape& shape) {
    static const char* const open[] = {"N", "C", "H", "W"};
    info.set_name(name);
    auto& type = *info.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx::TensorProto::FLOAT);
    for (std::size_t i = 0; i < shape.size(); ++i) {
        auto& dimension = *type.mutable_shape()->add_dim();
        if (shape[i] < 0) {
            dimension.set_dim_param(i < 4 ? open[i] : "D" + std::to_string(i));
        } else {
            dimension.set_dim_value(shape[i]);
        }
    }
}

/// scale[o] = γ / √(σ² + ε) and the bias that goes with it.
void fold(const nn::Node& norm, nn::Node& conv, nn::Graph& graph) {
    const auto values = [&](const nn::Node& node, std::size_t i) -> const std::vector<float>& {
        return *graph.constants.at(node.inputs.at(i)).floats;
    };
    const double epsilon = norm.attributes.real("epsilon", 1e-5F);
    const nn::HostTensor weights = graph.constants.at(conv.inputs.at(1));
    const auto outputs = static_cast<std::size_t>(weights.shape[0]);
    const std::size_t row = weights.floats->size() / outputs;
    std::vector<float> scaled = *weights.floats;
    std::vector<float> bias(outputs);
    for (std::size_t o = 0; o < outputs; ++o) {
        const double scale = values(norm, 1)[o] / std::sqrt(values(norm, 4)[o] + epsilon);
        const double before = conv.inputs.size() > 2 ? values(conv, 2)[o] : 0.0;
        for (std::size_t i = 0; i < row; ++i) {
            scaled[o * row + i] = static_cast<float>(scaled[o * row + i] * scale);
        }
        bias[o] = static_cast<float>(values(norm, 2)[o] + (before - values(norm, 3)[o]) * scale);
    }
    graph.constants[conv.inputs[1]] = nn::HostTensor::of(weights.shape, std::move(scaled));
    const std::string name = conv.inputs.size() > 2 ? conv.inputs[2] : conv.name + ".bias";
    conv.inputs.resize(2);
    conv.inputs.push_back(name);
    graph.constants[name] = nn::HostTensor::of({static_cast<std::int64_t>(outputs)}, std::move(bias));
}

}  // namespace

nn::Graph for_inference(const nn::Graph& graph) {
    nn::Graph result = graph;
    result.nodes.clear();
    std::map<std::string, std::string> renamed;
    const auto rename = [&](std::string& name) {
        if (const auto found = renamed.find(name); found != renamed.end()) name = found->second;
    };
    // One kind after the other, so that the second counts readers as they are by then.
    const auto rewrite = [&](const std::vector<nn::Node>& nodes, const auto& replaced) {
        renamed.clear();
        for (nn::Node node : nodes) {
            for (std::string& input : node.inputs) rename(input);
            if (!replaced(node)) result.nodes.push_back(std::move(node));
        }
        for (std::string& output : result.outputs) rename(output);
    };
    rewrite(graph.nodes, [&](const nn::Node& node) {
        if (node.op != "Dropout") return false;
        renamed[node.outputs.at(0)] = node.inputs.at(0);
        return true;
    });
    const std::vector<nn::Node> nodes = std::exchange(result.nodes, {});
    const auto readers = [&](const std::string& name) {
        auto count = std::count(result.outputs.begin(), result.outputs.end(), name);
        for (const nn::Node& node : nodes) count += std::count(node.inputs.begin(), node.inputs.end(), name);
        return count;
    };
    rewrite(nodes, [&](const nn::Node& node) {
        if (node.op != "BatchNormalization") return false;
        const auto conv = std::find_if(result.nodes.begin(), result.nodes.end(), [&](const nn::Node& other) {
            return other.op == "Conv" && other.outputs.at(0) == node.inputs.at(0);
        });
        if (conv == result.nodes.end() || readers(conv->outputs[0]) != 1) return false;
        const auto shared = [&](const std::string& name) { return readers(name) != 1; };
        if (std::any_of(conv->inputs.begin() + 1, conv->inputs.end(), shared)) return false;
        fold(node, *conv, result);
        renamed[node.outputs.at(0)] = conv->outputs[0];
        return true;
    });
    std::erase_if(result.constants, [&](const auto& constant) {
        return std::none_of(result.nodes.begin(), result.nodes.end(), [&](const nn::Node& node) {
            return std::find(node.inputs.begin(), node.inputs.end(), constant.first) != node.inputs.end();
        });
    });
    return result;
}

void export_onnx(const nn::Graph& graph, const std::string& path, bool half) {
    onnx::ModelProto model;
    model.set_ir_version(7);
    model.set_producer_name("deconv-live");
    model.set_producer_version(DECONV_VERSION);
    onnx::OperatorSetIdProto& opset = *model.add_opset_import();
    opset.set_domain("");
    opset.set_version(13);
    onnx::GraphProto& to = *model.mutable_graph();
    to.set_name(fs::path(path).stem().string());
    for (const auto& [name, tensor] : graph.constants) add_constant(to, name, tensor, half);
    for (const nn::Node& from : graph.nodes) {
        onnx::NodeProto& node = *to.add_node();
        node.set_name(from.name);
        node.set_op_type(from.op);
        for (const std::string& input : from.inputs) node.add_input(input);
        for (const std::string& output : from.outputs) node.add_output(output);
        for (const auto& [name, value] : from.attributes.all()) {
            onnx::AttributeProto& attribute = *node.add_attribute();
            attribute.set_name(name);
            std::visit(SetAttribute{attribute}, value);
        }
    }
    for (const nn::Input& input : graph.inputs) add_value(*to.add_input(), input.name, input.shape);
    for (const std::string& output : graph.outputs) {
        const auto made = std::find_if(graph.nodes.begin(), graph.nodes.end(),
                                       [&](const nn::Node& node) { return node.outputs.at(0) == output; });
        std::int64_t classes = -1;
        if (made != graph.nodes.end() && made->op == "Gemm") {
            classes =
                graph.constants.at(made->inputs.at(1)).shape.at(made->attributes.integer("transB", 0) != 0 ? 0 : 1);
        }
        add_value(*to.add_output(), output, {-1, classes});
    }
    try {
        onnx::checker::check_model(model);
    } catch (const std::exception& error) {
        throw Error(path + ": the network does not make a valid ONNX model: " + error.what());
    }
    write_text(path, model.SerializeAsString());
}

void write_sidecar(const std::string& onnx_path, const Description& description) {
    const fs::path path(onnx_path);
    const std::string labels = path.stem().string() + "-labels.txt";
    std::string text;
    for (const std::string& name : description.classes) text += name + "\n";
    write_text((path.parent_path() / labels).string(), text);
    const auto three = [](const std::array<float, 3>& values) {
        nlohmann::ordered_json list = nlohmann::ordered_json::array();
        for (const float value : values) list.push_back(std::round(static_cast<double>(value) * 1e5) / 1e5);
        return list;
    };
    nlohmann::ordered_json result = nlohmann::ordered_json::object();
    for (const auto& [name, value] : description.result) {
        if (value == std::floor(value)) {
            result[name] = static_cast<std::int64_t>(value);
        } else {
            result[name] = std::round(value * 1e6) / 1e6;
        }
    }
    const nlohmann::ordered_json json = {{"name", description.name},
                                         {"origin", description.origin},
                                         {"result", result},
                                         {"input",
                                          {{"width", description.width},
                                           {"height", description.height},
                                           {"color", "rgb"},
                                           {"range", {0, 1}},
                                           {"mean", three(description.normalisation.mean)},
                                           {"std", three(description.normalisation.std)}}},
                                         {"labels", labels}};
    write_text(fs::path(path).replace_extension(".json").string(), json.dump(2) + "\n");
}

}  // namespace deconv::train
