// Prerecorded commands in segments, and the scheduler that submits them.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "vk/dispatch.h"
#include "vk/pipelines.h"

namespace deconv::gpu {

/// One step of a recording: a dispatch, or a copy where that has neither shader nor transform.
struct Step {
    Dispatch dispatch;
    Copy copy;
    std::string stage;  // e.g. "forward": times are summed by stage
};

/// A step that copies.
inline Step copy_step(const Copy& copy, std::string stage, std::string label = {}) {
    Step step{{}, copy, std::move(stage)};
    step.dispatch.label = std::move(label);
    step.dispatch.bytes = static_cast<double>(copy.rows > 1 ? copy.rows * copy.row_bytes : copy.to.bytes) * 2;
    return step;
}

/// What one segment took, from GPU timestamps (or the host's clock where the device has none).
struct SegmentTime {
    std::string stage;
    std::string label;  // first … last dispatch
    double start_ms = 0, end_ms = 0;
};

/// Steps recorded once into command buffers ("segments") of about `segment_ms` each, to be submitted any number of
/// times, one submission at a time.  A step that takes longer is cut along its grid.  Steps of different stages never
/// share a segment.  Barriers stand only where a step touches what an earlier one wrote or read.
class Recording {
  public:
    struct Options {
        double segment_ms = 5;
        double gflops = 10;  // what the device is taken to reach: decides how steps are cut
        double gbytes = 5;
        /// What such a device is taken to reach before anything is measured.
        static Options guess(const DeviceInfo& device);
    };

    Recording(const Device& device, Pipelines& pipelines, std::vector<Step> steps, const Options& options);

    struct Segment {
        vk::CommandBuffer commands;
        std::string stage, label;
        struct Part {
            std::size_t step;
            double estimated_ms;
        };
        std::vector<Part> parts;
        double estimated_ms = 0;
    };
    const std::vector<Segment>& segments() const { return segments_; }

    /// Times of the last submission, which must be finished.
    std::vector<SegmentTime> times() const;
    /// The same into memory that is used again.  One thread.
    void times(std::vector<SegmentTime>& result) const;
    double segment_ms() const { return options_.segment_ms; }

    /// Cuts and records anew by what the last submission took; none may be under way.  The first submission may include
    /// the driver's compilation, so it only lowers what was estimated.
    void adapt();
    /// To be called when a submission is finished and none is under way: adapts after the 1st, which also compiled, the
    /// 2nd, 6th and 20th, and later, looked at every 50, only where segments were far longer all the while than they
    /// should be, or could be one; each time this happens it is looked at half as often.
    void finished();

  private:
    void record();
    void adapt(const std::vector<double>& took);
    bool ill_cut() const;

    const Device& device_;
    Pipelines& pipelines_;
    std::vector<Step> steps_;
    Options options_;
    std::uint64_t runs_ = 0, look_at_ = 50;
    int adaptations_ = 0;
    mutable std::vector<std::uint64_t> ticks_;  // begin and end of every segment
    std::vector<double> step_ms_;               // what each step is taken to last
    const Pipeline& pipeline_of(const Dispatch& dispatch);

    std::vector<std::unique_ptr<FftPlan>> ffts_;  // by step; null for others
    std::vector<vk::UniqueBufferView> views_;
    vk::UniqueDescriptorPool descriptors_;
    std::vector<vk::DescriptorSet> sets_;  // by step
    vk::UniqueQueryPool queries_;
    vk::UniqueCommandPool pool_;
    std::vector<vk::UniqueCommandBuffer> commands_;
    std::vector<Segment> segments_;
    std::vector<SegmentTime> measured_;
    std::vector<double> shortest_;  // of each segment since it was looked at, milliseconds
};

/// Submits segments in order, short ones together, and lets other work of the queue go between: never more than two
/// submissions are ahead of the device.  One thread submits; any thread may wait.
class Scheduler {
  public:
    explicit Scheduler(const Device& device);
    ~Scheduler();
    Scheduler(const Scheduler&) = delete;
    Scheduler& operator=(const Scheduler&) = delete;

    /// A point on the timeline, reached when everything submitted until then is done.
    using Ticket = std::uint64_t;

    /// Submits every segment of the recording; returns when the last two submissions may still be running.
    Ticket submit(const Recording& recording);
    /// Throws Error where the device is lost.
    void wait(Ticket ticket) const;
    bool done(Ticket ticket) const;
    Ticket last() const { return last_; }

  private:
    const Device& device_;
    vk::UniqueSemaphore timeline_;
    Ticket last_ = 0;
};

}  // namespace deconv::gpu
