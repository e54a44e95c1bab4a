// The device's part of a frame: picture up, fit, forward, projection, display mapping, composition, and down.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/picture.h"
#include "base/pool.h"
#include "base/ring.h"
#include "image/display.h"
#include "image/fit.h"
#include "live/exhibit.h"
#include "live/stages.h"
#include "nn/model.h"
#include "nn/plan.h"
#include "vk/recording.h"

namespace deconv::live {

struct ProjectorOptions {
    int target = 0;     // tensor whose channels are projected
    int observed = -1;  // a further tensor that must be there afterwards (--activations of a Softmax's output)
    nn::Rule rule = nn::Rule::deconv;
    nn::LrnReverse lrn = nn::LrnReverse::identity;
    nn::Precision precision = nn::Precision::single;
    image::Fit fit = image::Fit::crop;
    image::Preprocessing preprocessing;
    image::Display display = image::Display::signed_zero_grey;
    double blur = 0;
    /// Keep pictures on the device for a window to draw.
    bool publish = false;
    /// What is published beside camera and projection.
    Show show = Show::projection;
    int batch = 4;  // channels a frame of Show::mosaic
};

/// Pictures of the newest whole frame, on the device: what a window draws.  They change only between two segments, all
/// together, so whatever is submitted to the queue sees one frame.
struct PublishedPictures {
    gpu::Buffer buffer;
    image::DevicePicture camera, projection, exhibit;  // camera is empty for tensors, exhibit for Show::projection
    image::Placement placement;                        // where in the camera's picture the network looks
    int input_width = 0, input_height = 0;
    float zero = 0.5F;  // the projection's brightness, 0 … 1, where there is no signal
};

/// What came back of one frame; made once and filled again and again.
struct ProjectedFrame {
    std::shared_ptr<const Picture> view;  // camera and projection side by side, where wanted; may be kept
    Picture projection;                   // alone, in the network's input size, where wanted; else empty
    nn::ResolvedSelection selection{};    // what was projected
    std::vector<float> peaks;             // the largest activation of each channel of the target
    std::vector<int> places;              // where, y · width + x
    std::vector<float> scores;            // of the classes, as the network's output has them; empty where it has none
    StageTimes stage_ms;
    std::span<const gpu::SegmentTime> segments;  // the projector's own, until this slot's next frame is collected
    std::chrono::steady_clock::time_point submitted;
};

/// Two frames may be under way; one thread.  After the first frames of a size nothing is allocated or compiled, and
/// nothing recorded either unless its times change a lot, see gpu::Recording::finished().
class Projector {
  public:
    static constexpr std::size_t slots = 2;

    Projector(const gpu::Device& device, gpu::Pipelines& pipelines, gpu::Scheduler& scheduler, nn::Model& model,
              const ProjectorOptions& options);
    /// Waits for frames under way: a run may break off between two of them, and their memory goes with this.
    ~Projector();
    Projector(const Projector&) = delete;
    Projector& operator=(const Projector&) = delete;

    /// Can a picture of this size start while others are under way?  If not, collect those first.
    bool accepts(int width, int height) const { return busy_.empty() || (width == width_ && height == height_); }
    /// Starts a frame; at most `slots` may be under way.  `seconds` since the frame before, 0 for a still picture.
    void submit(const Picture& picture, const nn::Selection& selection, double seconds);
    /// Whether frames from here on bring their `view` back; without options.publish to be said before the first.
    void with_view(bool wanted) { view_wanted_ = wanted; }
    /// With options.publish: likewise their `projection`.
    void with_projection(bool wanted) { projection_wanted_ = wanted; }
    /// A frame beside the others: it brings its projection back with a scale of its own, and publishes nothing.
    void submit_aside(const Picture& picture, const nn::Selection& selection);
    /// Makes ready for pictures of this size; the first submit() of a size does so otherwise.  Compiles and allocates:
    /// may run on another thread before the first frame.
    void prepare(int width, int height);
    /// Null for Show::projection.  Of the last frame collected.
    const Exhibit* exhibit() const { return exhibit_.get(); }
    void set_viewing(float gain, float gamma) {
        gain_ = gain;
        gamma_ = gamma;
    }
    /// Null before the first frame; stays valid (but still) when the projector makes new ones or goes.
    std::shared_ptr<const PublishedPictures> published() const { return published_; }
    /// The same for a tensor that is fed to the network as it is; the view is then the projection alone.
    void submit(const std::vector<float>& tensor, const nn::Selection& selection);
    std::size_t under_way() const { return busy_.size(); }
    /// Waits for the oldest frame under way.
    void collect(ProjectedFrame& frame);
    ProjectedFrame collect() {
        ProjectedFrame frame;
        collect(frame);
        return frame;
    }

