#include "nn/sidecar.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace deconv::nn {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// An object of the sidecar, with the words to complain about it.
class Reader {
  public:
    /// `prefix` is the path of keys that leads to the object, e.g. "input.".
    Reader(const json& object, std::string file, std::string prefix)
        : object_(object), file_(std::move(file)), prefix_(std::move(prefix)) {
        if (!object_.is_object()) {
            const std::string key = prefix_.substr(0, prefix_.empty() ? 0 : prefix_.size() - 1);
            throw Error(file_ + ": " + (key.empty() ? "it" : "\"" + key + "\"") +
                        " is not an object of keys and values");
        }
    }

    [[noreturn]] void fail(const std::string& key, const std::string& what) const {
        throw Error(file_ + ": \"" + prefix_ + key + "\" " + what);
    }

    const json* find(const std::string& key) const {
        const auto found = object_.find(key);
        return found == object_.end() || found->is_null() ? nullptr : &*found;
    }

    void read(const std::string& key, std::string& text) const {
        const json* value = find(key);
        if (value == nullptr) return;
        if (!value->is_string()) fail(key, "is not a text");
        text = value->get<std::string>();
    }

    void read(const std::string& key, std::optional<int>& size) const {
        const json* value = find(key);
        if (value == nullptr) return;
        constexpr std::int64_t largest = 65536;
        if (!value->is_number_integer() || value->get<std::int64_t>() < 1 || value->get<std::int64_t>() > largest) {
            fail(key, "is not a whole number from 1 to " + std::to_string(largest));
        }
        size = value->get<int>();
    }

    /// False where the sidecar has no such key.
    bool read(const std::string& key, std::array<float, 3>& colours) const {
        const json* value = find(key);
        if (value == nullptr) return false;
        const bool numbers = value->is_array() && value->size() == colours.size() &&
                             std::all_of(value->begin(), value->end(), [](const json& each) {
                                 return each.is_number() && std::isfinite(each.get<float>());
                             });
        if (!numbers) fail(key, "is not a list of three numbers");
        colours = value->get<std::array<float, 3>>();
        return true;
    }

  private:
    const json& object_;
    std::string file_;
    std::string prefix_;
};

std::string read_text(const fs::path& path, const std::string& what) {
    // More than any label file or sidecar has; a wrong name should not fill the memory.
    constexpr std::uintmax_t largest = std::uintmax_t{16} << 20U;
    std::error_code failed;
    if (!fs::is_regular_file(path, failed)) throw Error(what + " is not a file");
    if (fs::file_size(path, failed) > largest) throw Error(what + " is too large (over 16 MB)");
    std::ifstream file(path, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    if (!file) throw Error(what + " cannot be read");
    return text;
}

std::vector<std::string> read_labels(const fs::path& path, const std::string& what) {
    std::string text = read_text(path, what);
    if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);  // the byte-order mark that some editors write
    std::vector<std::string> labels;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        std::string label = text.substr(at, end - at);
        if (label.ends_with('\r')) label.pop_back();
        labels.push_back(std::move(label));
        at = end + 1;
    }
    // Empty lines count within the list, where they keep the classes behind them in their places.
    while (!labels.empty() && labels.back().empty()) labels.pop_back();
    if (labels.empty()) throw Error(what + " holds no labels");
    return labels;
}

void read_input(const Reader& input, Sidecar& sidecar) {
    input.read("width", sidecar.width);
    input.read("height", sidecar.height);

    std::string color = "rgb";
    input.read("color", color);
    if (color != "rgb" && color != "bgr") input.fail("color", "is neither \"rgb\" nor \"bgr\"");
    sidecar.bgr = color == "bgr";

    if (const json* range = input.find("range")) {
        const bool unit = *range == json::array({0, 1});
        if (!unit && *range != json::array({0, 255})) input.fail("range", "is neither [0, 255] nor [0, 1]");
        sidecar.range = unit ? 1.0F : 255.0F;
    }
    // The defaults are given for RGB in 0 … 1.
    const auto adapt = [&](std::array<float, 3>& colours) {
        if (sidecar.bgr) std::swap(colours[0], colours[2]);
        for (float& colour : colours) colour *= sidecar.range;
    };
    if (!input.read("mean", sidecar.mean)) adapt(sidecar.mean);
    if (!input.read("std", sidecar.std)) adapt(sidecar.std);
    if (std::any_of(sidecar.std.begin(), sidecar.std.end(), [](float value) { return value <= 0.0F; })) {
        input.fail("std", "has a value that is not above 0");
    }
}

}  // namespace

Sidecar read_sidecar(const std::string& onnx_path) {
    Sidecar sidecar;
    sidecar.name = fs::path(onnx_path).stem().string();
    const fs::path path = fs::path(onnx_path).replace_extension(".json");
    std::error_code failed;
    if (!fs::exists(path, failed)) return sidecar;
    sidecar.found = true;

    const std::string file = path.string();
    const std::string text = read_text(path, file);
    json document;
    try {
        document = json::parse(text);
    } catch (const json::parse_error& error) {
        const auto before = text.begin() + static_cast<std::ptrdiff_t>(std::min(error.byte, text.size()));
        const auto line = 1 + std::count(text.begin(), before, '\n');
        throw Error(file + ": not valid JSON (line " + std::to_string(line) + ")");
    } catch (const json::exception&) {
        throw Error(file + ": not valid JSON (a number is out of range)");
    }

    const Reader top(document, file, "");
    top.read("name", sidecar.name);
    top.read("origin", sidecar.origin);
    top.read("license", sidecar.license);
    if (const json* input = top.find("input")) read_input(Reader(*input, file, "input."), sidecar);

    std::string labels;
    top.read("labels", labels);
    if (!labels.empty()) {
        const fs::path name(labels);
        if (name != name.filename() || labels.find('\0') != std::string::npos || labels == "." || labels == "..") {
            top.fail("labels", "must name a file beside the sidecar");
        }
        const fs::path beside = path.parent_path() / name;
        if (!fs::exists(beside, failed)) top.fail("labels", "names " + beside.string() + ", which does not exist");
        sidecar.labels = read_labels(beside, file + ": \"labels\": " + beside.string());
    }
    return sidecar;
}

}  // namespace deconv::nn
