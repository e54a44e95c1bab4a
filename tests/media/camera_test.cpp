#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <opencv2/imgcodecs.hpp>
#include <thread>

#include "media/camera_device.h"
#include "media/source.h"
#include "media_testing.h"

namespace deconv::media {
namespace {

using testing::error_of;

struct Behaviour {
    int frames = 1000;          // then the connection ends, or
    bool stalls = false;        // … stays open in silence
    int size_changes_at = -1;   // from this frame on pictures are larger
    std::string other_content;  // served instead of pictures
};

/// A network camera: pictures in JPEG, one after another in one HTTP answer, 50 a second, on loopback.
class MjpegServer {
  public:
    explicit MjpegServer(Behaviour behaviour) : behaviour_(std::move(behaviour)) {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof(address);
        if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 4) != 0 ||
            ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
            throw Error("no port to listen on");
        }
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    ~MjpegServer() {
        stop_ = true;
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        ::close(listener_);
    }
    MjpegServer(const MjpegServer&) = delete;
    MjpegServer& operator=(const MjpegServer&) = delete;

    std::string url(const std::string& user = "") const {
        return "http://" + user + "127.0.0.1:" + std::to_string(port_) + "/";
    }

  private:
    static bool send_all(int client, const std::string& bytes) {
        std::size_t sent = 0;
        while (sent < bytes.size()) {
            const ssize_t n = ::send(client, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
            if (n <= 0) return false;
            sent += static_cast<std::size_t>(n);
        }
        return true;
    }

    void serve() {
        while (!stop_) {
            const int client = ::accept(listener_, nullptr, nullptr);
            if (client < 0) return;
            answer(client);
            ::close(client);
        }
    }

    void answer(int client) {
        std::array<char, 4096> request{};
        if (::recv(client, request.data(), request.size(), 0) <= 0) return;
        if (!behaviour_.other_content.empty()) {
            send_all(client, "HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + behaviour_.other_content);
            return;
        }
        if (!send_all(client, "HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n")) {
            return;
        }
        for (int i = 0; i < behaviour_.frames && !stop_; ++i) {
            const bool large = behaviour_.size_changes_at >= 0 && i >= behaviour_.size_changes_at;
            const cv::Mat bgr(large ? 180 : 120, large ? 240 : 160, CV_8UC3, cv::Scalar(20, 60, 200));
            std::vector<std::uint8_t> jpeg;
            cv::imencode(".jpg", bgr, jpeg);
            const std::string part =
                "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: " + std::to_string(jpeg.size()) + "\r\n\r\n" +
                std::string(jpeg.begin(), jpeg.end()) + "\r\n";
            if (!send_all(client, part)) return;
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
        while (behaviour_.stalls && !stop_) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }

    Behaviour behaviour_;
    int listener_ = -1;
    int port_ = 0;
    std::atomic<bool> stop_ = false;
    std::thread thread_;
};

TEST(Camera, AStreamGivesFrames) {
    const MjpegServer server({});
    const auto camera = open_camera(server.url());
    EXPECT_TRUE(camera->live());
    EXPECT_FALSE(camera->count());
    EXPECT_GT(camera->fps(), 0);
    EXPECT_EQ(camera->name(), server.url());
    double last = -1;
    for (int i = 0; i < 30; ++i) {
        const auto frame = camera->next();
        ASSERT_TRUE(frame);
        EXPECT_EQ(frame->index, i);
        EXPECT_GT(frame->time_s, last);
        last = frame->time_s;
        ASSERT_EQ(frame->picture.width, 160);
        ASSERT_EQ(frame->picture.height, 120);
        EXPECT_TRUE(testing::is_color(frame->picture, 80, 60, {200, 60, 20}, 6));
    }
}

TEST(Camera, AStreamThatCloses) {
    const MjpegServer server({.frames = 40});
    const auto camera = open_camera(server.url());
    int frames = 0;
    while (camera->next()) ++frames;
    EXPECT_GE(frames, 38);
    EXPECT_LE(frames, 40);
    EXPECT_FALSE(camera->next());
}

TEST(Camera, AStreamThatChangesSize) {
    const MjpegServer server({.frames = 60, .size_changes_at = 40});
    const auto camera = open_camera(server.url());
    int width = 0;
    while (const auto frame = camera->next()) {
        EXPECT_EQ(frame->picture.rgba.size(), std::size_t{4} * frame->picture.width * frame->picture.height);
        EXPECT_TRUE(testing::is_color(frame->picture, 80, 60, {200, 60, 20}, 12));
        width = frame->picture.width;
    }
    EXPECT_TRUE(width == 240 || width == 160) << width;  // FFmpeg may scale to the first size
}

TEST(Camera, AStreamThatStallsIsGivenUp) {
    const MjpegServer server({.frames = 30, .stalls = true});
    const auto camera = open_camera(server.url());
    const auto start = std::chrono::steady_clock::now();
    const std::string text = error_of([&] {
        while (camera->next()) {
        }
    });
    EXPECT_CONTAINS(text, "gave no picture for 5 seconds");
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(9));
}

TEST(Camera, AStreamThatIsNotThere) {
    int port = 0;
    {
        const MjpegServer server({});
        port = std::stoi(server.url().substr(17));
    }  // nobody listens there any more
    const std::string url = "http://127.0.0.1:" + std::to_string(port) + "/";
    const std::string text = error_of([&] { open_camera(url); });
    EXPECT_CONTAINS(text, url);
    EXPECT_CONTAINS(text, "no video stream there");
    EXPECT_CONTAINS(text, cameras_here(list_cameras()));
}

TEST(Camera, AStreamThatIsNoVideo) {
    const MjpegServer server({.other_content = "<html><body>Please log in.</body></html>\n"});
    EXPECT_CONTAINS(error_of([&] { open_camera(server.url()); }), "no video stream there");
}

TEST(Camera, APasswordIsNotShown) {
    const MjpegServer server({});
    EXPECT_EQ(open_camera(server.url("user:secret@"))->name(), server.url());
    const std::string text = error_of([] { open_camera("http://user:secret@127.0.0.1:1/"); });
    EXPECT_EQ(text.find("secret"), std::string::npos) << text;
}

TEST(Camera, OneThatIsNotThereNamesThoseThatAre) {
    const std::string here = cameras_here(list_cameras());
    for (const char* which : {"97", "/dev/video97", "garden"}) {
        const std::string text = error_of([&] { open_camera(which); });
        EXPECT_CONTAINS(text, which);
        EXPECT_CONTAINS(text, "not there; " + here);
    }
    EXPECT_CONTAINS(error_of([] { open_camera(""); }), "not there");
    EXPECT_CONTAINS(error_of([] { open_camera("-1"); }), "not there");
    EXPECT_CONTAINS(error_of([] { open_camera("99999999999999"); }), "not there");
}

TEST(Camera, WhatIsNoCameraSaysSo) {
    const testing::TempDir dir;
    testing::write_text(dir / "a.mp4", "x");
    EXPECT_CONTAINS(error_of([&] { open_camera(dir / "a.mp4"); }), "open it with --input");
    EXPECT_CONTAINS(error_of([] { open_camera("/dev/null"); }), "is not a camera");
}

TEST(Camera, EachFaultOfADeviceHasItsLine) {
    EXPECT_EQ(camera_fault("camera 7", ENOENT, {0, 2}), "camera 7: not there; cameras here: 0, 2");
    EXPECT_CONTAINS(camera_fault("camera 7", ENODEV, {}), "no camera is connected");
    EXPECT_CONTAINS(camera_fault("camera 0", EBUSY, {0}), "another program uses it");
    EXPECT_CONTAINS(camera_fault("camera 0", EACCES, {0}), "group video");
    EXPECT_CONTAINS(camera_fault("camera 0", EIO, {0}), "cannot be opened: Input/output error");
}

}  // namespace
}  // namespace deconv::media
