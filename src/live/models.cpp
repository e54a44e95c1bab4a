#include "live/models.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "base/sha256.h"
#include "live/catalogue.h"
#include "nn/constant_folding.h"
#include "nn/random_weights.h"

namespace deconv::live {
namespace fs = std::filesystem;

namespace {

/// For a name that could be fetched: how; empty otherwise.
std::string how_to_fetch(const std::string& name) {
    try {
        for (const CatalogueEntry& entry : read_catalogue()) {
            if (entry.name == name) {
                return "the network \"" + name + "\" is not here yet: tools/get-model " + name + " fetches it (" +
                       media::format_bytes(static_cast<double>(entry.network.bytes)) + ")";
            }
        }
    } catch (const Error&) {  // a catalogue that cannot be read is told of by who fetches
    }
    return {};
}

}  // namespace

std::vector<std::string> weight_folders() {
    std::vector<std::string> folders;
    if (const char* own = std::getenv("DECONV_WEIGHTS"); own != nullptr && *own != '\0') folders.emplace_back(own);
    std::error_code error;
    const fs::path program = fs::read_symlink("/proc/self/exe", error);
    if (!error) folders.push_back((program.parent_path().parent_path() / "share" / "deconv-live" / "weights").string());
    folders.emplace_back(DECONV_SOURCE_WEIGHTS);
    folders.push_back(fetched_folder());
    return folders;
}

std::vector<ListedModel> list_models() {
    std::vector<ListedModel> models;
    for (const std::string& folder : weight_folders()) {
        std::error_code error;
        for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
            if (entry.path().extension() != ".onnx") continue;
            const std::string name = entry.path().stem().string();
            const bool known = std::any_of(models.begin(), models.end(), [&](const auto& m) { return m.name == name; });
            if (!known) models.push_back({name, entry.path().string(), nn::read_sidecar(entry.path().string())});
        }
    }
    std::sort(models.begin(), models.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return models;
}

std::string find_model(const std::string& name_or_path) {
    std::string wanted = name_or_path.empty() ? default_model : name_or_path;
    const bool is_path = wanted.find('/') != std::string::npos || fs::path(wanted).extension() == ".onnx";
    if (is_path) return wanted;
    std::vector<std::string> names;
    for (const ListedModel& model : list_models()) {
        if (model.name == wanted) return model.path;
        names.push_back(model.name);
    }
    if (const std::string how = how_to_fetch(wanted); !how.empty()) throw Error(how);
    std::string there;
    for (const std::string& name : names) there += (there.empty() ? "" : ", ") + name;
    throw Error("no model named \"" + wanted + "\"; there is: " + (there.empty() ? "none" : there) +
                "; or give the path of an ONNX file");
}

ModelFile read_model(const std::string& name_or_path) {
    ModelFile file;
    file.path = find_model(name_or_path);
    std::error_code error;
    if (fs::is_regular_file(file.path, error)) {  // what cannot be read, the importer tells of
        file.sha256 = sha256_of_file(file.path);
        check_fetched(file.path, file.sha256);
    }
    file.graph = nn::import_onnx(file.path);
    nn::fold_constants(file.graph);
    file.sidecar = nn::read_sidecar(file.path);
    if (file.graph.inputs.size() > 1) {
        throw Error(file.path + ": the model has " + std::to_string(file.graph.inputs.size()) +
                    " inputs; one image is supported");
    }
    const nn::Input& image = file.graph.inputs.at(0);
    if (image.shape.size() != 4 || (image.shape[1] != 3 && image.shape[1] != 1 && image.shape[1] > 0)) {
        throw Error(file.path + ": its input " + image.name + " has shape " + nn::to_string(image.shape) +
                    "; an image (N, 3, H, W) or (N, 1, H, W) is supported");
    }
    return file;
}

nn::Network network_at(const ModelFile& file, nn::Graph graph, int width, int height) {
    const nn::Input image = graph.inputs.at(0);
    nn::Shape shape = image.shape;
    shape[0] = 1;
    if (shape[1] < 1) shape[1] = 3;
    if (height > 0) {
        shape[2] = height;
        shape[3] = width;
    } else if (file.sidecar.found && file.sidecar.height && file.sidecar.width) {
        shape[2] = *file.sidecar.height;
        shape[3] = *file.sidecar.width;
    }
    return nn::Network(std::move(graph), {{image.name, shape}});
}

LoadedModel load_model(const std::string& name_or_path, int width, int height, int random_layers) {
    ModelFile file = read_model(name_or_path);
    nn::Graph graph = std::move(file.graph);
    if (random_layers > 0) graph = nn::RandomWeights().apply(graph, random_layers);
    nn::Network network = network_at(file, std::move(graph), width, height);
    return {file.path, file.sha256, std::move(file.sidecar), std::move(network)};
}

image::Preprocessing preprocessing_of(const nn::Sidecar& sidecar) {
    return {sidecar.bgr, sidecar.range, sidecar.mean, sidecar.std};
}

}  // namespace deconv::live
