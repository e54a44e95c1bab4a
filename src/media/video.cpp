// Video files: what libavformat says of them, pictures by OpenCV.
#include <filesystem>
#include <opencv2/videoio.hpp>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "media/libav.h"
#include "media/opencv_tools.h"
#include "media/sources.h"

namespace deconv::media {
namespace {

struct Probe {
    double fps = 30;
    std::optional<std::int64_t> frames;
};

/// OpenCV only says that a file does not open, and makes up a number of frames where the container has none.
Probe probe(const std::string& path, const std::string& absolute) {
    av::Options options;
    // A file may be a playlist: it must not make the program fetch things.
    options.set("protocol_whitelist", "file,crypto,data");
    AVFormatContext* opened = nullptr;
    const int error = avformat_open_input(&opened, ("file:" + absolute).c_str(), nullptr, options.address());
    const av::Input input(opened);
    const std::string advice = "; it is cut short, damaged or of an unknown kind";
    if (error < 0) {
        throw Error(path + ": cannot be read as an image or a video (" + av::error_text(error) + ")" + advice);
    }
    // Plain text passes as "terminal art" in libavformat.
    if (std::string_view(input->iformat->name) == "tty") {
        throw Error(path + ": is text, neither an image nor a video");
    }
    if (avformat_find_stream_info(input.get(), nullptr) < 0) {
        throw Error(path + ": cannot be read as a video" + advice);
    }
    const int best = av_find_best_stream(input.get(), AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
    if (best < 0) throw Error(path + ": holds no video that can be decoded");
    AVStream* stream = input->streams[best];

    Probe result;
    const AVRational rate = av_guess_frame_rate(input.get(), stream, nullptr);
    if (rate.num > 0 && rate.den > 0 && av_q2d(rate) <= 1000) result.fps = av_q2d(rate);
    if (stream->nb_frames > 0) result.frames = stream->nb_frames;
    return result;
}

class Video : public Source {
  public:
    explicit Video(const std::string& path) : path_(path) {
        // Absolute, so that a colon in the name is not taken for a protocol.
        const std::string absolute = std::filesystem::absolute(path).string();
        probe_ = probe(path, absolute);
        // The first frame is decoded now: what is wrong is said before a network is loaded.
        if (!capture_.open(absolute, cv::CAP_FFMPEG) || !capture_.read(pixels_)) {
            throw Error(path +
                        ": cannot be read as an image or a video: not one picture of it can be decoded; it is damaged "
                        "or of an unknown kind");
        }
    }

    /// A video that stops decoding midway ends there, as players do.
    bool read(Frame& frame) override {
        if (index_ > 0 && !ended_) ended_ = !decode();
        if (ended_) return false;
        to_picture(pixels_, frame.picture);
        frame.index = index_++;
        frame.time_s = static_cast<double>(frame.index) / probe_.fps;
        return true;
    }
    double fps() const override { return probe_.fps; }
    bool live() const override { return false; }
    std::optional<std::int64_t> count() const override { return probe_.frames; }
    std::string name() const override { return std::filesystem::path(path_).filename().string(); }

  private:
    bool decode() {
        try {
            return capture_.read(pixels_) && !pixels_.empty();
        } catch (const cv::Exception&) {
            return false;
        }
    }

    std::string path_;
    Probe probe_;
    cv::VideoCapture capture_;
    cv::Mat pixels_;
    std::int64_t index_ = 0;
    bool ended_ = false;
};

}  // namespace

std::unique_ptr<Source> open_video(const std::string& path) {
    quiet_libraries();
    return std::make_unique<Video>(path);
}

}  // namespace deconv::media
