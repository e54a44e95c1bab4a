#include "train/pass.h"

#include <algorithm>
#include <limits>
#include <map>

#include "base/error.h"
#include "nn/memory_planner.h"
#include "nn/ops/emit.h"
#include "nn/step_emitter.h"

namespace deconv::train {
namespace {

const char* const step_input = "training step";

/// Reads learned weights where they are, and packs them anew on every run.
class TrainingEmitter : public nn::StepEmitter {
  public:
    TrainingEmitter(nn::Model& model, const Parameters& parameters, gpu::Arena& arena, std::vector<gpu::Step>& steps,
                    std::vector<nn::ConvolutionTask>& convolutions, nn::KeptConstants& kept)
        : StepEmitter(model, steps, convolutions, kept), parameters_(parameters), arena_(arena), steps_(steps) {}

    gpu::Slice constant(const nn::HostTensor& data, const std::string& layout,
                        const std::function<std::vector<float>()>& pack) override {
        const Parameter* parameter = parameters_.find(data);
        if (parameter == nullptr) return StepEmitter::constant(data, layout, pack);
        if (layout != "plain") throw Error(parameter->name + " is too large, or of a kind that cannot be trained");
        return parameters_.value(*parameter);
    }
    using Emitter::constant;

    gpu::Slice weights(const nn::HostTensor& data, const nn::WeightLayout& layout) override {
        const Parameter* parameter = parameters_.find(data);
        if (parameter == nullptr) return StepEmitter::weights(data, layout);
        gpu::Slice& packed = packed_[{parameter->name, layout.name}];
        if (packed) return packed;
        const std::vector<std::uint32_t> table = layout.table();
        packed = arena_.allocate(table.size() * 4);
        packings_.push_back({parameter, layout, arena_.upload(std::as_bytes(std::span(table))), packed});
        packings_.back().layout.table = nullptr;  // it refers to what is gone by then
        return packed;
    }

    /// To be called when everything else is emitted: puts the packing before step `first`.
    void emit_packings(std::size_t first) {
        const std::size_t before = steps_.size();
        stage("pack");
        for (const Packing& packing : packings_) emit_packing(packing);
        std::rotate(steps_.begin() + static_cast<std::ptrdiff_t>(first),
                    steps_.begin() + static_cast<std::ptrdiff_t>(before), steps_.end());
    }

  private:
    struct Packing {
        const Parameter* parameter;
        nn::WeightLayout layout;
        gpu::Slice table, packed;
    };

    void emit_packing(const Packing& packing) {
        struct Push {
            std::uint32_t items;
        };
        gpu::Slice from = parameters_.value(*packing.parameter);
        if (packing.layout.winograd != 0) {
            const auto side = static_cast<std::uint32_t>(packing.layout.winograd + 2);
            const auto kernels = static_cast<std::uint32_t>(packing.parameter->items / 9);
            const gpu::Slice points = scratch(std::uint64_t{4} * kernels * side * side);
            emit(nn::linear_dispatch(*this,
                                     packing.layout.winograd == 2 ? "nn/winograd_weights.2" : "nn/winograd_weights.4",
                                     kernels, Push{kernels}, {gpu::in(from), gpu::out(points)},
                                     packing.parameter->name + " transform", {packing.layout.mirrored ? 1U : 0U}));
            from = points;
        }
        const auto items = static_cast<std::uint32_t>(packing.packed.bytes / 4);
        emit(nn::linear_dispatch(*this, "nn/pack_weights", items, Push{items},
                                 {gpu::in(from), gpu::in(packing.table), gpu::out(packing.packed)},
                                 packing.parameter->name + " pack"));
    }

