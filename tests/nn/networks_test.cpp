// The graphs of well-known networks with seeded weights: narrow ones of each, and VGG-16 at its full size.
#include "engine_networks.h"

namespace deconv::testing {
namespace {

struct Known {
    const char* name;
    const char* size;
};

// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest's name
void PrintTo(const Known& known, std::ostream* out) {
    *out << known.name;
}

reference::Tensor seeded_image(std::int64_t side) {
    Random random(91);
    return random.normal({1, 3, side, side});
}

class NarrowNetworks : public ::testing::TestWithParam<Known> {};

TEST_P(NarrowNetworks, ForwardAndBackFromTheMiddle) {
    if (!can_make_networks()) GTEST_SKIP() << "SKIPPED: python3-numpy or python3-onnx is not installed";
    const TemporaryFolder folder;
    const std::string path =
        make_network(folder.path(), std::string(GetParam().name) + " --width 1/16 --size " + GetParam().size);
    NetworkComparison comparison(path, seeded_image(std::stoi(GetParam().size)));
    comparison.expect_forward();
    const std::string middle = comparison.runner().network().default_layer().name;
    nn::Selection all;
    all.channel = nn::Selection::all;
    nn::Selection unit;
    unit.where = nn::Selection::Where::max;
    unit.one = true;
    for (const nn::Rule rule : all_rules) {
        comparison.expect_projection(middle, rule, {{}, all, unit}, nn::LrnReverse::identity);
        comparison.expect_projection(middle, rule, {unit}, nn::LrnReverse::derivative);
    }
    // A class, through everything.
    const nn::Network& network = comparison.runner().network();
    const auto& scores = network.tensors()[static_cast<std::size_t>(network.classes().tensor)].name;
    comparison.expect_projection(scores, nn::Rule::gradient, {unit});
}

std::string test_name(const ::testing::TestParamInfo<Known>& known) {
    std::string name = known.param.name;
    std::erase_if(name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; });
    return name;
}

INSTANTIATE_TEST_SUITE_P(Engine, NarrowNetworks,
                         ::testing::Values(Known{"vgg16", "64"}, Known{"alexnet", "99"}, Known{"zfnet512", "96"},
                                           Known{"googlenet", "75"}, Known{"squeezenet1.1", "80"},
                                           Known{"resnet18-v1", "70"}),
                         test_name);

/// The longest segment's time of each of `runs` submissions, and its label; the shortest of these, for the machine may
/// be busy with others.
std::pair<double, std::string> longest_segment(Runner& runner, int runs) {
    std::pair<double, std::string> best{1e9, ""};
    nn::Selection all;
    all.channel = nn::Selection::all;
    for (int run = 0; run < runs; ++run) {
        runner.run({all});
        std::pair<double, std::string> longest{0, ""};
        for (const gpu::SegmentTime& time : runner.recording().times()) {
            longest = std::max(longest, {time.end_ms - time.start_ms, time.stage + " " + time.label});
        }
        best = std::min(best, longest);
    }
    return best;
}

/// VGG-16 as it is: 138 million weights, its first matrix of 392 MiB split over bindings.
TEST(EngineFullSize, Vgg16ForwardAndBackFromConv53) {
    if (!can_make_networks()) GTEST_SKIP() << "SKIPPED: python3-numpy or python3-onnx is not installed";
    auto folder = std::make_unique<TemporaryFolder>();
    const std::string path = make_network(folder->path(), "vgg16");
    NetworkComparison comparison(path, seeded_image(224));
    folder.reset();
    const std::string conv5_3 = "vgg0_relu12_fwd";
    comparison.expect_forward();
    nn::Selection all;
    all.channel = nn::Selection::all;
    comparison.expect_projection(conv5_3, nn::Rule::deconv, {{}});
    comparison.expect_projection(conv5_3, nn::Rule::gradient, {all});
    Runner& runner = comparison.runner();
    constexpr double mib = 1 << 20;
    std::printf("[          ] memory: %.0f MiB of activations and signals, %.0f MiB of constants; %d choices taken\n",
                static_cast<double>(runner.current().memory_bytes()) / mib,
                static_cast<double>(runner.model().constants().bytes()) / mib, comparison.choices_taken());
    // By what the first run took, the second is cut.
    for (int round = 0; round < 3; ++round) {
        runner.run({all});
        runner.recording().adapt();
    }
    const auto [ms, label] = longest_segment(runner, 3);
    std::printf("[          ] %zu segments, the longest %.1f ms: %s\n", runner.recording().segments().size(), ms,
                label.c_str());
    // What a segment takes depends on what else the machine does, so that figure is only printed; how they are cut, by
    // what was measured, is not a matter of luck.
    const gpu::Recording::Options options;
    for (const gpu::Recording::Segment& segment : runner.recording().segments()) {
        EXPECT_LE(segment.estimated_ms, 1.5 * options.segment_ms) << segment.stage << " " << segment.label;
    }
}

}  // namespace
}  // namespace deconv::testing
