// How features form (Zeiler and Fergus 2014, figure 4): for a few channels of a layer, the projection of the strongest
// activation over a fixed set of pictures, epoch after epoch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nn/graph.h"
#include "train/augment.h"
#include "train/checkpoint.h"
#include "vk/pipelines.h"

namespace deconv::train {

class Evolution {
  public:
    static constexpr std::size_t channels = 8;    // of a layer, spread evenly over it
    static constexpr std::size_t pictures = 500;  // the first ones of the test, spread evenly over it

    /// `layers` by name, as deconv-live --list-layers tells them; `test` outlives it.
    Evolution(const gpu::Device& device, gpu::Pipelines& pipelines, std::vector<std::string> layers, const Images& test,
              const Normalisation& normalisation);

    const std::vector<std::string>& layers() const { return layers_; }
    /// Epochs 1, 2, 5, 10, 20, 30, 40, 64, and every doubling after; the last one is always taken.
    static bool due(std::int64_t epoch, std::int64_t epochs);
    /// Throws Error where the network has no such layer, naming those that it has.
    void check(const nn::Graph& network) const;
    /// Finds and projects the strongest activations of the network as it is after that epoch.
    void add(std::int64_t epoch, const nn::Graph& network);
    /// A sheet a layer, "NAME-evolution-LAYER.png": a row a channel, a column an epoch, then the picture of the last.
    void draw(const std::string& onnx_path) const;

    void save(Checkpoint& checkpoint) const;
    void load(const Checkpoint& checkpoint);

  private:
    /// What one channel's strongest activation shows, (rows, columns, 3) bytes, red first.
    struct Cell {
        std::vector<std::uint8_t> projection, picture;
        int height = 0, width = 0;
    };
    struct Column {
        std::int64_t epoch = 0;
        std::vector<Cell> cells;  // by layer, then channel
    };
    std::vector<Cell> look(const nn::Graph& network, const std::string& layer) const;

    const gpu::Device& device_;
    gpu::Pipelines& pipelines_;
    std::vector<std::string> layers_;
    Images images_;
    Normalisation normalisation_;
    std::vector<Column> columns_;
};

}  // namespace deconv::train
