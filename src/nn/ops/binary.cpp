// Add, Sub, Mul, Div, PRelu, and Sum of any number of tensors, with numpy's broadcasting.
#include "nn/ops/emit.h"
#include "nn/ops/operators.h"

namespace deconv::nn {
namespace {

// As in the shader.
enum class Function : std::uint32_t { add, sub, mul, div, prelu };

using Four = std::array<std::uint32_t, 4>;

Shape broadcast(const NodeContext& context, const Shape& a, const Shape& b) {
    Shape result(std::max(a.size(), b.size()), 1);
    for (std::size_t i = 0; i < result.size(); ++i) {
        const std::int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1;
        const std::int64_t y = i < b.size() ? b[b.size() - 1 - i] : 1;
        if (x != y && x != 1 && y != 1) context.fail("shapes " + to_string(a) + " and " + to_string(b) + " do not fit");
        result[result.size() - 1 - i] = x == 1 ? y : x;
    }
    return result;
}

/// Steps of a tensor within a larger one it is broadcast to.
Four broadcast_steps(const Four& sizes) {
    Four result = steps(sizes);
    for (std::size_t i = 0; i < 4; ++i) {
        if (sizes.at(i) == 1) result.at(i) = 0;
    }
    return result;
}

/// destination = function(a, b), through the activation.
void emit_binary(Emitter& emitter, Function function, const Tensor& a, const Tensor& b, const Tensor& to,
                 const std::string& name, Activation activation = Activation::none) {
    struct Push {
        std::uint32_t items;
        Four size, step_a, step_b;
        std::uint32_t relu;
    };
    const Push push{static_cast<std::uint32_t>(elements(to.shape)), four(to.shape, name),
                    broadcast_steps(four(a.shape, name)), broadcast_steps(four(b.shape, name)),
                    activation == Activation::relu ? 1U : 0U};
    if (a.shape == to.shape && b.shape == to.shape && push.items % 4 == 0 &&
        gpu::prefers_texels(emitter.device(), {a.slice, b.slice})) {
        Push same = push;
        same.items /= 4;
        emitter.emit(linear_dispatch(emitter, "nn/binary.same", same.items, same,
                                     {gpu::in_texels(a.slice, gpu::Texels::rgba32f),
                                      gpu::in_texels(b.slice, gpu::Texels::rgba32f), gpu::out(to.slice)},
                                     name, {static_cast<std::uint32_t>(function), 0}));
        return;
    }
    emitter.emit(linear_dispatch(emitter, "nn/binary.forward", push.items, push,
                                 {gpu::in(a.slice), gpu::in(b.slice), gpu::out(to.slice)}, name,
                                 {static_cast<std::uint32_t>(function), 0}));
}

/// The way back to one input of `function`; `other` is the other input, `self` this one (PRelu).
void emit_binary_reverse(Emitter& emitter, Function function, const ReverseArguments& arguments, const Shape& output,
                         const Shape& own, const Tensor& other, const gpu::Slice& self, const std::string& name) {
    struct Push {
        std::uint32_t items;
        Four size, sum, step_signal, step_other;
        std::uint32_t copy_signal, second, accumulate;
    };
    const Four size = four(own, name);
    const Four out = four(output, name);
    Four sum{1, 1, 1, 1};
    for (std::size_t i = 0; i < 4; ++i) {
        if (size.at(i) == 1) sum.at(i) = out.at(i);
    }
    const std::int64_t one = elements(own);
    const bool handed_on = function == Function::add || (function == Function::sub && arguments.input == 0);
    if (handed_on && own == output) {
        emit_copy(emitter, arguments.output.slice, arguments.result.slice, one * arguments.output.copies,
                  arguments.accumulate, name + " reverse");
        return;
    }
    const auto run = [&](std::int64_t first, std::int64_t count) {
        const gpu::Slice to = floats(arguments.result.slice, first * one, count * one);
        const Push push{static_cast<std::uint32_t>(count * one),
                        size,
                        sum,
                        steps(out),
                        broadcast_steps(four(other.shape, name)),
                        static_cast<std::uint32_t>(elements(output)),
                        arguments.input > 0 ? 1U : 0U,
                        arguments.accumulate ? 1U : 0U};
        emitter.emit(linear_dispatch(
            emitter, "nn/binary.reverse", push.items, push,
            {gpu::in(floats(arguments.output.slice, first * elements(output), count * elements(output))),
             gpu::in(other.slice ? other.slice : emitter.unused()), gpu::in(self ? self : emitter.unused()),
             arguments.accumulate ? gpu::in_out(to) : gpu::out(to)},
            name + " reverse", {static_cast<std::uint32_t>(function), static_cast<std::uint32_t>(arguments.rule)}));
    };
    for_slices(arguments.output.copies, {elements(output) * 4, one * 4}, emitter.device().limits, run);
}

class BinaryOperator : public Operator {
  public:
    BinaryOperator(const NodeContext& context, Function function, Shape output)
        : function_(function), shapes_{context.shapes[0], context.shapes[1]} {
        name_ = context.node.name;
        outputs_ = {std::move(output)};
        for (std::size_t i = 0; i < 2; ++i) {
            if (context.constants[i] != nullptr) constants_.at(i) = context.weights(i, "constant operand");
        }
    }

    void forward(Emitter& emitter, const ForwardArguments& arguments) const override {
        emit_binary(emitter, function_, operand(emitter, 0, arguments.inputs), operand(emitter, 1, arguments.inputs),
                    arguments.outputs[0], name_, arguments.activation);
    }
    bool fuses_activation() const override { return true; }

