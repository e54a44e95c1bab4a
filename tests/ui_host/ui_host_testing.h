// A network's state and settings without a network, for what the window makes of them.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "live/session.h"
#include "ui/view_state.h"

namespace deconv::testing {

/// Four stages, the last of which has a score for each of five classes, and two raw tensors.
inline live::State some_state() {
    live::State state;
    state.frames = 10;
    state.layers = std::make_shared<const std::vector<live::LayerInfo>>(std::vector<live::LayerInfo>{
        {"relu1", "Conv + Relu", 12, 16, 16, true},
        {"pool1", "MaxPool", 12, 8, 8, true},
        {"relu2", "Conv + Relu", 5, 8, 8, true},
        {"scores", "Gemm", 5, 1, 1, true},
        {"conv1", "Conv", 12, 16, 16, false},
        {"conv2", "Conv", 5, 8, 8, false},
    });
    state.labels =
        std::make_shared<const std::vector<std::string>>(std::vector<std::string>{"ant", "bee", "cat", "dog", "emu"});
    state.layer = 1;
    state.class_layer = 3;
    state.peaks = {0.5F, 3, 1, 0, 7, 2, -1, 3, 0.25F, 6, 4, 5};
    state.selection.channel = 4;
    state.selection.strongest = 4;
    state.learned_layers = 3;
    return state;
}

}  // namespace deconv::testing