    const Parameters& parameters_;
    gpu::Arena& arena_;
    std::vector<gpu::Step>& steps_;
    std::map<std::pair<std::string, std::string>, gpu::Slice> packed_;
    std::vector<Packing> packings_;
};

constexpr int forever = std::numeric_limits<int>::max();

std::uint64_t bytes_of(const nn::Shape& shape) {
    return static_cast<std::uint64_t>(nn::elements(shape)) * 4;
}

}  // namespace

nn::Graph training_graph(const nn::Graph& graph, std::int64_t batch) {
    nn::Graph training = graph;
    if (training.inputs.size() != 1) throw Error("a network with one input, the image, can be trained");
    training.inputs[0].shape.at(0) = batch;
    if (!training.nodes.empty() && training.nodes.back().op == "Softmax") {
        training.outputs = {training.nodes.back().inputs.at(0)};
        training.nodes.pop_back();
    }
    bool drops = false;
    std::int64_t number = 0;
    for (nn::Node& node : training.nodes) {
        ++number;
        if (node.op == "BatchNormalization") {
            node.op = "TrainingBatchNormalization";
            node.attributes.set("running_mean", node.inputs.at(3));
            node.attributes.set("running_variance", node.inputs.at(4));
            node.inputs.resize(3);
            node.outputs = {node.outputs.at(0), node.outputs[0] + ":statistics"};
        } else if (node.op == "Dropout") {
            float ratio = node.attributes.real("ratio", 0.5F);
            if (node.inputs.size() > 1 && training.constants.count(node.inputs[1]) > 0) {
                ratio = training.constants.at(node.inputs[1]).floats->at(0);
            }
            node.op = "TrainingDropout";
            node.inputs = {node.inputs.at(0), step_input};
            node.outputs.resize(1);
            node.attributes.set("ratio", ratio);
            node.attributes.set("node", number);
            drops = true;
        }
    }
    if (drops) training.inputs.push_back({step_input, {2}});
    return training;
}

/// Gives every tensor and signal its memory, then emits.
class TrainingPass::Builder {
  public:
    explicit Builder(TrainingPass& pass) : pass_(pass), net_(pass.model_.network()), device_(pass.model_.device()) {}

    void build() {
        check();
        find_signals();
        place();
        make_slots();
        std::vector<gpu::Step> body;
        for (const auto& [task, algorithm] : pass_.options_.algorithms) pass_.model_.choices().set(task, algorithm);
        TrainingEmitter emitter(pass_.model_, pass_.parameters_, pass_.arena_, body, pass_.convolutions_,
                                pass_.constants_);
        emit_forward(emitter);
        emit_loss(emitter);
        emit_backward(emitter);
        emit_update(emitter);
        emitter.emit_packings(0);
        emitter.place_scratch(pass_.blocks_);
        for (Slot& slot : pass_.slots_) finish(slot, body);
    }

  private:
    using NodeInfo = nn::Network::NodeInfo;
    const NodeInfo& node(int i) const { return net_.nodes()[static_cast<std::size_t>(i)]; }
    const nn::Network::TensorInfo& tensor(int t) const { return net_.tensors()[static_cast<std::size_t>(t)]; }
    int count() const { return static_cast<int>(net_.nodes().size()); }

    void check() {
        const nn::Shape& image = tensor(net_.inputs().at(0)).shape;
        if (image.size() != 4) throw Error("a network whose input is (N, C, H, W) can be trained");
        if (net_.outputs().size() != 1) throw Error("a network with one output can be trained");
        logits_ = net_.outputs()[0];
        const nn::Shape& scores = tensor(logits_).shape;
        if (nn::elements(scores) != scores.at(0) * scores.at(1) || scores[0] != pass_.options_.batch) {
            throw Error("the output " + tensor(logits_).name + " has shape " + nn::to_string(scores) +
                        "; (images, classes) can be trained");
        }
        pass_.pixels_ = nn::elements(image);
        pass_.classes_ = scores[1];
    }

    /// A Relu that the batch normalisation before it applies, both ways.
    bool is_fused(int i) const {
        const NodeInfo& n = node(i);
        if (n.node->op != "Relu" || n.inputs[0] < 0) return false;
        const int producer = tensor(n.inputs[0]).producer;
        return producer >= 0 && node(producer).node->op == "TrainingBatchNormalization" &&
               tensor(n.inputs[0]).consumers.size() == 1;
    }
    int fused_behind(int i) const {
        const std::vector<int>& consumers = tensor(node(i).outputs[0]).consumers;
        return consumers.size() == 1 && is_fused(consumers[0]) ? consumers[0] : -1;
    }

