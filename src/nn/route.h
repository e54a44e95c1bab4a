// What of a network runs for one choice of layer and rule: which nodes, both ways, in which layouts, and which of them
// as part of others.  Memory and steps follow from it, see plan.cpp.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "nn/model.h"
#include "nn/plan.h"

namespace deconv::nn {

/// Nodes and tensors by their index in the network; where a function names another node, −1 says that there is none.
class Route {
  public:
    /// Throws Error where no signal can come back from the target, naming why.  Both outlive it.
    Route(Model& model, const PlanOptions& options);

    /// On a path from the image to the target: the node carries the signal.
    bool on_way(int node) const { return on_way_[index(node)]; }
    /// The outputs, the target or an observed tensor depend on it.
    bool needed(int node) const { return needed_[index(node)]; }
    /// Tensors that are there afterwards.
    const std::set<int>& kept() const { return kept_; }
    /// Of a tensor, and of its signal.
    Layout layout(int tensor) const { return layouts_[index(tensor)]; }
    /// Does the signal at the node's output go on to that input?
    bool signal_goes(int node, std::size_t input) const;
    /// Only one use of the tensor carries a signal back.
    bool is_only_way(int tensor) const;
    /// See Plan::warnings().
    const std::vector<std::string>& warnings() const { return warnings_; }

    /// The rectifier that the node applies itself on the way forward: the only reader of an output that nobody looks
    /// at.
    int activation(int node) const;
    /// The pool behind the node (or its activation) that it makes in its own last step; what lies between is not made.
    int pool(int node) const { return pool_[index(node)]; }
    /// By whom such a pool is made.
    int pooled_by(int node) const { return pooled_by_[index(node)]; }
    /// The node makes a pool, or is the activation between: its own output is not made.
    bool is_between(int node) const;

    /// The rectifier behind the node that its reverse applies itself: the only way of a signal to its output.
    int rectifier(int node) const;
    bool is_rectifier(int node) const;  // of some node's reverse
    /// The pool before the node that its reverse unpools as it writes.
    int pool_before(int node) const { return pool_before_[index(node)]; }
    /// The pool behind the node (or its rectifier) that its reverse unpools as it reads.
    int pool_behind(int node) const { return pool_behind_[index(node)]; }
    /// The 1×1 convolution behind the node (or its rectifier) whose reverse is part of this one's.
    int pointwise_behind(int node) const { return pointwise_behind_[index(node)]; }
    /// The node whose reverse this one's is part of.
    int crossed_by(int node) const { return crossed_by_[index(node)]; }
    /// Where the tensor's signal has the chosen channels only: what its channel 0 is called at the target.
    std::optional<std::int64_t> chosen(int tensor) const { return chosen_[index(tensor)]; }
    /// The signal at that part of a concatenation may be read where several copies of the whole lie.
    bool reads_apart(int tensor) const;
    bool runs_back(int node) const { return on_way(node) && crossed_by(node) < 0; }
    /// Whose reverse carries on the signal at the node's output, where there is one: its own, or, of the 1×1
    /// convolution of a pair, the one before.
    int runs_with(int node) const;
    /// The tensors whose signals the node's reverse reads and, for its input k, makes: those beyond such pools.
    int signal_source(int node) const;
    int signal_target(int node, std::size_t k) const;

  private:
    static std::size_t index(int i) { return static_cast<std::size_t>(i); }
    const Network::NodeInfo& node(int i) const { return net_.nodes()[index(i)]; }
    const Network::TensorInfo& tensor(int i) const { return net_.tensors()[index(i)]; }
    int nodes() const { return static_cast<int>(net_.nodes().size()); }
    /// The node that alone reads the tensor; −1 where others do, or people look at it.
    int only_reader(int tensor) const;
    /// The node through which alone a signal comes back to the tensor; −1 where several do, or it starts there.
    int only_way(int tensor) const;
    void find_way_back();
    void find_needed_nodes();
    void choose_layouts();
    void find_pools();
    int find_pool(int i) const;
    int find_pool_before(int i) const;
    int find_pool_behind(int i) const;
    void find_chosen();
    void find_pointwise_pairs();
    int find_pointwise_before(int i) const;

    Model& model_;
    const Network& net_;
    const PlanOptions& options_;
    std::vector<std::string> warnings_;
    std::vector<bool> on_way_, needed_;                              // by node
    std::vector<bool> carries_;                                      // by tensor: a signal arrives
    std::set<int> kept_;                                             // tensors
    std::vector<Layout> layouts_;                                    // by tensor
    std::vector<int> pool_, pooled_by_, pool_before_, pool_behind_;  // by node
    std::vector<int> pointwise_behind_, crossed_by_;
    std::vector<std::optional<std::int64_t>> chosen_;  // by tensor
};

}  // namespace deconv::nn
