// H.264 in Matroska on libavformat, laid out so that a killed program leaves a file that plays: a key frame every half
// second, no reordering, clusters of half a second, each handed to the kernel at once.
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include "base/error.h"
#include "media/encoder.h"
#include "media/libav.h"
#include "media/opencv_tools.h"
#include "media/sink.h"

namespace deconv::media {
namespace {

using Clock = std::chrono::steady_clock;

/// What was encoded longer ago than this is in the kernel's hands.
constexpr std::chrono::milliseconds flush_every{500};

/// Whole rates and those of NTSC (29.97 is 30000/1001) exactly, others to a thousandth.
AVRational exact_rate(double fps) {
    const double whole = std::round(fps);
    if (whole >= 1 && std::abs(fps - whole) < 1e-5 * fps) return {static_cast<int>(whole), 1};
    const double ntsc = std::round(fps * 1.001);
    if (ntsc >= 10 && std::abs(fps - ntsc / 1.001) < 2e-4 * fps) return {static_cast<int>(ntsc) * 1000, 1001};
    return av_d2q(fps, 100000);
}

bool named_mkv(const std::string& path) {
    std::string extension = std::filesystem::path(path).extension().string();
    for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return extension == ".mkv";
}

}  // namespace

struct Recorder::Impl {
    std::string path;
    AVRational rate{};
    Metadata metadata;

    av::Output output;  // closed before the codec goes
    av::CodecContext codec;
    av::VideoFrame yuv;
    av::Packet packet;
    av::Scaler scaler;
    AVStream* stream = nullptr;  // output's

    int width = 0;  // of the pictures, before padding
    int height = 0;
    std::vector<std::uint8_t> padded;
    std::int64_t frames = 0;
    std::int64_t bytes = 0;
    std::int64_t header = 0;    // of them, before the first picture
    Clock::time_point written;  // when the file last grew
    bool finished = false;

    [[noreturn]] void fail(const std::string& what, int error) const {
        throw Error(path + ": " + what + ": " + av::error_text(error));
    }
    /// With a hint at what is left, where that is anything.
    [[noreturn]] void fail_midway(const std::string& what, int error) const {
        const bool full = error == AVERROR(ENOSPC) || error == AVERROR(EDQUOT);
        const std::string why =
            full ? "the disk is full (" + av::error_text(error) + ")" : what + ": " + av::error_text(error);
        throw Error(path + ": " + why + (bytes > header ? "; what was written plays" : ""));
    }