    const nn::Plan& plan() const { return plan_; }
    /// Of the tensor that is projected.
    const nn::Extent& extent() const { return extent_; }
    /// Bytes on the device: constants, activations and signals.
    std::uint64_t memory_bytes() const { return model_.constants().bytes() + plan_.memory_bytes(); }
    /// The last frame's R₀ and tensors, once nothing is under way.
    std::vector<float> download(const gpu::Slice& slice) const;
    /// The last frame's view, likewise, whether or not it was asked for.
    Picture view();

  private:
    /// What comes back: neither view nor projection; the view too; or, of a frame that publishes nothing, the
    /// projection.
    enum class Kind { plain, with_view, aside };
    struct Slot {
        gpu::Buffer upload;    // picture or tensor, then the request, then what the viewer set
        gpu::Buffer readback;  // view, selection, scores
        /// By kind; of any selections, and of single positions where the plan crops for those.
        std::array<std::array<std::unique_ptr<gpu::Recording>, 2>, 3> recordings;
        gpu::Recording* running = nullptr;
        Kind kind = Kind::plain;
        gpu::Scheduler::Ticket ticket = 0;
        std::chrono::steady_clock::time_point submitted;
        double upload_ms = 0;
        std::vector<gpu::SegmentTime> times;  // its own: slots may be cut into different numbers of segments
    };

    void publish_into(int width, int height);
    std::vector<gpu::Step> steps_of(const Slot& slot, Kind kind, bool single);
    void add_view_steps(std::vector<gpu::Step>& steps, const gpu::Slice& down);
    void start(Kind kind, const nn::Selection& selection, double seconds, const void* data, std::size_t bytes);

    const gpu::Device& device_;
    gpu::Pipelines& pipelines_;
    gpu::Scheduler& scheduler_;
    nn::Model& model_;
    ProjectorOptions options_;
    nn::Plan plan_;
    nn::Extent extent_;
    int input_width_ = 0, input_height_ = 0, channels_ = 0;
    nn::Network::Classes classes_;
    image::DisplayMapping mapping_;
    int width_ = 0, height_ = 0;  // of the pictures that the slots are made for; 0: tensors
    bool prepared_ = false;
    int view_width_ = 0, view_height_ = 0;
    bool view_wanted_ = true, projection_wanted_ = false;
    float gain_ = 1, gamma_ = 1;
    std::shared_ptr<PublishedPictures> published_;
    std::unique_ptr<Exhibit> exhibit_;
    // Where things lie in a slot's upload and readback, in bytes.
    std::uint64_t request_at_ = 0, viewing_at_ = 0, exhibit_up_at_ = 0;
    std::uint64_t selection_at_ = 0, peaks_at_ = 0, scores_at_ = 0, scores_bytes_ = 0, projection_at_ = 0,
                  exhibit_down_at_ = 0;
    gpu::Buffer picture_, view_;
    std::array<Slot, slots> slots_;
    std::size_t next_ = 0;
    Ring<std::size_t, slots> busy_;
    std::vector<nn::Selection> selections_;  // of the frame that is started, one for each copy
    Pool<Picture> views_;
};

}  // namespace deconv::live
