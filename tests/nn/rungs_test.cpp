// The rungs of a plan that keeps its signals: exactly the tensors through which every way back passes, each with the
// signal that the reference has there.
#include <algorithm>
#include <map>

#include "random_graph.h"

namespace deconv::testing {
namespace {

using Names = std::vector<std::string>;

/// The inputs through which a node hands its signal on.
Names carrying(const reference::Node& node) {
    static const std::set<std::string> of_all{"Add", "Sub", "Sum", "Mul", "Concat"};
    return of_all.count(node.op) > 0 ? node.inputs : Names{node.inputs.at(0)};
}

/// Whether a way leads from `from` back to `to` that does not touch `removed`.
bool leads_back(const reference::Network& network, const std::string& from, const std::string& to,
                const std::string& removed) {
    std::vector<std::string> open{from};
    std::set<std::string> seen{removed};
    while (!open.empty()) {
        const std::string at = open.back();
        open.pop_back();
        if (!seen.insert(at).second) continue;
        if (at == to) return true;
        const reference::Node* node = network.producer(at);
        if (node == nullptr) continue;
        for (const std::string& input : carrying(*node)) open.push_back(input);
    }
    return false;
}

/// The tensors without which no signal comes back, from the target to the image.
Names bottlenecks(const reference::Network& network, const std::string& target) {
    Names names{"x"};
    for (const reference::Node& node : network.nodes()) {
        const std::string& name = node.outputs[0];
        if (name == target || !leads_back(network, target, "x", name)) names.push_back(name);
        if (name == target) break;
    }
    std::reverse(names.begin(), names.end());
    return names;
}

/// The node that brought the signal of a rung there: the last on the way back that hands something to it.
std::string bringer(const reference::Network& network, const std::string& target, const std::string& tensor) {
    for (const reference::Node& node : network.nodes()) {
        const Names to = carrying(node);
        const bool hands = std::find(to.begin(), to.end(), tensor) != to.end();
        if (hands && leads_back(network, target, node.outputs[0], "")) return node.name;
    }
    return "none";
}

class EngineRungs : public ::testing::Test {
  protected:
    /// Everything that is promised of a plan that keeps its signals.
    static void expect_rungs(Comparison& comparison, const std::string& target, nn::Rule rule,
                             const std::vector<nn::Selection>& selections) {
        const reference::Network& network = comparison.network();
        Runner& runner = comparison.runner();
        const auto run = [&](bool keep_signals) {
            runner.plan(target, rule, nn::LrnReverse::identity, static_cast<std::int64_t>(selections.size()), {},
                        keep_signals);
            comparison.feed();
            runner.run(selections);
            return runner.reconstruction();
        };
        const std::vector<float> plain = run(false);
        EXPECT_TRUE(runner.current().rungs().empty());
        // Signals that are kept are dense, others may be packed, and sums go another way.
        const std::vector<float> kept = run(true);
        EXPECT_LE(relative_error(kept, std::vector<double>(plain.begin(), plain.end())), 1e-5);

        Names names;
        for (const nn::Rung& rung : runner.current().rungs()) names.push_back(name_of_tensor(runner, rung.tensor));
        ASSERT_EQ(names, bottlenecks(network, target));
        for (const nn::Rung& rung : runner.current().rungs()) {
            SCOPED_TRACE("rung " + name_of_tensor(runner, rung.tensor));
            expect_rung(comparison, target, rule, selections, rung);
        }
    }

  private:
    static std::string name_of_tensor(const Runner& runner, int tensor) {
        return runner.network().tensors()[static_cast<std::size_t>(tensor)].name;
    }

