#include "live/session.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <optional>
#include <thread>

#include "base/error.h"
#include "base/pool.h"
#include "base/ring.h"
#include "live/background_tuning.h"
#include "live/headless.h"
#include "live/live_recording.h"
#include "live/moments.h"
#include "live/replay.h"
#include "live/source_keeper.h"
#include "live/steady.h"
#include "media/letterbox.h"
#include "media/sink.h"

namespace deconv::live {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

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

}  // namespace

struct Session::Impl {
    const gpu::Device& device;
    gpu::Pipelines& pipelines;
    Trace* trace;
    gpu::Scheduler scheduler;

    mutable std::mutex mutex;  // guards what follows, up to the thread's own
    Settings wanted;
    std::uint64_t changes = 1;  // of `wanted`
    State state;
    std::string record_path;
    bool record_wanted = false;
    struct Save {
        std::string path;
        std::optional<Picture> picture;  // none: the next frame's projection
        bool best = false;
    };
    std::vector<Save> saves;
    std::shared_ptr<LiveRecording> recording;
    RecordWhat recorded = RecordWhat::side_by_side;
    std::atomic<bool> leaving{false}, over{false};

    // The network thread's own.
    struct Pending {
        std::shared_ptr<const Picture> picture;
        Clock::time_point captured;
        double capture_ms = 0;
        bool aside = false;  // for the strongest moments
        bool second = false;
    };
    Settings current;
    nn::Tuner tuner;
    BackgroundTuning tuning;
    int tuned = 0;
    std::uint64_t taken = 0;  // changes that `current` has
    bool look_again = true;   // what is to run may have changed
    NetworkShelf shelf;
    EngineBuilder builder, second_builder;
    std::unique_ptr<Engine> engine, second;
    std::optional<EngineSpec> asked, second_asked;
    bool first_engine = true;
    int batch = 4;
    std::int64_t watched = 0;  // time of the network's file
    Clock::time_point looked;
    SourceKeeper source;
    std::shared_ptr<const Picture> last_picture;
    Clock::time_point last_captured, last_submit, aside_after;
    double last_capture_ms = 0;
    Ring<Pending, Projector::slots + 1> pending;
    ProjectedFrame frame, other_frame;  // collected last
    std::vector<Prediction> predictions;
    Pool<ExhibitState> exhibits;
    Pool<Picture> enlarged;
    SteadyStrongest strongest, second_strongest;
    bool fresh_plan = true;
    Rate network_rate, camera_rate;
    DeviceTrack device_track;
    Moments moments;
    std::thread thread;

    Impl(const gpu::Device& d, gpu::Pipelines& p, Settings s, Trace* t)
        : device(d),
          pipelines(p),
          trace(t),
          scheduler(d),
          wanted(std::move(s)),
          tuner(d, p),
          tuning(tuner),
          shelf(d, wanted.options.tuning ? &tuner : nullptr),
          builder(d, p, scheduler, shelf),
          second_builder(d, p, scheduler, shelf),
          source([this](const std::string& text, bool lasting) { tell(text, lasting); }),
          device_track(t, "device") {
        current = wanted;
    }

    /// Says a line in the window and on standard error; one that lasts stands until another takes its place.
    void tell(const std::string& text, bool lasting) {
        if (!text.empty()) std::fprintf(stderr, "deconv-live: %s\n", text.c_str());
        const std::lock_guard lock(mutex);
        if (lasting) {
            state.trouble = text;
        } else {
            state.trouble.clear();
            if (text.empty()) return;
            state.said = text;
            state.said_at = Clock::now();
        }
    }
    void say(const std::string& text) {
        std::fprintf(stderr, "deconv-live: %s\n", text.c_str());
        const std::lock_guard lock(mutex);
        state.said = text;
        state.said_at = Clock::now();
    }

    std::pair<int, int> picture_size() const {
        return last_picture ? std::pair(last_picture->width, last_picture->height) : std::pair(0, 0);
    }

