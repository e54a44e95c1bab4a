// What an operator is: shapes, a forward pass and its reverse, as dispatches.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nn/graph.h"
#include "nn/tensor.h"
#include "vk/dispatch.h"

namespace deconv::nn {

/// How a rectifier treats the signal on the way back (Zeiler and Fergus 2014; Springenberg et al. 2014; Simonyan et
/// al. 2013).
enum class Rule { deconv, guided, gradient };
/// How local response normalisation is crossed on the way back under `deconv` and `guided`.
enum class LrnReverse { identity, derivative };

/// A tensor in device memory: float32 (switches: uint32), row-major, where its layout does not say otherwise.
struct Tensor {
    gpu::Slice slice;
    Shape shape;
    Layout layout = Layout::dense;

    explicit operator bool() const { return static_cast<bool>(slice); }
};

/// The signal on its way back: `copies` tensors of `shape`, one after the other, one for each channel that is
/// projected at once.  Copy k starts at element k · elements(shape).
struct Signal {
    gpu::Slice slice;
    Shape shape;
    std::int64_t copies = 1;
    Layout layout = Layout::dense;
    /// Elements from one copy to the next where others lie between: a part of a concatenation, for an operator that
    /// reads_apart(); else 0.
    std::int64_t stride = 0;

    std::int64_t copy_bytes() const { return elements(shape) * element_bytes(layout); }
};

struct ConvolutionTask;  // ops/convolution.h

/// What is calculated in: `half` allows half precision where the device has it and gains by it, never requires it.
enum class Precision { single, half };

/// Weights as a shader wants them: element i of the packed ones is element table()[i] of the plain ones, or of their
/// transform, or zero.  A table, so that a device that changes the weights packs them by itself.
struct WeightLayout {
    static constexpr std::uint32_t none = 0xffffffff;  // in the table: zero

    std::string name;  // with the weights' identity, the key
    std::function<std::vector<std::uint32_t>()> table;
    /// 2 or 4: every 3×3 kernel goes through the filter transform G g Gᵀ of F(n×n, 3×3) first and becomes (n + 2)²
    /// points (Lavin and Gray, arXiv 1509.09308).
    int winograd = 0;
    bool mirrored = false;  // the kernel is turned by half a turn before that
    /// In half precision, two elements where others have one, the first in the lower bits.  Not on a device that
    /// changes its weights.
    bool half = false;
};

/// Packs on the host.
std::vector<float> pack_weights(const std::vector<float>& plain, const WeightLayout& layout);

/// Where operators put their dispatches, and get their constants onto the device.
class Emitter {
  public:
    virtual ~Emitter() = default;
    virtual void emit(gpu::Dispatch dispatch) = 0;
    virtual void copy(const gpu::Copy& copy, const std::string& label) = 0;
    virtual const gpu::DeviceInfo& device() const = 0;
    /// A constant in the layout that a shader wants, packed and uploaded once and then kept: `data` (whose identity is
    /// the key, with `layout`) names it, `pack` makes it.
    virtual gpu::Slice constant(const HostTensor& data, const std::string& layout,
                                const std::function<std::vector<float>()>& pack) = 0;
    gpu::Slice constant(const HostTensor& data) {
        return constant(data, "plain", [&] { return *data.floats; });
    }
    /// The same for weights, which training changes from step to step.
    virtual gpu::Slice weights(const HostTensor& data, const WeightLayout& layout) {
        return constant(data, layout.name, [&] { return pack_weights(*data.floats, layout); });
    }
    /// A few bytes for bindings that a shader does not use under its current constants.
    virtual gpu::Slice unused() = 0;
    /// Memory that nothing outside one forward() or reverse() sees: the next one may be given the same.
    virtual gpu::Slice scratch(std::uint64_t bytes) = 0;
    /// What convolutions may calculate in.
    virtual Precision precision() const { return Precision::single; }
    /// The name of the algorithm that was found best for a task, or forced; empty: the device's default.
    virtual std::string choice(const std::string& /*task*/) const { return {}; }
    /// Hears of every convolution that is emitted, so that it can be measured.
    virtual void note(const ConvolutionTask& /*task*/) {}
};

/// What an operator may apply to its output on the way out, in place of a node of its own.
enum class Activation { none, relu };

/// A max pool of 2×2 windows with stride 2 that tile its input, as part of another node's step.
struct Pooling {
    gpu::Slice switches;      // empty: of a forward pass, nobody reads them
    std::int64_t images = 1;  // that have switches: copies of a signal share them
};

/// The output of a max pool of 3×3 windows with stride 2, as the signal that a node reads in place of the pool's input:
/// unpooling is part of reading.
struct PooledSource {
    gpu::Slice switches;
    std::int64_t height = 1, width = 1;  // of the pool's output
    std::int64_t pad_y = 0, pad_x = 0;
    std::int64_t images = 1;  // that have switches: copies of a signal share them
};

/// A 1×1 convolution whose reverse makes the signal that the node before it reads, or adds to it: that node's reverse
/// does both, and the sum is not written.
struct PointwiseSource {
    const HostTensor* weights = nullptr;  // (channels, channels of the sum, 1, 1)
    std::int64_t channels = 1;
    gpu::Slice source;        // R at its output, packed
    std::int64_t stride = 0;  // as a Signal's
    bool rectified = false;   // max(x, 0) of it
    bool added = false;       // the signal has something already