    static void expect_rung(Comparison& comparison, const std::string& target, nn::Rule rule,
                            const std::vector<nn::Selection>& selections, const nn::Rung& rung) {
        const reference::Network& network = comparison.network();
        const std::string name = name_of_tensor(comparison.runner(), rung.tensor);
        const std::vector<float> signals = values_of<float>(rung.signal.slice);
        const reference::Tensor& activation = comparison.values().at(name);
        EXPECT_EQ(rung.signal.shape, activation.shape);
        const auto one = static_cast<std::ptrdiff_t>(activation.data.size());
        ASSERT_EQ(signals.size(), activation.data.size() * selections.size());
        for (std::size_t k = 0; k < selections.size(); ++k) {
            const reference::Tensor start = reference_start(comparison.values().at(target), selections[k]);
            const reference::Tensor expected =
                network.project(comparison.values(), target, start, to_reference(rule), reference::Lrn::identity, name);
            const auto from = signals.begin() + static_cast<std::ptrdiff_t>(k) * one;
            EXPECT_LE(relative_error({from, from + one}, expected.data), 1e-5)
                << "copy " << k << ": " << describe(selections[k]);
        }
        if (name == target) {
            EXPECT_EQ(rung.node, -1);
            return;
        }
        ASSERT_GE(rung.node, 0);
        const nn::Node& node = *comparison.runner().network().nodes()[static_cast<std::size_t>(rung.node)].node;
        EXPECT_EQ(node.name, bringer(network, target, name));
        if (node.op != "MaxPool") {
            EXPECT_FALSE(rung.switches) << "switches of " << node.op;
            return;
        }
        const std::vector<std::int64_t> expected = reference::switches_of(network, comparison.values(), node.name);
        EXPECT_EQ(rung.switches.shape, comparison.values().at(node.outputs[0]).shape);
        const std::vector<std::uint32_t> switches = values_of<std::uint32_t>(rung.switches.slice);
        EXPECT_EQ(switches, (std::vector<std::uint32_t>{expected.begin(), expected.end()})) << node.name;
    }

    template <typename T>
    static std::vector<T> values_of(const gpu::Slice& slice) {
        std::vector<T> values(slice.bytes / sizeof(T));
        gpu::download(engine().device, slice, std::as_writable_bytes(std::span(values)));
        return values;
    }
};

const Ints same{1, 1, 1, 1};
const AttributeList halving{{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}};
const AttributeList overlapping{{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}};

/// Nodes of a network, each with random weights.
class Layers {
  public:
    Layers(ModelMaker& maker, Random& random) : maker_(maker), random_(random) {}

    std::string conv(const std::string& from, std::int64_t in, std::int64_t out, std::int64_t side,
                     const std::string& name) {
        reference::Tensor w = random_.normal({out, in, side, side});
        for (double& v : w.data) v /= std::sqrt(static_cast<double>(in * side * side));
        maker_.constant(name + "_w", Random::rounded(w));
        maker_.constant(name + "_b", random_.normal({out}));
        return maker_.node("Conv", {from, name + "_w", name + "_b"}, name,
                           {{"pads", side == 3 ? same : Ints{0, 0, 0, 0}}});
    }
    std::string relu(const std::string& from, const std::string& name) { return maker_.node("Relu", {from}, name); }

