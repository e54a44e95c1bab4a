#include <algorithm>
#include <cctype>

#include "base/error.h"
#include "live/headless.h"

namespace deconv::live {
namespace {

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text;
}

bool is_number(const std::string& text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

/// A class by its label, or −1.
int class_of(const std::string& wanted, const std::vector<std::string>& labels) {
    for (std::size_t i = 0; i < labels.size(); ++i) {
        if (lower(labels[i]) == lower(wanted)) return static_cast<int>(i);
    }
    return -1;
}

}  // namespace

Target resolve_target(const nn::Network& network, const std::vector<std::string>& labels, const Options& options) {
    Target target;
    const bool by_label = options.channel != "strongest" && options.channel != "all" && !is_number(options.channel);
    const int labelled = by_label ? class_of(options.channel, labels) : -1;
    if (options.layer.empty() && labelled >= 0 && network.classes().tensor >= 0) {
        // A class without a layer means the network's verdict.
        target.layer = network.classes().tensor;
        target.layer_name = network.tensors()[static_cast<std::size_t>(target.layer)].name;
    } else {
        const nn::Network::Layer& layer =
            options.layer.empty() ? network.default_layer() : network.find_layer(options.layer);
        target.layer = layer.tensor;
        target.layer_name = layer.name;
    }
    target.start = network.projection_start(target.layer);
    const nn::Shape& shape = network.tensors()[static_cast<std::size_t>(target.start)].shape;
    const nn::Extent extent = nn::extent_of(shape);
    if (shape.size() > 4)
        throw Error("layer " + target.layer_name + " has shape " + nn::to_string(shape) + ": choose another --layer");

    const bool negative = options.channel.starts_with('-') && is_number(options.channel.substr(1));
    nn::Selection& selection = target.selection;
    if (options.channel == "strongest") {
        selection.channel = nn::Selection::strongest;
    } else if (options.channel == "all") {
        selection.channel = nn::Selection::all;
    } else if (is_number(options.channel) || (negative && labelled < 0)) {
        const bool sane = !negative && options.channel.size() < 9;
        const unsigned long number = sane ? std::stoul(options.channel) : 1000000000UL;
        if (number >= static_cast<unsigned long>(extent.channels)) {
            throw Error("no channel " + options.channel + " in layer " + target.layer_name +
                        ": they are numbered 0 to " + std::to_string(extent.channels - 1));
        }
        selection.channel = static_cast<std::int32_t>(number);
    } else {
        if (labels.empty()) {
            throw Error("--channel \"" + options.channel +
                        "\": the model has no class labels; give a number from 0 to " +
                        std::to_string(extent.channels - 1) + ", strongest or all");
        }
        if (labelled < 0) {
            std::string nearest;
            for (const std::string& name : nn::nearest_names(options.channel, labels)) {
                nearest += (nearest.empty() ? "" : ", ") + name;
            }
            throw Error("no class labelled \"" + options.channel + "\"; nearest: " + nearest);
        }
        if (extent.channels != static_cast<std::int64_t>(labels.size())) {
            throw Error("layer " + target.layer_name + " has " + std::to_string(extent.channels) +
                        " channels, not one for each of the " + std::to_string(labels.size()) +
                        " classes: leave --layer out to project a class");
        }
        selection.channel = labelled;
    }
    selection.where = options.where;
    selection.one = options.start_one;
    if (options.where == nn::Selection::Where::pinned) {
        const std::int64_t height = extent.plane / extent.width;
        if (options.y >= height || options.x >= extent.width) {
            throw Error("no position " + std::to_string(options.y) + "," + std::to_string(options.x) + " in layer " +
                        target.layer_name + ": rows are 0 to " + std::to_string(height - 1) + ", columns 0 to " +
                        std::to_string(extent.width - 1));
        }
        selection.y = options.y;
        selection.x = options.x;
    }
    return target;
}

}  // namespace deconv::live
