// Networks that nobody drew: branches, sums, gates and concatenations at random.
#pragma once

#include "engine_cases.h"

namespace deconv::testing {

/// A graph of maps of one size, grown node by node from what is there already.
class RandomGraph {
  public:
    RandomGraph(Random& random, int nodes) : random_(random) {
        const std::int64_t side = random.flip() ? 8 : 7;
        shape_ = {random.pick<std::int64_t>({1, 1, 1, 2}), random.integer(1, 4), side, 8};
        tensors_ = {{"x", shape_[1]}};
        while (static_cast<int>(tensors_.size()) <= nodes) grow();
    }

    ModelMaker maker{12};
    const Shape& shape() const { return shape_; }
    std::string any() {
        const std::size_t first = tensors_.size() / 2;
        return tensors_[static_cast<std::size_t>(random_.integer(static_cast<std::int64_t>(first),
                                                                 static_cast<std::int64_t>(tensors_.size()) - 1))]
            .name;
    }
    const std::string& last() const { return tensors_.back().name; }

  private:
    struct Made {
        std::string name;
        std::int64_t channels;
    };

    /// A recent tensor more often than an old one, with `channels` channels where that is not 0.
    Made pick(std::int64_t channels = 0) {
        for (int attempt = 0; attempt < 20; ++attempt) {
            const auto count = static_cast<std::int64_t>(tensors_.size());
            const std::int64_t oldest = random_.integer(0, 2) > 0 ? std::max<std::int64_t>(0, count - 4) : 0;
            const Made& made = tensors_[static_cast<std::size_t>(random_.integer(oldest, count - 1))];
            if (channels == 0 || made.channels == channels) return made;
        }
        return *std::find_if(tensors_.begin(), tensors_.end(),
                             [&](const Made& made) { return made.channels == channels; });
    }

    std::string fresh() { return "t" + std::to_string(next_++); }
    std::string constant(const Shape& shape, double scale = 1) {
        reference::Tensor t = random_.normal(shape);
        for (double& v : t.data) v *= scale;
        return maker.constant(fresh(), Random::rounded(t));
    }
    void add(const std::string& op, const std::vector<std::string>& inputs, std::int64_t channels,
             const AttributeList& attributes = {}) {
        tensors_.push_back({maker.node(op, inputs, fresh(), attributes), channels});
    }

    void grow() {
        const Made a = pick();
        const Ints same{1, 1, 1, 1};
        const AttributeList pool{{"kernel_shape", Ints{3, 3}}, {"pads", same}};
        switch (random_.integer(0, 13)) {
            case 0:
            case 1: {
                const std::int64_t out = random_.pick<std::int64_t>({1, 3, 4, 8, 17});
                const bool wide = random_.flip();
                const std::string w = constant({out, a.channels, wide ? 3 : 1, wide ? 3 : 1},
                                               1 / std::sqrt(static_cast<double>(a.channels * (wide ? 9 : 1))));
                add("Conv", {a.name, w, constant({out})}, out, {{"pads", wide ? same : Ints{0, 0, 0, 0}}});
                if (random_.flip()) add("Relu", {tensors_.back().name}, out);
                break;
            }
            case 2:
                add("Relu", {a.name}, a.channels);
                break;
            case 3:
                add(random_.pick<std::string>({"LeakyRelu", "Sigmoid", "Tanh", "Identity", "Dropout"}), {a.name},
                    a.channels);
                break;
            case 4:
            case 5: {
                std::vector<std::string> parts{a.name};
                std::int64_t channels = a.channels;
                for (std::int64_t more = random_.integer(1, 2); more > 0; --more) {
                    const Made b = pick();
                    parts.push_back(b.name);
                    channels += b.channels;
                }
                if (channels <= 40) add("Concat", parts, channels, {{"axis", std::int64_t{1}}});
                break;
            }
            case 6:
                add(random_.pick<std::string>({"Add", "Sub", "Sum"}), {a.name, pick(a.channels).name}, a.channels);
                break;
            case 7: {
                add("Tanh", {pick(a.channels).name}, a.channels);
                add("Mul", {a.name, tensors_.back().name}, a.channels);
                break;
            }
            case 8:
                add("MaxPool", {a.name}, a.channels, pool);
                break;
            case 9:
                add("AveragePool", {a.name}, a.channels, pool);
                break;
            case 10:
                add("LRN", {a.name}, a.channels, {{"size", std::int64_t{3}}, {"alpha", 0.5F}});
                break;
            case 11: {
                const std::string flat = maker.node("Flatten", {a.name}, fresh());
                add("Reshape", {flat, maker.list(fresh(), {shape_[0], a.channels, shape_[2], shape_[3]})}, a.channels);
                break;
            }
            case 12: {
                const std::string mean = maker.node("GlobalAveragePool", {a.name}, fresh());
                const std::string gate = maker.node("Sigmoid", {mean}, fresh());
                add("Mul", {pick(a.channels).name, gate}, a.channels);
                break;
            }
            default: {
                if (shape_[2] % 2 != 0) break;
                const AttributeList window{{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}};
                const std::string switches = fresh();
                const std::string pooled = maker.node("MaxPool", {a.name}, fresh(), window, {switches});
                add("MaxUnpool", {pooled, switches}, a.channels, window);
            }
        }
    }

    Random& random_;
    Shape shape_;
    std::vector<Made> tensors_;
    int next_ = 0;
};

}  // namespace deconv::testing
