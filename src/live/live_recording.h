// A recording of a live view: pictures come when they come, the file has one for every tick of its clock.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "media/sink.h"

namespace deconv::live {

/// The newest picture is repeated until another comes, so that the file's time is true whatever the network's rate.
/// Encodes on a thread of its own; nobody waits for it.
class LiveRecording {
  public:
    /// Throws Error where the file cannot be begun.
    LiveRecording(const std::string& path, double fps, media::Metadata metadata);
    /// Finishes the file; errors are swallowed here, see finish().
    ~LiveRecording();
    LiveRecording(const LiveRecording&) = delete;
    LiveRecording& operator=(const LiveRecording&) = delete;

    /// The newest picture, which is kept until another takes its place; any thread.  Those of another size than the
    /// first are fitted into it.
    void show(std::shared_ptr<const Picture> picture);
    void show(Picture picture);
    /// What ended the recording early (disk full, encoder failed), or nothing.  What was written stays and plays.
    std::string failure() const;
    /// Closes the file.  Throws the recorder's Error.
    void finish();

    const std::string& path() const;
    double seconds() const;  // since it began
    std::int64_t bytes() const;

  private:
    struct Shared;
    std::unique_ptr<Shared> shared_;
};

}  // namespace deconv::live
