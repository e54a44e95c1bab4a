// Operators that only move data: Concat, Transpose, Slice, Pad, and those that give a tensor another shape.
// Their reverse is the inverse movement.
#include <numeric>

#include "nn/ops/emit.h"
#include "nn/ops/operators.h"

namespace deconv::nn {
namespace {

std::int64_t positive_axis(const NodeContext& context, std::int64_t axis, std::size_t rank) {
    const auto r = static_cast<std::int64_t>(rank);
    if (axis < -r || axis >= r)
        context.fail("axis " + std::to_string(axis) + " does not fit rank " + std::to_string(r));
    return axis < 0 ? axis + r : axis;
}

std::vector<std::int64_t> row_major_steps(const Shape& shape) {
    std::vector<std::int64_t> steps(shape.size(), 1);
    for (std::size_t d = shape.size(); d-- > 1;) steps[d - 1] = steps[d] * shape[d];
    return steps;
}

/// The same elements in the same order under another shape.
class ViewOperator : public Operator {
  public:
    ViewOperator(const NodeContext& context, Shape output) {
        name_ = context.node.name;
        if (elements(output) != elements(context.shapes.at(0))) {
            context.fail("shape " + to_string(context.shapes[0]) + " cannot become " + to_string(output));
        }
        same_shape_ = output == context.shapes[0];
        outputs_ = {std::move(output)};
    }
    bool is_view() const override { return true; }
    Layouts layouts(const LayoutOffer& offer) const override {
        return same_shape_ && offer.layout == Layout::packed ? Layouts::alike : Layouts::dense;
    }
    void forward(Emitter& emitter, const ForwardArguments& arguments) const override {
        emit_copy(emitter, arguments.inputs[0].slice, arguments.outputs[0].slice, elements(outputs_[0]), false, name_);
    }
    void reverse(Emitter& emitter, const ReverseArguments& arguments) const override {
        emit_copy(emitter, arguments.output.slice, arguments.result.slice,
                  elements(outputs_[0]) * arguments.output.copies, arguments.accumulate, name_ + " reverse");
    }

  private:
    bool same_shape_ = false;
};

class ConcatOperator : public Operator {
  public:
    explicit ConcatOperator(const NodeContext& context) {
        name_ = context.node.name;
        const Shape& first = context.shapes.at(0);
        // Operator sets before 4 had a default; all since 7 require the attribute.
        axis_ = positive_axis(context, context.node.attributes.integer("axis", 1), first.size());
        const auto a = static_cast<std::size_t>(axis_);
        Shape output = first;
        output[a] = 0;
        for (std::size_t i = 0; i < context.inputs(); ++i) {
            Shape rest = context.shapes[i];
            if (rest.size() != first.size()) context.fail("its inputs differ in rank");
            starts_.push_back(output[a]);
            sizes_.push_back(rest[a]);
            output[a] += rest[a];
            rest[a] = first[a];
            if (rest != first) {
                context.fail("its inputs " + to_string(first) + " and " + to_string(context.shapes[i]) + " do not fit");
            }
            constants_.emplace_back();
            if (context.constants[i] != nullptr) constants_.back() = context.weights(i, "constant operand");
        }
        outer_ = std::accumulate(first.begin(), first.begin() + axis_, std::int64_t{1}, std::multiplies<>());
        inner_ = std::accumulate(first.begin() + axis_ + 1, first.end(), std::int64_t{1}, std::multiplies<>());
        total_ = output[a];
        outputs_ = {std::move(output)};
    }

    std::optional<std::int64_t> part_of_output(std::size_t i) const override {
        if (outer_ != 1) return std::nullopt;
        return starts_[i] * inner_;
    }
    std::optional<std::int64_t> same_channels(std::size_t i) const override {
        if (axis_ != 1) return std::nullopt;
        return starts_[i];
    }
    Layouts layouts(const LayoutOffer& offer) const override {
        const bool whole = offer.layout == Layout::packed && axis_ == 1 &&
                           std::all_of(sizes_.begin(), sizes_.end(), [](auto n) { return n % 4 == 0; }) &&
                           std::none_of(constants_.begin(), constants_.end(), [](const auto& c) { return c; });
        return whole ? Layouts::alike : Layouts::dense;
    }

