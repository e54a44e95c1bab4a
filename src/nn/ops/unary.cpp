// Rectifiers and other functions of one element.  Rules on the way back: shaders/nn/unary.comp.
#include <limits>

#include "nn/ops/emit.h"
#include "nn/ops/operators.h"

namespace deconv::nn {
namespace {

// As in the shader.
enum class Function : std::uint32_t { relu, leaky_relu, clip_rectifier, clip, sigmoid, hard_sigmoid, hard_swish, tanh };

class UnaryOperator : public Operator {
  public:
    UnaryOperator(const NodeContext& context, Function function, float a, float b) : function_(function), a_(a), b_(b) {
        name_ = context.node.name;
        outputs_ = {context.shapes.at(0)};
    }

    void forward(Emitter& emitter, const ForwardArguments& arguments) const override {
        const gpu::Slice& from = arguments.inputs[0].slice;
        const gpu::Slice& to = arguments.outputs[0].slice;
        for_slices(elements(outputs_[0]), {4}, emitter.device().limits, [&](std::int64_t first, std::int64_t count) {
            emit(emitter, "nn/unary.forward", first, count, false,
                 {gpu::in(floats(from, first, count)), gpu::out(floats(to, first, count))}, Rule::deconv);
        });
    }

    Needs needs(std::size_t /*input*/, Rule rule, LrnReverse /*lrn*/) const override {
        // Relu's output is positive exactly where its input is, and costs no extra memory to keep.
        if (function_ == Function::relu) return rule == Rule::deconv ? Needs{} : Needs{0, 1};
        if (function_ == Function::clip_rectifier && rule == Rule::deconv) return {};
        return {1, 0};
    }

    void reverse(Emitter& emitter, const ReverseArguments& arguments) const override {
        const Tensor& x = function_ == Function::relu ? arguments.outputs[0] : arguments.inputs[0];
        const gpu::Slice mask = x ? x.slice : emitter.unused();
        for_slices(elements(outputs_[0]) * arguments.output.copies, {4}, emitter.device().limits,
                   [&](std::int64_t first, std::int64_t count) {
                       const gpu::Slice to = floats(arguments.result.slice, first, count);
                       emit(emitter, "nn/unary.reverse", first, count, arguments.accumulate,
                            {gpu::in(floats(arguments.output.slice, first, count)),
                             arguments.accumulate ? gpu::in_out(to) : gpu::out(to), gpu::in(mask)},
                            arguments.rule);
                   });
    }

  private:
    void emit(Emitter& emitter, std::string_view shader, std::int64_t first, std::int64_t count, bool accumulate,
              std::vector<gpu::Binding> bindings, Rule rule) const {
        struct Push {
            std::uint32_t items, first, period;
            float a, b;
            std::uint32_t accumulate;
        };
        const Push push{static_cast<std::uint32_t>(count),
                        static_cast<std::uint32_t>(first),
                        static_cast<std::uint32_t>(elements(outputs_[0])),
                        a_,
                        b_,
                        accumulate ? 1U : 0U};
        emitter.emit(linear_dispatch(emitter, shader, static_cast<std::uint64_t>(count), push, std::move(bindings),
                                     name_, {static_cast<std::uint32_t>(function_), static_cast<std::uint32_t>(rule)}));
    }

    Function function_;
    float a_, b_;
};

}  // namespace

std::unique_ptr<Operator> make_unary(const NodeContext& context) {
    const Attributes& attributes = context.node.attributes;
    const std::string& op = context.node.op;
    const auto made = [&](Function function, float a = 0, float b = 0) {
        return std::make_unique<UnaryOperator>(context, function, a, b);
    };
    if (op == "Relu") return made(Function::relu);
    if (op == "LeakyRelu") return made(Function::leaky_relu, attributes.real("alpha", 0.01F));
    if (op == "Sigmoid") return made(Function::sigmoid);
    if (op == "Tanh") return made(Function::tanh);
    if (op == "HardSwish") return made(Function::hard_swish);
    if (op == "HardSigmoid") {
        return made(Function::hard_sigmoid, attributes.real("alpha", 0.2F), attributes.real("beta", 0.5F));
    }
    float low = std::numeric_limits<float>::lowest();
    float high = std::numeric_limits<float>::max();
    if (context.opset < 11) {
        low = attributes.real("min", low);
        high = attributes.real("max", high);
    } else {
        if (context.has(1)) low = context.weights(1, "min", 1).floats->at(0);
        if (context.has(2)) high = context.weights(2, "max", 1).floats->at(0);
    }
    return made(low >= 0 ? Function::clip_rectifier : Function::clip, low, high);
}

}  // namespace deconv::nn
