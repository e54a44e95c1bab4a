// How good a network is, by running it as everyone runs it.
#pragma once

#include <cstdint>
#include <functional>

#include "nn/graph.h"
#include "train/augment.h"
#include "vk/pipelines.h"

namespace deconv::train {

struct Score {
    double loss = 0;      // mean cross-entropy
    double accuracy = 0;  // share of the pictures whose strongest class is the label
    double top5 = 0;      // share whose label is among the five strongest
    std::size_t images = 0;
};

/// One view of each picture, nothing added.  `graph` in its inference form, whatever its output (scores or
/// probabilities).  Throws Error where it has not as many classes as there are labels for, or a picture's size does not
/// fit.  `go_on` is asked after each batch with the pictures done; where it says no, the score is of those.
Score evaluate(const gpu::Device& device, gpu::Pipelines& pipelines, const nn::Graph& graph, const Images& images,
               const Normalisation& normalisation, std::size_t classes, std::int64_t batch,
               const std::function<bool(std::size_t done)>& go_on = {});

}  // namespace deconv::train
