// One small model, run on the device and by the float64 reference from the same numbers.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "engine.h"
#include "reference/test_models.h"

namespace deconv::testing {

using reference::AttributeList;
using reference::Ints;
using reference::ModelMaker;
using reference::Shape;

inline std::vector<float> to_floats(const std::vector<double>& values) {
    return {values.begin(), values.end()};
}

/// Seeded random numbers that float32 holds exactly.
class Random : public reference::RandomTensors {
  public:
    using RandomTensors::RandomTensors;

    reference::Tensor normal(const Shape& shape) { return rounded(RandomTensors::normal(shape)); }
    /// Away from zero, for divisors and variances.
    reference::Tensor positive(const Shape& shape) {
        reference::Tensor t = RandomTensors::normal(shape);
        for (double& v : t.data) v = 0.5 + std::abs(v);
        return rounded(std::move(t));
    }
    template <typename T>
    const T& pick(const std::vector<T>& of) {
        return of[static_cast<std::size_t>(integer(0, static_cast<std::int64_t>(of.size()) - 1))];
    }
    bool flip() { return integer(0, 1) == 1; }

    static reference::Tensor rounded(reference::Tensor t) {
        for (double& v : t.data) v = static_cast<double>(static_cast<float>(v));
        return t;
    }
};

/// The model with what a file must have besides its nodes: names, types and shapes of inputs and outputs.
inline onnx::ModelProto complete(onnx::ModelProto model, const reference::Network::Values& inputs,
                                 const std::vector<std::string>& outputs) {
    model.set_ir_version(7);
    auto& graph = *model.mutable_graph();
    graph.set_name("test");
    for (auto& input : *graph.mutable_input()) {
        const reference::Tensor& value = inputs.at(input.name());
        auto& type = *input.mutable_type()->mutable_tensor_type();
        type.set_elem_type(value.integer ? onnx::TensorProto::INT64 : onnx::TensorProto::FLOAT);
        type.clear_shape();
        type.mutable_shape();
        for (const auto size : value.shape) type.mutable_shape()->add_dim()->set_dim_value(size);
    }
    graph.clear_output();
    for (const std::string& name : outputs) {
        auto& output = *graph.add_output();
        output.set_name(name);
        output.mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::FLOAT);
        output.mutable_type()->mutable_tensor_type()->mutable_shape();
    }
    return model;
}

inline reference::Rule to_reference(nn::Rule rule) {
    switch (rule) {
        case nn::Rule::deconv:
            return reference::Rule::deconv;
        case nn::Rule::guided:
            return reference::Rule::guided;
        default:
            return reference::Rule::gradient;
    }
}

inline reference::Lrn to_reference(nn::LrnReverse lrn) {
    return lrn == nn::LrnReverse::identity ? reference::Lrn::identity : reference::Lrn::derivative;
}

inline reference::Tensor reference_start(const reference::Tensor& activation, const nn::Selection& selection) {
    auto channel = reference::ChannelChoice::number(selection.channel);
    if (selection.channel == nn::Selection::strongest) channel = reference::ChannelChoice::strongest();
    if (selection.channel == nn::Selection::all) channel = reference::ChannelChoice::all();
    auto place = reference::PlaceChoice::all();
    if (selection.where == nn::Selection::Where::max) place = reference::PlaceChoice::max();
    if (selection.where == nn::Selection::Where::pinned) {
        place = reference::PlaceChoice::at(selection.y, selection.x);
    }
    return reference::make_start(activation, channel, place,
                                 selection.one ? reference::StartValue::one : reference::StartValue::value);
}

inline std::string describe(const nn::Selection& s) {
    static const char* const where[] = {"all", "max", "pinned"};
    return "channel " + std::to_string(s.channel) + ", " + where[static_cast<int>(s.where)] + " (" +
           std::to_string(s.y) + "," + std::to_string(s.x) + "), start " + (s.one ? "one" : "value");
}

inline const char* name_of(nn::Rule rule) {
    return rule == nn::Rule::deconv ? "deconv" : rule == nn::Rule::guided ? "guided" : "gradient";
}

constexpr nn::Rule all_rules[] = {nn::Rule::deconv, nn::Rule::guided, nn::Rule::gradient};

