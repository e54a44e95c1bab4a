#include "train/architecture.h"

#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "base/error.h"

namespace deconv::train {
namespace {

using Json = nlohmann::json;

// One description for the built-in networks and for files.
const std::map<std::string, const char*>& descriptions() {
    static const char* const vgg_small = R"({"layers": [
        {"type": "conv", "channels": 32}, {"type": "max_pool"},
        {"type": "conv", "channels": 64}, {"type": "conv", "channels": 64}, {"type": "max_pool"},
        {"type": "conv", "channels": 128}, {"type": "conv", "channels": 128}, {"type": "max_pool"},
        {"type": "conv", "channels": 256}, {"type": "global_average"}, {"type": "linear"}]})";
    static const char* const zf = R"({"layers": [
        {"type": "conv", "channels": 48, "kernel": 5, "stride": 2}, {"type": "max_pool"},
        {"type": "conv", "channels": 96}, {"type": "conv", "channels": 96}, {"type": "max_pool"},
        {"type": "conv", "channels": 192}, {"type": "conv", "channels": 192}, {"type": "max_pool"},
        {"type": "conv", "channels": 256}, {"type": "conv", "channels": 256},
        {"type": "global_average"}, {"type": "linear"}]})";
    static const std::map<std::string, const char*> all = {{"vgg-small", vgg_small}, {"zf", zf}};
    return all;
}

/// A layer's settings; every one that is read is ticked off, so that a misspelt one is found.
class Settings {
  public:
    Settings(const Json& json, std::string where) : json_(json), where_(std::move(where)) {
        if (!json.is_object()) fail("it is not an object");
        type_ = text("type");
    }

    const std::string& type() const { return type_; }
    std::int64_t integer(const char* name, std::int64_t fallback, std::int64_t least) {
        const Json* value = find(name);
        if (value == nullptr) return fallback;
        if (!value->is_number_integer() || value->get<std::int64_t>() < least || value->get<std::int64_t>() > 65536) {
            fail(std::string(name) + " must be a whole number, " + std::to_string(least) + " at least");
        }
        return value->get<std::int64_t>();
    }
    std::int64_t needed(const char* name) {
        const std::int64_t value = integer(name, 0, 1);
        if (value == 0) fail(std::string(name) + " is missing");
        return value;
    }
    bool flag(const char* name, bool fallback) {
        const Json* value = find(name);
        if (value == nullptr) return fallback;
        if (!value->is_boolean()) fail(std::string(name) + " must be true or false");
        return value->get<bool>();
    }
    float share(const char* name, float fallback) {
        const Json* value = find(name);
        if (value == nullptr) return fallback;
        if (!value->is_number() || value->get<double>() < 0 || value->get<double>() >= 1) {
            fail(std::string(name) + " must be from 0 to below 1");
        }
        return value->get<float>();
    }
    void end() const {
        for (const auto& [name, value] : json_.items()) {
            if (std::find(known_.begin(), known_.end(), name) == known_.end()) {
                fail("it knows no \"" + name + "\"");
            }
        }
    }
    [[noreturn]] void fail(const std::string& text) const {
        throw Error(where_ + (type_.empty() ? "" : " (" + type_ + ")") + ": " + text);
    }

  private:
    const Json* find(const char* name) {
        known_.emplace_back(name);
        const auto found = json_.find(name);
        return found == json_.end() ? nullptr : &*found;
    }
    std::string text(const char* name) {
        const Json* value = find(name);
        if (value == nullptr || !value->is_string()) fail(std::string("its ") + name + " is missing");
        return value->get<std::string>();
    }

    const Json& json_;
    std::string where_, type_;
    std::vector<std::string> known_;
};

class Builder {
  public:
    Builder(std::int64_t image_channels, std::int64_t classes, std::uint64_t seed)
        : classes_(classes), channels_(image_channels), random_(seed) {
        graph_.opset = 13;
        graph_.inputs = {{"data", {-1, image_channels, -1, -1}}};
    }

    void add(Settings& layer) {
        if (layer.type() == "conv") {
            conv(layer);
        } else if (layer.type() == "max_pool" || layer.type() == "average_pool") {
            pool(layer);
        } else if (layer.type() == "dropout") {
            const float ratio = layer.share("ratio", 0.5F);
            const std::string name = "dropout" + std::to_string(++dropouts_);
            graph_.constants[name + ".ratio"] = nn::HostTensor::of({}, std::vector<float>{ratio});
            node("Dropout", name, {x_, name + ".ratio"});
        } else if (layer.type() == "global_average") {
            node("GlobalAveragePool", "average", {x_});
            node("Flatten", "flat", {x_});
            flat_ = true;
        } else if (layer.type() == "linear") {
            linear(layer);
        } else {
            layer.fail("there is no such layer; known: conv, max_pool, average_pool, dropout, global_average, linear");
        }
        layer.end();
    }

    nn::Graph finish(const std::string& name) {
        if (!flat_ || channels_ != classes_ || graph_.nodes.back().op != "Gemm") {
            throw Error(name + ": its last layer must be \"linear\", with as many outputs as there are classes");
        }
        graph_.name = name;
        graph_.outputs = {x_};
        return std::move(graph_);
    }

