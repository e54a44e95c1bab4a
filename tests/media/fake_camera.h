// A Video4Linux camera for tests: a file in a folder, and an ioctl() of the test program's own that answers for it as a
// camera's driver would, to this project's code and to OpenCV's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace deconv::testing {

/// What its pictures are painted in, as R, G, B.
constexpr int camera_color[3] = {200, 60, 20};

struct FakeFormat {
    std::string letters;  // "YUYV", "MJPG" or "GREY"
    double fps = 30;      // at any size
};

struct FakeDevice {
    std::string name = "Test camera";
    std::vector<FakeFormat> formats = {{"YUYV", 30}};
    bool captures = true;           // false: the second device of a camera, for metadata
    bool busy = false;              // another program streams from it
    int unplugged_after = 1 << 30;  // frames
};

/// There from its making to its end.
class FakeCamera {
  public:
    FakeCamera(std::string path, FakeDevice device);
    ~FakeCamera();
    FakeCamera(const FakeCamera&) = delete;
    FakeCamera& operator=(const FakeCamera&) = delete;

    const std::string& path() const;
    /// The format its last pictures were sent in; "" before the first.
    std::string sent_format() const;

    struct State;

  private:
    std::shared_ptr<State> state_;
};

}  // namespace deconv::testing