/// Everything that a person can select of a tensor of that shape, at random.
inline nn::Selection random_selection(Random& random, const Shape& shape) {
    const nn::Extent extent = nn::extent_of(shape);
    nn::Selection s;
    const std::int64_t kind = random.integer(0, 3);
    s.channel = kind == 0   ? nn::Selection::all
                : kind == 1 ? nn::Selection::strongest
                            : static_cast<std::int32_t>(random.integer(0, extent.channels - 1));
    s.where = static_cast<nn::Selection::Where>(random.integer(0, 2));
    if (s.where == nn::Selection::Where::pinned) {
        s.y = static_cast<std::int32_t>(random.integer(0, extent.plane / extent.width - 1));
        s.x = static_cast<std::int32_t>(random.integer(0, extent.width - 1));
    }
    s.one = random.flip();
    return s;
}

/// The plain way back of everything, and a few others at random beside it, `most` altogether.
inline std::vector<nn::Selection> all_and_others(Random& random, const Shape& shape, std::size_t most) {
    nn::Selection all;
    all.channel = nn::Selection::all;
    std::vector<nn::Selection> selections{all};
    while (random.flip() && selections.size() < most) selections.push_back(random_selection(random, shape));
    return selections;
}

/// Dispatches of a plan whose shader's name begins so.
inline int dispatches(const nn::Plan& plan, const std::string& prefix) {
    int count = 0;
    for (const gpu::Step& step : plan.steps()) count += step.dispatch.shader.substr(0, prefix.size()) == prefix ? 1 : 0;
    return count;
}

/// A model on both sides, with the values of all its tensors.
class Comparison {
  public:
    Comparison(const onnx::ModelProto& model, reference::Network::Values inputs,
               const std::vector<std::string>& outputs)
        : network_(reference::Network::parse(model)),
          values_(network_.forward(inputs)),
          inputs_(std::move(inputs)),
          runner_(nn::import_onnx_bytes(complete(model, inputs_, outputs).SerializeAsString(), "test model", ".")) {}

    Runner& runner() { return runner_; }
    const reference::Network& network() const { return network_; }
    const reference::Network::Values& values() const { return values_; }

    void feed() {
        for (const auto& [name, value] : inputs_) {
            if (!value.integer) runner_.set_input(name, to_floats(value.data));
        }
    }

    /// Every tensor's values, and every pool's switches.
    void expect_forward(double tolerance = 1e-5) {
        std::vector<std::string> names;
        for (const auto& tensor : runner_.network().tensors()) names.push_back(tensor.name);
        runner_.plan("", nn::Rule::deconv, nn::LrnReverse::identity, 1, names);
        feed();
        runner_.run();
        for (const auto& node : runner_.network().nodes()) {
            const std::string& name = node.node->outputs[0];
            EXPECT_EQ(runner_.network().tensors()[static_cast<std::size_t>(node.outputs[0])].shape,
                      values_.at(name).shape);
            EXPECT_LE(relative_error(runner_.values(name), values_.at(name).data), tolerance) << "tensor " << name;
            if (node.outputs.size() < 2) continue;
            const auto expected = reference::switches_of(network_, values_, node.node->name);
            const auto& switches = runner_.network().tensors()[static_cast<std::size_t>(node.outputs[1])].name;
            const std::vector<std::uint32_t> found = runner_.switches(switches);
            EXPECT_TRUE(std::equal(found.begin(), found.end(), expected.begin(), expected.end(),
                                   [](std::uint32_t a, std::int64_t b) { return a == static_cast<std::uint32_t>(b); }))
                << "switches of " << node.node->name;
        }
    }

    /// R₀ of all selections, carried back in one pass.
    void expect_projection(const std::string& target, nn::Rule rule, const std::vector<nn::Selection>& selections,
                           double tolerance = 1e-5, nn::LrnReverse lrn = nn::LrnReverse::identity,
                           const std::vector<std::string>& observed = {}) {
        runner_.plan(target, rule, lrn, static_cast<std::int64_t>(selections.size()), observed);
        feed();
        if (!runner_.current().single_steps().empty()) {
            SCOPED_TRACE("cropped");
            const std::vector<nn::Selection> single = singles(values_.at(network_.start_of(target)).shape, selections);
            runner_.run_single(single);
            expect_reconstruction(target, rule, single, tolerance, lrn);
        }
        runner_.run(selections);
        expect_reconstruction(target, rule, selections, tolerance, lrn);
    }

