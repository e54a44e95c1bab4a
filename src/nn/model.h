// A network on a device: its constants in device memory, shared by every plan.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "nn/network.h"
#include "nn/sidecar.h"
#include "vk/memory.h"

namespace deconv::nn {

/// A constant in device memory, for as long as somebody has it.
struct Constant {
    std::shared_ptr<const std::vector<float>> data;  // its address names it: no other may take that
    gpu::Buffer buffer;                              // of a large one; small ones share the store's memory
    gpu::Slice slice;
};
using KeptConstants = std::vector<std::shared_ptr<const Constant>>;

/// Constants in device memory, each there once in each layout that is asked for.  A large one goes with the last that
/// keeps it, for layers, rules and sizes want different layouts.  Several threads may ask.
class ConstantStore {
  public:
    explicit ConstantStore(const gpu::Device& device);
    /// Adds it to `keep`.
    gpu::Slice get(const HostTensor& data, const std::string& layout, const std::function<std::vector<float>()>& pack,
                   KeptConstants& keep);
    gpu::Slice unused() const { return unused_; }
    std::uint64_t bytes() const;

  private:
    const gpu::Device& device_;
    mutable std::mutex mutex_;
    gpu::Arena arena_;  // of small ones
    gpu::Slice unused_;
    std::map<std::pair<const void*, std::string>, std::weak_ptr<const Constant>> known_;
    KeptConstants small_;
};

/// Which algorithm runs which task (describe() of ops/convolution.h); what is not there is left to the device's
/// default. Several threads may ask and set; plans made afterwards follow.
class AlgorithmChoices {
  public:
    std::string get(const std::string& task) const;
    void set(const std::string& task, const std::string& algorithm);
    /// One algorithm for every task that it can run, whatever was set; an empty name ends that.
    void force(const std::string& algorithm);
    /// Its name, or none.
    std::string forced() const;

  private:
    mutable std::mutex mutex_;
    std::map<std::string, std::string> by_task_;
    std::string forced_;
};

class Model {
  public:
    Model(const gpu::Device& device, Network network)
        : Model(device, std::move(network), std::make_shared<ConstantStore>(device)) {}
    /// With the constants of another model: those that both have (the same data, not equal data) are there once.
    Model(const gpu::Device& device, Network network, std::shared_ptr<ConstantStore> constants)
        : device_(device), network_(std::move(network)), constants_(std::move(constants)) {}

    const gpu::Device& device() const { return device_; }
    const Network& network() const { return network_; }
    ConstantStore& constants() { return *constants_; }
    const std::shared_ptr<ConstantStore>& shared_constants() const { return constants_; }
    AlgorithmChoices& choices() { return choices_; }

  private:
    const gpu::Device& device_;
    Network network_;
    std::shared_ptr<ConstantStore> constants_;
    AlgorithmChoices choices_;
};

}  // namespace deconv::nn
