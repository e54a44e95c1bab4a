// BatchNormalization: in inference a scale and a shift by channel; in training by the statistics of the batch.
#include <cmath>

#include "nn/ops/channel_sums.h"
#include "nn/ops/emit.h"
#include "nn/ops/operators.h"

namespace deconv::nn {
namespace {

class BatchNormalizationOperator : public Operator {
  public:
    explicit BatchNormalizationOperator(const NodeContext& context) {
        name_ = context.node.name;
        const Shape& input = context.shapes.at(0);
        if (input.size() < 2) context.fail("its input has shape " + to_string(input) + "; (N, C, …) is supported");
        if (context.node.attributes.integer("training_mode", 0) != 0) context.fail("training_mode is not supported");
        channels_ = input[1];
        outputs_ = {input};
        const double epsilon = context.node.attributes.real("epsilon", 1e-5F);
        const std::vector<float>& gamma = *context.weights(1, "scale", channels_).floats;
        const std::vector<float>& beta = *context.weights(2, "bias", channels_).floats;
        const std::vector<float>& mean = *context.weights(3, "mean", channels_).floats;
        const std::vector<float>& variance = *context.weights(4, "variance", channels_).floats;
        std::vector<float> pairs;
        for (std::size_t c = 0; c < gamma.size(); ++c) {
            const double scale = gamma[c] / std::sqrt(variance[c] + epsilon);
            pairs.push_back(static_cast<float>(scale));
            pairs.push_back(static_cast<float>(beta[c] - mean[c] * scale));
        }
        scale_and_shift_ = HostTensor::of({channels_, 2}, std::move(pairs));
    }

    void forward(Emitter& emitter, const ForwardArguments& arguments) const override {
        run(emitter, arguments.inputs[0].slice, arguments.outputs[0].slice, elements(outputs_[0]), true, false);
    }

    void reverse(Emitter& emitter, const ReverseArguments& arguments) const override {
        run(emitter, arguments.output.slice, arguments.result.slice, elements(outputs_[0]) * arguments.output.copies,
            false, arguments.accumulate);
    }

    std::int64_t parameters() const override { return 4 * channels_; }

  private:
    void run(Emitter& emitter, const gpu::Slice& from, const gpu::Slice& to, std::int64_t items, bool shift,
             bool accumulate) const {
        struct Push {
            std::uint32_t items, first, channels, plane, use_shift, accumulate;
        };
        const gpu::Slice parameters = emitter.constant(scale_and_shift_);
        const std::int64_t plane = elements(outputs_[0]) / outputs_[0][0] / channels_;
        for_slices(items, {4}, emitter.device().limits, [&](std::int64_t first, std::int64_t count) {
            const gpu::Slice part = floats(to, first, count);
            const Push push{static_cast<std::uint32_t>(count),
                            static_cast<std::uint32_t>(first),
                            static_cast<std::uint32_t>(channels_),
                            static_cast<std::uint32_t>(plane),
                            shift ? 1U : 0U,
                            accumulate ? 1U : 0U};
            emitter.emit(linear_dispatch(emitter, "nn/affine", push.items, push,
                                         {gpu::in(floats(from, first, count)), gpu::in(parameters),
                                          accumulate ? gpu::in_out(part) : gpu::out(part)},
                                         name_));
        });
    }

    std::int64_t channels_ = 0;
    HostTensor scale_and_shift_;
};

/// Ioffe and Szegedy, arXiv 1502.03167; a Relu behind it is fused both ways.
class TrainingBatchNormalization : public Operator {
  public:
    explicit TrainingBatchNormalization(const NodeContext& context)
        : channels_(context.shapes.at(0)),
          gamma_(context.weights(1, "scale", channels_.channels)),
          beta_(context.weights(2, "bias", channels_.channels)),
          epsilon_(context.node.attributes.real("epsilon", 1e-5F)) {
        name_ = context.node.name;
        outputs_ = {context.shapes[0], {channels_.channels, 8}};
    }

    bool fuses_activation() const override { return true; }
    void forward(Emitter& emitter, const ForwardArguments& arguments) const override {
        const gpu::Slice& x = arguments.inputs[0].slice;
        const gpu::Slice& statistics = arguments.outputs[1].slice;
        emit_channel_moments(emitter, channels_, x, emitter.constant(gamma_), emitter.constant(beta_), epsilon_,
                             statistics, name_ + " moments");
        normalise(emitter, x, statistics, {}, arguments.outputs[0].slice, arguments.activation == Activation::relu,
                  false, name_ + " forward");
    }

    void gradients(Emitter& emitter, const GradientArguments& arguments) const override {
        emit_channel_reverse(emitter, channels_, arguments.output.slice, arguments.inputs[0].slice, epsilon_,
                             arguments.rectified, arguments.outputs[1].slice, arguments.parameters.at(1),
                             arguments.parameters.at(2), name_ + " gradients");
    }
    /// After gradients(), by what that left in the statistics.
    void reverse(Emitter& emitter, const ReverseArguments& arguments) const override {
        normalise(emitter, arguments.inputs[0].slice, arguments.outputs[1].slice, arguments.output.slice,
                  arguments.result.slice, arguments.rectifier.has_value(), arguments.accumulate, name_ + " reverse");
    }
    bool fuses_rectifier() const override { return true; }

    std::int64_t parameters() const override { return 2 * channels_.channels; }

  private:
    /// Forward, or, with a signal, back.
    void normalise(Emitter& emitter, const gpu::Slice& x, const gpu::Slice& statistics, const gpu::Slice& signal,
                   const gpu::Slice& to, bool rectified, bool accumulate, const std::string& label) const {
        struct Push {
            std::uint32_t items, first, channels, plane;
        };
        const bool wide =
            runs_wide(emitter, channels_,
                      signal ? std::initializer_list<gpu::Slice>{x, signal} : std::initializer_list<gpu::Slice>{x});
        const std::int64_t width = wide ? 4 : 1;
        const auto reads = [&](const gpu::Slice& slice) {
            return wide ? gpu::in_texels(slice, gpu::Texels::rgba32f) : gpu::in(slice);
        };
        std::string_view shader = wide ? "nn/normalise.forward4" : "nn/normalise.forward";
        if (signal) shader = wide ? "nn/normalise.reverse4" : "nn/normalise.reverse";
        const Push push{static_cast<std::uint32_t>(elements(outputs_[0]) / width), 0,
                        static_cast<std::uint32_t>(channels_.channels),
                        static_cast<std::uint32_t>(channels_.plane / width)};
        std::vector<gpu::Binding> bindings{reads(x), gpu::in(statistics), accumulate ? gpu::in_out(to) : gpu::out(to)};
        if (signal) bindings.push_back(reads(signal));
        emitter.emit(linear_dispatch(emitter, shader, push.items, push, std::move(bindings), label,
                                     {rectified ? 1U : 0U, accumulate ? 1U : 0U}));
    }

    Channels channels_;
    HostTensor gamma_, beta_;
    float epsilon_;
};

}  // namespace

std::unique_ptr<Operator> make_training_batch_normalization(const NodeContext& context) {
    return std::make_unique<TrainingBatchNormalization>(context);
}
std::unique_ptr<Operator> make_batch_normalization(const NodeContext& context) {
    return std::make_unique<BatchNormalizationOperator>(context);
}

}  // namespace deconv::nn
