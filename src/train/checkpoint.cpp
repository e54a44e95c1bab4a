#include "train/checkpoint.h"

#include <zlib.h>

#include <cstring>
#include <fstream>

#include "base/error.h"
#include "base/whole_file.h"

namespace deconv::train {
namespace {

// "deconv checkpoint", version, then integers, texts and tensors, each list with its count, at the end the CRC-32 of
// everything before.  Little-endian, as every machine is that Vulkan runs on.
constexpr char magic[] = "deconv checkpoint";
constexpr std::uint32_t version = 1;

template <typename T>
std::map<std::string, T> values_of(const std::map<std::string, T>& all, const std::string& prefix) {
    std::map<std::string, T> result;
    for (auto it = all.lower_bound(prefix); it != all.end() && it->first.starts_with(prefix); ++it) {
        result[it->first.substr(prefix.size())] = it->second;
    }
    return result;
}

class Writer {
  public:
    void bytes(const void* data, std::size_t size) {
        const auto* from = static_cast<const char*>(data);
        all.insert(all.end(), from, from + size);
    }
    void number(std::uint64_t value) { bytes(&value, sizeof value); }
    void text(const std::string& value) {
        number(value.size());
        bytes(value.data(), value.size());
    }

    std::vector<char> all;
};

class Reader {
  public:
    Reader(const std::vector<char>& all, std::size_t end, std::string path)
        : all_(all), end_(end), path_(std::move(path)) {}

    void bytes(void* to, std::size_t size) {
        if (size > end_ - at_) throw Error(path_ + " is damaged");
        std::memcpy(to, all_.data() + at_, size);
        at_ += size;
    }
    std::uint64_t number() {
        std::uint64_t value = 0;
        bytes(&value, sizeof value);
        return value;
    }
    std::string text() {
        std::string value(size_of(number(), 1), '\0');
        bytes(value.data(), value.size());
        return value;
    }
    std::vector<float> floats() {
        std::vector<float> values(size_of(number(), sizeof(float)));
        bytes(values.data(), values.size() * sizeof(float));
        return values;
    }

  private:
    std::size_t size_of(std::uint64_t count, std::size_t item) const {
        if (count > (end_ - at_) / item) throw Error(path_ + " is damaged");
        return static_cast<std::size_t>(count);
    }

    const std::vector<char>& all_;
    std::size_t end_, at_ = 0;
    std::string path_;
};

std::uint32_t checksum(const std::vector<char>& bytes, std::size_t size) {
    return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), size));
}

}  // namespace

std::uint64_t Checkpoint::integer(const std::string& name) const {
    const auto found = integers.find(name);
    if (found == integers.end()) throw Error("the checkpoint has no \"" + name + "\": it is of another program");
    return found->second;
}

const std::string& Checkpoint::text(const std::string& name) const {
    const auto found = texts.find(name);
    if (found == texts.end()) throw Error("the checkpoint has no \"" + name + "\": it is of another program");
    return found->second;
}

std::map<std::string, std::string> Checkpoint::texts_of(const std::string& prefix) const {
    return values_of(texts, prefix);
}

std::map<std::string, std::vector<float>> Checkpoint::tensors_of(const std::string& prefix) const {
    return values_of(tensors, prefix);
}

void Checkpoint::add(const std::string& prefix, const std::map<std::string, std::vector<float>>& values) {
    for (const auto& [name, value] : values) tensors[prefix + name] = value;
}

void save_checkpoint(const std::string& path, const Checkpoint& checkpoint) {
    Writer writer;
    writer.bytes(magic, sizeof magic);
    writer.bytes(&version, sizeof version);
    writer.number(checkpoint.integers.size());
    for (const auto& [name, value] : checkpoint.integers) {
        writer.text(name);
        writer.number(value);
    }
    writer.number(checkpoint.texts.size());
    for (const auto& [name, value] : checkpoint.texts) {
        writer.text(name);
        writer.text(value);
    }
    writer.number(checkpoint.tensors.size());
    for (const auto& [name, values] : checkpoint.tensors) {
        writer.text(name);
        writer.number(values.size());
        writer.bytes(values.data(), values.size() * sizeof(float));
    }
    const std::uint32_t sum = checksum(writer.all, writer.all.size());
    writer.bytes(&sum, sizeof sum);
    WholeFile file(path);
    file.write(writer.all.data(), writer.all.size());
    file.commit();
}

Checkpoint load_checkpoint(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw Error("no checkpoint " + path);
    const std::vector<char> all((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    constexpr std::size_t head = sizeof magic + sizeof version;
    if (all.size() < sizeof magic || std::memcmp(all.data(), magic, sizeof magic) != 0) {
        throw Error(path + " is no checkpoint of deconv-train");
    }
    std::uint32_t found = 0;
    std::uint32_t sum = 0;
    if (all.size() < head + sizeof sum) throw Error(path + " is truncated");
    std::memcpy(&found, all.data() + sizeof magic, sizeof found);
    if (found > version) throw Error(path + " is of a newer deconv-train than this one");
    const std::size_t end = all.size() - sizeof sum;
    std::memcpy(&sum, all.data() + end, sizeof sum);
    if (sum != checksum(all, end)) throw Error(path + " is truncated or damaged: its checksum does not match");
    Reader reader(all, end, path);
    char skipped[head];
    reader.bytes(skipped, head);
    Checkpoint checkpoint;
    for (std::uint64_t i = reader.number(); i > 0; --i) {
        const std::string name = reader.text();
        checkpoint.integers[name] = reader.number();
    }
    for (std::uint64_t i = reader.number(); i > 0; --i) {
        const std::string name = reader.text();
        checkpoint.texts[name] = reader.text();
    }
    for (std::uint64_t i = reader.number(); i > 0; --i) {
        const std::string name = reader.text();
        checkpoint.tensors[name] = reader.floats();
    }
    return checkpoint;
}

}  // namespace deconv::train
