#include "live/engine.h"

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "base/error.h"

namespace deconv::live {
namespace {

std::vector<LayerInfo> layers_of(const nn::Network& network) {
    std::vector<LayerInfo> layers;
    for (const nn::Network::Layer& layer : network.layers()) {
        const nn::Extent extent = nn::extent_of(network.tensors()[static_cast<std::size_t>(layer.tensor)].shape);
        layers.push_back({layer.name, layer.op, static_cast<int>(extent.channels),
                          static_cast<int>(extent.plane / extent.width), static_cast<int>(extent.width), layer.stage});
    }
    return layers;
}

/// The layer that a spec means; a name that this network does not have means the default.
int layer_index(const nn::Network& network, const EngineSpec& spec) {
    const auto count = static_cast<int>(network.layers().size());
    if (spec.layer >= 0) return std::min(spec.layer, count - 1);
    const auto index_of = [&](const nn::Network::Layer& layer) {
        return static_cast<int>(&layer - network.layers().data());
    };
    try {
        if (!spec.layer_name.empty()) return index_of(network.find_layer(spec.layer_name));
    } catch (const Error&) {  // the session says so where a person named it
        return index_of(network.default_layer());
    }
    return index_of(network.default_layer());
}

/// Gives the system what engines that went have left free in the heaps: a driver's small blocks lie between those of
/// the engine after it, and glibc by itself only ever cuts a heap at its end.
void tidy_heaps() {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

}  // namespace

std::int64_t time_written(const std::string& path) {
    std::error_code error;
    const auto time = std::filesystem::last_write_time(path, error);
    return error ? 0 : static_cast<std::int64_t>(time.time_since_epoch().count());
}

std::shared_ptr<LoadedNetwork> NetworkShelf::get(const std::string& name_or_path, int width, int height,
                                                 int random_layers) {
    const std::lock_guard lock(mutex_);
    const std::string path = find_model(name_or_path);
    const std::int64_t written = time_written(path);
    std::erase_if(entries_, [](const Entry& entry) { return entry.network.expired(); });
    std::shared_ptr<LoadedNetwork> relative;
    for (const Entry& entry : entries_) {
        if (entry.path != path || entry.written != written) continue;
        relative = entry.network.lock();
        if (relative && entry.width == width && entry.height == height && entry.random_layers == random_layers) {
            return relative;
        }
    }
    auto fresh = std::make_shared<LoadedNetwork>();
    // What was made for a file that is read anew may not fit it.
    if (!relative) random_.erase(path);
    fresh->file = relative ? relative->file : std::make_shared<const ModelFile>(read_model(path));
    fresh->learned_layers = static_cast<int>(nn::RandomWeights::layers(fresh->file->graph).size());
    fresh->random_layers = std::clamp(random_layers, 0, fresh->learned_layers);
    nn::Graph graph =
        fresh->random_layers > 0 ? random_[path].apply(fresh->file->graph, fresh->random_layers) : fresh->file->graph;
    nn::Network network = network_at(*fresh->file, std::move(graph), width, height);
    fresh->layers = layers_of(network);
    fresh->model = relative
                       ? std::make_shared<nn::Model>(device_, std::move(network), relative->model->shared_constants())
                       : std::make_shared<nn::Model>(device_, std::move(network));
    if (tuner_ != nullptr) tuner_->recall(*fresh->model);
    entries_.push_back({path, written, width, height, random_layers, fresh});
    return fresh;
}

std::unique_ptr<Engine> make_engine(const gpu::Device& device, gpu::Pipelines& pipelines, gpu::Scheduler& scheduler,
                                    NetworkShelf& shelf, const EngineSpec& spec, int picture_width,
                                    int picture_height) {
    auto engine = std::make_unique<Engine>();
    engine->spec = spec;
    engine->network = shelf.get(spec.model, spec.width, spec.height, spec.random_layers);
    const nn::Network& network = engine->graph();
    engine->layer = layer_index(network, spec);
    ProjectorOptions options;
    options.target = network.projection_start(network.layers()[static_cast<std::size_t>(engine->layer)].tensor);
    options.rule = spec.rule;
    options.lrn = spec.lrn;
    options.precision = spec.precision;
    options.fit = spec.fit;
    options.preprocessing = preprocessing_of(engine->network->file->sidecar);
    options.display = spec.display;
    options.blur = spec.blur;
    options.publish = true;
    options.show = spec.show;
    options.batch = spec.batch;
    engine->projector = std::make_unique<Projector>(device, pipelines, scheduler, *engine->network->model, options);
    if (picture_width > 0) engine->projector->prepare(picture_width, picture_height);
    return engine;
}

EngineBuilder::EngineBuilder(const gpu::Device& device, gpu::Pipelines& pipelines, gpu::Scheduler& scheduler,
                             NetworkShelf& shelf)
    : device_(device), pipelines_(pipelines), scheduler_(scheduler), shelf_(shelf), thread_([this] { run(); }) {}

EngineBuilder::~EngineBuilder() {
    {
        const std::lock_guard lock(mutex_);
        leaving_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void EngineBuilder::want(const EngineSpec& spec, int picture_width, int picture_height) {
    {
        const std::lock_guard lock(mutex_);
        wanted_ = {spec, picture_width, picture_height};
    }
    changed_.notify_all();
}

std::optional<EngineBuilder::Result> EngineBuilder::take() {
    const std::lock_guard lock(mutex_);
    std::optional<Result> result = std::move(result_);
    result_.reset();
    return result;
}

void EngineBuilder::wait(double seconds) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::duration<double>(seconds), [&] { return result_.has_value(); });
}

bool EngineBuilder::busy() const {
    const std::lock_guard lock(mutex_);
    return working_ || wanted_.has_value();
}

void EngineBuilder::run() {
    std::unique_lock lock(mutex_);
    const auto called = [&] { return leaving_ || wanted_.has_value(); };
    for (;;) {
        changed_.wait(lock, called);
        if (leaving_) return;
        const Wanted wanted = *wanted_;
        wanted_.reset();
        working_ = true;
        lock.unlock();
        Result result{wanted.spec, nullptr, {}};
        try {
            result.engine =
                make_engine(device_, pipelines_, scheduler_, shelf_, wanted.spec, wanted.width, wanted.height);
        } catch (const std::exception& error) {
            result.error = error.what();
        }
        lock.lock();
        working_ = false;
        result_ = std::move(result);
        changed_.notify_all();
        // By then the engine before has been taken out; here no frame waits for it.
        if (!changed_.wait_for(lock, std::chrono::seconds(1), called)) {
            lock.unlock();
            tidy_heaps();
            lock.lock();
        }
    }
}

}  // namespace deconv::live
