#include "nn/plan.h"

#include <algorithm>
#include <limits>

#include "nn/crop.h"
#include "nn/memory_planner.h"
#include "nn/route.h"
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
    std::int64_t stride = 0;  // of a signal's copies, see Signal

    bool operator==(const Place&) const = default;
};

/// Works in two rounds over the same order of the route's nodes: the first finds who uses what and when, the second,
/// with memory placed, emits.
class Plan::Builder {
  public:
    Builder(Plan& plan, Model& model)
        : plan_(plan), model_(model), net_(model.network()), options_(plan.options_), route_(model, plan.options_) {}

    void build() {
        plan_.warnings_ = route_.warnings();
        map_forward();
        map_backward();
        place();
        emit();
    }

  private:
    const Network::NodeInfo& node(int i) const { return net_.nodes()[static_cast<std::size_t>(i)]; }
    const Network::TensorInfo& tensor(int i) const { return net_.tensors()[static_cast<std::size_t>(i)]; }
    Layout layout(int t) const { return route_.layout(t); }

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

    /// Memory for a tensor that is about to be made: its own, or its part of the concatenation that reads it.
    Place new_forward_place(int t) {
        Place& place = forward_[static_cast<std::size_t>(t)];
        if (place.storage >= 0) return place;
        for (const int c : tensor(t).consumers) {
            const Network::NodeInfo& n = node(c);
            if (!route_.needed(c) || n.op->is_view()) continue;
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
            if (!route_.on_way(i) || !route_.signal_goes(i, k)) continue;
            const Needs more = node(i).op->needs(k, options_.rule, options_.lrn);
            needs.inputs |= more.inputs;
            needs.outputs |= more.outputs;
        }
        return needs;
    }

