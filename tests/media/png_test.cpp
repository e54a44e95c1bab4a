#include <sys/stat.h>

#include <opencv2/imgcodecs.hpp>

#include "media/sink.h"
#include "media/source.h"
#include "media_testing.h"

namespace deconv::media {
namespace {

using testing::error_of;
using testing::TempDir;

TEST(Png, OpenCvReadsEveryPixelBack) {
    const TempDir dir;
    for (const auto& [width, height] : {std::pair{1, 1}, {3, 2}, {641, 33}}) {
        const Picture picture = draw_demo(width, height, 1);
        write_png(dir / "a.png", picture);
        const cv::Mat back = cv::imread(dir / "a.png", cv::IMREAD_UNCHANGED);
        ASSERT_EQ(back.type(), CV_8UC3);
        ASSERT_EQ(back.cols, width);
        ASSERT_EQ(back.rows, height);
        for (int y = 0; y < height; ++y) {
            for (int x = 0; x < width; ++x) {
                const auto& bgr = back.at<cv::Vec3b>(y, x);
                ASSERT_TRUE(testing::is_color(picture, x, y, {bgr[2], bgr[1], bgr[0]}, 0));
            }
        }
    }
    EXPECT_EQ(dir.files(), 1U);
}

TEST(Png, CarriesMetadata) {
    const TempDir dir;
    const Metadata metadata = {{"Software", "deconv-live 0.1.0"},
                               {"deconv:layer", "fire9/concat"},
                               {"deconv:label", "Tafelspitz für zwei – ✓"},
                               {"deconv:empty", ""},
                               {"deconv:long", std::string(100000, 'x')}};
    write_png(dir / "a.png", draw_demo(16, 16, 0), metadata);
    EXPECT_EQ(read_png_metadata(dir / "a.png"), metadata);
    // Another reader finds the plain ones too.
    const std::string tags = testing::output_of("ffprobe -v error -show_entries frame_tags '" + (dir / "a.png") + "'");
    EXPECT_CONTAINS(tags, "deconv:layer=fire9/concat");
    EXPECT_CONTAINS(tags, "Software=deconv-live 0.1.0");
}

TEST(Png, MetadataOfDamagedFilesIsRefused) {
    const TempDir dir;
    write_png(dir / "a.png", draw_demo(64, 64, 0), {{"key", "value"}});
    testing::FileBytes bytes = testing::read_file(dir / "a.png");
    testing::FileBytes cut(bytes.begin(), bytes.end() - 20);
    testing::write_file(dir / "cut.png", cut);
    EXPECT_CONTAINS(error_of([&] { read_png_metadata(dir / "cut.png"); }), "cut short or damaged");
    bytes[bytes.size() / 2] ^= 1;
    testing::write_file(dir / "flip.png", bytes);
    EXPECT_CONTAINS(error_of([&] { read_png_metadata(dir / "flip.png"); }), "cut short or damaged");
    testing::write_text(dir / "text.png", "hello");
    EXPECT_CONTAINS(error_of([&] { read_png_metadata(dir / "text.png"); }), "is not a PNG file");
    EXPECT_CONTAINS(error_of([&] { read_png_metadata(dir / "none.png"); }), "cannot be opened");
}

TEST(Png, AFailedWriteLeavesNothing) {
    const TempDir dir;
    const Picture picture = draw_demo(320, 240, 0);
    EXPECT_CONTAINS(error_of([&] { write_png(dir / "no/a.png", picture); }), "make it first");
    EXPECT_CONTAINS(error_of([&] { write_png(dir.path(), picture); }), "is a folder");
    EXPECT_CONTAINS(error_of([&] { write_png("/dev/full", picture); }), "/dev/full: cannot be written");
    EXPECT_CONTAINS(error_of([&] { write_png(dir / "a.png", Picture()); }), "no picture");
    EXPECT_CONTAINS(error_of([&] { write_png(dir / "a.png", picture, {{"", "x"}}); }), "name of a PNG text");
    EXPECT_EQ(dir.files(), 0U);
}

TEST(Png, AFailedWriteKeepsTheOldFile) {
    const TempDir dir;
    write_png(dir / "a.png", draw_demo(32, 32, 0));
    const auto before = testing::read_file(dir / "a.png");
    EXPECT_CONTAINS(error_of([&] { write_png(dir / "a.png", Picture()); }), "no picture");
    EXPECT_EQ(testing::read_file(dir / "a.png"), before);
}

TEST(CheckWritable, SaysWhatIsWrongAndLeavesNothing) {
    const TempDir dir;
    EXPECT_NO_THROW(check_writable(dir / "a.png"));
    EXPECT_NO_THROW(check_writable(dir / std::string(255, 'n')));
    EXPECT_NO_THROW(check_writable("/dev/null"));
    EXPECT_EQ(dir.files(), 0U);
    testing::write_text(dir / "old.txt", "old");
    EXPECT_NO_THROW(check_writable(dir / "old.txt"));
    EXPECT_EQ(testing::read_file(dir / "old.txt").size(), 3U);

    EXPECT_CONTAINS(error_of([] { check_writable(""); }), "no name");
    EXPECT_CONTAINS(error_of([&] { check_writable(dir.path()); }), "is a folder");
    EXPECT_CONTAINS(error_of([&] { check_writable(dir / "new/"); }), "is a folder");
    EXPECT_CONTAINS(error_of([&] { check_writable(dir / "no/a.png"); }), "does not exist");
    EXPECT_CONTAINS(error_of([&] { check_writable(dir / "old.txt/a.png"); }), "ot a ");  // "is not a folder"
    EXPECT_CONTAINS(error_of([&] { check_writable(dir / std::string(256, 'n')); }), "too long");
    EXPECT_CONTAINS(error_of([] { check_writable("/proc/a.png"); }), "/proc/a.png: cannot be written");
    if (::geteuid() != 0) {
        ::chmod(dir.path().c_str(), 0500);
        EXPECT_CONTAINS(error_of([&] { check_writable(dir / "a.png"); }), "Permission denied");
        ::chmod(dir.path().c_str(), 0700);
    }
    EXPECT_EQ(dir.files(), 1U);
}

}  // namespace
}  // namespace deconv::media