  private:
    /// The same channels, each from one position: corners and edges, and such as were chosen.
    static std::vector<nn::Selection> singles(const Shape& shape, std::vector<nn::Selection> selections) {
        const nn::Extent extent = nn::extent_of(shape);
        const auto height = static_cast<std::int32_t>(extent.plane / extent.width);
        const auto width = static_cast<std::int32_t>(extent.width);
        std::int32_t number = static_cast<std::int32_t>(nn::elements(shape) % 7);
        for (nn::Selection& s : selections) {
            ++number;
            if (s.is_single()) continue;
            s.where = nn::Selection::Where::pinned;
            s.y = number % 3 == 0 ? 0 : (number % 3 == 1 ? height - 1 : height / 2);
            s.x = number % 4 < 2 ? 0 : (number % 4 == 2 ? width - 1 : width / 2);
            s.one = true;  // a single value may be small, and have a large error of its own
        }
        return selections;
    }

    /// R₀ as it lies there is that of these selections.
    void expect_reconstruction(const std::string& target, nn::Rule rule, const std::vector<nn::Selection>& selections,
                               double tolerance, nn::LrnReverse lrn) {
        const std::vector<float> r0 = runner_.reconstruction();
        const std::string input = network_.inputs().at(0).first;
        const auto one = static_cast<std::ptrdiff_t>(r0.size() / selections.size());
        for (std::size_t k = 0; k < selections.size(); ++k) {
            const std::string trace = std::string(name_of(rule)) + " from " + target + ", copy " + std::to_string(k) +
                                      ": " + describe(selections[k]);
            SCOPED_TRACE(trace);
            const reference::Tensor start = reference_start(values_.at(network_.start_of(target)), selections[k]);
            const auto expected =
                network_.project(values_, target, start, to_reference(rule), to_reference(lrn), input);
            const auto from = r0.begin() + static_cast<std::ptrdiff_t>(k) * one;
            EXPECT_LE(relative_error({from, from + one}, expected.data), tolerance);
        }
    }

    reference::Network network_;
    reference::Network::Values values_, inputs_;
    Runner runner_;
};

/// Forward, and back under each of `rules`, with `copies` random selections at once.
inline void expect_agreement(const std::string& name, const ModelMaker& maker, const Shape& shape, Random& random,
                             const std::vector<nn::Rule>& rules, double tolerance = 1e-5,
                             const std::string& target = "y") {
    SCOPED_TRACE(name);
    try {
        Comparison comparison(maker.proto(), {{"x", random.normal(shape)}}, {target});
        comparison.expect_forward(tolerance);
        const Shape& made = comparison.values().at(comparison.network().start_of(target)).shape;
        for (const nn::Rule rule : rules) {
            // The plain way back of everything, always; others beside it in the same pass.
            nn::Selection all;
            all.channel = nn::Selection::all;
            std::vector<nn::Selection> selections{all};
            const std::int64_t copies = random.integer(1, 5);
            while (static_cast<std::int64_t>(selections.size()) < copies) {
                selections.push_back(random_selection(random, made));
            }
            comparison.expect_projection(target, rule, selections, tolerance);
        }
    } catch (const std::exception& error) {
        ADD_FAILURE() << error.what();
    }
}

inline std::vector<nn::Rule> every_rule() {
    return {std::begin(all_rules), std::end(all_rules)};
}
inline std::vector<nn::Rule> some_rule(Random& random) {
    return {random.pick(every_rule())};
}

inline std::string text(const Ints& list) {
    std::string out = "[";
    for (const auto v : list) out += std::to_string(v) + " ";
    return out + "]";
}

/// "Op on 1x2x3, name value …", as every failure prints it.
inline std::string describe(const std::string& op, const Shape& shape, const AttributeList& attributes,
                            const std::string& more = {}) {
    std::string out = op + " on " + reference::to_string(shape);
    for (const auto& [name, value] : attributes) {
        out += ", " + name + " ";
        if (const auto* i = std::get_if<std::int64_t>(&value)) out += std::to_string(*i);
        if (const auto* f = std::get_if<float>(&value)) out += std::to_string(*f);
        if (const auto* s = std::get_if<std::string>(&value)) out += *s;
        if (const auto* l = std::get_if<Ints>(&value)) out += text(*l);
    }
    return more.empty() ? out : out + ", " + more;
}

}  // namespace deconv::testing
