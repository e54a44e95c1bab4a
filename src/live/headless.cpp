#include "live/headless.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/npy.h"
#include "base/progress_line.h"
#include "base/ring.h"
#include "base/trace.h"
#include "live/choices.h"
#include "live/feed.h"
#include "live/models.h"
#include "live/projector.h"
#include "live/record_clock.h"
#include "live/record_thread.h"
#include "live/replay.h"
#include "media/sink.h"

namespace deconv::live {

volatile std::sig_atomic_t stop_requested = 0;

namespace {

using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point begin) {
    return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

const char* to_string(nn::Rule rule) {
    return rule == nn::Rule::deconv ? "deconv" : (rule == nn::Rule::guided ? "guided" : "gradient");
}

/// How far the frames are, five times a second.
class FrameLine {
  public:
    explicit FrameLine(std::optional<std::int64_t> total) : total_(total) {}

    void frame(std::int64_t done) {
        if (!line_.on_terminal() || ms_since(last_) < 200) return;
        last_ = Clock::now();
        const double seconds = ms_since(begin_) / 1000;
        const double fps = seconds > 0 ? static_cast<double>(done) / seconds : 0;
        char text[80];
        std::snprintf(text, sizeof text, ", %.1f a second", fps);
        const std::string frame = "frame " + std::to_string(done);
        if (!total_ || *total_ <= 0) return line_.show(frame + text + " (Ctrl-C finishes)");
        const auto all = static_cast<double>(*total_);
        line_.show(progress_bar(static_cast<double>(done) / all) + "  " + frame + " of " + std::to_string(*total_) +
                   text + (fps > 0 ? ", " + duration((all - static_cast<double>(done)) / fps) + " left" : ""));
    }

  private:
    std::optional<std::int64_t> total_;
    ProgressLine line_;
    Clock::time_point begin_ = Clock::now();
    Clock::time_point last_ = begin_;
};

class HeadlessRun {
  public:
    explicit HeadlessRun(const Options& options)
        : options_(options),
          device_(gpu::DeviceOptions{options.device, options.minimum_limits, false, {}, {}}),
          pipelines_(device_),
          scheduler_(device_),
          loaded_(load_model(options.model, options.input_width.value_or(0), options.input_height.value_or(0),
                             options.random_layers)),
          labels_(loaded_.sidecar.labels),
          target_(resolve_target(loaded_.network, labels_, options)) {
        for (const std::string& path :
             {options.record, options.snapshot, options.raw, options.activations, options.trace}) {
            if (!path.empty()) media::check_writable(path);
        }
        if (!options.trace.empty()) trace_.emplace();
        device_track_.emplace(trace_ ? &*trace_ : nullptr, "device");
        for (const std::string& warning : loaded_.network.graph().warnings) {
            std::fprintf(stderr, "deconv-live: warning: %s\n", warning.c_str());
        }
        report_.device = device_.info().name;
        report_.model = loaded_.sidecar.name;
        report_.model_sha256 = loaded_.sha256;
        report_.layer = target_.layer_name;
        report_.rule = to_string(options.rule);
        report_.precision = name_of(precision_choices(), options.precision);
    }

    Report run() {
        model_.emplace(device_, std::move(loaded_.network));
        ProjectorOptions projection;
        projection.target = target_.start;
        projection.observed = target_.layer;
        projection.rule = options_.rule;
        projection.lrn = options_.lrn;
        projection.precision = options_.precision;
        projection.fit = options_.fit;
        projection.preprocessing = preprocessing_of(loaded_.sidecar);
        projection.display = options_.display;
        projection.blur = options_.blur;
        projector_.emplace(device_, pipelines_, scheduler_, *model_, projection);
        projector_->with_view(!options_.record.empty());
        for (const std::string& warning : projector_->plan().warnings()) {
            std::fprintf(stderr, "deconv-live: warning: part of the signal ends at %s\n", warning.c_str());
        }
        if (options_.input.ends_with(".npy")) {
            run_tensor();
        } else {
            run_pictures();
        }
        if (recording_) {
            recording_->finish();
            report_.stage_ms[Stage::record] = recording_->times_ms();
        }
        if (report_.frames_processed == 0) {
            throw Error(stop_requested != 0 ? "stopped before the first frame" : report_.source + " gave no frame");
        }
        write_files();
        report_.memory_bytes = projector_->memory_bytes();
        best_predictions(last_.scores, model_->network().classes().probabilities, labels_, report_.predictions);
        report_.channel = last_.selection.channel;
        if (report_.channel >= 0 && static_cast<std::size_t>(report_.channel) < labels_.size() &&
            nn::extent_of(projector_->plan().tensor(target_.start).shape).channels ==
                static_cast<std::int64_t>(labels_.size())) {
            report_.channel_label = labels_[static_cast<std::size_t>(report_.channel)];
        }
        return std::move(report_);
    }

  private:
    void run_tensor() {
        const NpyArray array = read_npy(options_.input);
        const nn::Signal input = projector_->plan().reconstruction();
        if (array.shape != input.shape) {
            throw Error(options_.input + " has shape " + nn::to_string(array.shape) + ", the network's input is " +
                        nn::to_string(input.shape) + ": give an array of that shape, or another --size");
        }
        report_.source = options_.input;
        begin_recording(30);
        const std::int64_t frames = std::max<std::int64_t>(1, options_.frames);
        for (std::int64_t i = 0; i < frames && stop_requested == 0; ++i) {
            ++report_.frames_in;
            if (!started_) started_ = Clock::now();
            copies_.push(1);
            projector_->submit(array.data, target_.selection);
            finish_oldest();
        }
    }

    void run_pictures() {
        std::unique_ptr<media::Source> source =
            options_.camera.empty() ? media::open_input(options_.input) : media::open_camera(options_.camera);
        report_.source = source->name();
        std::optional<std::int64_t> total = source->count();
        if (options_.frames > 0) total = std::min(options_.frames, total.value_or(options_.frames));
        const double seconds = source->stills() ? 0 : 1 / source->fps();
        live_ = source->live();
        begin_recording(source->fps());
        FrameFeed feed(std::move(source));
        FrameLine progress(total);
        while (stop_requested == 0 && (options_.frames == 0 || report_.frames_in < options_.frames)) {
            const std::shared_ptr<const FedFrame> fed = feed.next(stop_requested);
            if (!fed) break;
            ++report_.frames_in;
            report_.stage_ms[Stage::capture].add(fed->capture_ms);
            const Picture& picture = fed->frame.picture;
            while (projector_->under_way() > 0 && !projector_->accepts(picture.width, picture.height)) finish_oldest();
            if (!started_) started_ = Clock::now();
            copies_.push(live_ ? copies_due(fed->frame.time_s) : 1);
            projector_->submit(picture, target_.selection, seconds);
            while (projector_->under_way() >= Projector::slots) finish_oldest();
            progress.frame(report_.frames_processed);
        }
        while (projector_->under_way() > 0) finish_oldest();
        report_.frames_dropped = feed.dropped();
        report_.frames_in += report_.frames_dropped;
    }

    /// How often a live frame is recorded: not at all where frames come faster than the recording's rate, several times
    /// where they come more slowly.
    std::int64_t copies_due(double time_s) {
        if (clock_.taken() == 0) live_since_s_ = time_s;
        return clock_.take_due(time_s - live_since_s_);
    }

    void begin_recording(double fps) {
        clock_ = RecordClock(fps);
        if (options_.record.empty()) return;
        recording_.emplace(std::make_unique<media::Recorder>(options_.record, fps, metadata()));
    }

    media::Metadata metadata() const {
        Options made_with = options_;
        made_with.layer = report_.layer;
        return describe(made_with, report_.model_sha256);
    }

    void finish_oldest() {
        projector_->collect(last_);
        trace_frame();
        ++report_.frames_processed;
        for (std::size_t i = 0; i < stage_count; ++i) {
            const auto stage = static_cast<Stage>(i);
            if (last_.stage_ms.ran(stage)) report_.stage_ms[stage].add(last_.stage_ms[stage]);
        }
        // The first frame compiles and uploads, and one under way with it may end with it: the rate is that of the
        // others, where there are enough of them.
        constexpr std::int64_t together = Projector::slots;
        if (report_.frames_processed == together) timing_ = Clock::now();
        const bool enough = report_.frames_processed > 2 * together;
        report_.seconds = ms_since(enough ? timing_ : *started_) / 1000;
        report_.timed_frames = report_.frames_processed - (enough ? together : 0);
        record_view();
    }

    /// The view of the frame finished last; what was seen before it fills the time between.
    void record_view() {
        const std::int64_t copies = copies_.pop();
        if (!recording_ || copies == 0) return;
        for (std::int64_t i = 1; i < copies; ++i) recording_->add(seen_ ? seen_ : last_.view);
        if (live_) seen_ = last_.view;
        recording_->add(last_.view);
    }

    void trace_frame() {
        if (!trace_) return;
        trace_->complete("frame", "submit to result", last_.submitted, Clock::now());
        if (last_.segments.empty()) return;
        device_track_->submission(last_.submitted, last_.segments.front().start_ms);
        for (const gpu::SegmentTime& segment : last_.segments) {
            device_track_->span(segment.stage + " " + segment.label, segment.start_ms, segment.end_ms);
        }
    }

    void write_files() {
        if (trace_) trace_->write(options_.trace);
        const nn::Plan& plan = projector_->plan();
        if (!options_.snapshot.empty()) media::write_png(options_.snapshot, projector_->view(), metadata());
        if (!options_.raw.empty()) {
            const nn::Signal r0 = plan.reconstruction();
            write_npy(options_.raw, r0.shape, projector_->download(r0.slice));
        }
        if (!options_.activations.empty()) {
            const nn::Tensor tensor = plan.tensor(target_.layer);
            write_npy(options_.activations, tensor.shape, projector_->download(tensor.slice));
        }
    }

    const Options& options_;
    gpu::Device device_;
    gpu::Pipelines pipelines_;
    gpu::Scheduler scheduler_;
    LoadedModel loaded_;
    std::vector<std::string> labels_;
    Target target_;
    std::optional<nn::Model> model_;
    std::optional<Projector> projector_;
    std::optional<RecordThread> recording_;
    std::optional<Clock::time_point> started_;     // the first frame
    Ring<std::int64_t, Projector::slots> copies_;  // of each picture under way, for the recording
    bool live_ = false;
    std::shared_ptr<const Picture> seen_;  // the view recorded last, of a live source
    RecordClock clock_{30};
    double live_since_s_ = 0;
    Clock::time_point timing_;
    std::optional<Trace> trace_;
    std::optional<DeviceTrack> device_track_;
    ProjectedFrame last_;
    Report report_;
};

}  // namespace

Report run_headless(const Options& options) {
    return HeadlessRun(options).run();
}

}  // namespace deconv::live
