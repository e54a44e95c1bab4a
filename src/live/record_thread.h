// A recorder on a thread of its own, so that encoding does not hold the network up.
#pragma once

#include <memory>
#include <string>

#include "live/stages.h"
#include "media/sink.h"

namespace deconv::live {

/// Pictures go in, in order; when four wait, the caller waits too.
class RecordThread {
  public:
    explicit RecordThread(std::unique_ptr<media::Recorder> recorder);
    /// Finishes the file; errors are swallowed here, see finish().
    ~RecordThread();
    RecordThread(const RecordThread&) = delete;
    RecordThread& operator=(const RecordThread&) = delete;

    /// Keeps the picture until it is written.  Throws the recorder's Error once it has failed.
    void add(std::shared_ptr<const Picture> picture);
    /// Waits until everything is written and the file is closed.  Throws the recorder's Error.
    void finish();
    /// Milliseconds that pictures took to encode and write, once finished.
    const Samples& times_ms() const;

  private:
    struct Shared;
    std::unique_ptr<Shared> shared_;
};

}  // namespace deconv::live
