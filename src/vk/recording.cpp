#include "vk/recording.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/error.h"

namespace deconv::gpu {
namespace {

vk::Format format_of(Texels texels) {
    switch (texels) {
        case Texels::rgba32f:
            return vk::Format::eR32G32B32A32Sfloat;
        case Texels::r32ui:
            return vk::Format::eR32Uint;
        case Texels::rgba32ui:
            return vk::Format::eR32G32B32A32Uint;
        case Texels::none:
        case Texels::r32f:
            break;
    }
    return vk::Format::eR32Sfloat;
}

constexpr auto compute_stage = vk::PipelineStageFlagBits::eComputeShader | vk::PipelineStageFlagBits::eTransfer;
constexpr auto shader_read = vk::AccessFlagBits::eShaderRead | vk::AccessFlagBits::eTransferRead;
constexpr auto shader_write = vk::AccessFlagBits::eShaderWrite | vk::AccessFlagBits::eTransferWrite;

/// `copies`: on either side there may be the device's own copies and fills, which cost a GPU more to wait for.
void barrier(vk::CommandBuffer commands, bool copies) {
    const vk::PipelineStageFlags stage = copies ? compute_stage : vk::PipelineStageFlagBits::eComputeShader;
    const vk::AccessFlags write = copies ? shader_write : vk::AccessFlagBits::eShaderWrite;
    const vk::AccessFlags read = copies ? shader_read : vk::AccessFlagBits::eShaderRead;
    commands.pipelineBarrier(stage, stage, {}, vk::MemoryBarrier(write, read | write), {}, {});
}

/// What steps since the last barrier have touched.
class Hazards {
  public:
    bool conflicts(const std::vector<Binding>& bindings) const {
        return std::any_of(bindings.begin(), bindings.end(), [&](const Binding& b) {
            return std::any_of(touched_.begin(), touched_.end(), [&](const Binding& t) {
                return (b.write || t.write) && b.slice.buffer == t.slice.buffer &&
                       b.slice.offset < t.slice.offset + t.slice.bytes &&
                       t.slice.offset < b.slice.offset + b.slice.bytes;
            });
        });
    }
    void add(const std::vector<Binding>& bindings) {
        touched_.insert(touched_.end(), bindings.begin(), bindings.end());
    }
    void clear() { touched_.clear(); }

