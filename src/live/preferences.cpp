#include "live/preferences.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <type_traits>

#include "base/error.h"
#include "base/whole_file.h"
#include "live/choices.h"

namespace deconv::live {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using Names = std::vector<std::string>;

constexpr std::uintmax_t largest_file = std::uintmax_t{1} << 20;
constexpr int deepest = 64;  // of nested values

/// What a value may be.
struct Limits {
    Names names;  // of texts; empty: any
    double low = 0, high = 0;
};

/// Calls visit(key, value, limits) for everything that is saved.
template <typename Values, typename Visit>
void for_each_value(Values& p, const Visit& visit) {
    visit("view", p.view, Limits{view_names()});
    visit("panel", p.panel, Limits{});
    visit("mirror", p.mirror, Limits{});
    visit("full_screen", p.full_screen, Limits{});
    visit("width", p.width, Limits{{}, 64, 16384});
    visit("height", p.height, Limits{{}, 64, 16384});
    visit("opacity", p.opacity, Limits{{}, 0, 1});
    visit("blend", p.blend, Limits{blend_names()});
    visit("rule", p.rule, Limits{names_of(rule_choices())});
    visit("lrn", p.lrn, Limits{names_of(lrn_choices())});
    visit("precision", p.precision, Limits{names_of(precision_choices())});
    visit("display", p.display, Limits{names_of(display_choices())});
    visit("fit", p.fit, Limits{names_of(fit_choices())});
    visit("blur", p.blur, Limits{{}, 0, 100});
    visit("gain", p.gain, Limits{{}, 0.1, 10});
    visit("gamma", p.gamma, Limits{{}, 0.3, 3});
    visit("record", p.record, Limits{record_names()});
    visit("model", p.model, Limits{});
}

std::string shown(double value) {
    std::array<char, 32> text{};
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
    return {text.data(), end};
}

/// "a, b or c"
std::string listed(const Names& names) {
    std::string text;
    for (std::size_t i = 0; i < names.size(); ++i) {
        text += (i == 0 ? "" : (i + 1 == names.size() ? " or " : ", ")) + names[i];
    }
    return text;
}

bool is_utf8(const Json& text) {
    try {
        (void)text.dump();
        return true;
    } catch (const Json::exception&) {
        return false;
    }
}

/// Takes a value over.  Returns what it must be where it is not that, and nothing otherwise.
template <typename Value>
std::string take(const Json& json, const Limits& limits, Value& value) {
    if constexpr (std::is_same_v<Value, bool>) {
        if (!json.is_boolean()) return "true or false";
    } else if constexpr (std::is_same_v<Value, std::string>) {
        if (!json.is_string() || !is_utf8(json)) return limits.names.empty() ? "a text" : listed(limits.names);
        const auto& text = json.get_ref<const std::string&>();
        const bool known = std::find(limits.names.begin(), limits.names.end(), text) != limits.names.end();
        if (!limits.names.empty() && !known) return listed(limits.names);
    } else {
        const bool number = std::is_integral_v<Value> ? json.is_number_integer() : json.is_number();
        const double all = number ? json.get<double>() : 0;
        // A float's limits are floats, too.
        const auto low = static_cast<double>(static_cast<Value>(limits.low));
        const auto high = static_cast<double>(static_cast<Value>(limits.high));
        const double rounded = std::is_same_v<Value, float> ? static_cast<double>(static_cast<float>(all)) : all;
        if (!number || !(rounded >= low && rounded <= high)) {
            return (std::is_integral_v<Value> ? "a whole number from " : "a number from ") + shown(limits.low) +
                   " to " + shown(limits.high);
        }
    }
    value = json.get<Value>();
    return {};
}

template <typename Value>
Json to_json(const Value& value) {
    if constexpr (std::is_same_v<Value, float>) {
        // 0.85, not 0.850000023841858: people read this file.
        std::array<char, 32> text{};
        const char* end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
        double shortest = value;
        std::from_chars(text.data(), end, shortest);
        return shortest;
    } else {
        return value;
    }
}

/// The file's JSON object.  Throws Error with what is wrong in it.
Json parse(const std::string& text) {
    if (text.size() > largest_file) throw Error("is larger than settings can be");
    Json json;
    try {
        json = Json::parse(text, [](int depth, Json::parse_event_t, Json&) {
            // dump() calls itself for each level.
            if (depth > deepest) throw Error("is nested too deeply");
            return true;
        });
    } catch (const Json::parse_error& error) {
        const auto at = static_cast<std::ptrdiff_t>(std::min(error.byte, text.size()));
        const auto line = 1 + std::count(text.begin(), text.begin() + std::max<std::ptrdiff_t>(at - 1, 0), '\n');
        throw Error("is not JSON (line " + std::to_string(line) + ")");
    } catch (const Json::exception&) {  // a number too large to hold
        throw Error("is not JSON that can be read");
    }
    if (!json.is_object()) throw Error("is not a JSON object");
    return json;
}

/// What the file holds; nothing where there is none.  Throws Error where it cannot be read.
std::optional<std::string> read(const std::string& path) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (status.type() == fs::file_type::not_found) return std::nullopt;
    if (error) throw Error("cannot be read: " + error.message());
    if (!fs::is_regular_file(status)) throw Error("is not a file");
    std::ifstream file(path, std::ios::binary);
    std::string text(largest_file + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (!file && !file.eof()) throw Error("cannot be read; check its permissions");
    text.resize(static_cast<std::size_t>(file.gcount()));
    return text;
}

/// Gives the file another name that none has.  Returns that name's last part; throws Error with the reason.
std::string set_aside(const std::string& path) {
    for (int i = 0; i < 1000; ++i) {
        const std::string name = path + ".broken" + (i == 0 ? "" : "." + std::to_string(i));
        // The name is taken before the file is moved there, so that nothing that others put there is overwritten.
        const int descriptor = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (descriptor < 0 && errno == EEXIST) continue;
        if (descriptor >= 0) ::close(descriptor);
        if (descriptor >= 0 && ::rename(path.c_str(), name.c_str()) == 0) return fs::path(name).filename().string();
        const int reason = errno;
        if (descriptor >= 0) ::unlink(name.c_str());
        throw Error(std::generic_category().message(reason));
    }
    throw Error("too many such files are there already");
}

void make_folder(const fs::path& folder) {
    std::error_code error;
    if (folder.empty() || fs::exists(folder, error)) return;
    make_folder(folder.parent_path());
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
        throw Error(folder.string() + ": cannot be made: " + std::generic_category().message(errno));
    }
}

}  // namespace

