#include "live/session.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <thread>

#include "base/error.h"
#include "base/pool.h"
#include "base/ring.h"
#include "live/moments.h"
#include "live/session_board.h"
#include "live/session_engines.h"
#include "live/session_files.h"
#include "live/source_keeper.h"
#include "live/steady.h"

namespace deconv::live {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace

/// The frames: from the source through the engines to the board and the files.
struct Session::Impl {
    const gpu::Device& device;
    Trace* trace;
    gpu::Scheduler scheduler;
    SessionBoard board;
    SessionFiles files;
    std::atomic<bool> leaving{false}, over{false};

    // The network thread's own.
    struct Pending {
        std::shared_ptr<const Picture> picture;
        Clock::time_point captured;
        double capture_ms = 0;
        bool aside = false;  // for the strongest moments
        bool second = false;
    };
    SessionEngines engines;
    SourceKeeper source;
    std::shared_ptr<const Picture> last_picture;
    Clock::time_point last_captured, last_submit, aside_after;
    double last_capture_ms = 0;
    Ring<Pending, Projector::slots + 1> pending;
    ProjectedFrame frame, other_frame;  // collected last
    std::vector<Prediction> predictions;
    Pool<ExhibitState> exhibits;
    Rate network_rate, camera_rate;
    DeviceTrack device_track;
    Moments moments;
    std::thread thread;

    Impl(const gpu::Device& d, gpu::Pipelines& pipelines, Settings settings, Trace* t)
        : device(d),
          trace(t),
          scheduler(d),
          board(std::move(settings)),
          files(board),
          engines(
              d, pipelines, scheduler, board, [this] { drain(); }, t),
          source([this](const std::string& text, bool lasting) { board.tell(text, lasting); }),
          device_track(t, "device") {}

    /// Takes up what was asked for since the last frame.
    void follow_settings() {
        engines.take_settings();
        source.follow(engines.settings().options);
        if (!engines.settings().best) moments.forget();
        const bool known = last_picture != nullptr;
        if (engines.follow(known ? last_picture->width : 0, known ? last_picture->height : 0)) moments.forget();
        board.follow_messages();
        const std::lock_guard lock(board.mutex);
        board.state.source = source.name();
    }

    /// The next picture to look at, or nothing: true where there is something to submit.
    bool next_picture() {
        const bool frozen = engines.settings().freeze_camera && last_picture;
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
        Projector& projector = *engines.engine()->projector;
        while (!pending.empty() && !projector.accepts(last_picture->width, last_picture->height)) finish_oldest();
        projector.with_view(files.wants_side_by_side());
        projector.with_projection(files.wants_projection());
        projector.set_viewing(engines.settings().gain, engines.settings().gamma);
        const bool still = engines.settings().freeze_camera || source.stills();
        const double seconds = still ? 0 : std::clamp(seconds_since(last_submit), 0.001, 1.0);
        last_submit = Clock::now();
        projector.submit(*last_picture, engines.selection(), seconds);
        pending.push({last_picture, last_captured, last_capture_ms, false, engines.second() != nullptr});
        if (engines.second() != nullptr) {
            Projector& other = *engines.second()->projector;
            other.with_view(false);
            other.set_viewing(engines.settings().gain, engines.settings().gamma);
            other.submit(*last_picture, engines.second_selection(), seconds);
        }
    }

    void drain() {
        while (!pending.empty()) finish_oldest();
    }

