// What runs live: a network on the device and a projector for one choice of layer, rule and view; and making such an
// engine in the background while another one runs.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "live/models.h"
#include "live/options.h"
#include "live/projector.h"
#include "nn/random_weights.h"
#include "nn/tuner.h"

namespace deconv::live {

struct LayerInfo {
    std::string name, op;
    int channels = 1, height = 1, width = 1;
    bool stage = false;
};

/// A network at one input size on the device, shared by the engines that use it.
struct LoadedNetwork {
    std::shared_ptr<const ModelFile> file;
    std::shared_ptr<nn::Model> model;
    std::vector<LayerInfo> layers;
    int learned_layers = 0;  // that random weights may replace
    int random_layers = 0;   // that they do, from the top
};

/// The networks that are in use, so that what two engines share is there once: the file, its constants on the device.
/// Several threads may ask.
class NetworkShelf {
  public:
    /// Networks begin with the algorithms that `tuner` knows; it may be null.
    explicit NetworkShelf(const gpu::Device& device, const nn::Tuner* tuner = nullptr)
        : device_(device), tuner_(tuner) {}
    /// Throws Error where the network cannot be had.
    std::shared_ptr<LoadedNetwork> get(const std::string& name_or_path, int width, int height, int random_layers);

  private:
    struct Entry {
        std::string path;
        std::int64_t written = 0;  // the file's time
        int width = 0, height = 0, random_layers = 0;
        std::weak_ptr<LoadedNetwork> network;
    };
    const gpu::Device& device_;
    const nn::Tuner* tuner_;
    std::mutex mutex_;
    std::vector<Entry> entries_;
    std::map<std::string, nn::RandomWeights> random_;  // by path
};

/// Everything that decides how an engine is made: two engines of equal specs are the same.
struct EngineSpec {
    std::string model;
    std::int64_t written = 0;   // the time of its file, where that is watched
    int width = 0, height = 0;  // of the input; 0: the model's own
    int random_layers = 0;
    int layer = -1;          // index into LoadedNetwork::layers; −1: what `layer_name` names, or the default
    std::string layer_name;  // with layer −1
    nn::Rule rule = nn::Rule::deconv;
    nn::LrnReverse lrn = nn::LrnReverse::identity;
    nn::Precision precision = nn::Precision::single;
    image::Fit fit = image::Fit::crop;
    image::Display display = image::Display::signed_zero_grey;
    double blur = 0;
    Show show = Show::projection;
    int batch = 4;
    int tuned = 0;  // how often faster algorithms were found

    bool operator==(const EngineSpec&) const = default;
};

/// When a file was last written, on the file system's clock; 0 where there is none.
std::int64_t time_written(const std::string& path);

struct Engine {
    EngineSpec spec;
    std::shared_ptr<LoadedNetwork> network;
    int layer = 0;
    std::unique_ptr<Projector> projector;

    const nn::Network& graph() const { return network->model->network(); }
};

/// Throws Error naming what is wrong with the spec.  With a picture size the projector is made ready for it.
std::unique_ptr<Engine> make_engine(const gpu::Device& device, gpu::Pipelines& pipelines, gpu::Scheduler& scheduler,
                                    NetworkShelf& shelf, const EngineSpec& spec, int picture_width, int picture_height);

/// Makes engines on a thread of its own, one after the other; of what is asked for meanwhile the newest wins.
class EngineBuilder {
  public:
    EngineBuilder(const gpu::Device& device, gpu::Pipelines& pipelines, gpu::Scheduler& scheduler, NetworkShelf& shelf);
    /// Waits for the engine under way.
    ~EngineBuilder();
    EngineBuilder(const EngineBuilder&) = delete;
    EngineBuilder& operator=(const EngineBuilder&) = delete;

    void want(const EngineSpec& spec, int picture_width, int picture_height);
    struct Result {
        EngineSpec spec;
        std::unique_ptr<Engine> engine;  // null where it cannot be made
        std::string error;
    };
    /// What was finished since the last call.
    std::optional<Result> take();
    /// Waits until something is finished, at most `seconds`.
    void wait(double seconds);
    bool busy() const;

  private:
    void run();

    const gpu::Device& device_;
    gpu::Pipelines& pipelines_;
    gpu::Scheduler& scheduler_;
    NetworkShelf& shelf_;
    struct Wanted {
        EngineSpec spec;
        int width, height;
    };
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<Wanted> wanted_;
    std::optional<Result> result_;
    bool working_ = false, leaving_ = false;
    std::thread thread_;
};

}  // namespace deconv::live