const std::vector<std::string>& view_names() {
    static const Names names{"side by side", "overlay", "layer", "mosaic", "ladder", "network", "compare"};
    return names;
}

const std::vector<std::string>& blend_names() {
    static const Names names{"signal", "mix", "spotlight"};
    return names;
}

const std::vector<std::string>& record_names() {
    static const Names names{"view", "side by side", "projection"};
    return names;
}

std::string preferences_path() {
    const char* file = "deconv-live/settings.json";
    // The XDG Base Directory Specification: a relative path is to be ignored.
    const char* config = std::getenv("XDG_CONFIG_HOME");
    if (config != nullptr && fs::path(config).is_absolute()) return (fs::path(config) / file).string();
    const char* home = std::getenv("HOME");
    if (home == nullptr || *home == '\0') return {};
    return (fs::path(home) / ".config" / file).string();
}

Preferences load_preferences(const std::string& path, std::string& message) {
    message.clear();
    if (path.empty()) return {};
    std::string fault;
    try {
        const std::optional<std::string> text = read(path);
        if (!text) return {};
        try {
            const Json json = parse(*text);
            Preferences preferences;
            for_each_value(preferences, [&](const char* key, auto& value, const Limits& limits) {
                const auto there = json.find(key);
                if (there == json.end()) return;
                const std::string wanted = take(*there, limits, value);
                if (!wanted.empty()) throw Error("\"" + std::string(key) + "\" must be " + wanted);
            });
            return preferences;
        } catch (const Error& error) {
            fault = error.what();
        }
    } catch (const Error& error) {
        message = path + ": " + error.what() + "; the defaults are used";
        return {};
    }
    try {
        message = path + ": " + fault + "; it is kept as " + set_aside(path) + ", and the defaults are used";
    } catch (const Error& error) {
        message = path + ": " + fault + "; the defaults are used (it cannot be set aside: " + error.what() + ")";
    }
    return {};
}

std::string save_preferences(const std::string& path, const Preferences& preferences) {
    if (path.empty()) return {};
    try {
        make_folder(fs::path(path).parent_path());
        Json json = Json::object();
        std::optional<std::string> before;
        try {
            before = read(path);
        } catch (const Error& error) {
            return path + ": " + error.what();
        }
        if (before) {
            try {
                json = parse(*before);
            } catch (const Error& fault) {  // broken since it was loaded
                try {
                    set_aside(path);
                } catch (const Error& error) {
                    return path + ": " + fault.what() + ", and cannot be set aside: " + error.what();
                }
            }
        }
        for_each_value(preferences, [&](const char* key, const auto& value, const Limits& limits) {
            Json one = to_json(value);
            std::decay_t<decltype(value)> checked{};
            if (take(one, limits, checked).empty()) {
                json[key] = std::move(one);
            } else {
                json.erase(key);
            }
        });
        const std::string text = json.dump(4) + "\n";
        WholeFile file(path);
        file.write(text.data(), text.size());
        file.commit();
        return {};
    } catch (const Error& error) {
        return error.what();
    }
}

}  // namespace deconv::live
