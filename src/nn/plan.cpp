#include "nn/plan.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "nn/memory_planner.h"
#include "nn/step_emitter.h"

namespace deconv::nn {
namespace {

constexpr int forever = std::numeric_limits<int>::max();

/// Memory that one or several names (a tensor and its views) stand for.
struct Storage {
    std::uint64_t bytes = 0;
    int first = forever, last = -1;  // time of first and last use
    gpu::Slice slice;

    void use(int time) {
        first = std::min(first, time);
        last = std::max(last, time);
    }
};

}  // namespace

/// Where a tensor or signal lies: a storage, and bytes into it where it shares another's.
struct Place {
    int storage = -1;
    std::uint64_t offset = 0;

    bool operator==(const Place&) const = default;
};

/// Works in two rounds over the same order of nodes: the first finds who uses what and when, the second, with memory
/// placed, emits.
class Plan::Builder {
  public:
    Builder(Plan& plan, Model& model) : plan_(plan), model_(model), net_(model.network()), options_(plan.options_) {}

    void build() {
        find_way_back();
        find_needed_nodes();
        choose_layouts();
        find_pools();
        map_forward();
        map_backward();
        place();
        emit();
    }

  private:
    const Network::NodeInfo& node(int i) const { return net_.nodes()[static_cast<std::size_t>(i)]; }
    const Network::TensorInfo& tensor(int i) const { return net_.tensors()[static_cast<std::size_t>(i)]; }

    /// Nodes on a path from the image to the target: only they carry the signal.
    void find_way_back() {
        const std::size_t nodes = net_.nodes().size();
        on_way_.assign(nodes, false);
        carries_.assign(net_.tensors().size(), false);
        if (options_.target < 0) return;
        const int image = net_.inputs().at(0);
        std::vector<bool> from_image(net_.tensors().size(), false);
        from_image[static_cast<std::size_t>(image)] = true;
        for (const Network::NodeInfo& n : net_.nodes()) {
            const bool reached = std::any_of(n.inputs.begin(), n.inputs.end(),
                                             [&](int t) { return t >= 0 && from_image[static_cast<std::size_t>(t)]; });
            if (reached && n.outputs[0] >= 0) from_image[static_cast<std::size_t>(n.outputs[0])] = true;
        }
        carries_[static_cast<std::size_t>(options_.target)] = true;
        for (int i = static_cast<int>(nodes) - 1; i >= 0; --i) {
            const Network::NodeInfo& n = node(i);
            const auto output = static_cast<std::size_t>(n.outputs[0]);
            if (!carries_[output] || !from_image[output]) continue;
            for (std::size_t k = 0; k < n.inputs.size(); ++k) {
                const int t = n.inputs[k];
                if (t < 0 || !from_image[static_cast<std::size_t>(t)]) continue;
                if (const auto why = n.op->reverse_refusal(k)) {
                    plan_.warnings_.push_back("node " + n.node->name + " (" + n.node->op + "): " + *why);
                    continue;
                }
                on_way_[static_cast<std::size_t>(i)] = true;
                carries_[static_cast<std::size_t>(t)] = true;
            }
        }
        const std::string& name = tensor(options_.target).name;
        if (!from_image[static_cast<std::size_t>(options_.target)]) {
            throw Error("layer " + name + " does not depend on the image: choose another --layer");
        }
        if (!carries_[static_cast<std::size_t>(image)]) {
            const std::string why = plan_.warnings_.empty() ? "" : ": " + plan_.warnings_.front();
            throw Error("no way back from layer " + name + " to the image" + why + "; choose another --layer");
        }
    }

    bool signal_goes(const Network::NodeInfo& n, std::size_t input) const {
        const int t = n.inputs[input];
        return t >= 0 && carries_[static_cast<std::size_t>(t)] && !n.op->reverse_refusal(input);
    }

