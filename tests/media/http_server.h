// An HTTP server on this machine, whose every answer a test writes itself: right or wrong, whole or broken off.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"

namespace deconv::testing {

struct HttpRequest {
    std::string method, target;
    std::map<std::string, std::string> headers;  // names in lower case

    std::string header(const std::string& name) const {
        const auto found = headers.find(name);
        return found == headers.end() ? std::string() : found->second;
    }
};

/// Answers one request a connection, each on a thread of its own.  The destructor breaks off what still runs.
class HttpServer {
  public:
    /// What a handler answers through.  The connection ends with the handler.
    class Reply {
      public:
        Reply(int connection, HttpServer& server) : connection_(connection), server_(server) {}

        /// "200 OK" and header lines without line ends.
        bool head(const std::string& status, const std::vector<std::string>& headers) {
            std::string text = "HTTP/1.1 " + status + "\r\nConnection: close\r\n";
            for (const std::string& header : headers) text += header + "\r\n";
            return send(text + "\r\n");
        }
        /// Counted in body_bytes().  False once the client is gone or the server closes.
        bool body(std::string_view bytes) {
            if (!send(bytes)) return false;
            server_.body_bytes_ += bytes.size();
            return true;
        }
        /// Sends nothing for so long.  False once the client is gone or the server closes.
        bool silence(std::chrono::milliseconds time) {
            const auto end = std::chrono::steady_clock::now() + time;
            while (std::chrono::steady_clock::now() < end) {
                pollfd gone{connection_, POLLRDHUP, 0};
                if (server_.closing_ || ::poll(&gone, 1, 10) != 0) return false;
            }
            return true;
        }
        /// A whole answer.
        void whole(const std::string& status, std::string_view bytes, std::vector<std::string> headers = {}) {
            headers.push_back("Content-Length: " + std::to_string(bytes.size()));
            if (head(status, headers)) body(bytes);
        }

      private:
        bool send(std::string_view bytes) {
            while (!bytes.empty()) {
                if (server_.closing_) return false;
                pollfd ready{connection_, POLLOUT, 0};
                if (::poll(&ready, 1, 10) == 0) continue;
                const ssize_t sent = ::send(connection_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
                if (sent < 0 && (errno == EAGAIN || errno == EINTR)) continue;
                if (sent <= 0) return false;
                bytes.remove_prefix(static_cast<std::size_t>(sent));
            }
            return true;
        }
        int connection_;
        HttpServer& server_;
    };

    using Handler = std::function<void(const HttpRequest&, Reply&)>;

    /// Handlers run on several threads.
    explicit HttpServer(Handler handler) : handler_(std::move(handler)) {
        socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* general = reinterpret_cast<sockaddr*>(&address);
        if (socket_ < 0 || ::bind(socket_, general, size) != 0 || ::listen(socket_, 16) != 0 ||
            ::getsockname(socket_, general, &size) != 0) {
            throw Error("no server can be started on the loopback address");
        }
        port_ = ntohs(address.sin_port);
        acceptor_ = std::thread([this] { accept_all(); });
    }
    ~HttpServer() {
        closing_ = true;
        acceptor_.join();
        for (std::thread& thread : threads_) thread.join();
        ::close(socket_);
    }
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    std::string address(const std::string& target) const {
        return "http://127.0.0.1:" + std::to_string(port_) + target;
    }
    /// So far, in the order of their arrival.
    std::vector<HttpRequest> requests() const {
        const std::lock_guard lock(mutex_);
        return requests_;
    }
    /// Bytes of bodies that were handed to clients' connections.
    std::uint64_t body_bytes() const { return body_bytes_; }

  private:
    void accept_all() {
        while (!closing_) {
            pollfd ready{socket_, POLLIN, 0};
            if (::poll(&ready, 1, 10) <= 0) continue;
            const int connection = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
            if (connection >= 0) threads_.emplace_back([this, connection] { serve(connection); });
        }
    }

    void serve(int connection) {
        std::string text;
        while (text.find("\r\n\r\n") == std::string::npos && !closing_) {
            pollfd ready{connection, POLLIN, 0};
            if (::poll(&ready, 1, 10) == 0) continue;
            char part[2048];
            const ssize_t got = ::recv(connection, part, sizeof part, 0);
            if (got <= 0) break;
            text.append(part, static_cast<std::size_t>(got));
        }
        if (text.find("\r\n\r\n") != std::string::npos) {
            const HttpRequest request = parse(text);
            {
                const std::lock_guard lock(mutex_);
                requests_.push_back(request);
            }
            Reply reply(connection, *this);
            handler_(request, reply);
        }
        ::shutdown(connection, SHUT_RDWR);
        ::close(connection);
    }

    static HttpRequest parse(const std::string& text) {
        HttpRequest request;
        const std::size_t first = text.find(' ');
        request.method = text.substr(0, first);
        request.target = text.substr(first + 1, text.find(' ', first + 1) - first - 1);
        for (std::size_t at = text.find("\r\n") + 2; at < text.size();) {
            const std::size_t end = text.find("\r\n", at);
            const std::size_t colon = text.find(": ", at);
            if (end == at || colon == std::string::npos || colon > end) break;
            std::string name = text.substr(at, colon - at);
            std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
            request.headers[name] = text.substr(colon + 2, end - colon - 2);
            at = end + 2;
        }
        return request;
    }

    Handler handler_;
    int socket_ = -1;
    int port_ = 0;
    std::atomic<bool> closing_ = false;
    std::atomic<std::uint64_t> body_bytes_ = 0;
    mutable std::mutex mutex_;
    std::vector<HttpRequest> requests_;
    std::list<std::thread> threads_;  // the acceptor's own, until it is joined
    std::thread acceptor_;
};

/// Where a request's "Range: bytes=N-" begins; 0 without one.
inline std::size_t range_start(const HttpRequest& request) {
    const std::string range = request.header("range");
    return range.starts_with("bytes=") ? std::stoul(range.substr(6)) : 0;
}

/// Answers as a good server does, ranges included, with no more than `most` bytes of body before it breaks off.
inline void serve_content(const std::string& content, const HttpRequest& request, HttpServer::Reply& reply,
                          std::size_t most = std::string::npos) {
    const std::size_t start = range_start(request);
    if (start >= content.size()) {
        reply.whole("416 Range Not Satisfiable", "", {"Content-Range: bytes */" + std::to_string(content.size())});
        return;
    }
    const std::string_view rest = std::string_view(content).substr(start);
    std::vector<std::string> headers{"Content-Length: " + std::to_string(rest.size()), "Accept-Ranges: bytes"};
    if (start > 0) {
        headers.push_back("Content-Range: bytes " + std::to_string(start) + "-" + std::to_string(content.size() - 1) +
                          "/" + std::to_string(content.size()));
    }
    if (reply.head(start > 0 ? "206 Partial Content" : "200 OK", headers)) reply.body(rest.substr(0, most));
}

}  // namespace deconv::testing
