#include "media/download.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <thread>

#include "base/error.h"
#include "base/sha256.h"
#include "media/part_file.h"

namespace deconv::media {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds tick_time{100};
constexpr std::uint64_t stall_bytes = 1024;                          // less than this in stall_timeout has stalled
constexpr std::uint64_t worthwhile_bytes = std::uint64_t{1} << 20U;  // a broken transfer that brought so much counts
constexpr long most_redirects = 5;

/// What came of one try at one source.
enum class Outcome {
    complete,     // the file has its size
    interrupted,  // broke off: what came is kept, and can be continued
    restart,      // cannot be continued here: from the beginning
    refused,      // this source will not do
    cancelled
};

/// Tells the caller how far it is, and hears whether to go on.
class Meter {
  public:
    Meter(std::uint64_t total, const DownloadCallback& callback) : callback_(callback) { progress_.total = total; }

    /// Not more often than callers need.  Once it was false it stays so.
    bool tick(std::uint64_t done, bool verifying = false) {
        const Clock::time_point now = Clock::now();
        if (stopped_ || (now - last_ < tick_time && verifying == progress_.verifying)) return !stopped_;
        if (verifying || done < progress_.done) {
            sampled_.reset();
        } else if (!sampled_) {
            sampled_ = {now, done};
        } else if (const double seconds = std::chrono::duration<double>(now - sampled_->first).count(); seconds > 0.5) {
            const double rate = static_cast<double>(done - sampled_->second) / seconds;
            progress_.rate = progress_.rate > 0.0 ? 0.7 * progress_.rate + 0.3 * rate : rate;
            sampled_ = {now, done};
        }
        last_ = now;
        progress_.done = done;
        progress_.verifying = verifying;
        if (callback_ && !callback_(progress_)) stopped_ = true;
        return !stopped_;
    }
    bool stopped() const { return stopped_; }

  private:
    const DownloadCallback& callback_;
    DownloadProgress progress_;
    Clock::time_point last_;
    std::optional<std::pair<Clock::time_point, std::uint64_t>> sampled_;
    bool stopped_ = false;
};

struct EasyClose {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct MultiClose {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};

/// One HTTP request, continued at the part's end, answered into the part.
class Transfer {
  public:
    Transfer(const std::string& address, const DownloadRequest& request, PartFile& part, Meter& meter)
        : address_(address), request_(request), part_(part), meter_(meter), offset_(part.size()) {}

    Outcome run();
    const std::string& reason() const { return reason_; }
    std::uint64_t received() const { return received_; }
    /// The server sent the file from the beginning although it was asked for the rest.
    bool began_anew() const { return began_anew_; }

  private:
    void set_up(CURL* easy);
    /// Null where all went well as far as the transfer knows.
    std::optional<CURLcode> perform();
    bool stalled();

    // What libcurl calls; no exception may leave them.
    static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self);
    static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self);
    bool header(const std::string& line);
    bool headers_end();
    bool body(const char* data, std::size_t count);
    bool stop(Outcome outcome, std::string reason) {
        verdict_ = outcome;
        reason_ = std::move(reason);
        return false;
    }

    const std::string& address_;
    const DownloadRequest& request_;
    PartFile& part_;
    Meter& meter_;
    std::uint64_t offset_;
    std::uint64_t received_ = 0;
    bool began_anew_ = false;
    std::unique_ptr<CURL, EasyClose> easy_;
    std::array<char, CURL_ERROR_SIZE> message_{};
    std::string range_;
    std::string content_range_, content_length_;  // of the answer whose headers are being read
    std::optional<Outcome> verdict_;              // where this code stopped the transfer
    std::exception_ptr failure_;                  // the disk's
    std::string reason_;
    Clock::time_point window_;
    std::uint64_t window_received_ = 0;
};