    /// Signals are wanted where something learned lies behind.
    void find_signals() {
        wanted_.assign(net_.tensors().size(), false);
        for (const NodeInfo& n : net_.nodes()) {
            bool learns = false;
            for (std::size_t k = 0; k < n.inputs.size(); ++k) {
                const int t = n.inputs[k];
                learns = learns || (t >= 0 && wanted_[static_cast<std::size_t>(t)]);
                learns = learns || (t < 0 && parameter(n, k) != nullptr);
            }
            wanted_[static_cast<std::size_t>(n.outputs[0])] = learns;
        }
        arrives_.assign(net_.tensors().size(), false);
        arrives_[static_cast<std::size_t>(logits_)] = true;
        for (int i = count() - 1; i >= 0; --i) {
            for (std::size_t k = 0; k < node(i).inputs.size(); ++k) {
                if (goes(i, k)) arrives_[static_cast<std::size_t>(node(i).inputs[k])] = true;
            }
        }
        if (!wanted_[static_cast<std::size_t>(logits_)]) throw Error("nothing that is learned leads to the output");
    }
    bool goes(int i, std::size_t k) const {
        const NodeInfo& n = node(i);
        const int t = n.inputs[k];
        if (t < 0 || !wanted_[static_cast<std::size_t>(t)] || !arrives_[static_cast<std::size_t>(n.outputs[0])]) {
            return false;
        }
        if (const auto why = n.op->reverse_refusal(k)) {
            throw Error("node " + n.node->name + " (" + n.node->op + ") cannot be trained: " + *why);
        }
        return true;
    }
    const Parameter* parameter(const NodeInfo& n, std::size_t k) const {
        const auto constant = net_.constants().find(n.node->inputs[k]);
        if (constant == net_.constants().end() || !constant->second.is_float()) return nullptr;
        return pass_.parameters_.find(constant->second);
    }

    /// The signal at the input is the signal at the output, in the same memory.
    bool passes_on(int i) const {
        const NodeInfo& n = node(i);
        if (is_fused(i)) return true;
        return n.op->is_view() && n.inputs[0] >= 0 && tensor(n.inputs[0]).consumers.size() == 1;
    }

    /// Node i runs forward at i and back at 2 · nodes − i.  Forward tensors stay until the end of the step, which is
    /// simple; signals share memory.
    void place() {
        std::vector<nn::MemoryRequest> requests;
        const auto request = [&](const nn::Shape& shape, int first, int last) {
            requests.push_back({bytes_of(shape), first, last});
            return static_cast<int>(requests.size()) - 1;
        };
        forward_.assign(net_.tensors().size(), -1);
        signal_.assign(net_.tensors().size(), -1);
        for (const int t : net_.inputs()) forward_[static_cast<std::size_t>(t)] = request(tensor(t).shape, 0, forever);
        for (int i = 0; i < count(); ++i) {
            const NodeInfo& n = node(i);
            for (const int t : n.outputs) {
                int& place = forward_[static_cast<std::size_t>(t)];
                if ((n.op->is_view() && n.inputs[0] >= 0) || is_fused(i)) {
                    place = forward_[static_cast<std::size_t>(n.inputs[0])];
                } else {
                    place = request(tensor(t).shape, 0, forever);
                }
            }
        }
        signal_[static_cast<std::size_t>(logits_)] = request(tensor(logits_).shape, count(), count());
        for (int i = count() - 1; i >= 0; --i) {
            const NodeInfo& n = node(i);
            const int from = signal_[static_cast<std::size_t>(n.outputs[0])];
            if (from < 0) continue;
            const int now = 2 * count() - i;
            requests[static_cast<std::size_t>(from)].last = now;
            for (std::size_t k = 0; k < n.inputs.size(); ++k) {
                if (!goes(i, k)) continue;
                int& to = signal_[static_cast<std::size_t>(n.inputs[k])];
                if (to < 0) to = passes_on(i) ? from : request(tensor(n.inputs[k]).shape, now, now);
                requests[static_cast<std::size_t>(to)].last = now;
            }
        }
        const gpu::Limits& limits = device_.limits();
        const nn::MemoryPlan memory = nn::plan_memory(
            requests, limits.storage_alignment, std::min<std::uint64_t>(limits.allocation, std::uint64_t{512} << 20));
        for (const std::uint64_t bytes : memory.blocks) {
            pass_.blocks_.emplace_back(device_, bytes, gpu::MemoryUse::device);
        }
        for (std::size_t i = 0; i < requests.size(); ++i) {
            places_.push_back(
                pass_.blocks_[memory.places[i].block].slice().part(memory.places[i].offset, requests[i].bytes));
        }
    }