  private:
    ModelMaker& maker_;
    Random& random_;
};

struct Drawn {
    std::string what;
    Shape shape;
    Names rungs;  // from the target "y" to the image
    void (*make)(ModelMaker&, Layers&);
};

const std::vector<Drawn> drawn = {
    {"Chain",
     {1, 3, 17, 14},
     {"y", "f", "p2", "r2", "c2", "p1", "r1", "c1", "x"},
     [](ModelMaker& m, Layers& layers) {
         layers.relu(layers.conv("x", 3, 5, 3, "c1"), "r1");
         m.node("MaxPool", {"r1"}, "p1", halving);
         layers.relu(layers.conv("p1", 5, 8, 3, "c2"), "r2");
         m.node("MaxPool", {"r2"}, "p2", overlapping);
         m.node("Flatten", {"p2"}, "f");
         m.node("Relu", {"f"}, "y");
     }},
    {"Fire",
     {1, 2, 12, 15},
     {"y", "c3", "p", "j", "s", "c", "x"},
     [](ModelMaker& m, Layers& layers) {
         layers.relu(layers.conv("x", 2, 4, 1, "c"), "s");
         layers.relu(layers.conv("s", 4, 16, 1, "c1"), "a");
         layers.relu(layers.conv("s", 4, 16, 3, "c2"), "b");
         m.node("Concat", {"a", "b"}, "j", {{"axis", std::int64_t{1}}});
         m.node("MaxPool", {"j"}, "p", overlapping);
         layers.relu(layers.conv("p", 32, 6, 1, "c3"), "y");
     }},
    {"Residual",
     {1, 3, 16, 10},
     {"y", "t", "s", "a", "c", "x"},
     [](ModelMaker& m, Layers& layers) {
         layers.relu(layers.conv("x", 3, 4, 3, "c"), "a");
         layers.relu(layers.conv("a", 4, 6, 3, "c1"), "b");
         layers.conv("b", 6, 4, 3, "c2");
         m.node("Add", {"c2", "a"}, "s");
         m.node("Relu", {"s"}, "t");
         m.node("MaxPool", {"t"}, "y", halving);
     }},
    {"TwoBlocks",
     {1, 4, 9, 8},
     {"y", "n", "m", "x"},
     [](ModelMaker& m, Layers& layers) {
         layers.relu(layers.conv("x", 4, 4, 1, "c1"), "a");
         m.node("Add", {"a", "x"}, "m");
         layers.relu(layers.conv("m", 4, 4, 3, "c2"), "b");
         layers.relu(layers.conv("m", 4, 4, 1, "c3"), "d");
         m.node("Concat", {"b", "m", "d"}, "n", {{"axis", std::int64_t{1}}});
         m.node("GlobalAveragePool", {"n"}, "y");
     }},
};

TEST_F(EngineRungs, OfNetworksThatArePlain) {
    for (const Drawn& network : drawn) {
        SCOPED_TRACE(network.what);
        Random random(201);
        ModelMaker maker(12);
        Layers layers(maker, random);
        network.make(maker, layers);
        Comparison comparison(maker.proto(), {{"x", random.normal(network.shape)}}, {"y"});
        ASSERT_EQ(bottlenecks(comparison.network(), "y"), network.rungs) << "the test's own list";
        nn::Selection all;
        all.channel = nn::Selection::all;
        for (const nn::Rule rule : all_rules) {
            SCOPED_TRACE(name_of(rule));
            // One copy shares memory where several cannot.
            expect_rungs(comparison, "y", rule, {all});
            expect_rungs(comparison, "y", rule, {all, {}, random_selection(random, comparison.values().at("y").shape)});
        }
    }
}

TEST_F(EngineRungs, OfRandomGraphs) {
    std::size_t between = 0;
    std::size_t passed_by = 0;
    for (unsigned seed = 1; seed <= 60; ++seed) {
        Random random(7000 + seed);
        RandomGraph graph(random, static_cast<int>(random.integer(5, 20)));
        const std::string target = graph.any();
        if (target == "x") continue;
        SCOPED_TRACE("seed " + std::to_string(seed) + ", target " + target + " of input " +
                     reference::to_string(graph.shape()));
        Comparison comparison(graph.maker.proto(), {{"x", random.normal(graph.shape())}}, {graph.last()});
        std::vector<nn::Selection> selections;
        for (std::int64_t copies = random.integer(1, 3); copies > 0; --copies) {
            selections.push_back(random_selection(random, comparison.values().at(target).shape));
        }
        const nn::Rule rule = random.pick(every_rule());
        SCOPED_TRACE(name_of(rule));
        expect_rungs(comparison, target, rule, selections);
        const Names rungs = bottlenecks(comparison.network(), target);
        between += rungs.size() - 2;
        for (const reference::Node& node : comparison.network().nodes()) {
            const std::string& name = node.outputs[0];
            const bool on_a_way = leads_back(comparison.network(), target, name, "");
            if (on_a_way && std::find(rungs.begin(), rungs.end(), name) == rungs.end()) ++passed_by;
        }
    }
    // Otherwise these graphs would show little.
    EXPECT_GT(between, 60U);
    EXPECT_GT(passed_by, 60U);
}

/// What a signal cannot cross is no way: the other input of a division carries all of it.
TEST_F(EngineRungs, WaysThatEndAreNone) {
    Random random(203);
    ModelMaker maker(12);
    Layers layers(maker, random);
    layers.conv("x", 2, 3, 3, "c");
    maker.node("Sigmoid", {"c"}, "g");
    maker.node("Relu", {"c"}, "r");
    maker.node("Div", {"r", "g"}, "y");
    Comparison comparison(maker.proto(), {{"x", random.normal({1, 2, 6, 7})}}, {"y"});
    Runner& runner = comparison.runner();
    runner.plan("y", nn::Rule::deconv, nn::LrnReverse::identity, 1, {}, true);
    EXPECT_FALSE(runner.current().warnings().empty());
    Names names;
    for (const nn::Rung& rung : runner.current().rungs()) {
        names.push_back(runner.network().tensors()[static_cast<std::size_t>(rung.tensor)].name);
    }
    EXPECT_EQ(names, (Names{"y", "r", "c", "x"}));
}

}  // namespace
}  // namespace deconv::testing
