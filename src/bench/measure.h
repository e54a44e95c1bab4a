// Measurements on a device: its peaks, and the layers and frame path of a network.
#pragma once

#include <string>
#include <vector>

#include "nn/model.h"
#include "nn/plan.h"
#include "vk/recording.h"

namespace deconv::bench {

/// Of repeated runs, in milliseconds.  On a machine that does other work as well, `best` says more than the median.
struct Times {
    double best = 0, median = 0, p90 = 0;
};
Times times_of(std::vector<double> milliseconds);

struct Peaks {
    double gflops = 0;       // multiplications and additions in registers
    double gbytes = 0;       // copied: bytes read and bytes written
    double dispatch_us = 0;  // from one small dispatch to the next that waits for it: what small networks are made of
};
Peaks measure_peaks(const gpu::Device& device, gpu::Pipelines& pipelines, gpu::Scheduler& scheduler);

/// What one node takes in one direction: one dispatch, or several that belong together.
struct LayerTimes {
    std::string name;       // "conv1 forward"
    std::string stage;      // "forward" or "project"
    std::string algorithm;  // its most expensive shader
    Times ms;
    double flops = 0, bytes = 0;  // as the dispatches have it
};

/// Runs a plan's dispatches one by one, `seconds` long (three times at least).
std::vector<LayerTimes> measure_layers(const gpu::Device& device, gpu::Pipelines& pipelines, gpu::Scheduler& scheduler,
                                       const std::vector<gpu::Step>& steps, double seconds);

struct FrameTimes {
    Times ms;
    double device_ms = 0;     // from the first step's begin to the last one's end, the median; 0 without timestamps
    double per_second = 0;    // with two frames under way, as the live program has them: by the median distance
    double processor_ms = 0;  // of all this program's threads, the least of any frame: a CPU's driver runs in them
};

/// Runs a plan's steps as the live program does, from submission to the end.
FrameTimes measure_frames(const gpu::Device& device, gpu::Pipelines& pipelines, gpu::Scheduler& scheduler,
                          const std::vector<gpu::Step>& steps, double seconds);

/// Fills a plan's input with a fixed pattern, and asks every copy for its own channel of the target (for a single one:
/// the strongest), from all of its positions or from where it is largest.
void prepare(const gpu::Device& device, const nn::Model& model, const nn::Plan& plan, nn::Selection::Where where);

}  // namespace deconv::bench