    /// What the command line asked for, where the network has it; else the layer that was made, and `strongest`.
    void resolve_first(const Engine& made) {
        const auto [layer, selection] = first_choice(made);
        const std::lock_guard lock(mutex);
        wanted.layer = current.layer = layer;
        wanted.selection = current.selection = selection;
        ++changes;
    }
    std::pair<int, nn::Selection> first_choice(const Engine& made) {
        try {
            const nn::Network& network = made.graph();
            const Target target = resolve_target(network, made.network->file->sidecar.labels, current.options);
            const auto& layers = network.layers();
            const auto chosen =
                std::find_if(layers.begin(), layers.end(), [&](const auto& l) { return l.tensor == target.layer; });
            return {static_cast<int>(chosen - layers.begin()), target.selection};
        } catch (const Error& error) {
            say(error.what());
            return {made.layer, {}};
        }
    }

    void adopt(std::unique_ptr<Engine> made) {
        drain();
        const bool other_model = !engine || engine->network->file != made->network->file;
        const bool other_layer = other_model || engine->layer != made->layer;
        if (first_engine) {
            for (const std::string& warning : made->network->file->graph.warnings) say("warning: " + warning);
            resolve_first(*made);
            first_engine = false;
        }
        if (other_layer || engine->spec.rule != made->spec.rule) moments.forget();
        if (other_layer) strongest.forget();
        engine = std::move(made);
        fresh_plan = true;
        const LoadedNetwork& network = *engine->network;
        const std::lock_guard lock(mutex);
        if (wanted.layer < 0) {
            wanted.layer = current.layer = engine->layer;
            ++changes;
        }
        state.model = network.file->sidecar.name;
        state.labels = std::make_shared<const std::vector<std::string>>(network.file->sidecar.labels);
        state.layers = std::make_shared<const std::vector<LayerInfo>>(network.layers);
        state.layer = engine->layer;
        if (other_layer) {
            // What belongs to the layer before must not be read as this one's until its first frame is there.
            state.peaks.assign(
                static_cast<std::size_t>(network.layers[static_cast<std::size_t>(engine->layer)].channels), 0.0F);
            state.selection = {};
            state.selection.channel = std::min(current.selection.channel, static_cast<int>(state.peaks.size()) - 1);
        }
        state.class_layer = class_layer_of(engine->graph());
        state.learned_layers = network.learned_layers;
        state.random_layers = network.random_layers;
        const nn::Shape& input = engine->projector->plan().reconstruction().shape;
        state.input_height = static_cast<int>(input[2]);
        state.input_width = static_cast<int>(input[3]);
    }

    void adopt_second(std::unique_ptr<Engine> made) {
        drain();
        second = std::move(made);
        second_strongest.forget();
        const std::lock_guard lock(mutex);
        state.second_layers = std::make_shared<const std::vector<LayerInfo>>(second->network->layers);
        state.second_layer = second->layer;
    }

    /// An engine that cannot be made: the one that runs stays, and what was asked for is taken back.
    void refuse(const std::string& error) {
        say(error);
        if (!engine) return;
        const std::lock_guard lock(mutex);
        wanted.options.model = engine->spec.model;
        wanted.options.input_width.reset();
        wanted.options.input_height.reset();
        if (engine->spec.width > 0) {
            wanted.options.input_width = engine->spec.width;
            wanted.options.input_height = engine->spec.height;
        }
        wanted.layer = engine->layer;
        wanted.random_layers = engine->spec.random_layers;
        wanted.options.rule = engine->spec.rule;
        wanted.options.lrn = engine->spec.lrn;
        wanted.options.fit = engine->spec.fit;
        wanted.options.display = engine->spec.display;
        wanted.options.blur = engine->spec.blur;
        wanted.show = engine->spec.show;
        current = wanted;
        ++changes;
    }

    /// Takes up what was asked for since the last frame.
    void follow_settings() {
        take_settings();
        source.follow(current.options);
        if (!current.best) moments.forget();

        const auto [width, height] = picture_size();
        look_at_file();
        if (tuning.found_better()) {
            ++tuned;
            look_again = true;
        }
        const bool look = std::exchange(look_again, false);
        if (look) {
            const EngineSpec spec = wanted_spec();
            if (asked != spec) {
                asked = spec;
                builder.want(spec, width, height);
            }
        }
        if (auto result = builder.take()) {
            if (result->engine) {
                const bool known = asked->layer >= 0;
                adopt(std::move(result->engine));
                // What the model's own default turned out to be is no other engine.
                if (!known && current.layer == engine->layer) asked = wanted_spec();
            } else if (result->spec != *asked) {
                say(result->error);  // something else was asked for since, and is under way
            } else {
                refuse(result->error);
                asked = wanted_spec();
            }
            look_again = true;
        }
        follow_second(width, height, look);
        const std::lock_guard lock(mutex);
        state.working = builder.busy() || second_builder.busy();
        state.source = source.name();
    }

