// Drops a file onto a window as a file manager does (the XDND protocol, version 5).
#pragma once

#include <string>

namespace deconv::testing {

/// Drops `path` onto the first window on `display` that takes drops.  Returns what went wrong, or nothing.
std::string drop_file(const std::string& display, const std::string& path);

}  // namespace deconv::testing
