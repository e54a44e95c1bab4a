// Streams by URL, on libavformat.  OpenCV's reader keeps to the first picture's size (4.6 repeats the last picture
// where they grow, and reads past their end where they shrink), and its reads cannot be cancelled.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <opencv2/core/mat.hpp>
#include <string_view>
#include <thread>
#include <utility>

#include "base/error.h"
#include "media/camera_device.h"
#include "media/libav.h"
#include "media/opencv_tools.h"
#include "media/sources.h"

namespace deconv::media {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds open_timeout{5};
constexpr std::chrono::seconds read_timeout{5};
constexpr double assumed_fps = 30;
constexpr std::int64_t most_pixels = std::int64_t{1} << 26;  // of one picture; a hundred megapixels are no camera's

/// A stream's address may hold a password, which belongs neither on the screen nor in a recording.
std::string without_password(const std::string& url) {
    const std::size_t host = url.find("://") + 3;
    const std::size_t end = std::min(url.find('/', host), url.size());
    const std::size_t at = url.rfind('@', end);
    if (at == std::string::npos || at < host) return url;
    return url.substr(0, host) + url.substr(at + 1);
}

/// Pictures of any size and format as BGR, of their own size.
class ToBgr {
  public:
    cv::Mat operator()(const AVFrame& frame) {
        const Layout layout{frame.width, frame.height, frame.format, frame.colorspace, frame.color_range};
        if (!scaler_ || layout != layout_) prepare(layout);
        sws_scale(scaler_.get(), frame.data, frame.linesize, 0, frame.height, bgr_->data, bgr_->linesize);
        return {bgr_->height, bgr_->width, CV_8UC3, bgr_->data[0], static_cast<std::size_t>(bgr_->linesize[0])};
    }

  private:
    struct Layout {
        int width = 0, height = 0, format = 0, colorspace = 0, range = 0;
        bool operator==(const Layout&) const = default;
    };

    void prepare(const Layout& layout) {
        const auto format = static_cast<AVPixelFormat>(layout.format);
        scaler_.reset(sws_getContext(layout.width, layout.height, format, layout.width, layout.height, AV_PIX_FMT_BGR24,
                                     SWS_BILINEAR | SWS_ACCURATE_RND, nullptr, nullptr, nullptr));
        // Memory of libav's own: swscale writes past the end of rows that are not aligned.
        bgr_.reset(av_frame_alloc());
        if (!scaler_ || !bgr_) throw Error("pictures of a kind that cannot be shown");
        bgr_->format = AV_PIX_FMT_BGR24;
        bgr_->width = layout.width;
        bgr_->height = layout.height;
        if (av_frame_get_buffer(bgr_.get(), 0) < 0) throw Error("no memory for its pictures");
        const bool full = layout.range == AVCOL_RANGE_JPEG || format == AV_PIX_FMT_YUVJ420P ||
                          format == AV_PIX_FMT_YUVJ422P || format == AV_PIX_FMT_YUVJ444P;
        constexpr int one = 1 << 16;
        sws_setColorspaceDetails(scaler_.get(), sws_getCoefficients(layout.colorspace), full ? 1 : 0,
                                 sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, one, one);
        layout_ = layout;
    }

    Layout layout_;
    av::Scaler scaler_;
    av::VideoFrame bgr_;
};

class NetworkStream : public Source {
  public:
    explicit NetworkStream(const std::string& url) : name_(without_password(url)) {
        open(url);
        deadline_ = Clock::now() + read_timeout;
        if (!decode()) throw Error(name_ + ": the stream ends before its first picture");
    }

    bool read(Frame& frame) override {
        deadline_ = Clock::now() + read_timeout;
        // The first picture was taken on opening, to know that there are any.
        if (ended_ || (index_ > 0 && !decode())) {
            ended_ = true;
            return false;
        }
        to_picture(to_bgr_(*decoded_), frame.picture);
        frame.index = index_++;
        frame.time_s = std::chrono::duration<double>(Clock::now() - opened_).count();
        return true;
    }
    void cancel() override { cancelled_ = true; }
    double fps() const override { return fps_; }
    bool live() const override { return true; }
    std::optional<std::int64_t> count() const override { return std::nullopt; }
    std::string name() const override { return name_; }

  private:
    bool late() const { return Clock::now() > deadline_; }

    /// Asked by libavformat about ten times a second while it waits for the network.
    static int interrupted(void* stream) {
        const auto* self = static_cast<const NetworkStream*>(stream);
        return self->cancelled_ || self->late() ? 1 : 0;
    }

    [[noreturn]] void fail_to_open(int error) const {
        if (late()) {
            throw Error(name_ + ": did not answer within " + std::to_string(open_timeout.count()) +
                        " seconds; check the address; " + cameras_here(list_cameras()));
        }
        if (error == AVERROR_HTTP_UNAUTHORIZED || error == AVERROR_HTTP_FORBIDDEN) {
            throw Error(name_ +
                        ": asks who you are; put the user's name and password into the address: "
                        "http://NAME:PASSWORD@HOST/");
        }
        throw Error(name_ + ": no video stream there (" + av::error_text(error) +
                    "); check the address and that it is being served; " + cameras_here(list_cameras()));
    }

