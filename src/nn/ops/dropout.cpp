// Dropout in training.  In inference it is the identity: movement.cpp.  See shaders/nn/dropout.comp.
#include "nn/ops/emit.h"
#include "nn/ops/operators.h"

namespace deconv::nn {
namespace {

class TrainingDropout : public Operator {
  public:
    explicit TrainingDropout(const NodeContext& context)
        : ratio_(context.node.attributes.real("ratio", 0.5F)), node_(context.node.attributes.integer("node", 0)) {
        name_ = context.node.name;
        outputs_ = {context.shapes.at(0)};
        if (ratio_ < 0 || ratio_ >= 1) context.fail("its ratio is " + std::to_string(ratio_) + "; 0 to 1 is possible");
    }

    void forward(Emitter& emitter, const ForwardArguments& arguments) const override {
        run(emitter, arguments.inputs[0].slice, arguments.outputs[0].slice, arguments.inputs[1].slice, false);
    }
    void reverse(Emitter& emitter, const ReverseArguments& arguments) const override {
        run(emitter, arguments.output.slice, arguments.result.slice, arguments.inputs[1].slice, arguments.accumulate);
    }
    std::optional<std::string> reverse_refusal(std::size_t input) const override {
        if (input == 0) return std::nullopt;
        return "no signal goes to the random numbers of " + name_;
    }

  private:
    void run(Emitter& emitter, const gpu::Slice& from, const gpu::Slice& to, const gpu::Slice& step,
             bool accumulate) const {
        struct Push {
            std::uint32_t items, first, node;
            float ratio;
        };
        for_slices(elements(outputs_[0]), {4}, emitter.device().limits, [&](std::int64_t first, std::int64_t count) {
            const gpu::Slice part = floats(to, first, count);
            const Push push{static_cast<std::uint32_t>(count), static_cast<std::uint32_t>(first),
                            static_cast<std::uint32_t>(node_), ratio_};
            emitter.emit(linear_dispatch(
                emitter, "nn/dropout", push.items, push,
                {gpu::in(floats(from, first, count)), accumulate ? gpu::in_out(part) : gpu::out(part), gpu::in(step)},
                name_, {accumulate ? 1U : 0U}));
        });
    }

    float ratio_;
    std::int64_t node_;
};

}  // namespace

std::unique_ptr<Operator> make_training_dropout(const NodeContext& context) {
    return std::make_unique<TrainingDropout>(context);
}

}  // namespace deconv::nn
