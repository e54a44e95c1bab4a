#include "live/session.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <optional>
#include <thread>

#include "base/error.h"
#include "live/feed.h"
#include "live/headless.h"
#include "live/models.h"
#include "live/paced_source.h"
#include "live/record_thread.h"
#include "live/replay.h"
#include "media/sink.h"

namespace deconv::live {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// `strongest` for the eye: another channel takes over only after it has led by a tenth for half a second.
class SteadyStrongest {
  public:
    void forget() { held_ = -1; }
    int held() const { return held_; }
    void see(int strongest, const std::vector<float>& peaks) {
        const auto peak = [&](int c) { return peaks[static_cast<std::size_t>(c)]; };
        if (held_ < 0 || held_ >= static_cast<int>(peaks.size())) held_ = strongest;
        if (strongest == held_ || peak(strongest) <= 1.1F * peak(held_)) {
            rival_ = -1;
            return;
        }
        if (rival_ != strongest) {
            rival_ = strongest;
            since_ = Clock::now();
        } else if (seconds_since(since_) >= 0.5) {
            held_ = strongest;
            rival_ = -1;
        }
    }

  private:
    int held_ = -1, rival_ = -1;
    Clock::time_point since_;
};

/// How often something happens, over the last second or so.
class Rate {
  public:
    void tick() {
        times_.push_back(Clock::now());
        while (times_.size() > 2 && seconds_since(times_.front()) > 1.5) times_.pop_front();
    }
    double per_second() const {
        if (times_.size() < 2) return 0;
        const double span = std::chrono::duration<double>(times_.back() - times_.front()).count();
        return span > 0 ? static_cast<double>(times_.size() - 1) / span : 0;
    }

  private:
    std::deque<Clock::time_point> times_;
};

bool same_source(const Options& a, const Options& b) {
    return a.camera == b.camera && a.input == b.input;
}
bool same_model(const Options& a, const Options& b) {
    return a.model == b.model && a.input_width == b.input_width && a.input_height == b.input_height;
}
bool same_projector(const Settings& a, const Settings& b) {
    const Options& x = a.options;
    const Options& y = b.options;
    return a.layer == b.layer && x.rule == y.rule && x.lrn == y.lrn && x.display == y.display && x.blur == y.blur &&
           x.fit == y.fit;
}

}  // namespace

struct Session::Impl {
    const gpu::Device& device;
    gpu::Pipelines& pipelines;
    gpu::Scheduler scheduler;

    mutable std::mutex mutex;  // guards what follows, up to the thread's own
    Settings wanted;
    State state;
    std::string record_path, snapshot_path;
    bool record_wanted = false;
    std::atomic<bool> leaving{false};

    // The network thread's own.
    Settings current;
    std::unique_ptr<nn::Model> model;
    nn::Sidecar sidecar;
    std::string sha256;
    std::unique_ptr<Projector> projector;
    std::unique_ptr<FrameFeed> feed;
    double source_fps = 30;
    bool source_stills = false;
    std::optional<Picture> last_picture;
    Clock::time_point last_submit, retry_at, recording_since;
    SteadyStrongest strongest;
    bool fresh_plan = true;
    Rate network_rate, camera_rate;
    std::unique_ptr<RecordThread> recording;
    std::string recording_to;
    std::int64_t recorded = 0;
    std::thread thread;

    Impl(const gpu::Device& d, gpu::Pipelines& p, Settings s)
        : device(d), pipelines(p), scheduler(d), wanted(std::move(s)) {}

    void notice(const std::string& text) {
        const std::lock_guard lock(mutex);
        state.notice = text;
    }

    void open_source() {
        feed.reset();
        const Options& options = current.options;
        try {
            std::unique_ptr<media::Source> source =
                options.camera.empty() ? open_paced(options.input) : media::open_camera(options.camera);
            source_fps = source->fps();
            source_stills = source->stills();
            {
                const std::lock_guard lock(mutex);
                state.source = source->name();
                state.notice.clear();
            }
            feed = std::make_unique<FrameFeed>(std::move(source));
        } catch (const Error& error) {
            source_lost(error.what());
        }
    }

    void source_lost(const std::string& why) {
        feed.reset();
        retry_at = Clock::now() + std::chrono::seconds(2);
        notice(why + "; trying again");
    }