    EngineSpec wanted_spec() const {
        EngineSpec spec = spec_of(current, batch);
        spec.written = watched;
        spec.tuned = tuned;
        return spec;
    }

    /// A few times a second, where the network's file is watched.
    void look_at_file() {
        if (!current.options.watch || seconds_since(looked) < 0.25) return;
        looked = Clock::now();
        try {
            const std::int64_t written = time_written(find_model(current.options.model));
            if (written != watched) look_again = true;
            watched = written;
        } catch (const Error&) {  // who loads it says so
            watched = 0;
        }
    }

    void take_settings() {
        const std::lock_guard lock(mutex);
        if (taken == changes) return;
        if (current.selection.channel != wanted.selection.channel) strongest.forget();
        if (current.second.selection.channel != wanted.second.selection.channel) second_strongest.forget();
        current = wanted;
        taken = changes;
        look_again = true;
    }

    void follow_second(int width, int height, bool look) {
        if (!current.second.on || !engine) {
            second_asked.reset();
            if (second) {
                drain();
                second.reset();
                const std::lock_guard lock(mutex);
                state.second_pictures.reset();
            }
            return;
        }
        if (look) {
            const EngineSpec spec = second_spec_of(current);
            if (second_asked != spec) {
                second_asked = spec;
                second_builder.want(spec, width, height);
            }
        }
        if (auto result = second_builder.take()) {
            if (result->engine) {
                adopt_second(std::move(result->engine));
            } else {
                say(result->error);
                const std::lock_guard lock(mutex);
                wanted.second.on = false;
                ++changes;
            }
        }
    }

    /// A selection as an engine's layer allows it: a pin or channel from another layer may lie outside this one.
    static nn::Selection fitted(nn::Selection selection, const SteadyStrongest& held, const Projector& projector) {
        if (selection.channel == nn::Selection::strongest && held.held() >= 0) selection.channel = held.held();
        const nn::Extent& extent = projector.extent();
        if (selection.channel >= extent.channels) selection.channel = nn::Selection::strongest;
        const bool outside = selection.x >= extent.width || selection.y >= extent.plane / extent.width;
        if (outside && selection.where == nn::Selection::Where::pinned) selection.where = nn::Selection::Where::max;
        return selection;
    }

    nn::Selection selection() const { return fitted(current.selection, strongest, *engine->projector); }

    /// The settings of now, as the command line would give them.
    media::Metadata metadata() const {
        Options made_with = current.options;
        const nn::Selection now = selection();
        made_with.layer = engine->network->layers[static_cast<std::size_t>(engine->layer)].name;
        made_with.channel = now.channel == nn::Selection::all ? "all" : std::to_string(now.channel);
        if (now.channel == nn::Selection::strongest) made_with.channel = "strongest";
        made_with.where = now.where;
        made_with.y = now.y;
        made_with.x = now.x;
        made_with.start_one = now.one;
        made_with.random_layers = engine->network->random_layers;
        return describe(made_with, engine->network->file->sha256);
    }

    void follow_recording() {
        std::string path;
        bool want = false;
        {
            const std::lock_guard lock(mutex);
            want = record_wanted;
            if (want && !recording) path = record_path;
        }
        try {
            if (want && !recording) {
                if (!last_picture) return;
                auto fresh = std::make_shared<LiveRecording>(path, source.fps(), metadata());
                const std::lock_guard lock(mutex);
                recording = std::move(fresh);
                recorded = current.record;
            } else if (recording && !recording->failure().empty()) {
                throw Error("recording stopped: " + recording->failure());
            } else if (!want && recording) {
                std::shared_ptr<LiveRecording> ended;
                {
                    const std::lock_guard lock(mutex);
                    ended = std::exchange(recording, nullptr);
                }
                ended->finish();
                say("wrote " + ended->path());
            }
        } catch (const Error& error) {
            {
                const std::lock_guard lock(mutex);
                recording.reset();
                record_wanted = false;
            }
            say(error.what());
        }
    }

