// MaxPool with switches, GlobalMaxPool, MaxUnpool; on the way back, unpooling by switches (Zeiler and Fergus 2014).
#include "nn/ops/emit.h"
#include "nn/ops/operators.h"
#include "nn/ops/packed.h"

namespace deconv::nn {
namespace {

class MaxPoolOperator : public Operator {
  public:
    MaxPoolOperator(const NodeContext& context, const Window& window, const Shape& output)
        : window_(window), plane_(plane_of(context.shapes[0])), output_plane_(plane_of(output)) {
        name_ = context.node.name;
        global_ = context.node.op == "GlobalMaxPool";
        // The second output holds the switches: for each window the place y·W + x of its maximum in its own plane.
        outputs_ = {output, output};
    }

    std::optional<std::int64_t> same_channels(std::size_t /*i*/) const override { return 0; }
    Layouts layouts(const LayoutOffer& offer) const override {
        // Such maps run in one piece: what needs several bindings stays dense.
        const std::int64_t plane = std::max(plane_.size(), output_plane_.size());
        const auto bytes = static_cast<std::uint64_t>(outputs_[0][0] * outputs_[0][1] * plane) * 4;
        const bool texels = runs_packed(offer.device) && gpu::prefers_texels(offer.device, {{{}, 0, bytes}});
        const bool fits = bytes <= offer.device.limits.storage_range && (offer.layout == Layout::halves || texels);
        return fits ? Layouts::alike : Layouts::dense;
    }

    bool is_tiling_pool() const override {
        return window_.stride[0] == 2 && window_.stride[1] == 2 && tiles(0) && tiles(1);
    }

    std::optional<PooledSource> pooled_source() const override {
        for (const std::size_t axis : {0, 1}) {
            if (window_.reach(axis) != 3 || window_.kernel.at(axis) != 3 || window_.stride.at(axis) != 2) return {};
        }
        return PooledSource{{}, output_plane_.height, output_plane_.width, window_.begin[0], window_.begin[1]};
    }

    void forward(Emitter& emitter, const ForwardArguments& arguments) const override {
        const Shape& shape = arguments.outputs[0].shape;
        const bool keep = arguments.outputs.size() > 1 && arguments.outputs[1];
        if (const Layout layout = arguments.inputs[0].layout; layout != Layout::dense) {
            emit(emitter, together(layout).forward,
                 shape[0] * shape[1] / together(layout).channels * output_plane_.size(), 1, false, keep,
                 {together(layout).in(arguments.inputs[0].slice), gpu::out(arguments.outputs[0].slice),
                  gpu::out(keep ? arguments.outputs[1].slice : emitter.unused())},
                 " forward");
            return;
        }
        for_slices(shape[0] * shape[1], {plane_.size() * 4, output_plane_.size() * 4}, emitter.device().limits,
                   [&](std::int64_t first, std::int64_t count) {
                       const std::int64_t from = first * output_plane_.size();
                       const std::int64_t items = count * output_plane_.size();
                       const gpu::Slice switches =
                           keep ? floats(arguments.outputs[1].slice, from, items) : emitter.unused();
                       emit(emitter, "nn/max_pool.forward", items, 1, false, keep,
                            {gpu::in(floats(arguments.inputs[0].slice, first * plane_.size(), count * plane_.size())),
                             gpu::out(floats(arguments.outputs[0].slice, from, items)), gpu::out(switches)},
                            " forward");
                   });
    }

    Needs needs(std::size_t /*input*/, Rule /*rule*/, LrnReverse /*lrn*/) const override { return {0, 2}; }