    /// False where the network cannot be had: the one before stays, and the notice says why.
    bool load() {
        try {
            LoadedModel loaded = load_model(current.options.model, current.options.input_width.value_or(0),
                                            current.options.input_height.value_or(0));
            auto fresh = std::make_unique<nn::Model>(device, std::move(loaded.network));
            projector.reset();
            model = std::move(fresh);
            sidecar = loaded.sidecar;
            sha256 = loaded.sha256;
            strongest.forget();
            // A layer's index means something else in another network.
            const Target target = first_target();
            const auto& layers = model->network().layers();
            const auto chosen = std::find_if(layers.begin(), layers.end(), [&](const nn::Network::Layer& layer) {
                return layer.tensor == target.layer;
            });
            const std::lock_guard lock(mutex);
            wanted.layer = current.layer = static_cast<int>(chosen - layers.begin());
            wanted.selection = current.selection = target.selection;
            state.model = sidecar.name;
            state.labels = sidecar.labels;
            state.layers.clear();
            for (const nn::Network::Layer& layer : layers) {
                const nn::Extent extent =
                    nn::extent_of(model->network().tensors()[static_cast<std::size_t>(layer.tensor)].shape);
                state.layers.push_back({layer.name, layer.op, static_cast<int>(extent.channels),
                                        static_cast<int>(extent.plane / extent.width), static_cast<int>(extent.width),
                                        layer.stage});
            }
        } catch (const Error& error) {
            if (!model) throw;
            notice(error.what());
            return false;
        }
        return true;
    }

    /// What the command line asked for, where the network has it; else the default layer and `strongest`.
    Target first_target() const {
        try {
            return resolve_target(model->network(), sidecar.labels, current.options);
        } catch (const Error&) {
            if (state.frames == 0) throw;
            Options plain = current.options;
            plain.layer.clear();
            plain.channel = "strongest";
            plain.where = nn::Selection::Where::all;
            return resolve_target(model->network(), sidecar.labels, plain);
        }
    }

    void make_projector() {
        const nn::Network& network = model->network();
        const auto index =
            static_cast<std::size_t>(std::clamp<int>(current.layer, 0, static_cast<int>(network.layers().size()) - 1));
        ProjectorOptions options;
        options.target = network.projection_start(network.layers()[index].tensor);
        options.rule = current.options.rule;
        options.lrn = current.options.lrn;
        options.fit = current.options.fit;
        options.preprocessing = preprocessing_of(sidecar);
        options.display = current.options.display;
        options.blur = current.options.blur;
        options.publish = true;
        try {
            auto fresh = std::make_unique<Projector>(device, pipelines, scheduler, *model, options);
            projector = std::move(fresh);
            fresh_plan = true;
            strongest.forget();
            const std::lock_guard lock(mutex);
            state.layer = static_cast<int>(index);
            state.notice.clear();
        } catch (const Error& error) {
            if (!projector) throw;
            notice(error.what());
        }
    }

    /// Takes up what was asked for since the last frame.
    void follow_settings() {
        Settings next;
        {
            const std::lock_guard lock(mutex);
            next = wanted;
        }
        const Settings before = std::exchange(current, next);
        const bool other_model = !model || !same_model(before.options, current.options);
        const bool loaded = other_model && load();
        if (!projector || loaded || !same_projector(before, current)) make_projector();
        const bool retry = !feed && Clock::now() >= retry_at;
        if (retry || !same_source(before.options, current.options)) open_source();
        if (current.selection.channel != before.selection.channel) strongest.forget();
    }

    nn::Selection selection() const {
        nn::Selection selection = current.selection;
        if (selection.channel == nn::Selection::strongest && strongest.held() >= 0)
            selection.channel = strongest.held();
        // A pin from another layer may lie outside this one.
        const int target = projector->plan().options().target;
        const nn::Extent extent = nn::extent_of(projector->plan().tensor(target).shape);
        if (selection.channel >= extent.channels) selection.channel = nn::Selection::strongest;
        if (selection.y * extent.width + selection.x >= extent.plane) selection.where = nn::Selection::Where::max;
        return selection;
    }

    /// The settings of now, as the command line would give them.
    media::Metadata metadata() const {
        Options made_with = current.options;
        const nn::Selection now = selection();
        made_with.layer = model->network().layers()[static_cast<std::size_t>(current.layer)].name;
        made_with.channel = now.channel == nn::Selection::all ? "all" : std::to_string(now.channel);
        if (now.channel == nn::Selection::strongest) made_with.channel = "strongest";
        made_with.where = now.where;
        made_with.y = now.y;
        made_with.x = now.x;
        made_with.start_one = now.one;
        return describe(made_with, sha256);
    }

