#include "media/encoder.h"

#include <cstdint>

#include "base/error.h"

namespace deconv::media {
namespace {

void set_quality(AVCodecContext& codec, const std::string& encoder, av::Options& options) {
    if (encoder == "libx264") {
        options.set("preset", "veryfast");
        options.set("tune", "zerolatency");
        options.set("crf", "20");
    } else if (encoder == "libopenh264") {
        codec.bit_rate = std::int64_t{codec.width} * codec.height * 10;  // about 3 Mbit/s at 640 × 480
    } else if (encoder == "mpeg4") {
        codec.flags |= AV_CODEC_FLAG_QSCALE;
        codec.global_quality = 3 * FF_QP2LAMBDA;
    }
}

/// 0, or libav's error.
int open(const AVCodec* encoder, int width, int height, AVRational rate, av::CodecContext& opened) {
    av::CodecContext context(avcodec_alloc_context3(encoder));
    if (!context) return AVERROR(ENOMEM);
    context->width = width;
    context->height = height;
    context->pix_fmt = AV_PIX_FMT_YUV420P;
    context->time_base = av_inv_q(rate);
    context->framerate = rate;
    context->gop_size = key_frame_every;
    context->max_b_frames = 0;
    context->sample_aspect_ratio = {1, 1};
    // What swscale's default conversion makes, said so that players need not guess by the size.
    context->colorspace = AVCOL_SPC_SMPTE170M;
    context->color_range = AVCOL_RANGE_MPEG;
    context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    av::Options options;
    set_quality(*context, encoder->name, options);
    const int error = avcodec_open2(context.get(), encoder, options.address());
    if (error >= 0) opened = std::move(context);
    return error < 0 ? error : 0;
}

}  // namespace

void require_encoder(std::span<const char* const> names) {
    std::string all;
    for (const char* name : names) {
        if (avcodec_find_encoder_by_name(name) != nullptr) return;
        all += (all.empty() ? "" : ", ") + std::string(name);
    }
    throw Error("FFmpeg has no encoder to record with (none of " + all +
                "); install a libavcodec with libx264 (Debian, Ubuntu: sudo apt install libavcodec-extra)");
}

av::CodecContext open_encoder(std::span<const char* const> names, int width, int height, AVRational rate) {
    require_encoder(names);
    std::string refusals;
    for (const char* name : names) {
        const AVCodec* encoder = avcodec_find_encoder_by_name(name);
        if (encoder == nullptr) continue;
        av::CodecContext opened;
        const int error = open(encoder, width, height, rate, opened);
        if (error == 0) return opened;
        refusals += (refusals.empty() ? "" : "; ") + std::string(name) + ": " + av::error_text(error);
    }
    throw Error("no encoder takes pictures of " + std::to_string(width) + " x " + std::to_string(height) + " (" +
                refusals + "); choose a source or a --size that makes smaller ones");
}

}  // namespace deconv::media
