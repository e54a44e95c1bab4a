// Recordings: however they are cut, results stay; steps that depend on each other wait for each other.
#include <chrono>
#include <cmath>

#include "nn/graph.h"
#include "vk/vk_testing.h"

namespace deconv::testing {
namespace {

using gpu::Recording;

Recording recorded(std::vector<gpu::Step> steps, double segment_ms = 5) {
    Recording::Options options;
    options.segment_ms = segment_ms;
    return {engine().device, engine().pipelines, std::move(steps), options};
}

void run(const Recording& recording) {
    engine().scheduler.wait(engine().scheduler.submit(recording));
}

std::vector<float> counted(std::size_t count) {
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i % 1000);
    return values;
}

constexpr std::size_t items = 20000;

class Chain : public ::testing::Test {
  protected:
    /// a → b → a → …, each adding one: whatever runs out of order shows.
    std::vector<gpu::Step> chain(int length, double cost_ms = 0) {
        std::vector<gpu::Step> steps;
        for (int i = 0; i < length; ++i) {
            const bool even = i % 2 == 0;
            steps.push_back(
                affine((even ? a_ : b_).slice(), add_one_.slice(), (even ? b_ : a_).slice(), "test", cost_ms));
        }
        return steps;
    }
    static void reset(const gpu::Buffer& buffer) {
        const std::vector<float> values = counted(items);
        gpu::upload(engine().device, std::as_bytes(std::span(values)), buffer.slice());
    }
    void expect_added(const gpu::Buffer& buffer, float added) {
        const std::vector<float> values = from_device(buffer.slice());
        const std::vector<float> before = counted(items);
        for (std::size_t i = 0; i < items; ++i) ASSERT_EQ(values[i], before[i] + added) << i;
    }

