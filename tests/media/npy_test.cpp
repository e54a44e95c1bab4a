#include "base/npy.h"

#include <cmath>
#include <limits>

#include "media_testing.h"

namespace deconv {
namespace {

using testing::error_of;
using testing::FileBytes;
using testing::TempDir;
using testing::write_file;

FileBytes npy_file(int version, const std::string& header, const FileBytes& data) {
    FileBytes bytes = {0x93, 'N', 'U', 'M', 'P', 'Y', static_cast<std::uint8_t>(version), 0};
    bytes.push_back(static_cast<std::uint8_t>(header.size() & 0xFF));
    bytes.push_back(static_cast<std::uint8_t>(header.size() >> 8));
    if (version == 2) bytes.insert(bytes.end(), {0, 0});
    bytes.insert(bytes.end(), header.begin(), header.end());
    bytes.insert(bytes.end(), data.begin(), data.end());
    return bytes;
}

const FileBytes one_and_minus_two = {0x00, 0x00, 0x80, 0x3F, 0x00, 0x00, 0x00, 0xC0};  // 1.0f, -2.0f, little-endian

TEST(Npy, ReadsWhatItWrote) {
    const TempDir dir;
    const std::vector<std::int64_t> shape = {2, 1, 3};
    const float inf = std::numeric_limits<float>::infinity();
    const std::vector<float> data = {0, -1.5F, 3e-39F, inf, std::nanf(""), 7};
    write_npy(dir / "a.npy", shape, data);
    const NpyArray back = read_npy(dir / "a.npy");
    EXPECT_EQ(back.shape, shape);
    ASSERT_EQ(back.data.size(), data.size());
    for (std::size_t i = 0; i < data.size(); ++i) {
        if (i != 4) {
            EXPECT_EQ(back.data[i], data[i]) << i;
        }
    }
    EXPECT_TRUE(std::isnan(back.data[4]));
    EXPECT_EQ(dir.files(), 1U);
}

TEST(Npy, WritesTheFormatByteForByte) {
    const TempDir dir;
    for (const auto& [shape, text] : std::vector<std::pair<std::vector<std::int64_t>, std::string>>{
             {{}, "()"}, {{1}, "(1,)"}, {{1, 1}, "(1, 1)"}, {{1, 1, 1, 1}, "(1, 1, 1, 1)"}}) {
        write_npy(dir / "a.npy", shape, std::vector<float>{1});
        const FileBytes bytes = testing::read_file(dir / "a.npy");
        const std::string header(bytes.begin() + 10, bytes.end() - 4);
        EXPECT_EQ(header.substr(0, header.find('}') + 1),
                  "{'descr': '<f4', 'fortran_order': False, 'shape': " + text + ", }");
        EXPECT_EQ(header.back(), '\n');
        EXPECT_EQ((header.size() + 10) % 64, 0U);
        EXPECT_EQ(header.size(), bytes[8] + 256U * bytes[9]);
    }
}

TEST(Npy, ReadsFilesMadeByHand) {
    const TempDir dir;
    for (const int version : {1, 2}) {
        for (const std::string header : {
                 "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }\n",
                 "{\"shape\":(1,2L),\"fortran_order\":False,\"descr\":\"<f4\"}",
             }) {
            write_file(dir / "a.npy", npy_file(version, header, one_and_minus_two));
            const NpyArray array = read_npy(dir / "a.npy");
            EXPECT_EQ(array.shape, (std::vector<std::int64_t>{1, 2}));
            EXPECT_EQ(array.data, (std::vector<float>{1, -2}));
        }
    }
}

TEST(Npy, ReadsAnEmptyArray) {
    const TempDir dir;
    write_npy(dir / "a.npy", std::vector<std::int64_t>{0, 3}, {});
    EXPECT_EQ(read_npy(dir / "a.npy").shape, (std::vector<std::int64_t>{0, 3}));
}

TEST(Npy, EachFaultIsOneLineThatNamesTheFile) {
    const TempDir dir;
    const std::string path = dir / "x.npy";
    const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }\n";
    const auto with = [&](const FileBytes& bytes) {
        write_file(path, bytes);
        std::string text = error_of([&] { read_npy(path); });
        EXPECT_CONTAINS(text, path);
        return text;
    };
    const auto header = [&](const std::string& text) { return with(npy_file(1, text, one_and_minus_two)); };

