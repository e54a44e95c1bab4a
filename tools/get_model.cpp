// deconv-get-model: fetches the published networks of the catalogue.  The command line.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/progress_line.h"
#include "live/catalogue.h"

namespace {

using deconv::duration;
using deconv::progress_bar;
using deconv::ProgressLine;
using deconv::UsageError;
using deconv::live::CatalogueEntry;
using deconv::live::FetchOptions;
using deconv::live::FetchResult;
using deconv::media::DownloadProgress;
using deconv::media::DownloadResult;
using deconv::media::format_bytes;

const char* const description =
    "Fetches published networks, so that deconv-live --model NAME shows what they see.\n"
    "A network gets its name only when its size and SHA-256 are right; a transfer that broke off is continued.";

const char* const examples = R"(Examples:
  tools/get-model --list
  tools/get-model squeezenet1.1
  tools/get-model vgg16 alexnet
  tools/get-model all
  tools/get-model vgg16 --from ~/Downloads/vgg16-7.onnx     a file that is here already; nothing is downloaded
  tools/get-model all --from /media/stick/networks          a folder that holds the published files
  tools/get-model all --from http://mirror.example/networks a mirror that serves them under their published names

Networks go to $XDG_DATA_HOME/deconv-live/weights (by default ~/.local/share/deconv-live/weights), where deconv-live
finds them by name.  After --to FOLDER: deconv-live --model FOLDER/NAME.onnx, or DECONV_WEIGHTS=FOLDER.

Exit codes: 0 all are there; 1 one is not, and one line says why; 2 a wrong command line.)";

volatile std::sig_atomic_t stop_requested = 0;

void on_signal(int /*signal*/) {
    stop_requested = 1;
}

double as_double(std::uint64_t bytes) {
    return static_cast<double>(bytes);
}

/// How far a download is: drawn over on a terminal, otherwise a line every few seconds, for logs.
class DownloadLine {
  public:
    explicit DownloadLine(std::string name) : name_(std::move(name)) {}

    void show(const DownloadProgress& progress) {
        if (line_.on_terminal()) return line_.show(text_of(progress));
        const auto now = std::chrono::steady_clock::now();
        constexpr std::chrono::seconds line_every{5};
        if (now - last_ < line_every) return;
        last_ = now;
        if (progress.done > 0) line_.say(text_of(progress));
    }
    void clear() { line_.clear(); }

  private:
    std::string text_of(const DownloadProgress& progress) const {
        const double part = progress.total > 0 ? as_double(progress.done) / as_double(progress.total) : 0.0;
        char percent[20];
        std::snprintf(percent, sizeof percent, "%3.0f %%", 100.0 * part);
        std::string text = name_ + "  " + (line_.on_terminal() ? progress_bar(part) + "  " : "") + percent;
        if (progress.verifying) return text + "  checking its SHA-256";
        text += "  " + format_bytes(as_double(progress.done)) + " of " + format_bytes(as_double(progress.total));
        if (progress.rate > 0.0) {
            text += "  " + format_bytes(progress.rate) + "/s  " +
                    duration(as_double(progress.total - progress.done) / progress.rate) + " left";
        }
        return text;
    }

