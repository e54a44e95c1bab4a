// deconv-live: shows what a convolutional network sees.  The command line.
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <iostream>

#include "base/error.h"
#include "live/choices.h"
#include "live/headless.h"
#include "live/listing.h"
#include "live/replay.h"
#include "media/source.h"
#include "ui/app.h"
#include "ui/window.h"
#include "vk/device.h"

namespace {

using deconv::UsageError;
using deconv::live::Options;

constexpr std::int64_t demo_frames = 90;  // three seconds
constexpr int default_size = 128;         // of the default network's input

const char* const description =
    "Shows what a convolutional network sees: the activity of a layer's channel, carried back to the pixels that\n"
    "caused it by the deconvnet of Zeiler and Fergus.";

const char* const examples = R"(Examples:
  deconv-live                                      a camera if there is one, else the built-in demo
  deconv-live --input photo.jpg --snapshot out.png
  deconv-live --input clip.mp4 --layer relu3_2 --channel 17 --record out.mkv
  deconv-live --input photo.jpg --channel cat --rule guided --snapshot cat.png
  deconv-live --model squeezenet1.1.onnx --list-layers
  deconv-live --replay out.png --camera 0

Files:
  A model is an ONNX file; NAME.json beside it says how pixels become its input ("input": width, height, color, range,
  mean, std) and names its "labels" file.  tools/get-model fetches published ones with theirs.

With --json, standard output holds one object: device, model, model_sha256, source, layer, channel, rule, precision,
frames {in, processed, dropped}, stages {capture, upload, fit, forward, project, display, record: {median, p95} in
milliseconds}, fps, memory_bytes, predictions [{index, label, probability}].

Exit codes: 0 done; 1 a run that failed, and one line says why; 2 a wrong command line.)";

void on_signal(int /*signal*/) {
    // A second one does not wait.
    if (deconv::live::stop_requested != 0) std::_Exit(130);
    deconv::live::stop_requested = 1;
}

/// "N" or "WxH".
void parse_size(const std::string& text, Options& options) {
    unsigned width = 0;
    unsigned height = 0;
    char rest = 0;
    if (std::sscanf(text.c_str(), "%5ux%5u%c", &width, &height, &rest) != 2) {
        if (std::sscanf(text.c_str(), "%5u%c", &width, &rest) != 1) width = 0;
        height = width;
    }
    if (width < 1 || height < 1 || width > 8192 || height > 8192) {
        throw UsageError("--size " + text + ": a number of pixels from 1 to 8192, or two as 320x240, is needed");
    }
    options.input_width = static_cast<int>(width);
    options.input_height = static_cast<int>(height);
}

/// "all", "max" or "Y,X".
void parse_projection(const std::string& text, Options& options) {
    using Where = deconv::nn::Selection::Where;
    unsigned y = 0;
    unsigned x = 0;
    char rest = 0;
    const bool unsigned_numbers = text.find_first_not_of("0123456789,") == std::string::npos;  // sscanf takes signs
    if (text == "all") {
        options.where = Where::all;
    } else if (text == "max") {
        options.where = Where::max;
    } else if (unsigned_numbers && std::sscanf(text.c_str(), "%6u,%6u%c", &y, &x, &rest) == 2) {
        options.where = Where::pinned;
        options.y = static_cast<int>(y);
        options.x = static_cast<int>(x);
    } else {
        throw UsageError("--projection " + text + ": all, max or a position as Y,X (for example 3,7) is needed");
    }
}

/// An option that is one of a few words.  CLI11's own transformer also takes the numbers behind the words, and its
/// message names them.
template <typename Choice>
CLI::Option* add_choice(CLI::App& app, const std::string& name, Choice& choice,
                        const deconv::live::Choices<Choice>& choices, const std::string& help) {
    const auto choose = [name, &choice, choices](const std::string& word) {
        std::string words;
        for (const auto& [known, value] : choices) {
            if (known == word) {
                choice = value;
                return;
            }
            words += (words.empty() ? "" : ", ") + known;
        }
        throw CLI::ValidationError(name, word + " is none of " + words);
    };
    return app.add_option_function<std::string>(name, choose, help);
}