  private:
    std::vector<Binding> touched_;
};

std::vector<Binding> bindings_of(const Step& step) {
    if (!step.dispatch.shader.empty() || step.dispatch.fft) return step.dispatch.bindings;
    if (!step.copy.from) return {out(step.copy.to)};
    return {in(step.copy.from), out(step.copy.to)};
}

void record_copy(vk::CommandBuffer commands, const Copy& copy) {
    if (!copy.from) {
        commands.fillBuffer(copy.to.buffer, copy.to.offset, copy.to.bytes, 0);
        return;
    }
    std::vector<vk::BufferCopy> rows;
    for (std::uint32_t i = 0; i < copy.rows; ++i) {
        rows.emplace_back(copy.from.offset + i * copy.from_step, copy.to.offset + i * copy.to_step,
                          copy.rows > 1 ? copy.row_bytes : copy.from.bytes);
    }
    commands.copyBuffer(copy.from.buffer, copy.to.buffer, rows);
}

/// Boxes of the grid, cut along its longest dimension (then the next) into at least `parts`.
struct Box {
    Groups base, size;
};
std::vector<Box> cut(const Groups& groups, std::uint32_t parts) {
    std::vector<Box> boxes{{{0, 0, 0}, groups}};
    // Outer dimensions first: images, then channels, then pixels, so that each part stays dense in memory.
    for (int axis = 2; axis >= 0 && boxes.size() < parts; --axis) {
        const auto a = static_cast<std::size_t>(axis);
        const std::uint32_t wanted = divide_up(parts, boxes.size());
        const std::uint32_t step = std::max<std::uint32_t>(1, divide_up(groups[a], wanted));
        std::vector<Box> finer;
        for (const Box& box : boxes) {
            for (std::uint32_t at = 0; at < groups[a]; at += step) {
                Box part = box;
                part.base[a] = at;
                part.size[a] = std::min(step, groups[a] - at);
                finer.push_back(part);
            }
        }
        boxes = std::move(finer);
    }
    return boxes;
}

}  // namespace

Recording::Options Recording::Options::guess(const DeviceInfo& device) {
    Options options;
    const bool cpu = device.type == DeviceType::cpu;
    options.gflops = cpu ? 8 : 500;
    options.gbytes = cpu ? 4 : 50;
    return options;
}

Recording::Recording(const Device& device, Pipelines& pipelines, std::vector<Step> steps, const Options& options)
    : device_(device), pipelines_(pipelines), steps_(std::move(steps)), options_(options) {
    std::uint32_t sets = 0;
    std::uint32_t buffers = 0;
    for (const Step& step : steps_) {
        if (step.dispatch.shader.empty() && !step.dispatch.fft) continue;
        const auto storage = std::count_if(step.dispatch.bindings.begin(), step.dispatch.bindings.end(),
                                           [](const Binding& binding) { return binding.texels == Texels::none; });
        if (storage > 4) throw Error(step.dispatch.label + " binds more than four storage buffers");
        for (const Binding& binding : step.dispatch.bindings) {
            const std::uint64_t most = binding.texels != Texels::none
                                           ? texel_bytes(binding.texels) * device.limits().texel_elements
                                           : device.limits().storage_range;
            if (binding.slice.bytes > most) {
                throw Error(step.dispatch.label + " needs " + std::to_string(binding.slice.bytes >> 20) +
                            " MiB in one binding, more than " + device.info().name +
                            " offers: choose a smaller --size");
            }
        }
        ++sets;
        buffers += static_cast<std::uint32_t>(step.dispatch.bindings.size());
    }
    const std::array sizes{vk::DescriptorPoolSize(vk::DescriptorType::eStorageBuffer, std::max(buffers, 1U)),
                           vk::DescriptorPoolSize(vk::DescriptorType::eUniformTexelBuffer, std::max(buffers, 1U))};
    descriptors_ = device.handle().createDescriptorPoolUnique({{}, std::max(sets, 1U), sizes});
    for (const Step& step : steps_) {
        sets_.emplace_back();
        const Dispatch& dispatch = step.dispatch;
        ffts_.push_back(dispatch.fft ? std::make_unique<FftPlan>(device, pipelines.ffts(), *dispatch.fft,
                                                                 dispatch.bindings.at(0).slice)
                                     : nullptr);
        if (dispatch.shader.empty()) continue;
        sets_.back() = device.handle().allocateDescriptorSets({*descriptors_, pipeline_of(dispatch).bindings}).front();
        std::vector<vk::DescriptorBufferInfo> infos(dispatch.bindings.size());
        std::vector<vk::BufferView> views(dispatch.bindings.size());
        std::vector<vk::WriteDescriptorSet> writes;
        for (std::uint32_t i = 0; i < dispatch.bindings.size(); ++i) {
            const Slice& slice = dispatch.bindings[i].slice;
            if (const Texels texels = dispatch.bindings[i].texels; texels != Texels::none) {
                const vk::Format format = format_of(texels);
                const std::uint64_t most = texel_bytes(texels) * device.limits().texel_elements;
                views_.push_back(device.handle().createBufferViewUnique(
                    {{}, slice.buffer, format, slice.offset, std::min(texel_view_bytes(slice), most)}));
                views.at(i) = *views_.back();
                writes.emplace_back(sets_.back(), i, 0, 1, vk::DescriptorType::eUniformTexelBuffer, nullptr, nullptr,
                                    &views.at(i));
            } else {
                infos.at(i) = vk::DescriptorBufferInfo(slice.buffer, slice.offset, slice.bytes);
                writes.emplace_back(sets_.back(), i, 0, 1, vk::DescriptorType::eStorageBuffer, nullptr, &infos.at(i));
            }
        }
        device.handle().updateDescriptorSets(writes, {});
    }
    for (const Step& step : steps_) {
        step_ms_.push_back(1e-6 *
                           std::max(step.dispatch.flops / options_.gflops, step.dispatch.bytes / options_.gbytes));
    }
    record();
}

const Pipeline& Recording::pipeline_of(const Dispatch& dispatch) {
    std::vector<vk::DescriptorType> types;
    for (const Binding& binding : dispatch.bindings) {
        types.push_back(binding.texels != Texels::none ? vk::DescriptorType::eUniformTexelBuffer
                                                       : vk::DescriptorType::eStorageBuffer);
    }
    return pipelines_.get(dispatch.shader, dispatch.constants, types, dispatch.push_bytes);
}

void Recording::finished() {
    ++runs_;
    if (runs_ <= 2 || runs_ == 6 || runs_ == 20) {
        adapt();
        return;
    }
    // Other programs only make things longer: what was shortest tells.
    times(measured_);
    for (std::size_t s = 0; s < measured_.size(); ++s) {
        shortest_[s] = std::min(shortest_[s], measured_[s].end_ms - measured_[s].start_ms);
    }
    if (runs_ < look_at_ || measured_.empty()) return;
    look_at_ += 50;
    if (ill_cut()) {
        look_at_ = 2 * runs_;
        const std::vector<double> took = shortest_;
        adapt(took);
    }
    std::fill(shortest_.begin(), shortest_.end(), HUGE_VAL);
}

bool Recording::ill_cut() const {
    for (std::size_t s = 0; s < segments_.size(); ++s) {
        if (shortest_[s] > 3 * options_.segment_ms) return true;
        const bool one = s > 0 && segments_[s].stage == segments_[s - 1].stage;
        if (one && shortest_[s] + shortest_[s - 1] < 0.6 * options_.segment_ms) return true;
    }
    return false;
}

void Recording::adapt() {
    ++adaptations_;
    std::vector<double> took;
    for (const SegmentTime& time : times()) took.push_back(time.end_ms - time.start_ms);
    if (!took.empty()) adapt(took);
}

void Recording::adapt(const std::vector<double>& took) {
    const std::vector<double> estimated = std::exchange(step_ms_, std::vector<double>(steps_.size(), 0.0));
    for (std::size_t s = 0; s < segments_.size(); ++s) {
        const Segment& segment = segments_[s];
        for (const Segment::Part& part : segment.parts) {
            const double share = segment.estimated_ms > 0 ? part.estimated_ms / segment.estimated_ms
                                                          : 1.0 / static_cast<double>(segment.parts.size());
            step_ms_[part.step] += std::max(0.0, took[s]) * share;
        }
    }
    for (std::size_t i = 0; adaptations_ == 1 && i < step_ms_.size(); ++i) {
        step_ms_[i] = std::min(step_ms_[i], estimated[i]);
    }
    record();
}

void Recording::record() {
    segments_.clear();
    commands_.clear();
    pool_.reset();
    pool_ = device_.handle().createCommandPoolUnique({{}, device_.queue_family()});

    // First decide what goes where, so that the queries can be counted, then record.
    struct Piece {
        std::size_t step;
        Box box;
        double ms;
    };
    std::vector<std::vector<Piece>> plan;
    double filled = 0;
    for (std::size_t i = 0; i < steps_.size(); ++i) {
        const Dispatch& dispatch = steps_[i].dispatch;
        const double ms = step_ms_[i];
        const auto parts = static_cast<std::uint32_t>(std::clamp(std::ceil(ms / options_.segment_ms), 1.0, 4096.0));
        const std::vector<Box> boxes = cut(dispatch.groups, parts);
        for (const Box& box : boxes) {
            const double part_ms = ms / static_cast<double>(boxes.size());
            const bool stage_changes = !plan.empty() && steps_[plan.back().back().step].stage != steps_[i].stage;
            if (plan.empty() || stage_changes || filled + part_ms > options_.segment_ms) {
                plan.emplace_back();
                filled = 0;
            }
            plan.back().push_back({i, box, part_ms});
            filled += part_ms;
        }
    }

    const auto count = static_cast<std::uint32_t>(plan.size());
    if (count == 0) return;
    if (device_.timestamp_ns() > 0) {
        queries_ = device_.handle().createQueryPoolUnique({{}, vk::QueryType::eTimestamp, 2 * count});
    }
    commands_ = device_.handle().allocateCommandBuffersUnique({*pool_, vk::CommandBufferLevel::ePrimary, count});
    for (std::uint32_t s = 0; s < count; ++s) {
        const vk::CommandBuffer commands = *commands_[s];
        Segment segment{
            commands, steps_[plan[s].front().step].stage, steps_[plan[s].front().step].dispatch.label, {}, 0};
        commands.begin(vk::CommandBufferBeginInfo{});
        if (queries_) {
            commands.resetQueryPool(*queries_, 2 * s, 2);
            commands.writeTimestamp(vk::PipelineStageFlagBits::eTopOfPipe, *queries_, 2 * s);
        }
        // Earlier segments and the other frame in flight use the same memory.
        barrier(commands, true);
        Hazards hazards;
        bool copied = false;  // since then there was a copy or fill
        std::size_t previous = steps_.size();
        for (const Piece& piece : plan[s]) {
            const Step& step = steps_[piece.step];
            if (piece.step != previous) {
                const std::vector<Binding> bindings = bindings_of(step);
                const bool copies = step.dispatch.shader.empty() && !step.dispatch.fft;
                if (hazards.conflicts(bindings)) {
                    barrier(commands, copied || copies);
                    hazards.clear();
                    copied = false;
                }
                hazards.add(bindings);
                copied = copied || copies;
                previous = piece.step;
            } else {
                // Parts of one grid touch different elements, but within ranges that overlap.
                barrier(commands, copied);
            }
            const Dispatch& dispatch = step.dispatch;
            if (dispatch.fft) {
                ffts_[piece.step]->record(commands);
            } else if (dispatch.shader.empty()) {
                record_copy(commands, step.copy);
            } else {
                const Pipeline& pipeline = pipeline_of(dispatch);
                commands.bindPipeline(vk::PipelineBindPoint::eCompute, pipeline.handle);
                commands.bindDescriptorSets(vk::PipelineBindPoint::eCompute, pipeline.layout, 0, sets_[piece.step], {});
                if (dispatch.push_bytes > 0) {
                    commands.pushConstants(pipeline.layout, vk::ShaderStageFlagBits::eCompute, 0, dispatch.push_bytes,
                                           dispatch.push.data());
                }
                const Box& box = piece.box;
                commands.dispatchBase(box.base[0], box.base[1], box.base[2], box.size[0], box.size[1], box.size[2]);
            }
            segment.parts.push_back({piece.step, piece.ms});
            segment.estimated_ms += piece.ms;
        }
        if (s + 1 == count) {
            // What the host reads afterwards must be visible to it.
            const vk::MemoryBarrier host(shader_write, vk::AccessFlagBits::eHostRead);
            commands.pipelineBarrier(compute_stage, vk::PipelineStageFlagBits::eHost, {}, host, {}, {});
        }
        if (queries_) commands.writeTimestamp(vk::PipelineStageFlagBits::eBottomOfPipe, *queries_, 2 * s + 1);
        commands.end();
        const std::string& end = steps_[plan[s].back().step].dispatch.label;
        if (end != segment.label) segment.label += " … " + end;
        segments_.push_back(std::move(segment));
    }
    ticks_.resize(2 * segments_.size());
    shortest_.assign(segments_.size(), HUGE_VAL);
}

std::vector<SegmentTime> Recording::times() const {
    std::vector<SegmentTime> result;
    times(result);
    return result;
}

void Recording::times(std::vector<SegmentTime>& result) const {
    vk::Result status = vk::Result::eNotReady;
    if (queries_ && !segments_.empty()) {
        status =
            device_.handle().getQueryPoolResults(*queries_, 0, static_cast<std::uint32_t>(ticks_.size()),
                                                 8 * ticks_.size(), ticks_.data(), 8, vk::QueryResultFlagBits::e64);
    }
    result.resize(status == vk::Result::eSuccess ? segments_.size() : 0);
    const double ms = device_.timestamp_ns() * 1e-6;
    for (std::size_t i = 0; i < result.size(); ++i) {
        result[i].stage = segments_[i].stage;
        result[i].label = segments_[i].label;
        result[i].start_ms = static_cast<double>(ticks_[2 * i]) * ms;
        result[i].end_ms = static_cast<double>(ticks_[2 * i + 1]) * ms;
    }
}

Scheduler::Scheduler(const Device& device) : device_(device) {
    const vk::SemaphoreTypeCreateInfo type(vk::SemaphoreType::eTimeline, 0);
    timeline_ = device.handle().createSemaphoreUnique(vk::SemaphoreCreateInfo({}, &type));
}

Scheduler::~Scheduler() {
    try {
        wait(last_);
    } catch (const std::exception&) {  // a lost device has nothing left to wait for
        last_ = 0;
    }
}

Scheduler::Ticket Scheduler::submit(const Recording& recording) {
    const std::vector<Recording::Segment>& segments = recording.segments();
    for (std::size_t first = 0; first < segments.size();) {
        // Handing over a submission takes as long as a short segment itself.
        std::array<vk::CommandBuffer, 16> together;
        std::uint32_t count = 0;
        double ms = 0;
        do {
            ms += segments[first].estimated_ms;
            together.at(count++) = segments[first++].commands;
        } while (first < segments.size() && count < together.size() &&
                 ms + segments[first].estimated_ms <= recording.segment_ms());
        if (last_ >= 2) wait(last_ - 1);
        const Ticket next = last_ + 1;
        const vk::TimelineSemaphoreSubmitInfo timeline(0, nullptr, 1, &next);
        const vk::SubmitInfo submission(0, nullptr, nullptr, count, together.data(), 1, &*timeline_, &timeline);
        {
            const std::lock_guard lock(device_.queue_mutex());
            device_.queue().submit(submission);
        }
        last_ = next;
    }
    return last_;
}

void Scheduler::wait(Ticket ticket) const {
    const vk::SemaphoreWaitInfo info({}, 1, &*timeline_, &ticket);
    if (device_.handle().waitSemaphores(info, UINT64_MAX) != vk::Result::eSuccess) {
        throw Error(device_.info().name + " did not finish its work");
    }
}

bool Scheduler::done(Ticket ticket) const {
    return device_.handle().getSemaphoreCounterValue(*timeline_) >= ticket;
}

}  // namespace deconv::gpu
