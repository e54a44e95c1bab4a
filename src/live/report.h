// What a run says at its end, as --json and for people.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "live/stages.h"

namespace deconv::live {

struct Prediction {
    int index = 0;
    std::string label;
    double probability = 0;
};

/// The `count` most probable classes into `best`, whose memory is used again; scores are logits, or probabilities
/// already.
void best_predictions(const std::vector<float>& scores, bool probabilities, const std::vector<std::string>& labels,
                      std::vector<Prediction>& best, std::size_t count = 5);

struct Report {
    std::string device, model, model_sha256, source, layer, rule, precision;
    int channel = -1;  // of the last frame; −1 where all channels are projected
    std::string channel_label;
    std::int64_t frames_in = 0, frames_processed = 0, frames_dropped = 0;
    ByStage<Samples> stage_ms;      // a value for each frame; empty for stages that did not run
    double seconds = 0;             // without the first frames', where there are enough others
    std::int64_t timed_frames = 0;  // in those
    std::uint64_t memory_bytes = 0;
    std::vector<Prediction> predictions;

    double fps() const { return seconds > 0 ? static_cast<double>(timed_frames) / seconds : 0; }
};

/// One JSON object; the keys are documented in --help and stay.
std::string to_json(const Report& report);
/// A few lines for a person.
std::string to_text(const Report& report);

}  // namespace deconv::live