    /// What the outputs, the target and the observed tensors depend on.
    void find_needed_nodes() {
        std::vector<bool> wanted(net_.tensors().size(), false);
        const auto want = [&](int t) {
            if (t >= 0) wanted[static_cast<std::size_t>(t)] = true;
        };
        for (const int t : net_.outputs()) kept_.insert(t);
        kept_.insert(options_.observed.begin(), options_.observed.end());
        if (options_.target >= 0) kept_.insert(options_.target);
        for (const int t : kept_) want(t);
        needed_.assign(net_.nodes().size(), false);
        for (int i = static_cast<int>(net_.nodes().size()) - 1; i >= 0; --i) {
            const Network::NodeInfo& n = node(i);
            const auto at = static_cast<std::size_t>(i);
            needed_[at] = on_way_[at] || std::any_of(n.outputs.begin(), n.outputs.end(), [&](int t) {
                              return t >= 0 && wanted[static_cast<std::size_t>(t)];
                          });
            if (needed_[at]) {
                for (const int t : n.inputs) want(t);
            }
        }
    }

    /// Not dense where all who make and read a tensor, or carry its signal, take it so, and nobody else looks at it.
    void choose_layouts() {
        const auto tensors = net_.tensors().size();
        layouts_.assign(tensors, Layout::dense);
        const gpu::DeviceInfo& device = model_.device().info();
        const bool halves =
            options_.precision == Precision::half && device.half_precision && device.type != gpu::DeviceType::cpu;
        const LayoutOffer offer{device, halves ? Layout::halves : Layout::packed, options_.copies, options_.rule,
                                options_.lrn};
        // Signals that people look at are dense, and a forced algorithm may run dense tensors only.
        if (options_.keep_signals || !takes_layout(model_.choices().forced(), offer.layout)) return;
        for (std::size_t t = 0; t < tensors; ++t) {
            const Network::TensorInfo& info = net_.tensors()[t];
            const bool seen = info.producer < 0 || kept_.count(static_cast<int>(t)) > 0;
            if (!seen && info.shape.size() == 4 && info.shape[1] % channel_multiple(offer.layout) == 0)
                layouts_[t] = offer.layout;
        }
        for (bool changed = true; changed;) {
            changed = false;
            for (std::size_t i = 0; i < net_.nodes().size(); ++i) {
                const Network::NodeInfo& n = net_.nodes()[i];
                const Layouts layouts = n.op->layouts(offer);
                if (!needed_[i] || layouts == Layouts::any) continue;
                std::vector<int> around = n.inputs;
                around.insert(around.end(), n.outputs.begin(), n.outputs.end());
                const auto is_dense = [&](int t) { return t >= 0 && layout(t) == Layout::dense; };
                if (layouts == Layouts::alike && std::none_of(around.begin(), around.end(), is_dense)) continue;
                for (const int t : around) {
                    if (t < 0 || is_dense(t)) continue;
                    layouts_[static_cast<std::size_t>(t)] = Layout::dense;
                    changed = true;
                }
            }
        }
    }
    /// The pools that convolutions make in their own last steps: what lies between is not kept.
    void find_pools() {
        pool_of_.assign(net_.nodes().size(), -1);
        unpool_of_.assign(net_.nodes().size(), -1);
        pooled_by_.assign(net_.nodes().size(), -1);
        unpooled_by_.assign(net_.nodes().size(), -1);
        if (!pools(model_.choices().forced())) return;
        for (int i = 0; i < static_cast<int>(net_.nodes().size()); ++i) {
            if (!needed_[static_cast<std::size_t>(i)]) continue;
            if (const int pool = find_pool(i); pool >= 0) {
                pool_of_[static_cast<std::size_t>(i)] = pool;
                pooled_by_[static_cast<std::size_t>(pool)] = i;
            }
            if (const int pool = find_unpool(i); pool >= 0) {
                unpool_of_[static_cast<std::size_t>(i)] = pool;
                unpooled_by_[static_cast<std::size_t>(pool)] = i;
            }
        }
    }
    /// The pool behind node i (or its rectifier) that i can make, or −1: the only reader of what nobody looks at.
    int find_pool(int i) const {
        const int rectifier = fused_activation(i);
        const int last = rectifier >= 0 ? rectifier : i;
        const int out = node(last).outputs.empty() ? -1 : node(last).outputs[0];
        if (out < 0 || !node(i).op->fuses_pool(layout(out))) return -1;
        // Other rules read where the rectifier was on.
        if (rectifier >= 0 && on_way_[static_cast<std::size_t>(rectifier)] && options_.rule != Rule::deconv) return -1;
        const int reader = only_reader(out);
        return reader >= 0 && node(reader).op->is_tiling_pool() ? reader : -1;
    }
    /// The pool before node i that the reverse of i can unpool, or −1: the signal has no other way.
    int find_unpool(int i) const {
        const Network::NodeInfo& n = node(i);
        if (!on_way_[static_cast<std::size_t>(i)] || n.inputs.empty() || n.inputs[0] < 0) return -1;
        const int in = n.inputs[0];
        const int pool = tensor(in).producer;
        if (pool < 0 || !on_way_[static_cast<std::size_t>(pool)]) return -1;
        const Network::NodeInfo& p = node(pool);
        const bool only = is_only_way(in) && is_only_way(p.inputs[0]);
        return only && p.op->is_tiling_pool() && n.op->fuses_pool(layout(in)) ? pool : -1;
    }