void Transfer::set_up(CURL* easy) {
    curl_easy_setopt(easy, CURLOPT_URL, address_.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, most_redirects);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request_.connect_timeout.count()));
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // a cancelled transfer does not wait for a slow name server
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "deconv-live/" DECONV_VERSION);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, message_.data());
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
    if (offset_ > 0) {
        // Not CURLOPT_RESUME_FROM: libcurl would fail where a server ignores it, instead of telling.
        range_ = std::to_string(offset_) + "-";
        curl_easy_setopt(easy, CURLOPT_RANGE, range_.c_str());
    }
}

std::optional<CURLcode> Transfer::perform() {
    const std::unique_ptr<CURLM, MultiClose> multi(curl_multi_init());
    curl_multi_add_handle(multi.get(), easy_.get());
    window_ = Clock::now();
    int running = 1;
    while (running > 0) {
        if (curl_multi_perform(multi.get(), &running) != CURLM_OK) {
            stop(Outcome::refused, "libcurl failed");
            break;
        }
        if (!meter_.tick(part_.size())) {
            stop(Outcome::cancelled, "stopped");
            break;
        }
        if (running > 0 && stalled()) {
            stop(Outcome::interrupted, "the server sends nothing any more");
            break;
        }
        if (running > 0) curl_multi_poll(multi.get(), nullptr, 0, static_cast<int>(tick_time.count()), nullptr);
    }
    std::optional<CURLcode> code;
    int left = 0;
    if (const CURLMsg* message = curl_multi_info_read(multi.get(), &left); message != nullptr) {
        code = message->data.result;
    }
    curl_multi_remove_handle(multi.get(), easy_.get());
    return code;
}

bool Transfer::stalled() {
    const Clock::time_point now = Clock::now();
    if (now - window_ < request_.stall_timeout) return false;
    const bool too_little = received_ - window_received_ < stall_bytes;
    window_ = now;
    window_received_ = received_;
    return too_little;
}

Outcome Transfer::run() {
    static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
    easy_.reset(global == CURLE_OK ? curl_easy_init() : nullptr);
    if (!easy_) throw Error("libcurl cannot be started");
    set_up(easy_.get());
    const CURLcode code = perform().value_or(CURLE_ABORTED_BY_CALLBACK);
    if (failure_) std::rethrow_exception(failure_);
    if (verdict_) return *verdict_;
    if (code == CURLE_OK) {
        if (part_.size() == request_.bytes) return Outcome::complete;
        reason_ = "ended after " + std::to_string(part_.size()) + " of " + std::to_string(request_.bytes) + " bytes";
        return Outcome::interrupted;
    }
    reason_ = message_[0] != '\0' ? message_.data() : curl_easy_strerror(code);
    switch (code) {
        case CURLE_PARTIAL_FILE:
        case CURLE_RECV_ERROR:
        case CURLE_SEND_ERROR:
        case CURLE_GOT_NOTHING:
        case CURLE_HTTP2:
        case CURLE_HTTP2_STREAM:
            return Outcome::interrupted;
        default:
            return Outcome::refused;
    }
}

std::size_t Transfer::on_header(char* data, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    try {
        return transfer.header({data, size * count}) ? size * count : 0;
    } catch (...) {
        transfer.failure_ = std::current_exception();
        return 0;
    }
}

std::size_t Transfer::on_body(char* data, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    try {
        return transfer.body(data, size * count) ? size * count : 0;
    } catch (...) {
        transfer.failure_ = std::current_exception();
        return 0;
    }
}

bool Transfer::header(const std::string& line) {
    if (line.starts_with("HTTP/")) {
        content_range_.clear();
        content_length_.clear();
        return true;
    }
    if (line.find_first_not_of("\r\n") == std::string::npos) return headers_end();
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) return true;
    std::string name = line.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    std::string value = line.substr(std::min(line.find_first_not_of(" \t", colon + 1), line.size()));
    value.erase(value.find_last_not_of(" \t\r\n") + 1);
    if (name == "content-range") content_range_ = value;
    if (name == "content-length") content_length_ = value;
    return true;
}

