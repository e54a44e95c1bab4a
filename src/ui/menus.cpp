#include "ui/menus.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "base/error.h"
#include "live/models.h"
#include "media/source.h"

namespace deconv::ui {
namespace {
namespace fs = std::filesystem;
}  // namespace

void Menus::look(const live::Options& options, ViewState& view) {
    view.sources.clear();
    for (const media::CameraDevice& camera : media::list_cameras()) {
        const std::string number = std::to_string(camera.index);
        view.sources.push_back(
            {"camera " + number + (camera.name.empty() ? "" : ": " + camera.name), "camera:" + number});
    }
    view.sources.push_back({"demo", "demo"});
    if (!options.input.empty() && options.input != "demo")
        view.sources.push_back({fs::path(options.input).filename().string(), options.input});
    if (!options.camera.empty() && options.camera.find("://") != std::string::npos)
        view.sources.push_back({options.camera, "camera:" + options.camera});

    view.models.clear();
    for (const live::ListedModel& model : live::list_models()) view.models.push_back({model.name, model.name});
    try {
        for (const live::CatalogueEntry& entry : live::read_catalogue()) {
            if (live::is_fetched(entry)) continue;
            const std::string size = std::to_string(entry.network.bytes / 1048576) + " MiB";
            view.models.push_back({"fetch " + entry.title + "  (" + size + ")", entry.name, true});
        }
    } catch (const Error&) {  // get-model says what is wrong with it
        view.fetch_asked.clear();
    }
    // Networks beside the one that is in use.
    std::error_code error;
    if (options.model.find('/') != std::string::npos || fs::path(options.model).extension() == ".onnx") {
        const fs::path folder =
            fs::path(options.model).has_parent_path() ? fs::path(options.model).parent_path() : fs::path(".");
        std::vector<std::string> beside;
        for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
            if (entry.path().extension() == ".onnx") beside.push_back(entry.path().string());
        }
        std::sort(beside.begin(), beside.end());
        for (const std::string& path : beside) view.models.push_back({fs::path(path).filename().string(), path});
    }
}

/// A network that was asked for becomes the model once it is there.
void Menus::follow_fetch(live::Session& session, ViewState& view) {
    if (!view.fetch_asked.empty()) {
        const std::string name = std::exchange(view.fetch_asked, {});
        try {
            for (const live::CatalogueEntry& entry : live::read_catalogue()) {
                if (entry.name == name) fetch_ = std::make_unique<live::ModelFetch>(entry);
            }
        } catch (const Error& error) {
            session.say(error.what());
        }
    }
    view.fetching.clear();
    if (!fetch_) return;
    const live::ModelFetch::Progress progress = fetch_->progress();
    using State = live::ModelFetch::State;
    if (std::exchange(view.fetch_cancelled, false)) fetch_->cancel();
    if (progress.state == State::running) {
        char text[160];
        std::snprintf(text, sizeof text, "%s %s: %.0f of %.0f MiB, %.1f MiB/s",
                      progress.verifying ? "checking" : "fetching", progress.name.c_str(),
                      static_cast<double>(progress.done) / 1048576, static_cast<double>(progress.total) / 1048576,
                      progress.rate / 1048576);
        view.fetching = text;
        const auto total = static_cast<double>(std::max<std::uint64_t>(1, progress.total));
        view.fetched = static_cast<float>(static_cast<double>(progress.done) / total);
        return;
    }
    if (!progress.message.empty()) session.say(progress.message);
    if (progress.state == State::done) {
        live::Settings settings = session.settings();
        settings.options.model = progress.name;
        settings.options.input_width.reset();
        settings.options.input_height.reset();
        session.set(settings);
        look(settings.options, view);
    }
    fetch_.reset();
}

void Menus::follow(live::Session& session, ViewState& view) {
    follow_fetch(session, view);
    if (std::exchange(view.menu_opened, false)) look(session.settings().options, view);
}

}  // namespace deconv::ui