    Layout layout(int t) const { return layouts_[static_cast<std::size_t>(t)]; }

    int new_storage(std::uint64_t bytes) {
        storages_.push_back({bytes});
        return static_cast<int>(storages_.size()) - 1;
    }

    /// Of a tensor on the way forward; switches are whole words in any layout.
    std::uint64_t tensor_bytes(int t) const {
        const int producer = tensor(t).producer;
        const bool switches = producer >= 0 && node(producer).outputs[0] != t;
        return static_cast<std::uint64_t>(elements(tensor(t).shape) * (switches ? 4 : element_bytes(layout(t))));
    }
    std::uint64_t signal_bytes(int t) const {
        return static_cast<std::uint64_t>(elements(tensor(t).shape) * element_bytes(layout(t)) * options_.copies);
    }

    /// Times: node i runs forward at i; the start is made at `nodes`; node i runs back at 2 · nodes − i.
    int back_time(int i) const { return 2 * static_cast<int>(net_.nodes().size()) - i; }

    Storage& storage(const Place& place) { return storages_[static_cast<std::size_t>(place.storage)]; }

    void use_forward(int t, int time) {
        if (t >= 0 && forward_[static_cast<std::size_t>(t)].storage >= 0) {
            storage(forward_[static_cast<std::size_t>(t)]).use(time);
        }
    }

    /// Bytes into the output at which input k of node i may lie so that nothing needs to run; none where it may not.
    std::optional<std::uint64_t> shared_offset(const Network::NodeInfo& n, std::size_t k) const {
        if (n.op->is_view()) return k == 0 ? std::optional<std::uint64_t>(0) : std::nullopt;
        const std::optional<std::int64_t> part = n.op->part_of_output(k);
        if (!part) return std::nullopt;
        const auto bytes = static_cast<std::uint64_t>(*part * element_bytes(layout(n.outputs[0])));
        return bytes % model_.device().limits().storage_alignment == 0 ? std::optional(bytes) : std::nullopt;
    }

    /// The rectifier that node i applies itself, or −1: the only reader of an output that nobody looks at.
    int fused_activation(int i) const {
        const Network::NodeInfo& n = node(i);
        const int reader = n.op->fuses_activation() && !n.outputs.empty() ? only_reader(n.outputs[0]) : -1;
        return reader >= 0 && node(reader).node->op == "Relu" ? reader : -1;
    }

    /// The node that alone reads tensor t, or −1: others do, or people look at it.
    int only_reader(int t) const {
        const std::vector<int>& consumers = tensor(t).consumers;
        const bool alone = kept_.count(t) == 0 && consumers.size() == 1;
        return alone && needed_[static_cast<std::size_t>(consumers[0])] ? consumers[0] : -1;
    }

    /// The rectifier behind node i that its reverse applies itself, or −1: the only way of a signal to its output.
    int fused_rectifier(int i) const {
        const Network::NodeInfo& n = node(i);
        if (!n.op->fuses_rectifier() || n.outputs.empty() || n.outputs[0] == options_.target) return -1;
        if (options_.keep_signals) return -1;  // each step's own signal is looked at
        if (!is_only_way(n.outputs[0])) return -1;
        for (const int c : tensor(n.outputs[0]).consumers) {
            if (on_way_[static_cast<std::size_t>(c)]) return node(c).node->op == "Relu" ? c : -1;
        }
        return -1;
    }
    bool is_fused_rectifier(int i) const {
        const Network::NodeInfo& n = node(i);
        if (n.inputs.empty() || n.inputs[0] < 0) return false;
        const int producer = tensor(n.inputs[0]).producer;
        return producer >= 0 && fused_rectifier(producer) == i;
    }

