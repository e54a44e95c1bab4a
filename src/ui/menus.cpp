#include "ui/menus.h"

#include <algorithm>
#include <filesystem>

#include "live/models.h"
#include "media/source.h"

namespace deconv::ui {
namespace {
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
constexpr auto interval = std::chrono::seconds(3);
}  // namespace

void Menus::look(const live::Options& options, ViewState& view) {
    looked_ = Clock::now();
    view.sources.clear();
    for (const media::CameraDevice& camera : media::list_cameras()) {
        const std::string number = std::to_string(camera.index);
        view.sources.push_back({"camera " + number + (camera.name.empty() ? "" : ": " + camera.name),
                                "camera:" + number});
    }
    view.sources.push_back({"demo", "demo"});
    if (!options.input.empty() && options.input != "demo")
        view.sources.push_back({fs::path(options.input).filename().string(), options.input});
    if (!options.camera.empty() && options.camera.find("://") != std::string::npos)
        view.sources.push_back({options.camera, "camera:" + options.camera});

    view.models.clear();
    for (const live::ListedModel& model : live::list_models()) view.models.push_back({model.name, model.name});
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

void Menus::follow(live::Session& session, ViewState& view) {
    if (Clock::now() - looked_ >= interval) look(session.settings().options, view);
}

}  // namespace deconv::ui