    void forward(Emitter& emitter, const ForwardArguments& arguments) const override {
        for (std::size_t i = 0; i < sizes_.size(); ++i) {
            // Written in place by whoever made it.
            if (!constants_[i] && outer_ == 1 && is_in_place(i, arguments)) continue;
            const gpu::Slice from = constants_[i] ? emitter.constant(*constants_[i]) : arguments.inputs[i].slice;
            move(emitter, i, outer_, from, arguments.outputs[0].slice, true, false);
        }
    }

    void reverse(Emitter& emitter, const ReverseArguments& arguments) const override {
        for_slices(arguments.output.copies, {elements(outputs_[0]) * 4, elements(arguments.result.shape) * 4},
                   emitter.device().limits, [&](std::int64_t first, std::int64_t count) {
                       const std::int64_t whole = elements(outputs_[0]);
                       const std::int64_t part = elements(arguments.result.shape);
                       move(emitter, arguments.input, outer_ * count,
                            floats(arguments.result.slice, first * part, count * part),
                            floats(arguments.output.slice, first * whole, count * whole), false, arguments.accumulate);
                   });
    }

  private:
    bool is_in_place(std::size_t i, const ForwardArguments& arguments) const {
        const gpu::Slice& part = arguments.inputs[i].slice;
        const gpu::Slice& whole = arguments.outputs[0].slice;
        return part.buffer == whole.buffer &&
               part.offset == whole.offset + static_cast<std::uint64_t>(starts_[i] * inner_) * 4;
    }

    /// Between input i (`part`) and its place in the output (`whole`).
    void move(Emitter& emitter, std::size_t i, std::int64_t outer, const gpu::Slice& part, const gpu::Slice& whole,
              bool to_whole, bool accumulate) const {
        const auto run = static_cast<std::int32_t>(sizes_[i] * inner_);
        const auto row = static_cast<std::int32_t>(total_ * inner_);
        const auto start = static_cast<std::int32_t>(starts_[i] * inner_);
        if (!accumulate) {
            const gpu::Slice rows = floats(whole, start, (outer - 1) * row + run);
            const auto bytes = [](std::int32_t count) { return static_cast<std::uint64_t>(count) * 4; };
            emitter.copy({to_whole ? part : rows, to_whole ? rows : part, static_cast<std::uint32_t>(outer), bytes(run),
                          bytes(to_whole ? run : row), bytes(to_whole ? row : run)},
                         name_);
            return;
        }
        Move move;  // on the way back
        move.size = {1, 1, static_cast<std::uint32_t>(outer), static_cast<std::uint32_t>(run)};
        move.step_source = {0, 0, row, 1};
        move.step_destination = {0, 0, run, 1};
        move.accumulate = true;
        if (outer == 1 && start % 64 == 0) {
            // One image: the part is a dense range of the whole, and binding just that lets the parts run at once.
            emit_move(emitter, floats(whole, start, run), part, move, name_);
            return;
        }
        move.first_source = start;
        emit_move(emitter, whole, part, move, name_);
    }

    std::int64_t axis_ = 0, outer_ = 1, inner_ = 1, total_ = 0;
    std::vector<std::int64_t> starts_, sizes_;
    std::vector<std::optional<HostTensor>> constants_;
};

/// A box of the input by steps: Transpose and Slice.
class BoxOperator : public Operator {
  public:
    /// Output element (i, j, …) is input element first + i·step[0] + j·step[1] + …; `partial`: not all of the input is
    /// taken.  `fields` are the receptive fields of rows and columns.
    BoxOperator(const NodeContext& context, Shape output, std::int64_t first, const std::vector<std::int64_t>& step,
                bool partial, const std::array<Field, 2>& fields)
        : input_(context.shapes.at(0)), first_(first), partial_(partial), fields_(fields) {
        name_ = context.node.name;
        outputs_ = {std::move(output)};
        find_axes(step);
    }

