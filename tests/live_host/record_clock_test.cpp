// The clock of a live recording: one picture for every tick, whatever the pace of the pictures.
#include "live/record_clock.h"

#include <gtest/gtest.h>

namespace deconv::testing {
namespace {

using live::RecordClock;

TEST(RecordClocks, FastPicturesAreLeftOutAndSlowOnesRepeated) {
    for (const double pace : {100.0, 25.0, 7.0, 0.5}) {
        RecordClock clock(25);
        std::int64_t copies = 0;
        for (int i = 0; i < 200; ++i) {
            const double seconds = i / pace;
            copies += clock.take_due(seconds);
            EXPECT_EQ(copies, static_cast<std::int64_t>(seconds * 25) + 1) << seconds;
            EXPECT_EQ(clock.taken(), copies);
            EXPECT_GT(clock.next(), seconds - 1e-9);
        }
    }
}

TEST(RecordClocks, OneTickAtATimeKeepsTheSameTime) {
    RecordClock clock(30);
    EXPECT_EQ(clock.next(), 0);
    for (int i = 0; i < 90; ++i) clock.take();
    EXPECT_DOUBLE_EQ(clock.next(), 3);
    EXPECT_EQ(clock.take_due(2.9), 0) << "taken before it was due";
    EXPECT_EQ(clock.take_due(3.0), 1);
}

}  // namespace
}  // namespace deconv::testing