    /// Memory for a tensor that is about to be made: its own, or its part of the concatenation that reads it.
    Place new_forward_place(int t) {
        Place& place = forward_[static_cast<std::size_t>(t)];
        if (place.storage >= 0) return place;
        for (const int c : tensor(t).consumers) {
            const Network::NodeInfo& n = node(c);
            if (!needed_[static_cast<std::size_t>(c)] || n.op->is_view()) continue;
            for (std::size_t k = 0; k < n.inputs.size(); ++k) {
                if (n.inputs[k] != t) continue;
                if (const auto offset = shared_offset(n, k)) {
                    const Place whole = new_forward_place(n.outputs[0]);
                    return place = {whole.storage, whole.offset + *offset};
                }
            }
        }
        return place = {new_storage(tensor_bytes(t)), 0};
    }

    Needs needs_of(int i) const {
        Needs needs;
        for (std::size_t k = 0; k < node(i).inputs.size(); ++k) {
            if (!on_way_[static_cast<std::size_t>(i)] || !signal_goes(node(i), k)) continue;
            const Needs more = node(i).op->needs(k, options_.rule, options_.lrn);
            needs.inputs |= more.inputs;
            needs.outputs |= more.outputs;
        }
        return needs;
    }

    /// Node i's output is not made: a convolution that pools, or its rectifier.
    bool is_between(int i) const {
        if (pool_of_[static_cast<std::size_t>(i)] >= 0) return true;
        const int before = node(i).inputs.empty() || node(i).inputs[0] < 0 ? -1 : tensor(node(i).inputs[0]).producer;
        return before >= 0 && pool_of_[static_cast<std::size_t>(before)] >= 0 && fused_activation(before) == i;
    }

    void map_forward() {
        forward_.assign(net_.tensors().size(), {});
        const int nodes = static_cast<int>(net_.nodes().size());
        for (const int t : net_.inputs()) {
            forward_[static_cast<std::size_t>(t)] = {new_storage(tensor_bytes(t)), 0};
            use_forward(t, -1);
        }
        for (int i = 0; i < nodes; ++i) {
            if (!needed_[static_cast<std::size_t>(i)]) continue;
            const Network::NodeInfo& n = node(i);
            for (const int t : n.inputs) use_forward(t, i);
            if (is_between(i)) continue;
            const int maker = pooled_by_[static_cast<std::size_t>(i)];
            // What the way back reads lives until then.
            const Needs needs = needs_of(i);
            for (std::size_t k = 0; k < n.outputs.size(); ++k) {
                const int t = n.outputs[k];
                if (t < 0) continue;
                const bool read_back = (needs.outputs & (1U << k)) != 0;
                const bool read = read_back || kept_.count(t) > 0 || !tensor(t).consumers.empty();
                if (k > 0 && !read) continue;  // switches that nobody reads are not kept
                if (n.op->is_view() && n.inputs[0] >= 0) {
                    forward_[static_cast<std::size_t>(t)] = forward_[static_cast<std::size_t>(n.inputs[0])];
                } else if (k == 0 && fused_activation(i) >= 0) {
                    forward_[static_cast<std::size_t>(t)] = new_forward_place(node(fused_activation(i)).outputs[0]);
                } else {
                    new_forward_place(t);
                }
                if (maker >= 0) use_forward(t, maker);
                use_forward(t, i);
                if (read_back) use_forward(t, options_.keep_signals ? forever : back_time(i));
            }
            for (std::size_t k = 0; k < n.inputs.size(); ++k) {
                if ((needs.inputs & (1U << k)) != 0) use_forward(n.inputs[k], back_time(i));
            }
        }
        // What people look at stays to the end; inputs do too, for the way back may read them in a later frame's place.
        for (const int t : kept_) use_forward(t, forever);
        for (const int t : net_.inputs()) use_forward(t, forever);
    }