    gpu::Slice slice(int place) const { return places_[static_cast<std::size_t>(place)]; }
    nn::Tensor forward(int t) const {
        if (t < 0) return {};
        return {slice(forward_[static_cast<std::size_t>(t)]), tensor(t).shape};
    }
    nn::Signal signal(int t) const { return {slice(signal_[static_cast<std::size_t>(t)]), tensor(t).shape, 1}; }
    std::vector<nn::Tensor> forward(const std::vector<int>& tensors) const {
        std::vector<nn::Tensor> result;
        for (const int t : tensors) result.push_back(forward(t));
        return result;
    }

    void make_slots() {
        const auto pixels = static_cast<std::uint64_t>(pass_.pixels_) * 4;
        const auto labels = static_cast<std::uint64_t>(pass_.options_.batch) * 4;
        pass_.labels_at_ = pixels;
        pass_.settings_at_ = pixels + labels;
        labels_ = pass_.arena_.allocate(labels);
        rates_ = pass_.arena_.allocate(12);
        results_ = pass_.arena_.allocate(labels * 2);
        for (Slot& slot : pass_.slots_) {
            slot.staging = gpu::Buffer(device_, pixels + labels + sizeof(Settings), gpu::MemoryUse::upload);
            slot.results = gpu::Buffer(device_, labels * 2, gpu::MemoryUse::readback);
        }
    }

    void finish(Slot& slot, const std::vector<gpu::Step>& body) const {
        const auto upload = [&](std::uint64_t from, const gpu::Slice& to) {
            slot.steps.push_back(gpu::copy_step({slot.staging.slice().part(from, to.bytes), to}, "upload"));
        };
        upload(0, forward(net_.inputs()[0]).slice);
        upload(pass_.labels_at_, labels_);
        upload(pass_.settings_at_, rates_);
        if (net_.inputs().size() > 1) upload(pass_.settings_at_ + 12, forward(net_.inputs()[1]).slice);
        slot.steps.insert(slot.steps.end(), body.begin(), body.end());
        slot.steps.push_back(gpu::copy_step({results_, slot.results.slice()}, "result"));
    }

    void emit_forward(TrainingEmitter& emitter) const {
        emitter.stage("forward");
        for (int i = 0; i < count(); ++i) {
            const NodeInfo& n = node(i);
            if ((n.op->is_view() && n.inputs[0] >= 0) || is_fused(i)) continue;
            const bool normalises = n.node->op == "TrainingBatchNormalization";
            n.op->forward(emitter, {forward(n.inputs), forward(n.outputs),
                                    normalises && fused_behind(i) >= 0 ? nn::Activation::relu : nn::Activation::none});
        }
    }

    void emit_loss(TrainingEmitter& emitter) const {
        struct Push {
            std::uint32_t images, classes;
            float smoothing;
        };
        emitter.stage("loss");
        const auto images = static_cast<std::uint32_t>(pass_.options_.batch);
        emitter.emit(nn::linear_dispatch(
            emitter, "train/cross_entropy", images,
            Push{images, static_cast<std::uint32_t>(pass_.classes_), pass_.options_.smoothing},
            {gpu::in(forward(logits_).slice), gpu::in(labels_), gpu::out(signal(logits_).slice), gpu::out(results_)},
            "loss"));
    }

    void emit_backward(TrainingEmitter& emitter) const {
        emitter.stage("backward");
        std::vector<bool> begun(net_.tensors().size(), false);
        for (int i = count() - 1; i >= 0; --i) {
            const NodeInfo& n = node(i);
            if (signal_[static_cast<std::size_t>(n.outputs[0])] < 0 || is_fused(i)) continue;
            const bool rectified = n.node->op == "TrainingBatchNormalization" && fused_behind(i) >= 0;
            nn::GradientArguments gradients{signal(n.outputs[0]), forward(n.inputs), forward(n.outputs), {}, rectified};
            bool learns = false;
            for (std::size_t k = 0; k < n.inputs.size(); ++k) {
                const Parameter* learned = n.inputs[k] < 0 ? parameter(n, k) : nullptr;
                gradients.parameters.push_back(learned != nullptr ? pass_.parameters_.gradient(*learned)
                                                                  : gpu::Slice{});
                learns = learns || learned != nullptr;
            }
            if (learns) n.op->gradients(emitter, gradients);
            for (std::size_t k = 0; k < n.inputs.size(); ++k) {
                if (!goes(i, k) || passes_on(i)) continue;
                const auto t = static_cast<std::size_t>(n.inputs[k]);
                nn::ReverseArguments arguments;
                arguments.input = k;
                arguments.output = gradients.output;
                arguments.result = signal(n.inputs[k]);
                arguments.accumulate = begun[t];
                arguments.inputs = gradients.inputs;
                arguments.outputs = gradients.outputs;
                arguments.rule = nn::Rule::gradient;
                arguments.lrn = nn::LrnReverse::derivative;
                if (rectified) arguments.rectifier = nn::Rectifier{nn::Rule::gradient, {}, 1};
                begun[t] = true;
                n.op->reverse(emitter, arguments);
            }
        }
    }

