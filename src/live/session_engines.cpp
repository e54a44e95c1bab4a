#include "live/session_engines.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "live/headless.h"
#include "live/replay.h"

namespace deconv::live {
namespace {

using Clock = std::chrono::steady_clock;

EngineSpec spec_of(const Settings& settings, int batch) {
    EngineSpec spec;
    spec.model = settings.options.model;
    spec.width = settings.options.input_width.value_or(0);
    spec.height = settings.options.input_height.value_or(0);
    spec.random_layers = settings.random_layers;
    spec.layer = settings.layer;
    spec.layer_name = settings.layer < 0 ? settings.options.layer : std::string();
    spec.rule = settings.options.rule;
    spec.lrn = settings.options.lrn;
    spec.precision = settings.options.precision;
    spec.fit = settings.options.fit;
    spec.display = settings.options.display;
    spec.blur = settings.options.blur;
    spec.show = settings.show;
    spec.batch = settings.show == Show::mosaic ? batch : 0;
    return spec;
}

EngineSpec second_spec_of(const Settings& settings) {
    EngineSpec spec = spec_of(settings, 0);
    const Second& second = settings.second;
    spec.show = Show::projection;
    spec.batch = 0;
    spec.rule = second.rule;
    if (!second.model.empty()) {
        spec.model = second.model;
        spec.width = spec.height = 0;
    }
    if (second.layer >= 0) spec.layer = second.layer;
    return spec;
}

int class_layer_of(const nn::Network& network) {
    const auto& layers = network.layers();
    const int tensor = network.classes().tensor;
    const auto found = std::find_if(layers.begin(), layers.end(), [&](const auto& l) { return l.tensor == tensor; });
    return found == layers.end() ? -1 : static_cast<int>(found - layers.begin());
}

/// A selection as an engine's layer allows it: a pin or channel from another layer may lie outside this one.
nn::Selection fitted(nn::Selection selection, const SteadyStrongest& held, const Projector& projector) {
    if (selection.channel == nn::Selection::strongest && held.held() >= 0) selection.channel = held.held();
    const nn::Extent& extent = projector.extent();
    if (selection.channel >= extent.channels) selection.channel = nn::Selection::strongest;
    const bool outside = selection.x >= extent.width || selection.y >= extent.plane / extent.width;
    if (outside && selection.where == nn::Selection::Where::pinned) selection.where = nn::Selection::Where::max;
    return selection;
}

}  // namespace

SessionEngines::SessionEngines(const gpu::Device& device, gpu::Pipelines& pipelines, gpu::Scheduler& scheduler,
                               SessionBoard& board, std::function<void()> drain, Trace* trace)
    : slow_device_(device.info().type == gpu::DeviceType::cpu),
      board_(board),
      drain_(std::move(drain)),
      trace_(trace),
      current_(board.wanted),
      tuner_(device, pipelines),
      tuning_(tuner_),
      shelf_(device, current_.options.tuning ? &tuner_ : nullptr),
      builder_(device, pipelines, scheduler, shelf_),
      second_builder_(device, pipelines, scheduler, shelf_) {}

/// What the command line asked for, where the network has it; else the layer that was made, and `strongest`.
void SessionEngines::resolve_first(const Engine& made) {
    const auto [layer, selection] = first_choice(made);
    const std::lock_guard lock(board_.mutex);
    board_.wanted.layer = current_.layer = layer;
    board_.wanted.selection = current_.selection = selection;
    ++board_.changes;
}
std::pair<int, nn::Selection> SessionEngines::first_choice(const Engine& made) {
    try {
        const nn::Network& network = made.graph();
        const Target target = resolve_target(network, made.network->file->sidecar.labels, current_.options);
        const auto& layers = network.layers();
        const auto chosen =
            std::find_if(layers.begin(), layers.end(), [&](const auto& l) { return l.tensor == target.layer; });
        return {static_cast<int>(chosen - layers.begin()), target.selection};
    } catch (const Error& error) {
        board_.say(error.what());
        return {made.layer, {}};
    }
}

void SessionEngines::adopt(std::unique_ptr<Engine> made) {
    drain_();
    const bool other_model = !engine_ || engine_->network->file != made->network->file;
    const bool other_layer = other_model || engine_->layer != made->layer;
    if (first_engine_) {
        for (const std::string& warning : made->network->file->graph.warnings) board_.say("warning: " + warning);
        resolve_first(*made);
        first_engine_ = false;
    }
    if (other_layer || engine_->spec.rule != made->spec.rule) forget_moments_ = true;
    if (other_layer) strongest_.forget();
    engine_ = std::move(made);
    fresh_plan_ = true;
    const LoadedNetwork& network = *engine_->network;
    const std::lock_guard lock(board_.mutex);
    // An engine that was asked for before the default was says nothing about the default.
    if (board_.wanted.layer < 0 && engine_->spec.layer < 0) {
        board_.wanted.layer = current_.layer = engine_->layer;
        ++board_.changes;
    }
    board_.state.model = network.file->sidecar.name;
    board_.state.labels = std::make_shared<const std::vector<std::string>>(network.file->sidecar.labels);
    board_.state.layers = std::make_shared<const std::vector<LayerInfo>>(network.layers);
    board_.state.layer = engine_->layer;
    if (other_layer) {
        // What belongs to the layer before must not be read as this one's until its first frame is there.
        board_.state.peaks.assign(
            static_cast<std::size_t>(network.layers[static_cast<std::size_t>(engine_->layer)].channels), 0.0F);
        board_.state.selection = {};
        // The strongest is not known yet; what is told is always resolved.
        const int wanted = current_.selection.channel == nn::Selection::strongest ? 0 : current_.selection.channel;
        board_.state.selection.channel = std::min(wanted, static_cast<int>(board_.state.peaks.size()) - 1);
    }
    board_.state.class_layer = class_layer_of(engine_->graph());
    board_.state.learned_layers = network.learned_layers;
    board_.state.random_layers = network.random_layers;
    const nn::Shape& input = engine_->projector->plan().reconstruction().shape;
    board_.state.input_height = static_cast<int>(input[2]);
    board_.state.input_width = static_cast<int>(input[3]);
}

void SessionEngines::adopt_second(std::unique_ptr<Engine> made) {
    drain_();
    second_ = std::move(made);
    second_strongest_.forget();
    const std::lock_guard lock(board_.mutex);
    board_.state.second_layers = std::make_shared<const std::vector<LayerInfo>>(second_->network->layers);
    board_.state.second_layer = second_->layer;
}

/// An engine that cannot be made: the one that runs stays, and what was asked for is taken back.
void SessionEngines::refuse(const std::string& error) {
    board_.say_refused(error);
    if (!engine_) return;
    const std::lock_guard lock(board_.mutex);
    board_.wanted.options.model = engine_->spec.model;
    board_.wanted.options.input_width.reset();
    board_.wanted.options.input_height.reset();
    if (engine_->spec.width > 0) {
        board_.wanted.options.input_width = engine_->spec.width;
        board_.wanted.options.input_height = engine_->spec.height;
    }
    board_.wanted.layer = engine_->layer;
    board_.wanted.random_layers = engine_->spec.random_layers;
    board_.wanted.options.rule = engine_->spec.rule;
    board_.wanted.options.lrn = engine_->spec.lrn;
    board_.wanted.options.precision = engine_->spec.precision;
    board_.wanted.options.fit = engine_->spec.fit;
    board_.wanted.options.display = engine_->spec.display;
    board_.wanted.options.blur = engine_->spec.blur;
    board_.wanted.show = engine_->spec.show;
    current_ = board_.wanted;
    ++board_.changes;
}

bool SessionEngines::follow(int picture_width, int picture_height) {
    look_at_file();
    if (tuning_.found_better()) {
        ++tuned_;
        look_again_ = true;
    }
    const bool look = std::exchange(look_again_, false);
    follow_first(picture_width, picture_height, look);
    follow_second(picture_width, picture_height, look);
    const std::lock_guard lock(board_.mutex);
    board_.state.working = builder_.busy() || second_builder_.busy();
    return std::exchange(forget_moments_, false);
}

void SessionEngines::follow_first(int width, int height, bool look) {
    if (look) {
        const EngineSpec spec = wanted_spec();
        if (asked_ != spec) {
            const bool written_anew = asked_ && asked_->written != spec.written;
            asked_ = spec;
            asked_at_ = Clock::now();
            if (written_anew) {
                using File = std::filesystem::file_time_type;
                const File::duration age = File::clock::now().time_since_epoch() - File::duration(spec.written);
                asked_at_ -= std::max(File::duration(0), age);
            }
            builder_.want(spec, width, height);
        }
    }
    auto result = builder_.take();
    if (!result) return;
    if (result->engine) {
        const bool known = asked_->layer >= 0 || result->spec.layer >= 0;
        adopt(std::move(result->engine));
        if (trace_ != nullptr) trace_->complete("engine", "asked for to running", asked_at_, Clock::now());
        // What the model's own default turned out to be is no other engine.
        if (!known && current_.layer == engine_->layer) asked_ = wanted_spec();
    } else if (result->spec != *asked_) {
        board_.say_refused(result->error);  // something else was asked for since, and is under way
    } else {
        refuse(result->error);
        asked_ = wanted_spec();
    }
    look_again_ = true;
}

EngineSpec SessionEngines::wanted_spec() const {
    EngineSpec spec = spec_of(current_, batch_);
    spec.written = watched_;
    spec.tuned = tuned_;
    return spec;
}

/// A few times a second, where the network's file is watched.
void SessionEngines::look_at_file() {
    if (!current_.options.watch || Clock::now() - looked_ < std::chrono::milliseconds(250)) return;
    looked_ = Clock::now();
    try {
        const std::int64_t written = time_written(find_model(current_.options.model));
        if (written != watched_) look_again_ = true;
        watched_ = written;
    } catch (const Error&) {  // who loads it says so
        watched_ = 0;
    }
}

void SessionEngines::take_settings() {
    const std::lock_guard lock(board_.mutex);
    if (taken_ == board_.changes) return;
    if (current_.selection.channel != board_.wanted.selection.channel) strongest_.forget();
    if (current_.second.selection.channel != board_.wanted.second.selection.channel) second_strongest_.forget();
    current_ = board_.wanted;
    taken_ = board_.changes;
    look_again_ = true;
}

void SessionEngines::follow_second(int width, int height, bool look) {
    if (!current_.second.on || !engine_) {
        second_asked_.reset();
        if (second_) {
            drain_();
            second_.reset();
            const std::lock_guard lock(board_.mutex);
            board_.state.second_pictures.reset();
        }
        return;
    }
    if (look) {
        const EngineSpec spec = second_spec_of(current_);
        if (second_asked_ != spec) {
            second_asked_ = spec;
            second_builder_.want(spec, width, height);
        }
    }
    if (auto result = second_builder_.take()) {
        if (result->engine) {
            adopt_second(std::move(result->engine));
        } else {
            board_.say_refused(result->error);
            const std::lock_guard lock(board_.mutex);
            board_.wanted.second.on = false;
            ++board_.changes;
        }
    }
}

nn::Selection SessionEngines::selection() const {
    return fitted(current_.selection, strongest_, *engine_->projector);
}

/// The settings of now, as the command line would give them.
media::Metadata SessionEngines::metadata() const {
    Options made_with = current_.options;
    const nn::Selection now = selection();
    made_with.layer = engine_->network->layers[static_cast<std::size_t>(engine_->layer)].name;
    made_with.channel = now.channel == nn::Selection::all ? "all" : std::to_string(now.channel);
    if (now.channel == nn::Selection::strongest) made_with.channel = "strongest";
    made_with.where = now.where;
    made_with.y = now.y;
    made_with.x = now.x;
    made_with.start_one = now.one;
    made_with.random_layers = engine_->network->random_layers;
    return describe(made_with, engine_->network->file->sha256);
}

nn::Selection SessionEngines::second_selection() const {
    return fitted(current_.second.selection, second_strongest_, *second_->projector);
}

void SessionEngines::see(const ProjectedFrame& frame, const ProjectedFrame* other) {
    if (!current_.freeze_selection) strongest_.see(frame.selection.strongest, frame.peaks);
    if (other && !current_.freeze_selection) second_strongest_.see(other->selection.strongest, other->peaks);
}

void SessionEngines::begin_tuning() {
    if (current_.options.tuning) tuning_.begin(*engine_);
}

/// A mosaic projects as many channels a frame as leave the picture fluent.
void SessionEngines::follow_budget(const ProjectedFrame& frame) {
    if (current_.show != Show::mosaic || engine_->spec.show != Show::mosaic || fresh_plan_) return;
    const double budget = slow_device_ ? 150 : 25;  // milliseconds of way back a frame
    if (!frame.stage_ms.ran(Stage::project)) return;
    const double one = frame.stage_ms[Stage::project] / (1 + engine_->spec.batch);
    const int fits = std::clamp(static_cast<int>(budget / std::max(one, 1e-3)) - 1, 1, 32);
    int power = 1;
    while (power * 2 <= fits) power *= 2;
    if (power <= batch_ && power * 2 >= batch_) return;
    batch_ = power;
    look_again_ = true;
}

}  // namespace deconv::live
