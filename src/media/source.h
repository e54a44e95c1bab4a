// Where frames come from: a camera, a stream, a video file, an image, a folder of images, or the built-in demo.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/picture.h"

namespace deconv::media {

struct Frame {
    Picture picture;
    std::int64_t index = 0;  // counted from 0
    double time_s = 0;       // when it is shown: index / fps for files, seconds since opening for live sources
};

/// One source, used by one thread at a time.  Pictures have at most 4096 pixels a side: larger ones are shrunk as they
/// are read.  Their size may change from one frame to the next (a folder's images, a stream).
class Source {
  public:
    virtual ~Source() = default;
    /// The next frame into `frame`, whose memory is used again; false where the source has ended.  Throws Error where
    /// it breaks (a video that cannot be decoded from its first frame on, a camera that was unplugged, a stream that
    /// broke off).  From a stream or camera that has stalled it throws after 5 seconds.
    virtual bool read(Frame& frame) = 0;
    /// The same, as a frame of its own.
    std::optional<Frame> next() {
        std::optional<Frame> frame(std::in_place);
        if (!read(*frame)) frame.reset();
        return frame;
    }
    /// Passes over the next frame, as cheaply as can be; false where there is none.
    virtual bool skip() { return next().has_value(); }
    /// Ends the source, for one that is not waited for any longer: a stream's next() under way returns within a fifth
    /// of a second; a camera's cannot be hurried.  May be called from another thread.
    virtual void cancel() {}
    /// Frames a second to record and show it at; for a camera what it claims, or 30.
    virtual double fps() const = 0;
    /// A live source goes on by itself: its old frames are dropped, never queued.
    virtual bool live() const = 0;
    /// A live source that gives the picture of the moment when it is asked: nothing is read ahead.
    virtual bool on_demand() const { return false; }
    /// Each picture stands for itself (an image, a folder of images), rather than following the one before.
    virtual bool stills() const { return false; }
    /// Frames in all, where that is known.
    virtual std::optional<std::int64_t> count() const = 0;
    /// What a person calls it: a file's name, "camera 0", "demo".
    virtual std::string name() const = 0;
};

/// A camera number, a device path or a stream URL (rtsp://, http://, …).  Throws Error: no such camera (naming those
/// that are there), busy, forbidden, or without colour frames.  A stream that does not answer is given up after 5
/// seconds.  A password in the URL appears neither in name() nor in an Error.
std::unique_ptr<Source> open_camera(const std::string& which);

/// A video file, an image file, a folder of images (in the byte order of their names), or "demo".  Images and folders
/// end after their last picture and count as 30 a second; a video that stops decoding midway ends there; the demo never
/// ends.  Alpha is composited over black.  Throws Error naming the path and what is wrong.
std::unique_ptr<Source> open_input(const std::string& path);

struct CameraDevice {
    std::string path;  // "/dev/video0"
    int index = 0;     // 0: what --camera takes
    std::string name;  // the maker's, "HD Webcam C270"; empty where nothing says it
};

/// The cameras that are there, by number, those that are busy or forbidden too.  Devices whose every format is without
/// colour (sensors for infrared or depth) are passed over.  Each device is opened for a moment: ask when a menu opens,
/// not for every frame.
std::vector<CameraDevice> list_cameras();

/// The demo's frame at `seconds`: deterministic, with edges, gratings, corners, discs, textures and a face-like
/// pattern that move.
Picture draw_demo(int width, int height, double seconds);
/// The same in a picture's own size, over whatever it shows; its alpha stays.
void draw_demo(Picture& picture, double seconds);

}  // namespace deconv::media
