// What a picture or recording says of how it was made, and taking that up again.
#pragma once

#include <string>
#include <vector>

#include "live/options.h"
#include "media/sink.h"

namespace deconv::live {

/// Metadata for a file: the program's version, the model and its sha256, and the settings as command line arguments
/// (all but source and outputs), as a JSON array.
media::Metadata describe(const Options& options, const std::string& model_sha256);

/// The arguments that `path` (PNG or MKV) was made with.  Warns on standard error where the model is another by now.
/// Throws Error where the file says nothing of that kind.
std::vector<std::string> replay_arguments(const std::string& path);

}  // namespace deconv::live