    /// Writes what was asked for; `projection` is the newest frame's, where there is one.
    void follow_saves(const Picture& projection) {
        std::vector<Save> due;
        {
            const std::lock_guard lock(mutex);
            for (auto save = saves.begin(); save != saves.end();) {
                if (save->picture || save->best || projection.width > 0) {
                    due.push_back(std::move(*save));
                    save = saves.erase(save);
                } else {
                    ++save;
                }
            }
        }
        for (const Save& save : due) {
            try {
                if (save.best) {
                    if (moments.count() == 0) throw Error("no strong moment of this channel yet: nothing was saved");
                    media::write_png(save.path, moments.poster(), metadata());
                } else {
                    media::write_png(save.path, save.picture ? *save.picture : projection, metadata());
                }
                say("wrote " + save.path);
            } catch (const Error& error) {
                say(error.what());
            }
        }
    }
    bool projection_is_due() const {
        const std::lock_guard lock(mutex);
        return std::any_of(saves.begin(), saves.end(), [](const Save& s) { return !s.picture && !s.best; });
    }

    /// The next picture to look at, or nothing: true where there is something to submit.
    bool next_picture() {
        const bool frozen = current.freeze_camera && last_picture;
        std::shared_ptr<const FedFrame> fed;
        if (!frozen) fed = source.wait(pending.empty() ? 0.05 : 0.001);
        if (frozen) {
            // What is set still shows, at an easy pace.
            if (seconds_since(last_submit) < 0.04) std::this_thread::sleep_for(std::chrono::milliseconds(10));
            return true;
        }
        if (!fed) return false;
        camera_rate.tick();
        last_capture_ms = fed->capture_ms;
        last_captured = Clock::now();
        last_picture = {fed, &fed->frame.picture};
        return true;
    }

    void submit() {
        Projector& projector = *engine->projector;
        while (!pending.empty() && !projector.accepts(last_picture->width, last_picture->height)) finish_oldest();
        RecordWhat what = RecordWhat::view;
        bool to_record = false;
        {
            const std::lock_guard lock(mutex);
            to_record = recording != nullptr;
            what = recorded;
        }
        projector.with_view(to_record && what == RecordWhat::side_by_side);
        projector.with_projection((to_record && what == RecordWhat::projection) || projection_is_due());
        projector.set_viewing(current.gain, current.gamma);
        const bool still = current.freeze_camera || source.stills();
        const double seconds = still ? 0 : std::clamp(seconds_since(last_submit), 0.001, 1.0);
        last_submit = Clock::now();
        projector.submit(*last_picture, selection(), seconds);
        pending.push({last_picture, last_captured, last_capture_ms, false, second != nullptr});
        if (second) {
            second->projector->with_view(false);
            second->projector->set_viewing(current.gain, current.gamma);
            second->projector->submit(*last_picture,
                                      fitted(current.second.selection, second_strongest, *second->projector), seconds);
        }
    }

    void drain() {
        while (!pending.empty()) finish_oldest();
    }

    void finish_oldest() {
        const Pending done = pending.pop();
        engine->projector->collect(frame);
        trace_frame(done);
        const ProjectedFrame* other = nullptr;
        if (done.second) {
            second->projector->collect(other_frame);
            other = &other_frame;
        }
        if (done.aside) {
            moments.finish(*done.picture, frame.projection);
            show_moments();
            return;
        }
        network_rate.tick();
        if (!current.freeze_selection) strongest.see(frame.selection.strongest, frame.peaks);
        if (other && !current.freeze_selection) second_strongest.see(other->selection.strongest, other->peaks);
        feed_recording();
        follow_saves(frame.projection);
        tell_frame(other, done);
        // After a few pictures: the first ones come as soon as they can.
        if (current.options.tuning && state.frames > 3) tuning.begin(*engine);
        look_for_moment(done);
    }

