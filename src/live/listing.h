// What --list-devices, --list-models and --list-layers print.
#pragma once

#include <string>

#include "live/options.h"

namespace deconv::live {

/// A table for people, or with options.json one JSON object.  Throws Error where there is nothing to list.
std::string list_devices_text(const Options& options);
std::string list_models_text(const Options& options);
std::string list_layers_text(const Options& options);

}  // namespace deconv::live
