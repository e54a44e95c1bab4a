#include "bench/networks.h"

#include <array>
#include <cmath>
#include <map>
#include <random>
#include <sstream>

#include "base/error.h"

namespace deconv::bench {
namespace {

/// A graph under construction.  Every method adds a node and gives the name of its output.
class Builder {
  public:
    Builder(std::string name, nn::Shape image, unsigned seed) : random_(seed) {
        graph.name = std::move(name);
        graph.opset = 12;
        graph.inputs = {{"data", {1, image[0], image[1], image[2]}}};
        shapes_["data"] = std::move(image);
    }

    std::string conv(const std::string& x, const std::string& name, std::int64_t count, std::int64_t kernel,
                     std::int64_t stride = 1, std::int64_t pad = 0, std::int64_t group = 1) {
        const nn::Shape from = shapes_.at(x);
        const std::int64_t inputs = from[0] / group;
        const auto size = [&](std::int64_t n) { return (n + 2 * pad - kernel) / stride + 1; };
        nn::Node& node = add("Conv", {x, name + "_w", name + "_b"}, name, {count, size(from[1]), size(from[2])});
        weights(name + "_w", {count, inputs, kernel, kernel},
                std::sqrt(2.0 / static_cast<double>(inputs * kernel * kernel)));
        weights(name + "_b", {count}, 0.05);
        node.attributes.set("kernel_shape", std::vector<std::int64_t>{kernel, kernel});
        node.attributes.set("strides", std::vector<std::int64_t>{stride, stride});
        node.attributes.set("pads", std::vector<std::int64_t>{pad, pad, pad, pad});
        node.attributes.set("group", group);
        return name;
    }
    std::string relu(const std::string& x) {
        add("Relu", {x}, x + "_relu", shapes_.at(x));
        return x + "_relu";
    }
    std::string conv_relu(const std::string& x, const std::string& name, std::int64_t count, std::int64_t kernel,
                          std::int64_t stride = 1, std::int64_t pad = 0, std::int64_t group = 1) {
        return relu(conv(x, name, count, kernel, stride, pad, group));
    }
    /// Where rounding up gives one window more, the end is padded.
    std::string pool(const std::string& x, const std::string& name, std::int64_t kernel, std::int64_t stride,
                     std::int64_t pad = 0, bool round_up = false) {
        nn::Shape to = shapes_.at(x);
        std::vector<std::int64_t> pads{pad, pad, pad, pad};
        for (std::size_t axis = 1; axis < 3; ++axis) {
            const std::int64_t n = to[axis];
            to[axis] = (n + 2 * pad - kernel + (round_up ? stride - 1 : 0)) / stride + 1;
            pads[axis + 1] = std::max(pad, (to[axis] - 1) * stride + kernel - n - pad);
        }
        nn::Node& node = add("MaxPool", {x}, name, to);
        node.attributes.set("kernel_shape", std::vector<std::int64_t>{kernel, kernel});
        node.attributes.set("strides", std::vector<std::int64_t>{stride, stride});
        node.attributes.set("pads", pads);
        return name;
    }
    std::string lrn(const std::string& x) {
        nn::Node& node = add("LRN", {x}, x + "_norm", shapes_.at(x));
        node.attributes.set("size", std::int64_t{5});
        return x + "_norm";
    }
    std::string concat(const std::vector<std::string>& parts, const std::string& name) {
        nn::Shape to = shapes_.at(parts.front());
        to[0] = 0;
        for (const std::string& part : parts) to[0] += shapes_.at(part)[0];
        add("Concat", parts, name, to).attributes.set("axis", std::int64_t{1});
        return name;
    }
    std::string sum(const std::string& a, const std::string& b, const std::string& name) {
        add("Add", {a, b}, name, shapes_.at(a));
        return name;
    }
    std::string global_average(const std::string& x) {
        add("GlobalAveragePool", {x}, x + "_average", {shapes_.at(x)[0], 1, 1});
        return x + "_average";
    }
    std::string flat(const std::string& x) {
        const nn::Shape& from = shapes_.at(x);
        add("Flatten", {x}, x + "_flat", {from[0] * from[1] * from[2]});
        return x + "_flat";
    }
    std::string gemm(const std::string& x, const std::string& name, std::int64_t count) {
        const std::int64_t inputs = shapes_.at(x)[0];
        weights(name + "_w", {count, inputs}, std::sqrt(2.0 / static_cast<double>(inputs)));
        weights(name + "_b", {count}, 0.05);
        add("Gemm", {x, name + "_w", name + "_b"}, name, {count}).attributes.set("transB", std::int64_t{1});
        return name;
    }
    nn::Graph finish(const std::string& output) {
        graph.outputs = {output};
        return std::move(graph);
    }
    const nn::Shape& shape(const std::string& x) const { return shapes_.at(x); }

