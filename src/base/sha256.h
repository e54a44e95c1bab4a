// SHA-256 of a file: names a network in what was made with it, and proves one that was fetched.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace deconv {

/// 64 hexadecimal digits; empty where the file cannot be read, or where `go_on` (called with the bytes read so far,
/// once a megabyte) said no.
std::string sha256_of_file(const std::string& path, const std::function<bool(std::uint64_t)>& go_on = {});

}  // namespace deconv
