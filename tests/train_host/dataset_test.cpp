#include "train/dataset.h"

#include <zlib.h>

#include "train_host/data_testing.h"

namespace deconv::testing {
namespace {

using train::DataSet;
using train::read_data_set;

std::string cifar_record(int label, int seed) {
    std::string record(1, static_cast<char>(label));
    for (int i = 0; i < 3072; ++i) record += static_cast<char>((i * 7 + seed) % 251);
    return record;
}

void write_cifar(const Folder& folder) {
    for (int b = 1; b <= 5; ++b) {
        write_bytes(folder / ("data_batch_" + std::to_string(b) + ".bin"),
                    cifar_record(b % 2, b) + cifar_record(1, 9 * b));
    }
    write_bytes(folder / "test_batch.bin", cifar_record(0, 77));
    write_bytes(folder / "batches.meta.txt", "cat\ndog\n\n");
}

TEST(DataSets, CifarBinaries) {
    const Folder folder;
    write_cifar(folder);
    const DataSet data = read_data_set(folder.path(), {});
    EXPECT_EQ(data.classes, (std::vector<std::string>{"cat", "dog"}));
    EXPECT_EQ(data.train.count(), 10U);
    EXPECT_EQ(data.train.labels, (std::vector<std::uint16_t>{1, 1, 0, 1, 1, 1, 0, 1, 1, 1}));
    EXPECT_EQ(data.test.count(), 1U);
    // The file has planes, the set interleaved pixels.
    for (const int place : {0, 1, 500, 1023}) {
        for (int c = 0; c < 3; ++c) {
            EXPECT_EQ(data.train.image(2)[place * 3 + c], ((c * 1024 + place) * 7 + 2) % 251) << place << " " << c;
        }
    }
    const DataSet larger = read_data_set(folder.path(), 48);
    EXPECT_EQ(larger.train.width, 48);
    EXPECT_EQ(larger.train.pixels.size(), 10U * 48 * 48 * 3);
}

TEST(DataSets, CifarThatIsWrong) {
    const Folder folder;
    write_cifar(folder);
    const auto error = [&] { return error_of([&] { read_data_set(folder.path(), {}); }); };
    write_bytes(folder / "data_batch_3.bin", cifar_record(0, 1).substr(0, 3000));
    EXPECT_SAYS(error(), "data_batch_3.bin has 3000 bytes, not a multiple of 3073: it is truncated");
    write_bytes(folder / "data_batch_3.bin", cifar_record(0, 1));
    EXPECT_SAYS(error(), "data_batch_3.bin has 3073 bytes, data_batch_1.bin has 6146");
    write_bytes(folder / "data_batch_3.bin", cifar_record(7, 1) + cifar_record(0, 1));
    EXPECT_SAYS(error(), "data_batch_3.bin, record 0: label 7, but there are 2 classes");
    std::filesystem::remove(folder / "data_batch_3.bin");
    EXPECT_SAYS(error(), "data_batch_3.bin is missing");
    write_cifar(folder);
    write_bytes(folder / "batches.meta.txt", "");
    EXPECT_SAYS(error(), "batches.meta.txt");
}

std::string idx(const std::vector<int>& sizes, const std::string& bytes) {
    std::string file{'\0', '\0', '\x08', static_cast<char>(sizes.size())};
    for (const int size : sizes) file += {'\0', '\0', static_cast<char>(size >> 8), static_cast<char>(size)};
    return file + bytes;
}

void write_packed(const std::string& path, const std::string& bytes) {
    gzFile file = gzopen(path.c_str(), "wb");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
}

TEST(DataSets, IdxPackedOrNot) {
    const Folder outer;
    const Folder folder;
    write_packed(folder / "train-images-idx3-ubyte.gz", idx({3, 2, 4}, "abcdefghijklmnopqrstuvwx"));
    write_packed(folder / "train-labels-idx1-ubyte.gz", idx({3}, std::string{'\x02', '\x00', '\x01'}));
    write_bytes(folder / "t10k-images-idx3-ubyte", idx({1, 2, 4}, "01234567"));
    write_bytes(folder / "t10k-labels-idx1-ubyte", idx({1}, std::string{'\x01'}));
    const DataSet data = read_data_set(folder.path(), {});
    EXPECT_EQ(data.train.channels, 1);
    EXPECT_EQ(data.train.height, 2);
    EXPECT_EQ(data.train.width, 4);
    EXPECT_EQ(data.train.image(1)[0], 'i');
    EXPECT_EQ(data.test.image(0)[7], '7');
    EXPECT_EQ(data.classes, (std::vector<std::string>{"0", "1", "2"}));
    const auto error = [&] { return error_of([&] { read_data_set(folder.path(), {}); }); };
    write_bytes(folder / "t10k-labels-idx1-ubyte", idx({1}, std::string{'\x05'}));
    EXPECT_SAYS(error(), "label 5 of picture 0 is out of range");
    write_bytes(folder / "t10k-labels-idx1-ubyte", idx({2}, std::string{'\x01', '\x01'}));
    EXPECT_SAYS(error(), "1 pictures but 2 labels");
    write_bytes(folder / "t10k-labels-idx1-ubyte", idx({2}, std::string{'\x01'}));
    EXPECT_SAYS(error(), "it is truncated");
    std::string packed = read_bytes(folder / "train-images-idx3-ubyte.gz");
    write_bytes(folder / "train-images-idx3-ubyte.gz", packed.substr(0, packed.size() / 2));
    EXPECT_SAYS(error(), "train-images-idx3-ubyte.gz");
}

TEST(DataSets, TinyImagenetLayout) {
    const Folder folder;
    write_bytes(folder / "wnids.txt", "n02\nn01\n");
    write_bytes(folder / "words.txt", "n01\tgoldfish, Carassius auratus\nn02\tjeep, landrover\nn03\tother\n");
    write_picture(folder / "train/n01/images/n01_0.JPEG", 8, 8, {0, 0, 255});
    write_picture(folder / "train/n02/images/n02_0.JPEG", 8, 8, {255, 0, 0});
    write_picture(folder / "val/images/val_0.JPEG", 8, 8, {255, 0, 0});
    write_picture(folder / "val/images/val_1.JPEG", 8, 8, {0, 0, 255});
    write_bytes(folder / "val/val_annotations.txt", "val_0.JPEG\tn02\t0\t0\t7\t7\nval_1.JPEG\tn01\t0\t0\t7\t7\n");
    const DataSet data = read_data_set(folder.path(), {});
    EXPECT_EQ(data.classes, (std::vector<std::string>{"goldfish", "jeep"})) << "in the sorted order of the folders";
    EXPECT_EQ(data.train.labels, (std::vector<std::uint16_t>{0, 1}));
    EXPECT_EQ(data.test.labels, (std::vector<std::uint16_t>{1, 0}));
    EXPECT_GT(data.train.image(0)[0], 200) << "red comes first";
    EXPECT_LT(data.train.image(0)[2], 60);
    write_bytes(folder / "val/val_annotations.txt", "val_0.JPEG\tn07\t0\t0\t7\t7\n");
    EXPECT_SAYS(error_of([&] { read_data_set(folder.path(), {}); }), "val_0.JPEG is of class n07");
}

TEST(DataSets, FoldersWithAndWithoutASplit) {
    const Folder split;
    write_classes(split, "train/", 3, 4, 10);
    write_classes(split, "test/", 3, 2, 10);
    const DataSet data = read_data_set(split.path(), {});
    EXPECT_EQ(data.classes, (std::vector<std::string>{"class0", "class1", "class2"}));
    EXPECT_EQ(data.train.count(), 12U);
    EXPECT_EQ(data.test.count(), 6U);
    EXPECT_EQ(data.train.labels, (std::vector<std::uint16_t>{0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2}));

    const Folder whole;
    write_classes(whole, "", 2, 25, 10);
    const DataSet held = read_data_set(whole.path(), {});
    EXPECT_EQ(held.train.count(), 46U);
    EXPECT_EQ(held.test.count(), 4U) << "every tenth";
}

TEST(DataSets, FoldersThatAreWrong) {
    const Folder folder;
    write_classes(folder, "train/", 2, 3, 10);
    write_classes(folder, "test/", 2, 3, 10);
    const auto error = [&](std::optional<int> size = {}) {
        return error_of([&] { read_data_set(folder.path(), size); });
    };
    EXPECT_NO_THROW(read_data_set(folder.path(), {}));
    write_picture(folder / "train/class1/9999.png", 12, 10, {});
    EXPECT_SAYS(error(), "class1/9999.png is 12x10");
    EXPECT_SAYS(error(), "give a --size");
    EXPECT_NO_THROW(read_data_set(folder.path(), 16));
    write_bytes(folder / "train/class1/9999.png", "no picture");
    EXPECT_SAYS(error(), "class1/9999.png");
    std::filesystem::remove(folder / "train/class1/9999.png");
    std::filesystem::create_directory(folder / "train/class2");
    EXPECT_SAYS(error(), "has no class class2");
    std::filesystem::create_directory(folder / "test/class2");
    EXPECT_SAYS(error(), "class2 holds no pictures");
    const Folder nothing;
    EXPECT_SAYS(error_of([&] { read_data_set(nothing.path(), {}); }), "holds no data set that is known here");
    EXPECT_SAYS(error_of([&] { read_data_set(nothing / "absent", {}); }), "no folder");
}

TEST(DataSets, WhatProgressThrowsEndsTheReading) {
    const Folder folder;
    write_classes(folder, "train/", 2, 300, 4);
    write_classes(folder, "test/", 2, 2, 4);
    std::size_t calls = 0;
    EXPECT_NO_THROW(read_data_set(folder.path(), {}, [&](std::size_t done, std::size_t all) {
        ++calls;
        EXPECT_EQ(done, 500U);
        EXPECT_EQ(all, 604U);
    }));
    EXPECT_EQ(calls, 1U);
    EXPECT_SAYS(
        error_of([&] { read_data_set(folder.path(), {}, [](std::size_t, std::size_t) { throw Error("stopped"); }); }),
        "stopped");
}

TEST(DataSets, ATruncatedPictureIsNotAPicture) {
    const Folder folder;
    write_classes(folder, "", 2, 3, 32);
    cv::Mat noise(32, 32, CV_8UC3);
    cv::randu(noise, 0, 255);
    cv::imwrite(folder / "class0/2000.jpg", noise);
    const std::string whole = read_bytes(folder / "class0/2000.jpg");
    write_bytes(folder / "class0/2000.jpg", whole.substr(0, whole.size() * 9 / 10));
    EXPECT_SAYS(error_of([&] { read_data_set(folder.path(), {}); }), "class0/2000.jpg");
}

TEST(DataSets, ASizeCutsToTheMiddleSquare) {
    const Folder folder;
    for (const char* name : {"train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/1.png"}) {
        cv::Mat picture(20, 60, CV_8UC3, cv::Scalar(255, 255, 255));
        picture(cv::Rect(20, 0, 20, 20)).setTo(cv::Scalar(0, 100, 0));
        cv::imwrite(folder / name, picture);
    }
    const DataSet data = read_data_set(folder.path(), 8);
    for (std::size_t i = 0; i < 64; ++i) {
        EXPECT_EQ(data.train.image(0)[i * 3 + 1], 100) << i;
        EXPECT_EQ(data.train.image(0)[i * 3], 0) << i;
    }
}

}  // namespace
}  // namespace deconv::testing
