#include "bench/measure.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <ctime>
#include <functional>
#include <utility>

namespace deconv::bench {
namespace {

using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point begin) {
    return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

/// To warm up once, on a GPU for as long as its clock needs to rise; then again and again for so long, three times at
/// least.
void repeat(const gpu::Device& device, double seconds, const std::function<void(bool counts)>& run) {
    const double warm_ms = device.info().type == gpu::DeviceType::cpu ? 0 : 500;
    const Clock::time_point warm = Clock::now();
    do {
        run(false);
    } while (ms_since(warm) < warm_ms);
    const Clock::time_point begin = Clock::now();
    for (int i = 0; i < 3 || (ms_since(begin) < seconds * 1000 && i < 1000); ++i) run(true);
}

gpu::Recording::Options uncut() {
    gpu::Recording::Options options;
    options.segment_ms = 1e12;
    return options;
}

/// "conv1 forward pack" and "conv1 forward" are one layer.
std::string layer_of(const std::string& label) {
    for (const char* end : {" forward", " reverse"}) {
        const std::size_t at = label.find(end);
        if (at != std::string::npos) return label.substr(0, at + std::string(end).size());
    }
    return label;
}

}  // namespace

Times times_of(std::vector<double> milliseconds) {
    if (milliseconds.empty()) return {};
    std::sort(milliseconds.begin(), milliseconds.end());
    return {milliseconds.front(), milliseconds[milliseconds.size() / 2], milliseconds[milliseconds.size() * 9 / 10]};
}

Peaks measure_peaks(const gpu::Device& device, gpu::Pipelines& pipelines, gpu::Scheduler& scheduler) {
    const bool cpu = device.info().type == gpu::DeviceType::cpu;
    const auto rate = [&](const gpu::Step& step, double amount) {
        const gpu::Recording recording(device, pipelines, {step}, uncut());
        double best = 0;
        repeat(device, 0.4, [&](bool counts) {
            const Clock::time_point begin = Clock::now();
            scheduler.wait(scheduler.submit(recording));
            if (counts) best = std::max(best, amount / (ms_since(begin) * 1e6));
        });
        return best;
    };
    Peaks peaks;
    // On a GPU far more than its caches hold, and long enough that what a submission takes is little.
    const std::uint64_t bytes =
        cpu ? std::uint64_t{64} << 20 : std::min(device.info().memory / 8, std::uint64_t{1} << 30);
    const gpu::Buffer values(device, gpu::align_up(bytes / 2, 256) * 2, gpu::MemoryUse::device);
    struct FmaPush {
        std::uint32_t rounds;
        float factor;
    };
    const FmaPush push{cpu ? 2000U : 500U, 0.999F};
    const std::uint64_t invocations = cpu ? 4096 : std::uint64_t{1} << 20;
    const gpu::Dispatch fma = gpu::linear_dispatch(device.info(), "bench/fma", invocations, push,
                                                   {gpu::in_out(values.slice().part(0, 256))}, "fma");
    peaks.gflops = rate({fma, {}, "peak"}, 2.0 * 16 * 8 * push.rounds * static_cast<double>(invocations));

    // By the driver's own copy or by a shader, whichever is faster.
    const std::uint64_t half = values.bytes() / 2;
    const gpu::Slice from = values.slice().part(0, half);
    const gpu::Slice to = values.slice().part(half, half);
    struct CopyPush {
        std::uint32_t items;
    };
    const CopyPush copy{static_cast<std::uint32_t>(half / 64)};
    peaks.gbytes = rate(gpu::copy_step({from, to}, "peak"), 2.0 * static_cast<double>(half));
    if (half <= device.limits().storage_range) {
        const gpu::Dispatch by_shader =
            gpu::linear_dispatch(device.info(), "bench/copy", copy.items, copy, {gpu::in(from), gpu::out(to)}, "copy");
        peaks.gbytes =
            std::max(peaks.gbytes, rate({by_shader, {}, "peak"}, 2.0 * static_cast<double>(copy.items) * 64));
    }

    struct FillPush {
        std::uint32_t items;
        float value;
    };
    constexpr std::uint32_t items = 1024;
    const gpu::Dispatch small = gpu::linear_dispatch(device.info(), "bench/fill", items, FillPush{items, 0},
                                                     {gpu::out(values.slice().part(0, items * 4))}, "fill");
    std::array<double, 2> many{};  // the difference leaves out what a submission takes
    for (std::size_t i = 0; i < many.size(); ++i) {
        const std::vector<gpu::Step> steps(i == 0 ? 10 : 110, gpu::Step{small, {}, "peak"});
        const gpu::Recording recording(device, pipelines, steps, uncut());
        std::vector<double> took;
        repeat(device, 0.2, [&](bool counts) {
            const Clock::time_point begin = Clock::now();
            scheduler.wait(scheduler.submit(recording));
            if (counts) took.push_back(ms_since(begin));
        });
        many.at(i) = times_of(std::move(took)).median;
    }
    peaks.dispatch_us = std::max(0.0, (many[1] - many[0]) * 1000 / 100);
    return peaks;
}

std::vector<LayerTimes> measure_layers(const gpu::Device& device, gpu::Pipelines& pipelines, gpu::Scheduler& scheduler,
                                       const std::vector<gpu::Step>& all, double seconds) {
    // A stage of its own for every step: then each is a segment, and segments are timed.
    std::vector<gpu::Step> steps = all;
    for (std::size_t i = 0; i < steps.size(); ++i) steps[i].stage = std::to_string(i);
    const gpu::Recording recording(device, pipelines, steps, uncut());

    struct Layer {
        LayerTimes times;
        std::vector<std::size_t> steps;
    };
    std::vector<Layer> layers;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        const gpu::Dispatch& dispatch = steps[i].dispatch;
        const std::string name = layer_of(dispatch.label);
        const std::string& stage = all[i].stage;
        if (layers.empty() || layers.back().times.name != name || layers.back().times.stage != stage) {
            layers.push_back({{name, stage, {}, {}, 0, 0}, {}});
        }
        layers.back().times.flops += dispatch.flops;
        layers.back().times.bytes += dispatch.bytes;
        layers.back().steps.push_back(i);
    }
    std::vector<std::vector<double>> by_step(steps.size());
    repeat(device, seconds, [&](bool counts) {
        scheduler.wait(scheduler.submit(recording));
        const std::vector<gpu::SegmentTime> segments = recording.times();
        for (std::size_t i = 0; counts && i < segments.size(); ++i) {
            by_step[i].push_back(segments[i].end_ms - segments[i].start_ms);
        }
    });
    std::vector<LayerTimes> result;
    for (Layer& layer : layers) {
        std::vector<double> sums(by_step[layer.steps[0]].size(), 0.0);
        double most = -1;
        for (const std::size_t step : layer.steps) {
            for (std::size_t r = 0; r < sums.size() && r < by_step[step].size(); ++r) sums[r] += by_step[step][r];
            const double best = times_of(by_step[step]).best;
            if (best > most) {
                most = best;
                layer.times.algorithm = steps[step].dispatch.fft ? "VkFFT" : steps[step].dispatch.shader;
            }
        }
        layer.times.ms = times_of(std::move(sums));
        result.push_back(std::move(layer.times));
    }
    return result;
}

