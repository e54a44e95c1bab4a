// A network fetched in the background: what the window sees of it.
#include "live/model_fetch.h"

#include <thread>

#include "base/sha256.h"
#include "media/http_server.h"
#include "media/media_testing.h"

namespace deconv::testing {
namespace {

using live::ModelFetch;
using Reply = HttpServer::Reply;
using State = ModelFetch::State;

class Fetching : public ::testing::Test {
  protected:
    static void SetUpTestSuite() { ::setenv("no_proxy", "*", 1); }

    live::CatalogueEntry entry(const HttpServer& server) const {
        write_text(folder_ / "content", content_);
        live::CatalogueEntry entry;
        entry.name = "network";
        entry.input = "{}";
        entry.network = {
            "network-7.onnx", {server.address("/x")}, content_.size(), sha256_of_file(folder_ / "content")};
        return entry;
    }
    live::FetchOptions options() const {
        live::FetchOptions options;
        options.to = folder_.path();
        return options;
    }
    /// The first snapshot for which `until` holds, or the last one before time is up.
    template <class Until>
    static ModelFetch::Progress wait(const ModelFetch& fetch, Until&& until) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        ModelFetch::Progress progress = fetch.progress();
        while (!until(progress) && std::chrono::steady_clock::now() < end) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
            progress = fetch.progress();
        }
        return progress;
    }
    static bool ended(const ModelFetch::Progress& progress) { return progress.state != State::running; }

    /// Sends half of it, then nothing.
    void half(const HttpRequest& /*request*/, Reply& reply) const {
        reply.head("200 OK", {"Content-Length: " + std::to_string(content_.size())});
        if (reply.body(std::string_view(content_).substr(0, content_.size() / 2)))
            reply.silence(std::chrono::minutes(1));
    }

    TempDir folder_;
    std::string content_ = std::string(std::size_t{2} << 20U, 'n');
};

TEST_F(Fetching, Done) {
    HttpServer server([&](const HttpRequest& request, Reply& reply) { serve_content(content_, request, reply); });
    const ModelFetch fetch(entry(server), options());
    const ModelFetch::Progress progress = wait(fetch, ended);
    EXPECT_EQ(progress.state, State::done) << progress.message;
    EXPECT_EQ(progress.name, "network");
    EXPECT_EQ(progress.done, content_.size());
    EXPECT_EQ(progress.total, content_.size());
    EXPECT_CONTAINS(progress.message, "without labels");
    EXPECT_TRUE(live::is_fetched(entry(server), folder_.path()));
}

TEST_F(Fetching, CancelledAndContinued) {
    HttpServer server([&](const HttpRequest& request, Reply& reply) {
        return request.header("range").empty() ? half(request, reply) : serve_content(content_, request, reply);
    });
    {
        ModelFetch fetch(entry(server), options());
        wait(fetch, [&](const auto& progress) { return progress.done == content_.size() / 2; });
        fetch.cancel();
        EXPECT_EQ(wait(fetch, ended).state, State::cancelled);
        EXPECT_FALSE(live::is_fetched(entry(server), folder_.path()));
    }
    const ModelFetch fetch(entry(server), options());
    EXPECT_EQ(wait(fetch, ended).state, State::done);
    EXPECT_EQ(server.body_bytes(), content_.size());
}

TEST_F(Fetching, LeavingDoesNotWaitForTheServer) {
    HttpServer server([&](const HttpRequest& request, Reply& reply) { half(request, reply); });
    auto fetch = std::make_unique<ModelFetch>(entry(server), options());
    wait(*fetch, [](const auto& progress) { return progress.done > 0; });
    const auto begin = std::chrono::steady_clock::now();
    fetch.reset();
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(1000));
}

TEST_F(Fetching, FailedSaysWhy) {
    HttpServer server([](const HttpRequest&, Reply& reply) { reply.whole("404 Not Found", ""); });
    const ModelFetch fetch(entry(server), options());
    const ModelFetch::Progress progress = wait(fetch, ended);
    EXPECT_EQ(progress.state, State::failed);
    EXPECT_CONTAINS(progress.message, "HTTP 404");
    EXPECT_EQ(progress.message.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace deconv::testing