    void trace_frame(const Pending& done) {
        if (trace == nullptr) return;
        if (!done.aside) trace->complete("frame", "capture to result", done.captured, Clock::now());
        if (frame.segments.empty()) return;
        device_track.submission(frame.submitted, frame.segments.front().start_ms);
        for (const gpu::SegmentTime& segment : frame.segments) {
            device_track.span(segment.stage + " " + segment.label, segment.start_ms, segment.end_ms);
        }
    }

    void feed_recording() {
        std::shared_ptr<LiveRecording> to;
        {
            const std::lock_guard lock(mutex);
            to = recording;
        }
        if (!to) return;
        if (frame.view) {
            to->show(frame.view);
        } else if (recorded == RecordWhat::projection && frame.projection.width > 0) {
            // Tiny projections are enlarged, for encoders and eyes.
            const int times = std::max(1, (479 + frame.projection.height) / frame.projection.height);
            const std::shared_ptr<Picture> large = enlarged.take();
            media::letterbox(frame.projection, frame.projection.width * times, frame.projection.height * times, *large);
            to->show(large);
        }
    }

    /// A frame in which the chosen channel was stronger than before goes through again, for that unit alone.
    void look_for_moment(const Pending& done) {
        if (!current.best || frame.selection.channel < 0) return;
        const auto channel = static_cast<std::size_t>(frame.selection.channel);
        moments.follow(frame.selection.channel);
        if (!moments.wants(frame.peaks[channel], done.captured) || Clock::now() < aside_after) return;
        const int place = frame.places[channel];
        moments.begin(*engine, frame.peaks[channel], place, done.captured);
        nn::Selection unit;
        unit.channel = frame.selection.channel;
        unit.where = nn::Selection::Where::max;
        unit.one = current.selection.one;
        drain();  // what this collects is of later frames
        const Clock::time_point begin = Clock::now();
        engine->projector->submit_aside(*done.picture, unit);
        pending.push({done.picture, done.captured, 0, true, false});
        finish_oldest();
        // At most a fifth of the time goes into this.
        aside_after = Clock::now() + 4 * (Clock::now() - begin);
    }

    void show_moments() {
        auto sheet = std::make_shared<const Picture>(moments.strip());
        const std::lock_guard lock(mutex);
        state.best = std::move(sheet);
        state.best_count = moments.count();
        ++state.best_version;
    }

    /// `other`: of the second engine, or null.
    void tell_frame(const ProjectedFrame* other, const Pending& done) {
        const nn::Network::Classes classes = engine->graph().classes();
        best_predictions(frame.scores, classes.probabilities, engine->network->file->sidecar.labels, predictions);
        std::shared_ptr<ExhibitState> exhibit;
        if (engine->projector->exhibit() != nullptr) {
            exhibit = exhibits.take();
            engine->projector->exhibit()->state(*exhibit);
        }
        follow_budget();
        const std::lock_guard lock(mutex);
        ++state.frames;
        state.selection = frame.selection;
        state.peaks = frame.peaks;
        state.predictions = predictions;
        state.stage_ms = frame.stage_ms;
        if (other) {
            state.stage_ms.add(other->stage_ms);
            state.second_selection = other->selection;
            state.second_pictures = second->projector->published();
        }
        state.stage_ms.add(Stage::capture, done.capture_ms);
        // The first frame of a plan also warms caches up and would flatten the plot.
        if (!std::exchange(fresh_plan, false)) state.stage_history.push_over(state.stage_ms);
        state.network_fps = network_rate.per_second();
        state.camera_fps = camera_rate.per_second();
        state.dropped = source.dropped();
        state.memory_bytes = engine->projector->memory_bytes();
        state.captured = done.captured;
        state.pictures = engine->projector->published();
        state.exhibit = std::move(exhibit);
        state.recording = recording != nullptr;
        state.recorded_seconds = recording ? recording->seconds() : 0;
        state.recorded_bytes = recording ? recording->bytes() : 0;
        if (!current.best || moments.count() == 0) state.best.reset();
    }

