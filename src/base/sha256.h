// SHA-256 of a file: names a network in what was made with it.
#pragma once

#include <string>

namespace deconv {

/// 64 hexadecimal digits; empty where the file cannot be read.
std::string sha256_of_file(const std::string& path);

}  // namespace deconv
