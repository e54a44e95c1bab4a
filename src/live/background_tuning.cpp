#include "live/background_tuning.h"

namespace deconv::live {

BackgroundTuning::~BackgroundTuning() {
    stop();
}

void BackgroundTuning::stop() {
    leave_ = true;
    if (thread_.joinable()) thread_.join();
    leave_ = false;
}

void BackgroundTuning::begin(const Engine& engine) {
    const nn::PlanOptions& shown = engine.projector->plan().options();
    if (running_ ||
        (last_.lock() == engine.network && last_target_ == shown.target && last_precision_ == shown.precision))
        return;
    if (thread_.joinable()) thread_.join();
    last_ = engine.network;
    last_target_ = shown.target;
    last_precision_ = shown.precision;
    running_ = true;
    // A plan of its own: the engine's may be gone before this ends.
    nn::PlanOptions options;
    options.target = shown.target;
    options.rule = shown.rule;
    options.precision = shown.precision;
    options.crop_below = 0;  // crops run what is the default
    thread_ = std::thread([this, network = engine.network, options] {
        try {
            const nn::Plan plan(*network->model, options);
            if (tuner_.tune(*network->model, plan, [this] { return !leave_; })) better_ = true;
        } catch (const std::exception&) {  // no memory to measure in: the defaults stay
            better_ = false;
        }
        running_ = false;
    });
}

bool BackgroundTuning::found_better() {
    return better_.exchange(false);
}

}  // namespace deconv::live