    void open_file();
    void open(const Picture& picture);
    void convert(const Picture& picture);
    void encode(const AVFrame* frame);
    void check_written();
    void abandon();
};

void Recorder::Impl::open_file() {
    AVFormatContext* made = nullptr;
    int error = avformat_alloc_output_context2(&made, nullptr, "matroska", path.c_str());
    output.reset(made);
    if (error < 0) fail("cannot be recorded to", error);
    stream = avformat_new_stream(output.get(), nullptr);
    if (stream == nullptr) fail("cannot be recorded to", AVERROR(ENOMEM));
    stream->time_base = codec->time_base;
    stream->avg_frame_rate = rate;
    error = avcodec_parameters_from_context(stream->codecpar, codec.get());
    if (error < 0) fail("cannot be recorded to", error);
    for (const auto& [key, value] : metadata) av_dict_set(&output->metadata, key.c_str(), value.c_str(), 0);
    output->flags |= AVFMT_FLAG_FLUSH_PACKETS;

    // "file:" because a colon in a name is not a protocol.
    error = avio_open(&output->pb, ("file:" + path).c_str(), AVIO_FLAG_WRITE);
    if (error < 0) fail("cannot be written", error);
    av::Options options;
    options.set("cluster_time_limit", "500");
    error = avformat_write_header(output.get(), options.address());
    avio_flush(output->pb);
    if (error >= 0) error = output->pb->error;
    if (error < 0) fail("cannot be written", error);
    header = bytes = avio_tell(output->pb);
    written = Clock::now();
}

void Recorder::Impl::open(const Picture& picture) {
    width = picture.width;
    height = picture.height;
    try {
        codec = open_encoder(recording_encoders, width + width % 2, height + height % 2, rate);
    } catch (const Error& error) {
        throw Error(path + ": " + error.what());
    }
    yuv.reset(av_frame_alloc());
    packet.reset(av_packet_alloc());
    if (!yuv || !packet) fail("cannot be recorded to", AVERROR(ENOMEM));
    yuv->format = codec->pix_fmt;
    yuv->width = codec->width;
    yuv->height = codec->height;
    if (const int error = av_frame_get_buffer(yuv.get(), 0); error < 0) fail("cannot be recorded to", error);
    scaler.reset(sws_getContext(codec->width, codec->height, AV_PIX_FMT_RGBA, codec->width, codec->height,
                                codec->pix_fmt, SWS_BILINEAR | SWS_ACCURATE_RND, nullptr, nullptr, nullptr));
    if (!scaler) fail("cannot be recorded to", AVERROR(EINVAL));
    open_file();
}

void Recorder::Impl::convert(const Picture& picture) {
    const std::uint8_t* pixels = picture.rgba.data();
    if (codec->width != width || codec->height != height) {
        // Half-size colour needs even sizes: the last column and row are repeated.
        const std::size_t row = std::size_t{4} * static_cast<std::size_t>(codec->width);
        padded.resize(row * static_cast<std::size_t>(codec->height));
        for (int y = 0; y < codec->height; ++y) {
            std::uint8_t* to = padded.data() + row * static_cast<std::size_t>(y);
            const int from_row = std::min(y, height - 1);
            std::memcpy(to, picture.pixel(0, from_row), std::size_t{4} * static_cast<std::size_t>(width));
            std::memcpy(to + row - 4, picture.pixel(width - 1, from_row), 4);
        }
        pixels = padded.data();
    }
    // The encoder may still hold the last frame's memory.
    if (const int error = av_frame_make_writable(yuv.get()); error < 0) fail("cannot be recorded to", error);
    const int stride = 4 * codec->width;
    sws_scale(scaler.get(), &pixels, &stride, 0, codec->height, yuv->data, yuv->linesize);
}

void Recorder::Impl::check_written() {
    avio_flush(output->pb);
    if (output->pb->error < 0) fail_midway("cannot be written any further", output->pb->error);
    const std::int64_t now = avio_tell(output->pb);
    if (now > bytes) written = Clock::now();
    bytes = std::max(bytes, now);
}

/// Sends one frame, or nullptr for the end, and writes the packets that are ready.
void Recorder::Impl::encode(const AVFrame* frame) {
    int error = avcodec_send_frame(codec.get(), frame);
    while (error >= 0) {
        error = avcodec_receive_packet(codec.get(), packet.get());
        if (error == AVERROR(EAGAIN) || error == AVERROR_EOF) return;
        if (error < 0) break;
        packet->duration = 1;
        av_packet_rescale_ts(packet.get(), codec->time_base, stream->time_base);
        packet->stream_index = stream->index;
        error = av_write_frame(output.get(), packet.get());
        av_packet_unref(packet.get());
        check_written();
        // Clusters are counted in the film's time; pictures may come more slowly.
        if (error >= 0 && Clock::now() - written >= flush_every) {
            error = av_write_frame(output.get(), nullptr);
            check_written();
        }
    }
    fail_midway("encoding failed", error);
}

/// Nothing more can be added.  A file that holds no picture yet is taken away again.
void Recorder::Impl::abandon() {
    finished = true;
    const bool made = output != nullptr && output->pb != nullptr;
    output.reset();
    std::error_code ignored;
    if (made && frames == 0 && std::filesystem::is_regular_file(path, ignored)) {
        std::filesystem::remove(path, ignored);
    }
}

Recorder::Recorder(std::string path, double fps, Metadata metadata) : impl_(std::make_unique<Impl>()) {
    quiet_libraries();
    if (!(fps > 0 && fps <= 1000)) throw Error(path + ": cannot be recorded at " + std::to_string(fps) + " frames/s");
    if (!named_mkv(path)) throw Error(path + ": recordings are Matroska files; give a name that ends in .mkv");
    check_writable(path);
    try {
        require_encoder(recording_encoders);
    } catch (const Error& error) {
        throw Error(path + ": " + error.what());
    }
    impl_->path = std::move(path);
    impl_->rate = exact_rate(fps);
    impl_->metadata = std::move(metadata);
}

Recorder::~Recorder() {
    try {
        finish();
    } catch (const Error&) {  // what was written plays; whoever wants to know calls finish()
    }
}

void Recorder::add(const Picture& picture) {
    Impl& r = *impl_;
    if (r.finished) throw Error(r.path + ": the recording has ended");
    const auto needed = std::size_t{4} * static_cast<std::size_t>(std::max(picture.width, 0)) *
                        static_cast<std::size_t>(std::max(picture.height, 0));
    if (needed == 0 || picture.rgba.size() != needed) throw Error(r.path + ": there is no picture to record");
    const bool fits = r.stream == nullptr || (picture.width == r.width && picture.height == r.height);
    if (!fits) {
        throw Error(r.path + ": a recording keeps its size, " + std::to_string(r.width) + " x " +
                    std::to_string(r.height) + "; a picture of " + std::to_string(picture.width) + " x " +
                    std::to_string(picture.height) + " does not fit");
    }
    try {
        if (r.stream == nullptr) r.open(picture);
        r.convert(picture);
        r.yuv->pts = r.frames;
        r.encode(r.yuv.get());
    } catch (const Error&) {
        r.abandon();
        throw;
    }
    ++r.frames;
}

void Recorder::finish() {
    Impl& r = *impl_;
    if (std::exchange(r.finished, true) || !r.output) return;
    r.encode(nullptr);
    const int error = av_write_trailer(r.output.get());
    r.check_written();
    if (error < 0) r.fail("the recording could not be closed", error);
    const int closed = avio_closep(&r.output->pb);
    r.output.reset();
    if (closed < 0) r.fail("the recording could not be closed", closed);
}

std::int64_t Recorder::frames() const {
    return impl_->frames;
}

std::int64_t Recorder::bytes() const {
    return impl_->bytes;
}

}  // namespace deconv::media
