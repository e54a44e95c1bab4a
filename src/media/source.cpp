#include "media/source.h"

#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "base/error.h"
#include "media/image_file.h"
#include "media/sources.h"

namespace deconv::media {

std::unique_ptr<Source> open_input(const std::string& path) {
    namespace fs = std::filesystem;
    if (path == "demo") return open_demo();
    if (path.empty()) throw Error("no input given; give a video, an image, a folder of images, or demo");
    if (path.find("://") != std::string::npos) throw Error(path + ": is a stream; open it with --camera " + path);

    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (!fs::exists(status)) {
        if (error && error != std::errc::no_such_file_or_directory && error != std::errc::not_a_directory) {
            throw Error(path + ": cannot be opened: " + error.message());
        }
        throw Error(path + ": no such file or folder; give a video, an image, a folder of images, or demo");
    }
    if (fs::is_character_file(status)) throw Error(path + ": is a device; open a camera with --camera " + path);
    if (::access(path.c_str(), R_OK) != 0) throw Error(path + ": may not be read; check its permissions");
    if (fs::is_directory(status)) return open_folder(path);
    if (!fs::is_regular_file(status)) throw Error(path + ": is neither a file nor a folder");
    if (fs::file_size(path, error) == 0) throw Error(path + ": is empty");

    // Films of JPEGs one after another begin like a JPEG.
    const std::string extension = fs::path(path).extension().string();
    const bool film = extension == ".mjpg" || extension == ".mjpeg";
    return !film && is_image(path) ? open_image(path) : open_video(path);
}

}  // namespace deconv::media