    void forward(Emitter& emitter, const ForwardArguments& arguments) const override {
        run(emitter, arguments.inputs[0].slice, arguments.outputs[0].slice, true, 1, false, name_);
    }

    void reverse(Emitter& emitter, const ReverseArguments& arguments) const override {
        const std::int64_t copies = arguments.result.copies;
        if (partial_ && !arguments.accumulate) {
            emit_zeros(emitter, arguments.result.slice, elements(input_) * copies, name_ + " clear");
        }
        for_slices(copies, {elements(input_) * 4, elements(outputs_[0]) * 4}, emitter.device().limits,
                   [&](std::int64_t first, std::int64_t count) {
                       run(emitter, copies_of(arguments.output, first, count),
                           copies_of(arguments.result, first, count), false, count, arguments.accumulate,
                           name_ + " reverse");
                   });
    }

    Field field(int axis) const override { return fields_.at(static_cast<std::size_t>(axis)); }

  private:
    struct Axis {
        std::int64_t size, in, out;  // steps in the input and in the output
    };

    /// Neighbouring axes that stay neighbours are one.  The shader knows four; beyond, the shortest are run through
    /// here.
    void find_axes(const std::vector<std::int64_t>& step) {
        const Shape& output = outputs_[0];
        std::int64_t out = elements(output);
        for (std::size_t d = 0; d < output.size(); ++d) {
            if (out > 0) out /= output[d];
            if (output[d] == 1) continue;
            if (!inner_.empty() && inner_.back().in == step[d] * output[d]) {
                inner_.back() = {inner_.back().size * output[d], step[d], out};
            } else {
                inner_.push_back({output[d], step[d], out});
            }
        }
        while (inner_.size() > 4) {
            const auto shortest = std::min_element(inner_.begin(), inner_.end(),
                                                   [](const Axis& a, const Axis& b) { return a.size < b.size; });
            outer_.push_back(*shortest);
            inner_.erase(shortest);
        }
    }

    void run(Emitter& emitter, const gpu::Slice& from, const gpu::Slice& to, bool forward, std::int64_t copies,
             bool accumulate, const std::string& label) const {
        std::int64_t runs = 1;
        for (const Axis& axis : outer_) runs *= axis.size;
        const auto i = [](std::int64_t value) { return static_cast<std::int32_t>(value); };
        for (std::int64_t r = 0; r < runs; ++r) {
            std::int64_t rest = r;
            std::int64_t in = first_;
            std::int64_t out = 0;
            for (const Axis& axis : outer_) {
                in += rest % axis.size * axis.in;
                out += rest % axis.size * axis.out;
                rest /= axis.size;
            }
            Move move;
            for (std::size_t d = 0; d < inner_.size(); ++d) {
                move.size.at(d) = static_cast<std::uint32_t>(inner_[d].size);
                move.step_source.at(d) = i(forward ? inner_[d].in : inner_[d].out);
                move.step_destination.at(d) = i(forward ? inner_[d].out : inner_[d].in);
            }
            move.first_source = i(forward ? in : out);
            move.first_destination = i(forward ? out : in);
            move.copies = static_cast<std::uint32_t>(copies);
            move.copy_source = i(elements(forward ? input_ : outputs_[0]));
            move.copy_destination = i(elements(forward ? outputs_[0] : input_));
            move.accumulate = accumulate;
            emit_move(emitter, from, to, move, label);
        }
    }

    Shape input_;
    std::int64_t first_;
    std::vector<Axis> inner_, outer_;
    bool partial_;
    std::array<Field, 2> fields_;
};

class PadOperator : public Operator {
  public:
    PadOperator(const NodeContext& context, const std::vector<std::int64_t>& pads, std::uint32_t mode, float value)
        : mode_(mode), value_(value) {
        name_ = context.node.name;
        const Shape& input = context.shapes.at(0);
        input_ = input;
        Shape output = input;
        const std::size_t rank = input.size();
        if (pads.size() != 2 * rank) context.fail("pads do not fit rank " + std::to_string(rank));
        const auto check = four(input, name_);
        static_cast<void>(check);
        for (std::size_t d = 0; d < rank; ++d) {
            output[d] += pads[d] + pads[rank + d];
            begin_.at(4 - rank + d) = static_cast<std::int32_t>(pads[d]);
            if (mode == 1 && (pads[d] >= input[d] || pads[rank + d] >= input[d])) {
                context.fail("a reflection of " + std::to_string(std::max(pads[d], pads[rank + d])) +
                             " does not fit a size of " + std::to_string(input[d]));
            }
        }
        outputs_ = {std::move(output)};
    }

