// Pictures as files: Tiny ImageNet's layout, and a folder a class.
#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "base/error.h"
#include "train/data_formats.h"

namespace deconv::train {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> sorted_entries(const fs::path& folder, bool (*wanted)(const fs::directory_entry&)) {
    std::vector<fs::path> result;
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
        if (wanted(entry)) result.push_back(entry.path());
    }
    std::sort(result.begin(), result.end());
    return result;
}

/// The first of several names: "goldfish, Carassius auratus".
std::map<std::string, std::string> read_words(const fs::path& path) {
    std::map<std::string, std::string> words;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        const std::size_t tab = line.find('\t');
        if (tab == std::string::npos) continue;
        std::string name = line.substr(tab + 1);
        name = name.substr(0, name.find(','));
        while (!name.empty() && name.back() == '\r') name.pop_back();
        words[line.substr(0, tab)] = name;
    }
    return words;
}

/// Every class folder's pictures, or (with `hold_back`) all but every tenth, which go to the test.
void list_classes(const fs::path& folder, const std::vector<std::string>& classes, std::vector<LabelledFile>& train,
                  std::vector<LabelledFile>* hold_back) {
    for (std::size_t c = 0; c < classes.size(); ++c) {
        const std::vector<fs::path> pictures = pictures_in(folder / classes[c]);
        if (pictures.empty()) {
            throw Error((folder / classes[c]).string() + " holds no pictures: fill it, or remove the folder");
        }
        if (hold_back != nullptr && pictures.size() < 2) {
            throw Error((folder / classes[c]).string() + " holds a single picture: two are needed, one for the test");
        }
        for (std::size_t i = 0; i < pictures.size(); ++i) {
            // With few pictures the last one is held back.
            const bool held =
                hold_back != nullptr && (i % 10 == 9 || (pictures.size() < 10 && i + 1 == pictures.size()));
            (held ? *hold_back : train).push_back({pictures[i], static_cast<std::uint16_t>(c)});
        }
    }
}

std::vector<std::string> names_of(const std::vector<fs::path>& folders) {
    std::vector<std::string> names;
    for (const fs::path& folder : folders) names.push_back(folder.filename().string());
    return names;
}

}  // namespace

std::vector<fs::path> folders_in(const fs::path& folder) {
    return sorted_entries(folder, [](const fs::directory_entry& entry) {
        return entry.is_directory() && entry.path().filename().string().front() != '.';
    });
}

std::vector<fs::path> pictures_in(const fs::path& folder) {
    return sorted_entries(folder, [](const fs::directory_entry& entry) {
        std::string end = entry.path().extension().string();
        std::transform(end.begin(), end.end(), end.begin(), [](unsigned char c) { return std::tolower(c); });
        static const char* const known[] = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".pgm", ".tif", ".tiff"};
        return entry.is_regular_file() && std::find(std::begin(known), std::end(known), end) != std::end(known);
    });
}

bool is_tiny_imagenet(const fs::path& folder) {
    return fs::exists(folder / "wnids.txt") && fs::is_directory(folder / "train");
}

Found list_tiny_imagenet(const fs::path& folder) {
    Found found;
    found.data.format = "Tiny ImageNet";
    const std::vector<std::string> wnids = names_of(folders_in(folder / "train"));
    const std::map<std::string, std::string> words = read_words(folder / "words.txt");
    std::map<std::string, std::uint16_t> index;
    for (const std::string& wnid : wnids) {
        const auto label = static_cast<std::uint16_t>(index.size());
        index[wnid] = label;
        const auto word = words.find(wnid);
        found.data.classes.push_back(word == words.end() ? wnid : word->second);
        const std::vector<fs::path> pictures = pictures_in(folder / "train" / wnid / "images");
        if (pictures.empty()) throw Error((folder / "train" / wnid / "images").string() + " holds no pictures");
        for (const fs::path& picture : pictures) found.train.push_back({picture, label});
    }
    const fs::path annotations = folder / "val" / "val_annotations.txt";
    std::ifstream file(annotations);
    if (!file) throw Error(annotations.string() + " is missing: it says which class each validation picture is of");
    for (std::string line; std::getline(file, line);) {
        std::istringstream words_of_line(line);
        std::string picture;
        std::string wnid;
        if (!(words_of_line >> picture >> wnid)) continue;
        const auto label = index.find(wnid);
        if (label == index.end()) {
            throw Error(annotations.string() + ": " + picture + " is of class " + wnid +
                        ", which train/ does not have");
        }
        found.test.push_back({folder / "val" / "images" / picture, label->second});
    }
    return found;
}

bool is_folders(const fs::path& folder) {
    const fs::path top = fs::is_directory(folder / "train") ? folder / "train" : folder;
    return !folders_in(top).empty();
}

Found list_folders(const fs::path& folder) {
    Found found;
    found.data.format = "a folder a class";
    const bool split = fs::is_directory(folder / "train");
    const fs::path train = split ? folder / "train" : folder;
    found.data.classes = names_of(folders_in(train));
    if (found.data.classes.size() > 65535) throw Error(folder.string() + " has more than 65535 classes");
    if (!split) {
        list_classes(train, found.data.classes, found.train, &found.test);
        return found;
    }
    const fs::path test = fs::is_directory(folder / "test") ? folder / "test" : folder / "val";
    if (!fs::is_directory(test)) throw Error(folder.string() + " has train/ but neither test/ nor val/");
    const std::vector<std::string> others = names_of(folders_in(test));
    for (const std::string& name : found.data.classes) {
        if (std::find(others.begin(), others.end(), name) == others.end()) {
            throw Error(test.string() + " has no class " + name + ", which " + train.string() + " has");
        }
    }
    for (const std::string& name : others) {
        if (std::find(found.data.classes.begin(), found.data.classes.end(), name) == found.data.classes.end()) {
            throw Error(train.string() + " has no class " + name + ", which " + test.string() + " has");
        }
    }
    list_classes(train, found.data.classes, found.train, nullptr);
    list_classes(test, found.data.classes, found.test, nullptr);
    return found;
}

}  // namespace deconv::train