FrameTimes measure_frames(const gpu::Device& device, gpu::Pipelines& pipelines, gpu::Scheduler& scheduler,
                          const std::vector<gpu::Step>& steps, double seconds) {
    gpu::Recording recording(device, pipelines, steps, gpu::Recording::Options::guess(device.info()));
    gpu::Recording second(device, pipelines, steps, gpu::Recording::Options::guess(device.info()));
    for (gpu::Recording* fresh : {&recording, &recording, &second, &second}) {
        scheduler.wait(scheduler.submit(*fresh));
        fresh->adapt();
    }
    std::vector<double> measured;
    std::vector<double> processor;
    std::vector<double> on_device;
    repeat(device, seconds, [&](bool counts) {
        const Clock::time_point begin = Clock::now();
        const std::clock_t used = std::clock();
        scheduler.wait(scheduler.submit(recording));
        if (!counts) return;
        measured.push_back(ms_since(begin));
        processor.push_back(static_cast<double>(std::clock() - used) * 1000 / CLOCKS_PER_SEC);
        const std::vector<gpu::SegmentTime> segments = recording.times();
        if (!segments.empty()) on_device.push_back(segments.back().end_ms - segments.front().start_ms);
    });
    FrameTimes times;
    times.ms = times_of(std::move(measured));
    times.processor_ms = times_of(std::move(processor)).best;
    if (!on_device.empty()) times.device_ms = times_of(std::move(on_device)).median;

    std::vector<double> distances;
    gpu::Scheduler::Ticket before = scheduler.submit(recording);
    bool turn = true;
    Clock::time_point last = Clock::now();
    repeat(device, seconds, [&](bool counts) {
        const gpu::Scheduler::Ticket next = scheduler.submit(turn ? second : recording);
        turn = !turn;
        scheduler.wait(std::exchange(before, next));
        if (counts) distances.push_back(ms_since(last));
        last = Clock::now();
    });
    scheduler.wait(before);
    times.per_second = 1000 / times_of(std::move(distances)).median;
    return times;
}

void prepare(const gpu::Device& device, const nn::Model& model, const nn::Plan& plan, nn::Selection::Where where) {
    const gpu::Slice input = plan.tensor(model.network().inputs().at(0)).slice;
    std::vector<float> values(input.bytes / 4);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<float>(i) * 0.37F);
    gpu::upload(device, std::as_bytes(std::span(values)), input);
    const int target = plan.options().target;
    if (target < 0) return;
    const nn::Extent extent = nn::extent_of(plan.tensor(target).shape);
    std::vector<nn::SelectionRequest> requests;
    for (std::int64_t copy = 0; copy < plan.options().copies; ++copy) {
        nn::Selection selection;
        selection.where = where;
        if (plan.options().copies > 1) selection.channel = static_cast<std::int32_t>(copy % extent.channels);
        requests.push_back(nn::to_request(selection, extent.width));
    }
    gpu::upload(device, std::as_bytes(std::span(requests)), plan.requests());
}

}  // namespace deconv::bench
