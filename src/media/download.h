// Fetching one file whose size and SHA-256 are known beforehand.
//
// It grows as PATH.part, which is kept when a transfer breaks off or the program is killed, and is continued by the
// next one.  Only what has the right size and SHA-256 is given the name PATH: whatever a server sends, nothing wrong
// ever stands there.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace deconv::media {

struct DownloadRequest {
    std::vector<std::string>
        sources;       // tried in order: addresses (http://, https://) or paths of files on this machine
    std::string path;  // the file's name in the end; its folder must exist
    std::uint64_t bytes = 0;
    std::string sha256;  // 64 hexadecimal digits, in lower case
    /// Called once the content is proved, before it gets its name: what must stand beside it is made here.
    std::function<void()> before_naming;

    std::chrono::milliseconds connect_timeout{20000};
    std::chrono::milliseconds stall_timeout{
        30000};                            // a server that sends less than a kilobyte in this time has stalled
    std::chrono::milliseconds pause{500};  // before a transfer that broke off is taken up again
    int attempts = 4;                      // in a row at one address that bring next to nothing
};

struct DownloadProgress {
    std::uint64_t done = 0, total = 0;  // bytes, what an earlier run left included
    double rate = 0.0;                  // bytes a second, smoothed; 0 while unknown
    bool verifying = false;             // done counts the bytes that were checked
};
/// Called about ten times a second, also while nothing arrives, on the thread that called download().  False stops.
using DownloadCallback = std::function<bool(const DownloadProgress&)>;

struct DownloadResult {
    enum class End { fetched, already_there, cancelled };
    End end = End::fetched;
    std::string source;  // where it came from
    std::uint64_t received =
        0;  // bytes that came in this run; fewer than the file's where an earlier one was continued
};

/// Blocks until the file stands under its name or was found there with the right content, or the callback said no (then
/// PATH.part is kept).  Throws Error, in one line, where no source gave it (naming each and why), where the disk is
/// full (PATH.part is kept), where another file stands under the name, or where another process is fetching it.
/// Thread-safe; two calls for the same path exclude each other.
DownloadResult download(const DownloadRequest& request, const DownloadCallback& progress = {});

/// "4.7 MiB".
std::string format_bytes(double bytes);

}  // namespace deconv::media
