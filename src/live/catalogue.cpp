#include "live/catalogue.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/whole_file.h"
#include "live/models.h"

namespace deconv::live {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::string catalogue_path() {
    if (const char* own = std::getenv("DECONV_CATALOGUE"); own != nullptr && *own != '\0') return own;
    for (const std::string& folder : weight_folders()) {
        const fs::path path = fs::path(folder) / "catalogue.json";
        std::error_code error;
        if (fs::is_regular_file(path, error)) return path.string();
    }
    throw Error("no catalogue.json beside the bundled networks; DECONV_CATALOGUE can name one");
}

bool is_address(const std::string& text) {
    return text.starts_with("https://") || text.starts_with("http://");
}

/// A name that can be a file's, in any folder, and nothing else.
bool is_plain_name(const std::string& name) {
    return !name.empty() && name.front() != '.' && name.find_first_of("/\\") == std::string::npos &&
           std::all_of(name.begin(), name.end(), [](unsigned char c) { return c > ' ' && c != 0x7f; });
}

/// An object of the catalogue, with the words to complain about it.
class Entry {
  public:
    Entry(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
        if (!object_.is_object()) throw Error(where_ + " is not an object of keys and values");
    }

    [[noreturn]] void fail(const std::string& key, const std::string& what) const {
        throw Error(where_ + ": \"" + key + "\" " + what);
    }
    const Json& at(const std::string& key) const {
        const auto found = object_.find(key);
        if (found == object_.end()) fail(key, "is missing");
        return *found;
    }
    bool has(const std::string& key) const { return object_.contains(key); }
    std::string text(const std::string& key) const {
        const Json& value = at(key);
        if (!value.is_string() || value.get_ref<const std::string&>().empty()) fail(key, "is not a text");
        return value.get<std::string>();
    }
    std::string plain_name(const std::string& key) const {
        std::string name = text(key);
        if (!is_plain_name(name)) fail(key, "is not a plain file name");
        return name;
    }
    std::uint64_t count(const std::string& key) const {
        const Json& value = at(key);
        if (!value.is_number_unsigned() || value.get<std::uint64_t>() == 0) fail(key, "is not a whole number above 0");
        return value.get<std::uint64_t>();
    }
    void read(PublishedFile& file) const {
        file.file = plain_name("file");
        file.bytes = count("bytes");
        file.sha256 = text("sha256");
        if (file.sha256.size() != 64 || file.sha256.find_first_not_of("0123456789abcdef") != std::string::npos) {
            fail("sha256", "is not 64 hexadecimal digits in lower case");
        }
        file.addresses = {text("address")};
        if (has("mirrors")) {
            const Json& mirrors = at("mirrors");
            if (!mirrors.is_array()) fail("mirrors", "is not a list");
            for (const Json& mirror : mirrors) file.addresses.push_back(mirror.is_string() ? mirror : "");
        }
        if (!std::all_of(file.addresses.begin(), file.addresses.end(), is_address)) {
            fail("address", "or a mirror does not begin with https:// or http://");
        }
    }

