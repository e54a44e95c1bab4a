// The sidecar beside a model: what it says, what holds without it, and one clear line for everything wrong in it.
#include "nn/sidecar.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/error.h"

namespace deconv::nn {
namespace {

namespace fs = std::filesystem;

class SidecarTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = (fs::temp_directory_path() / "deconv-sidecar-XXXXXX").string();
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
    }
    void TearDown() override { fs::remove_all(folder_); }

    void write(const std::string& name, const std::string& text) const { std::ofstream(folder_ / name) << text; }
    Sidecar read() const { return read_sidecar((folder_ / "net1.1.onnx").string()); }

    /// The error that this sidecar gives, which must be one line that begins with its path.
    std::string error_of(const std::string& text) const {
        write("net1.1.json", text);
        try {
            read();
        } catch (const Error& error) {
            const std::string line = error.what();
            EXPECT_EQ(line.find('\n'), std::string::npos) << line;
            EXPECT_TRUE(line.starts_with((folder_ / "net1.1.json").string() + ": ")) << line;
            return line.substr(line.find(": ") + 2);
        }
        return "no error";
    }

    fs::path folder_;
};

TEST_F(SidecarTest, WithoutOneTheDefaultsHold) {
    const Sidecar sidecar = read();
    EXPECT_FALSE(sidecar.found);
    EXPECT_EQ(sidecar.name, "net1.1");
    EXPECT_FALSE(sidecar.width || sidecar.height || sidecar.bgr);
    EXPECT_EQ(sidecar.range, 1.0F);
    EXPECT_EQ(sidecar.mean, (std::array<float, 3>{0.485F, 0.456F, 0.406F}));
    EXPECT_EQ(sidecar.std, (std::array<float, 3>{0.229F, 0.224F, 0.225F}));
    EXPECT_TRUE(sidecar.labels.empty());
}

TEST_F(SidecarTest, SaysEverything) {
    write("net1.1.json", R"({"name": "Net", "origin": "here", "license": "CC0", "labels": "labels.txt", "later": [1],
        "input": {"width": 227, "height": 100, "color": "bgr", "mean": [104, 117.5, 123], "std": [1, 2, 3],
                  "range": [0, 255]}})");
    write("labels.txt",
          "\xEF\xBB\xBF"
          "cat\r\n\r\nbig dog\n\n");
    const Sidecar sidecar = read();
    EXPECT_TRUE(sidecar.found);
    EXPECT_EQ(sidecar.name, "Net");
    EXPECT_EQ(sidecar.origin, "here");
    EXPECT_EQ(sidecar.license, "CC0");
    EXPECT_EQ(sidecar.width, 227);
    EXPECT_EQ(sidecar.height, 100);
    EXPECT_TRUE(sidecar.bgr);
    EXPECT_EQ(sidecar.range, 255.0F);
    EXPECT_EQ(sidecar.mean, (std::array<float, 3>{104, 117.5F, 123}));
    EXPECT_EQ(sidecar.std, (std::array<float, 3>{1, 2, 3}));
    EXPECT_EQ(sidecar.labels, (std::vector<std::string>{"cat", "", "big dog"}));
}

TEST_F(SidecarTest, DefaultsFollowTheInputsRangeAndOrder) {
    write("net1.1.json", R"({"input": {"color": "bgr", "range": [0, 255]}})");
    const Sidecar sidecar = read();
    EXPECT_EQ(sidecar.name, "net1.1");
    EXPECT_EQ(sidecar.mean, (std::array<float, 3>{0.406F * 255, 0.456F * 255, 0.485F * 255}));
    EXPECT_EQ(sidecar.std, (std::array<float, 3>{0.225F * 255, 0.224F * 255, 0.229F * 255}));
    write("net1.1.json", R"({"input": {"range": [0.0, 1.0], "width": null}})");
    EXPECT_EQ(read().range, 1.0F);
}

TEST_F(SidecarTest, EachMistakeNamesItsKey) {
    EXPECT_EQ(error_of(""), "not valid JSON (line 1)");
    EXPECT_EQ(error_of("{\n\"input\": {\n\"width\": }"), "not valid JSON (line 3)");
    EXPECT_EQ(error_of(std::string("\0\xFF\x01", 3)), "not valid JSON (line 1)");
    EXPECT_EQ(error_of(R"({"x": 1e999})"), "not valid JSON (a number is out of range)");
    EXPECT_EQ(error_of("[1]"), "it is not an object of keys and values");
    EXPECT_EQ(error_of(R"({"name": 5})"), R"("name" is not a text)");
    EXPECT_EQ(error_of(R"({"input": 5})"), R"("input" is not an object of keys and values)");
    for (const std::string width : {"0", "-3", "2.5", "\"227\"", "1e9", "18446744073709551615", "70000", "[1]"}) {
        EXPECT_EQ(error_of(R"({"input": {"width": )" + width + "}}"),
                  R"("input.width" is not a whole number from 1 to 65536)");
    }
    EXPECT_EQ(error_of(R"({"input": {"color": "grey"}})"), R"("input.color" is neither "rgb" nor "bgr")");
    EXPECT_EQ(error_of(R"({"input": {"color": 3}})"), R"("input.color" is not a text)");
    for (const std::string mean : {"1", "[1, 2]", "[1, 2, 3, 4]", "[1, 2, \"3\"]", "[1, 2, 1e300]", "{}"}) {
        EXPECT_EQ(error_of(R"({"input": {"mean": )" + mean + "}}"), R"("input.mean" is not a list of three numbers)");
    }
    EXPECT_EQ(error_of(R"({"input": {"std": [1, 0, 1]}})"), R"("input.std" has a value that is not above 0)");
    EXPECT_EQ(error_of(R"({"input": {"std": [1, 1, -1]}})"), R"("input.std" has a value that is not above 0)");
    for (const std::string range : {"[0, 256]", "[1]", "255", "[255, 0]", "[0, \"1\"]"}) {
        EXPECT_EQ(error_of(R"({"input": {"range": )" + range + "}}"),
                  R"("input.range" is neither [0, 255] nor [0, 1])");
    }
}

TEST_F(SidecarTest, LabelsStandBesideIt) {
    EXPECT_EQ(error_of(R"({"labels": "gone.txt"})"),
              "\"labels\" names " + (folder_ / "gone.txt").string() + ", which does not exist");
    for (const std::string name : {"/etc/passwd", "../labels.txt", "sub/labels.txt", "..", "."}) {
        EXPECT_EQ(error_of(R"({"labels": ")" + name + R"("})"), R"("labels" must name a file beside the sidecar)");
    }
    EXPECT_EQ(error_of(R"({"labels": ["cat"]})"), R"("labels" is not a text)");
    write("empty.txt", "\n\n");
    EXPECT_TRUE(error_of(R"({"labels": "empty.txt"})").ends_with("holds no labels"));
    fs::create_directory(folder_ / "folder");
    EXPECT_TRUE(error_of(R"({"labels": "folder"})").ends_with("is not a file"));
}

TEST_F(SidecarTest, AFolderOfItsNameIsNotASidecar) {
    fs::create_directory(folder_ / "net1.1.json");
    EXPECT_THROW(read(), Error);
}

TEST_F(SidecarTest, DeeplyNestedJsonIsHarmless) {
    EXPECT_EQ(error_of(std::string(200000, '[') + std::string(200000, ']')), "it is not an object of keys and values");
}

}  // namespace
}  // namespace deconv::nn
