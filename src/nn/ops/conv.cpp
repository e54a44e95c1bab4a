// Conv and ConvTranspose: each other's reverse.
#include "base/error.h"
#include "nn/ops/channel_sums.h"
#include "nn/ops/conv_gradient.h"
#include "nn/ops/conv_image.h"
#include "nn/ops/conv_packed.h"
#include "nn/ops/convolution.h"
#include "nn/ops/emit.h"
#include "nn/ops/operators.h"

namespace deconv::nn {
namespace {

class ConvOperator : public Operator {
  public:
    ConvOperator(const NodeContext& context, const Convolution& convolution, Direction forward, Shape output)
        : convolution_(convolution), forward_(forward), weights_(context.weights(1, "weight")) {
        name_ = context.node.name;
        outputs_ = {std::move(output)};
        if (context.has(2)) bias_ = context.weights(2, "bias", outputs_[0][1]);
    }

    void forward(Emitter& emitter, const ForwardArguments& arguments) const override {
        ConvolutionTask task = task_of(forward_, arguments.inputs[0], arguments.outputs[0]);
        task.images = arguments.inputs[0].shape[0];
        task.bias = bias_ ? &*bias_ : nullptr;
        task.activation = arguments.activation;
        task.precision = emitter.precision();
        task.pool = arguments.pool;
        task.label = name_ + " forward";
        emit_convolution(emitter, task);
    }
    bool fuses_activation() const override { return true; }
    Layouts layouts(const LayoutOffer& offer) const override {
        return takes_layout(convolution_, outputs_[0][0], offer) ? Layouts::any : Layouts::dense;
    }

    // The exact adjoint: the same weights, no bias.
    void reverse(Emitter& emitter, const ReverseArguments& arguments) const override {
        const Direction back = forward_ == Direction::forward ? Direction::reverse : Direction::forward;
        ConvolutionTask task = task_of(back, arguments.output, arguments.result);
        task.images = arguments.output.copies * arguments.output.shape[0];
        task.accumulate = arguments.accumulate;
        task.rectifier = arguments.rectifier;
        task.chosen = arguments.chosen;
        task.pool = arguments.unpool;
        task.pooled_source = arguments.pooled;
        task.pointwise_source = arguments.pointwise;
        task.source_stride = arguments.output.stride;
        task.precision = emitter.precision();
        task.label = name_ + " reverse";
        emit_convolution(emitter, task);
    }

    bool fuses_rectifier() const override { return true; }
    bool fuses_pool(Layout layout) const override {
        return forward_ == Direction::forward && layout == Layout::packed && convolution_.stride_y == 1 &&
               convolution_.stride_x == 1;
    }

    bool reads_apart() const override { return true; }
    bool reads_pooled(const gpu::DeviceInfo& device) const override {
        return forward_ == Direction::forward && ImageConvolution::runs(convolution_, device);
    }
    bool reads_pointwise(const gpu::DeviceInfo& device) const override {
        return forward_ == Direction::forward && PackedConvolution::runs_pairs(convolution_, device);
    }
    std::optional<PointwiseSource> pointwise_source() const override {
        const Convolution& c = convolution_;
        if (forward_ != Direction::forward || !c.is_pointwise() || c.groups != 1 || c.out_channels % 4 != 0) {
            return std::nullopt;
        }
        PointwiseSource source;
        source.weights = &weights_;
        source.channels = c.out_channels;
        return source;
    }

    void gradients(Emitter& emitter, const GradientArguments& arguments) const override {
        const bool forward = forward_ == Direction::forward;
        if (arguments.parameters.at(1)) {
            // A transposed convolution's weights are those of the convolution that leads from its output to its input.
            const gpu::Slice& x = arguments.inputs[0].slice;
            const gpu::Slice& signal = arguments.output.slice;
            emit_weight_gradient(emitter, {convolution_, arguments.output.shape[0], forward ? x : signal,
                                           forward ? signal : x, arguments.parameters[1], name_ + " gradient"});
        }
        if (arguments.parameters.size() > 2 && arguments.parameters[2]) {
            emit_channel_totals(emitter, Channels(arguments.output.shape), arguments.output.slice,
                                arguments.parameters[2], name_ + " bias gradient");
        }
    }

    Field field(int axis) const override {
        const Convolution& c = convolution_;
        const std::int64_t kernel = axis == 0 ? c.kernel_y : c.kernel_x;
        const std::int64_t dilation = axis == 0 ? c.dilation_y : c.dilation_x;
        const std::int64_t stride = axis == 0 ? c.stride_y : c.stride_x;
        const std::int64_t pad = axis == 0 ? c.pad_y : c.pad_x;
        const std::int64_t reach = (kernel - 1) * dilation + 1;
        if (forward_ == Direction::forward) return {reach, stride, static_cast<double>(-pad), false};
        // Behind a transposed convolution `stride` positions share one place: the field is given by its widest case.
        Field field;
        field.size = (reach + stride - 1) / stride;
        field.transposed = stride;
        field.offset = static_cast<double>(pad - reach + 1) / static_cast<double>(stride);
        return field;
    }

    std::int64_t parameters() const override { return elements(weights_.shape) + (bias_ ? elements(bias_->shape) : 0); }

