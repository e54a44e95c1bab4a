// Gemm and MatMul: fully connected layers, and their reverse by the transposed matrix.
#include "nn/ops/channel_sums.h"
#include "nn/ops/emit.h"
#include "nn/ops/operators.h"

namespace deconv::nn {
namespace {

constexpr std::uint64_t rows_of_an_invocation = 4;  // ROWS of the shader

/// A matrix, or a stack of them, by its first element and steps in elements.
struct Matrix {
    gpu::Slice slice;
    std::int64_t first = 0, batch = 0, row = 0, column = 0;
};

/// y (+)= alpha · a · b + beta · c, `batches` times; b's batch is taken modulo `batch_modulus`.
struct Product {
    std::int64_t rows = 1, columns = 1, depth = 1, batches = 1, batch_modulus = 1;
    Matrix a, b, c, y;
    float alpha = 1, beta = 0;
    bool accumulate = false;
};

/// One subgroup a workgroup, by matrix_vector.comp, where B's elements follow each other in one of its two ways and the
/// device gains by it.  False where they do not.
bool emit_by_vectors(Emitter& emitter, const Product& p, const std::string& label) {
    const gpu::DeviceInfo& device = emitter.device();
    if (p.batches != 1 || p.a.column != 1 || !device.subgroup_shuffle || device.subgroup_size != 8 ||
        !gpu::prefers_texels(device, {p.a.slice, p.b.slice}) || p.b.first != 0) {
        return false;
    }
    const auto fours = [](std::initializer_list<std::int64_t> numbers) {
        return std::all_of(numbers.begin(), numbers.end(), [](std::int64_t n) { return n % 4 == 0; });
    };
    const bool dot = p.b.row == 1 && fours({p.depth, p.b.column, p.a.first, p.a.row});
    const bool sum = !dot && p.b.column == 1 && fours({p.columns, p.b.row});
    if (!dot && !sum) return false;
    struct Push {
        std::uint32_t rows, columns, depth, a_first, a_row, b_step;
        std::uint32_t c_first, c_row, c_column, y_first, y_row, y_column;
        float alpha, beta;
        std::uint32_t accumulate;
    };
    const auto u = [](std::int64_t v) { return static_cast<std::uint32_t>(v); };
    const std::int64_t a_texel = dot ? 4 : 1;
    const bool single = p.rows == 1;
    gpu::Dispatch dispatch;
    dispatch.shader = dot ? (single ? "nn/matrix_vector.dot1" : "nn/matrix_vector.dot4")
                          : (single ? "nn/matrix_vector.sum1" : "nn/matrix_vector.sum4");
    dispatch.constants = {8};
    dispatch.bindings = {gpu::in_texels(p.a.slice, dot ? gpu::Texels::rgba32f : gpu::Texels::r32f),
                         gpu::in_texels(p.b.slice, gpu::Texels::rgba32f),
                         gpu::in(p.c.slice ? p.c.slice : emitter.unused()),
                         p.accumulate ? gpu::in_out(p.y.slice) : gpu::out(p.y.slice)};
    dispatch.set_push(Push{u(p.rows), u(p.columns), u(p.depth), u(p.a.first / a_texel), u(p.a.row / a_texel),
                           u((dot ? p.b.column : p.b.row) / 4), u(p.c.first), u(p.c.row), u(p.c.column), u(p.y.first),
                           u(p.y.row), u(p.y.column), p.alpha, p.beta, p.accumulate ? 1U : 0U});
    dispatch.groups = {gpu::divide_up(static_cast<std::uint64_t>(p.columns), dot ? 8 : 128),
                       gpu::divide_up(static_cast<std::uint64_t>(p.rows), single ? 1 : 4), 1};
    dispatch.flops = 2.0 * static_cast<double>(p.rows * p.columns * p.depth);
    dispatch.bytes = static_cast<double>(p.b.slice.bytes);
    dispatch.label = label;
    emitter.emit(std::move(dispatch));
    return true;
}

void emit_product(Emitter& emitter, const Product& p, const std::string& label) {
    if (emit_by_vectors(emitter, p, label)) return;
    struct Push {
        std::uint32_t rows, columns, depth;
        std::uint32_t a_first, c_first, y_first;
        std::uint32_t a_batch, a_row, a_depth;
        std::uint32_t b_batch, b_depth, b_column;
        std::uint32_t c_row, c_column;
        std::uint32_t y_batch, y_row, y_column;
        float alpha, beta;
        std::uint32_t accumulate, batch_modulus;
    };
    const auto u = [](std::int64_t v) { return static_cast<std::uint32_t>(v); };
    const Push push{u(p.rows),         u(p.columns),  u(p.depth), u(p.a.first),  u(p.c.first),
                    u(p.y.first),      u(p.a.batch),  u(p.a.row), u(p.a.column), u(p.b.batch),
                    u(p.b.row),        u(p.b.column), u(p.c.row), u(p.c.column), u(p.y.batch),
                    u(p.y.row),        u(p.y.column), p.alpha,    p.beta,        p.accumulate ? 1U : 0U,
                    u(p.batch_modulus)};
    gpu::Dispatch dispatch;
    // A column an invocation leaves a GPU idle where the rows are few.
    const bool shared = emitter.device().type != gpu::DeviceType::cpu && p.rows <= 32 && p.depth >= 64;
    const auto most = static_cast<std::int64_t>(emitter.device().limits.workgroup_count[0]);
    const bool dot = shared && p.b.row == 1 && p.columns <= most;
    const bool sum = shared && !dot && p.b.column == 1;
    dispatch.shader = dot ? "nn/gemm.dot" : sum ? "nn/gemm.sum" : "nn/gemm.plain";
    const std::uint32_t workgroup = dot ? 1 : sum ? 32 : workgroup_size(emitter.device());  // in columns
    dispatch.constants = {workgroup};
    dispatch.bindings = {gpu::in(p.a.slice), gpu::in(p.b.slice), gpu::in(p.c.slice ? p.c.slice : emitter.unused()),
                         p.accumulate ? gpu::in_out(p.y.slice) : gpu::out(p.y.slice)};
    dispatch.set_push(push);
    dispatch.groups = {gpu::divide_up(static_cast<std::uint64_t>(p.columns), workgroup),
                       gpu::divide_up(static_cast<std::uint64_t>(p.rows), rows_of_an_invocation), u(p.batches)};
    dispatch.flops = 2.0 * static_cast<double>(p.rows * p.columns * p.depth) * static_cast<double>(p.batches);
    dispatch.bytes = static_cast<double>(p.b.slice.bytes);
    dispatch.label = label;
    emitter.emit(std::move(dispatch));
}

/// A times a constant matrix, plus a bias, constant or not: (M, K) · (K, N).
class GemmOperator : public Operator {
  public:
    explicit GemmOperator(const NodeContext& context) : weights_(context.weights(1, "second matrix")) {
        name_ = context.node.name;
        const Attributes& attributes = context.node.attributes;
        transpose_a_ = attributes.integer("transA", 0) != 0;
        by_output_ = attributes.integer("transB", 0) != 0;
        alpha_ = attributes.real("alpha", 1.0F);
        beta_ = attributes.real("beta", 1.0F);
        const Shape& a = context.shapes.at(0);
        const Shape& b = weights_.shape;
        if (a.size() != 2 || b.size() != 2) {
            context.fail("shapes " + to_string(a) + " and " + to_string(b) + " are not matrices");
        }
        rows_ = a[transpose_a_ ? 1 : 0];
        depth_ = a[transpose_a_ ? 0 : 1];
        columns_ = b[by_output_ ? 0 : 1];
        if (b[by_output_ ? 1 : 0] != depth_) {
            context.fail("input " + to_string(a) + " does not fit weight " + to_string(b) +
                         ": a network with fully connected layers runs at one --size only");
        }
        outputs_ = {{rows_, columns_}};
        if (!context.has(2)) return;
        if (context.constants[2] != nullptr) bias_ = context.weights(2, "bias");
        bias_shape_ = context.shapes[2];
        factor_ = HostTensor::of({1}, std::vector<float>{beta_});
        const Shape& c = bias_shape_;
        const std::int64_t c_columns = c.empty() ? 1 : c.back();
        const std::int64_t c_rows = c.size() < 2 ? 1 : c[0];
        if (c.size() > 2 || (c_columns != 1 && c_columns != columns_) || (c_rows != 1 && c_rows != rows_)) {
            context.fail("bias " + to_string(c) + " does not fit output " + to_string(outputs_[0]));
        }
        bias_row_ = c_rows == 1 ? 0 : c_columns;
        bias_column_ = c_columns == 1 ? 0 : 1;
    }

