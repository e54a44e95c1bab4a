// AveragePool, GlobalAveragePool, and ReduceMean (an average over one whole window).
#include <numeric>

#include "nn/ops/emit.h"
#include "nn/ops/operators.h"

namespace deconv::nn {
namespace {

class AveragePoolOperator : public Operator {
  public:
    /// `planes` planes of `in` are averaged to planes of `out`.
    AveragePoolOperator(const NodeContext& context, const Window& window, std::int64_t planes, Plane in, Plane out,
                        bool count_padding, Shape output, const std::array<Field, 2>& fields)
        : window_(window), planes_(planes), in_(in), out_(out), count_padding_(count_padding), fields_(fields) {
        name_ = context.node.name;
        outputs_ = {std::move(output)};
    }

    void forward(Emitter& emitter, const ForwardArguments& arguments) const override {
        run(emitter, "nn/average_pool.forward", planes_, in_, out_, arguments.inputs[0].slice,
            arguments.outputs[0].slice, false);
    }

    void reverse(Emitter& emitter, const ReverseArguments& arguments) const override {
        run(emitter, "nn/average_pool.reverse", planes_ * arguments.output.copies, out_, in_, arguments.output.slice,
            arguments.result.slice, arguments.accumulate);
    }

    Field field(int axis) const override { return fields_.at(static_cast<std::size_t>(axis)); }

  private:
    void run(Emitter& emitter, std::string_view shader, std::int64_t planes, Plane from, Plane to,
             const gpu::Slice& source, const gpu::Slice& destination, bool accumulate) const {
        struct Push {
            std::uint32_t items;
            std::int32_t height, width, out_height, out_width;
            std::int32_t kernel_y, kernel_x, stride_y, stride_x, pad_y, pad_x, pad_y_end, pad_x_end;
            std::uint32_t count_padding, accumulate;
        };
        const auto i = [](std::int64_t v) { return static_cast<std::int32_t>(v); };
        for_slices(planes, {from.size() * 4, to.size() * 4}, emitter.device().limits,
                   [&](std::int64_t first, std::int64_t count) {
                       const std::int64_t items = count * to.size();
                       const gpu::Slice result = floats(destination, first * to.size(), items);
                       const Push push{static_cast<std::uint32_t>(items),
                                       i(in_.height),
                                       i(in_.width),
                                       i(out_.height),
                                       i(out_.width),
                                       i(window_.kernel[0]),
                                       i(window_.kernel[1]),
                                       i(window_.stride[0]),
                                       i(window_.stride[1]),
                                       i(window_.begin[0]),
                                       i(window_.begin[1]),
                                       i(window_.end[0]),
                                       i(window_.end[1]),
                                       count_padding_ ? 1U : 0U,
                                       accumulate ? 1U : 0U};
                       emitter.emit(linear_dispatch(emitter, shader, static_cast<std::uint64_t>(items), push,
                                                    {gpu::in(floats(source, first * from.size(), count * from.size())),
                                                     accumulate ? gpu::in_out(result) : gpu::out(result)},
                                                    name_));
                   });
    }

    Window window_;
    std::int64_t planes_;
    Plane in_, out_;
    bool count_padding_;
    std::array<Field, 2> fields_;
};

/// ReduceMean over neighbouring axes is an average over the middle one of (outer, middle, inner).
std::unique_ptr<Operator> make_reduce_mean(const NodeContext& context) {
    const Shape& input = context.shapes.at(0);
    const auto rank = static_cast<std::int64_t>(input.size());
    std::vector<std::int64_t> all(input.size());
    std::iota(all.begin(), all.end(), 0);
    std::vector<std::int64_t> axes = context.node.attributes.integers("axes", all);
    for (std::int64_t& axis : axes) {
        if (axis < -rank || axis >= rank)
            context.fail("axis " + std::to_string(axis) + " does not fit " + to_string(input));
        if (axis < 0) axis += rank;
    }
    std::sort(axes.begin(), axes.end());
    for (std::size_t i = 1; i < axes.size(); ++i) {
        if (axes[i] != axes[i - 1] + 1) context.fail("its axes are not neighbours");
    }
    std::int64_t outer = 1;
    Plane plane;
    Shape output;
    const bool keep = context.node.attributes.integer("keepdims", 1) != 0;
    // Rows and columns are the last two of four dimensions; without keepdims what is left has other places.
    std::array<Field, 2> fields;
    for (std::int64_t d = 2; d < rank; ++d) {
        const bool reduced = std::find(axes.begin(), axes.end(), d) != axes.end();
        const std::int64_t size = input[static_cast<std::size_t>(d)];
        if (reduced || !keep)
            fields.at(static_cast<std::size_t>(std::clamp<std::int64_t>(d + 2 - rank, 0, 1))) = {size, 1, 0, true};
    }
    for (std::int64_t d = 0; d < rank; ++d) {
        const std::int64_t size = input[static_cast<std::size_t>(d)];
        const bool reduced = !axes.empty() && d >= axes.front() && d <= axes.back();
        if (reduced) {
            plane.height *= size;
            if (keep) output.push_back(1);
        } else {
            (!axes.empty() && d > axes.back() ? plane.width : outer) *= size;
            output.push_back(size);
        }
    }
    Window window;
    window.kernel = {plane.height, 1};
    return std::make_unique<AveragePoolOperator>(context, window, outer, plane, Plane{1, plane.width}, false, output,
                                                 fields);
}

}  // namespace

std::unique_ptr<Operator> make_average_pool(const NodeContext& context) {
    if (context.node.op == "ReduceMean") return make_reduce_mean(context);
    const Shape& input = context.shapes.at(0);
    if (context.node.op == "GlobalAveragePool") {
        if (input.size() != 3 && input.size() != 4) context.fail("its input has shape " + to_string(input));
        const Plane plane = plane_of(input);
        Window window;
        window.kernel = {plane.height, plane.width};
        const std::array<Field, 2> fields{Field{plane.height, 1, 0, true}, Field{plane.width, 1, 0, true}};
        return std::make_unique<AveragePoolOperator>(context, window, input[0] * input[1], plane, Plane{1, 1}, false,
                                                     with_plane(input, input[1], 1, 1), fields);
    }
    Window window = read_window(context, {});
    if (window.dilation != std::array<std::int64_t, 2>{1, 1}) context.fail("dilations are not supported");
    const Plane plane = plane_of(input);
    const bool ceil_mode = context.node.attributes.integer("ceil_mode", 0) != 0;
    const std::int64_t height = window_output(window, 0, plane.height, ceil_mode, context);
    const std::int64_t width = window_output(window, 1, plane.width, ceil_mode, context);
    return std::make_unique<AveragePoolOperator>(context, window, input[0] * input[1], plane, Plane{height, width},
                                                 context.node.attributes.integer("count_include_pad", 0) != 0,
                                                 with_plane(input, input[1], height, width),
                                                 std::array{window_field(window, 0), window_field(window, 1)});
}

}  // namespace deconv::nn
