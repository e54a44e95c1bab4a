// The published networks that can be fetched by name: weights/catalogue.json says where each is, what it must be, and
// how pixels become its input.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "media/download.h"

namespace deconv::live {

/// A published file and how to know it.
struct PublishedFile {
    std::string file;                    // its published name
    std::vector<std::string> addresses;  // tried in order
    std::uint64_t bytes = 0;
    std::string sha256;
};

/// One label a line, in the order of the classes.
struct PublishedLabels : PublishedFile {
    std::string name;  // of the file here, as the sidecar says it
    std::size_t classes = 0;
};

struct CatalogueEntry {
    std::string name, title, license;
    PublishedFile network;
    std::string input;  // the sidecar's "input", as JSON text
    std::optional<PublishedLabels> labels;
};

/// Reads $DECONV_CATALOGUE, or catalogue.json of the first weight folder that has one.  Throws Error naming the file
/// and what is wrong with it.
std::vector<CatalogueEntry> read_catalogue();

/// Where fetched networks stand: $XDG_DATA_HOME/deconv-live/weights, by default below ~/.local/share.
std::string fetched_folder();

/// Whether a file of the right size has the network's name there.  Its content was proved when it got the name.
bool is_fetched(const CatalogueEntry& entry, const std::string& folder = fetched_folder());

/// Throws Error where `path` is a network of the catalogue in fetched_folder() and `sha256`, the file's own, is not the
/// published one: damaged, or put there by other means.
void check_fetched(const std::string& path, const std::string& sha256);

struct FetchOptions {
    /// Instead of the catalogue's addresses: the network's file, a folder that holds it, its address, or the address of
    /// a mirror's folder (under the published name, or NAME.onnx in a folder of this machine).  With a file or folder
    /// the network is not used, for labels neither.
    std::string from;
    std::string to;      // folder; empty: fetched_folder().  Made where it is missing
    std::string labels;  // a labels file of this machine, one class a line, instead of the published one
};

struct FetchResult {
    media::DownloadResult network;
    std::string path;            // the network's
    std::string without_labels;  // why there are none; empty where there are
};

/// Fetches one network: NAME.onnx, with its sidecar NAME.json and the labels file beside it, which get their names
/// first, so that a network never stands without its preprocessing.  Labels that cannot be had do not stop it: a later
/// call adds them.  A sidecar that a person changed stays as it is.  Throws Error as media::download() does.
FetchResult fetch(const CatalogueEntry& entry, const FetchOptions& options,
                  const media::DownloadCallback& progress = {});

}  // namespace deconv::live
