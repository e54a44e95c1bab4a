// A recorder on a thread of its own, so that encoding does not hold the network up.
#pragma once

#include <memory>
#include <string>
#include <vector>

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

    /// Throws the recorder's Error once it has failed.
    void add(Picture picture);
    /// Waits until everything is written and the file is closed.  Throws the recorder's Error.
    void finish();
    /// Milliseconds that each picture took to encode and write, once finished.
    const std::vector<double>& times_ms() const;

  private:
    struct Shared;
    std::unique_ptr<Shared> shared_;
};

}  // namespace deconv::live
