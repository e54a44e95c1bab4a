// A network camera on loopback, for tests: JPEG pictures one after another in one HTTP answer, which stalls, disappears
// and comes back at another size when told to.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"

namespace deconv::testing {

struct Served {
    int width = 320, height = 240;
    double fps = 30;
    int frames = -1;            // so many to each connection, which then ends; −1: without end
    std::string other_content;  // served instead of pictures
};

/// What the pictures are painted in, as R, G, B; a pale bar wanders over it, and the picture's number stands at the
/// top.
constexpr std::array<int, 3> served_color = {200, 60, 20};

/// The number that picture_of() wrote into a picture, in squares along its top, black for 0 and white for 1; read from
/// the `width` columns at the left.
constexpr int number_bits = 16;
inline int number_of(const cv::Mat& bgr, int width) {
    int number = 0;
    const int square = width / number_bits;
    const int high = std::min(square, bgr.rows / 4);
    for (int bit = 0; bit < number_bits; ++bit) {
        const cv::Rect middle(bit * square + square / 4, high / 4, square / 2, high / 2);
        if (cv::mean(bgr(middle))[1] > 127) number |= 1 << bit;
    }
    return number;
}

inline cv::Mat picture_of(const Served& served, int number) {
    cv::Mat bgr(served.height, served.width, CV_8UC3, cv::Scalar(served_color[2], served_color[1], served_color[0]));
    const int bar = std::max(4, served.width / 16);
    cv::rectangle(bgr, cv::Rect(number * 3 % (served.width - bar), served.height * 3 / 4, bar, served.height / 8),
                  cv::Scalar(210, 240, 230), cv::FILLED);
    const int square = served.width / number_bits;
    for (int bit = 0; bit < number_bits; ++bit) {
        cv::rectangle(bgr, cv::Rect(bit * square, 0, square, std::min(square, served.height / 4)),
                      (number >> bit & 1) != 0 ? cv::Scalar(255, 255, 255) : cv::Scalar(0, 0, 0), cv::FILLED);
    }
    return bgr;
}

/// Serves from its making to its end, on one port of 127.0.0.1.  Its methods may be called from any thread.
class MjpegServer {
  public:
    explicit MjpegServer(Served served = {}) : served_(std::move(served)) {
        if (!listen()) throw Error("no port to listen on");
        thread_ = std::thread([this] { serve(); });
    }
    ~MjpegServer() {
        stop_ = true;
        thread_.join();
        close_clients();
        if (listener_ >= 0) ::close(listener_);
    }
    MjpegServer(const MjpegServer&) = delete;
    MjpegServer& operator=(const MjpegServer&) = delete;

    std::string url(const std::string& user = "") const {
        return "http://" + user + "127.0.0.1:" + std::to_string(port_) + "/";
    }

    /// Connections stay open, and nothing is sent.
    void stall(double seconds) {
        const std::lock_guard lock(mutex_);
        silent_until_ = after(seconds);
    }
    /// Closes connections and the listening socket; comes back on the same port.
    void disappear(double seconds) {
        const std::lock_guard lock(mutex_);
        gone_until_ = after(seconds);
    }
    /// Of all pictures from now on, in the connections that are open, too.
    void resize(int width, int height) {
        const std::lock_guard lock(mutex_);
        served_.width = width;
        served_.height = height;
    }

    /// Pictures sent so far: the last one's number is one less.
    int sent() const { return number_; }
    int connections() const { return connections_; }

  private:
    using Clock = std::chrono::steady_clock;
    struct Client {
        int socket = -1;
        int frames = 0;
    };

    static Clock::time_point after(double seconds) {
        return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    }

    bool listen() {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        const int yes = 1;
        ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(port_);
        socklen_t size = sizeof(address);
        if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 4) != 0 ||
            ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
            ::close(std::exchange(listener_, -1));
            return false;
        }
        port_ = ntohs(address.sin_port);
        return true;
    }

    void close_clients() {
        for (const Client& client : clients_) ::close(client.socket);
        clients_.clear();
    }

    static bool send_all(int client, const std::string& bytes) {
        std::size_t sent = 0;
        while (sent < bytes.size()) {
            const ssize_t n = ::send(client, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
            if (n <= 0) return false;
            sent += static_cast<std::size_t>(n);
        }
        return true;
    }

    /// A client that has asked for the pictures; nobody who does not read or write holds the others up for long.
    void accept(const Served& served) {
        const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (client < 0) return;
        const timeval patience{1, 0};
        ::setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        ::setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        std::array<char, 4096> request{};
        const bool asked = ::recv(client, request.data(), request.size(), 0) > 0;
        if (asked && !served.other_content.empty()) {
            send_all(client, "HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + served.other_content);
        } else if (asked && clients_.size() < 8 &&
                   send_all(client,
                            "HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n")) {
            clients_.push_back({client, 0});
            ++connections_;
            return;
        }
        ::close(client);
    }

    void send_picture(const Served& served) {
        std::vector<std::uint8_t> jpeg;
        cv::imencode(".jpg", picture_of(served, number_), jpeg);
        const std::string part =
            "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: " + std::to_string(jpeg.size()) + "\r\n\r\n" +
            std::string(jpeg.begin(), jpeg.end()) + "\r\n";
        std::erase_if(clients_, [&](Client& client) {
            const bool over = served.frames >= 0 && client.frames >= served.frames;
            if (!over && send_all(client.socket, part)) {
                ++client.frames;
                return false;
            }
            ::close(client.socket);
            return true;
        });
        ++number_;
    }

    void serve() {
        Clock::time_point due = Clock::now();
        while (!stop_) {
            Served served;
            Clock::time_point gone_until;
            Clock::time_point silent_until;
            {
                const std::lock_guard lock(mutex_);
                served = served_;
                gone_until = gone_until_;
                silent_until = silent_until_;
            }
            const Clock::time_point now = Clock::now();
            if (now < gone_until) {
                // In this order: a client that sees its connection closed finds nobody.
                if (listener_ >= 0) ::close(std::exchange(listener_, -1));
                close_clients();
            } else if (listener_ < 0) {
                listen();
            }
            if (now >= due) {
                if (!clients_.empty() && now >= silent_until) send_picture(served);
                due = std::max(due + std::chrono::microseconds(static_cast<int>(1e6 / served.fps)), now);
            }
            const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(due - Clock::now()).count();
            pollfd waiting{listener_, POLLIN, 0};
            if (::poll(&waiting, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 50))) > 0) accept(served);
        }
    }

    std::mutex mutex_;  // guards what is asked of it
    Served served_;
    Clock::time_point silent_until_, gone_until_;

    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::vector<Client> clients_;  // the thread's own
    std::atomic<int> number_ = 0, connections_ = 0;
    std::atomic<bool> stop_ = false;
    std::thread thread_;
};

}  // namespace deconv::testing