  private:
    const Json& object_;
    std::string where_;
};

Json parse(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw Error(path + ": cannot be read");
    Json document = Json::parse(file, nullptr, false);
    if (document.is_discarded()) throw Error(path + ": not valid JSON");
    return document;
}

const Json& list(const Json& document, const std::string& key, const std::string& path) {
    static const Json none = Json::array();
    const auto found = document.find(key);
    if (found == document.end()) return none;
    if (!found->is_array()) throw Error(path + ": \"" + key + "\" is not a list");
    return *found;
}

std::string read_whole(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void write_whole(const std::string& path, const std::string& text) {
    WholeFile file(path);
    file.write(text.data(), text.size());
    file.commit();
}

std::string sidecar_text(const CatalogueEntry& entry, bool with_labels) {
    Json sidecar = {{"name", entry.name},
                    {"origin", entry.title},
                    {"license", entry.license},
                    {"source", entry.network.addresses.front()},
                    {"input", Json::parse(entry.input)}};
    if (with_labels && entry.labels) sidecar["labels"] = entry.labels->name;
    return sidecar.dump(2) + "\n";
}

/// Where a published file is looked for.
std::vector<std::string> sources_of(const PublishedFile& file, const std::string& name_here, const std::string& from,
                                    bool is_network) {
    if (from.empty()) return file.addresses;
    if (is_address(from)) {
        const bool whole = fs::path(from.substr(0, from.find_first_of("?#"))).extension() == ".onnx";
        if (whole) return is_network ? std::vector{from} : file.addresses;
        return {from + (from.ends_with('/') ? "" : "/") + file.file};
    }
    std::error_code error;
    fs::path folder = from;
    if (!fs::is_directory(folder, error)) {
        if (is_network) return {from};
        folder = folder.parent_path();  // what belongs to a file lies beside it
    }
    std::vector<std::string> sources;
    for (const std::string& name : {file.file, name_here}) {
        if (fs::exists(folder / name, error)) sources.push_back((folder / name).string());
    }
    if (sources.empty() && is_network) {
        throw Error(from + ": holds neither " + file.file + " nor " + name_here);
    }
    return sources;
}

/// A person's own labels, under the name that the sidecar says.
void place_own_labels(const PublishedLabels& labels, const std::string& own, const std::string& path) {
    const std::string text = read_whole(own);
    if (text.empty()) throw Error(own + ": no labels can be read from it");
    std::size_t lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    if (text.back() != '\n') ++lines;
    if (lines != labels.classes) {
        throw Error(own + ": has " + std::to_string(lines) + " lines; the network has " +
                    std::to_string(labels.classes) + " classes, one label a line is needed");
    }
    write_whole(path, text);
}

/// Why there are no labels beside the network; empty where there are.  `stopped` where the callback said no.
std::string place_labels(const CatalogueEntry& entry, const FetchOptions& options, const fs::path& folder,
                         const media::DownloadCallback& progress, bool& stopped) {
    if (!entry.labels) return "none are published";
    const PublishedLabels& labels = *entry.labels;
    const std::string path = (folder / labels.name).string();
    if (!options.labels.empty()) {
        place_own_labels(labels, options.labels, path);
        return {};
    }
    std::error_code error;
    if (fs::exists(path, error)) return {};  // published or a person's own: the sidecar's reader judges it
    media::DownloadRequest request;
    request.sources = sources_of(labels, labels.name, options.from, false);
    if (request.sources.empty()) return "there are none beside " + options.from;
    request.path = path;
    request.bytes = labels.bytes;
    request.sha256 = labels.sha256;
    try {
        // A few kilobytes: the progress that is shown is the network's.
        const auto go_on = [&](const media::DownloadProgress&) {
            return !progress || progress({0, entry.network.bytes, 0.0, false});
        };
        stopped = media::download(request, go_on).end == media::DownloadResult::End::cancelled;
        return {};
    } catch (const Error& failure) {
        return failure.what();
    }
}

/// Writes the sidecar unless a person made another of it.
void place_sidecar(const CatalogueEntry& entry, const fs::path& folder, bool with_labels) {
    const fs::path path = folder / (entry.name + ".json");
    const std::string wanted = sidecar_text(entry, with_labels);
    std::error_code error;
    if (fs::exists(path, error)) {
        const std::string found = read_whole(path);
        if (found == wanted || found != sidecar_text(entry, false)) return;
    }
    write_whole(path.string(), wanted);
}

}  // namespace

std::vector<CatalogueEntry> read_catalogue() {
    const std::string path = catalogue_path();
    const Json document = parse(path);
    if (!document.is_object()) throw Error(path + ": it is not an object of keys and values");

    std::vector<PublishedLabels> all_labels;
    for (const Json& object : list(document, "labels", path)) {
        const Entry entry(object, path + ": labels " + std::to_string(all_labels.size() + 1));
        PublishedLabels labels;
        labels.name = entry.plain_name("name");
        labels.classes = entry.count("classes");
        entry.read(labels);
        all_labels.push_back(std::move(labels));
    }
    std::vector<CatalogueEntry> entries;
    for (const Json& object : list(document, "networks", path)) {
        const Entry entry(object, path + ": network " + std::to_string(entries.size() + 1));
        CatalogueEntry network;
        network.name = entry.plain_name("name");
        if (std::any_of(entries.begin(), entries.end(), [&](const auto& e) { return e.name == network.name; })) {
            entry.fail("name", network.name + " is there twice");
        }
        network.title = entry.text("title");
        network.license = entry.text("license");
        entry.read(network.network);
        if (!entry.at("input").is_object()) entry.fail("input", "is not an object of keys and values");
        network.input = entry.at("input").dump();
        if (entry.has("labels")) {
            const std::string name = entry.text("labels");
            const auto found = std::find_if(all_labels.begin(), all_labels.end(),
                                            [&](const PublishedLabels& labels) { return labels.name == name; });
            if (found == all_labels.end()) entry.fail("labels", name + " is not among the catalogue's labels");
            network.labels = *found;
        }
        entries.push_back(std::move(network));
    }
    return entries;
}

std::string fetched_folder() {
    // A relative XDG_DATA_HOME is to be ignored, says the XDG Base Directory Specification.
    if (const char* data = std::getenv("XDG_DATA_HOME"); data != nullptr && *data == '/') {
        return (fs::path(data) / "deconv-live" / "weights").string();
    }
    const char* home = std::getenv("HOME");
    return (fs::path(home != nullptr ? home : "/") / ".local" / "share" / "deconv-live" / "weights").string();
}

bool is_fetched(const CatalogueEntry& entry, const std::string& folder) {
    std::error_code error;
    return fs::file_size(fs::path(folder) / (entry.name + ".onnx"), error) == entry.network.bytes && !error;
}

void check_fetched(const std::string& path, const std::string& sha256) {
    std::error_code error;
    if (!fs::equivalent(fs::path(path).parent_path(), fetched_folder(), error) || error) return;
    for (const CatalogueEntry& entry : read_catalogue()) {
        if (fs::path(path).filename() != entry.name + ".onnx" || sha256 == entry.network.sha256) continue;
        throw Error(path + ": is not the published " + entry.name +
                    " (its SHA-256 differs): remove it, then tools/get-model " + entry.name + " fetches it");
    }
}

FetchResult fetch(const CatalogueEntry& entry, const FetchOptions& options, const media::DownloadCallback& progress) {
    const fs::path folder = options.to.empty() ? fs::path(fetched_folder()) : fs::path(options.to);
    std::error_code error;
    fs::create_directories(folder, error);
    if (!fs::is_directory(folder)) throw Error(folder.string() + ": this folder cannot be made");

    FetchResult result;
    result.path = (folder / (entry.name + ".onnx")).string();
    media::DownloadRequest request;
    request.sources = sources_of(entry.network, entry.name + ".onnx", options.from, true);
    request.path = result.path;
    request.bytes = entry.network.bytes;
    request.sha256 = entry.network.sha256;

    bool stopped = false;
    result.without_labels = place_labels(entry, options, folder, progress, stopped);
    if (stopped) {
        result.network.end = media::DownloadResult::End::cancelled;
        return result;
    }
    request.before_naming = [&] { place_sidecar(entry, folder, result.without_labels.empty()); };
    result.network = media::download(request, progress);
    // Labels that came since.
    if (result.network.end == media::DownloadResult::End::already_there) request.before_naming();
    return result;
}

}  // namespace deconv::live