    void forward(Emitter& emitter, const ForwardArguments& arguments) const override {
        emit(emitter, "nn/pad.forward", elements(outputs_[0]), false,
             {gpu::in(arguments.inputs[0].slice), gpu::out(arguments.outputs[0].slice)});
    }

    void reverse(Emitter& emitter, const ReverseArguments& arguments) const override {
        for_slices(arguments.result.copies, {elements(input_) * 4, elements(outputs_[0]) * 4}, emitter.device().limits,
                   [&](std::int64_t first, std::int64_t count) {
                       const gpu::Slice to = copies_of(arguments.result, first, count);
                       emit(emitter, "nn/pad.reverse", elements(input_) * count, arguments.accumulate,
                            {gpu::in(copies_of(arguments.output, first, count)),
                             arguments.accumulate ? gpu::in_out(to) : gpu::out(to)});
                   });
    }

    Field field(int axis) const override {
        return {1, 1, static_cast<double>(-begin_.at(static_cast<std::size_t>(axis) + 2)), false};
    }

  private:
    void emit(Emitter& emitter, std::string_view shader, std::int64_t items, bool accumulate,
              std::vector<gpu::Binding> bindings) const {
        struct Push {
            std::uint32_t items;
            std::array<std::uint32_t, 4> size, padded_size;
            std::array<std::int32_t, 4> begin;
            float value;
            std::uint32_t accumulate;
        };
        const Push push{static_cast<std::uint32_t>(items),
                        four(input_, name_),
                        four(outputs_[0], name_),
                        begin_,
                        value_,
                        accumulate ? 1U : 0U};
        emitter.emit(linear_dispatch(emitter, shader, push.items, push, std::move(bindings), name_, {mode_}));
    }

    Shape input_;
    std::array<std::int32_t, 4> begin_{};
    std::uint32_t mode_;  // as in the shader
    float value_;
};

/// Softmax is never crossed on the way back: a projection asked of its output starts at its input.
class SoftmaxOperator : public Operator {
  public:
    explicit SoftmaxOperator(const NodeContext& context) {
        name_ = context.node.name;
        const Shape& input = context.shapes.at(0);
        outputs_ = {input};
        const bool old = context.opset < 13;  // then everything from the axis on is one row
        const std::int64_t axis =
            positive_axis(context, context.node.attributes.integer("axis", old ? 1 : -1), input.size());
        const auto from = input.begin() + axis;
        const auto to = old ? input.end() : from + 1;
        outer_ = std::accumulate(input.begin(), from, std::int64_t{1}, std::multiplies<>());
        depth_ = std::accumulate(from, to, std::int64_t{1}, std::multiplies<>());
        inner_ = std::accumulate(to, input.end(), std::int64_t{1}, std::multiplies<>());
    }
    void forward(Emitter& emitter, const ForwardArguments& arguments) const override {
        struct Push {
            std::uint32_t rows, depth, inner;
        };
        const Push push{static_cast<std::uint32_t>(outer_ * inner_), static_cast<std::uint32_t>(depth_),
                        static_cast<std::uint32_t>(inner_)};
        emitter.emit(linear_dispatch(emitter, "nn/softmax", push.rows, push,
                                     {gpu::in(arguments.inputs[0].slice), gpu::in_out(arguments.outputs[0].slice)},
                                     name_));
    }
    std::optional<std::string> reverse_refusal(std::size_t /*input*/) const override {
        return "a Softmax is never crossed";
    }
    void reverse(Emitter& /*emitter*/, const ReverseArguments& /*arguments*/) const override {}

