#include "base/trace.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/error.h"
#include "base/whole_file.h"

namespace deconv {
namespace {

/// Copies what fits, whole UTF-8 characters only, and a zero.
template <std::size_t size>
void copy_text(std::string_view text, std::array<char, size>& to) {
    std::size_t length = std::min(text.size(), size - 1);
    if (length < text.size()) {
        while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0U) == 0x80U) --length;
    }
    std::copy_n(text.begin(), length, to.begin());
    to.at(length) = '\0';
}

/// A JSON string; bytes that are not UTF-8 become U+FFFD.
std::string quoted(const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// As JSON has it: a number, or null where it is not finite.
std::string number(double value) {
    return nlohmann::json(value).dump();
}

/// Exact to the nanosecond, whatever the size.
std::string microseconds(std::int64_t ns) {
    const std::string rest = std::to_string(ns % 1000);
    return std::to_string(ns / 1000) + "." + std::string(3 - rest.size(), '0') + rest;
}

std::int64_t nanoseconds(Trace::Clock::duration duration) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
}

Trace::Clock::duration from_ms(double ms) {
    return std::chrono::duration_cast<Trace::Clock::duration>(std::chrono::duration<double, std::milli>(ms));
}

}  // namespace

Trace::Trace(std::size_t capacity) : events_(std::max<std::size_t>(capacity, 1)) {
    tracks_.reserve(32);
}

void Trace::add(Kind kind, std::string_view track, std::string_view name, Time begin, Time end,
                const TraceArgument* arguments, std::size_t count) {
    Event event;
    copy_text(name, event.name);
    count = std::min(count, event.keys.size());
    for (std::size_t i = 0; i < count; ++i) {
        copy_text(arguments[i].key, event.keys.at(i));
        event.values.at(i) = arguments[i].value;
    }
    event.begin_ns = nanoseconds(begin - origin_);
    event.duration_ns = std::max<std::int64_t>(0, nanoseconds(end - begin));
    event.kind = kind;
    Name track_name{};
    copy_text(track, track_name);

    const std::lock_guard lock(mutex_);
    if (kind != Kind::counter) {
        const auto known = std::find_if(tracks_.begin(), tracks_.end(), [&](const Name& other) {
            return std::string_view(other.data()) == std::string_view(track_name.data());
        });
        event.track = static_cast<std::uint32_t>(known - tracks_.begin());
        if (known == tracks_.end()) tracks_.push_back(track_name);
    }
    events_[recorded_ % events_.size()] = event;
    ++recorded_;
}

void Trace::complete(std::string_view track, std::string_view name, Time begin, Time end, Arguments arguments) {
    add(Kind::complete, track, name, begin, end, arguments.begin(), arguments.size());
}

void Trace::instant(std::string_view track, std::string_view name, Time at, Arguments arguments) {
    add(Kind::instant, track, name, at, at, arguments.begin(), arguments.size());
}

void Trace::counter(std::string_view name, double value, Time at) {
    if (!std::isfinite(value)) return;
    const TraceArgument argument{"value", value};
    add(Kind::counter, {}, name, at, at, &argument, 1);
}

std::size_t Trace::size() const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::min<std::uint64_t>(recorded_, events_.size()));
}

std::uint64_t Trace::overwritten() const {
    const std::lock_guard lock(mutex_);
    return recorded_ - std::min<std::uint64_t>(recorded_, events_.size());
}

/// The events of one file, sorted and spread over threads.
struct Trace::Writer {
    WholeFile& file;
    std::int64_t first_ns = 0;
    int next_thread = 1;
    bool any = false;

    void line(const std::string& text) {
        const std::string all = (any ? ",\n" : "\n") + text;
        any = true;
        file.write(all.data(), all.size());
    }

    void metadata(const char* what, int thread, const std::string& argument) {
        line(R"({"ph":"M","pid":1,"tid":)" + std::to_string(thread) + R"(,"name":")" + what + R"(","args":{)" +
             argument + "}}");
    }

