// The stages that a frame passes, and what each took.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace deconv::live {

/// In the order in which a frame passes them.
enum class Stage : std::uint8_t { capture, upload, fit, forward, project, display, publish, record };
inline constexpr std::array<std::string_view, 8> stage_names{"capture", "upload",  "fit",     "forward",
                                                             "project", "display", "publish", "record"};
inline constexpr std::size_t stage_count = stage_names.size();
inline std::string_view name_of(Stage stage) {
    return stage_names.at(static_cast<std::size_t>(stage));
}

/// Something for every stage.
template <typename T>
struct ByStage {
    std::array<T, stage_count> values{};

    T& operator[](Stage stage) { return values.at(static_cast<std::size_t>(stage)); }
    const T& operator[](Stage stage) const { return values.at(static_cast<std::size_t>(stage)); }
};

/// Milliseconds of one frame; negative for stages that did not run.
class StageTimes {
  public:
    StageTimes() { ms_.values.fill(-1); }

    void add(Stage stage, double ms) { ms_[stage] = (ran(stage) ? ms_[stage] : 0) + ms; }
    /// By the name that a step gives its stage; others are left out.
    void add(std::string_view name, double ms) {
        for (std::size_t i = 0; i < stage_count; ++i) {
            if (stage_names.at(i) == name) add(static_cast<Stage>(i), ms);
        }
    }
    void add(const StageTimes& other) {
        for (std::size_t i = 0; i < stage_count; ++i) {
            const auto stage = static_cast<Stage>(i);
            if (other.ran(stage)) add(stage, other[stage]);
        }
    }
    bool ran(Stage stage) const { return ms_[stage] >= 0; }
    double operator[](Stage stage) const { return ms_[stage]; }

  private:
    ByStage<double> ms_;
};

/// Measurements of a run for its quantiles: the newest 2^15 of them.  All its memory is there from the start.
class Samples {
  public:
    static constexpr std::size_t most = std::size_t{1} << 15;

    Samples() { values_.reserve(most); }
    void add(double value) {
        if (values_.size() < most) {
            values_.push_back(value);
        } else {
            values_[next_] = value;
            next_ = (next_ + 1) % most;
        }
    }
    /// In no particular order.
    const std::vector<double>& values() const { return values_; }

  private:
    std::vector<double> values_;
    std::size_t next_ = 0;
};

}  // namespace deconv::live
