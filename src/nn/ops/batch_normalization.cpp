// BatchNormalization in inference: a scale and a shift by channel.
#include <cmath>

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

}  // namespace

std::unique_ptr<Operator> make_batch_normalization(const NodeContext& context) {
    return std::make_unique<BatchNormalizationOperator>(context);
}

}  // namespace deconv::nn
