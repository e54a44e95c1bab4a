#include "base/trace.h"

#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <new>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "media/media_testing.h"

namespace {
thread_local std::int64_t allocations = 0;
}

// Counts what this thread allocates; inlined, GCC takes malloc and free for a mismatch.
// NOLINTBEGIN(cppcoreguidelines-owning-memory)
[[gnu::noinline]] void* operator new(std::size_t size) {
    ++allocations;
    if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
    throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t& /*nothrow*/) noexcept {
    ++allocations;
    return std::malloc(size == 0 ? 1 : size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t /*size*/) noexcept {
    std::free(memory);
}
// NOLINTEND(cppcoreguidelines-owning-memory)

namespace deconv {
namespace {

using testing::error_of;
using testing::TempDir;
using Json = nlohmann::json;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

Json written(const Trace& trace) {
    const TempDir dir;
    trace.write(dir / "trace.json");
    EXPECT_EQ(dir.files(), 1U);
    const testing::FileBytes bytes = testing::read_file(dir / "trace.json");
    return Json::parse(bytes.begin(), bytes.end());
}

/// All events of one phase, in the order of the file.
std::vector<Json> events_of(const Json& file, const std::string& phase) {
    std::vector<Json> found;
    for (const Json& event : file.at("traceEvents")) {
        if (event.at("ph") == phase) found.push_back(event);
    }
    return found;
}

/// The names of threads, by their id.
std::map<int, std::string> threads_of(const Json& file) {
    std::map<int, std::string> names;
    for (const Json& event : events_of(file, "M")) {
        if (event.at("name") == "thread_name") names[event.at("tid")] = event.at("args").at("name");
    }
    return names;
}

/// Exact, as the file has three decimals.
std::int64_t ns_of(const Json& event, const char* key) {
    return std::llround(event.at(key).get<double>() * 1000);
}

TEST(Trace, AnEmptyOneIsAFileThatViewersOpen) {
    const Json file = written(Trace(16));
    EXPECT_TRUE(file.at("traceEvents").is_array());
    EXPECT_EQ(file.at("displayTimeUnit"), "ms");
    EXPECT_EQ(file.at("otherData").at("overwritten events"), 0);
    EXPECT_EQ(events_of(file, "X").size(), 0U);
    ASSERT_EQ(events_of(file, "M").size(), 1U);
    EXPECT_EQ(events_of(file, "M")[0].at("name"), "process_name");
}

TEST(Trace, SpansInstantsAndCountersHaveTheirTimesInMicroseconds) {
    Trace trace(16);
    const Trace::Time t = Trace::Clock::now() + milliseconds(1);
    trace.complete("capture", "read", t, t + nanoseconds(1'234'567), {{"frame", 7}, {"ms", 1.5}});
    trace.instant("window", "present", t + microseconds(10), {{"image", 2}});
    trace.counter("dropped frames", 3, t + microseconds(20));
    const Json file = written(trace);

    ASSERT_EQ(events_of(file, "X").size(), 1U);
    const Json span = events_of(file, "X")[0];
    EXPECT_EQ(span.at("name"), "read");
    EXPECT_EQ(ns_of(span, "dur"), 1'234'567);
    EXPECT_EQ(span.at("args"), Json({{"frame", 7.0}, {"ms", 1.5}}));
    EXPECT_EQ(threads_of(file).at(span.at("tid")), "capture");

    ASSERT_EQ(events_of(file, "i").size(), 1U);
    const Json instant = events_of(file, "i")[0];
    EXPECT_EQ(instant.at("s"), "t");
    EXPECT_EQ(threads_of(file).at(instant.at("tid")), "window");
    EXPECT_EQ(ns_of(instant, "ts") - ns_of(span, "ts"), 10'000);

    ASSERT_EQ(events_of(file, "C").size(), 1U);
    const Json counter = events_of(file, "C")[0];
    EXPECT_EQ(counter.at("name"), "dropped frames");
    EXPECT_EQ(counter.at("args"), Json({{"value", 3.0}}));
    EXPECT_EQ(ns_of(counter, "ts") - ns_of(span, "ts"), 20'000);
    for (const Json& event : file.at("traceEvents")) EXPECT_EQ(event.at("pid"), 1);
}

TEST(Trace, EventsFromBeforeItWasMadeAreNotNegative) {
    const Trace::Time before = Trace::Clock::now() - milliseconds(5);
    Trace trace(16);
    trace.complete("a", "early", before, before + milliseconds(1));
    trace.instant("a", "later", before + milliseconds(2));
    const Json file = written(trace);
    EXPECT_EQ(ns_of(events_of(file, "X")[0], "ts"), 0);
    EXPECT_EQ(ns_of(events_of(file, "i")[0], "ts"), 2'000'000);
}

TEST(Trace, HoursLaterTimesAreStillExact) {
    Trace trace(16);
    const Trace::Time t = Trace::Clock::now() + std::chrono::hours(30);
    trace.complete("a", "x", t, t + nanoseconds(1));
    trace.instant("a", "y", t + nanoseconds(1001));
    const Json file = written(trace);
    EXPECT_EQ(ns_of(events_of(file, "i")[0], "ts") - ns_of(events_of(file, "X")[0], "ts"), 1001);
    EXPECT_EQ(ns_of(events_of(file, "X")[0], "dur"), 1);
}

TEST(Trace, TracksStandInTheOrderOfTheirFirstUse) {
    Trace trace(64);
    const Trace::Time t = Trace::Clock::now();
    // Later on the clock, first in use.
    for (const char* track : {"window", "capture", "network", "capture", "window"}) {
        trace.complete(track, "x", t + milliseconds(9), t + milliseconds(10));
    }
    const Json file = written(trace);
    std::map<int, std::string> by_index;
    for (const Json& event : events_of(file, "M")) {
        if (event.at("name") != "thread_sort_index") continue;
        by_index[event.at("args").at("sort_index")] = threads_of(file).at(event.at("tid"));
    }
    std::vector<std::string> names;
    for (const auto& [index, name] : by_index) names.push_back(name);
    EXPECT_EQ(names, (std::vector<std::string>{"window", "capture", "network"}));
}

/// Whether the spans of each thread lie within each other or apart, and times never go back.
void expect_viewable(const Json& file) {
    std::map<int, std::vector<Json>> threads;
    for (const Json& event : file.at("traceEvents")) {
        if (event.at("ph") == "X" || event.at("ph") == "i") threads[event.at("tid")].push_back(event);
    }
    for (const auto& [id, events] : threads) {
        EXPECT_EQ(threads_of(file).count(id), 1U) << "thread " << id << " has no name";
        std::int64_t last = 0;
        std::vector<std::int64_t> open;
        for (const Json& event : events) {
            const std::int64_t begin = ns_of(event, "ts");
            EXPECT_GE(begin, last) << "on thread " << id;
            last = begin;
            if (event.at("ph") != "X") continue;
            const std::int64_t end = begin + ns_of(event, "dur");
            while (!open.empty() && open.back() <= begin) open.pop_back();
            if (!open.empty()) {
                EXPECT_LE(end, open.back()) << event.dump();
            }
            open.push_back(end);
        }
    }
}

TEST(Trace, NestedSpansShareATrackAndTheOuterOneComesFirst) {
    Trace trace(64);
    const Trace::Time t = Trace::Clock::now();
    // As scopes end: the inner ones are recorded first; outer and first inner begin at the same time.
    trace.complete("a", "inner 1", t, t + microseconds(4));
    trace.complete("a", "innermost", t + microseconds(6), t + microseconds(7));
    trace.complete("a", "inner 2", t + microseconds(5), t + microseconds(10));
    trace.complete("a", "outer", t, t + microseconds(10));
    const Json file = written(trace);
    expect_viewable(file);
    EXPECT_EQ(threads_of(file).size(), 1U);
    std::vector<std::string> names;
    for (const Json& event : events_of(file, "X")) names.push_back(event.at("name"));
    EXPECT_EQ(names, (std::vector<std::string>{"outer", "inner 1", "inner 2", "innermost"}));
}

TEST(Trace, SpansThatOverlapWithoutNestingGetFurtherThreads) {
    Trace trace(64);
    const Trace::Time t = Trace::Clock::now();
    // Two frames under way at any time.
    for (int frame = 0; frame < 6; ++frame) {
        trace.complete("frames", "frame", t + milliseconds(10 * frame), t + milliseconds(10 * frame + 18));
    }
    const Json file = written(trace);
    expect_viewable(file);
    std::set<std::string> names;
    for (const auto& [id, name] : threads_of(file)) names.insert(name);
    EXPECT_EQ(names, (std::set<std::string>{"frames", "frames 2"}));
    EXPECT_EQ(events_of(file, "X").size(), 6U);
}

TEST(Trace, ASpanThatEndsBeforeItBeginsHasNoLength) {
    Trace trace(4);
    const Trace::Time t = Trace::Clock::now();
    trace.complete("a", "x", t + milliseconds(2), t);
    EXPECT_EQ(ns_of(events_of(written(trace), "X")[0], "dur"), 0);
}

TEST(Trace, NamesAreEscapedAndCutBetweenCharacters) {
    Trace trace(16);
    const std::string nasty = "a\"b\\c\n\t\x01/é";
    const Trace::Time t = Trace::Clock::now();
    trace.complete(nasty, nasty, t, t, {{"k\"\n", 1}});
    trace.instant("cut", std::string(46, 'x') + "éé");  // byte 47 is within the first é
    trace.instant("cut", std::string(45, 'x') + "éé");  // the first just fits
    trace.instant("cut", "broken \xC3( UTF-8");
    trace.instant("cut", "", t, {{"a key that is far too long", 2}});
    const Json file = written(trace);
    const Json span = events_of(file, "X")[0];
    EXPECT_EQ(span.at("name"), nasty);
    EXPECT_EQ(threads_of(file).at(span.at("tid")), nasty);
    EXPECT_EQ(span.at("args"), Json({{"k\"\n", 1.0}}));
    std::set<std::string> names;
    for (const Json& event : events_of(file, "i")) names.insert(event.at("name"));
    EXPECT_EQ(names,
              (std::set<std::string>{std::string(46, 'x'), std::string(45, 'x') + "é", "broken \uFFFD( UTF-8", ""}));
    EXPECT_EQ(events_of(file, "i")[0].at("args"), Json({{"a key that is f", 2.0}}));
}

TEST(Trace, ValuesThatJsonCannotHoldDoNotBreakTheFile) {
    Trace trace(16);
    const double inf = std::numeric_limits<double>::infinity();
    trace.counter("c", std::nan(""));
    trace.counter("c", inf);
    trace.counter("c", 2.5);
    trace.instant("a", "x", Trace::Clock::now(), {{"inf", inf}, {"one", 1}});
    const Json file = written(trace);
    ASSERT_EQ(events_of(file, "C").size(), 1U);
    EXPECT_EQ(events_of(file, "C")[0].at("args").at("value"), 2.5);
    EXPECT_TRUE(events_of(file, "i")[0].at("args").at("inf").is_null());
    EXPECT_EQ(events_of(file, "i")[0].at("args").at("one"), 1);
}

TEST(Trace, AFullRingKeepsTheNewest) {
    for (const int count : {15, 16, 17, 40, 48}) {
        Trace trace(16);
        const Trace::Time t = Trace::Clock::now();
        for (int i = 0; i < count; ++i) {
            trace.complete("t", "event", t + microseconds(i), t + microseconds(i + 1), {{"i", static_cast<double>(i)}});
        }
        const int kept = std::min(count, 16);
        EXPECT_EQ(trace.size(), static_cast<std::size_t>(kept));
        EXPECT_EQ(trace.overwritten(), static_cast<std::uint64_t>(count - kept));
        const Json file = written(trace);
        EXPECT_EQ(file.at("otherData").at("overwritten events"), count - kept);
        std::vector<int> numbers;
        for (const Json& event : events_of(file, "X")) numbers.push_back(event.at("args").at("i").get<int>());
        std::vector<int> expected;
        for (int i = count - kept; i < count; ++i) expected.push_back(i);
        EXPECT_EQ(numbers, expected) << count << " events";
    }
}

TEST(Trace, RecordingAllocatesNothing) {
    Trace trace(16);
    DeviceTrack device(&trace, "device");
    const auto record = [&] {
        const Trace::Time t = Trace::Clock::now();
        TraceSpan span(&trace, "a", "a name that is too long for a short string");
        span.argument("value", 1);
        trace.complete("b", "x", t, t, {{"one", 1}, {"two", 2}});
        trace.instant("c", "y");
        trace.counter("d", 1);
        device.submission(t, 0);
        device.span("z", 0, 1);
    };
    record();  // the tracks' first use
    const std::int64_t before = allocations;
    for (int i = 0; i < 10; ++i) record();
    EXPECT_EQ(allocations, before);
}

TEST(Trace, ATrackWhoseEventsAreGoneIsNotShown) {
    Trace trace(4);
    trace.instant("early", "x");
    for (int i = 0; i < 4; ++i) trace.instant("late", "x");
    const Json file = written(trace);
    ASSERT_EQ(threads_of(file).size(), 1U);
    EXPECT_EQ(threads_of(file).begin()->second, "late");
}

TEST(Trace, ThreadsRecordAtOnceWhileItIsWritten) {
    constexpr int writers = 4;
    constexpr int each = 5000;
    Trace trace(std::size_t{writers} * each * 2);
    const TempDir dir;
    std::vector<std::thread> threads;
    for (int w = 0; w < writers; ++w) {
        threads.emplace_back([&trace, w] {
            const std::string track = "writer " + std::to_string(w);
            for (int i = 0; i < each; ++i) {
                TraceSpan span(&trace, track, "span");
                span.argument("i", i);
                trace.counter(track, i);
            }
        });
    }
    for (int i = 0; i < 3; ++i) trace.write(dir / "meanwhile.json");
    for (std::thread& thread : threads) thread.join();
    const testing::FileBytes meanwhile = testing::read_file(dir / "meanwhile.json");
    expect_viewable(Json::parse(meanwhile.begin(), meanwhile.end()));

    EXPECT_EQ(trace.overwritten(), 0U);
    const Json file = written(trace);
    expect_viewable(file);
    const std::map<int, std::string> names = threads_of(file);
    ASSERT_EQ(names.size(), std::size_t{writers});
    std::map<std::string, std::vector<int>> seen;
    for (const Json& event : events_of(file, "X")) {
        seen[names.at(event.at("tid"))].push_back(event.at("args").at("i").get<int>());
    }
    for (const auto& [name, numbers] : seen) {
        ASSERT_EQ(numbers.size(), std::size_t{each}) << name;
        for (int i = 0; i < each; ++i) ASSERT_EQ(numbers[static_cast<std::size_t>(i)], i) << name;
    }
    EXPECT_EQ(events_of(file, "C").size(), std::size_t{writers} * each);
}

TEST(Trace, AnUnwritablePathIsAClearErrorAndLeavesNothing) {
    const TempDir dir;
    Trace trace(4);
    EXPECT_CONTAINS(error_of([&] { trace.write(dir / "no/trace.json"); }), "does not exist");
    EXPECT_CONTAINS(error_of([&] { trace.write(dir.path()); }), "is a folder");
    EXPECT_EQ(dir.files(), 0U);
    EXPECT_CONTAINS(error_of([&] { trace.write("/dev/full"); }), "/dev/full: cannot be written: No space left");
}

TEST(TraceSpan, CoversItsScopeAndTakesTemporaryNames) {
    Trace trace(4);
    const Trace::Time before = Trace::Clock::now();
    {
        const TraceSpan span(&trace, std::string("track ") + std::to_string(12345), std::string(20, 'n'));
        std::this_thread::sleep_for(milliseconds(2));
    }
    const auto around = Trace::Clock::now() - before;
    const Json file = written(trace);
    ASSERT_EQ(events_of(file, "X").size(), 1U);
    const Json span = events_of(file, "X")[0];
    EXPECT_EQ(span.at("name"), std::string(20, 'n'));
    EXPECT_EQ(threads_of(file).at(span.at("tid")), "track 12345");
    EXPECT_GE(ns_of(span, "dur"), 2'000'000);
    EXPECT_LE(ns_of(span, "dur"), nanoseconds(around).count());
}

TEST(TraceSpan, DoesNothingWithoutATrace) {
    TraceSpan span(nullptr, "a", "b");
    for (int i = 0; i < 5; ++i) span.argument("k", i);
    DeviceTrack track(nullptr, "device");
    track.submission(Trace::Clock::now(), 0);
    track.span("x", 0, 1);
}

double ms_between(Trace::Time from, Trace::Time to) {
    return std::chrono::duration<double, std::milli>(to - from).count();
}

TEST(DeviceTrack, TimesRelativeToASubmissionLieAfterIt) {
    Trace trace(16);
    DeviceTrack track(&trace, "device");
    track.span("nothing was submitted", 0, 1);
    const Trace::Time t = Trace::Clock::now();
    for (int frame = 0; frame < 3; ++frame) {
        track.submission(t + milliseconds(20 * frame), 0);
        track.span("fit", 0, 0.25);
        track.span("forward", 0.25, 6.5, {{"frame", static_cast<double>(frame)}});
    }
    track.span("no timestamp", std::nan(""), 1);
    const Json file = written(trace);
    expect_viewable(file);
    ASSERT_EQ(threads_of(file).size(), 1U);
    EXPECT_EQ(threads_of(file).begin()->second, "device");
    const std::vector<Json> spans = events_of(file, "X");
    ASSERT_EQ(spans.size(), 6U);
    for (std::size_t i = 0; i < 6; ++i) {
        const std::int64_t expected =
            static_cast<std::int64_t>(i / 2) * 20'000'000 + static_cast<std::int64_t>(i % 2) * 250'000;
        EXPECT_EQ(ns_of(spans[i], "ts") - ns_of(spans[0], "ts"), expected) << i;
        EXPECT_EQ(ns_of(spans[i], "dur"), i % 2 == 0 ? 250'000 : 6'250'000) << i;
    }
}

TEST(DeviceTrack, WorkThatWaitedInTheQueueIsPlacedWhereItRan) {
    Trace trace(16);
    DeviceTrack track(&trace, "device");
    const Trace::Time t = Trace::Clock::now();
    constexpr double clock = 5e8;  // milliseconds that the device counts already
    track.submission(t, clock + 0.1);
    EXPECT_NEAR(ms_between(t, track.at(clock + 0.1)), 0, 1e-4);
    // Submitted 1 ms later, but the device was busy with the first for 30.
    track.submission(t + milliseconds(1), clock + 30);
    EXPECT_NEAR(ms_between(t, track.at(clock + 30)), 29.9, 1e-3);
    // A tighter bound: this one can hardly have waited.
    track.submission(t + milliseconds(100), clock + 100.02);
    EXPECT_NEAR(ms_between(t, track.at(clock + 100.02)), 100, 1e-4);
}

TEST(DeviceTrack, FollowsADeviceClockThatDriftsAndOneThatIsSetBack) {
    Trace trace(16);
    for (const double rate : {0.99995, 1.00005}) {
        DeviceTrack track(&trace, "device");
        const Trace::Time t = Trace::Clock::now();
        for (int i = 0; i < 60 * 60; ++i) {
            const double host_ms = 1000.0 * i;
            const double waited = i % 2 == 0 ? 0.01 : 7.0;
            track.submission(t + std::chrono::seconds(i), 1234 + host_ms * rate + waited);
            const double placed = ms_between(t, track.at(1234 + host_ms * rate));
            ASSERT_NEAR(placed, host_ms, 0.25) << "after " << i << " s at " << rate;
        }
        track.submission(t + std::chrono::hours(2), 3);
        EXPECT_NEAR(ms_between(t + std::chrono::hours(2), track.at(3)), 0, 1e-4);
        track.submission(t + std::chrono::hours(3), 1e12);
        EXPECT_NEAR(ms_between(t + std::chrono::hours(3), track.at(1e12)), 0, 1e-3);
    }
}

}  // namespace
}  // namespace deconv