    void map_forward() {
        forward_.assign(net_.tensors().size(), {});
        const int nodes = static_cast<int>(net_.nodes().size());
        for (const int t : net_.inputs()) {
            forward_[static_cast<std::size_t>(t)] = {new_storage(tensor_bytes(t)), 0};
            use_forward(t, -1);
        }
        for (int i = 0; i < nodes; ++i) {
            if (!route_.needed(i)) continue;
            const Network::NodeInfo& n = node(i);
            for (const int t : n.inputs) use_forward(t, i);
            if (route_.is_between(i)) continue;
            const int maker = route_.pooled_by(i);
            // What the way back reads lives until then.
            const Needs needs = needs_of(i);
            for (std::size_t k = 0; k < n.outputs.size(); ++k) {
                const int t = n.outputs[k];
                if (t < 0) continue;
                const bool read_back = (needs.outputs & (1U << k)) != 0;
                const bool read = read_back || route_.kept().count(t) > 0 || !tensor(t).consumers.empty();
                if (k > 0 && !read) continue;  // switches that nobody reads are not kept
                if (n.op->is_view() && n.inputs[0] >= 0) {
                    forward_[static_cast<std::size_t>(t)] = forward_[static_cast<std::size_t>(n.inputs[0])];
                } else if (k == 0 && route_.activation(i) >= 0) {
                    forward_[static_cast<std::size_t>(t)] = new_forward_place(node(route_.activation(i)).outputs[0]);
                } else {
                    new_forward_place(t);
                }
                if (maker >= 0) use_forward(t, maker);
                use_forward(t, i);
                const int crosser = route_.crossed_by(i);
                if (read_back) {
                    use_forward(t, options_.keep_signals ? forever : back_time(crosser >= 0 ? crosser : i));
                }
            }
            for (std::size_t k = 0; k < n.inputs.size(); ++k) {
                if ((needs.inputs & (1U << k)) != 0) use_forward(n.inputs[k], back_time(i));
            }
        }
        // What people look at stays to the end; inputs do too, for the way back may read them in a later frame's place.
        for (const int t : route_.kept()) use_forward(t, forever);
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
            const int runs_with = route_.runs_with(i);
            if (runs_with < 0) continue;
            const Network::NodeInfo& n = node(i);
            const Place from = signal_[static_cast<std::size_t>(route_.signal_source(i))];
            storage(from).use(back_time(runs_with));
            for (std::size_t k = 0; k < n.inputs.size(); ++k) {
                if (!route_.signal_goes(i, k)) continue;
                const int t = route_.signal_target(i, k);
                Place& to = signal_[static_cast<std::size_t>(t)];
                if (to.storage < 0 && route_.is_rectifier(i)) {
                    to = from;
                    // What the rectifier reads is read when the convolution behind it runs.
                    const int x = n.outputs[0];
                    if (options_.rule != Rule::deconv) use_forward(x, back_time(tensor(t).producer));
                }
                if (to.storage < 0) {
                    const auto shared = shared_signal(n, k, from);
                    to = shared && route_.is_only_way(t) ? *shared : Place{new_storage(signal_bytes(t)), 0};
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

    /// As shared_offset(), for the way back, with the signal of the output there: several copies of a part do not
    /// follow each other in the whole.
    std::optional<Place> shared_signal(const Network::NodeInfo& n, std::size_t k, const Place& whole) const {
        const std::optional<std::uint64_t> offset = shared_offset(n, k);
        if (!offset) return std::nullopt;
        Place part{whole.storage, whole.offset + *offset, whole.stride};
        if (!n.op->is_view() && options_.copies > 1) {
            if (whole.stride > 0 || !route_.reads_apart(n.inputs[k])) return std::nullopt;
            part.stride = elements(tensor(n.outputs[0]).shape);
        }
        return part;
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
        Signal signal{{}, tensor(t).shape, options_.copies, layout(t), place.stride};
        const std::int64_t one = signal.copy_bytes();
        const std::int64_t step = place.stride > 0 ? place.stride * element_bytes(layout(t)) : one;
        signal.slice = whole.part(place.offset, static_cast<std::uint64_t>((options_.copies - 1) * step + one));
        return signal;
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
            if (!route_.needed(static_cast<int>(i)) || (n.op->is_view() && n.inputs[0] >= 0) ||
                fused.count(static_cast<int>(i)) > 0)
                continue;
            const int activation = route_.activation(static_cast<int>(i));
            const int pool = route_.pool(static_cast<int>(i));
            fused.insert({activation, pool});
            ForwardArguments arguments{inputs_of(n, emitter),
                                       forward_tensors(pool >= 0 ? node(pool).outputs : n.outputs),
                                       activation >= 0 ? Activation::relu : Activation::none,
                                       {}};
            if (pool >= 0)
                arguments.pool = Pooling{arguments.outputs.size() > 1 ? arguments.outputs[1].slice : gpu::Slice{}};
            n.op->forward(emitter, arguments);
        }
        std::size_t behind_selection = 0;
        if (options_.target >= 0) {
            emit_selection(emitter);
            behind_selection = plan_.steps_.size();
            emit_way_back(emitter);
        }
        emitter.place_scratch(plan_.blocks_);
        emit_cropped(behind_selection);
    }

    /// In place of what lies behind the selection.
    void emit_cropped(std::size_t behind_selection) {
        CroppedWay cropped(model_, options_, route_);
        if (!cropped.pays()) return;
        CroppedWay::Ends ends;
        for (std::size_t t = 0; t < net_.tensors().size(); ++t)
            ends.forward.push_back(forward_tensor(static_cast<int>(t)));
        ends.selections = plan_.selections_.slice();
        ends.reconstruction = plan_.reconstruction_;
        std::vector<gpu::Step>& steps = plan_.single_steps_;
        std::vector<ConvolutionTask> not_measured;
        StepEmitter emitter(model_, steps, not_measured, plan_.constants_);
        emitter.precision(plan_.options_.precision);
        emitter.stage("project");
        cropped.emit(emitter, ends, plan_.blocks_);
        emitter.place_scratch(plan_.blocks_);
        steps.insert(steps.begin(), plan_.steps_.begin(),
                     plan_.steps_.begin() + static_cast<std::ptrdiff_t>(behind_selection));
    }

    void emit_selection(StepEmitter& emitter) {
        emitter.stage("project");
        const Extent extent = extent_of(tensor(options_.target).shape);
        const gpu::Device& device = model_.device();
        plan_.requests_ = gpu::Buffer(device, sizeof(SelectionRequest) * options_.copies, gpu::MemoryUse::device);
        plan_.selections_ =
            gpu::Buffer(device, sizeof(ResolvedSelection) * options_.copies * extent.images, gpu::MemoryUse::device);
        plan_.peaks_ = gpu::Buffer(device, 8 * extent.images * extent.channels, gpu::MemoryUse::device);
        nn::emit_selection(emitter, forward_tensor(options_.target), plan_.peaks_.slice(), plan_.requests_.slice(),
                           plan_.selections_.slice(), options_.copies);
    }

    void emit_way_back(StepEmitter& emitter) {
        emit_start(emitter, forward_tensor(options_.target), plan_.peaks_.slice(), plan_.selections_.slice(),
                   signal(options_.target));
        std::vector<bool> begun(net_.tensors().size(), false);
        begun[static_cast<std::size_t>(options_.target)] = true;
        for (int i = static_cast<int>(net_.nodes().size()) - 1; i >= 0; --i) {
            if (!route_.runs_back(i)) continue;
            const Network::NodeInfo& n = node(i);
            const int source = route_.signal_source(i);
            for (std::size_t k = 0; k < n.inputs.size(); ++k) {
                if (!route_.signal_goes(i, k)) continue;
                const int to = route_.signal_target(i, k);
                const auto t = static_cast<std::size_t>(to);
                ReverseArguments arguments;
                arguments.input = k;
                arguments.output = signal(source);
                arguments.result = signal(to);
                if (to != n.inputs[k]) {
                    const Network::NodeInfo& pool = node(route_.pool_before(i));
                    arguments.unpool = Pooling{forward_tensor(pool.outputs[1]).slice, tensor(to).shape[0]};
                }
                if (const int pool = route_.pool_behind(i); pool >= 0) {
                    const Tensor switches = forward_tensor(node(pool).outputs[1]);
                    arguments.pooled = node(pool).op->pooled_source();
                    arguments.pooled->switches = switches.slice;
                    arguments.pooled->images = switches.shape[0];
                }
                if (const int behind = route_.pointwise_behind(i); behind >= 0) {
                    const Signal from = signal(route_.signal_source(behind));
                    arguments.pointwise = node(behind).op->pointwise_source();
                    arguments.pointwise->source = from.slice;
                    arguments.pointwise->stride = from.stride;
                    arguments.pointwise->rectified = route_.rectifier(behind) >= 0;
                    arguments.pointwise->added = begun[static_cast<std::size_t>(node(behind).inputs[0])];
                }
                arguments.accumulate = begun[t];
                arguments.inputs = forward_tensors(n.inputs);
                arguments.outputs = forward_tensors(n.outputs);
                arguments.rule = options_.rule;
                arguments.lrn = options_.lrn;
                begun[t] = true;
                if (const std::optional<std::int64_t> first = route_.chosen(source)) {
                    arguments.chosen = Chosen{plan_.selections_.slice(), *first};
                }
                if (route_.is_rectifier(i)) continue;
                if (const int r = route_.rectifier(i); r >= 0) {
                    const Tensor x = forward_tensor(node(r).outputs[0]);
                    arguments.rectifier = Rectifier{
                        options_.rule, options_.rule == Rule::deconv ? gpu::Slice{} : x.slice, elements(x.shape)};
                }
                const Place& from = signal_[static_cast<std::size_t>(source)];
                if (signal_[t] != shared_signal(n, k, from)) n.op->reverse(emitter, arguments);
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
            if (!route_.on_way(i)) continue;
            const Network::NodeInfo& n = node(i);
            waiting.erase(n.outputs[0]);
            for (std::size_t k = 0; k < n.inputs.size(); ++k) {
                if (route_.signal_goes(i, k)) waiting.insert(n.inputs[k]);
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
    const Route route_;
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