    void reverse(Emitter& emitter, const ReverseArguments& arguments) const override {
        const std::int64_t planes = arguments.output.shape[0] * arguments.output.shape[1];
        if (const Layout layout = arguments.output.layout; layout != Layout::dense) {
            const std::int64_t together_planes = planes / together(layout).channels;
            for_slices(arguments.output.copies, {arguments.result.copy_bytes(), arguments.output.copy_bytes()},
                       emitter.device().limits, [&](std::int64_t first, std::int64_t count) {
                           const gpu::Slice to = copies_of(arguments.result, first, count);
                           emit(emitter, together(layout).reverse,
                                count * together_planes * blocks(0, plane_.height) * blocks(1, plane_.width),
                                together_planes, arguments.accumulate, false,
                                {together(layout).in(copies_of(arguments.output, first, count)),
                                 arguments.accumulate ? gpu::in_out(to) : gpu::out(to),
                                 together(layout).switches(arguments.outputs[1].slice)},
                                " unpool");
                       });
            return;
        }
        const bool whole = tiles(0) && tiles(1);
        const auto run = [&](std::int64_t first, std::int64_t count) {
            const std::int64_t items = count * plane_.size();
            const gpu::Slice from =
                floats(arguments.output.slice, first * output_plane_.size(), count * output_plane_.size());
            if (gpu::prefers_texels(emitter.device(), {from, arguments.outputs[1].slice})) {
                scatter(emitter, from, floats(arguments.result.slice, first * plane_.size(), items), arguments, count);
                return;
            }
            emit(emitter, whole ? "nn/max_pool.whole" : "nn/max_pool.reverse",
                 whole ? count * output_plane_.size() : items, planes, arguments.accumulate, false,
                 {gpu::in(from),
                  arguments.accumulate ? gpu::in_out(floats(arguments.result.slice, first * plane_.size(), items))
                                       : gpu::out(floats(arguments.result.slice, first * plane_.size(), items)),
                  gpu::in(arguments.outputs[1].slice)},
                 " unpool");
        };
        // The copies share the switches, so a run is one or more whole copies.
        for_slices(arguments.output.copies, {planes * plane_.size() * 4, planes * output_plane_.size() * 4},
                   emitter.device().limits, [&](std::int64_t first, std::int64_t count) {
                       // Scattering meets each place again: large copies one by one, so that a cache keeps them,
                       // where each may be bound.
                       const auto alignment = static_cast<std::int64_t>(emitter.device().limits.storage_alignment);
                       const bool alone = emitter.device().type == gpu::DeviceType::cpu &&
                                          planes * plane_.size() * 4 >= std::int64_t{1} << 20 &&
                                          planes * plane_.size() * 4 % alignment == 0 &&
                                          planes * output_plane_.size() * 4 % alignment == 0;
                       const std::int64_t step = alone ? 1 : count;
                       for (std::int64_t i = 0; i < count; i += step) run((first + i) * planes, step * planes);
                   });
    }

    Field field(int axis) const override {
        if (global_) return {axis == 0 ? plane_.height : plane_.width, 1, 0, true};
        return window_field(window_, axis);
    }

  private:
    /// max_pool_packed.comp, by layout: several channels of a place together.
    struct Together {
        std::int64_t channels;
        std::string_view forward, reverse;
        gpu::Texels values, places;

        gpu::Binding in(const gpu::Slice& slice) const { return gpu::in_texels(slice, values); }
        gpu::Binding switches(const gpu::Slice& slice) const { return gpu::in_texels(slice, places); }
    };
    static const Together& together(Layout layout) {
        static const Together packed{4, "nn/max_pool_packed.forward", "nn/max_pool_packed.reverse",
                                     gpu::Texels::rgba32f, gpu::Texels::rgba32ui};
        static const Together halves{8, "nn/max_pool_packed.forward.halves", "nn/max_pool_packed.reverse.halves",
                                     gpu::Texels::none, gpu::Texels::none};
        return layout == Layout::halves ? halves : packed;
    }

    /// Windows meet along an axis, and cover it.
    bool tiles(std::size_t axis) const {
        const std::int64_t kernel = window_.kernel.at(axis);
        const std::int64_t size = axis == 0 ? plane_.height : plane_.width;
        const std::int64_t windows = axis == 0 ? output_plane_.height : output_plane_.width;
        return window_.stride.at(axis) == kernel && window_.reach(axis) == kernel && window_.begin.at(axis) == 0 &&
               windows * kernel == size;
    }

    /// Of the places of an axis that one invocation of max_pool_packed.comp fills on the way back.
    std::int64_t blocks(std::size_t axis, std::int64_t size) const {
        return window_.stride.at(axis) == 2 ? (size - 1 + window_.begin.at(axis)) / 2 + 1 : size;
    }

