#include "nn/model.h"

namespace deconv::nn {

namespace {

constexpr std::uint64_t small_bytes = std::uint64_t{64} << 10;  // devices allow some thousand buffers

}  // namespace

ConstantStore::ConstantStore(const gpu::Device& device) : device_(device), arena_(device, 8 * small_bytes) {
    unused_ = arena_.allocate(256);
}

gpu::Slice ConstantStore::get(const HostTensor& data, const std::string& layout,
                              const std::function<std::vector<float>()>& pack, KeptConstants& keep) {
    const std::lock_guard lock(mutex_);
    std::weak_ptr<const Constant>& known = known_[{data.floats.get(), layout}];
    std::shared_ptr<const Constant> constant = known.lock();
    if (!constant) {
        const std::vector<float> packed = pack();
        const auto bytes = std::as_bytes(std::span(packed));
        auto fresh = std::make_shared<Constant>();
        fresh->data = data.floats;
        if (bytes.size() <= small_bytes) {
            fresh->slice = arena_.upload(bytes);
            small_.push_back(fresh);
        } else {
            fresh->buffer = gpu::Buffer(device_, bytes.size(), gpu::MemoryUse::device);
            fresh->buffer.fill(device_, bytes);
            fresh->slice = fresh->buffer.slice();
        }
        constant = fresh;
        known = fresh;
        std::erase_if(known_, [](const auto& entry) { return entry.second.expired(); });
    }
    keep.push_back(constant);
    return constant->slice;
}

std::string AlgorithmChoices::get(const std::string& task) const {
    const std::lock_guard lock(mutex_);
    if (!forced_.empty()) return forced_;
    const auto found = by_task_.find(task);
    return found == by_task_.end() ? std::string() : found->second;
}

void AlgorithmChoices::set(const std::string& task, const std::string& algorithm) {
    const std::lock_guard lock(mutex_);
    by_task_[task] = algorithm;
}

std::string AlgorithmChoices::forced() const {
    const std::lock_guard lock(mutex_);
    return forced_;
}

void AlgorithmChoices::force(const std::string& algorithm) {
    const std::lock_guard lock(mutex_);
    forced_ = algorithm;
}

std::uint64_t ConstantStore::bytes() const {
    const std::lock_guard lock(mutex_);
    std::uint64_t bytes = arena_.bytes();
    for (const auto& [name, known] : known_) {
        if (const auto constant = known.lock()) bytes += constant->buffer.bytes();
    }
    return bytes;
}

}  // namespace deconv::nn