    void open(const std::string& url) {
        deadline_ = Clock::now() + open_timeout;
        AVFormatContext* context = avformat_alloc_context();
        if (context == nullptr) fail_to_open(AVERROR(ENOMEM));
        context->interrupt_callback = {&NetworkStream::interrupted, this};
        context->flags |= AVFMT_FLAG_NOBUFFER;
        av::Options options;
        // What comes from the network must not have the program read files.
        options.set("protocol_whitelist", "http,https,httpproxy,tls,tcp,udp,rtp,srtp,rtsp,rtmp,rtmps,crypto,data");
        options.set("rtsp_transport", "tcp");
        int error = avformat_open_input(&context, url.c_str(), nullptr, options.address());
        input_.reset(context);  // freed already, and null, where that failed
        if (error < 0) fail_to_open(error);
        // A page of text passes as "terminal art" in libavformat.
        if (std::string_view(input_->iformat->name) == "tty") fail_to_open(AVERROR_INVALIDDATA);
        error = avformat_find_stream_info(input_.get(), nullptr);
        if (error < 0) fail_to_open(error);
        const AVCodec* decoder = nullptr;
        video_ = av_find_best_stream(input_.get(), AVMEDIA_TYPE_VIDEO, -1, -1, &decoder, 0);
        if (video_ < 0 || decoder == nullptr) fail_to_open(video_ < 0 ? video_ : AVERROR_DECODER_NOT_FOUND);

        AVStream* stream = input_->streams[video_];
        for (unsigned i = 0; i < input_->nb_streams; ++i) {
            if (static_cast<int>(i) != video_) input_->streams[i]->discard = AVDISCARD_ALL;
        }
        codec_.reset(avcodec_alloc_context3(decoder));
        packet_.reset(av_packet_alloc());
        decoded_.reset(av_frame_alloc());
        if (!codec_ || !packet_ || !decoded_) fail_to_open(AVERROR(ENOMEM));
        error = avcodec_parameters_to_context(codec_.get(), stream->codecpar);
        if (error < 0) fail_to_open(error);
        // Threads by frame would hold pictures back.
        codec_->thread_count = 0;
        codec_->thread_type = FF_THREAD_SLICE;
        codec_->flags |= AV_CODEC_FLAG_LOW_DELAY;
        codec_->pkt_timebase = stream->time_base;
        codec_->max_pixels = most_pixels;
        error = avcodec_open2(codec_.get(), decoder, nullptr);
        if (error < 0) fail_to_open(error);

        // A format without times of its own (MJPEG over HTTP) claims a rate that libavformat made up.
        const bool timed = (input_->iformat->flags & AVFMT_NOTIMESTAMPS) == 0;
        const AVRational rate = av_guess_frame_rate(input_.get(), stream, nullptr);
        if (timed && rate.num > 0 && rate.den > 0 && av_q2d(rate) >= 1 && av_q2d(rate) <= 1000) fps_ = av_q2d(rate);
    }

    /// The next picture into decoded_; false where the stream has ended.  Damaged ones are passed over.
    bool decode() {
        while (!cancelled_) {
            const int decoded = avcodec_receive_frame(codec_.get(), decoded_.get());
            if (decoded == 0) return true;
            if (decoded == AVERROR_EOF) return false;
            if (late()) {
                throw Error(name_ + ": gave no picture for " + std::to_string(read_timeout.count()) +
                            " seconds; is it still connected?");
            }
            if (decoded == AVERROR(EAGAIN) && !send_packet()) return false;
        }
        return false;
    }

    /// Hands one packet to the decoder; false where the stream has ended.
    bool send_packet() {
        const int error = av_read_frame(input_.get(), packet_.get());
        if (error == AVERROR_EOF || cancelled_) return false;
        if (error == AVERROR(EAGAIN)) {
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
            return true;
        }
        if (error < 0) {
            if (late()) return true;  // decode() says so
            // So ends HTTP that gave no length beforehand, as live streams do.
            if (error == AVERROR(EIO)) return false;
            throw Error(name_ + ": the stream broke off: " + av::error_text(error));
        }
        if (packet_->stream_index == video_) avcodec_send_packet(codec_.get(), packet_.get());
        av_packet_unref(packet_.get());
        return true;
    }

    std::string name_;
    std::atomic<bool> cancelled_ = false;
    Clock::time_point deadline_, opened_ = Clock::now();
    av::Input input_;  // asks those above while it is closed
    av::CodecContext codec_;
    av::Packet packet_;
    av::VideoFrame decoded_;
    ToBgr to_bgr_;
    int video_ = -1;
    double fps_ = assumed_fps;
    std::int64_t index_ = 0;
    bool ended_ = false;
};

}  // namespace

std::unique_ptr<Source> open_stream(const std::string& url) {
    quiet_libraries();
    return std::make_unique<NetworkStream>(url);
}

}  // namespace deconv::media
