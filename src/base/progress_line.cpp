#include "base/progress_line.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace deconv {

ProgressLine::ProgressLine() : terminal_(::isatty(STDERR_FILENO) == 1) {}

void ProgressLine::show(const std::string& text) {
    if (!terminal_) return;
    std::fprintf(stderr, "\r%s\033[K", text.c_str());
    static_cast<void>(std::fflush(stderr));
    drawn_ = true;
}

void ProgressLine::clear() {
    if (drawn_) std::fputs("\r\033[K", stderr);
    drawn_ = false;
}

void ProgressLine::say(const std::string& text) {
    clear();
    std::fprintf(stderr, "%s\n", text.c_str());
}

std::string progress_bar(double part) {
    constexpr std::size_t width = 20;
    const auto filled = static_cast<std::size_t>(std::clamp(part, 0.0, 1.0) * width);
    return "[" + std::string(filled, '#') + std::string(width - filled, '-') + "]";
}

std::string duration(double seconds) {
    char text[40];
    if (seconds < 90) {
        std::snprintf(text, sizeof text, "%.0f s", seconds);
    } else if (seconds < 5400) {
        std::snprintf(text, sizeof text, "%.0f min", seconds / 60);
    } else {
        std::snprintf(text, sizeof text, "%.1f h", seconds / 3600);
    }
    return text;
}

}  // namespace deconv
