#include "live/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

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

/// Stages that ran, in the order in which a frame passes them; publishing is the window's.
template <typename Say>
void each_stage(const Report& report, const Say& say) {
    for (std::size_t i = 0; i < stage_count; ++i) {
        const auto stage = static_cast<Stage>(i);
        const std::vector<double>& values = report.stage_ms[stage].values();
        if (!values.empty() && stage != Stage::publish) say(name_of(stage), values);
    }
}

}  // namespace

void best_predictions(const std::vector<float>& scores, bool probabilities, const std::vector<std::string>& labels,
                      std::vector<Prediction>& best, std::size_t count) {
    best.resize(std::min(count, scores.size()));
    const auto score = [&](const Prediction& prediction) { return scores[static_cast<std::size_t>(prediction.index)]; };
    std::size_t found = 0;
    for (std::size_t i = 0; i < scores.size(); ++i) {
        std::size_t at = found;
        while (at > 0 && scores[i] > score(best[at - 1])) --at;
        if (at == best.size()) continue;
        found = std::min(found + 1, best.size());
        for (std::size_t later = found - 1; later > at; --later) best[later].index = best[later - 1].index;
        best[at].index = static_cast<int>(i);
    }
    if (best.empty()) return;
    const double peak = score(best[0]);
    double sum = 0;
    for (const float value : scores) sum += std::exp(value - peak);
    for (Prediction& prediction : best) {
        const auto index = static_cast<std::size_t>(prediction.index);
        prediction.probability = probabilities ? scores[index] : std::exp(scores[index] - peak) / sum;
        prediction.label = index < labels.size() ? std::string_view(labels[index]) : std::string_view();
    }
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
    json["precision"] = report.precision;
    json["frames"] = {
        {"in", report.frames_in}, {"processed", report.frames_processed}, {"dropped", report.frames_dropped}};
    json["stages"] = Json::object();
    each_stage(report, [&](std::string_view stage, const std::vector<double>& values) {
        json["stages"][std::string(stage)] = {{"median", rounded(quantile(values, 0.5))},
                                              {"p95", rounded(quantile(values, 0.95))}};
    });
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
    each_stage(report, [&](std::string_view stage, const std::vector<double>& values) {
        std::snprintf(line, sizeof line, " %s %.1f", std::string(stage).c_str(), quantile(values, 0.5));
        text += line;
    });
    text += "\n";
    for (const Prediction& prediction : report.predictions) {
        std::snprintf(line, sizeof line, "  %5.1f %%  ", 100 * prediction.probability);
        text +=
            line + (prediction.label.empty() ? "class " + std::to_string(prediction.index) : prediction.label) + "\n";
    }
    return text;
}

}  // namespace deconv::live