    void map_backward() {
        signal_.assign(net_.tensors().size(), {});
        if (options_.target < 0) return;
        const int nodes = static_cast<int>(net_.nodes().size());
        const auto target = static_cast<std::size_t>(options_.target);
        signal_[target] = {new_storage(signal_bytes(options_.target)), 0};
        storage(signal_[target]).use(nodes);
        for (int i = nodes - 1; i >= 0; --i) {
            if (!on_way_[static_cast<std::size_t>(i)] || unpooled_by_[static_cast<std::size_t>(i)] >= 0) continue;
            const Network::NodeInfo& n = node(i);
            const Place from = signal_[static_cast<std::size_t>(n.outputs[0])];
            storage(from).use(back_time(i));
            for (std::size_t k = 0; k < n.inputs.size(); ++k) {
                if (!signal_goes(n, k)) continue;
                const int t = signal_target(i, k);
                Place& to = signal_[static_cast<std::size_t>(t)];
                if (to.storage < 0 && is_fused_rectifier(i)) {
                    to = from;
                    // What the rectifier reads is read when the convolution behind it runs.
                    const int x = n.outputs[0];
                    if (options_.rule != Rule::deconv) use_forward(x, back_time(tensor(t).producer));
                }
                if (to.storage < 0) {
                    const auto shared = shared_signal(n, k);
                    to = shared && is_only_way(t) ? Place{from.storage, from.offset + *shared}
                                                  : Place{new_storage(signal_bytes(t)), 0};
                }
                storage(to).use(back_time(i));
            }
        }
        storage(signal_[static_cast<std::size_t>(net_.inputs()[0])]).use(forever);
        if (!options_.keep_signals) return;
        for (const Place& place : signal_) {
            if (place.storage >= 0) storage(place).use(forever);
        }
    }

    /// The tensor whose signal node i's reverse makes for its input k: behind the pool where it unpools.
    int signal_target(int i, std::size_t k) const {
        const int pool = k == 0 ? unpool_of_[static_cast<std::size_t>(i)] : -1;
        return pool >= 0 ? node(pool).inputs[0] : node(i).inputs[k];
    }

    /// As shared_offset(), for the way back: several copies of a part do not lie in one piece of the whole.
    std::optional<std::uint64_t> shared_signal(const Network::NodeInfo& n, std::size_t k) const {
        if (!n.op->is_view() && options_.copies > 1) return std::nullopt;
        return shared_offset(n, k);
    }

    /// Only one use of tensor t carries a signal back.
    bool is_only_way(int t) const {
        int ways = t == options_.target ? 1 : 0;
        for (const int c : tensor(t).consumers) ways += on_way_[static_cast<std::size_t>(c)] ? 1 : 0;
        return ways == 1;
    }

    void place() {
        std::vector<MemoryRequest> requests;
        for (const Storage& storage : storages_) requests.push_back({storage.bytes, storage.first, storage.last});
        const gpu::Limits& limits = model_.device().limits();
        const std::uint64_t block = std::min<std::uint64_t>(limits.allocation, std::uint64_t{512} << 20);
        const MemoryPlan memory = plan_memory(requests, limits.storage_alignment, block);
        for (const std::uint64_t bytes : memory.blocks) {
            plan_.blocks_.emplace_back(model_.device(), bytes, gpu::MemoryUse::device);
        }
        for (std::size_t i = 0; i < storages_.size(); ++i) {
            storages_[i].slice =
                plan_.blocks_[memory.places[i].block].slice().part(memory.places[i].offset, storages_[i].bytes);
        }
        plan_.forward_.resize(forward_.size());
        for (std::size_t t = 0; t < forward_.size(); ++t) {
            if (forward_[t].storage < 0) continue;
            plan_.forward_[t] = storage(forward_[t]).slice.part(forward_[t].offset, tensor_bytes(static_cast<int>(t)));
        }
    }

