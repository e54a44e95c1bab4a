// What is learned, on the device: values, gradients, momentum, and the running statistics of batch normalisation.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "nn/graph.h"
#include "vk/memory.h"

namespace deconv::train {

/// A constant of the graph that training changes.
struct Parameter {
    std::string name;
    nn::HostTensor initial;  // whose identity is how operators name it
    std::int64_t items = 0;
    std::uint64_t at = 0;  // bytes, in each of the buffers
    bool decays = false;   // weights decay, biases and what batch normalisation learns do not
};

/// By name of the constant.
using Values = std::map<std::string, std::vector<float>>;

/// Values, gradients and velocities lie in three buffers in one order, those that decay first.  Downloads and uploads
/// wait for the device; nothing may run meanwhile.
class Parameters {
  public:
    /// Of every Conv, ConvTranspose and Gemm the constant second and third input, of every BatchNormalization all four.
    Parameters(const gpu::Device& device, const nn::Graph& graph);

    const std::vector<Parameter>& learned() const { return learned_; }
    /// The parameter whose data that is; null where it is none.
    const Parameter* find(const nn::HostTensor& data) const;
    std::int64_t count() const;

    gpu::Slice value(const Parameter& parameter) const { return part(values_, parameter); }
    gpu::Slice gradient(const Parameter& parameter) const { return part(gradients_, parameter); }
    /// Everything, and how many elements of it decay.
    gpu::Slice values() const { return values_.slice(); }
    gpu::Slice gradients() const { return gradients_.slice(); }
    gpu::Slice velocities() const { return velocities_.slice(); }
    std::uint32_t items() const { return static_cast<std::uint32_t>(values_.bytes() / 4); }
    std::uint32_t decayed() const { return decayed_; }
    /// Running mean or variance, by the constant's name.
    gpu::Slice running(const std::string& name) const;

    Values download_values() const { return download(values_); }
    Values download_gradients() const { return download(gradients_); }
    Values download_velocities() const { return download(velocities_); }
    Values download_running() const;
    /// Throws Error where a name is missing or has another number of values.
    void upload_values(const Values& values) { upload(values, values_); }
    void upload_velocities(const Values& values) { upload(values, velocities_); }
    void upload_running(const Values& values);

  private:
    gpu::Slice part(const gpu::Buffer& buffer, const Parameter& parameter) const {
        return buffer.slice().part(parameter.at, static_cast<std::uint64_t>(parameter.items) * 4);
    }
    Values download(const gpu::Buffer& buffer) const;
    void upload(const Values& values, const gpu::Buffer& buffer);

    const gpu::Device& device_;
    std::vector<Parameter> learned_;
    std::vector<Parameter> running_;
    std::uint32_t decayed_ = 0;
    gpu::Buffer values_, gradients_, velocities_, statistics_;
};

/// The graph with other values for its constants.
nn::Graph with_values(nn::Graph graph, const Values& values);

}  // namespace deconv::train