    void forward(Emitter& emitter, const ForwardArguments& arguments) const override {
        for_parts(emitter, [&](std::int64_t first, std::int64_t count, const Matrix& part) {
            Product p;
            p.rows = rows_;
            p.columns = count;
            p.depth = depth_;
            p.a = input_matrix(arguments.inputs[0].slice);
            p.b = part;
            p.y = {arguments.outputs[0].slice, first, 0, columns_, 1};
            p.alpha = alpha_;
            if (factor_ && beta_ != 0.0F) {
                p.beta = beta_;
                p.c = {bias_ ? emitter.constant(*bias_) : arguments.inputs[2].slice, first * bias_column_, 0, bias_row_,
                       bias_column_};
            }
            emit_product(emitter, p, name_ + " forward");
        });
    }

    void reverse(Emitter& emitter, const ReverseArguments& arguments) const override {
        if (arguments.input == 2) {
            emit_broadcast_reverse(emitter, arguments, outputs_[0], bias_shape_, *factor_, name_);
            return;
        }
        for_slices(arguments.output.copies, {rows_ * columns_ * 4, rows_ * depth_ * 4}, emitter.device().limits,
                   [&](std::int64_t first, std::int64_t count) {
                       reverse(emitter, copies_of(arguments.output, first, count),
                               copies_of(arguments.result, first, count), count, arguments.accumulate);
                   });
    }

