// A run without a window: source → network → projection → files.
#pragma once

#include <csignal>

#include "live/options.h"
#include "live/report.h"
#include "nn/network.h"

namespace deconv::live {

/// Set by the signal handlers: a run finishes its files and returns.
extern volatile std::sig_atomic_t stop_requested;

/// What --channel and --layer mean for a network: the layer's tensor, where the projection starts, the selection.
struct Target {
    int layer = 0;  // tensor that was chosen
    int start = 0;  // tensor where the projection starts
    std::string layer_name;
    nn::Selection selection;
};
/// Throws Error with the nearest names or the valid range.
Target resolve_target(const nn::Network& network, const std::vector<std::string>& labels, const Options& options);

/// Runs to the end of the source, --frames, or a signal.  Messages and the progress line go to standard error.
/// Throws Error; a recording keeps what was written, other files appear only whole.
Report run_headless(const Options& options);

}  // namespace deconv::live