/// What the answer says of itself decides before a byte of it is taken.
bool Transfer::headers_end() {
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status < 200 || (status >= 300 && status < 400)) return true;  // a redirection: libcurl goes on
    const std::string total = std::to_string(request_.bytes);
    if (status == 200) {
        if (!content_length_.empty() && content_length_ != total) {
            return stop(Outcome::refused, "the file there has " + content_length_ + " bytes, not " + total);
        }
        if (offset_ > 0) {
            part_.clear();
            began_anew_ = true;
            offset_ = 0;
        }
        return true;
    }
    if (status == 206 && offset_ > 0) {
        const std::string expected =
            "bytes " + std::to_string(offset_) + "-" + std::to_string(request_.bytes - 1) + "/";
        if (content_range_ == expected + total || content_range_ == expected + "*") return true;
        return stop(Outcome::restart, "another range than asked for (" + content_range_ + ")");
    }
    if (status == 416 && offset_ > 0) return stop(Outcome::restart, "HTTP 416");
    return stop(Outcome::refused, "HTTP " + std::to_string(status));
}

bool Transfer::body(const char* data, std::size_t count) {
    received_ += count;
    if (count > request_.bytes - part_.size()) {
        // Nothing of it can be trusted to be the file.
        part_.clear();
        return stop(Outcome::refused, "sends more than the " + std::to_string(request_.bytes) + " bytes expected");
    }
    part_.append(data, count);
    return true;
}

/// One download: the part, and what is known of the sources so far.
class Download {
  public:
    Download(const DownloadRequest& request, Meter& meter) : request_(request), meter_(meter), part_(request.path) {
        if (part_.size() > request.bytes) part_.clear();
        check_room();
    }

    DownloadResult run() {
        std::string failures;
        for (const std::string& source : request_.sources) {
            const Outcome outcome = obtain(source);
            if (outcome == Outcome::cancelled) return {DownloadResult::End::cancelled, {}, received_};
            if (outcome == Outcome::complete) {
                if (request_.before_naming) request_.before_naming();
                part_.commit();
                return {DownloadResult::End::fetched, source, received_};
            }
            failures += (failures.empty() ? "" : "; ") + source + ": " + reason_;
        }
        throw Error(request_.path + ": not fetched: " + failures);
    }

  private:
    void check_room() const {
        std::error_code unknown;
        const fs::space_info space = fs::space(fs::path(part_.path()).parent_path(), unknown);
        const std::uint64_t missing = request_.bytes - part_.size();
        if (!unknown && space.available < missing) {
            throw Error(request_.path + ": the disk is full: " + format_bytes(static_cast<double>(missing)) +
                        " are needed, " + format_bytes(static_cast<double>(space.available)) + " are free");
        }
    }

    /// Complete means proved.
    Outcome obtain(const std::string& source) {
        const bool address = source.starts_with("http://") || source.starts_with("https://");
        // A wrong end of what another source began says nothing against this one: it is then asked for all of it.
        bool all_from_here = part_.size() == 0;
        int attempts = 0;
        while (true) {
            if (part_.size() < request_.bytes) {
                const std::uint64_t before = part_.size();
                Outcome outcome = address ? transfer(source, all_from_here) : copy(source);
                if (outcome == Outcome::restart) {
                    all_from_here = true;
                    part_.clear();
                }
                if (outcome == Outcome::restart || outcome == Outcome::interrupted) {
                    if (part_.size() >= before + worthwhile_bytes) attempts = 0;
                    if (++attempts >= request_.attempts) return Outcome::refused;
                    if (outcome == Outcome::interrupted && !rest()) return Outcome::cancelled;
                    continue;
                }
                if (outcome != Outcome::complete) return outcome;
            }
            const std::string found =
                sha256_of_file(part_.path(), [this](std::uint64_t checked) { return meter_.tick(checked, true); });
            if (meter_.stopped()) return Outcome::cancelled;
            if (found == request_.sha256) return Outcome::complete;
            part_.clear();
            if (all_from_here || !address) {
                reason_ = "its content is not the one expected (SHA-256 " + found.substr(0, 12) + "…)";
                return Outcome::refused;
            }
            all_from_here = true;
        }
    }