    /// A mosaic projects as many channels a frame as leave the picture fluent.
    void follow_budget() {
        if (current.show != Show::mosaic || engine->spec.show != Show::mosaic || fresh_plan) return;
        const double budget = state.slow_device ? 150 : 25;  // milliseconds of way back a frame
        if (!frame.stage_ms.ran(Stage::project)) return;
        const double one = frame.stage_ms[Stage::project] / (1 + engine->spec.batch);
        const int fits = std::clamp(static_cast<int>(budget / std::max(one, 1e-3)) - 1, 1, 32);
        int power = 1;
        while (power * 2 <= fits) power *= 2;
        if (power <= batch && power * 2 >= batch) return;
        batch = power;
        look_again = true;
    }

    void one_frame() {
        follow_settings();
        if (!engine) {
            // Without an engine pictures wait; the window says what is going on.
            builder.wait(0.02);
            if (!last_picture) next_picture();
            return;
        }
        follow_recording();
        follow_saves({});
        // A second frame under way hides the host's part; where the host is the device it only makes things late.
        const std::size_t depth = device.info().type == gpu::DeviceType::cpu ? 1 : Projector::slots;
        if (next_picture()) {
            submit();
            while (pending.size() >= depth) finish_oldest();
        } else {
            drain();
        }
    }

    void run() {
        try {
            while (!leaving) one_frame();
            drain();
            if (recording) {
                recording->finish();
                std::fprintf(stderr, "deconv-live: wrote %s\n", recording->path().c_str());
            }
        } catch (const std::exception& error) {
            tell(error.what(), true);
            const std::lock_guard lock(mutex);
            recording.reset();
        }
        over = true;
    }
};

Session::Session(const gpu::Device& device, gpu::Pipelines& pipelines, Settings settings, Trace* trace)
    : impl_(std::make_unique<Impl>(device, pipelines, std::move(settings), trace)) {
    impl_->state.device = device.info().name;
    impl_->state.slow_device = device.info().type == gpu::DeviceType::cpu;
    impl_->state.layers = impl_->state.second_layers = std::make_shared<const std::vector<LayerInfo>>();
    impl_->state.labels = std::make_shared<const std::vector<std::string>>();
    impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

Session::~Session() {
    impl_->leaving = true;
    impl_->thread.join();
}

Settings Session::settings() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->wanted;
}

void Session::set(Settings settings) {
    const std::lock_guard lock(impl_->mutex);
    if (settings.options.model != impl_->wanted.options.model) {
        // A layer's index and its channels mean something else in another network; its name may not.
        const auto& layers = *impl_->state.layers;
        if (impl_->state.layer >= 0 && impl_->state.layer < static_cast<int>(layers.size()))
            settings.options.layer = layers[static_cast<std::size_t>(impl_->state.layer)].name;
        settings.layer = -1;
        settings.selection = {};
        settings.random_layers = 0;
        settings.second = {};
    }
    impl_->wanted = std::move(settings);
    ++impl_->changes;
}

State Session::state() const {
    State now;
    state(now);
    return now;
}

void Session::state(State& into) const {
    const std::lock_guard lock(impl_->mutex);
    into = impl_->state;
}

bool Session::alive() const {
    return !impl_->over;
}

void Session::record(const std::string& path) {
    const std::lock_guard lock(impl_->mutex);
    impl_->record_path = path;
    impl_->record_wanted = true;
}

void Session::stop_recording() {
    const std::lock_guard lock(impl_->mutex);
    impl_->record_wanted = false;
}

bool Session::wants_view() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->recording && impl_->recorded == RecordWhat::view;
}

void Session::offer_view(Picture view) {
    std::shared_ptr<LiveRecording> to;
    {
        const std::lock_guard lock(impl_->mutex);
        if (impl_->recorded == RecordWhat::view) to = impl_->recording;
    }
    if (to) to->show(std::move(view));
}

void Session::save(const std::string& path, Picture picture) {
    const std::lock_guard lock(impl_->mutex);
    impl_->saves.push_back({path, std::move(picture), false});
}

void Session::save_projection(const std::string& path) {
    const std::lock_guard lock(impl_->mutex);
    impl_->saves.push_back({path, std::nullopt, false});
}

void Session::save_best(const std::string& path) {
    const std::lock_guard lock(impl_->mutex);
    impl_->saves.push_back({path, std::nullopt, true});
}

void Session::say(const std::string& text) {
    impl_->say(text);
}

}  // namespace deconv::live
