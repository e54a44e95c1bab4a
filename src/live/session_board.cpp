#include "live/session_board.h"

#include <cstdio>

namespace deconv::live {

void SessionBoard::show(const std::string& text, Clock::time_point now) {
    if (refusal_stands(now)) {
        waiting_ = text;
        return;
    }
    waiting_.reset();
    state.said = text;
    state.said_at = now;
}

void SessionBoard::tell(const std::string& text, bool lasting) {
    if (!text.empty()) std::fprintf(stderr, "deconv-live: %s\n", text.c_str());
    const std::lock_guard lock(mutex);
    if (lasting) {
        state.trouble = text;
    } else {
        state.trouble.clear();
        if (!text.empty()) show(text, Clock::now());
    }
}

void SessionBoard::say(const std::string& text) {
    std::fprintf(stderr, "deconv-live: %s\n", text.c_str());
    const std::lock_guard lock(mutex);
    show(text, Clock::now());
}

void SessionBoard::say_refused(const std::string& text) {
    std::fprintf(stderr, "deconv-live: %s\n", text.c_str());
    const std::lock_guard lock(mutex);
    const Clock::time_point now = Clock::now();
    refused_until_ = now;
    show(text, now);
    refused_until_ = now + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(said_seconds));
}

void SessionBoard::follow_messages() {
    const std::lock_guard lock(mutex);
    const Clock::time_point now = Clock::now();
    if (waiting_ && !refusal_stands(now)) show(std::string(*waiting_), now);
}

}  // namespace deconv::live
