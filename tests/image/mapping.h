// One display mapping on the device, fed from the host.
#pragma once

#include <memory>

#include "image/image_testing.h"

namespace deconv::testing {

struct Mapped {
    int width = 40, height = 30, copies = 1, channels = 3;
    image::FieldOfStart field = whole_image();
    image::DisplayOptions options;

    static image::FieldOfStart whole_image() {
        image::FieldOfStart field;
        field.whole = true;
        return field;
    }
};

class MappingRun {
  public:
    explicit MappingRun(const Mapped& what)
        : what_(what),
          signal_(engine().device, bytes_of(what), gpu::MemoryUse::device),
          selections_(engine().device, sizeof(nn::ResolvedSelection) * static_cast<std::size_t>(what.copies),
                      gpu::MemoryUse::device),
          mapping_(engine().device, signal_.slice(), selections_.slice(), what.copies, what.channels, what.width,
                   what.height, what.field, what.options),
          recording_(engine().device, engine().pipelines, mapping_.steps(), {}) {
        select(std::vector<nn::ResolvedSelection>(static_cast<std::size_t>(what.copies), whole_map()));
    }

    void select(const std::vector<nn::ResolvedSelection>& selections) {
        gpu::upload(engine().device, std::as_bytes(std::span(selections)), selections_.slice());
    }

    /// Maps R₀ of every copy; afterwards picture() has them.
    void run(const std::vector<float>& signal, const image::Viewing& viewing = {}) {
        gpu::upload(engine().device, std::as_bytes(std::span(signal)), signal_.slice());
        gpu::upload(engine().device, std::as_bytes(std::span(&viewing, 1)), mapping_.viewing());
        engine().scheduler.wait(engine().scheduler.submit(recording_));
    }

    std::vector<std::uint8_t> picture(int copy = 0) const {
        return from_device<std::uint8_t>(mapping_.picture(copy).slice);
    }

  private:
    static std::uint64_t bytes_of(const Mapped& what) {
        return std::uint64_t{4} * static_cast<std::uint64_t>(what.copies * what.channels * what.width * what.height);
    }

    Mapped what_;
    gpu::Buffer signal_, selections_;
    image::DisplayMapping mapping_;
    gpu::Recording recording_;
};

/// A picture on the device against one of the reference, (3, H, W) in 0 … 1, to half a grey level.
inline void expect_picture(const std::vector<std::uint8_t>& is, const reference::Tensor& should,
                           const std::string& what) {
    const std::size_t pixels = should.data.size() / 3;
    ASSERT_EQ(is.size(), 4 * pixels);
    for (std::size_t i = 0; i < pixels; ++i) {
        for (std::size_t c = 0; c < 3; ++c) {
            ASSERT_NEAR(is[4 * i + c], 255 * should.data[c * pixels + i], 0.52) << what << ", pixel " << i << ", " << c;
        }
        ASSERT_EQ(is[4 * i + 3], 255) << what;
    }
}

}  // namespace deconv::testing
