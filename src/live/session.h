// A live run: the network on a thread of its own, steered by settings, telling its state.  No window here.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "live/options.h"
#include "live/projector.h"
#include "live/report.h"

namespace deconv::live {

/// What a person sets; a change takes effect with the next frame (a new layer or model as soon as it is made).
struct Settings {
    Options options;  // source, model, size, fit, rule, lrn, display, blur
    int layer = -1;   // index into State::layers; −1: what options.layer names, or the default
    nn::Selection selection;
    bool labelled = false;  // the selection comes from options.channel, a class label
    float gain = 1, gamma = 1;
    bool freeze_camera = false;
    bool freeze_selection = false;  // `strongest` stays what it is
};

struct LayerInfo {
    std::string name, op;
    int channels = 1, height = 1, width = 1;
    bool stage = false;
};

/// What the network tells; a consistent copy.
struct State {
    std::uint64_t frames = 0;  // since the start
    std::string notice;        // something a person should know: no camera, a model that cannot be loaded
    std::string device, model, source;
    bool slow_device = false;
    std::vector<LayerInfo> layers;
    int layer = -1;
    std::vector<std::string> labels;
    nn::ResolvedSelection selection{};
    std::vector<float> peaks;  // by channel
    std::vector<Prediction> predictions;
    std::map<std::string, double> stage_ms;  // of the last frame
    std::vector<double> frame_ms;            // of the last frames, for a plot
    double network_fps = 0, camera_fps = 0;
    std::int64_t dropped = 0;
    std::shared_ptr<const PublishedPictures> pictures;
    bool recording = false;
    double recorded_seconds = 0;
    std::int64_t recorded_bytes = 0;
};

class Session {
  public:
    Session(const gpu::Device& device, gpu::Pipelines& pipelines, Settings settings);
    /// Finishes files and leaves within half a second of what is under way.
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    Settings settings() const;
    void set(Settings settings);
    State state() const;

    /// Starts recording camera and projection side by side, or finishes.
    void record(const std::string& path);
    void stop_recording();
    /// The next frame's view as a PNG.
    void snapshot(const std::string& path);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace deconv::live
