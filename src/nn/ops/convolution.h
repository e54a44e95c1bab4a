// Convolution's arithmetic, both ways, behind one small interface: Conv runs `forward` and, on the way back, `reverse`;
// ConvTranspose the other way round.  Algorithms are chosen here.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "nn/operator.h"

namespace deconv::nn {

/// A convolution x → y, as geometry.  Weights are (groups · out_channels, in_channels, kernel_y, kernel_x).
struct Convolution {
    std::int64_t groups = 1;
    std::int64_t in_channels = 1, out_channels = 1;  // of one group
    std::int64_t in_height = 1, in_width = 1;
    std::int64_t out_height = 1, out_width = 1;
    std::int64_t kernel_y = 1, kernel_x = 1;
    std::int64_t stride_y = 1, stride_x = 1;
    std::int64_t pad_y = 0, pad_x = 0;  // at the beginning; what lies at the end follows from the sizes
    std::int64_t dilation_y = 1, dilation_x = 1;

    std::int64_t in_elements() const { return groups * in_channels * in_height * in_width; }
    std::int64_t out_elements() const { return groups * out_channels * out_height * out_width; }
    /// 1×1, from every place to the same.  Padding at the far edges shows itself in the sizes alone.
    bool is_pointwise() const {
        return kernel_y == 1 && kernel_x == 1 && stride_y == 1 && stride_x == 1 && pad_y == 0 && pad_x == 0 &&
               in_height == out_height && in_width == out_width;
    }
    /// Multiplications and additions for one image, padding included.
    double flops() const {
        return 2.0 * static_cast<double>(groups * out_channels * in_channels * kernel_y * kernel_x) *
               static_cast<double>(out_height * out_width);
    }
};

enum class Direction { forward, reverse };

/// One run over `images` images: x → y, or, in reverse, R at y → R at x.
struct ConvolutionTask {
    Convolution convolution;
    Direction direction = Direction::forward;
    std::int64_t images = 1;
    const HostTensor* weights = nullptr;
    const HostTensor* bias = nullptr;  // added to the destination's channels; may be null
    gpu::Slice source, destination;
    Layout source_layout = Layout::dense, destination_layout = Layout::dense;
    bool accumulate = false;
    Activation activation = Activation::none;
    std::optional<Rectifier> rectifier;  // applied to the source as it is read
    Precision precision = Precision::single;
    std::optional<Chosen> chosen;  // only these channels of the source are not zero; without a bias
    /// The destination is a max pool's output in place of its input, or (in reverse) its input in place of its output.
    std::optional<Pooling> pool;
    /// In reverse: the source is a pool's output in place of its input.
    std::optional<PooledSource> pooled_source;
    /// In reverse: what makes the source, or adds to it, first.
    std::optional<PointwiseSource> pointwise_source;
    /// Elements from one image's source to the next where others lie between: only of packed ones; else 0.
    std::int64_t source_stride = 0;
    std::int64_t first_image = 0;  // of the source, counted in the whole signal
    std::string label;

    /// Of one image of the source.
    std::int64_t source_elements() const {
        if (pooled_source)
            return convolution.groups * convolution.out_channels * pooled_source->height * pooled_source->width;
        return direction == Direction::forward ? convolution.in_elements() : convolution.out_elements();
    }
    std::int64_t source_step() const { return source_stride > 0 ? source_stride : source_elements(); }
    std::int64_t destination_elements() const {
        if (direction == Direction::forward) return convolution.out_elements() / (pool ? 4 : 1);
        return convolution.in_elements() * (pool ? 4 : 1);
    }
    /// Of one image of the source.
    std::int64_t places() const {
        return direction == Direction::forward ? convolution.in_height * convolution.in_width
                                               : convolution.out_height * convolution.out_width;
    }
    /// The source's, counted in the whole signal.
    std::int64_t first_element() const { return first_image * source_elements(); }
};

/// The task's shape and direction in one line, e.g. "forward 64x56x56 3x3 s1x1 p1x1 d1x1 g1 to 64x56x56 n1": what a
/// measurement is remembered by.
std::string describe(const ConvolutionTask& task);

class ConvolutionAlgorithm {
  public:
    virtual ~ConvolutionAlgorithm() = default;
    virtual std::string_view name() const = 0;
    virtual bool supports(const ConvolutionTask& task, const gpu::DeviceInfo& device) const = 0;
    /// Reads and writes the task's layouts, where it supports the task otherwise.
    virtual bool takes(Layout source, Layout destination) const {
        return source == Layout::dense && destination == Layout::dense;
    }
    /// May be the fastest on such a device: else the tuner spares itself the time.
    virtual bool may_win(const ConvolutionTask& /*task*/, const gpu::DeviceInfo& /*device*/) const { return true; }
    /// A good guess, among tasks that it supports, where nothing was measured.
    virtual bool suits(const ConvolutionTask& /*task*/, const gpu::DeviceInfo& /*device*/) const { return true; }
    /// Pools or unpools in its last step.
    virtual bool pools() const { return false; }
    /// Unpools as it reads.
    virtual bool reads_pooled() const { return false; }
    /// Runs a 1×1 convolution's reverse before.
    virtual bool reads_pointwise() const { return false; }
    /// Reads no other channels than the chosen ones.
    virtual bool runs_chosen() const { return false; }
    /// Applies the task's rectifier (there is one) itself; for others it is applied to the source, in place, before.
    virtual bool fuses_rectifier(const ConvolutionTask& /*task*/) const { return false; }
    /// The largest binding of scratch memory that one image needs.
    virtual std::int64_t scratch_bytes(const ConvolutionTask& /*task*/) const { return 0; }
    virtual void emit(Emitter& emitter, const ConvolutionTask& task) const = 0;
};

/// All algorithms, the most general last.
std::span<const ConvolutionAlgorithm* const> convolution_algorithms();
bool can_run(const ConvolutionAlgorithm& algorithm, const ConvolutionTask& task, const gpu::DeviceInfo& device);
/// Some algorithm reads and writes such a convolution's tensors in that layout, both ways, and also where one end is
/// dense.
bool takes_layout(const Convolution& convolution, std::int64_t images, const LayoutOffer& offer);
/// Does the algorithm of that name (none: whichever) read and write tensors in that layout?
bool takes_layout(const std::string& algorithm, Layout layout);
/// Does the algorithm of that name (none: some) pool, read pooled sources, or run 1×1 convolutions before?
bool pools(const std::string& algorithm);
bool reads_pooled(const std::string& algorithm);
bool reads_pointwise(const std::string& algorithm);
/// What suits the kind of device, where nothing was measured.
const ConvolutionAlgorithm& default_algorithm(const ConvolutionTask& task, const gpu::DeviceInfo& device);
/// The one that runs the task: Emitter::choice() if it names one that can, else the default.
const ConvolutionAlgorithm& algorithm_for(const Emitter& emitter, const ConvolutionTask& task);

/// Runs a task by the algorithm that suits the device, in slices of images that fit a binding.
void emit_convolution(Emitter& emitter, const ConvolutionTask& task);

}  // namespace deconv::nn
