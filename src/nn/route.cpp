#include "nn/route.h"

#include <algorithm>

#include "base/error.h"

namespace deconv::nn {

Route::Route(Model& model, const PlanOptions& options) : model_(model), net_(model.network()), options_(options) {
    find_way_back();
    find_needed_nodes();
    choose_layouts();
    find_pools();
    find_chosen();
    find_pointwise_pairs();
}

void Route::find_way_back() {
    on_way_.assign(net_.nodes().size(), false);
    carries_.assign(net_.tensors().size(), false);
    if (options_.target < 0) return;
    const int image = net_.inputs().at(0);
    std::vector<bool> from_image(net_.tensors().size(), false);
    from_image[index(image)] = true;
    for (const Network::NodeInfo& n : net_.nodes()) {
        const bool reached =
            std::any_of(n.inputs.begin(), n.inputs.end(), [&](int t) { return t >= 0 && from_image[index(t)]; });
        if (reached && n.outputs[0] >= 0) from_image[index(n.outputs[0])] = true;
    }
    carries_[index(options_.target)] = true;
    for (int i = nodes() - 1; i >= 0; --i) {
        const Network::NodeInfo& n = node(i);
        const auto output = index(n.outputs[0]);
        if (!carries_[output] || !from_image[output]) continue;
        for (std::size_t k = 0; k < n.inputs.size(); ++k) {
            const int t = n.inputs[k];
            if (t < 0 || !from_image[index(t)]) continue;
            if (const auto why = n.op->reverse_refusal(k)) {
                warnings_.push_back("node " + n.node->name + " (" + n.node->op + "): " + *why);
                continue;
            }
            on_way_[index(i)] = true;
            carries_[index(t)] = true;
        }
    }
    const std::string& name = tensor(options_.target).name;
    if (!from_image[index(options_.target)]) {
        throw Error("layer " + name + " does not depend on the image: choose another --layer");
    }
    if (!carries_[index(image)]) {
        const std::string why = warnings_.empty() ? "" : ": " + warnings_.front();
        throw Error("no way back from layer " + name + " to the image" + why + "; choose another --layer");
    }
}

bool Route::signal_goes(int i, std::size_t input) const {
    const int t = node(i).inputs[input];
    return t >= 0 && carries_[index(t)] && !node(i).op->reverse_refusal(input);
}

void Route::find_needed_nodes() {
    std::vector<bool> wanted(net_.tensors().size(), false);
    const auto want = [&](int t) {
        if (t >= 0) wanted[index(t)] = true;
    };
    for (const int t : net_.outputs()) kept_.insert(t);
    kept_.insert(options_.observed.begin(), options_.observed.end());
    if (options_.target >= 0) kept_.insert(options_.target);
    for (const int t : kept_) want(t);
    needed_.assign(net_.nodes().size(), false);
    for (int i = nodes() - 1; i >= 0; --i) {
        const Network::NodeInfo& n = node(i);
        const auto at = index(i);
        needed_[at] = on_way_[at] || std::any_of(n.outputs.begin(), n.outputs.end(),
                                                 [&](int t) { return t >= 0 && wanted[index(t)]; });
        if (needed_[at]) {
            for (const int t : n.inputs) want(t);
        }
    }
}

// Not dense where all who make and read a tensor, or carry its signal, take it so, and nobody else looks at it.
void Route::choose_layouts() {
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
                layouts_[index(t)] = Layout::dense;
                changed = true;
            }
        }
    }
}

void Route::find_pools() {
    for (std::vector<int>* all :
         {&pool_, &pooled_by_, &pool_before_, &pool_behind_, &pointwise_behind_, &crossed_by_}) {
        all->assign(net_.nodes().size(), -1);
    }
    if (reads_pooled(model_.choices().forced())) {
        for (int i = 0; i < nodes(); ++i) {
            if (const int pool = find_pool_behind(i); pool >= 0) {
                pool_behind_[index(i)] = pool;
                crossed_by_[index(pool)] = i;
                if (const int r = rectifier(i); r >= 0) crossed_by_[index(r)] = i;
            }
        }
    }
    if (!pools(model_.choices().forced())) return;
    for (int i = 0; i < nodes(); ++i) {
        if (!needed_[index(i)]) continue;
        if (const int pool = find_pool(i); pool >= 0) {
            pool_[index(i)] = pool;
            pooled_by_[index(pool)] = i;
        }
        if (const int pool = find_pool_before(i); pool >= 0) {
            pool_before_[index(i)] = pool;
            crossed_by_[index(pool)] = i;
        }
    }
}