  private:
    std::int64_t outer_ = 1, depth_ = 1, inner_ = 1;
};

Shape reshaped(const NodeContext& context, const std::vector<std::int64_t>& wanted) {
    const Shape& input = context.shapes.at(0);
    Shape output;
    std::size_t open = wanted.size();
    const bool zero_is_zero = context.node.attributes.integer("allowzero", 0) != 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (wanted[i] == -1) open = i;
        if (wanted[i] == 0 && !zero_is_zero && i >= input.size())
            context.fail("shape " + to_string(wanted) + " does not fit");
        output.push_back(wanted[i] == -1 ? 1 : (wanted[i] == 0 && !zero_is_zero ? input[i] : wanted[i]));
    }
    if (open < output.size() && elements(output) > 0) output[open] = elements(input) / elements(output);
    return output;
}

}  // namespace

std::unique_ptr<Operator> make_view(const NodeContext& context) {
    const Shape& input = context.shapes.at(0);
    const std::string& op = context.node.op;
    Shape output = input;
    if (op == "Flatten") {
        std::int64_t axis = context.node.attributes.integer("axis", 1);
        if (axis < 0) axis += static_cast<std::int64_t>(input.size());
        if (axis < 0 || axis > static_cast<std::int64_t>(input.size()))
            context.fail("axis does not fit " + to_string(input));
        output = {1, 1};
        for (std::size_t i = 0; i < input.size(); ++i) output[static_cast<std::int64_t>(i) < axis ? 0 : 1] *= input[i];
    } else if (op == "Reshape") {
        output = reshaped(context, *context.constant(1, "shape").integers);
    } else if (op == "Squeeze") {
        std::vector<std::int64_t> axes = context.integers(1, "axes", 13, {});
        const bool all = axes.empty();
        for (std::int64_t& axis : axes) axis = positive_axis(context, axis, input.size());
        output.clear();
        for (std::size_t i = 0; i < input.size(); ++i) {
            const bool named = std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(i)) != axes.end();
            if (named && input[i] != 1)
                context.fail("a dimension of " + std::to_string(input[i]) + " cannot be squeezed");
            if (!(named || (all && input[i] == 1))) output.push_back(input[i]);
        }
    } else if (op == "Unsqueeze") {
        std::vector<std::int64_t> axes = context.integers(1, "axes", 13, {});
        const std::size_t rank = input.size() + axes.size();
        for (std::int64_t& axis : axes) axis = positive_axis(context, axis, rank);
        output.clear();
        std::size_t next = 0;
        for (std::size_t i = 0; i < rank; ++i) {
            const bool added = std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(i)) != axes.end();
            if (!added && next >= input.size()) context.fail("an axis is named twice");
            output.push_back(added ? 1 : input[next++]);
        }
    } else if (op == "Cast" && context.node.attributes.integer("to", 1) != 1) {
        context.fail("only a Cast to float32 is supported on the way of the image");
    } else if (op == "Dropout" && context.opset >= 12 && context.has(2) &&
               context.constant(2, "training_mode").integers->at(0) != 0) {
        context.fail("training_mode is not supported");
    }
    return std::make_unique<ViewOperator>(context, std::move(output));
}

std::unique_ptr<Operator> make_concat(const NodeContext& context) {
    return std::make_unique<ConcatOperator>(context);
}

std::unique_ptr<Operator> make_transpose(const NodeContext& context) {
    const Shape& input = context.shapes.at(0);
    std::vector<std::int64_t> order(input.size());
    std::iota(order.begin(), order.end(), 0);
    std::reverse(order.begin(), order.end());
    order = context.node.attributes.integers("perm", order);
    if (order.size() != input.size()) context.fail("perm does not fit " + to_string(input));
    const std::vector<std::int64_t> from = row_major_steps(input);
    Shape output;
    std::vector<std::int64_t> step;
    std::vector<bool> named(input.size(), false);
    // Where rows and columns go elsewhere, a position sees everything.
    std::array<Field, 2> fields{Field{2, 1, 0, true}, Field{2, 1, 0, true}};
    for (std::size_t d = 0; d < order.size(); ++d) {
        const auto axis = static_cast<std::size_t>(positive_axis(context, order[d], input.size()));
        if (named[axis]) context.fail("perm names an axis twice");
        named[axis] = true;
        output.push_back(input[axis]);
        step.push_back(from[axis]);
        if (axis == d && d + 2 >= order.size()) fields.at(d + 2 - order.size()) = Field{};
    }
    return std::make_unique<BoxOperator>(context, std::move(output), 0, step, false, fields);
}

