// CIFAR-10's binaries, and the IDX files of MNIST and its kin.
#include <zlib.h>

#include <fstream>

#include "base/error.h"
#include "train/data_formats.h"

namespace deconv::train {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t cifar_side = 32;
constexpr std::size_t cifar_plane = cifar_side * cifar_side;
constexpr std::size_t cifar_record = 1 + 3 * cifar_plane;  // label, then red, green and blue planes

std::vector<std::string> read_lines(const fs::path& path) {
    std::ifstream file(path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) {
        while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
        if (!line.empty()) lines.push_back(line);
    }
    return lines;
}

/// `bytes_expected`: of the first batch, which all must have; 0 where it is not known.
std::size_t read_batch(const fs::path& path, std::size_t classes, std::size_t bytes_expected, Images& images) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw Error(path.string() + " is missing: unpack all of cifar-10-binary.tar.gz");
    const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    if (bytes.empty() || bytes.size() % cifar_record != 0) {
        throw Error(path.string() + " has " + std::to_string(bytes.size()) + " bytes, not a multiple of " +
                    std::to_string(cifar_record) + ": it is truncated; fetch it again");
    }
    if (bytes_expected != 0 && bytes.size() != bytes_expected) {
        throw Error(path.string() + " has " + std::to_string(bytes.size()) + " bytes, data_batch_1.bin has " +
                    std::to_string(bytes_expected) + ": one of them is truncated; fetch it again");
    }
    const std::size_t count = bytes.size() / cifar_record;
    const std::size_t before = images.count();
    images.pixels.resize((before + count) * images.image_bytes());
    for (std::size_t i = 0; i < count; ++i) {
        const auto* record = reinterpret_cast<const std::uint8_t*>(bytes.data()) + i * cifar_record;
        if (record[0] >= classes) {
            throw Error(path.string() + ", record " + std::to_string(i) + ": label " + std::to_string(record[0]) +
                        ", but there are " + std::to_string(classes) + " classes");
        }
        images.labels.push_back(record[0]);
        std::uint8_t* to = images.pixels.data() + (before + i) * images.image_bytes();
        for (std::size_t p = 0; p < cifar_plane; ++p) {
            for (std::size_t c = 0; c < 3; ++c) to[p * 3 + c] = record[1 + c * cifar_plane + p];
        }
    }
    return bytes.size();
}

/// The file under that name, or packed beside it; empty where there is neither.
fs::path idx_file(const fs::path& folder, const std::string& name) {
    for (const char* end : {"", ".gz"}) {
        if (fs::exists(folder / (name + end))) return folder / (name + end);
    }
    return {};
}

/// zlib reads files that are not packed as they are.
std::vector<std::uint8_t> unpacked(const fs::path& path) {
    gzFile file = gzopen(path.c_str(), "rb");
    if (file == nullptr) throw Error(path.string() + " cannot be read");
    std::vector<std::uint8_t> bytes;
    int got = 0;
    do {
        const std::size_t at = bytes.size();
        bytes.resize(at + (std::size_t{1} << 20));
        got = gzread(file, bytes.data() + at, 1 << 20);
        bytes.resize(at + static_cast<std::size_t>(std::max(got, 0)));
    } while (got > 0);
    // What ends too early in the packed stream is told when closing.
    const bool whole = gzclose(file) == Z_OK && got == 0;
    if (!whole) throw Error(path.string() + " is truncated or damaged: fetch it again");
    return bytes;
}

struct Idx {
    std::vector<std::size_t> sizes;
    std::vector<std::uint8_t> bytes;  // without the header
};