    /// Elements from one copy of the source to the next.
    std::int64_t step(std::int64_t places) const { return stride > 0 ? stride : channels * places; }
};

struct ForwardArguments {
    std::vector<Tensor> inputs;                // empty slices for constants and for inputs left out
    std::vector<Tensor> outputs;               // empty slices for outputs nobody needs (switches)
    Activation activation = Activation::none;  // only where fuses_activation()
    std::optional<Pooling> pool;               // only where fuses_pool(): the first output is then the pool's
};

/// A rectifier that the signal crosses just before a node's reverse, which applies it as it reads.
struct Rectifier {
    Rule rule = Rule::deconv;
    gpu::Slice x;            // positive where the unit was on; not read under `deconv`
    std::int64_t items = 0;  // elements of x: copies of the signal share it
};

/// A signal of which only the channels that selections choose (ResolvedSelection, one an image and copy; see
/// projection.h) are not zero.
struct Chosen {
    gpu::Slice selections;
    std::int64_t first = 0;  // the signal's channel 0, as the selections count
};

struct ReverseArguments {
    std::size_t input = 0;       // the input whose signal is wanted
    Signal output;               // R at the node's output
    Signal result;               // R at that input
    bool accumulate = false;     // add to `result`, or overwrite it
    std::vector<Tensor> inputs;  // forward tensors; those that needs() asked for are there
    std::vector<Tensor> outputs;
    Rule rule = Rule::deconv;
    LrnReverse lrn = LrnReverse::identity;
    std::optional<Rectifier> rectifier;  // only where fuses_rectifier()
    std::optional<Chosen> chosen;        // what is known of the signal at the output
    std::optional<Pooling> unpool;       // only where fuses_pool(): `result` is then R at the input of the pool before
    std::optional<PooledSource>
        pooled;  // only where reads_pooled(): `output` is then R at the output of the pool behind
    std::optional<PointwiseSource> pointwise;  // only where reads_pointwise(): what makes, or adds to, `output` first
};

/// Forward tensors that a reverse reads; bit i stands for input or output i.
struct Needs {
    std::uint32_t inputs = 0;
    std::uint32_t outputs = 0;
};

/// One spatial axis of a receptive field: position p of the output sees the input positions
/// p · stride + offset … p · stride + offset + size - 1.
struct Field {
    std::int64_t size = 1;
    std::int64_t stride = 1;
    double offset = 0;            // of the field's first position; a fraction behind a transposed convolution
    bool global = false;          // sees everything
    std::int64_t transposed = 1;  // the stride is 1 / transposed
};

/// What the gradients of an operator's parameters are made from: those of a loss L that is the sum over all images of
/// the batch, for the signal under Rule::gradient is ∂L/∂(output).
struct GradientArguments {
    Signal output;  // one copy
    std::vector<Tensor> inputs, outputs;
    std::vector<gpu::Slice> parameters;  // by input: where the gradient of that constant goes; empty: not wanted
    bool rectified = false;              // the output went through the operator's fused Activation::relu
};

/// What tensors may lie in beside `dense`, and where that would be.
struct LayoutOffer {
    const gpu::DeviceInfo& device;
    Layout layout = Layout::packed;
    std::int64_t copies = 1;  // of a signal
    Rule rule = Rule::deconv;
    LrnReverse lrn = LrnReverse::identity;
};
/// In which layouts an operator takes its inputs and outputs, and the signals at them: all dense; all in the same
/// layout, whichever; or each in either.
enum class Layouts { dense, alike, any };

class Operator {
  public:
    virtual ~Operator() = default;

    const std::vector<Shape>& output_shapes() const { return outputs_; }
    const std::string& name() const { return name_; }