std::unique_ptr<Operator> make_slice(const NodeContext& context) {
    const Shape& input = context.shapes.at(0);
    const auto starts = context.integers(1, "starts", 10, {});
    const auto ends = context.integers(2, "ends", 10, {});
    std::vector<std::int64_t> axes(starts.size());
    std::iota(axes.begin(), axes.end(), 0);
    axes = context.integers(3, "axes", 10, axes);
    const std::vector<std::int64_t> ones(starts.size(), 1);
    const auto strides = context.opset < 10 ? ones : context.integers(4, "steps", 10, ones);
    if (ends.size() != starts.size() || axes.size() != starts.size() || strides.size() != starts.size()) {
        context.fail("starts, ends, axes and steps differ in length");
    }
    std::vector<std::int64_t> step = row_major_steps(input);
    Shape output = input;
    std::int64_t first = 0;
    std::vector<bool> named(input.size(), false);
    std::array<Field, 2> fields;
    for (std::size_t i = 0; i < starts.size(); ++i) {
        const auto axis = static_cast<std::size_t>(positive_axis(context, axes[i], input.size()));
        if (named[axis]) context.fail("axes names an axis twice");
        named[axis] = true;
        const std::int64_t size = input[axis];
        const std::int64_t stride = strides[i];
        if (stride == 0) context.fail("a step of 0");
        const auto clamped = [&](std::int64_t at) {
            if (at < 0) at += size;
            return stride > 0 ? std::clamp<std::int64_t>(at, 0, size) : std::clamp<std::int64_t>(at, -1, size - 1);
        };
        const std::int64_t start = clamped(starts[i]);
        // "As far as it goes" backwards is given as a very small number, which clamps to −1.
        const std::int64_t end = clamped(ends[i]);
        // Longer steps than the axis take its first element only.
        const std::int64_t by = std::clamp<std::int64_t>(stride, -size - 1, size + 1);
        const std::int64_t span = by > 0 ? end - start : start - end;
        output[axis] = span <= 0 ? 0 : (span + std::abs(by) - 1) / std::abs(by);
        first += start * step[axis];
        step[axis] *= by;
        // Backwards, windows would begin at their ends: then a position counts as seeing everything.
        if (axis >= 2 && axis + 2 >= input.size()) {
            fields.at(axis + 2 - input.size()) =
                by > 0 ? Field{1, by, static_cast<double>(start)} : Field{size, 1, 0, true};
        }
    }
    return std::make_unique<BoxOperator>(context, std::move(output), first, step, true, fields);
}

std::unique_ptr<Operator> make_pad(const NodeContext& context) {
    const std::string mode = context.node.attributes.text("mode", "constant");
    std::uint32_t number = 0;
    if (mode == "reflect") {
        number = 1;
    } else if (mode == "edge") {
        number = 2;
    } else if (mode != "constant") {
        context.fail("mode \"" + mode + "\" is not supported (constant, reflect and edge are)");
    }
    float value = 0;
    if (context.opset < 11) {
        value = context.node.attributes.real("value", 0);
    } else if (context.has(2)) {
        value = context.weights(2, "value", 1).floats->at(0);
    }
    return std::make_unique<PadOperator>(context, context.integers(1, "pads", 11, {}), number, value);
}

std::unique_ptr<Operator> make_softmax(const NodeContext& context) {
    return std::make_unique<SoftmaxOperator>(context);
}

}  // namespace deconv::nn