    void finish_oldest() {
        const Pending done = pending.pop();
        engines.engine()->projector->collect(frame);
        trace_frame(done);
        const ProjectedFrame* other = nullptr;
        if (done.second) {
            engines.second()->projector->collect(other_frame);
            other = &other_frame;
        }
        if (done.aside) {
            moments.finish(*done.picture, frame.projection);
            show_moments();
            return;
        }
        network_rate.tick();
        engines.see(frame, other);
        files.show(frame);
        files.follow_saves(engines, moments, frame.projection);
        tell_frame(other, done);
        // After a few pictures: the first ones come as soon as they can.
        if (board.state.frames > 3) engines.begin_tuning();
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

    /// A frame in which the chosen channel was stronger than before goes through again, for that unit alone.
    void look_for_moment(const Pending& done) {
        if (!engines.settings().best || frame.selection.channel < 0) return;
        const auto channel = static_cast<std::size_t>(frame.selection.channel);
        moments.follow(frame.selection.channel);
        if (!moments.wants(frame.peaks[channel], done.captured) || Clock::now() < aside_after) return;
        const int place = frame.places[channel];
        moments.begin(*engines.engine(), frame.peaks[channel], place, done.captured);
        nn::Selection unit;
        unit.channel = frame.selection.channel;
        unit.where = nn::Selection::Where::max;
        unit.one = engines.settings().selection.one;
        drain();  // what this collects is of later frames
        const Clock::time_point begin = Clock::now();
        engines.engine()->projector->submit_aside(*done.picture, unit);
        pending.push({done.picture, done.captured, 0, true, false});
        finish_oldest();
        // At most a fifth of the time goes into this.
        aside_after = Clock::now() + 4 * (Clock::now() - begin);
    }

    void show_moments() {
        auto sheet = std::make_shared<const Picture>(moments.strip());
        const std::lock_guard lock(board.mutex);
        board.state.best = std::move(sheet);
        ++board.state.best_version;
    }

    /// `other`: of the second engine, or null.
    void tell_frame(const ProjectedFrame* other, const Pending& done) {
        const nn::Network::Classes classes = engines.engine()->graph().classes();
        best_predictions(frame.scores, classes.probabilities, engines.engine()->network->file->sidecar.labels,
                         predictions);
        std::shared_ptr<ExhibitState> exhibit;
        if (engines.engine()->projector->exhibit() != nullptr) {
            exhibit = exhibits.take();
            engines.engine()->projector->exhibit()->state(*exhibit);
        }
        engines.follow_budget(frame);
        const std::lock_guard lock(board.mutex);
        ++board.state.frames;
        board.state.selection = frame.selection;
        board.state.peaks = frame.peaks;
        board.state.predictions = predictions;
        board.state.stage_ms = frame.stage_ms;
        if (other) {
            board.state.stage_ms.add(other->stage_ms);
            board.state.second_selection = other->selection;
            board.state.second_pictures = engines.second()->projector->published();
        }
        board.state.stage_ms.add(Stage::capture, done.capture_ms);
        // The first frame of a plan also warms caches up and would flatten the plot.
        if (!engines.first_frame()) board.state.stage_history.push_over(board.state.stage_ms);
        board.state.network_fps = network_rate.per_second();
        board.state.camera_fps = camera_rate.per_second();
        board.state.dropped = source.dropped();
        board.state.memory_bytes = engines.engine()->projector->memory_bytes();
        board.state.captured = done.captured;
        board.state.pictures = engines.engine()->projector->published();
        board.state.exhibit = std::move(exhibit);
        files.tell(board.state);
        if (!engines.settings().best || moments.count() == 0) board.state.best.reset();
    }

    void one_frame() {
        follow_settings();
        if (engines.engine() == nullptr) {
            // Without an engine pictures wait; the window says what is going on.
            engines.wait(0.02);
            if (!last_picture) next_picture();
            return;
        }
        files.follow_recording(engines, last_picture != nullptr, source.fps());
        files.follow_saves(engines, moments, {});
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
            files.finish();
        } catch (const std::exception& error) {
            board.tell(error.what(), true);
            files.drop();
        }
        over = true;
    }
};

Session::Session(const gpu::Device& device, gpu::Pipelines& pipelines, Settings settings, Trace* trace)
    : impl_(std::make_unique<Impl>(device, pipelines, std::move(settings), trace)) {
    impl_->board.state.device = device.info().name;
    impl_->board.state.slow_device = device.info().type == gpu::DeviceType::cpu;
    impl_->board.state.layers = impl_->board.state.second_layers = std::make_shared<const std::vector<LayerInfo>>();
    impl_->board.state.labels = std::make_shared<const std::vector<std::string>>();
    impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

Session::~Session() {
    impl_->leaving = true;
    impl_->thread.join();
}

Settings Session::settings() const {
    const std::lock_guard lock(impl_->board.mutex);
    return impl_->board.wanted;
}

void Session::set(Settings settings) {
    const std::lock_guard lock(impl_->board.mutex);
    if (settings.options.model != impl_->board.wanted.options.model) {
        // A layer's index and its channels mean something else in another network; its name may not.
        const auto& layers = *impl_->board.state.layers;
        if (impl_->board.state.layer >= 0 && impl_->board.state.layer < static_cast<int>(layers.size()))
            settings.options.layer = layers[static_cast<std::size_t>(impl_->board.state.layer)].name;
        settings.layer = -1;
        settings.selection = {};
        settings.random_layers = 0;
        settings.second = {};
    }
    impl_->board.wanted = std::move(settings);
    ++impl_->board.changes;
}

State Session::state() const {
    State now;
    state(now);
    return now;
}

void Session::state(State& into) const {
    const std::lock_guard lock(impl_->board.mutex);
    into = impl_->board.state;
}

bool Session::alive() const {
    return !impl_->over;
}

void Session::record(const std::string& path) {
    impl_->files.record(path);
}

void Session::stop_recording() {
    impl_->files.stop_recording();
}

bool Session::wants_view() const {
    return impl_->files.wants_view();
}

void Session::offer_view(Picture view) {
    impl_->files.offer_view(std::move(view));
}

void Session::save(const std::string& path, Picture picture) {
    impl_->files.save(path, std::move(picture));
}

void Session::save_projection(const std::string& path) {
    impl_->files.save_projection(path);
}

void Session::save_best(const std::string& path) {
    impl_->files.save_best(path);
}

void Session::say(const std::string& text) {
    impl_->board.say(text);
}

}  // namespace deconv::live
