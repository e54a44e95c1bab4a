// What files carry beside their pictures.
#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>

#include "base/error.h"
#include "media/libav.h"
#include "media/sink.h"

namespace deconv::media {

Metadata read_metadata(const std::string& path) {
    const auto lower = [](std::string key) {  // Matroska turns keys into capitals
        std::transform(key.begin(), key.end(), key.begin(), [](unsigned char c) { return std::tolower(c); });
        return key;
    };
    Metadata metadata;
    if (std::array<char, 4> begin{}; std::ifstream(path, std::ios::binary).read(begin.data(), 4) && begin[1] == 'P' &&
                                     begin[2] == 'N' && begin[3] == 'G') {
        for (auto& [key, value] : read_png_metadata(path)) metadata[lower(key)] = value;
        return metadata;
    }
    av_log_set_level(AV_LOG_QUIET);
    AVFormatContext* opened = nullptr;
    // A local file, never a URL that libav would fetch.
    const int error = avformat_open_input(&opened, ("file:" + path).c_str(), nullptr, nullptr);
    if (error < 0) throw Error(path + ": is neither a picture nor a recording of deconv-live");
    const av::Input input(opened);
    const AVDictionaryEntry* entry = nullptr;
    while ((entry = av_dict_get(input->metadata, "", entry, AV_DICT_IGNORE_SUFFIX)) != nullptr) {
        metadata[lower(entry->key)] = entry->value;
    }
    return metadata;
}

}  // namespace deconv::media