    gpu::Buffer a_ = on_device(counted(items)), b_ = on_device(std::vector<float>(items, -1));
    gpu::Buffer add_one_ = on_device({1, 1});
};

TEST_F(Chain, OfDependentStepsInOneSegment) {
    const Recording recording = recorded(chain(40));
    EXPECT_EQ(recording.segments().size(), 1U);
    run(recording);
    expect_added(a_, 40);
    expect_added(b_, 39);
}

TEST_F(Chain, CutAsFinelyAsCanBe) {
    for (const double segment_ms : {1000.0, 7.0, 1.0, 0.03}) {
        reset(a_);
        const Recording recording = recorded(chain(6, 10), segment_ms);
        const double parts = 60 / segment_ms;
        if (parts > 6) {
            EXPECT_GE(static_cast<double>(recording.segments().size()), std::min(parts, 100.0)) << segment_ms;
        } else {
            EXPECT_EQ(recording.segments().size(), 1U);
        }
        for (const Recording::Segment& segment : recording.segments()) {
            if (segment.parts.size() > 1) {
                EXPECT_LE(segment.estimated_ms, segment_ms * 1.001);
            }
        }
        run(recording);
        expect_added(a_, 6);
    }
}

TEST_F(Chain, EveryWorkgroupRunsOnceHoweverItIsCut) {
    // Adds onto itself: a part that ran twice, or never, shows.  The larger one has a grid of several rows.
    for (const std::size_t count : {items, std::size_t{3} * 32768 * gpu::workgroup_size(engine().device.info()) - 5}) {
        for (const double segment_ms : {1000.0, 30.0, 3.0}) {
            const gpu::Buffer buffer = on_device(counted(count));
            run(recorded({affine(buffer.slice(), add_one_.slice(), buffer.slice(), "test", 100)}, segment_ms));
            const std::vector<float> values = from_device(buffer.slice());
            const std::vector<float> before = counted(count);
            for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(values[i], before[i] + 1) << i << " in " << segment_ms;
        }
    }
}

TEST_F(Chain, CopiesWaitAndAreWaitedFor) {
    const gpu::Buffer c = on_device(std::vector<float>(items, 0));
    run(recorded({affine(a_.slice(), add_one_.slice(), b_.slice()),  // b = a + 1
                  copy(b_.slice(), c.slice()),                       // c = a + 1
                  fill(b_.slice(), 5),                               // after the copy has read it
                  affine(c.slice(), add_one_.slice(), a_.slice()),   // a = a + 2
                  copy(a_.slice(), c.slice()),                       // c = a + 2
                  fill(a_.slice(), 7)}));
    expect_added(c, 2);
    EXPECT_EQ(from_device(b_.slice()), std::vector<float>(items, 5));
    EXPECT_EQ(from_device(a_.slice()), std::vector<float>(items, 7));
}

TEST_F(Chain, PartsOfOneBufferThatOverlap) {
    const gpu::Buffer buffer = on_device(std::vector<float>(4096, 0));
    const auto floats = [&](std::uint64_t from, std::uint64_t count) {
        return buffer.slice().part(4 * from, 4 * count);
    };
    run(recorded({fill(floats(0, 1024), 1), fill(floats(512, 1024), 2), fill(floats(1024, 1024), 3),
                  copy(floats(512, 512), floats(3072, 512)), fill(floats(512, 256), 4)}));
    const std::vector<float> values = from_device(buffer.slice());
    for (std::size_t i = 0; i < values.size(); ++i) {
        const float should = i < 512    ? 1.0F
                             : i < 768  ? 4.0F
                             : i < 1024 ? 2.0F
                             : i < 2048 ? 3.0F
                             : i < 3072 ? 0.0F
                             : i < 3584 ? 2.0F
                                        : 0.0F;
        ASSERT_EQ(values[i], should) << i;
    }
}

TEST_F(Chain, RecordingsFollowEachOtherInOrder) {
    const Recording there = recorded({affine(a_.slice(), add_one_.slice(), b_.slice())});
    const Recording back = recorded({affine(b_.slice(), add_one_.slice(), a_.slice())});
    gpu::Scheduler& scheduler = engine().scheduler;
    gpu::Scheduler::Ticket before = scheduler.last();
    for (int i = 0; i < 10; ++i) {
        for (const Recording* recording : {&there, &back}) {
            if (i > 0) scheduler.wait(before);  // a recording is submitted again once it is done
            const gpu::Scheduler::Ticket ticket = scheduler.submit(*recording);
            EXPECT_GT(ticket, before);
            before = ticket;
        }
    }
    scheduler.wait(scheduler.last());
    EXPECT_TRUE(scheduler.done(before));
    expect_added(a_, 20);
}

TEST_F(Chain, StagesNeverShareASegment) {
    std::vector<gpu::Step> steps;
    for (const char* stage : {"upload", "forward", "forward", "project", "forward", "display"}) {
        steps.push_back(affine(a_.slice(), add_one_.slice(), b_.slice(), stage, 0.1));
    }
    const Recording recording = recorded(steps);
    const std::vector<std::string> expected = {"upload", "forward", "project", "forward", "display"};
    ASSERT_EQ(recording.segments().size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_EQ(recording.segments()[i].stage, expected[i]);
        for (const Recording::Segment::Part& part : recording.segments()[i].parts) {
            EXPECT_EQ(steps[part.step].stage, expected[i]);
        }
    }
    run(recording);
}

TEST_F(Chain, TimesArePlausible) {
    const Recording recording = recorded(chain(6, 10), 5);
    const auto begin = std::chrono::steady_clock::now();
    run(recording);
    const double wall = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    const std::vector<gpu::SegmentTime> times = recording.times();
    if (engine().device.timestamp_ns() == 0) GTEST_SKIP() << "this device has no timestamps";
    ASSERT_EQ(times.size(), recording.segments().size());
    double sum = 0;
    for (const gpu::SegmentTime& time : times) {
        EXPECT_EQ(time.stage, "test");
        EXPECT_FALSE(time.label.empty());
        EXPECT_GE(time.end_ms, time.start_ms);
        sum += time.end_ms - time.start_ms;
    }
    // One queue: together they take no longer than the host waited; clocks may differ a little.
    EXPECT_LE(sum, wall * 1.2 + 5);
}

TEST_F(Chain, AdaptingKeepsResultsAndFindsTheRealCost) {
    // Claimed to take seconds, and done in no time: a few segments are enough.
    Recording recording = recorded(chain(6, 500), 5);
    const std::size_t before = recording.segments().size();
    EXPECT_GT(before, 100U);
    run(recording);
    recording.adapt();
    if (engine().device.timestamp_ns() > 0) {
        EXPECT_LT(recording.segments().size(), before);
    }
    for (int i = 0; i < 3; ++i) {
        reset(a_);
        run(recording);
        expect_added(a_, 6);
        recording.adapt();
    }
}

TEST_F(Chain, AnEmptyRecordingIsNothingToDo) {
    Recording recording = recorded({});
    EXPECT_TRUE(recording.segments().empty());
    const gpu::Scheduler::Ticket last = engine().scheduler.last();
    EXPECT_EQ(engine().scheduler.submit(recording), last);
    EXPECT_TRUE(recording.times().empty());
    recording.adapt();
}

TEST_F(Chain, BindingsThatNoDeviceNeedOfferAreRefused) {
    gpu::Step many = fill(a_.slice(), 1);
    many.dispatch.bindings.assign(5, gpu::in(a_.slice()));
    EXPECT_HAS(error_of([&] { static_cast<void>(recorded({many})); }), "fill");
    const PretendedRange range(1024);
    EXPECT_HAS(error_of([&] { static_cast<void>(recorded({fill(a_.slice(), 1)})); }), "--size");
}

TEST(Scheduler, TicketsAreReached) {
    const gpu::Buffer buffer = on_device(std::vector<float>(items, 0));
    {
        const Recording recording = recorded({fill(buffer.slice(), 3, "test", 50)}, 5);
        gpu::Scheduler scheduler(engine().device);
        EXPECT_EQ(scheduler.last(), 0U);
        EXPECT_TRUE(scheduler.done(0));
        const gpu::Scheduler::Ticket ticket = scheduler.submit(recording);
        EXPECT_EQ(ticket, recording.segments().size());
        EXPECT_EQ(scheduler.last(), ticket);
        scheduler.wait(ticket);
        EXPECT_TRUE(scheduler.done(ticket));
        scheduler.wait(ticket);  // again is no harm
        scheduler.wait(1);
        scheduler.submit(recording);
        // Leaving waits for what still runs.
    }
    EXPECT_EQ(from_device(buffer.slice()), std::vector<float>(items, 3));
}

TEST(Segments, OfANetworkDoNotChangeItsResults) {
    nn::Graph graph = nn::import_onnx(std::string(DECONV_SOURCE_DIR) + "/weights/cifar10.onnx");
    const std::string input = graph.inputs.at(0).name;
    Runner runner(std::move(graph), {{input, {1, 3, 40, 32}}});
    std::vector<float> picture(3 * 40 * 32);
    for (std::size_t i = 0; i < picture.size(); ++i) picture[i] = std::sin(static_cast<float>(i) * 0.37F);
    runner.plan("relu3_1");
    runner.set_input(input, picture);
    nn::Selection selection;
    selection.channel = nn::Selection::all;
    std::vector<float> expected_reconstruction;
    std::vector<float> expected_activations;
    std::size_t segments = 0;
    for (const double segment_ms : {1000.0, 5.0, 0.2, 0.02}) {
        Recording::Options options;
        options.segment_ms = segment_ms;
        runner.record(options);
        EXPECT_GE(runner.recording().segments().size(), segments);
        segments = runner.recording().segments().size();
        runner.run({selection});
        if (expected_reconstruction.empty()) {
            expected_reconstruction = runner.reconstruction();
            expected_activations = runner.values("relu3_1");
            continue;
        }
        EXPECT_EQ(runner.reconstruction(), expected_reconstruction) << segment_ms;
        EXPECT_EQ(runner.values("relu3_1"), expected_activations) << segment_ms;
    }
    EXPECT_GT(segments, 100U);
    runner.recording().adapt();
    runner.run({selection});
    EXPECT_EQ(runner.reconstruction(), expected_reconstruction);
}

}  // namespace
}  // namespace deconv::testing
