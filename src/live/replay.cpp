#include "live/replay.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/sha256.h"
#include "live/choices.h"
#include "live/models.h"

namespace deconv::live {
namespace {

constexpr const char* settings_key = "deconv-settings";
constexpr const char* sha256_key = "deconv-model-sha256";

std::vector<std::string> to_arguments(const Options& options) {
    std::vector<std::string> arguments{"--model", options.model.empty() ? default_model : options.model};
    const auto add = [&](const char* name, const std::string& value) {
        arguments.emplace_back(name);
        arguments.push_back(value);
    };
    if (options.input_width && options.input_height) {
        add("--size", std::to_string(*options.input_width) + "x" + std::to_string(*options.input_height));
    }
    add("--fit", name_of(fit_choices(), options.fit));
    if (!options.layer.empty()) add("--layer", options.layer);
    add("--channel", options.channel);
    using Where = nn::Selection::Where;
    const std::string pin = std::to_string(options.y) + "," + std::to_string(options.x);
    add("--projection", options.where == Where::all ? "all" : (options.where == Where::max ? "max" : pin));
    add("--start", options.start_one ? "one" : "value");
    add("--rule", name_of(rule_choices(), options.rule));
    add("--lrn", name_of(lrn_choices(), options.lrn));
    add("--precision", name_of(precision_choices(), options.precision));
    add("--display", name_of(display_choices(), options.display));
    char blur[32];
    std::snprintf(blur, sizeof blur, "%g", options.blur);
    add("--blur", blur);
    if (options.random_layers > 0) add("--random-layers", std::to_string(options.random_layers));
    return arguments;
}

}  // namespace

media::Metadata describe(const Options& options, const std::string& model_sha256) {
    // A path may hold bytes that are no UTF-8.
    return {{"software", "deconv-live " DECONV_VERSION},
            {sha256_key, model_sha256},
            {settings_key,
             nlohmann::json(to_arguments(options)).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)}};
}

std::vector<std::string> replay_arguments(const std::string& path) {
    const media::Metadata metadata = media::read_metadata(path);
    const auto settings = metadata.find(settings_key);
    if (settings == metadata.end()) throw Error(path + " does not say how it was made: not a file of deconv-live?");
    std::vector<std::string> arguments;
    try {
        arguments = nlohmann::json::parse(settings->second).get<std::vector<std::string>>();
    } catch (const nlohmann::json::exception&) {
        throw Error(path + ": what it says of how it was made cannot be read");
    }
    // Only settings: a file from elsewhere must not make the program write or open something else.
    static const std::vector<std::string> known{"--model",      "--size",  "--fit",          "--layer", "--channel",
                                                "--projection", "--start", "--rule",         "--lrn",   "--precision",
                                                "--display",    "--blur",  "--random-layers"};
    for (std::size_t i = 0; i < arguments.size(); i += 2) {
        if (i + 1 == arguments.size() || std::find(known.begin(), known.end(), arguments[i]) == known.end()) {
            throw Error(path + ": what it says of how it was made cannot be read");
        }
    }
    const auto sha256 = metadata.find(sha256_key);
    if (arguments.size() > 1 && sha256 != metadata.end() && arguments[0] == "--model") {
        const std::string now = sha256_of_file(find_model(arguments[1]));
        if (!now.empty() && now != sha256->second) {
            std::fprintf(stderr, "deconv-live: warning: %s is another network than the one that %s was made with\n",
                         arguments[1].c_str(), path.c_str());
        }
    }
    return arguments;
}

}  // namespace deconv::live
