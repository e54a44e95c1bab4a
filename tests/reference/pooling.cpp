// Pools and unpooling.
#include <algorithm>
#include <limits>
#include <utility>

#include "reference/operators.h"

namespace deconv::reference {

namespace {

struct PoolGeometry {
    Planes in, out;
    Window window;
};

PoolGeometry pool_geometry(const Step& step) {
    PoolGeometry g;
    g.in = planes_of(step.input(0).shape);
    g.out = g.in;
    if (step.node.op.rfind("Global", 0) == 0) {
        g.window.y.kernel = g.in.height;
        g.window.x.kernel = g.in.width;
        g.out.height = g.out.width = 1;
        return g;
    }
    const bool ceil_mode = step.node.attributes.integer("ceil_mode", 0) != 0;
    g.window = window_of(step, g.in.height, g.in.width);
    g.out.height = windows_along(g.window.y, g.in.height, ceil_mode);
    g.out.width = windows_along(g.window.x, g.in.width, ceil_mode);
    if (g.out.area() == 0) step.fail("the window is larger than the input " + to_string(step.input(0).shape));
    return g;
}

Shape pooled_shape(const Step& step, const PoolGeometry& g) {
    return spatial_shape(step.input(0).shape, g.out.channels, g.out.height, g.out.width);
}

/// Calls visit(y, x) for each element of window (oy, ox) inside the input, in row-major order.
template <typename Visit>
void visit_window(const PoolGeometry& g, std::int64_t oy, std::int64_t ox, Visit visit) {
    for (std::int64_t ky = 0; ky < g.window.y.kernel; ++ky) {
        const std::int64_t y = oy * g.window.y.stride - g.window.y.pad_begin + ky * g.window.y.dilation;
        if (y < 0 || y >= g.in.height) continue;
        for (std::int64_t kx = 0; kx < g.window.x.kernel; ++kx) {
            const std::int64_t x = ox * g.window.x.stride - g.window.x.pad_begin + kx * g.window.x.dilation;
            if (x >= 0 && x < g.in.width) visit(y, x);
        }
    }
}

/// Calls visit(plane, output position within the plane, oy, ox) for every output element, in order.
template <typename Visit>
void visit_outputs(const PoolGeometry& g, Visit visit) {
    for (std::int64_t plane = 0; plane < g.out.images * g.out.channels; ++plane) {
        for (std::int64_t oy = 0; oy < g.out.height; ++oy) {
            for (std::int64_t ox = 0; ox < g.out.width; ++ox) visit(plane, oy * g.out.width + ox, oy, ox);
        }
    }
}

std::vector<Tensor> max_forward(const Step& step) {
    const PoolGeometry g = pool_geometry(step);
    const Tensor& x = step.input(0);
    const auto switches = pool_switches(step);
    const bool column_major = step.node.attributes.integer("storage_order", 0) != 0;
    Tensor out = Tensor::zeros(pooled_shape(step, g));
    Tensor indices = out;
    indices.integer = true;
    visit_outputs(g, [&](std::int64_t plane, std::int64_t position, std::int64_t, std::int64_t) {
        const std::int64_t o = plane * g.out.area() + position;
        const std::int64_t s = switches[o];
        out.data[o] = s < 0 ? -std::numeric_limits<double>::infinity() : x.data[plane * g.in.area() + s];
        const std::int64_t index = column_major ? (s % g.in.width) * g.in.height + s / g.in.width : s;
        indices.data[o] = s < 0 ? -1.0 : static_cast<double>(plane * g.in.area() + index);
    });
    return {out, indices};
}

/// R placed at the switch of each window; overlapping windows add up.
std::vector<Tensor> max_reverse(const ReverseStep& step) {
    const PoolGeometry g = pool_geometry(step);
    const auto switches = pool_switches(step);
    Tensor back = Tensor::zeros(step.input(0).shape);
    visit_outputs(g, [&](std::int64_t plane, std::int64_t position, std::int64_t, std::int64_t) {
        const std::int64_t o = plane * g.out.area() + position;
        if (switches[o] >= 0) back.data[plane * g.in.area() + switches[o]] += step.signal.data[o];
    });
    return {back};
}

/// Where each index of MaxUnpool lands in the output.  Indices count in the map that the window attributes give; with
/// output_shape that map is the output's upper left corner (ONNX's own case and reference read it so).
struct Unpool {
    Shape shape;
    std::vector<std::int64_t> to;
};

Unpool unpool_of(const Step& step) {
    const Planes in = planes_of(step.input(0).shape);
    const Window window = window_of(step, in.height, in.width);
    const auto unpooled = [](const Window::Axis& a, std::int64_t n) {
        return (n - 1) * a.stride + a.kernel - a.pad_begin - a.pad_end;
    };
    const std::int64_t height = step.input(0).rank() == 4 ? unpooled(window.y, in.height) : 1;
    const std::int64_t width = unpooled(window.x, in.width);
    Unpool result;
    result.shape = spatial_shape(step.input(0).shape, in.channels, height, width);
    if (step.has(2)) result.shape.assign(step.input(2).data.begin(), step.input(2).data.end());
    const Planes out = planes_of(result.shape);
    for (const double value : step.input(1).data) {
        const auto index = static_cast<std::int64_t>(value);
        const std::int64_t plane = index / (height * width);
        const std::int64_t y = index / width % height;
        const std::int64_t x = index % width;
        if (index < 0 || plane >= out.images * out.channels || y >= out.height || x >= out.width) {
            step.fail("index " + std::to_string(index) + " lies outside the output " + to_string(result.shape));
        }
        result.to.push_back((plane * out.height + y) * out.width + x);
    }
    return result;
}

std::vector<Tensor> unpool_forward(const Step& step) {
    const Unpool unpool = unpool_of(step);
    Tensor out = Tensor::zeros(unpool.shape);
    // Overlapping windows may name one place twice: the value is the same, it is written, not added.
    for (std::size_t i = 0; i < unpool.to.size(); ++i) out.data[unpool.to[i]] = step.input(0).data[i];
    return {out};
}

std::vector<Tensor> unpool_reverse(const ReverseStep& step) {
    const Unpool unpool = unpool_of(step);
    Tensor back = Tensor::zeros(step.input(0).shape);
    for (std::size_t i = 0; i < unpool.to.size(); ++i) back.data[i] = step.signal.data[unpool.to[i]];
    return {back};
}

/// What a window's sum is divided by: the elements inside the input, or, with count_include_pad, those inside the
/// input and its declared padding (what ceil_mode hangs over beyond that is never counted).
double average_divisor(const Step& step, const PoolGeometry& g, std::int64_t oy, std::int64_t ox) {
    const bool include_pad = step.node.attributes.integer("count_include_pad", 0) != 0;
    const auto counted = [&](const Window::Axis& axis, std::int64_t o, std::int64_t n) {
        std::int64_t count = 0;
        for (std::int64_t k = 0; k < axis.kernel; ++k) {
            const std::int64_t at = o * axis.stride - axis.pad_begin + k * axis.dilation;
            if (include_pad ? at < n + axis.pad_end : at >= 0 && at < n) ++count;
        }
        return count;
    };
    return static_cast<double>(counted(g.window.y, oy, g.in.height) * counted(g.window.x, ox, g.in.width));
}

std::vector<Tensor> average_forward(const Step& step) {
    const PoolGeometry g = pool_geometry(step);
    const Tensor& x = step.input(0);
    Tensor out = Tensor::zeros(pooled_shape(step, g));
    visit_outputs(g, [&](std::int64_t plane, std::int64_t position, std::int64_t oy, std::int64_t ox) {
        double sum = 0;
        visit_window(g, oy, ox, [&](std::int64_t iy, std::int64_t ix) {
            sum += x.data[plane * g.in.area() + iy * g.in.width + ix];
        });
        const double divisor = average_divisor(step, g, oy, ox);
        out.data[plane * g.out.area() + position] = divisor > 0 ? sum / divisor : 0.0;
    });
    return {out};
}

std::vector<Tensor> average_reverse(const ReverseStep& step) {
    const PoolGeometry g = pool_geometry(step);
    Tensor back = Tensor::zeros(step.input(0).shape);
    visit_outputs(g, [&](std::int64_t plane, std::int64_t position, std::int64_t oy, std::int64_t ox) {
        const double r = step.signal.data[plane * g.out.area() + position] / average_divisor(step, g, oy, ox);
        visit_window(g, oy, ox, [&](std::int64_t iy, std::int64_t ix) {
            back.data[plane * g.in.area() + iy * g.in.width + ix] += r;
        });
    });
    return {back};
}

}  // namespace

std::vector<std::int64_t> pool_switches(const Step& step) {
    const PoolGeometry g = pool_geometry(step);
    const std::int64_t count = g.out.images * g.out.channels * g.out.area();
    if (step.choices != nullptr) {
        const auto chosen = step.choices->switches.find(step.node.name);
        if (chosen != step.choices->switches.end()) {
            if (static_cast<std::int64_t>(chosen->second.size()) != count) step.fail("wrong number of switches");
            return chosen->second;
        }
    }
    std::vector<std::int64_t> switches(static_cast<std::size_t>(count), -1);
    visit_outputs(g, [&](std::int64_t plane, std::int64_t position, std::int64_t oy, std::int64_t ox) {
        const double* in = step.input(0).data.data() + plane * g.in.area();
        std::int64_t& best = switches[plane * g.out.area() + position];
        visit_window(g, oy, ox, [&](std::int64_t y, std::int64_t x) {
            const std::int64_t at = y * g.in.width + x;
            if (best < 0 || in[at] > in[best]) best = at;  // strictly: ties stay with the first
        });
    });
    return switches;
}

void add_pools(OperatorTable& table) {
    table["MaxPool"] = {max_forward, max_reverse, Flow::first};
    table["GlobalMaxPool"] = {max_forward, max_reverse, Flow::first};
    table["MaxUnpool"] = {unpool_forward, unpool_reverse, Flow::first};
    table["AveragePool"] = {average_forward, average_reverse, Flow::first};
    table["GlobalAveragePool"] = {average_forward, average_reverse, Flow::first};
}

}  // namespace deconv::reference
