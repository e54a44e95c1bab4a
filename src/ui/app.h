// The live window.
#pragma once

#include "live/session.h"

namespace deconv::ui {

/// Opens the window and runs until it is closed or a signal asks to stop.  Throws Error where there is no display or
/// the device cannot show windows.
void run_window(const live::Options& options);

}  // namespace deconv::ui
