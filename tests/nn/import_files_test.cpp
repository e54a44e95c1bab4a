// Files that are no models, weights in external files, and damage: whatever the bytes, an Error or a Graph.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
#include <utility>

#include "onnx_models.h"

namespace deconv::nn {
namespace {

namespace fs = std::filesystem;

class ImportFile : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = (fs::temp_directory_path() / "deconv-import-XXXXXX").string();
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        base_ = pattern;
        folder_ = base_ / "models";
        fs::create_directory(folder_);
    }
    void TearDown() override { fs::remove_all(base_); }

    std::string write(const std::string& name, const std::string& bytes) const {
        std::ofstream(folder_ / name, std::ios::binary) << bytes;
        return (folder_ / name).string();
    }
    static std::string error_at(const std::string& path) {
        const std::string text = error_from([&] { import_onnx(path); });
        EXPECT_TRUE(text.starts_with(path + ": ")) << text;
        return text.substr(std::min(text.size(), path.size() + 2));
    }

    fs::path base_, folder_;
};

TEST_F(ImportFile, ThatIsNoModel) {
    EXPECT_EQ(error_at((folder_ / "gone.onnx").string()), "no such file");
    EXPECT_EQ(error_at((folder_ / "gone" / "gone.onnx").string()), "no such file");
    EXPECT_EQ(error_at(folder_.string()), "a folder, not an ONNX file");
    EXPECT_EQ(error_at(write("empty.onnx", "")), "the file is empty");
    EXPECT_EQ(error_at(write("text.onnx", "This is not a network.\n")), "not an ONNX model, or damaged or cut short");
    EXPECT_EQ(error_at(write("zeros.onnx", std::string(1000, '\0'))), "not an ONNX model, or damaged or cut short");
    EXPECT_HAS(error_at(write("lfs.onnx", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n")),
               "git lfs pull");
    EXPECT_EQ(error_at(write("tiny.onnx", std::string("\x08\x07", 2))), "not an ONNX model: it holds no graph");
    ASSERT_EQ(mkfifo((folder_ / "pipe.onnx").c_str(), 0600), 0);
    EXPECT_EQ(error_at((folder_ / "pipe.onnx").string()), "not a regular file");
    const std::string large = write("large.onnx", "x");
    fs::resize_file(large, std::uintmax_t{1} << 31U);  // sparse: it takes no room
    EXPECT_HAS(error_at(large), "larger than 2 GB");
}

TEST_F(ImportFile, LargerThanProtobufsOldLimit) {
    auto model = small_model();
    const std::int64_t count = 20'000'000;
    std::string raw(static_cast<std::size_t>(count) * sizeof(float), '\0');
    raw[raw.size() - 2] = '\x80';
    raw[raw.size() - 1] = '\x3F';  // the last value is 1
    add_initializer(model, "c", {count}, TensorProto::FLOAT).set_raw_data(std::move(raw));
    const Graph graph = import_onnx(write("large.onnx", model.SerializeAsString()));
    EXPECT_EQ(graph.constants.at("c").floats->back(), 1.0F);
}

/// A model whose weights lie in other files.
class ExternalData : public ImportFile {
  protected:
    using Entries = std::vector<std::pair<std::string, std::string>>;

    void SetUp() override {
        ImportFile::SetUp();
        const Reals values{9, 0, 1, 2, 3, 4, 5};
        const std::string bytes(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
        write("weights.bin", bytes);
        std::ofstream(base_ / "secret.bin", std::ios::binary) << bytes;
        fs::create_directory(folder_ / "sub");
        write("sub/weights.bin", bytes);
    }
    std::string model_with(const Entries& entries) const {
        auto model = small_model();
        auto& tensor = *model.mutable_graph()->mutable_initializer(0);
        tensor.clear_float_data();
        tensor.set_data_location(TensorProto::EXTERNAL);
        for (const auto& [key, value] : entries) {
            auto& entry = *tensor.add_external_data();
            entry.set_key(key);
            entry.set_value(value);
        }
        return write("model.onnx", model.SerializeAsString());
    }
    void expect_weights(const Entries& entries) const {
        const Graph graph = import_onnx(model_with(entries));
        EXPECT_EQ(*graph.constants.at("w").floats, (Reals{0, 1, 2, 3, 4, 5}));
    }
    std::string error_with(const Entries& entries) const { return error_at(model_with(entries)); }
};

TEST_F(ExternalData, IsReadFromTheModelsFolder) {
    expect_weights({{"location", "weights.bin"}, {"offset", "4"}, {"length", "24"}});
    expect_weights({{"location", "weights.bin"}, {"offset", "4"}, {"checksum", "whatever"}});
    expect_weights({{"location", "./sub/../sub/weights.bin"}, {"offset", "4"}});
    fs::create_symlink("sub/weights.bin", folder_ / "link.bin");
    expect_weights({{"location", "link.bin"}, {"offset", "4"}});
    const fs::path before = fs::current_path();
    fs::current_path(folder_);
    model_with({{"location", "weights.bin"}, {"offset", "4"}});
    EXPECT_EQ(import_onnx("model.onnx").constants.size(), 1U);
    fs::current_path(before);
}

TEST_F(ExternalData, IsRefusedFromElsewhere) {
    const std::string absolute = (base_ / "secret.bin").string();
    EXPECT_HAS(error_with({{"location", absolute}, {"offset", "4"}}), "must be named by a relative path");
    EXPECT_HAS(error_with({{"location", "/etc/passwd"}}), "must be named by a relative path");
    EXPECT_HAS(error_with({{"location", "../secret.bin"}, {"offset", "4"}}), "outside the model's folder");
    EXPECT_HAS(error_with({{"location", "sub/../../secret.bin"}}), "outside the model's folder");
    EXPECT_HAS(error_with({{"location", "../models-elsewhere/x"}}), "outside the model's folder");
    fs::create_symlink("../secret.bin", folder_ / "link.bin");
    EXPECT_HAS(error_with({{"location", "link.bin"}, {"offset", "4"}}), "outside the model's folder");
    fs::create_directory_symlink(base_, folder_ / "up");
    EXPECT_HAS(error_with({{"location", "up/secret.bin"}}), "outside the model's folder");
    fs::create_symlink("loop.bin", folder_ / "loop.bin");
    EXPECT_HAS(error_with({{"location", "loop.bin"}}), "initializer 'w': external data 'loop.bin'");
}

TEST_F(ExternalData, ThatDoesNotFit) {
    EXPECT_HAS(error_with({}), "initializer 'w': its external data names no file");
    EXPECT_HAS(error_with({{"location", ""}}), "relative path");
    EXPECT_HAS(error_with({{"location", std::string("weights.bin\0x", 13)}}), "is damaged");
    EXPECT_HAS(error_with({{"location", "gone.bin"}}), "'gone.bin' does not exist beside the model");
    EXPECT_HAS(error_with({{"location", "sub"}}), "is not a file");
    ASSERT_EQ(mkfifo((folder_ / "pipe.bin").c_str(), 0600), 0);
    EXPECT_HAS(error_with({{"location", "pipe.bin"}}), "is not a file");
    EXPECT_HAS(error_with({{"location", "weights.bin"}, {"offset", "8"}}),
               "is too short: 24 bytes at 8 are asked of 28");
    EXPECT_HAS(error_with({{"location", "weights.bin"}, {"offset", "18446744073709551615"}}), "is too short");
    EXPECT_HAS(error_with({{"location", "weights.bin"}, {"length", "28"}}), "has 28 bytes where the shape asks for 24");
    for (const std::string number : {"-4", "4x", "", " 4", "99999999999999999999999"}) {
        EXPECT_HAS(error_with({{"location", "weights.bin"}, {"offset", number}}),
                   "the offset of its external data is not a number");
    }
}

enum class Outcome { imported, refused };

Outcome import_damaged(const std::string& bytes) {
    try {
        import_onnx_bytes(bytes, "damaged", ".");
        return Outcome::imported;
    } catch (const Error& error) {
        const std::string_view text = error.what();
        EXPECT_EQ(text.find('\n'), std::string::npos) << text;
        EXPECT_LT(text.size(), 3000U);
        return Outcome::refused;
    }
}

TEST(Damage, EveryTruncationAndEveryBitOfASmallModel) {
    auto model = small_model();
    auto& value =
        *add_attribute(add_node(model, "Constant", {}, {"c"}), "value", onnx::AttributeProto::TENSOR).mutable_t();
    value.set_data_type(TensorProto::INT64);
    value.add_dims(1);
    value.set_raw_data(std::string(8, '\1'));
    add_node(model, "Reshape", {"y", "c"}, {"z"});
    const std::string good = model.SerializeAsString();
    ASSERT_EQ(import_damaged(good), Outcome::imported);
    for (std::size_t length = 0; length < good.size(); ++length) {
        EXPECT_EQ(import_damaged(good.substr(0, length)), Outcome::refused) << length;
    }
    testing::internal::CaptureStderr();
    for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
        std::string damaged = good;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
        import_damaged(damaged);
    }
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Damage, NoiseAndDeepNesting) {
    std::mt19937 random(1);
    for (int i = 0; i < 2000; ++i) {
        std::string noise(random() % 300 + 1, '\0');
        for (char& c : noise) c = static_cast<char>(random());
        import_damaged(noise);
    }
    // graph.node.attribute.g.node.attribute.g …, deeper than any parser that recurses should go
    std::string nested;
    for (int depth = 0; depth < 3000; ++depth) {
        for (const char tag : {'\x32', '\x2A', '\x0A'}) {
            std::string size;
            for (std::size_t left = nested.size(); size.empty() || left > 0; left >>= 7U) {
                size += static_cast<char>((left & 0x7FU) | (left > 0x7FU ? 0x80U : 0U));
            }
            nested.insert(0, tag + size);
        }
    }
    EXPECT_EQ(import_damaged(nested), Outcome::refused);
}

/// The folder with the real networks, where there is one.
std::optional<fs::path> shared_folder() {
    if (const char* folder = std::getenv("DECONV_SHARED")) return folder;
#ifdef DECONV_SHARED_DIR
    return DECONV_SHARED_DIR;
#else
    return std::nullopt;
#endif
}

class SqueezeNet : public testing::Test {
  protected:
    void SetUp() override {
        const auto folder = shared_folder();
        if (folder) path_ = *folder / "models" / "squeezenet1.1.onnx";
        if (!fs::exists(path_)) GTEST_SKIP() << "SKIPPED: no SqueezeNet; set DECONV_SHARED to the folder with models/";
        std::ifstream file(path_, std::ios::binary);
        bytes_.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }

    fs::path path_;
    std::string bytes_;
};

TEST_F(SqueezeNet, IsImported) {
    const Graph graph = import_onnx(path_.string());
    EXPECT_EQ(std::count_if(graph.nodes.begin(), graph.nodes.end(), [](const Node& n) { return n.op == "Conv"; }), 26);
    EXPECT_EQ(std::count_if(graph.nodes.begin(), graph.nodes.end(), [](const Node& n) { return n.op == "Concat"; }), 8);
    ASSERT_EQ(graph.inputs.size(), 1U);
    EXPECT_EQ(graph.inputs[0].shape.size(), 4U);
    EXPECT_TRUE(graph.warnings.empty());
    EXPECT_EQ(import_onnx_bytes(bytes_, "bytes", ".").nodes.size(), graph.nodes.size());
}

TEST_F(SqueezeNet, CutAnywhereIsRefused) {
    for (int i = 0; i < 100; ++i) {
        const std::size_t length = bytes_.size() * static_cast<std::size_t>(i) / 100;
        EXPECT_EQ(import_damaged(bytes_.substr(0, length)), Outcome::refused) << length;
    }
    for (std::size_t cut = 1; cut < 64; ++cut) import_damaged(bytes_.substr(0, bytes_.size() - cut));
}

TEST_F(SqueezeNet, WithFlippedBytesIsImportedOrRefused) {
    std::mt19937 random(7);
    for (int i = 0; i < 150; ++i) {
        std::string damaged = bytes_;
        // Half of the damage near the ends, where the structure is; weights take most of the rest.
        for (int hits = 0; hits < 1 + i % 4; ++hits) {
            const std::size_t reach = i % 2 == 0 ? damaged.size() : 20000;
            const std::size_t at = random() % reach;
            damaged[i % 4 == 1 ? damaged.size() - 1 - at : at] = static_cast<char>(random());
        }
        import_damaged(damaged);
    }
}

}  // namespace
}  // namespace deconv::nn