    void event(const Event& event, int thread) {
        std::string text = R"({"ph":")";
        text += event.kind == Kind::complete ? "X" : (event.kind == Kind::instant ? "i" : "C");
        text += R"(","pid":1,"tid":)" + std::to_string(thread) + R"(,"name":)" + quoted(event.name.data()) +
                R"(,"ts":)" + microseconds(event.begin_ns - first_ns);
        if (event.kind == Kind::complete) text += R"(,"dur":)" + microseconds(event.duration_ns);
        if (event.kind == Kind::instant) text += R"(,"s":"t")";
        std::string arguments;
        for (std::size_t i = 0; i < event.keys.size() && event.keys.at(i)[0] != '\0'; ++i) {
            arguments += (i == 0 ? "" : ",") + quoted(event.keys.at(i).data()) + ":" + number(event.values.at(i));
        }
        if (!arguments.empty()) text += R"(,"args":{)" + arguments + "}";
        line(text + "}");
    }

    /// Events of one track, in the order in which a span comes before those within it.
    void track(const std::string& name, std::vector<Event>::const_iterator begin,
               std::vector<Event>::const_iterator end) {
        struct Thread {
            std::vector<std::int64_t> open;  // where spans that others may lie within end
            std::vector<const Event*> events;
        };
        std::vector<Thread> threads(1);
        for (auto it = begin; it != end; ++it) {
            const std::int64_t until = it->begin_ns + it->duration_ns;
            std::size_t which = 0;
            if (it->kind == Kind::complete) {
                for (;; ++which) {
                    if (which == threads.size()) threads.emplace_back();
                    std::vector<std::int64_t>& open = threads[which].open;
                    while (!open.empty() && open.back() <= it->begin_ns) open.pop_back();
                    if (open.empty() || until <= open.back()) break;
                }
                threads[which].open.push_back(until);
            }
            threads[which].events.push_back(&*it);
        }
        for (std::size_t i = 0; i < threads.size(); ++i, ++next_thread) {
            const std::string numbered = i == 0 ? name : name + " " + std::to_string(i + 1);
            metadata("thread_name", next_thread, R"("name":)" + quoted(numbered));
            metadata("thread_sort_index", next_thread, R"("sort_index":)" + std::to_string(next_thread));
            for (const Event* one : threads[i].events) event(*one, next_thread);
        }
    }
};

void Trace::write(const std::string& path) const {
    WholeFile file(path);
    std::vector<Event> events;
    std::vector<Name> tracks;
    std::uint64_t recorded = 0;
    {
        const std::lock_guard lock(mutex_);
        recorded = recorded_;
        tracks = tracks_;
        const auto next = events_.begin() + static_cast<std::ptrdiff_t>(recorded_ % events_.size());
        if (recorded_ > events_.size()) events.assign(next, events_.end());
        events.insert(events.end(), events_.begin(), recorded_ == events_.size() ? events_.end() : next);
    }
    // Counters first, in a track of their own; equal begins: the longer span is the outer one.
    const auto key = [](const Event& event) {
        return std::tuple(event.kind != Kind::counter, event.track, event.begin_ns, -event.duration_ns);
    };
    std::stable_sort(events.begin(), events.end(), [&](const Event& a, const Event& b) { return key(a) < key(b); });

    Writer writer{file};
    for (const Event& event : events) writer.first_ns = std::min(writer.first_ns, event.begin_ns);
    const std::string head = R"({"displayTimeUnit":"ms","otherData":{"version":"deconv-live )" DECONV_VERSION
                             R"(","overwritten events":)" +
                             std::to_string(recorded - events.size()) + R"(},"traceEvents":[)";
    file.write(head.data(), head.size());
    writer.metadata("process_name", 0, R"("name":"deconv-live")");
    auto from = events.cbegin();
    while (from != events.cend() && from->kind == Kind::counter) writer.event(*from++, 0);
    for (std::uint32_t track = 0; track < tracks.size(); ++track) {
        const auto to = std::find_if(from, events.cend(), [&](const Event& event) { return event.track != track; });
        // A track whose events were all overwritten is not shown.
        if (from != to) writer.track(tracks[track].data(), from, to);
        from = to;
    }
    const std::string_view tail = "\n]}\n";
    file.write(tail.data(), tail.size());
    file.commit();
}

TraceSpan::TraceSpan(Trace* trace, std::string_view track, std::string_view name) : trace_(trace) {
    if (trace_ == nullptr) return;
    copy_text(track, track_);
    copy_text(name, name_);
    begin_ = Trace::Clock::now();
}

TraceSpan::~TraceSpan() {
    if (trace_ == nullptr) return;
    trace_->add(Trace::Kind::complete, track_.data(), name_.data(), begin_, Trace::Clock::now(), arguments_.data(),
                count_);
}

void DeviceTrack::submission(Trace::Time submitted, double first_ms) {
    if (trace_ == nullptr || !std::isfinite(first_ms)) return;
    constexpr double drift = 1e-4;
    constexpr double queue_ms = 60'000;  // nothing waits as long: the device's clock was set back
    if (known_) {
        // How much later than the host's clock the device's would have said this work began, had it not waited.
        const double host_ms = std::chrono::duration<double, std::milli>(submitted - reference_).count();
        const double earliest = reference_ms_ + host_ms * (1 + drift);
        const double waited = first_ms - earliest;
        if (waited > 0 && waited < queue_ms) first_ms = earliest;
    }
    known_ = true;
    reference_ = submitted;
    reference_ms_ = first_ms;
}

Trace::Time DeviceTrack::at(double device_ms) const {
    return reference_ + from_ms(device_ms - reference_ms_);
}

void DeviceTrack::span(std::string_view name, double start_ms, double end_ms, Trace::Arguments arguments) {
    if (trace_ == nullptr || !known_ || !std::isfinite(start_ms) || !std::isfinite(end_ms)) return;
    trace_->complete(track_, name, at(start_ms), at(end_ms), arguments);
}

}  // namespace deconv
