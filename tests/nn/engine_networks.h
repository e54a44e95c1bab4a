// Whole networks on the device and by the reference, where discrete choices may differ between nearly equal values:
// those are checked to be so, and taken over from the device.
#pragma once

#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "engine_cases.h"

namespace deconv::testing {

inline double largest(const std::vector<double>& values) {
    double result = 0;
    for (const double v : values) result = std::max(result, std::abs(v));
    return result;
}

/// A network file on both sides.  Device values of every tensor are read once; projections then run in plans of their
/// own, which share memory.
class NetworkComparison {
  public:
    /// How near two values must be, relative to their tensor's largest, for either choice to be right.
    static constexpr double nearly_equal = 1e-5;

    NetworkComparison(const std::string& path, reference::Tensor image, const std::map<std::string, Shape>& shapes = {})
        : network_(reference::Network::load(path)),
          image_(std::move(image)),
          input_(network_.inputs().at(0).first),
          runner_(nn::import_onnx(path), shapes) {
        values_ = network_.forward({{input_, image_}});
    }

    Runner& runner() { return runner_; }
    const reference::Network& network() const { return network_; }
    const reference::Network::Values& values() const { return values_; }
    const std::string& input() const { return input_; }

    /// All activations within `tolerance`; takes over the device's discrete choices.
    void expect_forward(double tolerance = 1e-4) {
        std::vector<std::string> names;
        for (const auto& tensor : runner_.network().tensors()) names.push_back(tensor.name);
        runner_.plan("", nn::Rule::deconv, nn::LrnReverse::identity, 1, names);
        runner_.set_input(input_, to_floats(image_.data));
        runner_.run();
        for (const auto& node : runner_.network().nodes()) {
            const std::string& name = node.node->outputs[0];
            const std::vector<float> values = runner_.values(name);
            EXPECT_LE(relative_error(values, values_.at(name).data), tolerance) << "tensor " << name;
            if (node.node->op == "MaxPool" || node.node->op == "GlobalMaxPool") take_switches(node);
            if (node.node->op == "Relu") take_mask(node.node->inputs[0]);
        }
    }

    /// All selections carried back at once, each against the reference.
    void expect_projection(const std::string& target, nn::Rule rule, const std::vector<nn::Selection>& selections,
                           nn::LrnReverse lrn = nn::LrnReverse::identity, double tolerance = 1e-4) {
        const std::vector<float> r0 = project(target, rule, selections, lrn);
        const bool single =
            std::all_of(selections.begin(), selections.end(), [](const auto& s) { return s.is_single(); });
        if (single && !runner_.current().single_steps().empty()) {
            runner_.run_single(selections);
            EXPECT_LE(relative_error(runner_.reconstruction(), {r0.begin(), r0.end()}), 1e-5) << "cropped";
        }
        const std::vector<nn::ResolvedSelection> resolved = runner_.selections();
        const auto one = static_cast<std::ptrdiff_t>(r0.size() / selections.size());
        for (std::size_t k = 0; k < selections.size(); ++k) {
            const std::string trace = std::string(name_of(rule)) + " from " + target + ": " + describe(selections[k]);
            SCOPED_TRACE(trace);
            const reference::Tensor& activation = values_.at(network_.start_of(target));
            const auto start = reference_start(activation, as_resolved(selections[k], resolved[k], activation));
            const auto expected =
                network_.project(values_, target, start, to_reference(rule), to_reference(lrn), input_, &choices_);
            const auto from = r0.begin() + static_cast<std::ptrdiff_t>(k) * one;
            EXPECT_LE(relative_error({from, from + one}, expected.data), tolerance);
            EXPECT_GT(largest(expected.data), 0) << "nothing comes back: the comparison shows little";
        }
    }

    std::vector<float> project(const std::string& target, nn::Rule rule, const std::vector<nn::Selection>& selections,
                               nn::LrnReverse lrn = nn::LrnReverse::identity) {
        runner_.plan(target, rule, lrn, static_cast<std::int64_t>(selections.size()));
        runner_.set_input(input_, to_floats(image_.data));
        runner_.run(selections);
        return runner_.reconstruction();
    }

    int choices_taken() const { return different_; }

