#include "nn/model.h"

namespace deconv::nn {

ConstantStore::ConstantStore(const gpu::Device& device) : arena_(device) {
    unused_ = arena_.allocate(256);
}

gpu::Slice ConstantStore::get(const HostTensor& data, const std::string& layout,
                              const std::function<std::vector<float>()>& pack) {
    const std::lock_guard lock(mutex_);
    const std::pair<const void*, std::string> key(data.floats.get(), layout);
    if (const auto it = kept_.find(key); it != kept_.end()) return it->second.slice;
    const std::vector<float> packed = pack();
    const gpu::Slice slice = arena_.upload(std::as_bytes(std::span(packed)));
    kept_[key] = {data.floats, slice};
    return slice;
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

void AlgorithmChoices::force(const std::string& algorithm) {
    const std::lock_guard lock(mutex_);
    forced_ = algorithm;
}

std::uint64_t ConstantStore::bytes() const {
    const std::lock_guard lock(mutex_);
    return arena_.bytes();
}

}  // namespace deconv::nn