Idx read_idx_file(const fs::path& folder, const std::string& name, std::size_t dimensions) {
    const fs::path path = idx_file(folder, name);
    if (path.empty()) throw Error((folder / name).string() + "[.gz] is missing beside the other IDX files");
    Idx idx;
    idx.bytes = unpacked(path);
    const std::size_t header = 4 + 4 * dimensions;
    if (idx.bytes.size() < header || idx.bytes[0] != 0 || idx.bytes[1] != 0 || idx.bytes[2] != 8 ||
        idx.bytes[3] != dimensions) {
        throw Error(path.string() + " is no IDX file of " + std::to_string(dimensions) + "-dimensional bytes");
    }
    std::size_t items = 1;
    for (std::size_t d = 0; d < dimensions; ++d) {
        std::size_t size = 0;
        for (std::size_t b = 0; b < 4; ++b) size = size << 8 | idx.bytes[4 + 4 * d + b];
        idx.sizes.push_back(size);
        items *= size;
    }
    if (idx.bytes.size() != header + items) {
        throw Error(path.string() + " has " + std::to_string(idx.bytes.size()) + " bytes where its header says " +
                    std::to_string(header + items) + ": it is truncated; fetch it again");
    }
    idx.bytes.erase(idx.bytes.begin(), idx.bytes.begin() + static_cast<std::ptrdiff_t>(header));
    return idx;
}

Images read_idx_pair(const fs::path& folder, const std::string& split) {
    Idx pictures = read_idx_file(folder, split + "-images-idx3-ubyte", 3);
    const Idx labels = read_idx_file(folder, split + "-labels-idx1-ubyte", 1);
    if (pictures.sizes[0] != labels.sizes[0]) {
        throw Error(folder.string() + ": " + std::to_string(pictures.sizes[0]) + " pictures but " +
                    std::to_string(labels.sizes[0]) + " labels in " + split);
    }
    Images images;
    images.channels = 1;
    images.height = static_cast<int>(pictures.sizes[1]);
    images.width = static_cast<int>(pictures.sizes[2]);
    images.pixels = std::move(pictures.bytes);
    images.labels.assign(labels.bytes.begin(), labels.bytes.end());
    return images;
}

}  // namespace

bool is_cifar10(const fs::path& folder) {
    return fs::exists(folder / "data_batch_1.bin");
}

Found read_cifar10(const fs::path& folder) {
    Found found;
    found.data.format = "CIFAR-10 binaries";
    found.data.classes = read_lines(folder / "batches.meta.txt");
    if (found.data.classes.empty()) {
        throw Error((folder / "batches.meta.txt").string() + " with the classes' names is missing");
    }
    const std::size_t classes = found.data.classes.size();
    for (Images* images : {&found.data.train, &found.data.test}) images->height = images->width = cifar_side;
    std::size_t bytes = 0;
    for (int i = 1; i <= 5; ++i) {
        bytes = read_batch(folder / ("data_batch_" + std::to_string(i) + ".bin"), classes, bytes, found.data.train);
    }
    read_batch(folder / "test_batch.bin", classes, 0, found.data.test);
    return found;
}

bool is_idx(const fs::path& folder) {
    return !idx_file(folder, "train-images-idx3-ubyte").empty();
}

Found read_idx(const fs::path& folder) {
    Found found;
    found.data.format = "IDX";
    found.data.train = read_idx_pair(folder, "train");
    found.data.test = read_idx_pair(folder, "t10k");
    const std::string name = fs::absolute(folder).lexically_normal().string();
    if (name.find("fashion") != std::string::npos) {
        // The files hold no names; these are the data set's own (Xiao, Rasul and Vollgraf, arXiv 1708.07747).
        found.data.classes = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                              "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};
    } else {
        std::uint16_t most = 0;
        for (const std::uint16_t label : found.data.train.labels) most = std::max(most, label);
        for (std::uint16_t label = 0; label <= most; ++label) found.data.classes.push_back(std::to_string(label));
    }
    for (const Images* images : {&found.data.train, &found.data.test}) {
        for (std::size_t i = 0; i < images->count(); ++i) {
            if (images->labels[i] >= found.data.classes.size()) {
                throw Error(folder.string() + ": label " + std::to_string(images->labels[i]) + " of picture " +
                            std::to_string(i) + " is out of range: there are " +
                            std::to_string(found.data.classes.size()) + " classes");
            }
        }
    }
    return found;
}

}  // namespace deconv::train