  private:
    void take_switches(const nn::Network::NodeInfo& node) {
        const auto& name = runner_.network().tensors()[static_cast<std::size_t>(node.outputs[1])].name;
        const std::vector<std::uint32_t> device = runner_.switches(name);
        const std::vector<std::int64_t> expected = reference::switches_of(network_, values_, node.node->name);
        const reference::Tensor& x = values_.at(node.node->inputs[0]);
        const std::int64_t area = reference::planes_of(x.shape).area();
        const std::int64_t pooled = reference::planes_of(values_.at(node.node->outputs[0]).shape).area();
        const double allowed = nearly_equal * largest(x.data);
        for (std::size_t i = 0; i < device.size(); ++i) {
            if (device[i] == static_cast<std::uint32_t>(expected[i])) continue;
            ++different_;
            ASSERT_LT(device[i], area);
            const std::int64_t base = static_cast<std::int64_t>(i) / pooled * area;
            EXPECT_NEAR(x.data[static_cast<std::size_t>(base + device[i])],
                        x.data[static_cast<std::size_t>(base + expected[i])], allowed)
                << "switch " << i << " of " << node.node->name;
        }
        choices_.switches[node.node->name] = {device.begin(), device.end()};
    }

    void take_mask(const std::string& tensor) {
        const std::vector<float> device = runner_.values(tensor);
        const std::vector<double>& expected = values_.at(tensor).data;
        const double allowed = nearly_equal * largest(expected);
        for (std::size_t i = 0; i < device.size(); ++i) {
            if ((device[i] > 0) == (expected[i] > 0)) continue;
            ++different_;
            EXPECT_LE(std::abs(expected[i]), allowed) << "mask " << i << " of " << tensor;
        }
        choices_.activations[tensor] = {values_.at(tensor).shape, {device.begin(), device.end()}};
    }

    /// The selection with the device's own `strongest` and `max` in their places.
    static nn::Selection as_resolved(nn::Selection s, const nn::ResolvedSelection& device,
                                     const reference::Tensor& activation) {
        const double allowed = nearly_equal * largest(activation.data);
        const auto peak = [&](std::int64_t channel) {
            const auto [y, x] = reference::place_of_max(activation, channel);
            const reference::Planes p = reference::planes_of(activation.shape);
            return activation.data[static_cast<std::size_t>((channel * p.height + y) * p.width + x)];
        };
        if (s.channel == nn::Selection::strongest) {
            EXPECT_NEAR(peak(device.channel), peak(reference::strongest_channel(activation)), allowed);
            s.channel = device.channel;
        }
        if (s.where == nn::Selection::Where::max && s.channel != nn::Selection::all) {
            const reference::Planes p = reference::planes_of(activation.shape);
            const auto at = static_cast<std::size_t>(s.channel * p.area() + device.place);
            EXPECT_NEAR(activation.data[at], peak(s.channel), allowed);
            s.where = nn::Selection::Where::pinned;
            s.y = static_cast<std::int32_t>(device.place / p.width);
            s.x = static_cast<std::int32_t>(device.place % p.width);
        }
        return s;
    }

    reference::Network network_;
    reference::Tensor image_;
    std::string input_;
    Runner runner_;
    reference::Network::Values values_;
    reference::Choices choices_;
    int different_ = 0;
};

/// A folder of this run's own, gone with it.
class TemporaryFolder {
  public:
    TemporaryFolder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "deconv-test-XXXXXX").string();
        if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make " + pattern);
        path_ = pattern;
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

/// Whether tools/make_networks.py can run here.
inline bool can_make_networks() {
    static const bool can = std::system("/usr/bin/python3 -c 'import numpy, onnx' >/dev/null 2>&1") == 0;
    return can;
}

/// Makes a network of seeded weights in the folder; the file's path.
inline std::string make_network(const std::filesystem::path& folder, const std::string& arguments) {
    const std::string command = "/usr/bin/python3 " + std::string(DECONV_SOURCE_DIR) + "/tools/make_networks.py " +
                                arguments + " --out " + folder.string() + " >/dev/null";
    if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
        if (file.path().extension() == ".onnx") return file.path().string();
    }
    throw std::runtime_error("made nothing: " + command);
}

}  // namespace deconv::testing
