// Transforms of planes against a float64 DFT, both ways; and what their place in a recording promises.
#include "vk/fft.h"

#include <unistd.h>

#include <cmath>
#include <complex>
#include <filesystem>
#include <numbers>
#include <random>

#include "vk/vk_testing.h"

namespace deconv::testing {
namespace {

using Complex = std::complex<double>;

/// One step that transforms `data` in place.
gpu::Step transform(const gpu::FftShape& shape, const gpu::Slice& data) {
    gpu::Dispatch dispatch;
    dispatch.fft = shape;
    dispatch.bindings = {gpu::in_out(data)};
    dispatch.label = "fft";
    return {std::move(dispatch), {}, "test"};
}

void run(std::vector<gpu::Step> steps, gpu::Pipelines& pipelines = engine().pipelines) {
    const gpu::Recording recording(engine().device, pipelines, std::move(steps), {});
    engine().scheduler.wait(engine().scheduler.submit(recording));
}

/// Σ values[j] exp(sign 2πi j k / n) over `count` values `step` apart, for every k.
std::vector<Complex> dft(const Complex* values, std::size_t n, std::size_t step, double sign) {
    std::vector<Complex> result(n);
    for (std::size_t k = 0; k < n; ++k) {
        for (std::size_t j = 0; j < n; ++j) {
            const double angle = sign * 2 * std::numbers::pi * static_cast<double>(j * k % n) / static_cast<double>(n);
            result[k] += values[j * step] * std::polar(1.0, angle);
        }
    }
    return result;
}

/// The spectrum of a plane: `height` rows of width / 2 + 1.
std::vector<Complex> spectrum(const std::vector<double>& plane, std::size_t width, std::size_t height) {
    const std::size_t half = width / 2 + 1;
    std::vector<Complex> rows(height * half);
    for (std::size_t y = 0; y < height; ++y) {
        const std::vector<Complex> row(plane.begin() + static_cast<std::ptrdiff_t>(y * width),
                                       plane.begin() + static_cast<std::ptrdiff_t>((y + 1) * width));
        const std::vector<Complex> transformed = dft(row.data(), width, 1, -1);
        std::copy_n(transformed.begin(), half, rows.begin() + static_cast<std::ptrdiff_t>(y * half));
    }
    for (std::size_t u = 0; u < half; ++u) {
        const std::vector<Complex> column = dft(&rows[u], height, half, -1);
        for (std::size_t v = 0; v < height; ++v) rows[v * half + u] = column[v];
    }
    return rows;
}

/// Planes of random numbers behind `lead` floats of something else, to be transformed and back.
void expect_transforms(std::uint32_t width, std::uint32_t height, std::uint32_t batch, std::size_t lead) {
    SCOPED_TRACE(std::to_string(batch) + " of " + std::to_string(width) + "x" + std::to_string(height) + " behind " +
                 std::to_string(lead));
    std::mt19937 random(width * 1000 + height);
    std::normal_distribution<float> normal;
    const std::size_t row = 2 * (width / 2 + 1);
    const std::size_t plane = row * height;
    std::vector<float> floats(lead + batch * plane + 7, 5.0F);
    std::vector<double> expected_forward;
    std::vector<double> expected_back(floats.begin(), floats.end());
    for (std::size_t b = 0; b < batch; ++b) {
        std::vector<double> values;
        for (std::size_t y = 0; y < height; ++y) {
            for (std::size_t x = 0; x < width; ++x) {
                floats[lead + b * plane + y * row + x] = normal(random);
                values.push_back(floats[lead + b * plane + y * row + x]);
            }
        }
        for (const Complex& value : spectrum(values, width, height)) {
            expected_forward.push_back(value.real());
            expected_forward.push_back(value.imag());
        }
    }
    const gpu::Buffer buffer = on_device(floats);
    const gpu::Slice data = buffer.slice().part(4 * lead, 4 * batch * plane);
    run({transform({width, height, batch, false}, data)});
    EXPECT_LE(relative_error(from_device(data), expected_forward), 1e-6);

    run({transform({width, height, batch, true}, data)});
    const std::vector<float> back = from_device(buffer.slice());
    double difference = 0;
    double norm = 0;
    for (std::size_t i = 0; i < back.size(); ++i) {
        const bool planes = i >= lead && i < lead + batch * plane;
        if (!planes) {
            EXPECT_EQ(back[i], 5.0F) << "outside of the planes, at " << i;
        } else if ((i - lead) % row < width) {
            const double wanted = floats[i];
            difference += std::pow(back[i] / static_cast<double>(width * height) - wanted, 2);
            norm += wanted * wanted;
        }
    }
    EXPECT_LE(std::sqrt(difference / norm), 1e-6);
}

TEST(Fft, SizesHaveSmallFactors) {
    EXPECT_EQ(gpu::fft_size(1), 2U);
    EXPECT_EQ(gpu::fft_size(13), 14U);
    EXPECT_EQ(gpu::fft_size(22), 24U);
    EXPECT_EQ(gpu::fft_size(64), 64U);
    EXPECT_EQ(gpu::fft_size(66), 70U);
    EXPECT_EQ(gpu::fft_size(121), 126U);
}

TEST(Fft, TransformsAsAFloat64DftDoes) {
    if (!gpu::has_fft()) GTEST_SKIP() << "built without VkFFT";
    // Every even size of small factors up to 128, as height and as width.
    std::uint32_t previous = 16;
    for (std::uint32_t n = 4; n <= 128; n = gpu::fft_size(n + 1)) {
        expect_transforms(n, previous, 3, n % 3 == 0 ? 64 : 0);
        previous = n;
    }
    expect_transforms(128, 126, 1, 2);
    expect_transforms(33, 77, 2, 0);  // odd ones
    expect_transforms(26, 22, 5, 0);  // factors 11 and 13
}

TEST(Fft, WaitsForWhatItReadsAndIsWaitedFor) {
    if (!gpu::has_fft()) GTEST_SKIP() << "built without VkFFT";
    constexpr std::uint32_t n = 16;
    constexpr std::size_t plane = (n + 2) * n;
    const gpu::Buffer a = on_device(std::vector<float>(4 * plane));
    const gpu::Buffer b = on_device(std::vector<float>(4 * plane));
    const gpu::FftShape forward{n, n, 4, false};
    const gpu::FftShape inverse{n, n, 4, true};
    for (const double segment_ms : {1000.0, 0.001}) {
        gpu::Recording::Options options;
        options.segment_ms = segment_ms;
        std::vector<gpu::Step> steps{fill(a.slice(), 2), transform(forward, a.slice()), copy(a.slice(), b.slice()),
                                     transform(inverse, b.slice())};
        for (gpu::Step& step : steps) step.dispatch.flops = 1e6;
        gpu::Recording recording(engine().device, engine().pipelines, std::move(steps), options);
        for (int i = 0; i < 3; ++i) {
            engine().scheduler.wait(engine().scheduler.submit(recording));
            const std::vector<float> values = from_device(a.slice());
            EXPECT_NEAR(values[0], 2 * n * n, 1e-3);  // all of it at frequency zero
            EXPECT_NEAR(values[2], 0, 1e-3);
            EXPECT_NEAR(from_device(b.slice())[5] / (n * n), 2, 1e-5);
            recording.adapt();  // records the same plans anew
        }
    }
}

TEST(Fft, CompiledShadersAreKeptOnDisk) {
    if (!gpu::has_fft()) GTEST_SKIP() << "built without VkFFT";
    const std::filesystem::path folder =
        std::filesystem::temp_directory_path() / ("deconv-fft-test-" + std::to_string(::getpid()));
    const gpu::FftShape shape{20, 18, 2, false};
    const gpu::Buffer buffer = on_device(std::vector<float>(2 * shape.plane_bytes() / 4));
    const auto files = [&] {
        std::vector<std::filesystem::path> found;
        for (const auto& entry : std::filesystem::directory_iterator(folder)) {
            if (entry.path().filename().string().rfind("fft-", 0) == 0) found.push_back(entry.path());
        }
        return found;
    };
    {
        gpu::Pipelines pipelines(engine().device, folder);
        run({fill(buffer.slice(), 1), transform(shape, buffer.slice())}, pipelines);
    }
    ASSERT_EQ(files().size(), 1U);
    const auto written = std::filesystem::last_write_time(files()[0]);
    {
        gpu::Pipelines pipelines(engine().device, folder);
        run({fill(buffer.slice(), 1), transform(shape, buffer.slice())}, pipelines);
        EXPECT_NEAR(from_device(buffer.slice())[0], 20 * 18, 1e-3);
    }
    EXPECT_EQ(std::filesystem::last_write_time(files()[0]), written);
    // A file cut short is made anew.
    std::filesystem::resize_file(files()[0], std::filesystem::file_size(files()[0]) / 2);
    {
        gpu::Pipelines pipelines(engine().device, folder);
        run({fill(buffer.slice(), 1), transform(shape, buffer.slice())}, pipelines);
        EXPECT_NEAR(from_device(buffer.slice())[0], 20 * 18, 1e-3);
    }
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace deconv::testing