    /// The output is the input's memory under another shape: nothing runs.
    virtual bool is_view() const { return false; }
    /// Input `i` is a dense range of the output, from this element on: where both share memory, nothing runs.
    virtual std::optional<std::int64_t> part_of_output(std::size_t /*i*/) const { return std::nullopt; }
    /// Channel c of input `i` and channel c + this of the output hang together, and with no other: on the way back,
    /// too, where one is zero, so is the other.
    virtual std::optional<std::int64_t> same_channels(std::size_t /*i*/) const { return std::nullopt; }
    virtual Layouts layouts(const LayoutOffer& /*offer*/) const { return Layouts::dense; }
    /// forward() can apply an Activation.
    virtual bool fuses_activation() const { return false; }
    virtual void forward(Emitter& emitter, const ForwardArguments& arguments) const = 0;
    /// May a signal cross this operator to that input?  If not, why: "Softmax is never crossed".
    virtual std::optional<std::string> reverse_refusal(std::size_t /*input*/) const { return std::nullopt; }
    virtual Needs needs(std::size_t /*input*/, Rule /*rule*/, LrnReverse /*lrn*/) const { return {}; }
    virtual void reverse(Emitter& emitter, const ReverseArguments& arguments) const = 0;
    /// reverse() can apply a Rectifier to its signal.  It may change the signal in place.
    virtual bool fuses_rectifier() const { return false; }
    /// forward() can apply a pool behind it, and reverse() unpool before it, where all lies in that layout.
    virtual bool fuses_pool(Layout /*layout*/) const { return false; }
    /// A max pool as a Pooling is.
    virtual bool is_tiling_pool() const { return false; }
    /// reverse() reads packed signals whose copies do not follow each other; under Rule::deconv.
    virtual bool reads_apart() const { return false; }
    /// reverse() can unpool as it reads, where that signal is packed and the result dense and its own.
    virtual bool reads_pooled(const gpu::DeviceInfo& /*device*/) const { return false; }
    /// A max pool as a PooledSource is; without switches.
    virtual std::optional<PooledSource> pooled_source() const { return std::nullopt; }

    /// reverse() can run a PointwiseSource before, where all is packed; under Rule::deconv, or without rectifiers.
    virtual bool reads_pointwise(const gpu::DeviceInfo& /*device*/) const { return false; }
    /// A convolution as a PointwiseSource is; without its source.
    virtual std::optional<PointwiseSource> pointwise_source() const { return std::nullopt; }

    /// Writes the gradients of its parameters, the constants among its inputs; runs before reverse(), which may read
    /// what this leaves.  Does nothing where there are none.
    virtual void gradients(Emitter& /*emitter*/, const GradientArguments& /*arguments*/) const {}

    /// The receptive field of one output position in the operator's own input, by axis (0 rows, 1 columns).
    virtual Field field(int /*axis*/) const { return {}; }
    /// Learned values.
    virtual std::int64_t parameters() const { return 0; }

  protected:
    std::string name_;
    std::vector<Shape> outputs_;
};

/// What an operator is made from.  `constants[i]` is null where input i is not a constant.
struct NodeContext {
    const Node& node;
    int opset = 0;
    std::vector<Shape> shapes;                 // of the inputs; empty where left out
    std::vector<const HostTensor*> constants;  // likewise

    std::size_t inputs() const { return shapes.size(); }
    bool has(std::size_t i) const { return i < node.inputs.size() && !node.inputs[i].empty(); }
    /// Throws Error: "node NAME (Op): " and the text.
    [[noreturn]] void fail(const std::string& text) const;
    const HostTensor& constant(std::size_t i, std::string_view what) const;
    /// A float constant with a check of its element count where `count` is not negative.
    const HostTensor& weights(std::size_t i, std::string_view what, std::int64_t count = -1) const;
    /// The constant integers of input i, or of the attribute where the operator set is older than `since`.
    std::vector<std::int64_t> integers(std::size_t i, std::string_view attribute, int since,
                                       const std::vector<std::int64_t>& fallback) const;
};

/// Makes the operator of a node: one line an operator in operator.cpp's table.  Throws Error naming node and operator
/// where shapes do not fit or an option is not supported.
std::unique_ptr<Operator> make_operator(const NodeContext& context);

/// Splits `count` items into runs of which each fits one binding and begins where a binding may, in each of the tensors
/// that are cut so: `item_bytes` are an item's bytes in each.  Calls f(first, count) for every run.
/// Where several items are more than `enough` bytes of one of them, runs are no longer than they must be for that.
/// Throws Error where that cannot be, because a single item is too large or its size fits no alignment.
void for_slices(std::int64_t count, std::initializer_list<std::int64_t> item_bytes, const gpu::Limits& limits,
                const std::function<void(std::int64_t first, std::int64_t count)>& f,
                std::int64_t enough = std::numeric_limits<std::int64_t>::max());

}  // namespace deconv::nn
