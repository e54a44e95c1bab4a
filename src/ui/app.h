// The live window.
#pragma once

#include <set>
#include <string>

#include "live/options.h"

namespace deconv::ui {

struct WindowOptions {
    bool kiosk = false;
    bool allow_record = false;    // in a kiosk
    std::string view;             // to begin with; empty: the one of last time
    std::set<std::string> given;  // the command line's options: they win over what is remembered
};

/// Opens the window and runs until it is closed or a signal asks to stop.  Throws Error where there is no display or
/// the device cannot show windows.
void run_window(const live::Options& options, const WindowOptions& window = {});

}  // namespace deconv::ui
