// Rectifiers and other functions of one element.  Rules on the way back: shaders/nn/unary.comp.
#include <limits>

#include "nn/ops/emit.h"
#include "nn/ops/operators.h"

namespace deconv::nn {
namespace {

// As in the shader.
enum class Function : std::uint32_t { relu, leaky_relu, clip_rectifier, clip, sigmoid, hard_sigmoid, hard_swish, tanh };

struct FunctionOfOne {
    Function function = Function::relu;
    float a = 0, b = 0;
};

/// Bindings: source, destination, x, all in that layout.
void emit_function(Emitter& emitter, std::string_view shader, Layout layout, const FunctionOfOne& function,
                   std::int64_t period, std::int64_t first, std::int64_t count, bool accumulate,
                   std::vector<gpu::Binding> bindings, Rule rule, const std::string& label) {
    struct Push {
        std::uint32_t items, first, period;
        float a, b;
        std::uint32_t accumulate;
    };
    const bool forward = shader == "nn/unary.forward";
    std::int64_t width = 1;  // elements an invocation
    if (layout == Layout::halves) {
        width = 4;
        shader = forward ? "nn/unary.forward.halves" : "nn/unary.reverse.halves";
    } else if (count % 4 == 0 && first % 4 == 0 && period % 4 == 0 &&
               gpu::prefers_texels(emitter.device(), {bindings[0].slice, bindings[2].slice})) {
        width = 4;
        shader = forward ? "nn/unary.forward.texels" : "nn/unary.reverse.texels";
        bindings[0].texels = bindings[2].texels = gpu::Texels::rgba32f;
    }
    const Push push{static_cast<std::uint32_t>(count / width),
                    static_cast<std::uint32_t>(first / width),
                    static_cast<std::uint32_t>(period / width),
                    function.a,
                    function.b,
                    accumulate ? 1U : 0U};
    emitter.emit(linear_dispatch(emitter, shader, push.items, push, std::move(bindings), label,
                                 {static_cast<std::uint32_t>(function.function), static_cast<std::uint32_t>(rule)}));
}

class UnaryOperator : public Operator {
  public:
    UnaryOperator(const NodeContext& context, Function function, float a, float b) : function_(function), a_(a), b_(b) {
        name_ = context.node.name;
        outputs_ = {context.shapes.at(0)};
    }

    std::optional<std::int64_t> same_channels(std::size_t /*i*/) const override { return 0; }
    Layouts layouts(const LayoutOffer& /*offer*/) const override { return Layouts::alike; }

    void forward(Emitter& emitter, const ForwardArguments& arguments) const override {
        const Layout layout = arguments.inputs[0].layout;
        for_slices(elements(outputs_[0]), {element_bytes(layout)}, emitter.device().limits,
                   [&](std::int64_t first, std::int64_t count) {
                       const gpu::Slice from = elements_of(arguments.inputs[0].slice, layout, first, count);
                       emit(emitter, "nn/unary.forward", layout, first, count, false,
                            {gpu::in(from), gpu::out(elements_of(arguments.outputs[0].slice, layout, first, count)),
                             gpu::in(from)},
                            Rule::deconv);
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
        const Layout layout = arguments.output.layout;
        for_slices(elements(outputs_[0]) * arguments.output.copies, {element_bytes(layout)}, emitter.device().limits,
                   [&](std::int64_t first, std::int64_t count) {
                       const gpu::Slice to = elements_of(arguments.result.slice, layout, first, count);
                       emit(emitter, "nn/unary.reverse", layout, first, count, arguments.accumulate,
                            {gpu::in(elements_of(arguments.output.slice, layout, first, count)),
                             arguments.accumulate ? gpu::in_out(to) : gpu::out(to), gpu::in(mask)},
                            arguments.rule);
                   });
    }

  private:
    void emit(Emitter& emitter, std::string_view shader, Layout layout, std::int64_t first, std::int64_t count,
              bool accumulate, std::vector<gpu::Binding> bindings, Rule rule) const {
        emit_function(emitter, shader, layout, {function_, a_, b_}, elements(outputs_[0]), first, count, accumulate,
                      std::move(bindings), rule, name_);
    }

    Function function_;
    float a_, b_;
};

}  // namespace

void emit_rectifier(Emitter& emitter, Layout layout, const gpu::Slice& from, const gpu::Slice& to, std::int64_t count,
                    std::int64_t first, const Rectifier& rectifier, bool accumulate, const std::string& label) {
    const gpu::Slice x = rectifier.x ? rectifier.x : emitter.unused();
    emit_function(emitter, "nn/unary.reverse", layout, {}, rectifier.items, first, count, accumulate,
                  {gpu::in(from), accumulate || from.offset == to.offset ? gpu::in_out(to) : gpu::out(to), gpu::in(x)},
                  rectifier.rule, label);
}

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
