#include "train/parameters.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "base/error.h"

namespace deconv::train {
namespace {

/// Places them one after the other, each where a binding may begin; the bytes of all.
std::uint64_t place(std::vector<Parameter>& parameters, std::uint64_t alignment) {
    std::uint64_t at = 0;
    for (Parameter& parameter : parameters) {
        parameter.at = at;
        at = gpu::align_up(at + static_cast<std::uint64_t>(parameter.items) * 4, alignment);
    }
    return std::max<std::uint64_t>(at, 4);
}

void fill_with_zeros(const gpu::Device& device, const gpu::Buffer& buffer) {
    const std::vector<std::byte> zeros(buffer.bytes());
    gpu::upload(device, zeros, buffer.slice());
}

const std::vector<float>& value_of(const Values& values, const Parameter& parameter) {
    const auto found = values.find(parameter.name);
    if (found == values.end()) throw Error("the values of " + parameter.name + " are missing");
    if (static_cast<std::int64_t>(found->second.size()) != parameter.items) {
        throw Error(parameter.name + " has " + std::to_string(parameter.items) + " values here and " +
                    std::to_string(found->second.size()) + " there: they belong to different networks");
    }
    return found->second;
}

}  // namespace

Parameters::Parameters(const gpu::Device& device, const nn::Graph& graph) : device_(device) {
    std::set<std::string> seen;
    const auto add = [&](std::vector<Parameter>& to, const std::string& name) {
        const auto constant = graph.constants.find(name);
        if (constant == graph.constants.end() || !constant->second.is_float() || !seen.insert(name).second) return;
        const nn::HostTensor& data = constant->second;
        to.push_back({name, data, nn::elements(data.shape), 0, data.shape.size() >= 2});
    };
    for (const nn::Node& node : graph.nodes) {
        const bool normalises = node.op == "BatchNormalization";
        if (!normalises && node.op != "Conv" && node.op != "ConvTranspose" && node.op != "Gemm") continue;
        for (std::size_t i = 1; i < node.inputs.size(); ++i) {
            if (!node.inputs[i].empty()) add(i > 2 ? running_ : learned_, node.inputs[i]);
        }
    }
    if (learned_.empty()) throw Error("the network has no weights to learn");
    std::stable_partition(learned_.begin(), learned_.end(), [](const Parameter& p) { return p.decays; });
    const std::uint64_t alignment = device.limits().storage_alignment;
    const std::uint64_t bytes = place(learned_, alignment);
    const auto first = std::find_if(learned_.begin(), learned_.end(), [](const Parameter& p) { return !p.decays; });
    decayed_ = static_cast<std::uint32_t>((first == learned_.end() ? bytes : first->at) / 4);
    if (bytes > device.limits().storage_range) {
        throw Error("the network's weights take " + std::to_string(bytes >> 20) +
                    " MiB, more than this device binds at once (" +
                    std::to_string(device.limits().storage_range >> 20) + " MiB)");
    }
    values_ = gpu::Buffer(device, bytes, gpu::MemoryUse::device);
    gradients_ = gpu::Buffer(device, bytes, gpu::MemoryUse::device);
    velocities_ = gpu::Buffer(device, bytes, gpu::MemoryUse::device);
    statistics_ = gpu::Buffer(device, place(running_, alignment), gpu::MemoryUse::device);
    // Between the parameters lie gaps: zeros stay zeros.
    for (const gpu::Buffer* buffer : {&values_, &gradients_, &velocities_}) fill_with_zeros(device, *buffer);
    Values initial;
    for (const Parameter& parameter : learned_) initial[parameter.name] = *parameter.initial.floats;
    for (const Parameter& parameter : running_) initial[parameter.name] = *parameter.initial.floats;
    upload_values(initial);
    upload_running(initial);
}

const Parameter* Parameters::find(const nn::HostTensor& data) const {
    const auto found = std::find_if(learned_.begin(), learned_.end(),
                                    [&](const Parameter& p) { return p.initial.floats == data.floats; });
    return found == learned_.end() ? nullptr : &*found;
}

std::int64_t Parameters::count() const {
    return std::accumulate(learned_.begin(), learned_.end(), std::int64_t{0},
                           [](std::int64_t sum, const Parameter& p) { return sum + p.items; });
}

gpu::Slice Parameters::running(const std::string& name) const {
    const auto found =
        std::find_if(running_.begin(), running_.end(), [&](const Parameter& p) { return p.name == name; });
    if (found == running_.end()) throw Error("no running statistics named " + name);
    return part(statistics_, *found);
}

Values Parameters::download(const gpu::Buffer& buffer) const {
    std::vector<float> all(buffer.bytes() / 4);
    gpu::download(device_, buffer.slice(), std::as_writable_bytes(std::span(all)));
    Values values;
    const std::vector<Parameter>& parameters = &buffer == &statistics_ ? running_ : learned_;
    for (const Parameter& parameter : parameters) {
        const auto first = all.begin() + static_cast<std::ptrdiff_t>(parameter.at / 4);
        values[parameter.name] = std::vector<float>(first, first + parameter.items);
    }
    return values;
}

Values Parameters::download_running() const {
    return download(statistics_);
}

void Parameters::upload(const Values& values, const gpu::Buffer& buffer) {
    const std::vector<Parameter>& parameters = &buffer == &statistics_ ? running_ : learned_;
    for (const Parameter& parameter : parameters) {
        const std::vector<float>& value = value_of(values, parameter);
        gpu::upload(device_, std::as_bytes(std::span(value)), part(buffer, parameter));
    }
}

void Parameters::upload_running(const Values& values) {
    upload(values, statistics_);
}

nn::Graph with_values(nn::Graph graph, const Values& values) {
    for (const auto& [name, value] : values) {
        nn::HostTensor& constant = graph.constants.at(name);
        constant = nn::HostTensor::of(constant.shape, value);
    }
    return graph;
}

}  // namespace deconv::train