    /// See shaders/nn/unpool_scatter.comp.
    void scatter(Emitter& emitter, const gpu::Slice& from, const gpu::Slice& to, const ReverseArguments& arguments,
                 std::int64_t planes) const {
        struct Push {
            std::uint32_t items, plane, out_height, out_width, grid_height, grid_width;
            std::uint32_t first_y, first_x, colours_y, colours_x, switch_items;
        };
        const auto colours = [&](std::size_t axis, std::int64_t windows) {
            const std::int64_t stride = window_.stride.at(axis);
            return std::min(windows, (window_.reach(axis) + stride - 1) / stride);
        };
        const std::int64_t colours_y = colours(0, output_plane_.height);
        const std::int64_t colours_x = colours(1, output_plane_.width);
        const bool alone = colours_y * colours_x == 1 && !arguments.accumulate;
        if (!arguments.accumulate) emit_zeros(emitter, to, planes * plane_.size(), name_ + " unpool");
        for (std::int64_t y = 0; y < colours_y; ++y) {
            for (std::int64_t x = 0; x < colours_x; ++x) {
                const std::int64_t height = (output_plane_.height - y + colours_y - 1) / colours_y;
                const std::int64_t width = (output_plane_.width - x + colours_x - 1) / colours_x;
                const Push push{u(planes * height * width),
                                u(plane_.size()),
                                u(output_plane_.height),
                                u(output_plane_.width),
                                u(height),
                                u(width),
                                u(y),
                                u(x),
                                u(colours_y),
                                u(colours_x),
                                u(arguments.output.shape[0] * arguments.output.shape[1] * output_plane_.size())};
                emitter.emit(linear_dispatch(emitter, "nn/unpool_scatter", push.items, push,
                                             {gpu::in_texels(from), gpu::in_out(to),
                                              gpu::in_texels(arguments.outputs[1].slice, gpu::Texels::r32ui)},
                                             name_ + " unpool", {alone ? 1U : 0U}));
            }
        }
    }

    void emit(Emitter& emitter, std::string_view shader, std::int64_t items, std::int64_t switch_planes,
              bool accumulate, bool keep, std::vector<gpu::Binding> bindings, const char* what) const {
        struct Push {
            std::uint32_t items, height, width, out_height, out_width;
            std::int32_t pad_y, pad_x;
            std::uint32_t keep_switches, switch_planes, accumulate, rows, columns;
        };
        const Push push{u(items),
                        u(plane_.height),
                        u(plane_.width),
                        u(output_plane_.height),
                        u(output_plane_.width),
                        i(window_.begin[0]),
                        i(window_.begin[1]),
                        keep ? 1U : 0U,
                        u(switch_planes),
                        accumulate ? 1U : 0U,
                        u(blocks(0, plane_.height)),
                        u(blocks(1, plane_.width))};
        if (shader == "nn/max_pool.forward" && gpu::prefers_texels(emitter.device(), {bindings[0].slice})) {
            shader = "nn/max_pool.forward.texels";
            bindings[0].texels = gpu::Texels::r32f;
        }
        emitter.emit(linear_dispatch(emitter, shader, static_cast<std::uint64_t>(items), push, std::move(bindings),
                                     name_ + what,
                                     {u(window_.kernel[0]), u(window_.kernel[1]), u(window_.stride[0]),
                                      u(window_.stride[1]), u(window_.dilation[0]), u(window_.dilation[1])}));
    }

    Window window_;
    Plane plane_, output_plane_;
    bool global_ = false;
};

class MaxUnpoolOperator : public Operator {
  public:
    /// Switches count in a map of width `map_width`.
    MaxUnpoolOperator(const NodeContext& context, const Window& window, Shape output, std::int64_t map_width)
        : window_(window), map_width_(map_width) {
        name_ = context.node.name;
        pooled_ = plane_of(context.shapes[0]);
        unpooled_ = plane_of(output);
        outputs_ = {std::move(output)};
    }

    void forward(Emitter& emitter, const ForwardArguments& arguments) const override {
        emit_zeros(emitter, arguments.outputs[0].slice, elements(arguments.outputs[0].shape), name_ + " clear");
        const std::int64_t items = elements(arguments.inputs[0].shape);
        emit(emitter, "nn/unpool.forward", items, items, false,
             {gpu::in(arguments.inputs[0].slice), gpu::in_out(arguments.outputs[0].slice),
              gpu::in(arguments.inputs[1].slice)});
    }

    Needs needs(std::size_t /*input*/, Rule /*rule*/, LrnReverse /*lrn*/) const override { return {2, 0}; }
    std::optional<std::string> reverse_refusal(std::size_t input) const override {
        if (input == 0) return std::nullopt;
        return "switches carry no signal";
    }

