// Fetching a file from servers that behave and servers that do not: nothing wrong ever stands under its name, and what
// an interrupted transfer left is continued.
#include "media/download.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>

#include <thread>

#include "base/sha256.h"
#include "media/http_server.h"
#include "media/media_testing.h"

namespace deconv::testing {
namespace {

using media::DownloadProgress;
using media::DownloadRequest;
using media::DownloadResult;
using End = media::DownloadResult::End;
using std::chrono::milliseconds;
using Reply = HttpServer::Reply;

class Download : public ::testing::Test {
  protected:
    static constexpr std::size_t size = 3U << 20U;

    static void SetUpTestSuite() { ::setenv("no_proxy", "*", 1); }

    Download() : content_(size, '\0') {
        std::uint32_t state = 1;
        for (char& byte : content_) byte = static_cast<char>((state = state * 1664525U + 1013904223U) >> 24U);
        write_text(folder_ / "content", content_);
        sha256_ = sha256_of_file(folder_ / "content");
    }

    /// Quick to give up, unlike the program's own.
    DownloadRequest request(std::vector<std::string> sources) const {
        DownloadRequest request;
        request.sources = std::move(sources);
        request.path = path_;
        request.bytes = content_.size();
        request.sha256 = sha256_;
        request.stall_timeout = milliseconds(200);
        request.pause = milliseconds(1);
        request.attempts = 2;
        return request;
    }
    DownloadResult fetch(const HttpServer& server) const { return media::download(request({server.address("/x")})); }

    std::string content_of(const std::string& path) const {
        const FileBytes bytes = read_file(path);
        return {bytes.begin(), bytes.end()};
    }
    bool exists(const std::string& path) const { return std::filesystem::exists(path); }
    void expect_whole() const {
        EXPECT_TRUE(content_of(path_) == content_);
        EXPECT_FALSE(exists(part_));
    }
    /// The error of a download that must leave nothing under the final name.
    std::string refusal(const DownloadRequest& asked) const {
        std::string said = error_of([&] { media::download(asked); });
        EXPECT_FALSE(exists(path_)) << said;
        return said;
    }
    std::string refusal(const HttpServer& server) const { return refusal(request({server.address("/x")})); }
    /// As refusal(), and what came is worth nothing, either.
    std::string refusal_without_part(const HttpServer& server) const {
        std::string said = refusal(server);
        EXPECT_FALSE(exists(part_)) << said;
        return said;
    }