    std::optional<std::string> reverse_refusal(std::size_t input) const override {
        if (input == 0 || function_ == Function::add || function_ == Function::sub || function_ == Function::mul) {
            return std::nullopt;
        }
        return function_ == Function::div ? "a divisor carries no signal back" : "a slope carries no signal back";
    }

    Layouts layouts(const LayoutOffer& offer) const override {
        const bool alike =
            offer.layout == Layout::packed && shapes_[0] == shapes_[1] && !constants_[0] && !constants_[1];
        return alike ? Layouts::alike : Layouts::dense;
    }
    Needs needs(std::size_t input, Rule /*rule*/, LrnReverse /*lrn*/) const override {
        Needs needs;
        const std::size_t other = 1 - input;
        const bool uses_other = function_ != Function::add && function_ != Function::sub;
        if (uses_other && !constants_.at(other)) needs.inputs |= 1U << other;
        if (function_ == Function::prelu) needs.inputs |= 1U;
        return needs;
    }

    void reverse(Emitter& emitter, const ReverseArguments& arguments) const override {
        const std::size_t i = arguments.input;
        emit_binary_reverse(emitter, function_, arguments, outputs_[0], shapes_.at(i),
                            operand(emitter, 1 - i, arguments.inputs),
                            function_ == Function::prelu ? arguments.inputs[0].slice : gpu::Slice{}, name_);
    }

    std::int64_t parameters() const override {
        std::int64_t count = 0;
        for (const auto& constant : constants_) count += constant ? elements(constant->shape) : 0;
        return count;
    }

  private:
    Tensor operand(Emitter& emitter, std::size_t i, const std::vector<Tensor>& inputs) const {
        if (constants_.at(i)) return {emitter.constant(*constants_.at(i)), shapes_.at(i)};
        return {inputs[i].slice, shapes_.at(i)};
    }

    Function function_;
    std::array<Shape, 2> shapes_;
    std::array<std::optional<HostTensor>, 2> constants_;
};

class SumOperator : public Operator {
  public:
    SumOperator(const NodeContext& context, Shape output) : shapes_(context.shapes) {
        name_ = context.node.name;
        outputs_ = {std::move(output)};
        for (std::size_t i = 0; i < context.inputs(); ++i) {
            constants_.emplace_back();
            if (context.constants[i] != nullptr) constants_.back() = context.weights(i, "constant operand");
        }
    }

    void forward(Emitter& emitter, const ForwardArguments& arguments) const override {
        const auto operand = [&](std::size_t i) {
            return Tensor{constants_[i] ? emitter.constant(*constants_[i]) : arguments.inputs[i].slice, shapes_[i]};
        };
        // The first two into the output (a broadcast first operand alone would not fill it), then the rest on top.
        const Tensor& to = arguments.outputs[0];
        static const HostTensor zero = HostTensor::of({1}, std::vector<float>{0.0F});
        emit_binary(emitter, Function::add, operand(0),
                    shapes_.size() > 1 ? operand(1) : Tensor{emitter.constant(zero), zero.shape}, to, name_);
        for (std::size_t i = 2; i < shapes_.size(); ++i) emit_binary(emitter, Function::add, to, operand(i), to, name_);
    }

    void reverse(Emitter& emitter, const ReverseArguments& arguments) const override {
        emit_binary_reverse(emitter, Function::add, arguments, outputs_[0], shapes_[arguments.input],
                            {{}, shapes_[arguments.input]}, {}, name_);
    }

    Layouts layouts(const LayoutOffer& offer) const override {
        if (offer.layout != Layout::packed) return Layouts::dense;
        for (std::size_t i = 0; i < shapes_.size(); ++i) {
            if (shapes_[i] != outputs_[0] || constants_[i]) return Layouts::dense;
        }
        return Layouts::alike;
    }

  private:
    std::vector<Shape> shapes_;
    std::vector<std::optional<HostTensor>> constants_;
};

}  // namespace

void emit_broadcast_reverse(Emitter& emitter, const ReverseArguments& arguments, const Shape& output, const Shape& own,
                            const HostTensor& factor, const std::string& name) {
    emit_binary_reverse(emitter, Function::mul, arguments, output, own, {emitter.constant(factor), factor.shape}, {},
                        name);
}

std::unique_ptr<Operator> make_binary(const NodeContext& context) {
    static const std::map<std::string_view, Function> functions = {{"Add", Function::add},
                                                                   {"Sub", Function::sub},
                                                                   {"Mul", Function::mul},
                                                                   {"Div", Function::div},
                                                                   {"PRelu", Function::prelu}};
    if (context.inputs() != 2) context.fail("it needs two inputs");
    const Function function = functions.at(context.node.op);
    Shape output = broadcast(context, context.shapes[0], context.shapes[1]);
    if (function == Function::prelu && output != context.shapes[0]) {
        context.fail("slope " + to_string(context.shapes[1]) + " does not fit " + to_string(context.shapes[0]));
    }
    return std::make_unique<BinaryOperator>(context, function, std::move(output));
}

std::unique_ptr<Operator> make_sum(const NodeContext& context) {
    Shape output = context.shapes.at(0);
    for (const Shape& shape : context.shapes) output = broadcast(context, output, shape);
    return std::make_unique<SumOperator>(context, std::move(output));
}

}  // namespace deconv::nn