    void gradients(Emitter& emitter, const GradientArguments& arguments) const override {
        if (arguments.parameters.at(1)) {
            // ∂L/∂B = alpha · Aᵀ R, its rows the inputs; stored by output where transB says so.
            Product p;
            p.rows = columns_;
            p.columns = depth_;
            p.depth = rows_;
            p.a = {arguments.output.slice, 0, 0, 1, columns_};
            const Matrix a = input_matrix(arguments.inputs[0].slice);
            p.b = {a.slice, 0, 0, a.row, a.column};
            p.y = {arguments.parameters[1], 0, 0, by_output_ ? depth_ : 1, by_output_ ? 1 : columns_};
            p.alpha = alpha_;
            emit_product(emitter, p, name_ + " gradient");
        }
        if (arguments.parameters.size() > 2 && arguments.parameters[2]) {
            if (beta_ != 1.0F || elements(bias_shape_) != columns_) {
                throw Error("node " + name_ + ": only a bias of one value an output, with beta 1, can be trained");
            }
            emit_channel_totals(emitter, Channels(outputs_[0]), arguments.output.slice, arguments.parameters[2],
                                name_ + " bias gradient");
        }
    }

    std::int64_t parameters() const override { return elements(weights_.shape) + (bias_ ? elements(bias_->shape) : 0); }

  private:
    void reverse(Emitter& emitter, const gpu::Slice& from, const gpu::Slice& to, std::int64_t copies,
                 bool accumulate) const {
        for_parts(emitter, [&](std::int64_t first, std::int64_t count, const Matrix& part) {
            Product p;
            p.rows = rows_;
            p.batches = copies;
            if (!transpose_a_) {  // then the copies are just more rows
                p.rows *= p.batches;
                p.batches = 1;
            }
            p.columns = depth_;
            p.depth = count;
            p.a = {from, first, rows_ * columns_, columns_, 1};
            p.b = {part.slice, 0, 0, part.column, part.row};
            p.y = input_matrix(to);
            p.alpha = alpha_;
            p.accumulate = std::exchange(accumulate, true);
            emit_product(emitter, p, name_ + " reverse");
        });
    }

    /// The matrix A as (M, K), whichever way it is stored.
    Matrix input_matrix(const gpu::Slice& slice) const {
        return {slice, 0, rows_ * depth_, transpose_a_ ? 1 : depth_, transpose_a_ ? rows_ : 1};
    }

