#include "nn/crop.h"

#include <algorithm>
#include <limits>
#include <set>
#include <string>
#include <string_view>

#include "nn/ops/emit.h"

namespace deconv::nn {
namespace {

bool is_one_of(const std::string& op, std::initializer_list<std::string_view> ops) {
    return std::find(ops.begin(), ops.end(), op) != ops.end();
}

/// Places under a window that moves with the output's; padding is zero, or not read.
bool has_window(const Network::NodeInfo& n) {
    const std::string& op = n.node->op;
    if (op == "Conv" || op == "MaxPool") return true;
    if (op != "AveragePool") return false;
    // A window that reaches over the edge divides by less.
    const Attributes& attributes = n.node->attributes;
    const std::vector<std::int64_t> pads = attributes.integers("pads", {});
    const std::string automatic = attributes.text("auto_pad", "NOTSET");
    return (automatic == "NOTSET" || automatic == "VALID") && attributes.integer("ceil_mode", 0) == 0 &&
           std::all_of(pads.begin(), pads.end(), [](std::int64_t pad) { return pad == 0; });
}

/// From every place to the same.
bool keeps_places(const Network::NodeInfo& n, const Network& net) {
    const std::string& op = n.node->op;
    const Shape& output = n.op->output_shapes()[0];
    if (op == "Concat") {
        const bool maps = std::all_of(n.inputs.begin(), n.inputs.end(), [](int t) { return t >= 0; });
        return maps && n.op->same_channels(0).has_value();  // along the channels
    }
    if (!is_one_of(op, {"Relu", "LeakyRelu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "PRelu", "Add",
                        "Sub", "Mul", "Div", "Sum", "BatchNormalization", "LRN", "Identity", "Dropout", "Cast"})) {
        return false;
    }
    const bool by_element = is_one_of(op, {"PRelu", "Add", "Sub", "Mul", "Div", "Sum"});
    for (std::size_t k = 0; k < n.inputs.size(); ++k) {
        if (n.inputs[k] >= 0) {
            if (net.tensors()[static_cast<std::size_t>(n.inputs[k])].shape != output) return false;
        } else if (by_element) {
            // The same at every place of every image: (C, 1, 1), or a single value.
            const auto constant = net.constants().find(n.node->inputs[k]);
            const Shape shape = constant != net.constants().end() ? constant->second.shape : Shape{};
            for (std::size_t d = 0; d < shape.size(); ++d) {
                if (d + 3 != shape.size() && shape[d] != 1) return false;
            }
        }
    }
    return true;
}

/// As window.comp has it.
struct Push {
    std::uint32_t items, channels, images, height, width, map_height, map_width;
    std::int32_t stride_y, stride_x, first_y, first_x;
    std::uint32_t target_width, together;
    std::int32_t other_stride_y, other_stride_x, other_first_y, other_first_x;
    std::uint32_t other_height, other_width, other_map_width, step_y, step_x;
};

}  // namespace

CroppedWay::CroppedWay(Model& model, const PlanOptions& options, const Route& route)
    : model_(model), net_(model.network()), options_(options), route_(route) {
    if (options.target < 0 || options.keep_signals || options.crop_below <= 0) return;
    const Shape& target = tensor(options.target).shape;
    if (target.size() != 4) return;
    images_ = target[0] * options.copies;
    if (!find_crops() || share_of_work() >= options.crop_below) return;
    list_crossings();
    pays_ = fits();
}

Shape CroppedWay::shape_of(int t, const Crop& crop) const {
    return {images_, tensor(t).shape[1], crop[0].size, crop[1].size};
}

bool CroppedWay::find_crops() {
    crops_.assign(net_.tensors().size(), std::nullopt);
    crops_[index(options_.target)] = Crop{};
    for (int i = nodes() - 1; i >= 0; --i) {
        if (!route_.on_way(i)) continue;
        const Network::NodeInfo& n = node(i);
        if (!has_window(n) && !keeps_places(n, net_)) return false;
        const Crop made = made_by(i);
        for (std::size_t k = 0; k < n.inputs.size(); ++k) {
            if (!route_.signal_goes(i, k)) continue;
            const int t = n.inputs[k];
            if (tensor(t).shape.size() != 4) return false;
            std::optional<Crop>& all = crops_[index(t)];
            if (!all) all = made;
            for (std::size_t axis = 0; axis < 2; ++axis) {
                CropAxis& a = all->at(axis);
                const CropAxis& b = made.at(axis);
                if (a.stride != b.stride) return false;
                const std::int64_t end = std::max(a.first + a.size, b.first + b.size);
                a.first = std::min(a.first, b.first);
                a.size = end - a.first;
            }
        }
    }
    return true;
}

Crop CroppedWay::made_by(int i) const {
    const Network::NodeInfo& n = node(i);
    Crop made = crop(n.outputs[0]);
    for (std::size_t axis = 0; has_window(n) && axis < 2; ++axis) {
        const Field field = n.op->field(static_cast<int>(axis));
        CropAxis& a = made.at(axis);
        a.first = a.first * field.stride + static_cast<std::int64_t>(field.offset);
        a.size = (a.size - 1) * field.stride + field.size;
        a.stride *= field.stride;
    }
    return made;
}

double CroppedWay::share_of_work() const {
    // By the places that each operator makes, what a convolution multiplies there, and what moving a value is worth;
    // and what the device multiplies from one dispatch to the next, of which cropping takes more.
    constexpr double moved = 8;
    const double dispatch = model_.device().info().type == gpu::DeviceType::cpu ? 1e6 : 3e7;
    double whole = 0;
    double cropped = 0;
    for (int i = 0; i < nodes(); ++i) {
        if (!route_.on_way(i)) continue;
        const Network::NodeInfo& n = node(i);
        const Shape& shape = tensor(n.outputs[0]).shape;
        const Crop& output = crop(n.outputs[0]);
        const bool product = n.node->op == "Conv";
        const double place =
            (product ? static_cast<double>(n.op->parameters()) : 0) + moved * static_cast<double>(shape[1]);
        whole += place * static_cast<double>(shape[0] * options_.copies * shape[2] * shape[3]);
        cropped += place * static_cast<double>(images_ * output[0].size * output[1].size);
        if (route_.is_rectifier(i)) continue;
        whole += dispatch;
        cropped += dispatch * (product ? 2 : 3);
    }
    return cropped / whole;
}

bool CroppedWay::fits() const {
    const std::uint64_t range = model_.device().limits().storage_range;
    const auto fits = [&](const Gathered& one) {
        return one.tensor < 0 || static_cast<std::uint64_t>(elements(tensor(one.tensor).shape)) * 4 <= range;
    };
    const bool gathered = std::all_of(crossings_.begin(), crossings_.end(), [&](const Crossing& crossing) {
        return std::all_of(crossing.inputs.begin(), crossing.inputs.end(), fits) &&
               std::all_of(crossing.outputs.begin(), crossing.outputs.end(), fits) &&
               (!crossing.rectified || fits(*crossing.rectified));
    });
    const auto image = static_cast<std::uint64_t>(elements(tensor(net_.inputs()[0]).shape) * options_.copies) * 4;
    return gathered && image <= range && fits({options_.target, {}, -1, -1}) &&
           std::all_of(requests_.begin(), requests_.end(),
                       [&](const MemoryRequest& request) { return request.bytes <= range; });
}

std::shared_ptr<const Operator> CroppedWay::make_cropped(int i, const Crop& input) const {
    const Network::NodeInfo& n = node(i);
    Node changed;  // its padding is part of the crop
    changed.name = n.node->name;
    changed.op = n.node->op;
    changed.inputs = n.node->inputs;
    changed.outputs = n.node->outputs;
    static const std::set<std::string_view> padding = {"pads", "auto_pad", "ceil_mode"};
    for (const auto& [name, value] : n.node->attributes.all()) {
        if (padding.count(name) == 0) changed.attributes.set(name, value);
    }
    NodeContext context{changed, net_.graph().opset, {}, {}};
    for (std::size_t k = 0; k < n.inputs.size(); ++k) {
        const auto constant = net_.constants().find(n.node->inputs[k]);
        const bool found = n.inputs[k] < 0 && constant != net_.constants().end();
        context.constants.push_back(found ? &constant->second : nullptr);
        context.shapes.push_back(n.inputs[k] >= 0 ? shape_of(n.inputs[k], input)
                                                  : (found ? constant->second.shape : Shape{}));
    }
    return make_operator(context);
}

int CroppedWay::memory(std::int64_t elements, int first, int last) {
    requests_.push_back({static_cast<std::uint64_t>(elements) * 4, first, last});
    return static_cast<int>(requests_.size()) - 1;
}

CroppedWay::Gathered CroppedWay::gather(int t, const Crop& crop) {
    const auto now = static_cast<int>(crossings_.size()) + 1;
    return {t, crop, memory(elements(shape_of(t, crop)), now, now), -1};
}

// Times: crossing j happens at j + 1, the start is made at 0.
void CroppedWay::list_crossings() {
    signals_.assign(net_.tensors().size(), -1);
    const auto made_at = [&](int t, int time) {
        int& signal = signals_[index(t)];
        if (signal < 0) signal = memory(elements(shape_of(t, crop(t))), time, time);
    };
    made_at(options_.target, 0);
    std::vector<bool> begun(net_.tensors().size(), false);
    begun[index(options_.target)] = true;
    for (int i = nodes() - 1; i >= 0; --i) {
        if (!route_.on_way(i)) continue;
        const Network::NodeInfo& n = node(i);
        const int from = n.outputs[0];
        if (route_.is_rectifier(i)) {  // of the node before, which applies it
            signals_[index(n.inputs[0])] = signals_[index(from)];
            begun[index(n.inputs[0])] = true;
            continue;
        }
        const Crop input = made_by(i);
        const std::shared_ptr<const Operator> op = n.op->is_view() ? nullptr : make_cropped(i, input);
        for (std::size_t k = 0; k < n.inputs.size(); ++k) {
            if (!route_.signal_goes(i, k)) continue;
            const int t = n.inputs[k];
            const auto now = static_cast<int>(crossings_.size()) + 1;
            Crossing crossing;
            crossing.node = i;
            crossing.input = k;
            crossing.op = op;
            crossing.result = input;
            crossing.accumulate = begun[index(t)];
            const Crop& whole = crop(t);
            const bool same = input[0].size == whole[0].size && input[1].size == whole[1].size;
            if (op && !same) crossing.made = memory(elements(shape_of(t, input)), now, now);
            const Needs needs = op ? n.op->needs(k, options_.rule, options_.lrn) : Needs{};
            for (std::size_t j = 0; j < n.inputs.size(); ++j) {
                crossing.inputs.push_back(
                    (needs.inputs & (1U << j)) != 0 && n.inputs[j] >= 0 ? gather(n.inputs[j], input) : Gathered{});
            }
            for (std::size_t j = 0; j < n.outputs.size(); ++j) {
                const bool read = (needs.outputs & (1U << j)) != 0;
                crossing.outputs.push_back(read ? gather(n.outputs[j], crop(from)) : Gathered{});
                if (read && j == 1) crossing.outputs.back().pool = i;
            }
            if (const int r = route_.rectifier(i); r >= 0 && options_.rule != Rule::deconv) {
                crossing.rectified = gather(node(r).outputs[0], crop(from));
            }
            requests_[index(signals_[index(from)])].last = now;
            made_at(t, now);
            begun[index(t)] = true;
            crossings_.push_back(std::move(crossing));
        }
    }
    requests_[index(signals_[index(net_.inputs()[0])])].last = std::numeric_limits<int>::max();
}

void CroppedWay::emit(Emitter& emitter, const Ends& ends, std::vector<gpu::Buffer>& blocks) {
    const gpu::Limits& limits = model_.device().limits();
    const std::uint64_t most = std::min<std::uint64_t>(limits.allocation, std::uint64_t{512} << 20);
    const MemoryPlan plan = plan_memory(requests_, limits.storage_alignment, most);
    const std::size_t first = blocks.size();
    for (const std::uint64_t bytes : plan.blocks) blocks.emplace_back(model_.device(), bytes, gpu::MemoryUse::device);
    for (std::size_t i = 0; i < requests_.size(); ++i) {
        slices_.push_back(blocks[first + plan.places[i].block].slice().part(plan.places[i].offset, requests_[i].bytes));
    }
    emit_start(emitter, ends);
    for (const Crossing& crossing : crossings_) emit_crossing(emitter, ends, crossing);
    emit_reconstruction(emitter, ends);
}

void CroppedWay::emit_start(Emitter& emitter, const Ends& ends) const {
    const Tensor& target = ends.forward[index(options_.target)];
    const Extent extent = extent_of(target.shape);
    struct StartPush {
        std::uint32_t items, first_copy, channels, plane, images;
    };
    const StartPush push{u(images_ * extent.channels), 0, u(extent.channels), u(extent.plane), u(extent.images)};
    emitter.emit(linear_dispatch(emitter, "nn/start.single", push.items, push,
                                 {gpu::in(target.slice), gpu::in(emitter.unused()), gpu::in(ends.selections),
                                  gpu::out(slice(signals_[index(options_.target)]))},
                                 "start"));
}

std::vector<Tensor> CroppedWay::gathered_tensors(const std::vector<Gathered>& all) const {
    std::vector<Tensor> tensors;
    for (const Gathered& one : all) {
        tensors.push_back(one.tensor >= 0 ? Tensor{slice(one.memory), shape_of(one.tensor, one.crop)} : Tensor{});
    }
    return tensors;
}

void CroppedWay::emit_crossing(Emitter& emitter, const Ends& ends, const Crossing& crossing) const {
    const Network::NodeInfo& n = node(crossing.node);
    const int t = n.inputs[crossing.input];
    const int from = n.outputs[0];
    for (const Gathered& one : crossing.inputs) emit_gather(emitter, ends, one);
    for (const Gathered& one : crossing.outputs) emit_gather(emitter, ends, one);
    if (crossing.op) {
        ReverseArguments arguments;
        arguments.input = crossing.input;
        arguments.output = {slice(signals_[index(from)]), shape_of(from, crop(from))};
        arguments.result = {slice(crossing.made >= 0 ? crossing.made : signals_[index(t)]),
                            shape_of(t, crossing.result)};
        arguments.accumulate = crossing.made < 0 && crossing.accumulate;
        arguments.inputs = gathered_tensors(crossing.inputs);
        arguments.outputs = gathered_tensors(crossing.outputs);
        arguments.rule = options_.rule;
        arguments.lrn = options_.lrn;
        if (route_.rectifier(crossing.node) >= 0) {
            arguments.rectifier = Rectifier{options_.rule, {}, 0};
            if (crossing.rectified) {
                emit_gather(emitter, ends, *crossing.rectified);
                arguments.rectifier->x = slice(crossing.rectified->memory);
            }
            arguments.rectifier->items = elements(arguments.output.shape);
        }
        if (const auto first = route_.chosen(from)) arguments.chosen = Chosen{ends.selections, *first};
        crossing.op->reverse(emitter, arguments);
    }
    const gpu::Slice signal = slice(signals_[index(t)]);
    if (crossing.made >= 0 || !crossing.op) {
        const Crop& whole = crop(t);
        const gpu::Slice made = slice(crossing.made >= 0 ? crossing.made : signals_[index(from)]);
        OtherCrop other;  // where the smaller begins in the larger, and the size of the one that is not gone through
        other.crop = crossing.accumulate ? whole : crossing.result;
        for (std::size_t axis = 0; axis < 2; ++axis) {
            other.crop.at(axis).first = crossing.result.at(axis).first - whole.at(axis).first;
        }
        if (crossing.accumulate) {
            emit_window(emitter, ends, WindowStep::add, t, crossing.result, made, signal, other);
        } else {
            emit_window(emitter, ends, WindowStep::place, t, whole, made, signal, other);
        }
    } else if (n.node->op == "Conv" && t != net_.inputs()[0]) {
        // Its windows reach into the padding; a pool's switches do not.
        emit_window(emitter, ends, WindowStep::outside, t, crossing.result, {}, signal);
    }
}

void CroppedWay::emit_gather(Emitter& emitter, const Ends& ends, const Gathered& gathered) const {
    if (gathered.tensor < 0) return;
    const Tensor& from = ends.forward[index(gathered.tensor)];
    if (gathered.pool < 0) {
        emit_window(emitter, ends, WindowStep::gather, gathered.tensor, gathered.crop, from.slice,
                    slice(gathered.memory), {}, from.layout);
        return;
    }
    const Network::NodeInfo& pool = node(gathered.pool);
    const OtherCrop pooled{made_by(gathered.pool), tensor(pool.inputs[0]).shape[3], pool.op->field(0).stride,
                           pool.op->field(1).stride};
    emit_window(emitter, ends, WindowStep::switches, gathered.tensor, gathered.crop, from.slice, slice(gathered.memory),
                pooled, from.layout);
}

void CroppedWay::emit_reconstruction(Emitter& emitter, const Ends& ends) const {
    const int image = net_.inputs()[0];
    const gpu::Slice to = ends.reconstruction.slice;
    emit_zeros(emitter, to, elements(tensor(image).shape) * options_.copies, "reconstruction");
    emit_window(emitter, ends, WindowStep::image, image, crop(image), slice(signals_[index(image)]), to);
}

void CroppedWay::emit_window(Emitter& emitter, const Ends& ends, WindowStep step, int t, const Crop& crop,
                             const gpu::Slice& source, const gpu::Slice& destination, const OtherCrop& other,
                             Layout layout) const {
    // By WindowStep: reading buffers, and reading texels.
    static constexpr std::array<std::array<std::string_view, 2>, 6> shaders = {
        {{"nn/window.gather", "nn/window.gather.texels"},
         {"nn/window.switches", "nn/window.switches.texels"},
         {"nn/window.place", "nn/window.place.texels"},
         {"nn/window.add", "nn/window.add.texels"},
         {"nn/window.image", "nn/window.image.texels"},
         {"nn/window.outside", "nn/window.outside.texels"}}};
    const Shape shape = shape_of(t, crop);
    const Shape& map = tensor(t).shape;
    const std::int64_t items = elements(shape) / (step == WindowStep::outside ? shape[3] : 1);
    const std::int64_t together = layout == Layout::dense ? 1 : (layout == Layout::packed ? 4 : 8);
    const Push push{u(items),
                    u(shape[1]),
                    u(map[0]),
                    u(shape[2]),
                    u(shape[3]),
                    u(map[2]),
                    u(map[3]),
                    i(crop[0].stride),
                    i(crop[1].stride),
                    i(crop[0].first),
                    i(crop[1].first),
                    u(tensor(options_.target).shape[3]),
                    u(together),
                    i(other.crop[0].stride),
                    i(other.crop[1].stride),
                    i(other.crop[0].first),
                    i(other.crop[1].first),
                    u(other.crop[0].size),
                    u(other.crop[1].size),
                    u(other.map_width),
                    u(other.step_y),
                    u(other.step_x)};
    const gpu::Slice from = source ? source : emitter.unused();
    const bool switches = step == WindowStep::switches;
    const bool halves = layout == Layout::halves && !switches;
    const bool texels = !halves && gpu::prefers_texels(emitter.device(), {from, ends.selections});
    emitter.emit(linear_dispatch(
        emitter, halves ? "nn/window.gather.halves" : shaders.at(static_cast<std::size_t>(step)).at(texels ? 1 : 0),
        push.items, push,
        {texels ? gpu::in_texels(from, switches ? gpu::Texels::r32ui : gpu::Texels::r32f) : gpu::in(from),
         texels ? gpu::in_texels(ends.selections, gpu::Texels::r32ui) : gpu::in(ends.selections),
         step == WindowStep::add ? gpu::in_out(destination) : gpu::out(destination)},
        tensor(t).name + " crop"));
}

}  // namespace deconv::nn
