// deconv-bench: what the device can do, and what every layer and the whole frame path of a network take on it.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "bench/measure.h"
#include "bench/networks.h"
#include "nn/tuner.h"

namespace {

using namespace deconv;
using nlohmann::json;

struct Options {
    std::vector<std::string> networks;
    std::string model, layer, device, algorithm, compare;
    std::vector<std::string> shapes;
    int size = 0;
    std::int64_t copies = 16;
    double seconds = 1;
    double crop_below = -1;  // the plans' own
    bool cropped = false;
    nn::Precision precision = nn::Precision::single;
    bool tune = false, synthetic = false, minimum_limits = false, as_json = false, layers = true, batched = true;
};

struct Gpu {
    gpu::Device device;
    gpu::Pipelines pipelines;
    gpu::Scheduler scheduler;

    explicit Gpu(const Options& options)
        : device({options.device, options.minimum_limits, false, {}, {}}), pipelines(device), scheduler(device) {}
};

json to_json(const bench::Times& times) {
    return {{"best", times.best}, {"median", times.median}, {"p90", times.p90}};
}

/// Everything about one network.  `layer` is where the projection starts; empty: forward only.
json measure(Gpu& gpu, const std::string& name, nn::Network network, const std::string& layer, const Options& options) {
    nn::Model model(gpu.device, std::move(network));
    model.choices().force(options.algorithm);
    json result = {{"name", name}, {"frames", json::object()}, {"layers", json::array()}};
    result["input"] =
        nn::to_string(model.network().tensors()[static_cast<std::size_t>(model.network().inputs().at(0))].shape);
    using Where = nn::Selection::Where;
    const auto frames = [&](const std::string& what, const nn::PlanOptions& plan_options, Where where = Where::all) {
        const nn::Plan plan(model, plan_options);
        bench::prepare(gpu.device, model, plan, where);
        const std::vector<gpu::Step>& steps = where == Where::all ? plan.steps() : plan.single_steps();
        if (steps.empty()) return;  // not cropped
        const bench::FrameTimes times =
            bench::measure_frames(gpu.device, gpu.pipelines, gpu.scheduler, steps, options.seconds);
        result["frames"][what] = to_json(times.ms);
        result["frames"][what]["processor"] = times.processor_ms;
        result["frames"][what]["device"] = times.device_ms;
        result["frames"][what]["per_second"] = times.per_second;
        result["frames"][what]["memory_mib"] = static_cast<double>(plan.memory_bytes()) / 1048576;
    };
    nn::PlanOptions forward;
    forward.precision = options.precision;
    nn::PlanOptions project = forward;
    if (options.crop_below >= 0) project.crop_below = options.crop_below;
    if (!layer.empty()) {
        const nn::Network::Layer& start = model.network().find_layer(layer);
        project.target = model.network().projection_start(start.tensor);
        result["layer"] = start.name;
    }
    if (options.tune) {
        // Nothing from an earlier run: what is measured here is compared.
        nn::Tuner tuner(gpu.device, gpu.pipelines, {});
        const nn::Plan plan(model, project);
        tuner.tune(model, plan);
        for (const nn::ConvolutionTask& task : plan.convolutions()) {
            const std::string described = nn::describe(task);
            result["tuned"][described] = {{"label", task.label},
                                          {"ms", tuner.measured(described)},
                                          {"default", nn::default_algorithm(task, gpu.device.info()).name()},
                                          {"choice", model.choices().get(described)}};
        }
    }
    frames("forward", forward);
    if (!layer.empty()) {
        frames("forward+project", project);
        frames("the same, cropped", project, Where::max);
        if (options.batched) {
            nn::PlanOptions batch = project;
            batch.copies = options.copies;
            frames("forward+project x" + std::to_string(options.copies), batch);
            frames("the same x" + std::to_string(options.copies) + ", cropped", batch, Where::max);
        }
    }
    if (options.layers) {
        const nn::Plan plan(model, project);
        const bool cropped = options.cropped && !plan.single_steps().empty();
        bench::prepare(gpu.device, model, plan, cropped ? Where::max : Where::all);
        for (const bench::LayerTimes& times :
             bench::measure_layers(gpu.device, gpu.pipelines, gpu.scheduler,
                                   cropped ? plan.single_steps() : plan.steps(), options.seconds)) {
            result["layers"].push_back({{"name", times.name},
                                        {"stage", times.stage},
                                        {"algorithm", times.algorithm},
                                        {"ms", to_json(times.ms)},
                                        {"flops", times.flops},
                                        {"bytes", times.bytes}});
        }
    }
    gpu.pipelines.save();
    return result;
}

/// The same network's entry of an earlier run; null where it has none.
json entry_of(const json& report, const std::string& name) {
    for (const json& entry : report.value("networks", json::array())) {
        if (entry.at("name") == name) return entry;
    }
    return nullptr;
}

void print(const json& entry, const json& before, const bench::Peaks& peaks) {
    const auto ratio = [](const json& old, double now) {
        char text[32] = "";
        if (!old.is_null()) std::snprintf(text, sizeof text, "  %5.2fx", old.at("best").get<double>() / now);
        return std::string(text);
    };
    std::printf("\n%s  %s%s\n", entry.at("name").get<std::string>().c_str(),
                entry.at("input").get<std::string>().c_str(),
                entry.contains("layer") ? (", from " + entry.at("layer").get<std::string>()).c_str() : "");
    for (const auto& [what, times] : entry.at("frames").items()) {
        const json old = before.is_null() ? json() : before.at("frames").value(what, json());
        std::printf("  %-24s best %8.2f  median %8.2f  p90 %8.2f  processor %8.2f ms  %7.1f MiB  %6.0f a second%s\n",
                    what.c_str(), times.at("best").get<double>(), times.at("median").get<double>(),
                    times.at("p90").get<double>(), times.at("processor").get<double>(),
                    times.at("memory_mib").get<double>(), times.at("per_second").get<double>(),
                    ratio(old, times.at("best")).c_str());
    }
    const json all_tuned = entry.value("tuned", json::object());
    for (const auto& [task, tuned] : all_tuned.items()) {
        std::printf("  %-70s", task.c_str());
        for (const auto& [algorithm, ms] : tuned.at("ms").items()) {
            std::printf(" %s %.3f%s", algorithm.c_str(), ms.get<double>(),
                        algorithm == tuned.at("choice")    ? "*"
                        : algorithm == tuned.at("default") ? "°"
                                                           : "");
        }
        std::printf("\n");
    }
    if (entry.at("layers").empty()) return;
    std::printf("  %-34s %-24s %8s %8s %8s %8s %7s %5s\n", "layer", "algorithm", "best ms", "median", "p90", "GFLOP/s",
                "GB/s", "peak");
    for (const json& layer : entry.at("layers")) {
        json old;
        if (!before.is_null()) {
            for (const json& other : before.at("layers")) {
                if (other.at("name") == layer.at("name") && other.at("stage") == layer.at("stage")) {
                    old = other.at("ms");
                }
            }
        }
        const double ms = layer.at("ms").at("best");
        const double gflops = layer.at("flops").get<double>() / std::max(ms, 1e-6) * 1e-6;
        const double gbytes = layer.at("bytes").get<double>() / std::max(ms, 1e-6) * 1e-6;
        // Of the peak that is nearer.
        const double peak = 100 * std::max(gflops / peaks.gflops, gbytes / peaks.gbytes);
        std::printf("  %-34s %-24s %8.3f %8.3f %8.3f %8.2f %7.2f %4.0f%%%s\n",
                    layer.at("name").get<std::string>().c_str(), layer.at("algorithm").get<std::string>().c_str(), ms,
                    layer.at("ms").at("median").get<double>(), layer.at("ms").at("p90").get<double>(), gflops, gbytes,
                    peak, ratio(old, ms).c_str());
    }
}

json run(const Options& options) {
    json before = json::object();
    if (!options.compare.empty()) {
        std::ifstream file(options.compare);
        before = json::parse(file, nullptr, false);
        if (before.is_discarded()) throw Error(options.compare + " is not a report of deconv-bench --json");
    }
    Gpu gpu(options);
    if (options.precision == nn::Precision::half && !gpu.device.info().half_precision) {
        throw Error(gpu.device.info().name + " has no half precision: choose another --device, or leave --precision");
    }
    const bench::Peaks peaks = bench::measure_peaks(gpu.device, gpu.pipelines, gpu.scheduler);
    json report = {{"version", DECONV_VERSION},
                   {"device", gpu.device.info().name},
                   {"driver", gpu.device.info().driver},
                   {"peaks", {{"gflops", peaks.gflops}, {"gbytes", peaks.gbytes}, {"dispatch_us", peaks.dispatch_us}}},
                   {"networks", json::array()}};
    if (!options.as_json) {
        std::printf("%s (%s)\npeaks: %.1f GFLOP/s in registers, %.1f GB/s copied; %.1f us a dispatch\n",
                    gpu.device.info().name.c_str(), gpu.device.info().driver.c_str(), peaks.gflops, peaks.gbytes,
                    peaks.dispatch_us);
    }
    const auto add = [&](const std::string& name, nn::Graph graph, const std::map<std::string, nn::Shape>& inputs,
                         const std::string& layer) {
        const json entry = measure(gpu, name, nn::Network(std::move(graph), inputs),
                                   options.layer.empty() ? layer : options.layer, options);
        if (!options.as_json) print(entry, entry_of(before, name), peaks);
        std::fflush(stdout);
        report["networks"].push_back(entry);
    };
    for (const std::string& name : options.networks) {
        const auto& all = bench::named_networks();
        const auto known =
            std::find_if(all.begin(), all.end(), [&](const bench::NamedNetwork& n) { return n.name == name; });
        if (known == all.end()) {
            std::string names;
            for (const bench::NamedNetwork& n : all) names += (names.empty() ? "" : ", ") + n.name;
            throw Error("no network named " + name + "; there is: " + names);
        }
        const int size = options.size > 0 ? options.size : known->size;
        add(name, *bench::make_network(name, size), {}, known->layer);
    }
    if (!options.model.empty()) {
        nn::Graph graph = nn::import_onnx(options.model);
        nn::Shape shape = graph.inputs.at(0).shape;
        if (shape.size() == 4) {
            shape[0] = 1;
            if (options.size > 0) shape[2] = shape[3] = options.size;
        }
        const std::string input = graph.inputs[0].name;
        add(options.model, std::move(graph), {{input, shape}}, {});
    }
    std::vector<std::string> shapes = options.shapes;
    if (options.synthetic) {
        shapes.insert(shapes.end(), bench::synthetic_layers().begin(), bench::synthetic_layers().end());
    }
    for (const std::string& shape : shapes) add(shape, bench::make_layer(shape), {}, "conv_relu");
    return report;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app("Measures the device's peaks, then networks' layers, forward and back, and their frame paths.");
    app.add_option("networks", options.networks,
                   "squeezenet1.1, vgg16 (convolutions), vgg16-full, alexnet, zfnet512, googlenet, resnet18, cifar10; "
                   "seeded weights");
    app.add_option("--model", options.model, "an ONNX file");
    app.add_option("--shape", options.shapes, "a single convolution, e.g. \"64x56x56 3x3 s1 p1 128\"");
    app.add_flag("--synthetic", options.synthetic, "a set of such shapes");
    app.add_option("--size", options.size, "the square input's size");
    app.add_option("--layer", options.layer, "where the projection starts");
    app.add_option("--copies", options.copies, "channels projected together in the batched measurement")
        ->check(CLI::PositiveNumber);
    app.add_flag("--cropped", options.cropped,
                 "the layers of a single position's projection, cropped to its receptive field, where that gains");
    app.add_option("--crop-below", options.crop_below,
                   "crop where the field has less than this share of the work (0.3)")
        ->check(CLI::Range(0.0, 1000.0));
    app.add_flag("!--no-layers", options.layers, "only the frame paths");
    app.add_flag("!--no-batch", options.batched, "without the batched measurement");
    app.add_option("--seconds", options.seconds, "of each measurement");
    app.add_flag("--tune", options.tune, "measure every algorithm for every convolution, and run the best");
    std::vector<std::string> algorithms;
    for (const nn::ConvolutionAlgorithm* algorithm : nn::convolution_algorithms()) {
        algorithms.emplace_back(algorithm->name());
    }
    app.add_option("--algorithm", options.algorithm, "one for all convolutions that it can run")
        ->check(CLI::IsMember(algorithms));
    std::string precision;
    app.add_option("--precision", precision, "half: allows convolutions in half precision")
        ->check(CLI::IsMember({"single", "half"}));
    app.add_option("--device", options.device, "index or part of a name");
    app.add_option("--limits", "minimum: only what Vulkan guarantees")
        ->check(CLI::IsMember({"minimum"}))
        ->each([&](const std::string&) { options.minimum_limits = true; });
    app.add_flag("--json", options.as_json, "one JSON object on standard output");
    app.add_option("--compare", options.compare, "an earlier report: how many times faster");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    if (precision == "half") options.precision = nn::Precision::half;
    if (options.networks.empty() && options.model.empty() && options.shapes.empty() && !options.synthetic) {
        options.networks = {"squeezenet1.1", "vgg16", "alexnet", "googlenet", "resnet18", "cifar10"};
    }
    try {
        const json report = run(options);
        if (options.as_json) std::cout << report.dump(2) << "\n";
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "deconv-bench: " << error.what() << "\n";
        return 1;
    }
}