    EXPECT_CONTAINS(error_of([&] { read_npy(dir / "none.npy"); }), "no such file");
    EXPECT_CONTAINS(error_of([&] { read_npy(dir.path()); }), "is not a file");
    EXPECT_CONTAINS(with({}), "is empty");
    EXPECT_CONTAINS(with({'h', 'e', 'l', 'l', 'o'}), "is not an NPY file");
    EXPECT_CONTAINS(with({0x93, 'N', 'U', 'M', 'P', 'Y'}), "cut short");
    EXPECT_CONTAINS(with(npy_file(3, good, one_and_minus_two)), "version 3");
    EXPECT_CONTAINS(header("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }"), "'<f8', not float32");
    EXPECT_CONTAINS(header("{'descr': '>f4', 'fortran_order': False, 'shape': (1, 2), }"), "big-endian");
    EXPECT_CONTAINS(header("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2), }"), "Fortran order");
    EXPECT_CONTAINS(header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }"), "records");
    for (const std::string bad : {"", "{", "{}", "{'descr': '<f4'}", "{'descr': '<f4', 'fortran_order': Maybe}",
                                  "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
                                  "{'descr': '<f4', 'fortran_order': False, 'shape': (1", "{'descr': '<f4"}) {
        EXPECT_CONTAINS(header(bad), "header");
    }
    FileBytes cut = npy_file(1, good, one_and_minus_two);
    cut.pop_back();
    EXPECT_CONTAINS(with(cut), "needs 8 bytes of data, 7 are there");
    cut.resize(30);
    EXPECT_CONTAINS(with(cut), "cut short within its header");
    FileBytes more = npy_file(1, good, one_and_minus_two);
    more.push_back(0);
    EXPECT_CONTAINS(with(more), "1 bytes after its data");
    EXPECT_CONTAINS(header("{'descr': '<f4', 'fortran_order': False, 'shape': (4000000000, 4000000000, 9), }"),
                    "cut short");
    EXPECT_CONTAINS(header("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }"), "header");
}

TEST(Npy, NoByteOfTheHeaderCanBringItDown) {
    const TempDir dir;
    const std::string path = dir / "x.npy";
    const FileBytes good =
        npy_file(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }\n", one_and_minus_two);
    for (std::size_t at = 0; at < good.size() - 8; ++at) {
        for (const int value : {0x00, 0x20, 0x27, 0x28, 0x39, 0xFF}) {
            FileBytes bytes = good;
            bytes[at] = static_cast<std::uint8_t>(value);
            write_file(path, bytes);
            try {
                const NpyArray array = read_npy(path);
                EXPECT_EQ(array.data.size(), 2U);
            } catch (const Error&) {
            }
        }
    }
}

TEST(Npy, AFailedWriteLeavesWhatWasThere) {
    const TempDir dir;
    const std::vector<std::int64_t> one = {1};
    EXPECT_CONTAINS(error_of([&] { write_npy(dir / "no/a.npy", one, std::vector<float>{1}); }), "does not exist");
    EXPECT_CONTAINS(error_of([&] { write_npy(dir.path(), one, std::vector<float>{1}); }), "is a folder");
    EXPECT_CONTAINS(error_of([&] { write_npy(dir / "a.npy", one, std::vector<float>{1, 2}); }), "does not fit");
    EXPECT_CONTAINS(error_of([&] { write_npy("/dev/full", one, std::vector<float>{1}); }), "No space left");
    EXPECT_EQ(dir.files(), 0U);
    EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
}

TEST(Npy, WritesThroughASymbolicLink) {
    const TempDir dir;
    write_npy(dir / "real.npy", std::vector<std::int64_t>{1}, std::vector<float>{1});
    std::filesystem::create_symlink("real.npy", dir / "link.npy");
    write_npy(dir / "link.npy", std::vector<std::int64_t>{1}, std::vector<float>{2});
    EXPECT_TRUE(std::filesystem::is_symlink(dir / "link.npy"));
    EXPECT_EQ(read_npy(dir / "real.npy").data[0], 2);
}

}  // namespace
}  // namespace deconv
