#include "reference/network.h"

#include <atomic>
#include <stdexcept>
#include <thread>

#include "reference/operators.h"

namespace deconv::reference {

namespace {

Step make_step(const Network& network, const Network::Values& values, const Node& node, const Choices* choices) {
    Step step{node, network.opset(), {}, choices};
    for (const auto& name : node.inputs) {
        step.inputs.push_back(network.find(values, name));
        if (!name.empty() && step.inputs.back() == nullptr) step.fail("tensor " + name + " has no value");
    }
    return step;
}

}  // namespace

const Tensor& Step::input(std::size_t i) const {
    if (!has(i)) fail("input " + std::to_string(i) + " is missing");
    return *inputs[i];
}

void Step::fail(const std::string& what) const {
    throw std::runtime_error("node " + node.name + " (" + node.op + "): " + what);
}

const Operator& find_operator(const Node& node) {
    static const OperatorTable table = [] {
        OperatorTable t;
        add_convolutions(t);
        add_pools(t);
        add_rectifiers(t);
        add_normalizations(t);
        add_matrices(t);
        add_arithmetic(t);
        add_movements(t);
        add_constants(t);
        return t;
    }();
    const auto found = table.find(node.op);
    if (found == table.end()) throw std::runtime_error("node " + node.name + ": no operator " + node.op);
    return found->second;
}

void parallel_for(std::int64_t n, const std::function<void(std::int64_t)>& body) {
    std::atomic<std::int64_t> next{0};
    const auto work = [&] {
        for (std::int64_t i = next++; i < n; i = next++) body(i);
    };
    if (n < 2) return work();
    std::jthread other(work);
    work();
}

const Node* Network::producer(const std::string& tensor) const {
    for (const auto& node : nodes_) {
        for (const auto& output : node.outputs) {
            if (!output.empty() && output == tensor) return &node;
        }
    }
    return nullptr;
}

const Tensor* Network::find(const Values& values, const std::string& tensor) const {
    if (tensor.empty()) return nullptr;
    const auto value = values.find(tensor);
    if (value != values.end()) return &value->second;
    const auto constant = constants_.find(tensor);
    return constant != constants_.end() ? &constant->second : nullptr;
}

Network::Values Network::forward(const Values& inputs, const Choices* choices, const std::string& until) const {
    Values values = inputs;
    for (const auto& node : nodes_) {
        if (!until.empty() && values.count(until) != 0) break;
        auto outputs = find_operator(node).forward(make_step(*this, values, node, choices));
        if (outputs.size() < node.outputs.size()) throw std::runtime_error("node " + node.name + ": too many outputs");
        for (std::size_t i = 0; i < node.outputs.size(); ++i) {
            if (!node.outputs[i].empty()) values[node.outputs[i]] = std::move(outputs[i]);
        }
    }
    return values;
}

std::string Network::start_of(const std::string& target) const {
    const Node* node = producer(target);
    return node != nullptr && node->op == "Softmax" ? node->inputs.at(0) : target;
}

/// The tensors to which a path of signal-carrying inputs leads from `input`.
std::set<std::string> Network::reached_from(const std::string& input) const {
    std::set<std::string> reached{input};
    for (const auto& node : nodes_) {
        const Flow flow = find_operator(node).flow;
        const std::size_t carrying = flow == Flow::none ? 0 : flow == Flow::first ? 1 : node.inputs.size();
        for (std::size_t i = 0; i < carrying && i < node.inputs.size(); ++i) {
            if (reached.count(node.inputs[i]) != 0) reached.insert(node.outputs[0]);
        }
    }
    return reached;
}

Tensor Network::project(const Values& values, const std::string& target, const Tensor& start, Rule rule, Lrn lrn,
                        const std::string& input, const Choices* choices) const {
    const std::string from = start_of(target);
    const Tensor* activation = find(values, from);
    if (activation == nullptr || find(values, input) == nullptr) throw std::runtime_error("no values of " + from);
    if (start.shape != activation->shape) throw std::runtime_error("the start does not have the shape of " + from);
    const auto reached = reached_from(input);
    std::map<std::string, Tensor> signals{{from, start}};
    for (std::size_t n = nodes_.size(); n-- > 0;) {
        const Node* node = &nodes_[n];
        // Only first outputs carry signal: a node after the target has none and takes no part.
        const auto signal = signals.find(node->outputs[0]);
        if (signal == signals.end() || reached.count(node->outputs[0]) == 0) continue;
        const Step step = make_step(*this, values, *node, choices);
        ReverseStep reverse{step, values.at(node->outputs[0]), signal->second, rule, lrn, {}};
        const Operator& op = find_operator(*node);
        for (std::size_t i = 0; i < node->inputs.size(); ++i) {
            const bool on_path = reached.count(node->inputs[i]) != 0;
            if (on_path && op.flow == Flow::first && i > 0) step.fail("its weights depend on the image");
            reverse.wanted.push_back(on_path);
        }
        auto back = op.reverse(reverse);
        for (std::size_t i = 0; i < node->inputs.size(); ++i) {
            if (reverse.wanted[i]) accumulate(signals[node->inputs[i]], back.at(i));
        }
        if (node->outputs[0] != input) signals.erase(node->outputs[0]);
    }
    const auto result = signals.find(input);
    return result != signals.end() ? result->second : Tensor::zeros(find(values, input)->shape);
}

std::vector<std::int64_t> switches_of(const Network& network, const Network::Values& values, const std::string& name) {
    for (const auto& node : network.nodes()) {
        if (node.name == name) return pool_switches(make_step(network, values, node, nullptr));
    }
    throw std::runtime_error("no node " + name);
}

}  // namespace deconv::reference