// The only reader of what nobody looks at.
int Route::find_pool(int i) const {
    const int relu = activation(i);
    const int last = relu >= 0 ? relu : i;
    const int out = node(last).outputs.empty() ? -1 : node(last).outputs[0];
    if (out < 0 || !node(i).op->fuses_pool(layout(out))) return -1;
    // Other rules read where the rectifier was on.
    if (relu >= 0 && on_way(relu) && options_.rule != Rule::deconv) return -1;
    const int reader = only_reader(out);
    return reader >= 0 && node(reader).op->is_tiling_pool() ? reader : -1;
}

// The signal has no other way.
int Route::find_pool_before(int i) const {
    const Network::NodeInfo& n = node(i);
    if (!on_way(i) || n.inputs.empty() || n.inputs[0] < 0) return -1;
    const int in = n.inputs[0];
    const int pool = tensor(in).producer;
    if (pool < 0 || !on_way(pool)) return -1;
    const Network::NodeInfo& p = node(pool);
    const bool only = is_only_way(in) && is_only_way(p.inputs[0]);
    return only && p.op->is_tiling_pool() && n.op->fuses_pool(layout(in)) ? pool : -1;
}

// Likewise.
int Route::find_pool_behind(int i) const {
    const Network::NodeInfo& n = node(i);
    if (!on_way(i) || n.inputs.empty() || n.inputs[0] < 0 || n.outputs.empty() ||
        !n.op->reads_pooled(model_.device().info()) || !is_only_way(n.inputs[0])) {
        return -1;
    }
    const int relu = rectifier(i);
    if (relu >= 0 && options_.rule != Rule::deconv) return -1;  // others read where it was on
    const int pool = only_way(node(relu >= 0 ? relu : i).outputs[0]);
    if (pool < 0 || !node(pool).op->pooled_source()) return -1;
    const bool fits = layout(node(pool).outputs[0]) == Layout::packed && layout(n.inputs[0]) == Layout::dense;
    return fits ? pool : -1;
}

void Route::find_chosen() {
    chosen_.assign(net_.tensors().size(), std::nullopt);
    if (options_.target < 0) return;
    chosen_[index(options_.target)] = 0;
    for (int i = nodes() - 1; i >= 0; --i) {
        if (!runs_back(i)) continue;
        const std::optional<std::int64_t> from = chosen(signal_source(i));
        for (std::size_t k = 0; from && k < node(i).inputs.size(); ++k) {
            const std::optional<std::int64_t> same = node(i).op->same_channels(k);
            if (!same || !signal_goes(i, k)) continue;
            const int to = signal_target(i, k);
            if (is_only_way(to)) chosen_[index(to)] = *from + *same;
        }
    }
}

void Route::find_pointwise_pairs() {
    const std::string& forced = model_.choices().forced();
    if (!reads_pointwise(forced)) return;
    for (int i = 0; i < nodes(); ++i) {
        if (const int before = find_pointwise_before(i); before >= 0) {
            pointwise_behind_[index(before)] = i;
            crossed_by_[index(i)] = before;
        }
    }
}

