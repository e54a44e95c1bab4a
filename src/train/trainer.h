// A whole training: epochs of steps, tests, checkpoints, a log with curves, and the network as ONNX after each epoch.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "train/augment.h"
#include "train/checkpoint.h"
#include "train/dataset.h"
#include "train/evaluate.h"
#include "train/evolution.h"
#include "train/log.h"
#include "train/pass.h"

namespace deconv::train {

struct TrainingOptions {
    std::string architecture = "vgg-small";  // see architecture.h
    std::string out;                         // NAME.onnx; the others are named after it
    std::int64_t epochs = 24, batch = 128;
    double learning_rate = 0.1, momentum = 0.9, decay = 5e-4;
    double warmup = 0.1;  // share of all steps in which the rate rises
    float smoothing = 0;
    Augmentation augmentation;
    std::uint64_t seed = 1;
    bool half = false;                   // weights of the ONNX file in half precision
    std::vector<std::string> evolution;  // layers whose features are followed
    bool tune = false;                   // measure which algorithm runs each convolution fastest; else the defaults
    std::string command;                 // as the sidecar tells it
};

/// Where a training stands, for whoever watches.
struct Standing {
    std::int64_t epoch = 0, epochs = 0;  // the epoch under way, from 1
    std::size_t step = 0, steps = 0;     // of the epoch
    double loss = 0, accuracy = 0;       // means over the epoch so far
    double images_per_second = 0, seconds_left = 0;
};

class Trainer {
  public:
    /// Draws new weights, or goes on from a checkpoint of the same data and options.  `data` outlives it.  Throws Error
    /// naming what differs.
    Trainer(const gpu::Device& device, gpu::Pipelines& pipelines, const DataSet& data, const TrainingOptions& options,
            const Checkpoint* from = nullptr);

    struct Watch {
        std::function<void(const Standing&)> step;
        std::function<void(const EpochResult&)> epoch;
        std::function<void(std::size_t done, std::size_t all)> test;
        const std::atomic<bool>* stop = nullptr;  // set: the step under way is finished and a checkpoint written
    };
    /// True where all epochs are done, false where it was stopped.  Throws Error: the loss is no number (with advice),
    /// a file cannot be written.
    bool run(const Watch& watch);

    const std::vector<EpochResult>& results() const { return results_; }
    const Normalisation& normalisation() const { return normalisation_; }
    std::int64_t parameters() { return pass_.parameters().count(); }
    /// The network as it is now, for inference.
    nn::Graph network();
    std::string checkpoint_path() const;
    Checkpoint checkpoint();

  private:
    /// What a checkpoint and the training that goes on from it must have in common.
    Checkpoint settings() const;
    void resume(const Checkpoint& from);
    double rate_of(std::uint64_t step) const;
    bool run_epoch(const Watch& watch);
    void take(std::size_t slot);
    EpochResult finish_epoch(const Watch& watch);
    void export_network(const nn::Graph& network);
    [[noreturn]] void diverged() const;

    const gpu::Device& device_;
    gpu::Pipelines& pipelines_;
    const DataSet& data_;
    TrainingOptions options_;
    Normalisation normalisation_;
    nn::Graph graph_;
    TrainingPass pass_;
    BatchMaker batches_;
    Evolution evolution_;
    std::vector<EpochResult> results_;
    // Of the epoch under way: steps taken, and sums over them.
    std::uint64_t epoch_ = 0;  // from 0
    std::size_t taken_ = 0;
    double loss_sum_ = 0;
    std::int64_t hits_ = 0;
    double seconds_ = 0;
};

/// NAME.checkpoint, NAME-log.csv, NAME-curves.png beside NAME.onnx.
std::string beside(const std::string& onnx_path, const std::string& end);

}  // namespace deconv::train
