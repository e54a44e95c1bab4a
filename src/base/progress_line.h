// One line on standard error that tells how far long work is.
#pragma once

#include <string>

namespace deconv {

/// Drawn over in place on a terminal; elsewhere nothing is drawn, for a log is no place for it.  One thread.
class ProgressLine {
  public:
    ProgressLine();
    ~ProgressLine() { clear(); }
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;

    bool on_terminal() const { return terminal_; }
    void show(const std::string& text);
    /// Takes the line away, for what is said next.
    void clear();
    /// A line that stays, there or in a log.
    void say(const std::string& text);

  private:
    bool terminal_ = false, drawn_ = false;
};

/// [#####---------------], filled by a part from 0 to 1.
std::string progress_bar(double part);
/// "45 s", "12 min", "3.5 h".
std::string duration(double seconds);

}  // namespace deconv
