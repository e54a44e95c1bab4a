// Small ONNX models made in memory, for the reference's own tests.
#pragma once

#include <map>
#include <random>
#include <string>
#include <variant>
#include <vector>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include <onnx/onnx_pb.h>
#pragma GCC diagnostic pop

#include "reference/reference.h"

namespace deconv::reference {

using Ints = std::vector<std::int64_t>;
using AttributeValue = std::variant<std::int64_t, float, std::string, Ints>;
using AttributeList = std::map<std::string, AttributeValue>;

/// A model of which nodes and constants are added one by one; its image input is "x".
class ModelMaker {
  public:
    explicit ModelMaker(int opset = 12) {
        model_.add_opset_import()->set_version(opset);
        input("x");
    }

    void input(const std::string& name) { model_.mutable_graph()->add_input()->set_name(name); }

    std::string constant(const std::string& name, const Tensor& t) {
        auto* proto = model_.mutable_graph()->add_initializer();
        proto->set_name(name);
        for (const auto d : t.shape) proto->add_dims(d);
        proto->set_data_type(t.integer ? onnx::TensorProto::INT64 : onnx::TensorProto::DOUBLE);
        for (const double v : t.data) {
            if (t.integer)
                proto->add_int64_data(static_cast<std::int64_t>(v));
            else
                proto->add_double_data(v);
        }
        return name;
    }

    std::string list(const std::string& name, const Ints& values) {
        return constant(name, {{static_cast<std::int64_t>(values.size())}, {values.begin(), values.end()}, true});
    }

    /// The first output's name is the node's.
    std::string node(const std::string& op, const std::vector<std::string>& inputs, const std::string& output,
                     const AttributeList& attributes = {}, const std::vector<std::string>& more_outputs = {}) {
        auto* proto = model_.mutable_graph()->add_node();
        proto->set_name(output);
        proto->set_op_type(op);
        for (const auto& i : inputs) proto->add_input(i);
        proto->add_output(output);
        for (const auto& o : more_outputs) proto->add_output(o);
        for (const auto& [name, value] : attributes) {
            auto* a = proto->add_attribute();
            a->set_name(name);
            if (const auto* i = std::get_if<std::int64_t>(&value)) {
                a->set_type(onnx::AttributeProto::INT);
                a->set_i(*i);
            } else if (const auto* f = std::get_if<float>(&value)) {
                a->set_type(onnx::AttributeProto::FLOAT);
                a->set_f(*f);
            } else if (const auto* s = std::get_if<std::string>(&value)) {
                a->set_type(onnx::AttributeProto::STRING);
                a->set_s(*s);
            } else {
                a->set_type(onnx::AttributeProto::INTS);
                for (const auto v : std::get<Ints>(value)) a->add_ints(v);
            }
        }
        return output;
    }

    Network network() const { return Network::parse(model_); }
    const onnx::ModelProto& proto() const { return model_; }

  private:
    onnx::ModelProto model_;
};

class RandomTensors {
  public:
    explicit RandomTensors(unsigned seed) : engine_(seed) {}

    Tensor normal(const Shape& shape) {
        std::normal_distribution<double> distribution;
        Tensor t = Tensor::zeros(shape);
        for (double& v : t.data) v = distribution(engine_);
        return t;
    }

    std::int64_t integer(std::int64_t low, std::int64_t high) {
        return std::uniform_int_distribution<std::int64_t>(low, high)(engine_);
    }

  private:
    std::mt19937 engine_;
};

}  // namespace deconv::reference