    void reverse(Emitter& emitter, const ReverseArguments& arguments) const override {
        const std::int64_t items = elements(arguments.result.shape);
        for_slices(
            arguments.result.copies, {items * 4, elements(arguments.output.shape) * 4}, emitter.device().limits,
            [&](std::int64_t first, std::int64_t count) {
                emit(emitter, "nn/unpool.reverse", items * count, items, arguments.accumulate,
                     {gpu::in(copies_of(arguments.output, first, count)),
                      gpu::in_out(copies_of(arguments.result, first, count)), gpu::in(arguments.inputs[1].slice)});
            });
    }

    Field field(int axis) const override {
        // A value lands somewhere in its window's place: seen from the unpooled side, a transposed pool.
        const auto a = static_cast<std::size_t>(axis);
        Field field;
        field.size = (window_.kernel.at(a) + window_.stride.at(a) - 1) / window_.stride.at(a);
        field.transposed = window_.stride.at(a);
        field.offset = static_cast<double>(window_.begin.at(a) - window_.kernel.at(a) + 1) /
                       static_cast<double>(window_.stride.at(a));
        return field;
    }

  private:
    void emit(Emitter& emitter, std::string_view shader, std::int64_t items, std::int64_t switches, bool accumulate,
              std::vector<gpu::Binding> bindings) const {
        struct Push {
            std::uint32_t items, pooled_plane, height, width, map_width, switch_items, accumulate;
        };
        const Push push{u(items),      u(pooled_.size()), u(unpooled_.height), u(unpooled_.width),
                        u(map_width_), u(switches),       accumulate ? 1U : 0U};
        emitter.emit(
            linear_dispatch(emitter, shader, static_cast<std::uint64_t>(items), push, std::move(bindings), name_));
    }

    Window window_;
    Plane pooled_, unpooled_;
    std::int64_t map_width_ = 1;
};

}  // namespace

std::unique_ptr<Operator> make_max_pool(const NodeContext& context) {
    const Shape& input = context.shapes.at(0);
    if (context.node.op == "GlobalMaxPool") {
        if (input.size() != 3 && input.size() != 4) context.fail("its input has shape " + to_string(input));
        const Plane plane = plane_of(input);
        Window window;
        window.kernel = {plane.height, plane.width};
        return std::make_unique<MaxPoolOperator>(context, window, with_plane(input, input[1], 1, 1));
    }
    Window window = read_window(context, {});
    const Plane plane = plane_of(input);
    const bool ceil_mode = context.node.attributes.integer("ceil_mode", 0) != 0;
    const std::int64_t height = window_output(window, 0, plane.height, ceil_mode, context);
    const std::int64_t width = window_output(window, 1, plane.width, ceil_mode, context);
    return std::make_unique<MaxPoolOperator>(context, window, with_plane(input, input[1], height, width));
}

std::unique_ptr<Operator> make_max_unpool(const NodeContext& context) {
    Window window = read_window(context, {});
    const Shape& input = context.shapes[0];
    const Plane plane = plane_of(input);
    if (context.constants.size() > 1 && context.constants[1] != nullptr) {
        context.fail("its switches must come from a MaxPool, not from a constant");
    }
    if (context.shapes.size() < 2 || context.shapes[1] != input) {
        context.fail("its switches do not have the shape of its input, " + to_string(input));
    }
    std::int64_t height = (plane.height - 1) * window.stride[0] - window.begin[0] - window.end[0] + window.kernel[0];
    const std::int64_t width =
        (plane.width - 1) * window.stride[1] - window.begin[1] - window.end[1] + window.kernel[1];
    if (input.size() == 3) height = 1;
    Shape output = with_plane(input, input[1], height, width);
    if (context.has(2)) {
        output = *context.constant(2, "output_shape").integers;
        // Switches still count in the map without it, which becomes the upper left corner (as in ONNX's own case).
        if (output.size() != input.size() || output[0] != input[0] || output[1] != input[1]) {
            context.fail("output_shape " + to_string(output) + " does not fit input " + to_string(input));
        }
    }
    return std::make_unique<MaxUnpoolOperator>(context, window, std::move(output), width);
}

}  // namespace deconv::nn
