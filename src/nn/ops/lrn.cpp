// Local response normalisation across channels.
#include "nn/ops/emit.h"
#include "nn/ops/operators.h"
#include "nn/ops/packed.h"

namespace deconv::nn {
namespace {

class LrnOperator : public Operator {
  public:
    explicit LrnOperator(const NodeContext& context) {
        name_ = context.node.name;
        const Shape& input = context.shapes.at(0);
        if (input.size() < 3) context.fail("its input has shape " + to_string(input) + "; (N, C, H, W) is supported");
        outputs_ = {input};
        const Attributes& attributes = context.node.attributes;
        size_ = attributes.integer("size", 0);
        if (size_ < 1) context.fail("size must be at least 1");
        alpha_ = attributes.real("alpha", 1e-4F);
        beta_ = attributes.real("beta", 0.75F);
        bias_ = attributes.real("bias", 1.0F);
    }

    Layouts layouts(const LayoutOffer& offer) const override {
        const auto bytes = static_cast<std::uint64_t>(elements(outputs_[0])) * 4;
        const bool takes = offer.layout == Layout::packed && runs_packed(offer.device) && size_ <= 9 &&
                           !differentiated(offer.rule, offer.lrn) && bytes <= offer.device.limits.storage_range &&
                           gpu::prefers_texels(offer.device, {{{}, 0, bytes}});
        return takes ? Layouts::alike : Layouts::dense;
    }

    void forward(Emitter& emitter, const ForwardArguments& arguments) const override {
        if (arguments.inputs[0].layout == Layout::packed) {
            const Push push = push_of(elements(outputs_[0]) / 4);
            gpu::Dispatch dispatch = linear_dispatch(
                emitter, "nn/lrn.forward.packed", push.items, push,
                {gpu::in_texels(arguments.inputs[0].slice, gpu::Texels::rgba32f), gpu::out(arguments.outputs[0].slice)},
                name_);
            dispatch.flops *= 8.0 * static_cast<double>(size_);
            emitter.emit(std::move(dispatch));
            return;
        }
        run(emitter, "nn/lrn.forward", outputs_[0][0], false, arguments.inputs[0].slice, arguments.outputs[0].slice,
            {});
    }

    Needs needs(std::size_t /*input*/, Rule rule, LrnReverse lrn) const override {
        return {differentiated(rule, lrn) ? 1U : 0U, 0};
    }

    void reverse(Emitter& emitter, const ReverseArguments& arguments) const override {
        const std::int64_t copies = arguments.output.copies;
        if (!differentiated(arguments.rule, arguments.lrn)) {
            emit_copy(emitter, arguments.output.slice, arguments.result.slice, elements(outputs_[0]) * copies,
                      arguments.accumulate, name_ + " reverse");
            return;
        }
        run(emitter, "nn/lrn.reverse", outputs_[0][0] * copies, arguments.accumulate, arguments.inputs[0].slice,
            arguments.result.slice, arguments.output.slice);
    }

  private:
    struct Push {
        std::uint32_t items, first, period;
        std::int32_t channels;
        std::uint32_t plane;
        std::int32_t below, above;
        float alpha_over_size, beta, bias;
        std::uint32_t accumulate;
    };
    /// Of the whole tensor, forward.
    Push push_of(std::int64_t items) const {
        const Shape& shape = outputs_[0];
        return {u(items),
                0,
                u(elements(shape)),
                i(shape[1]),
                u(elements(shape) / shape[0] / shape[1]),
                i((size_ - 1) / 2),
                i(size_ / 2),
                alpha_ / static_cast<float>(size_),
                beta_,
                bias_,
                0};
    }

    static bool differentiated(Rule rule, LrnReverse lrn) {
        return rule == Rule::gradient || lrn == LrnReverse::derivative;
    }

    void run(Emitter& emitter, std::string_view shader, std::int64_t images, bool accumulate, const gpu::Slice& x,
             const gpu::Slice& to, const gpu::Slice& signal) const {
        const std::int64_t image = elements(outputs_[0]) / outputs_[0][0];
        for_slices(images, {image * 4}, emitter.device().limits, [&](std::int64_t first, std::int64_t count) {
            const std::int64_t items = count * image;
            const gpu::Slice part = floats(to, first * image, items);
            // Forward, x is cut as y is; on the way back the copies of R share one x.
            Push push = push_of(items);
            push.first = signal ? u(first * image) : 0;
            push.accumulate = accumulate ? 1 : 0;
            std::vector<gpu::Binding> bindings{gpu::in(signal ? x : floats(x, first * image, items)),
                                               accumulate ? gpu::in_out(part) : gpu::out(part)};
            bindings.push_back(signal ? gpu::in(floats(signal, first * image, items)) : bindings[0]);
            std::string_view variant = shader;
            if (gpu::prefers_texels(emitter.device(), {bindings[0].slice, bindings[2].slice})) {
                variant = signal ? "nn/lrn.reverse.texels" : "nn/lrn.forward.texels";
                bindings[0].texels = bindings[2].texels = gpu::Texels::r32f;
            }
            gpu::Dispatch dispatch = linear_dispatch(emitter, variant, push.items, push, std::move(bindings), name_);
            dispatch.flops *= 2.0 * static_cast<double>(signal ? size_ * size_ : size_);
            emitter.emit(std::move(dispatch));
        });
    }

    std::int64_t size_ = 5;
    float alpha_ = 0, beta_ = 0, bias_ = 0;
};

}  // namespace

std::unique_ptr<Operator> make_lrn(const NodeContext& context) {
    return std::make_unique<LrnOperator>(context);
}

}  // namespace deconv::nn
