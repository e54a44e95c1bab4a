#include "train/augment.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "train_host/data_testing.h"

namespace deconv::testing {
namespace {

using namespace train;

Images numbered(int count, int size, int channels) {
    Images images;
    images.channels = channels;
    images.height = images.width = size;
    for (int i = 0; i < count; ++i) {
        for (int p = 0; p < size * size * channels; ++p) {
            images.pixels.push_back(static_cast<std::uint8_t>((i * 31 + p * 7) % 256));
        }
        images.labels.push_back(static_cast<std::uint16_t>(i));
    }
    return images;
}

TEST(Augment, MeasuresMeanAndDeviation) {
    const Images images = numbered(5, 6, 3);
    const Normalisation n = measure(images);
    for (std::size_t c = 0; c < 3; ++c) {
        double sum = 0;
        double squares = 0;
        for (std::size_t i = c; i < images.pixels.size(); i += 3) {
            sum += images.pixels[i] / 255.0;
            squares += images.pixels[i] / 255.0 * images.pixels[i] / 255.0;
        }
        const double count = static_cast<double>(images.pixels.size()) / 3;
        EXPECT_NEAR(n.mean.at(c), sum / count, 1e-6);
        EXPECT_NEAR(n.std.at(c), std::sqrt(squares / count - sum / count * sum / count), 1e-6);
    }
}

TEST(Augment, WithoutAugmentationABatchIsThePicturesNormalised) {
    const Images images = numbered(20, 5, 3);
    const Normalisation n = measure(images);
    const BatchMaker maker(images, n, {0, false, 0}, 3, 4);
    EXPECT_EQ(maker.batches(), 5U);
    std::set<std::uint32_t> seen;
    for (std::size_t b = 0; b < 5; ++b) {
        BatchMaker::Batch batch;
        maker.make(0, b, batch);
        for (std::size_t i = 0; i < 4; ++i) {
            seen.insert(batch.labels[i]);
            std::vector<float> expected(75);
            normalise(images, batch.labels[i], 1, n, expected.data());
            EXPECT_TRUE(std::equal(expected.begin(), expected.end(), batch.pixels.begin() + static_cast<long>(i) * 75));
            const double v = images.image(batch.labels[i])[5] / 255.0;  // row 0, column 1, blue
            EXPECT_NEAR(expected[2 * 25 + 1], (v - n.mean[2]) / n.std[2], 1e-5);
        }
    }
    EXPECT_EQ(seen.size(), 20U) << "every picture once an epoch";
}

/// Every crop is the picture, moved and perhaps mirrored, over zeros.
TEST(Augment, CropsMoveAndMirrorAndNothingElse) {
    const Images images = numbered(16, 9, 1);
    const Normalisation n{{0, 0, 0}, {1, 1, 1}};
    const BatchMaker maker(images, n, {2, true, 0}, 5, 16);
    std::set<std::tuple<int, int, bool>> met;
    for (std::uint64_t epoch = 0; epoch < 12; ++epoch) {
        BatchMaker::Batch batch;
        maker.make(epoch, 0, batch);
        for (std::size_t i = 0; i < 16; ++i) {
            int matches = 0;
            for (int dy = -2; dy <= 2; ++dy) {
                for (int dx = -2; dx <= 2; ++dx) {
                    for (const bool mirrored : {false, true}) {
                        bool same = true;
                        for (int y = 0; y < 9 && same; ++y) {
                            for (int x = 0; x < 9 && same; ++x) {
                                const int fy = y + dy;
                                const int fx = (mirrored ? 8 - x : x) + dx;
                                const bool inside = fy >= 0 && fx >= 0 && fy < 9 && fx < 9;
                                const float expected =
                                    inside ? static_cast<float>(images.image(batch.labels[i])[fy * 9 + fx]) / 255.0F
                                           : 0;
                                same = std::abs(batch.pixels[i * 81 + static_cast<std::size_t>(y * 9 + x)] - expected) <
                                       1e-6;
                            }
                        }
                        if (same) ++matches, met.insert({dy, dx, mirrored});
                    }
                }
            }
            EXPECT_EQ(matches, 1) << "epoch " << epoch << ", picture " << i;
        }
    }
    EXPECT_GT(met.size(), 45U) << "of 50 ways nearly all are drawn";
}

TEST(Augment, JitterStaysInItsBoundsAndLeavesTheMeanColourAlone) {
    Images images = numbered(8, 4, 3);
    const Normalisation n = measure(images);
    // A picture of the mean colour changes by brightness only.
    for (std::size_t i = 0; i < images.pixels.size(); ++i) {
        images.pixels[i] = static_cast<std::uint8_t>(std::lround(255 * n.mean.at(i % 3)));
    }
    const BatchMaker maker(images, n, {0, false, 0.2F}, 1, 8);
    BatchMaker::Batch batch;
    maker.make(0, 0, batch);
    for (const float v : batch.pixels) EXPECT_LE(std::abs(v), 0.2 * 1.2 * n.mean[0] / n.std[0] + 0.1);
    EXPECT_TRUE(std::any_of(batch.pixels.begin(), batch.pixels.end(), [](float v) { return std::abs(v) > 0.01F; }));
}

TEST(Augment, BatchesDependOnSeedEpochAndIndexAlone) {
    const Images images = numbered(40, 6, 3);
    const Normalisation n = measure(images);
    const auto all = [&](std::uint64_t seed, std::size_t first) {
        BatchMaker maker(images, n, {2, true, 0.1F}, seed, 8);
        maker.start(0, first);
        std::vector<std::vector<float>> batches;
        for (std::size_t i = first; i < 12; ++i) {
            BatchMaker::Batch batch = maker.next();
            batches.push_back(batch.pixels);
            maker.give_back(std::move(batch));
        }
        return batches;
    };
    const auto whole = all(1, 0);
    EXPECT_EQ(all(1, 0), whole);
    const auto later = all(1, 3);
    EXPECT_TRUE(std::equal(later.begin(), later.end(), whole.begin() + 3)) << "taken up in the middle of an epoch";
    EXPECT_NE(all(2, 0)[0], whole[0]);
    EXPECT_NE(whole[5], whole[0]) << "the second epoch's order is another";
}

TEST(Augment, StartsAnewWhileBatchesAreUnderWay) {
    const Images images = numbered(64, 16, 3);
    BatchMaker maker(images, measure(images), {}, 1, 16);
    for (int i = 0; i < 50; ++i) {
        maker.start(static_cast<std::uint64_t>(i), 1);
        const BatchMaker::Batch batch = maker.next();
        BatchMaker::Batch expected;
        maker.make(static_cast<std::uint64_t>(i), 1, expected);
        ASSERT_EQ(batch.pixels, expected.pixels) << i;
    }
}

TEST(Augment, ABatchLargerThanTheDataIsRefused) {
    const Images images = numbered(4, 4, 1);
    EXPECT_SAYS(error_of([&] { const BatchMaker maker(images, {}, {}, 1, 5); }), "give a smaller --batch");
}

}  // namespace
}  // namespace deconv::testing
