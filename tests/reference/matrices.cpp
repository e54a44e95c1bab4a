// Gemm and MatMul.
#include <algorithm>

#include "reference/operators.h"

namespace deconv::reference {

namespace {

/// A matrix within a tensor, perhaps transposed.
struct View {
    const double* data;
    std::int64_t rows, columns;
    std::int64_t row_step, column_step;

    View transposed() const { return {data, columns, rows, column_step, row_step}; }
    double at(std::int64_t r, std::int64_t c) const { return data[r * row_step + c * column_step]; }
};

View view(const double* data, std::int64_t rows, std::int64_t columns) {
    return {data, rows, columns, columns, 1};
}

View view(const Tensor& t, bool transposed) {
    const View v = view(t.data.data(), t.shape.at(0), t.shape.at(1));
    return transposed ? v.transposed() : v;
}

/// out += scale * a * b, out being row-major.
void add_product(double* out, double scale, const View& a, const View& b) {
    parallel_for(a.rows, [&](std::int64_t r) {
        double* row = out + r * b.columns;
        if (b.column_step == 1) {
            for (std::int64_t k = 0; k < a.columns; ++k) {
                const double factor = scale * a.at(r, k);
                const double* in = b.data + k * b.row_step;
                for (std::int64_t c = 0; c < b.columns; ++c) row[c] += factor * in[c];
            }
            return;
        }
        for (std::int64_t c = 0; c < b.columns; ++c) {
            double sum = 0;
            for (std::int64_t k = 0; k < a.columns; ++k) sum += a.at(r, k) * b.at(k, c);
            row[c] += scale * sum;
        }
    });
}

struct GemmParameters {
    double alpha, beta;
    bool transpose_a, transpose_b;
    View a, b;
};

GemmParameters gemm_parameters(const Step& step) {
    const auto& attributes = step.node.attributes;
    const bool ta = attributes.integer("transA", 0) != 0;
    const bool tb = attributes.integer("transB", 0) != 0;
    if (step.input(0).rank() != 2 || step.input(1).rank() != 2) step.fail("matrices must have two dimensions");
    GemmParameters gemm{attributes.real("alpha", 1), attributes.real("beta", 1), ta, tb,
                        view(step.input(0), ta),     view(step.input(1), tb)};
    if (gemm.a.columns != gemm.b.rows) {
        step.fail("cannot multiply " + to_string(step.input(0).shape) + " by " + to_string(step.input(1).shape));
    }
    return gemm;
}

std::vector<Tensor> gemm_forward(const Step& step) {
    const GemmParameters gemm = gemm_parameters(step);
    Tensor out = Tensor::zeros({gemm.a.rows, gemm.b.columns});
    add_product(out.data.data(), gemm.alpha, gemm.a, gemm.b);
    if (step.has(2)) {
        const auto map = broadcast_map(step.input(2).shape, out.shape);
        for (std::size_t i = 0; i < map.size(); ++i) out.data[i] += gemm.beta * step.input(2).data[map[i]];
    }
    return {out};
}

/// The transposed matrix, no bias, alpha kept.
std::vector<Tensor> gemm_reverse(const ReverseStep& step) {
    const GemmParameters gemm = gemm_parameters(step);
    const View r = view(step.signal, false);
    std::vector<Tensor> back(3);
    const auto into = [&](std::size_t i, const View& left, const View& right, bool transposed) {
        back[i] = Tensor::zeros(step.input(i).shape);
        if (transposed) {
            add_product(back[i].data.data(), gemm.alpha, right.transposed(), left.transposed());
        } else {
            add_product(back[i].data.data(), gemm.alpha, left, right);
        }
    };
    if (step.wanted[0]) into(0, r, gemm.b.transposed(), gemm.transpose_a);
    if (step.wanted[1]) into(1, gemm.a.transposed(), r, gemm.transpose_b);
    if (step.has(2) && step.wanted[2]) {
        back[2] = sum_to(step.signal, step.input(2).shape);
        for (double& v : back[2].data) v *= gemm.beta;
    }
    return back;
}

/// MatMul's operands with the leading axes broadcast: one pair of matrices per element of `batch`.
struct Product {
    Shape a_shape, b_shape;  // at least two axes each
    Shape batch;
    std::vector<std::int64_t> a_at, b_at;  // which matrix of a and of b
    std::int64_t rows, depth, columns;
};

Product product_of(const Step& step) {
    Product p;
    p.a_shape = step.input(0).shape;
    p.b_shape = step.input(1).shape;
    if (p.a_shape.empty() || p.b_shape.empty()) step.fail("MatMul of a scalar");
    if (p.a_shape.size() == 1) p.a_shape.insert(p.a_shape.begin(), 1);
    if (p.b_shape.size() == 1) p.b_shape.push_back(1);
    p.rows = p.a_shape[p.a_shape.size() - 2];
    p.depth = p.a_shape.back();
    p.columns = p.b_shape.back();
    if (p.depth != p.b_shape[p.b_shape.size() - 2]) {
        step.fail("cannot multiply " + to_string(step.input(0).shape) + " by " + to_string(step.input(1).shape));
    }
    const Shape a_batch(p.a_shape.begin(), p.a_shape.end() - 2);
    const Shape b_batch(p.b_shape.begin(), p.b_shape.end() - 2);
    p.batch = broadcast_shapes(a_batch, b_batch);
    p.a_at = broadcast_map(a_batch, p.batch);
    p.b_at = broadcast_map(b_batch, p.batch);
    return p;
}

std::vector<Tensor> matmul_forward(const Step& step) {
    const Product p = product_of(step);
    Tensor out;
    out.shape = p.batch;
    if (step.input(0).rank() > 1) out.shape.push_back(p.rows);
    if (step.input(1).rank() > 1) out.shape.push_back(p.columns);
    out.data.assign(p.a_at.size() * p.rows * p.columns, 0.0);
    for (std::size_t i = 0; i < p.a_at.size(); ++i) {
        add_product(out.data.data() + i * p.rows * p.columns, 1,
                    view(step.input(0).data.data() + p.a_at[i] * p.rows * p.depth, p.rows, p.depth),
                    view(step.input(1).data.data() + p.b_at[i] * p.depth * p.columns, p.depth, p.columns));
    }
    return {out};
}

std::vector<Tensor> matmul_reverse(const ReverseStep& step) {
    const Product p = product_of(step);
    std::vector<Tensor> back{Tensor::zeros(step.input(0).shape), Tensor::zeros(step.input(1).shape)};
    for (std::size_t i = 0; i < p.a_at.size(); ++i) {
        const View r = view(step.signal.data.data() + i * p.rows * p.columns, p.rows, p.columns);
        const std::int64_t a = p.a_at[i] * p.rows * p.depth;
        const std::int64_t b = p.b_at[i] * p.depth * p.columns;
        if (step.wanted[0]) {
            const View other = view(step.input(1).data.data() + b, p.depth, p.columns);
            add_product(back[0].data.data() + a, 1, r, other.transposed());
        }
        if (step.wanted[1]) {
            const View other = view(step.input(0).data.data() + a, p.rows, p.depth);
            add_product(back[1].data.data() + b, 1, other.transposed(), r);
        }
    }
    return back;
}

}  // namespace

void add_matrices(OperatorTable& table) {
    table["Gemm"] = {gemm_forward, gemm_reverse, Flow::all};
    table["MatMul"] = {matmul_forward, matmul_reverse, Flow::all};
}

}  // namespace deconv::reference