  private:
    /// From and to tensors or signals.
    template <typename T>
    ConvolutionTask task_of(Direction direction, const T& source, const T& destination) const {
        ConvolutionTask task;
        task.convolution = convolution_;
        task.direction = direction;
        task.weights = &weights_;
        task.source = source.slice;
        task.destination = destination.slice;
        task.source_layout = source.layout;
        task.destination_layout = destination.layout;
        return task;
    }

    Convolution convolution_;
    Direction forward_;  // Conv: forward; ConvTranspose: reverse
    HostTensor weights_;
    std::optional<HostTensor> bias_;
};

struct Weights {
    std::int64_t first, second;  // channel dimensions as stored
    std::vector<std::int64_t> kernel;
};

Weights check_weights(const NodeContext& context, std::int64_t groups) {
    const HostTensor& weights = context.weights(1, "weight");
    if (context.shapes[0].size() != 3 && context.shapes[0].size() != 4) {
        context.fail("its input has shape " + to_string(context.shapes[0]) +
                     "; (N, C, H, W) or (N, C, W) is supported");
    }
    if (weights.shape.size() != context.shapes[0].size()) {
        context.fail("weight " + to_string(weights.shape) + " does not fit input " + to_string(context.shapes[0]));
    }
    if (groups < 1) context.fail("group must be at least 1");
    return {weights.shape[0], weights.shape[1], {weights.shape.begin() + 2, weights.shape.end()}};
}

Convolution with_window(const Window& window) {
    Convolution c;
    c.kernel_y = window.kernel[0];
    c.kernel_x = window.kernel[1];
    c.stride_y = window.stride[0];
    c.stride_x = window.stride[1];
    c.pad_y = window.begin[0];
    c.pad_x = window.begin[1];
    c.dilation_y = window.dilation[0];
    c.dilation_x = window.dilation[1];
    return c;
}

}  // namespace

std::unique_ptr<Operator> make_conv(const NodeContext& context) {
    const std::int64_t groups = context.node.attributes.integer("group", 1);
    const Weights weights = check_weights(context, groups);
    const Shape& input = context.shapes[0];
    if (input[1] != weights.second * groups || weights.first % groups != 0) {
        context.fail("weight " + to_string(context.weights(1, "weight").shape) + " in " + std::to_string(groups) +
                     " group(s) does not fit input " + to_string(input));
    }
    Window window = read_window(context, weights.kernel);
    const Plane plane = plane_of(input);
    const std::int64_t height = window_output(window, 0, plane.height, false, context);
    const std::int64_t width = window_output(window, 1, plane.width, false, context);
    Convolution c = with_window(window);
    c.groups = groups;
    c.in_channels = weights.second;
    c.out_channels = weights.first / groups;
    c.in_height = plane.height;
    c.in_width = plane.width;
    c.out_height = height;
    c.out_width = width;
    return std::make_unique<ConvOperator>(context, c, Direction::forward,
                                          with_plane(input, weights.first, height, width));
}

std::unique_ptr<Operator> make_conv_transpose(const NodeContext& context) {
    const std::int64_t groups = context.node.attributes.integer("group", 1);
    const Weights weights = check_weights(context, groups);
    const Shape& input = context.shapes[0];
    if (input[1] != weights.first || weights.first % groups != 0) {
        context.fail("weight " + to_string(context.weights(1, "weight").shape) + " in " + std::to_string(groups) +
                     " group(s) does not fit input " + to_string(input));
    }
    Window window = read_window(context, weights.kernel);
    const std::size_t axes = input.size() - 2;
    const auto extra = context.node.attributes.integers("output_padding", std::vector<std::int64_t>(axes, 0));
    const auto wanted = context.node.attributes.integers("output_shape", {});
    if (extra.size() != axes || (!wanted.empty() && wanted.size() != axes)) {
        context.fail("output_padding or output_shape does not have " + std::to_string(axes) + " axes");
    }
    const Plane plane = plane_of(input);
    std::array<std::int64_t, 2> size{plane.height, plane.width};
    std::array<std::int64_t, 2> output{1, 1};
    for (std::size_t i = 0; i < axes; ++i) {
        const std::size_t axis = 2 - axes + i;
        const std::int64_t stride = window.stride.at(axis);
        const std::int64_t full = stride * (size.at(axis) - 1) + extra[i] + window.reach(axis);
        const bool same = window.auto_pad == "SAME_UPPER" || window.auto_pad == "SAME_LOWER";
        if (!wanted.empty() || same) {
            output.at(axis) = wanted.empty() ? size.at(axis) * stride : wanted[i];
            const std::int64_t total = std::max<std::int64_t>(0, full - output.at(axis));
            // The standard puts the odd one at the end for SAME_UPPER, at the beginning otherwise.
            window.begin.at(axis) = window.auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
        } else {
            output.at(axis) = full - window.begin.at(axis) - window.end.at(axis);
        }
        if (output.at(axis) < 1) context.fail("its output would be empty");
    }
    Convolution c = with_window(window);
    c.groups = groups;
    c.in_channels = weights.second;
    c.out_channels = weights.first / groups;
    c.in_height = output[0];
    c.in_width = output[1];
    c.out_height = plane.height;
    c.out_width = plane.width;
    return std::make_unique<ConvOperator>(context, c, Direction::reverse,
                                          with_plane(input, weights.second * groups, output[0], output[1]));
}

}  // namespace deconv::nn