    nn::Graph graph;

  private:
    nn::Node& add(std::string op, std::vector<std::string> inputs, const std::string& output, nn::Shape shape) {
        for (const std::int64_t size : shape) {
            if (size < 1) throw Error(graph.name + ": its input is too small for " + output + ": give a larger --size");
        }
        shapes_[output] = std::move(shape);
        graph.nodes.push_back({output, std::move(op), std::move(inputs), {output}, {}});
        return graph.nodes.back();
    }
    void weights(const std::string& name, const nn::Shape& shape, double deviation) {
        std::vector<float> values(static_cast<std::size_t>(nn::elements(shape)));
        // Uniform numbers of the same deviation serve as well as normal ones and are made in a fraction of the time.
        const auto scale = static_cast<float>(deviation * std::sqrt(12.0) / 4294967296.0);
        for (float& value : values) value = (static_cast<float>(random_()) - 2147483648.0F) * scale;
        graph.constants[name] = nn::HostTensor::of(shape, std::move(values));
    }

    std::mt19937 random_;
    std::map<std::string, nn::Shape> shapes_;
};

nn::Graph vgg16(Builder& b, bool whole) {
    std::string x = "data";
    int block = 0;
    for (const auto& [count, repeat] : {std::pair{64, 2}, {128, 2}, {256, 3}, {512, 3}, {512, 3}}) {
        ++block;
        for (int i = 1; i <= repeat; ++i) {
            x = b.conv_relu(x, "conv" + std::to_string(block) + "_" + std::to_string(i), count, 3, 1, 1);
        }
        if (block < 5 || whole) x = b.pool(x, "pool" + std::to_string(block), 2, 2);
    }
    if (!whole) return b.finish(x);
    x = b.relu(b.gemm(b.flat(x), "fc6", 4096));
    return b.finish(b.gemm(b.relu(b.gemm(x, "fc7", 4096)), "fc8", 1000));
}

nn::Graph alexnet(Builder& b) {
    std::string x = b.lrn(b.conv_relu("data", "conv1", 96, 11, 4));
    x = b.lrn(b.conv_relu(b.pool(x, "pool1", 3, 2, 0, true), "conv2", 256, 5, 1, 2, 2));
    x = b.conv_relu(b.pool(x, "pool2", 3, 2, 0, true), "conv3", 384, 3, 1, 1);
    x = b.conv_relu(b.conv_relu(x, "conv4", 384, 3, 1, 1, 2), "conv5", 256, 3, 1, 1, 2);
    x = b.relu(b.gemm(b.flat(b.pool(x, "pool5", 3, 2, 0, true)), "fc6", 4096));
    return b.finish(b.gemm(b.relu(b.gemm(x, "fc7", 4096)), "fc8", 1000));
}

nn::Graph zfnet512(Builder& b) {
    std::string x = b.lrn(b.conv_relu("data", "conv1", 96, 7, 2, 1));
    x = b.lrn(b.conv_relu(b.pool(x, "pool1", 3, 2, 0, true), "conv2", 256, 5, 2));
    x = b.conv_relu(b.pool(x, "pool2", 3, 2, 0, true), "conv3", 512, 3, 1, 1);
    x = b.conv_relu(b.conv_relu(x, "conv4", 1024, 3, 1, 1), "conv5", 512, 3, 1, 1);
    x = b.relu(b.gemm(b.flat(b.pool(x, "pool5", 3, 2, 0, true)), "fc6", 4096));
    return b.finish(b.gemm(b.relu(b.gemm(x, "fc7", 4096)), "fc8", 1000));
}

nn::Graph googlenet(Builder& b) {
    // 1×1, 3×3 reduce, 3×3, 5×5 reduce, 5×5, pool projection (Szegedy et al., arXiv 1409.4842, table 1).
    static const std::vector<std::pair<const char*, std::array<int, 6>>> inceptions = {
        {"3a", {64, 96, 128, 16, 32, 32}},     {"3b", {128, 128, 192, 32, 96, 64}},
        {"4a", {192, 96, 208, 16, 48, 64}},    {"4b", {160, 112, 224, 24, 64, 64}},
        {"4c", {128, 128, 256, 24, 64, 64}},   {"4d", {112, 144, 288, 32, 64, 64}},
        {"4e", {256, 160, 320, 32, 128, 128}}, {"5a", {256, 160, 320, 32, 128, 128}},
        {"5b", {384, 192, 384, 48, 128, 128}}};
    std::string x = b.lrn(b.pool(b.conv_relu("data", "conv1", 64, 7, 2, 3), "pool1", 3, 2, 0, true));
    x = b.conv_relu(b.conv_relu(x, "conv2_reduce", 64, 1), "conv2", 192, 3, 1, 1);
    x = b.pool(b.lrn(x), "pool2", 3, 2, 0, true);
    for (const auto& [name, counts] : inceptions) {
        const std::string p = name;
        x = b.concat({b.conv_relu(x, p + "/1x1", counts[0], 1),
                      b.conv_relu(b.conv_relu(x, p + "/3x3_reduce", counts[1], 1), p + "/3x3", counts[2], 3, 1, 1),
                      b.conv_relu(b.conv_relu(x, p + "/5x5_reduce", counts[3], 1), p + "/5x5", counts[4], 5, 1, 2),
                      b.conv_relu(b.pool(x, p + "/pool", 3, 1, 1), p + "/pool_proj", counts[5], 1)},
                     p + "/output");
        if (p == "3b" || p == "4e") x = b.pool(x, "pool" + p.substr(0, 1), 3, 2, 0, true);
    }
    return b.finish(b.gemm(b.flat(b.global_average(x)), "classifier", 1000));
}

nn::Graph squeezenet(Builder& b) {
    std::string x = b.pool(b.conv_relu("data", "conv1", 64, 3, 2), "pool1", 3, 2);
    int index = 1;
    for (const auto& [squeeze, expand] :
         {std::pair{16, 64}, {16, 64}, {32, 128}, {32, 128}, {48, 192}, {48, 192}, {64, 256}, {64, 256}}) {
        const std::string p = "fire" + std::to_string(++index);
        x = b.conv_relu(x, p + "/squeeze1x1", squeeze, 1);
        x = b.concat({b.conv_relu(x, p + "/expand1x1", expand, 1), b.conv_relu(x, p + "/expand3x3", expand, 3, 1, 1)},
                     p + "/concat");
        if (index == 3 || index == 5) x = b.pool(x, "pool" + std::to_string(index), 3, 2);
    }
    return b.finish(b.global_average(b.conv_relu(x, "conv10", 1000, 1)));
}

nn::Graph resnet18(Builder& b) {
    // Batch normalisation folds into the convolutions.
    std::string x = b.pool(b.conv_relu("data", "conv1", 64, 7, 2, 3), "pool1", 3, 2, 1);
    for (int stage = 1; stage <= 4; ++stage) {
        const std::int64_t count = std::int64_t{32} << stage;
        for (int unit = 1; unit <= 2; ++unit) {
            const std::string p = "stage" + std::to_string(stage) + "_unit" + std::to_string(unit);
            const std::int64_t stride = stage > 1 && unit == 1 ? 2 : 1;
            const std::string y =
                b.conv(b.conv_relu(x, p + "_conv1", count, 3, stride, 1), p + "_conv2", count, 3, 1, 1);
            if (stride == 2) x = b.conv(x, p + "_shortcut", count, 1, 2);
            x = b.relu(b.sum(y, x, p));
        }
    }
    return b.finish(b.gemm(b.flat(b.global_average(x)), "classifier", 1000));
}

nn::Graph cifar10(Builder& b) {
    std::string x = b.pool(b.conv_relu("data", "conv1_1", 32, 3, 1, 1), "pool1", 2, 2);
    for (const std::int64_t block : {2, 3}) {
        const std::string n = std::to_string(block);
        const std::int64_t count = block == 2 ? 64 : 128;
        x = b.conv_relu(b.conv_relu(x, "conv" + n + "_1", count, 3, 1, 1), "conv" + n + "_2", count, 3, 1, 1);
        x = b.pool(x, "pool" + n, 2, 2);
    }
    x = b.conv_relu(x, "conv4_1", 256, 3, 1, 1);
    return b.finish(b.gemm(b.flat(b.global_average(x)), "classifier", 10));
}

}  // namespace

const std::vector<NamedNetwork>& named_networks() {
    static const std::vector<NamedNetwork> all = {
        {"squeezenet1.1", 227, "fire9/concat"}, {"vgg16", 224, "conv5_3_relu"},         {"alexnet", 227, "conv5_relu"},
        {"googlenet", 224, "5b/output"},        {"resnet18", 224, "stage4_unit2_relu"}, {"cifar10", 32, "conv3_2_relu"},
        {"zfnet512", 224, "conv5_relu"},        {"vgg16-full", 224, "conv5_3_relu"}};
    return all;
}

std::optional<nn::Graph> make_network(const std::string& name, int size, unsigned seed) {
    Builder b(name, {3, size, size}, seed);
    if (name == "vgg16" || name == "vgg16-full") return vgg16(b, name == "vgg16-full");
    if (name == "alexnet") return alexnet(b);
    if (name == "zfnet512") return zfnet512(b);
    if (name == "googlenet") return googlenet(b);
    if (name == "squeezenet1.1") return squeezenet(b);
    if (name == "resnet18") return resnet18(b);
    if (name == "cifar10") return cifar10(b);
    return std::nullopt;
}

nn::Graph make_layer(const std::string& text, unsigned seed) {
    std::int64_t channels = 0, height = 0, width = 0, kernel = 0, stride = 1, pad = 0, count = 0, group = 1;
    char x = 0;
    std::istringstream stream(text);
    stream >> channels >> x >> height >> x >> width >> kernel >> x >> kernel;
    for (std::string word; stream >> word;) {
        const std::int64_t number = std::atoll(word.c_str() + (word[0] >= '0' && word[0] <= '9' ? 0 : 1));
        (word[0] == 's' ? stride : word[0] == 'p' ? pad : word[0] == 'g' ? group : count) = number;
    }
    if (channels < 1 || height < 1 || width < 1 || kernel < 1 || stride < 1 || count < 1 || group < 1) {
        throw Error("\"" + text + "\" is no layer; an example: 64x56x56 3x3 s1 p1 128");
    }
    Builder b(text, {channels, height, width}, seed);
    return b.finish(b.conv_relu("data", "conv", count, kernel, stride, pad, group));
}

const std::vector<std::string>& synthetic_layers() {
    static const std::vector<std::string> all = {
        "64x56x56 1x1 s1 p0 64",   "256x56x56 1x1 s1 p0 64",    "512x14x14 1x1 s1 p0 512", "64x56x56 3x3 s1 p1 64",
        "256x28x28 3x3 s1 p1 256", "512x14x14 3x3 s1 p1 512",   "64x56x56 3x3 s2 p1 128",  "64x56x56 3x3 s1 p1 64 g4",
        "32x64x64 5x5 s1 p2 32",   "16x128x128 11x11 s1 p5 16", "64x56x56 11x11 s1 p5 64", "64x56x56 15x15 s1 p7 64",
        "3x224x224 7x7 s2 p3 64",  "128x7x7 3x3 s1 p1 128"};
    return all;
}

}  // namespace deconv::bench
