// A live run: the network on a thread of its own, steered by settings, telling its state.  No window here.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/ring.h"
#include "base/trace.h"
#include "live/engine.h"
#include "live/options.h"
#include "live/projector.h"
#include "live/report.h"

namespace deconv::live {

/// How long State::said is shown.
inline constexpr double said_seconds = 6;

enum class RecordWhat { view, side_by_side, projection };

/// The other side of a comparison, on the same frames.
struct Second {
    bool on = false;
    std::string model;  // empty: the first one's
    int layer = -1;     // index into its layers; −1: the first one's
    nn::Selection selection;
    nn::Rule rule = nn::Rule::guided;
};

/// What a person sets; a change takes effect with the next frame (a new layer, model or view as soon as it is made).
struct Settings {
    Options options;  // source, model, size, fit, rule, lrn, display, blur
    int layer = -1;   // index into State::layers; −1: what options.layer names, or the default
    nn::Selection selection;
    float gain = 1, gamma = 1;
    bool freeze_camera = false;
    bool freeze_selection = false;  // `strongest` stays what it is
    Show show = Show::projection;
    int random_layers = 0;  // learned layers whose weights are random, from the top
    Second second;
    bool best = false;  // collect the strongest moments
    RecordWhat record = RecordWhat::side_by_side;
};

/// What the network tells; a consistent copy.
struct State {
    std::uint64_t frames = 0;  // since the start
    std::string trouble;       // what is wrong until it is not: no camera, a layer without a way back
    std::string said;          // what has just happened
    std::chrono::steady_clock::time_point said_at;
    std::string device, model, source;
    bool slow_device = false;
    bool working = false;  // an engine is being made
    int input_width = 0, input_height = 0;
    std::shared_ptr<const std::vector<LayerInfo>> layers, second_layers;  // never null
    int layer = -1, second_layer = -1;                                    // that the pictures show
    int class_layer = -1;                                                 // of the classes' scores; −1: none
    std::shared_ptr<const std::vector<std::string>> labels;               // never null
    int learned_layers = 0, random_layers = 0;
    nn::ResolvedSelection selection{}, second_selection{};
    std::vector<float> peaks;  // by channel
    std::vector<Prediction> predictions;
    StageTimes stage_ms;                  // of the last frame
    Ring<StageTimes, 120> stage_history;  // of the last frames, for a plot
    double network_fps = 0, camera_fps = 0;
    std::int64_t dropped = 0;
    std::uint64_t memory_bytes = 0;
    std::chrono::steady_clock::time_point captured;  // when the frame that is shown came
    std::shared_ptr<const PublishedPictures> pictures, second_pictures;
    std::shared_ptr<const ExhibitState> exhibit;
    std::shared_ptr<const Picture> best;  // the strongest moments as a strip; null while there are none
    std::uint64_t best_version = 0;
    bool recording = false;
    double recorded_seconds = 0;
    std::int64_t recorded_bytes = 0;
};

class Session {
  public:
    /// `trace` may be null; else it outlives the session.
    Session(const gpu::Device& device, gpu::Pipelines& pipelines, Settings settings, Trace* trace = nullptr);
    /// Finishes files and leaves within half a second of what is under way.
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    Settings settings() const;
    void set(Settings settings);
    State state() const;
    /// The same into the memory of an earlier one.
    void state(State& into) const;
    /// False once the network's thread has ended, by an error that State::trouble names.
    bool alive() const;

    /// Starts recording what Settings::record says, or finishes.
    void record(const std::string& path);
    void stop_recording();
    /// A picture of the window's view: for a recording of the view.
    bool wants_view() const;
    void offer_view(Picture view);
    /// Writes a PNG with the settings in it: a picture that the window gives, or the next frame's bare projection.
    void save(const std::string& path, Picture picture);
    void save_projection(const std::string& path);
    /// The nine strongest moments as a PNG.
    void save_best(const std::string& path);
    /// Shows a line as State::said; while a refusal is shown, after it.
    void say(const std::string& text);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace deconv::live