/// The first that opens; one that is busy or gives no colour picture is passed over, saying so.
int first_usable(const std::vector<deconv::media::CameraDevice>& cameras) {
    // Opening takes a second or so: not where there is nothing to choose.
    if (cameras.size() == 1) return cameras.front().index;
    for (const deconv::media::CameraDevice& camera : cameras) {
        try {
            deconv::media::open_camera(std::to_string(camera.index));
            return camera.index;
        } catch (const deconv::Error& error) {
            std::fprintf(stderr, "deconv-live: %s\n", error.what());
        }
    }
    return cameras.front().index;
}

/// Where no source was asked for: camera 0, or the demo.  Where there is no window either, something to look at.
void choose_defaults(Options& options, bool window, bool headless_asked) {
    if (options.camera.empty() && options.input.empty()) {
        const std::vector<deconv::media::CameraDevice> cameras = deconv::media::list_cameras();
        if (cameras.empty()) {
            options.input = "demo";
            std::fputs("deconv-live: no camera found, showing the built-in demo (--camera or --input choose)\n",
                       stderr);
        } else {
            options.camera = std::to_string(first_usable(cameras));
            std::fprintf(stderr, "deconv-live: camera %s (--camera or --input choose another source)\n",
                         options.camera.c_str());
        }
    }
    const bool nothing_to_write = options.record.empty() && options.snapshot.empty() && options.raw.empty() &&
                                  options.activations.empty() && !options.json;
    if (!window && !headless_asked && nothing_to_write) {
        options.snapshot = "deconv-live.png";
        options.record = "deconv-live.mkv";
        std::fputs(
            "deconv-live: no display for a window, running headless: writing deconv-live.png and "
            "deconv-live.mkv\n",
            stderr);
    }
    const bool tensor = std::filesystem::path(options.input).extension() == ".npy";
    if (options.model.empty() && !options.input_width && !tensor) {
        // The default network was trained on tiny pictures, but runs at any size: the world deserves more.
        options.input_width = options.input_height = default_size;
    }
    if (options.input == "demo" && options.frames == 0 && !window) options.frames = demo_frames;
}

