#include "base/sha256.h"

extern "C" {
#include <libavutil/mem.h>
#include <libavutil/sha.h>
}

#include <array>
#include <fstream>
#include <memory>
#include <vector>

namespace deconv {

std::string sha256_of_file(const std::string& path, const std::function<bool(std::uint64_t)>& go_on) {
    std::ifstream stream(path, std::ios::binary);
    const std::unique_ptr<AVSHA, void (*)(void*)> sha(av_sha_alloc(), av_free);
    if (!stream || !sha || av_sha_init(sha.get(), 256) != 0) return {};
    std::vector<char> block(std::size_t{1} << 20);
    std::uint64_t bytes = 0;
    while (stream) {
        stream.read(block.data(), static_cast<std::streamsize>(block.size()));
        av_sha_update(sha.get(), reinterpret_cast<const std::uint8_t*>(block.data()),
                      static_cast<std::size_t>(stream.gcount()));
        bytes += static_cast<std::uint64_t>(stream.gcount());
        if (go_on && !go_on(bytes)) return {};
    }
    if (stream.bad()) return {};
    std::array<std::uint8_t, 32> digest{};
    av_sha_final(sha.get(), digest.data());
    std::string text;
    for (const std::uint8_t byte : digest) {
        constexpr const char* digits = "0123456789abcdef";
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

}  // namespace deconv