    Outcome transfer(const std::string& source, bool& all_from_here) {
        Transfer transfer(source, request_, part_, meter_);
        const Outcome outcome = transfer.run();
        received_ += transfer.received();
        reason_ = transfer.reason();
        if (transfer.began_anew()) all_from_here = true;
        return outcome;
    }

    Outcome copy(const std::string& source) {
        const auto refuse = [this](const std::string& why) {
            reason_ = why;
            return Outcome::refused;
        };
        std::error_code error;
        if (!fs::is_regular_file(source, error)) return refuse("no such file");
        const std::uint64_t size = fs::file_size(source, error);
        if (size != request_.bytes) {
            return refuse("has " + std::to_string(size) + " bytes, not " + std::to_string(request_.bytes));
        }
        std::ifstream file(source, std::ios::binary);
        part_.clear();
        std::vector<char> block(std::size_t{1} << 20U);
        while (part_.size() < request_.bytes) {
            const std::uint64_t left = request_.bytes - part_.size();
            file.read(block.data(), static_cast<std::streamsize>(std::min<std::uint64_t>(block.size(), left)));
            if (file.gcount() <= 0) return refuse("cannot be read");
            part_.append(block.data(), static_cast<std::size_t>(file.gcount()));
            received_ += static_cast<std::uint64_t>(file.gcount());
            if (!meter_.tick(part_.size())) return Outcome::cancelled;
        }
        return Outcome::complete;
    }

    /// A moment, so that a server that breaks off is not stormed.
    bool rest() {
        const Clock::time_point end = Clock::now() + request_.pause;
        while (Clock::now() < end) {
            if (!meter_.tick(part_.size())) return false;
            std::this_thread::sleep_for(std::min<Clock::duration>(tick_time, request_.pause));
        }
        return true;
    }

    const DownloadRequest& request_;
    Meter& meter_;
    PartFile part_;
    std::uint64_t received_ = 0;
    std::string reason_;
};

enum class Standing { absent, right, cancelled };

/// Throws Error where another file has the name: it may be somebody's own.
Standing standing_file(const DownloadRequest& request, Meter& meter) {
    std::error_code error;
    const fs::file_status status = fs::status(request.path, error);
    if (!fs::exists(status)) return Standing::absent;
    if (fs::is_regular_file(status) && fs::file_size(request.path, error) == request.bytes) {
        const std::string found =
            sha256_of_file(request.path, [&meter](std::uint64_t checked) { return meter.tick(checked, true); });
        if (meter.stopped()) return Standing::cancelled;
        if (found == request.sha256) return Standing::right;
    }
    throw Error(request.path + ": is there with other content; move it away to fetch the published file");
}

}  // namespace

DownloadResult download(const DownloadRequest& request, const DownloadCallback& progress) {
    if (request.bytes == 0 || request.sha256.size() != 64 || request.sources.empty()) {
        throw Error(request.path + ": cannot be fetched: its size, its SHA-256 and a source must be known");
    }
    Meter meter(request.bytes, progress);
    // Looked at before anything is made, and again under the lock: another process may just have finished it.
    const auto standing = [&]() -> std::optional<DownloadResult> {
        switch (standing_file(request, meter)) {
            case Standing::right:
                return DownloadResult{DownloadResult::End::already_there, request.path, 0};
            case Standing::cancelled:
                return DownloadResult{DownloadResult::End::cancelled, {}, 0};
            case Standing::absent:
                break;
        }
        return std::nullopt;
    };
    if (const auto result = standing()) return *result;
    Download download(request, meter);
    if (const auto result = standing()) return *result;
    return download.run();
}

std::string format_bytes(double bytes) {
    constexpr std::array<const char*, 4> units{"B", "KiB", "MiB", "GiB"};
    std::size_t unit = 0;
    while (bytes >= 1024.0 && unit + 1 < units.size()) {
        bytes /= 1024.0;
        ++unit;
    }
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
    return text.data();
}

}  // namespace deconv::media