    std::string name_;
    ProgressLine line_;
    std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

void list(const std::vector<CatalogueEntry>& catalogue, const std::string& folder) {
    std::printf("%-15s %10s  %-8s %s\n", "name", "size", "fetched", "what it is; licence");
    for (const CatalogueEntry& entry : catalogue) {
        std::printf("%-15s %10s  %-8s %s; %s\n", entry.name.c_str(),
                    format_bytes(as_double(entry.network.bytes)).c_str(),
                    deconv::live::is_fetched(entry, folder) ? "yes" : "no", entry.title.c_str(), entry.license.c_str());
    }
    std::printf("Fetched networks are in %s\n", folder.c_str());
}

/// The entries of the names, in the catalogue's order.
std::vector<CatalogueEntry> choose(const std::vector<CatalogueEntry>& catalogue,
                                   const std::vector<std::string>& names) {
    const bool all = std::find(names.begin(), names.end(), "all") != names.end();
    for (const std::string& name : names) {
        const bool known = std::any_of(catalogue.begin(), catalogue.end(),
                                       [&](const CatalogueEntry& entry) { return entry.name == name; });
        if (known || name == "all") continue;
        std::string there;
        for (const CatalogueEntry& entry : catalogue) there += entry.name + ", ";
        throw UsageError("no network named \"" + name + "\" in the catalogue; there is: " + there + "all");
    }
    std::vector<CatalogueEntry> chosen;
    for (const CatalogueEntry& entry : catalogue) {
        if (all || std::find(names.begin(), names.end(), entry.name) != names.end()) chosen.push_back(entry);
    }
    return chosen;
}

/// Fetches one and says what came of it.  False where the person stopped it.
bool fetch_one(const CatalogueEntry& entry, const FetchOptions& options) {
    DownloadLine line(entry.name);
    FetchResult result;
    try {
        result = deconv::live::fetch(entry, options, [&](const DownloadProgress& progress) {
            line.show(progress);
            return stop_requested == 0;
        });
    } catch (...) {
        line.clear();
        throw;
    }
    line.clear();
    switch (result.network.end) {
        case DownloadResult::End::cancelled:
            std::fprintf(stderr,
                         "deconv-get-model: %s: stopped; what came is kept, the same command goes on from there\n",
                         entry.name.c_str());
            return false;
        case DownloadResult::End::already_there:
            std::fprintf(stderr, "%s is there already, and right: %s\n", entry.name.c_str(), result.path.c_str());
            break;
        case DownloadResult::End::fetched: {
            const std::uint64_t kept = entry.network.bytes - std::min(entry.network.bytes, result.network.received);
            std::fprintf(stderr, "%s: %s%s, SHA-256 right: %s\n", entry.name.c_str(),
                         format_bytes(as_double(entry.network.bytes)).c_str(),
                         kept > 0 ? (", of which " + format_bytes(as_double(kept)) + " were there").c_str() : "",
                         result.path.c_str());
            break;
        }
    }
    if (!result.without_labels.empty()) {
        std::fprintf(stderr, "%s has no labels, its classes are numbers: %s%s\n", entry.name.c_str(),
                     result.without_labels.c_str(), entry.labels ? " (--labels FILE gives them)" : "");
    }
    return true;
}

int run(int argc, char** argv) {
    std::vector<std::string> names;
    FetchOptions options;
    bool list_asked = false;

    CLI::App app(description, "deconv-get-model");
    app.footer(examples);
    app.set_version_flag("--version", DECONV_VERSION);
    app.get_formatter()->column_width(34);
    app.add_option("names", names, "networks of the catalogue, or all")->type_name("NAME...|all");
    app.add_flag("--list", list_asked, "the catalogue: sizes, licences, and what is fetched");
    app.add_option("--from", options.from, "a network's file, a folder of them, or another address or mirror")
        ->type_name("FILE|FOLDER|URL");
    app.add_option("--to", options.to, "where the networks go, instead of this person's data folder")
        ->type_name("FOLDER");
    app.add_option("--labels", options.labels, "labels of the classes, one a line, instead of the published ones")
        ->type_name("FILE");
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& success) {  // --help, --version
        return app.exit(success);
    } catch (const CLI::ParseError& error) {
        throw UsageError(std::string(error.what()) + " (see --help)");
    }
    if (names.empty() && !list_asked) throw UsageError("which network? A name, all, or --list (see --help)");

    const std::vector<CatalogueEntry> catalogue = deconv::live::read_catalogue();
    const std::vector<CatalogueEntry> chosen = choose(catalogue, names);
    if (list_asked) {
        list(catalogue, options.to.empty() ? deconv::live::fetched_folder() : options.to);
        return 0;
    }
    const bool one_file = options.from.find(".onnx") != std::string::npos;
    if (one_file && chosen.size() > 1) {
        throw UsageError("--from " + options.from + " is one file; name one network, or give a folder or a mirror");
    }
    std::signal(SIGINT, on_signal);
    std::signal(SIGTERM, on_signal);
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is told of like a full disk
    int exit_code = 0;
    for (const CatalogueEntry& entry : chosen) {
        try {
            if (!fetch_one(entry, options)) return 1;
        } catch (const deconv::Error& error) {  // the others may still be had
            std::fprintf(stderr, "deconv-get-model: %s\n", error.what());
            exit_code = 1;
        }
    }
    return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const UsageError& error) {
        std::fprintf(stderr, "deconv-get-model: %s\n", error.what());
        return 2;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "deconv-get-model: %s\n", error.what());
    }
    return 1;
}
