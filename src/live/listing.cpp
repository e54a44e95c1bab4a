#include "live/listing.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/error.h"
#include "live/models.h"
#include "vk/device.h"

namespace deconv::live {
namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& json) {
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// Columns padded to their widest cell; the first row is the heading.
std::string table(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    const auto length = [](const std::string& text) {  // in characters, not bytes
        return static_cast<std::size_t>(std::count_if(
            text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
    };
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], length(row[i]));
    }
    std::string text;
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += row[i];
            if (i + 1 < row.size()) line += std::string(widths[i] - length(row[i]) + 2, ' ');
        }
        text += line + "\n";
    }
    return text;
}

std::string number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, value == std::floor(value) ? "%.0f" : "%.4g", value);
    return text;
}

/// "19" where rows and columns agree, else "19x7".
std::string both(double rows, double columns) {
    return rows == columns ? number(rows) : number(rows) + "x" + number(columns);
}

}  // namespace

std::string list_devices_text(const Options& options) {
    const std::vector<gpu::DeviceInfo> devices = gpu::list_devices();
    if (devices.empty()) throw Error("no Vulkan 1.2 driver found: install one (Debian: mesa-vulkan-drivers)");
    if (options.json) {
        Json json = {{"devices", Json::array()}};
        for (const gpu::DeviceInfo& device : devices) {
            json["devices"].push_back({{"index", device.index},
                                       {"name", device.name},
                                       {"type", gpu::to_string(device.type)},
                                       {"driver", device.driver},
                                       {"memory_bytes", device.memory},
                                       {"subgroup_size", device.subgroup_size},
                                       {"half_precision", device.half_precision},
                                       {"cooperative_matrix", device.cooperative_matrix},
                                       {"max_storage_buffer_range", device.limits.storage_range}});
        }
        return dump(json);
    }
    std::vector<std::vector<std::string>> rows{{"index", "name", "type", "driver", "memory"}};
    for (const gpu::DeviceInfo& device : devices) {
        rows.push_back({std::to_string(device.index), device.name, gpu::to_string(device.type), device.driver,
                        std::to_string(device.memory >> 20) + " MiB"});
    }
    return table(rows);
}

std::string list_models_text(const Options& options) {
    const std::vector<ListedModel> models = list_models();
    if (options.json) {
        Json json = {{"models", Json::array()}};
        for (const ListedModel& model : models) {
            Json entry = {{"name", model.name}, {"path", model.path}, {"default", model.name == default_model}};
            if (model.sidecar.width) entry["input"] = {*model.sidecar.width, *model.sidecar.height};
            entry["classes"] = model.sidecar.labels.size();
            entry["origin"] = model.sidecar.origin;
            json["models"].push_back(std::move(entry));
        }
        return dump(json);
    }
    std::vector<std::vector<std::string>> rows{{"name", "input", "classes", "origin"}};
    for (const ListedModel& model : models) {
        const std::string size =
            model.sidecar.width ? std::to_string(*model.sidecar.width) + "x" + std::to_string(*model.sidecar.height)
                                : "any";
        rows.push_back({model.name + (model.name == default_model ? " (default)" : ""), size,
                        std::to_string(model.sidecar.labels.size()), model.sidecar.origin});
    }
    return table(rows) + "Any ONNX file of an image network works too: --model FILE.onnx\n";
}

std::string list_layers_text(const Options& options) {
    const LoadedModel model =
        load_model(options.model, options.input_width.value_or(0), options.input_height.value_or(0));
    const nn::Network& network = model.network;
    const std::size_t stages = network.stage_count();
    Json json = {{"model", model.sidecar.name}, {"layers", Json::array()}};
    std::vector<std::vector<std::string>> rows;
    const std::vector<std::string> heading{"index", "name",   "operator", "shape",
                                           "field", "stride", "offset",   "parameters"};
    const std::size_t middle = static_cast<std::size_t>(&network.default_layer() - network.layers().data());
    for (std::size_t i = 0; i < network.layers().size(); ++i) {
        const nn::Network::Layer& layer = network.layers()[i];
        const nn::Network::TensorInfo& tensor = network.tensors()[static_cast<std::size_t>(layer.tensor)];
        const nn::ReceptiveField& y = tensor.field[0];
        const nn::ReceptiveField& x = tensor.field[1];
        const bool whole = y.global || x.global;
        json["layers"].push_back({{"index", i},
                                  {"name", layer.name},
                                  {"operator", layer.op},
                                  {"stage", layer.stage},
                                  {"default", i == middle},
                                  {"shape", tensor.shape},
                                  {"receptive_field",
                                   {{"size", {y.size, x.size}},
                                    {"stride", {y.stride, x.stride}},
                                    {"offset", {y.offset, x.offset}},
                                    {"whole_image", whole}}},
                                  {"parameters", layer.parameters}});
        if (i == stages) rows.push_back({"", "other tensors"});
        rows.push_back({std::to_string(i) + (i == middle ? "*" : ""), layer.name, layer.op, nn::to_string(tensor.shape),
                        whole ? "whole" : both(y.size, x.size), whole ? "" : both(y.stride, x.stride),
                        whole ? "" : both(y.offset, x.offset),
                        layer.parameters > 0 ? std::to_string(layer.parameters) : ""});
    }
    if (options.json) return dump(json);
    rows.insert(rows.begin(), heading);
    return "Layers of " + model.sidecar.name +
           ", stages first; * is the one taken by default.  A receptive field is in pixels of the input.\n" +
           table(rows);
}

}  // namespace deconv::live