    Tensor forward_tensor(int t) const {
        if (t < 0) return {};
        return {plan_.forward_[static_cast<std::size_t>(t)], tensor(t).shape, layout(t)};
    }
    Signal signal(int t) const {
        const Place& place = signal_[static_cast<std::size_t>(t)];
        const gpu::Slice& whole = storages_[static_cast<std::size_t>(place.storage)].slice;
        return {whole.part(place.offset, signal_bytes(t)), tensor(t).shape, options_.copies, layout(t)};
    }

    std::vector<Tensor> forward_tensors(const std::vector<int>& tensors) const {
        std::vector<Tensor> result;
        result.reserve(tensors.size());
        for (const int t : tensors) result.push_back(forward_tensor(t));
        return result;
    }

    /// What a node reads on the way forward.  Weights are the operators' own matter; a constant in the place of the
    /// first input is a tensor like any other.
    std::vector<Tensor> inputs_of(const Network::NodeInfo& n, Emitter& emitter) const {
        std::vector<Tensor> inputs = forward_tensors(n.inputs);
        if (n.inputs[0] >= 0) return inputs;
        const auto constant = net_.constants().find(n.node->inputs[0]);
        if (constant != net_.constants().end() && constant->second.is_float()) {
            inputs[0] = {emitter.constant(constant->second), constant->second.shape};
        }
        return inputs;
    }

    void emit() {
        StepEmitter emitter(model_, plan_.steps_, plan_.convolutions_, plan_.constants_);
        emitter.precision(plan_.options_.precision);
        emitter.stage("forward");
        std::set<int> fused;  // rectifiers that ran as part of another node
        for (std::size_t i = 0; i < net_.nodes().size(); ++i) {
            const Network::NodeInfo& n = net_.nodes()[i];
            if (!needed_[i] || (n.op->is_view() && n.inputs[0] >= 0) || fused.count(static_cast<int>(i)) > 0) continue;
            const int activation = fused_activation(static_cast<int>(i));
            const int pool = pool_of_[i];
            fused.insert({activation, pool});
            ForwardArguments arguments{inputs_of(n, emitter),
                                       forward_tensors(pool >= 0 ? node(pool).outputs : n.outputs),
                                       activation >= 0 ? Activation::relu : Activation::none,
                                       {}};
            if (pool >= 0)
                arguments.pool = Pooling{arguments.outputs.size() > 1 ? arguments.outputs[1].slice : gpu::Slice{}};
            n.op->forward(emitter, arguments);
        }
        if (options_.target >= 0) emit_way_back(emitter);
        emitter.place_scratch(plan_.blocks_);
    }