  private:
    nn::Node& node(const std::string& op, const std::string& name, std::vector<std::string> inputs) {
        graph_.nodes.push_back({name, op, std::move(inputs), {name}, {}});
        x_ = name;
        return graph_.nodes.back();
    }
    void constant(const std::string& name, std::int64_t count, float value) {
        graph_.constants[name] =
            nn::HostTensor::of({count}, std::vector<float>(static_cast<std::size_t>(count), value));
    }
    void weights(const std::string& name, const nn::Shape& shape, std::int64_t inputs, double gain) {
        // Not std::normal_distribution: every library draws it otherwise.
        const double deviation = std::sqrt(gain / static_cast<double>(inputs));
        std::vector<float> values(static_cast<std::size_t>(nn::elements(shape)));
        const auto uniform = [&] { return (static_cast<double>(random_() >> 11) + 0.5) / 9007199254740992.0; };
        for (float& value : values) {
            const double radius = std::sqrt(-2 * std::log(uniform()));
            value = static_cast<float>(deviation * radius * std::cos(6.283185307179586 * uniform()));
        }
        graph_.constants[name] = nn::HostTensor::of(shape, std::move(values));
    }

    void conv(Settings& layer) {
        if (flat_) layer.fail("it cannot follow global_average");
        const std::int64_t count = layer.needed("channels");
        const std::int64_t kernel = layer.integer("kernel", 3, 1);
        const std::int64_t stride = layer.integer("stride", 1, 1);
        const std::int64_t pad = layer.integer("pad", kernel / 2, 0);
        const bool normalised = layer.flag("batch_norm", true);
        const bool rectified = layer.flag("relu", true);
        const std::string place = std::to_string(stage_) + "_" + std::to_string(++part_);
        const std::string name = "conv" + place;
        weights(name + ".weight", {count, channels_, kernel, kernel}, channels_ * kernel * kernel, 2.0);
        std::vector<std::string> inputs{x_, name + ".weight"};
        if (!normalised) {
            constant(name + ".bias", count, 0);
            inputs.push_back(name + ".bias");
        }
        nn::Node& made = node("Conv", name, inputs);
        made.attributes.set("kernel_shape", std::vector<std::int64_t>{kernel, kernel});
        made.attributes.set("strides", std::vector<std::int64_t>{stride, stride});
        made.attributes.set("pads", std::vector<std::int64_t>{pad, pad, pad, pad});
        if (normalised) {
            const std::string norm = "norm" + place;
            constant(norm + ".scale", count, 1);
            constant(norm + ".bias", count, 0);
            constant(norm + ".mean", count, 0);
            constant(norm + ".variance", count, 1);
            node("BatchNormalization", norm,
                 {name, norm + ".scale", norm + ".bias", norm + ".mean", norm + ".variance"});
        }
        if (rectified) node("Relu", "relu" + place, {x_});
        channels_ = count;
    }

    void pool(Settings& layer) {
        if (flat_) layer.fail("it cannot follow global_average");
        const std::int64_t kernel = layer.integer("kernel", 2, 1);
        const std::int64_t stride = layer.integer("stride", kernel, 1);
        const std::int64_t pad = layer.integer("pad", 0, 0);
        nn::Node& made =
            node(layer.type() == "max_pool" ? "MaxPool" : "AveragePool", "pool" + std::to_string(stage_), {x_});
        made.attributes.set("kernel_shape", std::vector<std::int64_t>{kernel, kernel});
        made.attributes.set("strides", std::vector<std::int64_t>{stride, stride});
        made.attributes.set("pads", std::vector<std::int64_t>{pad, pad, pad, pad});
        ++stage_;
        part_ = 0;
    }

    void linear(Settings& layer) {
        if (!flat_) layer.fail("a global_average must come before it: then the network runs at any size");
        const std::int64_t outputs = layer.integer("outputs", classes_, 1);
        const bool rectified = layer.flag("relu", false);
        const std::string number = linears_++ == 0 ? "" : std::to_string(linears_);
        const std::string name = "fc" + number;
        weights(name + ".weight", {outputs, channels_}, channels_, rectified ? 2.0 : 1.0);
        constant(name + ".bias", outputs, 0);
        node("Gemm", name, {x_, name + ".weight", name + ".bias"}).attributes.set("transB", std::int64_t{1});
        if (rectified) node("Relu", "relu_" + name, {x_});
        channels_ = outputs;
    }

    nn::Graph graph_;
    std::int64_t classes_, channels_;
    std::string x_ = "data";
    int stage_ = 1, part_ = 0, dropouts_ = 0, linears_ = 0;
    bool flat_ = false;
    std::mt19937_64 random_;
};

}  // namespace

nn::Graph make_architecture(const std::string& name_or_file, std::int64_t image_channels, std::int64_t classes,
                            std::uint64_t seed) {
    const auto built_in = descriptions().find(name_or_file);
    Json json;
    try {
        if (built_in != descriptions().end()) {
            json = Json::parse(built_in->second);
        } else {
            std::ifstream file(name_or_file);
            if (!file) {
                throw Error("no network " + name_or_file + " to train: vgg-small, zf, or a JSON file of layers");
            }
            json = Json::parse(file);
        }
    } catch (const Json::exception& error) {
        throw Error(name_or_file + " is not JSON: " + error.what());
    }
    if (!json.is_object() || !json.contains("layers") || !json["layers"].is_array()) {
        throw Error(name_or_file + " has no list \"layers\"");
    }
    Builder builder(image_channels, classes, seed);
    int number = 0;
    for (const Json& layer : json["layers"]) {
        Settings settings(layer, name_or_file + ", layer " + std::to_string(++number));
        builder.add(settings);
    }
    return builder.finish(name_or_file);
}

}  // namespace deconv::train
