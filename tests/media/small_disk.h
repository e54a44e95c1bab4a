// A disk that is soon full.
#pragma once

#include <sys/mount.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <string>

#include "media/media_testing.h"

namespace deconv::testing {

/// A folder that holds so many kibibytes: a file system in memory of that size, which only root may mount.  Elsewhere a
/// limit on the size of files stands in for it, and for all of this process and those it starts, while this lives.
class SmallDisk {
  public:
    explicit SmallDisk(int kib) {
        mounted_ = ::mount("deconv-test", folder_.path().c_str(), "tmpfs", MS_NOSUID | MS_NODEV,
                           ("size=" + std::to_string(kib) + "k").c_str()) == 0;
        if (mounted_) return;
        std::printf(
            "NOTE: no file system can be mounted here: a limit on the size of files stands in for a full disk\n");
        ::getrlimit(RLIMIT_FSIZE, &before_);
        rlimit limit = before_;
        limit.rlim_cur = static_cast<rlim_t>(kib) * 1024;
        ::setrlimit(RLIMIT_FSIZE, &limit);
        handler_ = std::signal(SIGXFSZ, SIG_IGN);
    }
    ~SmallDisk() {
        if (mounted_) {
            ::umount2(folder_.path().c_str(), MNT_DETACH);
        } else {
            ::setrlimit(RLIMIT_FSIZE, &before_);
            std::signal(SIGXFSZ, handler_);
        }
    }
    SmallDisk(const SmallDisk&) = delete;
    SmallDisk& operator=(const SmallDisk&) = delete;

    std::string operator/(const std::string& name) const { return folder_ / name; }
    std::string path() const { return folder_.path(); }
    bool mounted() const { return mounted_; }
    /// What the message of a full disk says.
    std::string fault() const {
        return mounted_ ? "the disk is full (No space left on device)"
                        : "cannot be written any further: File too large";
    }

  private:
    TempDir folder_;
    bool mounted_ = false;
    rlimit before_{};
    void (*handler_)(int) = SIG_DFL;
};

}  // namespace deconv::testing
