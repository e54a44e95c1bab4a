// A timeline of what ran when, in the Chrome trace format that Perfetto and chrome://tracing open ("Trace Event
// Format", JSON object form).
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace deconv {

/// A number that an event carries, shown when it is clicked.  The key is cut to 15 bytes.
struct TraceArgument {
    std::string_view key;
    double value = 0;
};

/// Records events from any number of threads.  Memory is bounded and all there from the start (144 bytes an event):
/// when it is full the oldest events are overwritten.  Recording takes a mutex for a copy, and allocates only at the
/// first use of a track.  Names are copied, and cut to 47 bytes between two UTF-8 characters.
class Trace {
  public:
    using Clock = std::chrono::steady_clock;
    using Time = Clock::time_point;
    using Arguments = std::initializer_list<TraceArgument>;  // the first three are kept

    static constexpr std::size_t default_capacity = std::size_t{1} << 18;
    explicit Trace(std::size_t capacity = default_capacity);

    /// A span on a track; one that ends before it begins has no length.
    void complete(std::string_view track, std::string_view name, Time begin, Time end, Arguments arguments = {});
    /// A moment on a track.
    void instant(std::string_view track, std::string_view name, Time at = Clock::now(), Arguments arguments = {});
    /// The value of a quantity from `at` on; its curve stands above the tracks.  Values that are not finite are left
    /// out.
    void counter(std::string_view name, double value, Time at = Clock::now());

    /// Events held, and events that were overwritten.
    std::size_t size() const;
    std::uint64_t overwritten() const;

    /// Writes what is held; recording may go on meanwhile.  Microseconds since the trace was made, or since the first
    /// event where that began before.  Tracks are threads of one process, in the order of their first use; by time
    /// within each.  Spans of one track that overlap without nesting are spread over further threads of its name, as
    /// viewers cannot show them on one.  The file appears under its name only when it is whole.  Throws Error where it
    /// cannot be written; then an earlier file stays as it was.
    void write(const std::string& path) const;

  private:
    friend class TraceSpan;
    using Name = std::array<char, 48>;  // ends in a zero
    using Key = std::array<char, 16>;
    enum class Kind : std::uint32_t { complete, instant, counter };
    struct Event {
        Name name{};
        std::array<Key, 3> keys{};
        std::array<double, 3> values{};
        std::int64_t begin_ns = 0, duration_ns = 0;  // from origin_
        std::uint32_t track = 0;
        Kind kind = Kind::complete;
    };
    struct Writer;

    /// `track` is empty for counters.
    void add(Kind kind, std::string_view track, std::string_view name, Time begin, Time end,
             const TraceArgument* arguments, std::size_t count);

    const Time origin_ = Clock::now();
    mutable std::mutex mutex_;
    std::vector<Event> events_;  // a ring; event n lies at n % capacity
    std::uint64_t recorded_ = 0;
    std::vector<Name> tracks_;  // by first use
};

/// The span from here to the end of the scope; does nothing where there is no trace.  One thread.
class TraceSpan {
  public:
    TraceSpan(Trace* trace, std::string_view track, std::string_view name);
    ~TraceSpan();
    TraceSpan(const TraceSpan&) = delete;
    TraceSpan& operator=(const TraceSpan&) = delete;

    /// A number that became known on the way; the first three are kept.  `key` must live as long as this.
    void argument(std::string_view key, double value) {
        if (count_ < arguments_.size()) arguments_.at(count_++) = {key, value};
    }

  private:
    Trace* trace_;
    Trace::Name track_{}, name_{};
    Trace::Time begin_;
    std::array<TraceArgument, 3> arguments_{};
    std::size_t count_ = 0;
};

/// Puts times of a device's own clock on to a track; does nothing where there is no trace.  One thread.
///
/// How far that clock is from the host's is learned from submissions: none begins before it was submitted, so the
/// tightest of these bounds is kept, loosened by 100 parts in a million to follow clocks that drift apart.  Times that
/// are relative to each submission (first_ms 0) work the same.
class DeviceTrack {
  public:
    DeviceTrack(Trace* trace, std::string_view track) : trace_(trace), track_(track) {}

    /// Work that the host submitted at `submitted` began at `first_ms` of the device's clock.
    void submission(Trace::Time submitted, double first_ms);
    /// Work of a submission told before, in milliseconds of the device's clock.
    void span(std::string_view name, double start_ms, double end_ms, Trace::Arguments arguments = {});
    /// Where a time of the device lies on the host's clock.
    Trace::Time at(double device_ms) const;

  private:
    Trace* trace_;
    std::string track_;
    bool known_ = false;
    Trace::Time reference_;    // the host's time of the last submission
    double reference_ms_ = 0;  // the device's time then
};

}  // namespace deconv
