#include <sys/stat.h>

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "media/sink.h"
#include "media/source.h"
#include "media_testing.h"

namespace deconv::media {
namespace {

using testing::error_of;
using testing::FileBytes;
using testing::is_color;
using testing::TempDir;

Picture only_picture(const std::string& path) {
    const auto source = open_input(path);
    EXPECT_EQ(source->count(), 1);
    EXPECT_FALSE(source->live());
    auto frame = source->next();
    EXPECT_TRUE(frame);
    EXPECT_FALSE(source->next());
    return frame ? frame->picture : Picture();
}

// Made by hand: a PNG chunk with its checksum (bit by bit, as in the specification's appendix).
void append_chunk(FileBytes& file, const std::string& type, const FileBytes& data) {
    const auto append = [&](std::uint32_t value) {
        for (int shift = 24; shift >= 0; shift -= 8) file.push_back(static_cast<std::uint8_t>(value >> shift));
    };
    append(static_cast<std::uint32_t>(data.size()));
    const std::size_t start = file.size();
    file.insert(file.end(), type.begin(), type.end());
    file.insert(file.end(), data.begin(), data.end());
    std::uint32_t crc = 0xFFFFFFFF;
    for (std::size_t i = start; i < file.size(); ++i) {
        crc ^= file[i];
        for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? 0xEDB88320U ^ crc >> 1 : crc >> 1;
    }
    append(~crc);
}

FileBytes png_claiming(std::uint32_t width, std::uint32_t height) {
    FileBytes file = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
    FileBytes header;
    for (const std::uint32_t side : {width, height}) {
        for (int shift = 24; shift >= 0; shift -= 8) header.push_back(static_cast<std::uint8_t>(side >> shift));
    }
    header.insert(header.end(), {8, 2, 0, 0, 0});
    append_chunk(file, "IHDR", header);
    append_chunk(file, "IDAT", {0x78, 0x9C, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01});
    append_chunk(file, "IEND", {});
    return file;
}

TEST(Image, ColoursArriveExactlyFromLosslessFormats) {
    const TempDir dir;
    cv::Mat bgr(3, 5, CV_8UC3, cv::Scalar(30, 60, 90));
    bgr.at<cv::Vec3b>(1, 4) = {1, 2, 3};
    for (const char* name : {"a.png", "a.bmp", "a.tiff", "a.ppm", "b.PNG"}) {
        cv::imwrite(dir / name, bgr);
        const Picture picture = only_picture(dir / name);
        ASSERT_EQ(picture.width, 5) << name;
        ASSERT_EQ(picture.height, 3) << name;
        EXPECT_TRUE(is_color(picture, 0, 0, {90, 60, 30}, 0)) << name;
        EXPECT_TRUE(is_color(picture, 4, 1, {3, 2, 1}, 0)) << name;
        EXPECT_EQ(picture.pixel(0, 0)[3], 255) << name;
    }
}

TEST(Image, LossyFormatsArriveClose) {
    const TempDir dir;
    for (const char* name : {"a.jpg", "a.webp"}) {
        cv::imwrite(dir / name, cv::Mat(40, 40, CV_8UC3, cv::Scalar(30, 60, 90)));
        EXPECT_TRUE(is_color(only_picture(dir / name), 20, 20, {90, 60, 30}, 4)) << name;
    }
}

TEST(Image, OfOnePixel) {
    const TempDir dir;
    for (const char* name : {"a.png", "a.jpg", "a.bmp"}) {
        cv::imwrite(dir / name, cv::Mat(1, 1, CV_8UC3, cv::Scalar(200, 200, 200)));
        const Picture picture = only_picture(dir / name);
        EXPECT_EQ(picture.width, 1);
        EXPECT_EQ(picture.height, 1);
        EXPECT_TRUE(is_color(picture, 0, 0, {200, 200, 200}, 2));
    }
}

TEST(Image, OfOneChannelIsGrey) {
    const TempDir dir;
    for (const char* name : {"a.png", "a.jpg", "a.pgm"}) {
        cv::imwrite(dir / name, cv::Mat(9, 9, CV_8UC1, cv::Scalar(77)));
        EXPECT_TRUE(is_color(only_picture(dir / name), 4, 4, {77, 77, 77}, 1)) << name;
    }
}

TEST(Image, AlphaIsCompositedOverBlack) {
    const TempDir dir;
    cv::Mat bgra(1, 3, CV_8UC4);
    bgra.at<cv::Vec4b>(0, 0) = {10, 100, 200, 255};
    bgra.at<cv::Vec4b>(0, 1) = {10, 100, 200, 128};
    bgra.at<cv::Vec4b>(0, 2) = {10, 100, 200, 0};
    for (const char* name : {"a.png", "a.tiff"}) {
        cv::imwrite(dir / name, bgra);
        const Picture picture = only_picture(dir / name);
        EXPECT_TRUE(is_color(picture, 0, 0, {200, 100, 10}, 0)) << name;
        EXPECT_TRUE(is_color(picture, 1, 0, {100, 50, 5}, 1)) << name;
        EXPECT_TRUE(is_color(picture, 2, 0, {0, 0, 0}, 0)) << name;
        EXPECT_EQ(picture.pixel(2, 0)[3], 255) << name;
    }
    // Grey with alpha.
    testing::output_of("ffmpeg -y -v quiet -f lavfi -i color=c=gray:size=8x8 -frames:v 1 -pix_fmt ya8 '" +
                       (dir / "ya.png") + "'");
    EXPECT_TRUE(is_color(only_picture(dir / "ya.png"), 4, 4, {128, 128, 128}, 3));
}

TEST(Image, SixteenBitsAreScaledByTheirRange) {
    const TempDir dir;
    for (const char* name : {"a.png", "a.tiff"}) {
        cv::imwrite(dir / name, cv::Mat(4, 4, CV_16UC3, cv::Scalar(0, 32768, 65535)));
        EXPECT_TRUE(is_color(only_picture(dir / name), 2, 2, {255, 128, 0}, 1)) << name;
        cv::imwrite(dir / name, cv::Mat(4, 4, CV_16UC1, cv::Scalar(20000)));
        EXPECT_TRUE(is_color(only_picture(dir / name), 2, 2, {78, 78, 78}, 1)) << name;
    }
}

TEST(Image, AJpegIsTurnedAsItsCameraWasHeld) {
    const TempDir dir;
    cv::Mat bgr(16, 32, CV_8UC3, cv::Scalar(0, 0, 0));
    bgr(cv::Rect(0, 0, 16, 16)) = cv::Scalar(255, 255, 255);
    cv::imwrite(dir / "a.jpg", bgr);
    FileBytes bytes = testing::read_file(dir / "a.jpg");
    // An EXIF segment with one entry: orientation 6, turn right.
    const FileBytes exif = {0xFF, 0xE1, 0x00, 0x22, 'E',  'x',  'i',  'f',  0x00, 0x00, 'M',  'M',
                            0x00, 0x2A, 0x00, 0x00, 0x00, 0x08, 0x00, 0x01, 0x01, 0x12, 0x00, 0x03,
                            0x00, 0x00, 0x00, 0x01, 0x00, 0x06, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};
    bytes.insert(bytes.begin() + 2, exif.begin(), exif.end());
    testing::write_file(dir / "a.jpg", bytes);
    const Picture picture = only_picture(dir / "a.jpg");
    ASSERT_EQ(picture.width, 16);
    ASSERT_EQ(picture.height, 32);
    EXPECT_TRUE(is_color(picture, 8, 4, {255, 255, 255}, 8));
    EXPECT_TRUE(is_color(picture, 8, 28, {0, 0, 0}, 8));
}

TEST(Image, OfTwentyThousandPixelsASideIsShrunk) {
    const TempDir dir;
    cv::Mat grey(2000, 20000, CV_8UC1, cv::Scalar(50));
    grey.colRange(10000, 20000) = 200;
    for (const char* name : {"a.png", "a.jpg", "a.bmp"}) {
        cv::imwrite(dir / name, grey);
        const Picture picture = only_picture(dir / name);
        EXPECT_EQ(picture.width, 4096) << name;
        EXPECT_NEAR(picture.height, 409.6, 0.6) << name;
        EXPECT_TRUE(is_color(picture, 1000, 200, {50, 50, 50}, 2)) << name;
        EXPECT_TRUE(is_color(picture, 3000, 200, {200, 200, 200}, 2)) << name;
    }
    cv::imwrite(dir / "line.png", cv::Mat(20000, 1, CV_8UC1, cv::Scalar(50)));
    const Picture line = only_picture(dir / "line.png");
    EXPECT_EQ(line.width, 1);
    EXPECT_EQ(line.height, 4096);
}

TEST(Image, AFewBytesThatClaimBillionsOfPixelsAreRefused) {
    const TempDir dir;
    testing::write_file(dir / "a.png", png_claiming(100000, 100000));
    EXPECT_CONTAINS(error_of([&] { open_input(dir / "a.png"); }), "100000 x 100000 are too many pixels");
    testing::write_file(dir / "b.png", png_claiming(0xFFFFFFFF, 0xFFFFFFFF));
    EXPECT_CONTAINS(error_of([&] { open_input(dir / "b.png"); }), "b.png");
    // A bitmap of 60000 x 60000, without pixels: OpenCV's own limit, said in our words.
    FileBytes bmp = {'B', 'M', 0x36, 0,    0,    0, 0, 0,    0,    0, 0x36, 0, 0, 0,  0x28,
                     0,   0,   0,    0x60, 0xEA, 0, 0, 0x60, 0xEA, 0, 0,    1, 0, 24, 0};
    bmp.resize(0x36);
    testing::write_file(dir / "a.bmp", bmp);
    EXPECT_CONTAINS(error_of([&] { open_input(dir / "a.bmp"); }), "too many pixels");
}

TEST(Image, CutShortOrDamagedIsRefused) {
    const TempDir dir;
    const Picture picture = draw_demo(200, 150, 0);
    write_png(dir / "whole.png", picture);
    cv::imwrite(dir / "whole.jpg", cv::imread(dir / "whole.png"));
    for (const char* kind : {".png", ".jpg"}) {
        const FileBytes whole = testing::read_file(dir / (std::string("whole") + kind));
        const std::string path = dir / (std::string("cut") + kind);
        for (const double part : {0.01, 0.1, 0.5, 0.99}) {
            const auto size = static_cast<std::ptrdiff_t>(static_cast<double>(whole.size()) * part);
            testing::write_file(path, FileBytes(whole.begin(), whole.begin() + std::max<std::ptrdiff_t>(size, 12)));
            const std::string text = error_of([&] { open_input(path); });
            EXPECT_CONTAINS(text, path);
            EXPECT_CONTAINS(text, "cut short");
        }
    }
    FileBytes flipped = testing::read_file(dir / "whole.png");
    flipped[flipped.size() / 2] ^= 0x10;
    testing::write_file(dir / "flipped.png", flipped);
    EXPECT_CONTAINS(error_of([&] { open_input(dir / "flipped.png"); }), "damaged");
    testing::write_text(dir / "text.png", "not an image at all\n");
    EXPECT_CONTAINS(error_of([&] { open_input(dir / "text.png"); }), "cannot be read as an image or a video");
    EXPECT_CONTAINS(error_of([&] { open_input(dir / "text.png"); }), dir / "text.png");
}

TEST(Folder, GivesItsImagesInNameOrder) {
    const TempDir dir;
    for (const int i : {30, 10, 20}) {
        cv::imwrite(dir / ("p" + std::to_string(i) + (i == 20 ? ".bmp" : ".png")),
                    cv::Mat(i, i + 1, CV_8UC3, cv::Scalar(i, i, i)));
    }
    cv::imwrite(dir / "p40.png", cv::Mat(40, 41, CV_8UC3, cv::Scalar(40, 40, 40)));
    std::filesystem::rename(dir / "p40.png", dir / "p40");  // known by its first bytes
    testing::write_text(dir / "notes.txt", "not an image\n");
    testing::write_text(dir / ".hidden.png", "not an image\n");
    std::filesystem::create_directory(dir / "p05.png");
    const auto source = open_input(dir.path() + "/");
    EXPECT_EQ(source->count(), 4);
    EXPECT_EQ(source->name(), std::filesystem::path(dir.path()).filename().string());
    for (int i = 0; i < 4; ++i) {
        const auto frame = source->next();
        ASSERT_TRUE(frame);
        EXPECT_EQ(frame->index, i);
        EXPECT_DOUBLE_EQ(frame->time_s, i / source->fps());
        EXPECT_EQ(frame->picture.height, 10 * (i + 1));
        EXPECT_TRUE(is_color(frame->picture, 0, 0, {10 * (i + 1), 10 * (i + 1), 10 * (i + 1)}, 0));
    }
    EXPECT_FALSE(source->next());
}

TEST(Folder, WithoutAnImageIsAnError) {
    const TempDir dir;
    EXPECT_CONTAINS(error_of([&] { open_input(dir.path()); }), dir.path() + ": no image in this folder");
    testing::write_text(dir / "notes.txt", "not an image\n");
    EXPECT_CONTAINS(error_of([&] { open_input(dir.path()); }), "no image in this folder");
}

TEST(Folder, ADamagedImageIsNamed) {
    const TempDir dir;
    write_png(dir / "a.png", draw_demo(8, 8, 0));
    testing::write_text(dir / "b.png", "");
    const auto source = open_input(dir.path());
    EXPECT_TRUE(source->next());
    EXPECT_CONTAINS(error_of([&] { source->next(); }), "b.png: is empty");
}

TEST(Input, WithoutPermissionIsAnError) {
    if (::geteuid() == 0) GTEST_SKIP() << "NOT TESTED: root may read everything";
    const TempDir dir;
    write_png(dir / "a.png", draw_demo(8, 8, 0));
    ::chmod((dir / "a.png").c_str(), 0);
    EXPECT_CONTAINS(error_of([&] { open_input(dir / "a.png"); }), "may not be read");
}

}  // namespace
}  // namespace deconv::media