    gpu::Slice running(const NodeInfo& n, const char* which) const {
        return pass_.parameters_.running(n.node->attributes.text(which, ""));
    }

    void emit_update(TrainingEmitter& emitter) const {
        struct Push {
            std::uint32_t items, decayed;
        };
        struct RunningPush {
            std::uint32_t channels;
            float share, unbiased;
        };
        emitter.stage("update");
        const Parameters& p = pass_.parameters_;
        emitter.emit(nn::linear_dispatch(
            emitter, "train/sgd", p.items(), Push{p.items(), p.decayed()},
            {gpu::in_out(p.values()), gpu::in(p.gradients()), gpu::in_out(p.velocities()), gpu::in(rates_)}, "update"));
        for (const NodeInfo& n : net_.nodes()) {
            if (n.node->op != "TrainingBatchNormalization") continue;
            const nn::Shape& shape = tensor(n.outputs[0]).shape;
            const auto channels = static_cast<std::uint32_t>(shape[1]);
            const double items = static_cast<double>(nn::elements(shape)) / channels;
            emitter.emit(
                nn::linear_dispatch(emitter, "train/running_statistics", channels,
                                    RunningPush{channels, pass_.options_.running_share,
                                                static_cast<float>(items > 1 ? items / (items - 1) : 1)},
                                    {gpu::in(forward(n.outputs[1]).slice), gpu::in_out(running(n, "running_mean")),
                                     gpu::in_out(running(n, "running_variance"))},
                                    n.node->name + " running"));
        }
    }

    TrainingPass& pass_;
    const nn::Network& net_;
    const gpu::Device& device_;
    int logits_ = -1;
    std::vector<bool> wanted_, arrives_;  // by tensor
    std::vector<int> forward_, signal_;   // by tensor: places; -1 where there is none
    std::vector<gpu::Slice> places_;
    gpu::Slice labels_, rates_, results_;
};

TrainingPass::TrainingPass(const gpu::Device& device, gpu::Pipelines& pipelines, const nn::Graph& graph,
                           const PassOptions& options)
    : options_(options),
      parameters_(device, graph),
      model_(device, nn::Network(training_graph(graph, options.batch))),
      scheduler_(device),
      arena_(device) {
    Builder(*this).build();
    gpu::Recording::Options recording = gpu::Recording::Options::guess(device.info());
    recording.segment_ms = options.segment_ms;
    for (Slot& slot : slots_) {
        slot.recording = std::make_unique<gpu::Recording>(device, pipelines, slot.steps, recording);
    }
}

std::span<float> TrainingPass::pixels(std::size_t slot) {
    return {slots_[slot].staging.as<float>(), static_cast<std::size_t>(pixels_)};
}

std::span<std::uint32_t> TrainingPass::labels(std::size_t slot) {
    return {reinterpret_cast<std::uint32_t*>(slots_[slot].staging.mapped().data() + labels_at_),
            static_cast<std::size_t>(options_.batch)};
}

void TrainingPass::submit(std::size_t slot, std::uint32_t step, const Rates& rates) {
    const Settings settings{rates.learning_rate, rates.momentum, rates.decay, options_.seed, step};
    std::memcpy(slots_[slot].staging.mapped().data() + settings_at_, &settings, sizeof settings);
    slots_[slot].ticket = scheduler_.submit(*slots_[slot].recording);
}

StepResult TrainingPass::finish(std::size_t slot) {
    Slot& done = slots_[slot];
    scheduler_.wait(done.ticket);
    done.recording->finished();
    StepResult result;
    const float* values = done.results.as<float>();
    double loss = 0;
    for (std::int64_t i = 0; i < options_.batch; ++i) {
        loss += static_cast<double>(values[2 * i]);
        result.hits += values[2 * i + 1] > 0 ? 1 : 0;
    }
    result.loss = loss / static_cast<double>(options_.batch);
    return result;
}

}  // namespace deconv::train