    void emit_way_back(StepEmitter& emitter) {
        emitter.stage("project");
        const Extent extent = extent_of(tensor(options_.target).shape);
        const gpu::Device& device = model_.device();
        plan_.requests_ = gpu::Buffer(device, sizeof(SelectionRequest) * options_.copies, gpu::MemoryUse::device);
        plan_.selections_ =
            gpu::Buffer(device, sizeof(ResolvedSelection) * options_.copies * extent.images, gpu::MemoryUse::device);
        plan_.peaks_ = gpu::Buffer(device, 8 * extent.images * extent.channels, gpu::MemoryUse::device);
        emit_start(emitter, forward_tensor(options_.target), plan_.peaks_.slice(), plan_.requests_.slice(),
                   plan_.selections_.slice(), signal(options_.target));
        std::vector<bool> begun(net_.tensors().size(), false);
        begun[static_cast<std::size_t>(options_.target)] = true;
        // Where the signal still has the chosen channels only, and what they are called there.
        std::vector<std::optional<Chosen>> chosen(net_.tensors().size());
        chosen[static_cast<std::size_t>(options_.target)] = Chosen{plan_.selections_.slice(), 0};
        for (int i = static_cast<int>(net_.nodes().size()) - 1; i >= 0; --i) {
            if (!on_way_[static_cast<std::size_t>(i)] || unpooled_by_[static_cast<std::size_t>(i)] >= 0) continue;
            const Network::NodeInfo& n = node(i);
            for (std::size_t k = 0; k < n.inputs.size(); ++k) {
                if (!signal_goes(n, k)) continue;
                const int to = signal_target(i, k);
                const auto t = static_cast<std::size_t>(to);
                ReverseArguments arguments;
                arguments.input = k;
                arguments.output = signal(n.outputs[0]);
                arguments.result = signal(to);
                if (to != n.inputs[k]) {
                    const Network::NodeInfo& pool = node(unpool_of_[static_cast<std::size_t>(i)]);
                    arguments.unpool = Pooling{forward_tensor(pool.outputs[1]).slice, tensor(to).shape[0]};
                }
                arguments.accumulate = begun[t];
                arguments.inputs = forward_tensors(n.inputs);
                arguments.outputs = forward_tensors(n.outputs);
                arguments.rule = options_.rule;
                arguments.lrn = options_.lrn;
                begun[t] = true;
                arguments.chosen = chosen[static_cast<std::size_t>(n.outputs[0])];
                const std::optional<std::int64_t> same = n.op->same_channels(k);
                chosen[t].reset();
                if (arguments.chosen && same && !arguments.accumulate && is_only_way(to)) {
                    chosen[t] = Chosen{arguments.chosen->selections, arguments.chosen->first + *same};
                }
                if (is_fused_rectifier(i)) continue;
                if (const int r = fused_rectifier(i); r >= 0) {
                    const Tensor x = forward_tensor(node(r).outputs[0]);
                    arguments.rectifier = Rectifier{
                        options_.rule, options_.rule == Rule::deconv ? gpu::Slice{} : x.slice, elements(x.shape)};
                }
                const Place& from = signal_[static_cast<std::size_t>(n.outputs[0])];
                const auto shared = shared_signal(n, k);
                const bool in_place = shared && signal_[t] == Place{from.storage, from.offset + *shared};
                if (!in_place) n.op->reverse(emitter, arguments);
            }
        }
        plan_.reconstruction_ = signal(net_.inputs()[0]);
        if (options_.keep_signals) list_rungs();
    }

    /// All of the signal passes a tensor where, on the way back, it is the only one whose signal still waits to be
    /// carried on.
    void list_rungs() {
        std::set<int> waiting{options_.target};
        plan_.rungs_.push_back({options_.target, -1, signal(options_.target), {}});
        for (int i = static_cast<int>(net_.nodes().size()) - 1; i >= 0; --i) {
            if (!on_way_[static_cast<std::size_t>(i)]) continue;
            const Network::NodeInfo& n = node(i);
            waiting.erase(n.outputs[0]);
            for (std::size_t k = 0; k < n.inputs.size(); ++k) {
                if (signal_goes(n, k)) waiting.insert(n.inputs[k]);
            }
            if (waiting.size() != 1) continue;
            const int t = *waiting.begin();
            Rung rung{t, i, signal(t), {}};
            if (n.node->op == "MaxPool" && n.outputs.size() > 1) rung.switches = forward_tensor(n.outputs[1]);
            plan_.rungs_.push_back(std::move(rung));
        }
    }

    Plan& plan_;
    Model& model_;
    const Network& net_;
    const PlanOptions& options_;
    std::vector<bool> on_way_;                  // by node
    std::vector<bool> carries_;                 // by tensor: a signal arrives
    std::vector<bool> needed_;                  // by node
    std::set<int> kept_;                        // tensors that are there afterwards
    std::vector<Layout> layouts_;               // by tensor, and its signal's
    std::vector<int> pool_of_, unpool_of_;      // by convolution: the pool that it makes behind it, unpools before it
    std::vector<int> pooled_by_, unpooled_by_;  // by pool: the convolution that does; −1 where none
    std::vector<Storage> storages_;
    std::vector<Place> forward_, signal_;  // by tensor
};

Plan::Plan(Model& model, const PlanOptions& options) : model_(model), options_(options) {
    Builder(*this, model).build();
}

Tensor Plan::tensor(int index) const {
    return {forward_.at(static_cast<std::size_t>(index)),
            model_.network().tensors()[static_cast<std::size_t>(index)].shape};
}

Signal Plan::reconstruction() const {
    return reconstruction_;
}

std::uint64_t Plan::memory_bytes() const {
    std::uint64_t bytes = 0;
    for (const gpu::Buffer& block : blocks_) bytes += block.bytes();
    return bytes;
}

}  // namespace deconv::nn