    TempDir folder_;
    std::string content_, sha256_;
    std::string path_ = folder_ / "network.onnx";
    std::string part_ = path_ + ".part";
};

TEST_F(Download, Whole) {
    HttpServer server([&](const HttpRequest& asked, Reply& reply) { serve_content(content_, asked, reply); });
    const DownloadResult result = fetch(server);
    EXPECT_EQ(result.end, End::fetched);
    EXPECT_EQ(result.received, size);
    EXPECT_EQ(result.source, server.address("/x"));
    ASSERT_EQ(server.requests().size(), 1U);
    EXPECT_EQ(server.requests()[0].header("range"), "");
    expect_whole();
}

TEST_F(Download, AlreadyThereAsksNobody) {
    write_text(path_, content_);
    HttpServer server([&](const HttpRequest& asked, Reply& reply) { serve_content(content_, asked, reply); });
    EXPECT_EQ(fetch(server).end, End::already_there);
    EXPECT_TRUE(server.requests().empty());
    expect_whole();
}

TEST_F(Download, AnotherFileUnderTheNameStays) {
    write_text(path_, "somebody's own");
    HttpServer server([&](const HttpRequest& asked, Reply& reply) { serve_content(content_, asked, reply); });
    EXPECT_CONTAINS(error_of([&] { fetch(server); }), "move it away");
    EXPECT_EQ(content_of(path_), "somebody's own");
    EXPECT_TRUE(server.requests().empty());
}

TEST_F(Download, BeforeNamingRunsWhenProvedAndNotNamed) {
    HttpServer server([&](const HttpRequest& asked, Reply& reply) { serve_content(content_, asked, reply); });
    DownloadRequest asked = request({server.address("/x")});
    bool called = false;
    asked.before_naming = [&] {
        called = true;
        EXPECT_FALSE(exists(path_));
        EXPECT_TRUE(content_of(part_) == content_);
    };
    media::download(asked);
    EXPECT_TRUE(called);
}

TEST_F(Download, BreaksOffAndIsContinuedInTheSameRun) {
    constexpr std::size_t half = size / 2;
    HttpServer server([&](const HttpRequest& asked, Reply& reply) {
        serve_content(content_, asked, reply, asked.header("range").empty() ? half : std::string::npos);
    });
    EXPECT_EQ(fetch(server).received, size);
    ASSERT_EQ(server.requests().size(), 2U);
    EXPECT_EQ(server.requests()[1].header("range"), "bytes=" + std::to_string(half) + "-");
    EXPECT_EQ(server.body_bytes(), size);  // not one byte twice
    expect_whole();
}

TEST_F(Download, BreaksOffAndIsContinuedByTheNextRun) {
    constexpr std::size_t half = size / 2;
    std::atomic<std::size_t> most = half;
    HttpServer server([&](const HttpRequest& asked, Reply& reply) { serve_content(content_, asked, reply, most); });
    DownloadRequest once = request({server.address("/x")});
    once.attempts = 1;
    refusal(once);
    EXPECT_EQ(std::filesystem::file_size(part_), half);
    most = std::string::npos;
    EXPECT_EQ(fetch(server).received, size - half);
    EXPECT_EQ(server.requests().at(1).header("range"), "bytes=" + std::to_string(half) + "-");
    EXPECT_EQ(server.body_bytes(), size);
    expect_whole();
}

TEST_F(Download, AlwaysBreakingOffEnds) {
    HttpServer server([&](const HttpRequest& asked, Reply& reply) { serve_content(content_, asked, reply, 1000); });
    refusal(server);
    EXPECT_EQ(server.requests().size(), 2U);  // attempts
    EXPECT_EQ(std::filesystem::file_size(part_), 2000U);
}

TEST_F(Download, WrongBytesOfTheRightLength) {
    std::string wrong = content_;
    wrong[size / 3] ^= 1;
    HttpServer server([&](const HttpRequest& asked, Reply& reply) { serve_content(wrong, asked, reply); });
    EXPECT_CONTAINS(refusal_without_part(server), "SHA-256");
    EXPECT_EQ(server.requests().size(), 1U);
}

TEST_F(Download, WrongBytesThenAMirror) {
    std::string wrong = content_;
    wrong.back() ^= 1;
    HttpServer server([&](const HttpRequest& asked, Reply& reply) {
        serve_content(asked.target == "/wrong" ? wrong : content_, asked, reply);
    });
    media::download(request({server.address("/wrong"), server.address("/right")}));
    EXPECT_EQ(server.requests().at(1).header("range"), "");  // nothing of the wrong one is kept
    expect_whole();
}

TEST_F(Download, AWrongPartIsFoundOutAndFetchedAnew) {
    write_text(part_, std::string(size / 2, 'x'));
    HttpServer server([&](const HttpRequest& asked, Reply& reply) { serve_content(content_, asked, reply); });
    fetch(server);
    EXPECT_EQ(server.requests().size(), 2U);
    expect_whole();
}

TEST_F(Download, AWrongPartAndWrongBytesEnd) {
    write_text(part_, std::string(size / 2, 'x'));
    HttpServer server(
        [&](const HttpRequest& asked, Reply& reply) { serve_content(std::string(size, 'y'), asked, reply); });
    EXPECT_CONTAINS(refusal_without_part(server), "SHA-256");
    EXPECT_EQ(server.requests().size(), 2U);  // the rest, then all of it
}

TEST_F(Download, AWholePartOnlyNeedsItsName) {
    write_text(part_, content_);
    HttpServer server([&](const HttpRequest& asked, Reply& reply) { serve_content(content_, asked, reply); });
    EXPECT_EQ(fetch(server).received, 0U);
    EXPECT_TRUE(server.requests().empty());
    expect_whole();
}

TEST_F(Download, RangeIgnored) {
    write_text(part_, content_.substr(0, size / 2));
    HttpServer server([&](const HttpRequest&, Reply& reply) { reply.whole("200 OK", content_); });
    EXPECT_EQ(fetch(server).received, size);
    EXPECT_EQ(server.requests().size(), 1U);
    expect_whole();
}

TEST_F(Download, RangeRefused) {
    write_text(part_, content_.substr(0, size / 2));
    HttpServer server([&](const HttpRequest& asked, Reply& reply) {
        if (!asked.header("range").empty()) return reply.whole("416 Range Not Satisfiable", "");
        serve_content(content_, asked, reply);
    });
    fetch(server);
    expect_whole();
}

TEST_F(Download, AnotherRangeThanAskedFor) {
    for (const std::string range : {"bytes 0-99/100", "bytes 7-3145727/3145728", "nonsense", ""}) {
        std::filesystem::remove(path_);
        write_text(part_, content_.substr(0, size / 2));
        HttpServer server([&](const HttpRequest& asked, Reply& reply) {
            if (asked.header("range").empty()) return serve_content(content_, asked, reply);
            std::vector<std::string> headers;
            if (!range.empty()) headers.push_back("Content-Range: " + range);
            reply.whole("206 Partial Content", content_.substr(size / 2), headers);
        });
        fetch(server);
        EXPECT_EQ(server.requests().size(), 2U) << range;
        expect_whole();
    }
}

TEST_F(Download, APartNobodyAskedFor) {
    HttpServer server([&](const HttpRequest&, Reply& reply) {
        reply.whole("206 Partial Content", content_, {"Content-Range: bytes 0-3145727/3145728"});
    });
    EXPECT_CONTAINS(refusal_without_part(server), "HTTP 206");
}

TEST_F(Download, SaysAnotherLength) {
    for (const std::size_t length : {size - 1, size + 1, std::size_t{0}}) {
        HttpServer server([&](const HttpRequest&, Reply& reply) {
            if (reply.head("200 OK", {"Content-Length: " + std::to_string(length)})) reply.body(content_);
        });
        EXPECT_CONTAINS(refusal_without_part(server), std::to_string(length) + " bytes");
        EXPECT_EQ(server.requests().size(), 1U);
    }
}

TEST_F(Download, SaysTheRightLengthAndSendsLess) {
    HttpServer server([&](const HttpRequest&, Reply& reply) {
        if (reply.head("200 OK", {"Content-Length: " + std::to_string(size)})) reply.body(content_.substr(0, size - 1));
    });
    refusal(server);
    EXPECT_EQ(std::filesystem::file_size(part_), size - 1);
}

TEST_F(Download, SaysNoLengthAndSendsLess) {
    HttpServer server([&](const HttpRequest&, Reply& reply) {
        if (reply.head("200 OK", {})) reply.body(content_.substr(0, size - 1));
    });
    EXPECT_CONTAINS(refusal(server), "ended after");
}

TEST_F(Download, EndlessBodyIsLeft) {
    HttpServer server([&](const HttpRequest&, Reply& reply) {
        if (!reply.head("200 OK", {})) return;
        while (reply.body(content_)) {
        }
    });
    EXPECT_CONTAINS(refusal_without_part(server), "sends more");
    EXPECT_LT(server.body_bytes(), 40 * size);  // what the system's own buffers took may be more than was read
}

TEST_F(Download, Redirected) {
    HttpServer server([&](const HttpRequest& asked, Reply& reply) {
        if (asked.target == "/x") return reply.whole("302 Found", "elsewhere", {"Location: /y"});
        serve_content(content_, asked, reply);
    });
    write_text(part_, content_.substr(0, 1000));
    EXPECT_EQ(fetch(server).received, size - 1000);
    EXPECT_EQ(server.requests().at(1).header("range"), "bytes=1000-");
    expect_whole();
}

TEST_F(Download, RedirectedInARing) {
    HttpServer server([&](const HttpRequest&, Reply& reply) { reply.whole("302 Found", "", {"Location: /x"}); });
    EXPECT_CONTAINS(refusal_without_part(server), "redirect");
    EXPECT_LT(server.requests().size(), 10U);
}

TEST_F(Download, RedirectedToAFileOfThisMachine) {
    HttpServer server([&](const HttpRequest&, Reply& reply) {
        reply.whole("302 Found", "", {"Location: file://" + (folder_ / "content")});
    });
    refusal_without_part(server);
}

TEST_F(Download, ErrorsThenAMirror) {
    HttpServer server([&](const HttpRequest& asked, Reply& reply) {
        if (asked.target == "/404") return reply.whole("404 Not Found", content_);
        if (asked.target == "/500") return reply.whole("500 Internal Server Error", content_);
        serve_content(content_, asked, reply);
    });
    const std::vector<std::string> bad{server.address("/404"), server.address("/500")};
    const std::string said = refusal(request(bad));
    EXPECT_CONTAINS(said, bad[0] + ": HTTP 404");
    EXPECT_CONTAINS(said, bad[1] + ": HTTP 500");
    EXPECT_FALSE(exists(part_));
    EXPECT_EQ(media::download(request({bad[0], bad[1], server.address("/x")})).source, server.address("/x"));
    expect_whole();
}

TEST_F(Download, AMirrorContinuesWhatAnotherBegan) {
    constexpr std::size_t half = size / 2;
    HttpServer server([&](const HttpRequest& asked, Reply& reply) {
        if (asked.target == "/x") return serve_content(content_, asked, reply);
        if (asked.header("range").empty()) return serve_content(content_, asked, reply, half);
        reply.whole("500 Internal Server Error", "");
    });
    media::download(request({server.address("/half"), server.address("/x")}));
    EXPECT_EQ(server.body_bytes(), size);
    expect_whole();
}

TEST_F(Download, NobodyThere) {
    std::string address;
    {
        HttpServer server([](const HttpRequest&, Reply&) {});
        address = server.address("/x");
    }
    EXPECT_CONTAINS(refusal(request({address})), address);
    EXPECT_FALSE(exists(part_));
}

TEST_F(Download, NotHttp) {
    HttpServer server([](const HttpRequest&, Reply&) {});  // closes without a word
    EXPECT_CONTAINS(refusal_without_part(server), "not fetched");
    refusal(request({"ftp://127.0.0.1/x"}));
}

TEST_F(Download, Stalls) {
    HttpServer server([&](const HttpRequest&, Reply& reply) {
        if (!reply.head("200 OK", {"Content-Length: " + std::to_string(size)})) return;
        if (reply.body(content_.substr(0, 5000))) reply.silence(std::chrono::minutes(1));
    });
    const auto begin = std::chrono::steady_clock::now();
    DownloadRequest once = request({server.address("/x")});
    once.attempts = 1;
    EXPECT_CONTAINS(refusal(once), "sends nothing");
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
    EXPECT_EQ(std::filesystem::file_size(part_), 5000U);
}

TEST_F(Download, CancelledPromptlyAndThePartKept) {
    HttpServer server([&](const HttpRequest&, Reply& reply) {
        if (!reply.head("200 OK", {"Content-Length: " + std::to_string(size)})) return;
        if (reply.body(content_.substr(0, 5000))) reply.silence(std::chrono::minutes(1));
    });
    DownloadRequest patient = request({server.address("/x")});
    patient.stall_timeout = std::chrono::minutes(1);
    const auto begin = std::chrono::steady_clock::now();
    const DownloadResult result =
        media::download(patient, [](const DownloadProgress& progress) { return progress.done < 5000; });
    EXPECT_EQ(result.end, End::cancelled);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
    EXPECT_EQ(std::filesystem::file_size(part_), 5000U);
    EXPECT_FALSE(exists(path_));
}

TEST_F(Download, ProgressRisesToTheWhole) {
    HttpServer server([&](const HttpRequest&, Reply& reply) {
        if (!reply.head("200 OK", {"Content-Length: " + std::to_string(size)})) return;
        for (std::size_t at = 0; at < size; at += size / 6) {
            if (!reply.body(content_.substr(at, size / 6)) || !reply.silence(milliseconds(120))) return;
        }
    });
    std::uint64_t last = 0;
    double rate = 0.0;
    media::download(request({server.address("/x")}), [&](const DownloadProgress& progress) {
        EXPECT_EQ(progress.total, size);
        if (!progress.verifying) {
            EXPECT_GE(progress.done, last);
            last = progress.done;
            rate = progress.rate;
        }
        return true;
    });
    EXPECT_GT(last, size / 2);
    EXPECT_GT(rate, 0.0);
    expect_whole();
}

TEST_F(Download, TwoAtOnceExcludeEachOther) {
    const int other = ::open(part_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ASSERT_EQ(::flock(other, LOCK_EX), 0);
    HttpServer server([&](const HttpRequest& asked, Reply& reply) { serve_content(content_, asked, reply); });
    EXPECT_CONTAINS(refusal(server), "another process");
    EXPECT_TRUE(server.requests().empty());
    ::close(other);
    fetch(server);
    expect_whole();
}

TEST_F(Download, FullDiskKeepsThePart) {
    // A limit on the size of files stands in for a full disk.
    HttpServer server([&](const HttpRequest& asked, Reply& reply) { serve_content(content_, asked, reply); });
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    const rlimit small{size / 2, before.rlim_max};
    auto* const handler = ::signal(SIGXFSZ, SIG_IGN);
    ::setrlimit(RLIMIT_FSIZE, &small);
    // Not error_of(): its own file for standard error is under the limit, too.
    std::string said;
    try {
        fetch(server);
    } catch (const Error& error) {
        said = error.what();
    }
    ::setrlimit(RLIMIT_FSIZE, &before);
    ::signal(SIGXFSZ, handler);
    EXPECT_CONTAINS(said, "the disk is full");
    EXPECT_FALSE(exists(path_));
    EXPECT_EQ(std::filesystem::file_size(part_), size / 2);
    fetch(server);
    EXPECT_EQ(server.requests().at(1).header("range"), "bytes=" + std::to_string(size / 2) + "-");
    expect_whole();
}

TEST_F(Download, MoreThanTheDiskHolds) {
    HttpServer server([&](const HttpRequest& asked, Reply& reply) { serve_content(content_, asked, reply); });
    DownloadRequest huge = request({server.address("/x")});
    huge.bytes = std::uint64_t{1} << 60U;
    EXPECT_CONTAINS(refusal(huge), "the disk is full");
    EXPECT_TRUE(server.requests().empty());
    EXPECT_FALSE(exists(part_));
}

TEST_F(Download, FromAFile) {
    EXPECT_EQ(media::download(request({folder_ / "content"})).received, size);
    expect_whole();
    std::filesystem::remove(path_);

    std::string wrong = content_;
    wrong.front() ^= 1;
    write_text(folder_ / "wrong", wrong);
    write_text(folder_ / "short", content_.substr(1));
    const std::string said = refusal(request({folder_ / "wrong", folder_ / "short", folder_ / "absent"}));
    EXPECT_CONTAINS(said, "SHA-256");
    EXPECT_CONTAINS(said, "bytes, not");
    EXPECT_CONTAINS(said, "no such file");
    EXPECT_FALSE(exists(part_));
}

TEST_F(Download, NoFolderToWriteTo) {
    DownloadRequest asked = request({folder_ / "content"});
    asked.path = folder_ / "absent/network.onnx";
    EXPECT_CONTAINS(refusal(asked), "absent/network.onnx");
}

}  // namespace
}  // namespace deconv::testing