int run(int argc, char** argv) {
    Options options;
    std::string size;
    std::string projection = "all";
    std::string start = "value";
    std::string limits;
    std::string replay;
    bool headless = false;
    bool list_devices = false;
    bool list_models = false;
    bool list_layers = false;
    deconv::ui::WindowOptions window_options;

    CLI::App app(description, "deconv-live");
    app.footer(examples);
    app.set_version_flag("--version", DECONV_VERSION);
    app.get_formatter()->column_width(34);
    auto* camera = app.add_option("--camera", options.camera, "camera number, device path, or stream URL")
                       ->type_name("N|PATH|URL")
                       ->group("Source");
    app.add_option("--input", options.input,
                   "video, image, folder of images, X.npy (float32, fed to the network as it is), or demo")
        ->type_name("FILE|DIR|demo")
        ->excludes(camera)
        ->group("Source");
    app.add_option("--frames", options.frames, "stop after so many frames (the demo alone: 90)")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40))
        ->group("Source");

    app.add_option("--model", options.model, "a bundled or fetched network's name, or an ONNX file")
        ->type_name("NAME|FILE.onnx")
        ->group("Network");
    app.add_flag("--watch", options.watch, "in the window: load the network anew whenever its file changes")
        ->group("Network");
    app.add_option("--size", size, "input size of the network, where its graph allows others")
        ->type_name("N|WxH")
        ->group("Network");
    add_choice(app, "--fit", options.fit, deconv::live::fit_choices(),
               "how a picture fills the input: crop (default), stretch, letterbox")
        ->type_name("HOW")
        ->group("Network");

    app.add_option("--layer", options.layer, "layer by name or index, see --list-layers (default: the middle stage)")
        ->type_name("NAME|INDEX")
        ->group("Projection");
    app.add_option("--channel", options.channel, "channel number, class label, strongest (default) or all")
        ->type_name("N|LABEL|strongest|all")
        ->group("Projection");
    app.add_option("--projection", projection,
                   "within the channel: all of it (default), its max only, or the position Y,X only")
        ->type_name("all|max|Y,X")
        ->group("Projection");
    app.add_option("--start", start, "start with the activations' value (default), or a one in their places")
        ->check(CLI::IsMember({"value", "one"}).description(""))
        ->type_name("value|one")
        ->group("Projection");
    add_choice(app, "--rule", options.rule, deconv::live::rule_choices(),
               "rectifiers on the way back: deconv (default), guided, gradient")
        ->type_name("RULE")
        ->group("Projection");
    add_choice(app, "--lrn", options.lrn, deconv::live::lrn_choices(),
               "LRN on the way back: identity (default), derivative")
        ->type_name("HOW")
        ->group("Projection");
    add_choice(app, "--precision", options.precision, deconv::live::precision_choices(),
               "single (default); half: convolutions may calculate in half precision where the device has it")
        ->type_name("PRECISION")
        ->group("Projection");
    add_choice(app, "--display", options.display, deconv::live::display_choices(),
               "signed (default; grey is zero), positive, norm (over colours), range (min to max)")
        ->type_name("HOW")
        ->group("Projection");
    app.add_option("--blur", options.blur, "smooth the norm display by a Gaussian of this many pixels")
        ->check(CLI::Range(0.0, 100.0))
        ->type_name("SIGMA")
        ->group("Projection");

    app.add_option("--random-layers", options.random_layers,
                   "sanity: random weights in the last N layers; does the picture depend on what was learned?")
        ->check(CLI::Range(0, 10000))
        ->type_name("N")
        ->group("Projection");
    app.add_option("--replay", replay, "take up the settings that a picture or recording was made with")
        ->type_name("FILE.png|FILE.mkv")
        ->group("Projection");

    app.add_option("--view", window_options.view,
                   "side by side, overlay, layer, mosaic, ladder, network or compare (default: the last one)")
        ->check(CLI::IsMember({"side by side", "overlay", "layer", "mosaic", "ladder", "network", "compare"})
                    .description(""))
        ->type_name("NAME")
        ->group("Window");
    app.add_flag(
           "--kiosk", window_options.kiosk,
           "full screen for visitors: shows by itself what it can until someone touches a key; Ctrl+Shift+Q leaves")
        ->group("Window");
    app.add_flag("--allow-record", window_options.allow_record, "recordings and snapshots in a kiosk, too")
        ->group("Window");

    app.add_flag("--headless", headless, "no window")->group("Output");
    app.add_option("--trace", options.trace, "a timeline of the run, for Perfetto or chrome://tracing")
        ->type_name("FILE.json")
        ->group("Output");
    app.add_option("--record", options.record, "record camera and projection side by side")
        ->type_name("FILE.mkv")
        ->group("Output");
    app.add_option("--snapshot", options.snapshot, "the last frame, camera and projection side by side")
        ->type_name("FILE.png")
        ->group("Output");
    app.add_option("--raw", options.raw, "the last frame's projection before display, float32 (1, C, H, W)")
        ->type_name("FILE.npy")
        ->group("Output");
    app.add_option("--activations", options.activations, "the chosen tensor of the last frame, float32")
        ->type_name("FILE.npy")
        ->group("Output");
    app.add_flag("--json", options.json, "one JSON object on standard output at the end, and nothing else there")
        ->group("Output");

    app.add_option("--device", options.device, "Vulkan device by index or part of its name, see --list-devices")
        ->type_name("N|NAME")
        ->group("Device");
    app.add_option("--limits", limits, "minimum: pretend that the device offers only Vulkan's guaranteed minima")
        ->check(CLI::IsMember({"minimum"}).description(""))
        ->type_name("minimum")
        ->group("Device");

    std::string tuning = "on";
    app.add_option("--tuning", tuning,
                   "in the window: find this device's fastest algorithms in the background (default: on)")
        ->check(CLI::IsMember({"on", "off"}).description(""))
        ->type_name("on|off")
        ->envname("DECONV_TUNING")
        ->group("Device");

    app.add_flag("--list-devices", list_devices, "the Vulkan devices, best first")->group("Lists");
    app.add_flag("--list-models", list_models, "the bundled and fetched networks")->group("Lists");
    app.add_flag("--list-layers", list_layers, "the layers of --model")->group("Lists");

    try {
        app.parse(argc, argv);
        if (!replay.empty()) {
            // The file's settings first, then the command line's own, which win.
            std::vector<std::string> arguments = deconv::live::replay_arguments(replay);
            arguments.insert(arguments.end(), argv + 1, argv + argc);
            std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
            for (CLI::Option* option : app.get_options()) option->take_last();
            app.parse(std::move(arguments));
        }
    } catch (const CLI::Success& success) {  // --help, --version
        return app.exit(success);
    } catch (const CLI::ParseError& error) {
        throw UsageError(std::string(error.what()) + " (see --help)");
    }
    if (!size.empty()) parse_size(size, options);
    parse_projection(projection, options);
    options.start_one = start == "one";
    options.minimum_limits = limits == "minimum";
    options.tuning = tuning == "on";

    if (list_devices || list_models || list_layers) {
        if (list_devices) std::fputs(deconv::live::list_devices_text(options).c_str(), stdout);
        if (list_models) std::fputs(deconv::live::list_models_text(options).c_str(), stdout);
        if (list_layers) std::fputs(deconv::live::list_layers_text(options).c_str(), stdout);
        return 0;
    }
    // What is written at the end of a run belongs to runs without a window.
    const bool run_ends = options.frames > 0 || options.json || !options.snapshot.empty() || !options.raw.empty() ||
                          !options.activations.empty() || options.input.ends_with(".npy");
    const bool window = !headless && !run_ends && deconv::ui::display_available();
    choose_defaults(options, window, headless);
    std::signal(SIGINT, on_signal);
    std::signal(SIGTERM, on_signal);
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error of the recorder's
    if (window) {
        for (const CLI::Option* option : app.get_options()) {
            if (option->count() > 0) window_options.given.insert(option->get_name());
        }
        deconv::ui::run_window(options, window_options);
        return 0;
    }
    const deconv::live::Report report = deconv::live::run_headless(options);
    if (options.json) {
        std::cout << deconv::live::to_json(report) << std::endl;
    } else {
        std::fprintf(stderr, "%s on %s: %s", report.model.c_str(), report.device.c_str(),
                     deconv::live::to_text(report).c_str());
        for (const std::string& file : {options.record, options.snapshot, options.raw, options.activations}) {
            if (!file.empty()) std::fprintf(stderr, "wrote %s\n", file.c_str());
        }
    }
    return 0;
}

/// Engines come and go, and so does memory in pieces of many sizes.  glibc's allocator by default moves what it gives
/// back to the system to ever larger pieces (up to 32 MiB) and keeps the rest in an arena for each thread: the program
/// grew by a third in ten minutes of restless keys.  A fixed border keeps it far smaller, see also tidy_heaps() of
/// live/engine.cpp.
void give_memory_back() {
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 128 << 10);
    mallopt(M_ARENA_MAX, 2);
#endif
}

}  // namespace

int main(int argc, char** argv) {
    give_memory_back();
    try {
        return run(argc, argv);
    } catch (const UsageError& error) {
        std::fprintf(stderr, "deconv-live: %s\n", error.what());
        return 2;
    } catch (const vk::SystemError& error) {
        std::fprintf(stderr, "deconv-live: the Vulkan device failed: %s\n", error.what());
    } catch (const std::exception& error) {
        std::fprintf(stderr, "deconv-live: %s\n", error.what());
    }
    return 1;
}