    /// The constant matrix as (K, N).  Where it exceeds a binding it comes in parts of whole outputs: first output,
    /// count, and the part, which starts at its own first element.
    void for_parts(Emitter& emitter, const std::function<void(std::int64_t, std::int64_t, const Matrix&)>& f) const {
        const std::uint64_t range = emitter.device().limits.storage_range;
        const std::uint64_t row_bytes = static_cast<std::uint64_t>(depth_) * 4;
        if (row_bytes * static_cast<std::uint64_t>(columns_) <= range) {
            f(0, columns_, {emitter.constant(weights_), 0, 0, by_output_ ? 1 : columns_, by_output_ ? depth_ : 1});
            return;
        }
        const auto run = static_cast<std::int64_t>(range / row_bytes);
        for (std::int64_t first = 0; first < columns_; first += run) {
            const std::int64_t count = std::min(run, columns_ - first);
            const std::string layout = "outputs " + std::to_string(first) + " + " + std::to_string(count);
            const gpu::Slice part = emitter.constant(weights_, layout, [&] {
                const std::vector<float>& all = *weights_.floats;
                if (by_output_)
                    return std::vector(all.begin() + first * depth_, all.begin() + (first + count) * depth_);
                std::vector<float> packed;
                packed.reserve(static_cast<std::size_t>(count * depth_));
                for (std::int64_t n = first; n < first + count; ++n) {
                    for (std::int64_t k = 0; k < depth_; ++k) {
                        packed.push_back(all[static_cast<std::size_t>(k * columns_ + n)]);
                    }
                }
                return packed;
            });
            f(first, count, {part, 0, 0, 1, depth_});
        }
    }

    HostTensor weights_;
    std::optional<HostTensor> bias_;    // where it is a constant
    std::optional<HostTensor> factor_;  // beta, where there is a bias
    Shape bias_shape_;
    bool transpose_a_ = false, by_output_ = false;
    float alpha_ = 1, beta_ = 1;
    std::int64_t rows_ = 1, depth_ = 1, columns_ = 1;
    std::int64_t bias_row_ = 0, bias_column_ = 0;
};

/// (…, M, K) · (…, K, N), the second a constant: a matrix, or a stack of as many as the first has.
class MatMulOperator : public Operator {
  public:
    explicit MatMulOperator(const NodeContext& context) : weights_(context.weights(1, "second matrix")) {
        name_ = context.node.name;
        const Shape& a = context.shapes.at(0);
        const Shape& b = weights_.shape;
        const auto misfit = [&] {
            context.fail("input " + to_string(a) + " does not fit weight " + to_string(b) +
                         ": a network with fully connected layers runs at one --size only");
        };
        if (a.size() < 2 || b.size() < 2 || a.back() != b[b.size() - 2]) misfit();
        rows_ = a[a.size() - 2];
        depth_ = a.back();
        columns_ = b.back();
        outputs_ = {a};
        outputs_[0].back() = columns_;
        stacked_ = elements(b) != depth_ * columns_;
        if (stacked_ && Shape(a.begin(), a.end() - 2) != Shape(b.begin(), b.end() - 2)) misfit();
        batches_ = elements(a) / (rows_ * depth_);
    }

    void forward(Emitter& emitter, const ForwardArguments& arguments) const override {
        Product p = shared();
        p.batches = batches_;
        p.columns = columns_;
        p.depth = depth_;
        p.a = {arguments.inputs[0].slice, 0, rows_ * depth_, depth_, 1};
        p.b = {emitter.constant(weights_), 0, stacked_ ? depth_ * columns_ : 0, columns_, 1};
        p.y = {arguments.outputs[0].slice, 0, rows_ * columns_, columns_, 1};
        emit_product(emitter, p, name_ + " forward");
    }

    void reverse(Emitter& emitter, const ReverseArguments& arguments) const override {
        Product p = shared();
        p.columns = depth_;
        p.depth = columns_;
        p.b = {emitter.constant(weights_), 0, stacked_ ? depth_ * columns_ : 0, 1, columns_};
        p.accumulate = arguments.accumulate;
        for_slices(arguments.output.copies, {elements(outputs_[0]) * 4, elements(arguments.result.shape) * 4},
                   emitter.device().limits, [&](std::int64_t first, std::int64_t count) {
                       p.batches = batches_ * count;
                       p.a = {copies_of(arguments.output, first, count), 0, rows_ * columns_, columns_, 1};
                       p.y = {copies_of(arguments.result, first, count), 0, rows_ * depth_, depth_, 1};
                       emit_product(emitter, p, name_ + " reverse");
                   });
    }

    std::int64_t parameters() const override { return elements(weights_.shape); }

  private:
    Product shared() const {
        Product p;
        p.rows = rows_;
        p.batch_modulus = batches_;
        return p;
    }

    HostTensor weights_;
    std::int64_t rows_ = 1, depth_ = 1, columns_ = 1, batches_ = 1;
    bool stacked_ = false;
};

}  // namespace

std::unique_ptr<Operator> make_gemm(const NodeContext& context) {
    return std::make_unique<GemmOperator>(context);
}
std::unique_ptr<Operator> make_matmul(const NodeContext& context) {
    return std::make_unique<MatMulOperator>(context);
}

}  // namespace deconv::nn