// Its signal goes on through a rectifier, or at once, and no other is added to that afterwards.
int Route::find_pointwise_before(int i) const {
    const Network::NodeInfo& n = node(i);
    if (!runs_back(i) || !n.op->pointwise_source()) return -1;
    const int between = n.inputs[0];
    const std::vector<int>& consumers = tensor(between).consumers;
    const auto adds_later = [&](int c) { return on_way(c) && c < i; };
    if (std::any_of(consumers.begin(), consumers.end(), adds_later)) return -1;
    int before = tensor(between).producer;
    if (before < 0) return -1;
    const bool rectified = is_rectifier(before);
    if (rectified) before = tensor(node(before).inputs[0]).producer;
    if ((rectified || rectifier(i) >= 0) && options_.rule != Rule::deconv) return -1;
    const Network::NodeInfo& b = node(before);
    if (!runs_back(before) || !b.op->reads_pointwise(model_.device().info()) || !signal_goes(before, 0) ||
        chosen(signal_source(i))) {
        return -1;
    }
    // Nothing else is part of either's reverse.
    if (std::max({pool_before(i), pool_behind(i), pool_before(before), pool_behind(before)}) >= 0) return -1;
    const bool all_packed = layout(signal_source(i)) == Layout::packed && layout(between) == Layout::packed &&
                            layout(signal_target(before, 0)) == Layout::packed;
    return all_packed ? before : -1;
}

int Route::activation(int i) const {
    const Network::NodeInfo& n = node(i);
    const int reader = n.op->fuses_activation() && !n.outputs.empty() ? only_reader(n.outputs[0]) : -1;
    return reader >= 0 && node(reader).node->op == "Relu" ? reader : -1;
}

int Route::only_reader(int t) const {
    const std::vector<int>& consumers = tensor(t).consumers;
    const bool alone = kept_.count(t) == 0 && consumers.size() == 1;
    return alone && needed_[index(consumers[0])] ? consumers[0] : -1;
}

int Route::rectifier(int i) const {
    const Network::NodeInfo& n = node(i);
    if (!n.op->fuses_rectifier() || n.outputs.empty()) return -1;
    if (options_.keep_signals) return -1;  // each step's own signal is looked at
    const int behind = only_way(n.outputs[0]);
    return behind >= 0 && node(behind).node->op == "Relu" ? behind : -1;
}

bool Route::is_rectifier(int i) const {
    const Network::NodeInfo& n = node(i);
    if (n.inputs.empty() || n.inputs[0] < 0) return false;
    const int producer = tensor(n.inputs[0]).producer;
    return producer >= 0 && rectifier(producer) == i;
}

bool Route::is_between(int i) const {
    if (pool_[index(i)] >= 0) return true;
    const int before = node(i).inputs.empty() || node(i).inputs[0] < 0 ? -1 : tensor(node(i).inputs[0]).producer;
    return before >= 0 && pool_[index(before)] >= 0 && activation(before) == i;
}

bool Route::reads_apart(int t) const {
    const int producer = tensor(t).producer;
    if (producer < 0 || layout(t) != Layout::packed || options_.rule != Rule::deconv) return false;
    const int reader = is_rectifier(producer) ? tensor(node(producer).inputs[0]).producer : producer;
    return node(reader).op->reads_apart() && pool_behind(reader) < 0;
}

int Route::runs_with(int i) const {
    const int crosser = crossed_by(i);
    if (crosser < 0) return on_way(i) ? i : -1;
    return pointwise_behind(crosser) == i ? crosser : -1;
}

int Route::signal_source(int i) const {
    const int pool = pool_behind_[index(i)];
    return node(pool >= 0 ? pool : i).outputs[0];
}

int Route::signal_target(int i, std::size_t k) const {
    const int pool = k == 0 ? pool_before_[index(i)] : -1;
    return pool >= 0 ? node(pool).inputs[0] : node(i).inputs[k];
}

bool Route::is_only_way(int t) const {
    int ways = t == options_.target ? 1 : 0;
    for (const int c : tensor(t).consumers) ways += on_way(c) ? 1 : 0;
    return ways == 1;
}

int Route::only_way(int t) const {
    if (!is_only_way(t)) return -1;
    const std::vector<int>& consumers = tensor(t).consumers;
    const auto found = std::find_if(consumers.begin(), consumers.end(), [&](int c) { return on_way(c); });
    return found != consumers.end() ? *found : -1;
}

}  // namespace deconv::nn