    void follow_recording() {
        std::string path;
        bool want = false;
        {
            const std::lock_guard lock(mutex);
            want = record_wanted;
            path = record_path;
        }
        try {
            if (want && !recording) {
                recording =
                    std::make_unique<RecordThread>(std::make_unique<media::Recorder>(path, source_fps, metadata()));
                recording_to = path;
                recording_since = Clock::now();
                recorded = 0;
            } else if (!want && recording) {
                std::exchange(recording, nullptr)->finish();
                notice("wrote " + recording_to);
            }
        } catch (const Error& error) {
            recording.reset();
            const std::lock_guard lock(mutex);
            record_wanted = false;
            state.notice = error.what();
        }
    }

    /// Pictures are repeated or left out so that the file's time is true.
    void record_view(const Picture& view) {
        const auto due = static_cast<std::int64_t>(seconds_since(recording_since) * source_fps) + 1;
        try {
            for (int repeat = 0; recorded < due && repeat < 60; ++repeat, ++recorded) recording->add(view);
            recorded = std::max(recorded, due);
        } catch (const Error& error) {
            recording.reset();
            const std::lock_guard lock(mutex);
            record_wanted = false;
            state.notice = std::string("recording stopped: ") + error.what();
        }
    }

    void one_frame() {
        follow_settings();
        follow_recording();
        std::optional<FedFrame> fed;
        if (feed && !(current.freeze_camera && last_picture)) {
            try {
                fed = feed->wait(0.1);
                if (!fed && feed->ended()) source_lost("the source has ended");
            } catch (const Error& error) {
                source_lost(error.what());
            }
        } else {
            // Frozen, or waiting for a camera: what is set still shows, at an easy pace.
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
        double capture_ms = 0;
        if (fed) {
            camera_rate.tick();
            capture_ms = fed->capture_ms;
            last_picture = std::move(fed->frame.picture);
        } else if (!last_picture || (feed && !current.freeze_camera)) {
            return;
        }
        std::string shoot;
        {
            const std::lock_guard lock(mutex);
            shoot = std::exchange(snapshot_path, {});
        }
        projector->with_view(recording || !shoot.empty());
        projector->set_viewing(current.gain, current.gamma);
        const bool still = current.freeze_camera || source_stills;
        const double seconds = still ? 0 : std::clamp(seconds_since(last_submit), 0.001, 1.0);
        last_submit = Clock::now();
        projector->submit(*last_picture, selection(), seconds);
        const ProjectedFrame frame = projector->collect();
        if (!current.freeze_selection) strongest.see(frame.selection.strongest, frame.peaks);
        network_rate.tick();
        if (recording && !frame.view.rgba.empty()) record_view(frame.view);
        std::string said;
        if (!shoot.empty()) {
            try {
                media::write_png(shoot, frame.view, metadata());
                said = "wrote " + shoot;
            } catch (const Error& error) {
                said = error.what();
            }
        }
        tell(frame, capture_ms, said);
    }

    void tell(const ProjectedFrame& frame, double capture_ms, const std::string& said) {
        const std::lock_guard lock(mutex);
        ++state.frames;
        if (!said.empty()) state.notice = said;
        state.selection = frame.selection;
        state.peaks = frame.peaks;
        state.predictions = best_predictions(frame.scores, model->network().classes().probabilities, sidecar.labels);
        state.stage_ms = frame.stage_ms;
        state.stage_ms["capture"] = capture_ms;
        double total = 0;
        for (const auto& [stage, ms] : frame.stage_ms) total += ms;
        // The first frame of a plan also warms caches up and would flatten the plot.
        if (fresh_plan) {
            fresh_plan = false;
        } else {
            state.frame_ms.push_back(total);
        }
        if (state.frame_ms.size() > 120) state.frame_ms.erase(state.frame_ms.begin());
        state.network_fps = network_rate.per_second();
        state.camera_fps = camera_rate.per_second();
        state.dropped = feed ? feed->dropped() : state.dropped;
        state.pictures = projector->published();
        state.recording = recording != nullptr;
        state.recorded_seconds = recording ? seconds_since(recording_since) : 0;
    }

    void run() {
        try {
            while (!leaving) one_frame();
            if (recording) recording->finish();
        } catch (const std::exception& error) {
            // Without a first network there is nothing to go on with: say so in the window.
            notice(error.what());
            recording.reset();
        }
        feed.reset();
    }
};

Session::Session(const gpu::Device& device, gpu::Pipelines& pipelines, Settings settings)
    : impl_(std::make_unique<Impl>(device, pipelines, std::move(settings))) {
    impl_->state.device = device.info().name;
    impl_->state.slow_device = device.info().type == gpu::DeviceType::cpu;
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
    impl_->wanted = std::move(settings);
}

State Session::state() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->state;
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

void Session::snapshot(const std::string& path) {
    const std::lock_guard lock(impl_->mutex);
    impl_->snapshot_path = path;
}

}  // namespace deconv::live
