#include "live/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <numeric>

namespace deconv::live {
namespace {

double quantile(std::vector<double> values, double q) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    const double at = q * static_cast<double>(values.size() - 1);
    const auto low = static_cast<std::size_t>(at);
    const std::size_t high = std::min(low + 1, values.size() - 1);
    return values[low] + (at - static_cast<double>(low)) * (values[high] - values[low]);
}

double rounded(double value) {
    return std::round(value * 1000) / 1000;
}

/// In the order in which a frame passes them.
constexpr const char* stages[] = {"capture", "upload", "fit", "forward", "project", "display", "record"};

}  // namespace

std::vector<Prediction> best_predictions(const std::vector<float>& scores, bool probabilities,
                                         const std::vector<std::string>& labels, std::size_t count) {
    if (scores.empty()) return {};
    std::vector<double> values(scores.begin(), scores.end());
    if (!probabilities) {
        const double peak = *std::max_element(values.begin(), values.end());
        for (double& value : values) value = std::exp(value - peak);
        const double sum = std::accumulate(values.begin(), values.end(), 0.0);
        for (double& value : values) value /= sum;
    }
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    count = std::min(count, order.size());
    std::partial_sort(
        order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
        [&](std::size_t a, std::size_t b) { return values[a] > values[b] || (values[a] == values[b] && a < b); });
    std::vector<Prediction> best;
    for (std::size_t i = 0; i < count; ++i) {
        best.push_back({static_cast<int>(order[i]), order[i] < labels.size() ? labels[order[i]] : std::string(),
                        values[order[i]]});
    }
    return best;
}

std::string to_json(const Report& report) {
    using Json = nlohmann::ordered_json;
    Json json;
    json["device"] = report.device;
    json["model"] = report.model;
    json["model_sha256"] = report.model_sha256;
    json["source"] = report.source;
    json["layer"] = report.layer;
    if (report.channel >= 0) {
        json["channel"] = report.channel;
    } else {
        json["channel"] = "all";
    }
    if (!report.channel_label.empty()) json["channel_label"] = report.channel_label;
    json["rule"] = report.rule;
    json["frames"] = {
        {"in", report.frames_in}, {"processed", report.frames_processed}, {"dropped", report.frames_dropped}};
    json["stages"] = Json::object();
    for (const char* stage : stages) {
        const auto it = report.stage_ms.find(stage);
        if (it == report.stage_ms.end() || it->second.empty()) continue;
        json["stages"][stage] = {{"median", rounded(quantile(it->second, 0.5))},
                                 {"p95", rounded(quantile(it->second, 0.95))}};
    }
    json["fps"] = rounded(report.fps());
    json["memory_bytes"] = report.memory_bytes;
    json["predictions"] = Json::array();
    for (const Prediction& prediction : report.predictions) {
        json["predictions"].push_back({{"index", prediction.index},
                                       {"label", prediction.label},
                                       {"probability", std::round(prediction.probability * 1e6) / 1e6}});
    }
    // A label or a file's name may hold anything.
    return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

std::string to_text(const Report& report) {
    char line[160];
    std::string text;
    std::snprintf(line, sizeof line, "%lld frames, %.1f a second", static_cast<long long>(report.frames_processed),
                  report.fps());
    text += line;
    if (report.frames_dropped > 0) text += ", " + std::to_string(report.frames_dropped) + " dropped";
    text += "; milliseconds a frame:";
    for (const char* stage : stages) {
        const auto it = report.stage_ms.find(stage);
        if (it == report.stage_ms.end() || it->second.empty()) continue;
        std::snprintf(line, sizeof line, " %s %.1f", stage, quantile(it->second, 0.5));
        text += line;
    }
    text += "\n";
    for (const Prediction& prediction : report.predictions) {
        std::snprintf(line, sizeof line, "  %5.1f %%  ", 100 * prediction.probability);
        text +=
            line + (prediction.label.empty() ? "class " + std::to_string(prediction.index) : prediction.label) + "\n";
    }
    return text;
}

}  // namespace deconv::live
