// What a steady frame costs the host beside its work: nothing is allocated, made, recorded or waited for.
//
// Counted over 1,000 frames, in all threads of the program: C++ allocations (operator new), and calls of Vulkan that
// make or record something or wait for the whole queue.  Software drivers run in this process, but in C: what they take
// from malloc() is theirs, and is not counted.  C++ of theirs (LLVM's) runs when something is compiled, and would be.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <vulkan/vulkan.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <thread>

#include "live/feed.h"
#include "live/models.h"
#include "live/projector.h"
#include "live/record_thread.h"
#include "live/report.h"
#include "live/session.h"
#include "media/media_testing.h"

namespace {
std::atomic<std::int64_t> allocations{0}, made{0}, waits{0};

// A breakpoint here shows who allocates.
[[gnu::noinline]] void* allocate(std::size_t size) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    // NOLINTNEXTLINE(cppcoreguidelines-owning-memory)
    if (void* memory = std::malloc(size)) return memory;
    throw std::bad_alloc();
}

template <typename F>
F real(F /*ours*/, const char* name) {
    return reinterpret_cast<F>(dlsym(RTLD_NEXT, name));
}
}  // namespace

// NOLINTBEGIN(cppcoreguidelines-owning-memory)
[[gnu::noinline]] void* operator new(std::size_t size) {
    return allocate(size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t /*size*/) noexcept {
    std::free(memory);
}
// NOLINTEND(cppcoreguidelines-owning-memory)

// The loader's functions, counted on their way.
// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name,bugprone-macro-parentheses)
#define COUNTED(counter, result, name, parameters, arguments) \
    extern "C" VKAPI_ATTR result VKAPI_CALL name parameters { \
        counter.fetch_add(1, std::memory_order_relaxed);      \
        static const auto next = real(&name, #name);          \
        return next arguments;                                \
    }
COUNTED(made, VkResult, vkAllocateMemory,
        (VkDevice d, const VkMemoryAllocateInfo* i, const VkAllocationCallbacks* a, VkDeviceMemory* m), (d, i, a, m))
COUNTED(made, VkResult, vkCreateBuffer,
        (VkDevice d, const VkBufferCreateInfo* i, const VkAllocationCallbacks* a, VkBuffer* b), (d, i, a, b))
COUNTED(made, VkResult, vkCreateComputePipelines,
        (VkDevice d, VkPipelineCache c, std::uint32_t n, const VkComputePipelineCreateInfo* i,
         const VkAllocationCallbacks* a, VkPipeline* p),
        (d, c, n, i, a, p))
COUNTED(made, VkResult, vkBeginCommandBuffer, (VkCommandBuffer c, const VkCommandBufferBeginInfo* i), (c, i))
COUNTED(waits, VkResult, vkQueueWaitIdle, (VkQueue q), (q))
COUNTED(waits, VkResult, vkDeviceWaitIdle, (VkDevice d), (d))
COUNTED(waits, VkResult, vkWaitForFences,
        (VkDevice d, std::uint32_t n, const VkFence* f, VkBool32 all, std::uint64_t t), (d, n, f, all, t))
#undef COUNTED
// NOLINTEND(readability-inconsistent-declaration-parameter-name,bugprone-macro-parentheses)

namespace deconv::live {
namespace {

constexpr int warm_up = 120;  // a slot's commands are cut for the last time after its 50th frame
constexpr int steady = 1000;

struct Counts {
    std::int64_t allocated = allocations, objects = made, idle = waits;

    bool operator==(const Counts&) const = default;
    void expect_none_since(const Counts& before) const {
        EXPECT_EQ(allocated - before.allocated, 0) << "allocations";
        EXPECT_EQ(objects - before.objects, 0) << "pieces of memory, buffers, pipelines and recordings";
        EXPECT_EQ(idle - before.idle, 0) << "waits for a queue, a device or a fence";
    }
};

/// Runs frames and expects that they cost nothing.  Pools grow once more where threads happen to hold more at a time,
/// and segments are cut anew where other programs' load changes (gpu::Recording::finished()): then they are run again.
template <typename F>
void expect_free(const F& frames) {
    constexpr int tries = 4;
    for (int i = 1; i <= tries; ++i) {
        const Counts before;
        frames();
        const Counts after;
        if (after == before) return;
        if (i == tries) after.expect_none_since(before);
        std::printf("run %d: %lld allocations, %lld things made\n", i,
                    static_cast<long long>(after.allocated - before.allocated),
                    static_cast<long long>(after.objects - before.objects));
    }
}

/// The bundled network on the device of the environment; without validation, whose layers allocate.
class FramePath : public ::testing::Test {
  protected:
    static gpu::DeviceOptions device_options() {
        gpu::DeviceOptions options;
        const char* limits = std::getenv("DECONV_LIMITS");
        options.minimum_limits = limits != nullptr && std::string(limits) == "minimum";
        return options;
    }

    gpu::Device device_{device_options()};
    gpu::Pipelines pipelines_{device_, {}};
};

TEST_F(FramePath, CountingCounts) {
    const Counts before;
    const gpu::Buffer buffer(device_, 64, gpu::MemoryUse::device);
    const auto number = std::make_unique<int>(1);
    const Counts after;
    EXPECT_GE(after.allocated - before.allocated, 1);
    EXPECT_GE(after.objects - before.objects, 2);
}

TEST_F(FramePath, HeadlessFramesAllocateMakeAndRecordNothing) {
    gpu::Scheduler scheduler(device_);
    LoadedModel loaded = load_model("", 32, 32, 0);
    nn::Model model(device_, std::move(loaded.network));
    ProjectorOptions options;
    options.target = model.network().projection_start(model.network().default_layer().tensor);
    options.preprocessing = preprocessing_of(loaded.sidecar);
    Projector projector(device_, pipelines_, scheduler, model, options);
    FrameFeed feed(media::open_input("demo"));
    const volatile int stop = 0;
    ProjectedFrame frame;
    std::vector<Prediction> predictions;
    const auto one_frame = [&] {
        const std::shared_ptr<const FedFrame> fed = feed.next(stop);
        ASSERT_TRUE(fed);
        projector.submit(fed->frame.picture, {}, 1.0 / 30);
        if (projector.under_way() < Projector::slots) return;
        projector.collect(frame);
        ASSERT_TRUE(frame.view);
        best_predictions(frame.scores, true, loaded.sidecar.labels, predictions);
    };
    for (int i = 0; i < warm_up; ++i) one_frame();
    const std::size_t pipelines = pipelines_.count();
    expect_free([&] {
        for (int i = 0; i < steady; ++i) one_frame();
    });
    EXPECT_EQ(pipelines_.count(), pipelines);
    EXPECT_EQ(predictions.size(), 5U);
}

/// The hand-over to the recorder; what its thread does is the encoder's.
TEST_F(FramePath, PicturesAreHandedToTheRecorderWithoutCopies) {
    const testing::TempDir folder;
    RecordThread recording(std::make_unique<media::Recorder>(folder / "out.mkv", 30));
    Pool<Picture> pool;
    const auto one_picture = [&] {
        const std::shared_ptr<Picture> picture = pool.take();
        picture->resize(64, 48);
        recording.add(picture);
    };
    for (int i = 0; i < warm_up; ++i) one_picture();
    expect_free([&] {
        for (int i = 0; i < steady; ++i) one_picture();
    });
}

/// The session behind a window, in each of its views: its network, feed and whoever asks for its state.
class SessionPath : public FramePath, public ::testing::WithParamInterface<Show> {};

TEST_P(SessionPath, FramesAllocateMakeAndRecordNothing) {
    Settings settings;
    settings.options.input = "demo";
    settings.options.input_width = settings.options.input_height = 32;
    settings.show = GetParam();
    Session session(device_, pipelines_, settings);
    State state;
    const auto run_until = [&](std::uint64_t frames) {
        while (session.alive() && (session.state(state), state.frames) < frames) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        ASSERT_TRUE(session.alive()) << state.trouble;
    };
    run_until(warm_up);
    expect_free([&] { run_until(state.frames + 90); });  // three seconds of the demo's own pace
}

INSTANTIATE_TEST_SUITE_P(Views, SessionPath,
                         ::testing::Values(Show::projection, Show::maps, Show::ladder, Show::network));

}  // namespace
}  // namespace deconv::live
