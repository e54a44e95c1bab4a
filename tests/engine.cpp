#include "engine.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>

namespace deconv::testing {
namespace {

gpu::DeviceOptions options_from_environment() {
    gpu::DeviceOptions options;
    const char* limits = std::getenv("DECONV_LIMITS");
    options.minimum_limits = limits != nullptr && std::string(limits) == "minimum";
    // Without the layer where it does not know what a device can do: see validation_layer_knows_matrices().
    const char* validation = std::getenv("DECONV_VALIDATION");
    options.validation = validation == nullptr || std::string(validation) != "0";
    return options;
}

std::unique_ptr<Engine>& kept_engine() {
    static std::unique_ptr<Engine> kept;
    return kept;
}

/// Fails the test during which the validation layer spoke, and ends the device before the program's statics go.
class ValidationListener : public ::testing::EmptyTestEventListener {
    void OnTestEnd(const ::testing::TestInfo& /*info*/) override {
        if (!kept_engine()) return;
        for (const std::string& message : kept_engine()->device.take_validation_messages()) {
            ADD_FAILURE() << "Vulkan validation: " << message;
        }
    }
    void OnTestProgramEnd(const ::testing::UnitTest& /*test*/) override { kept_engine().reset(); }
};

const bool listening = [] {
    ::testing::UnitTest::GetInstance()->listeners().Append(std::make_unique<ValidationListener>().release());
    return true;
}();

/// What the device says of itself is data that only tests may change.
gpu::DeviceInfo& info() {
    return const_cast<gpu::DeviceInfo&>(kept_engine()->device.info());
}
std::uint64_t& storage_range() {
    engine();
    return info().limits.storage_range;
}

template <typename T>
std::vector<T> read(const gpu::Slice& slice) {
    std::vector<T> values(slice.bytes / sizeof(T));
    gpu::download(engine().device, slice, std::as_writable_bytes(std::span(values)));
    return values;
}

}  // namespace

Engine& engine() {
    static_cast<void>(listening);
    if (!kept_engine()) {
        kept_engine() = std::make_unique<Engine>(options_from_environment());
        const char* type = std::getenv("DECONV_TYPE");
        if (type != nullptr && std::string(type) == "gpu") info().type = gpu::DeviceType::discrete;
        std::printf("[ device   ] %s, %s\n", kept_engine()->device.info().name.c_str(),
                    kept_engine()->device.info().driver.c_str());
    }
    return *kept_engine();
}

Runner::Runner(nn::Graph graph, const std::map<std::string, nn::Shape>& inputs)
    : model_(engine().device, nn::Network(std::move(graph), inputs)) {}

int Runner::index(const std::string& tensor) const {
    const int found = network().find_tensor(tensor);
    if (found < 0) throw std::runtime_error("no tensor named " + tensor);
    return found;
}

void Runner::plan(const std::string& target, nn::Rule rule, nn::LrnReverse lrn, std::int64_t copies,
                  const std::vector<std::string>& observed, bool keep_signals) {
    nn::PlanOptions options;
    options.precision = precision_;
    options.keep_signals = keep_signals;
    options.crop_below = std::numeric_limits<double>::infinity();
    if (!target.empty()) options.target = network().projection_start(index(target));
    options.rule = rule;
    options.lrn = lrn;
    options.copies = copies;
    for (const std::string& name : observed) options.observed.insert(index(name));
    recording_.reset();
    plan_ = std::make_unique<nn::Plan>(model_, options);
    record({});
}

void Runner::record(const gpu::Recording::Options& options) {
    recording_.reset();
    recording_ = std::make_unique<gpu::Recording>(engine().device, engine().pipelines, plan_->steps(), options);
}

void Runner::set_input(const std::string& name, const std::vector<float>& values) {
    gpu::upload(engine().device, std::as_bytes(std::span(values)), plan_->tensor(index(name)).slice);
}

void Runner::set_switches(const std::string& name, const std::vector<std::uint32_t>& values) {
    gpu::upload(engine().device, std::as_bytes(std::span(values)), plan_->tensor(index(name)).slice);
}

void Runner::request(const std::vector<nn::Selection>& selections) {
    const nn::Extent extent = nn::extent_of(plan_->tensor(plan_->options().target).shape);
    std::vector<nn::SelectionRequest> requests;
    for (const nn::Selection& selection : selections) {
        requests.push_back(nn::to_request(selection, extent.width));
    }
    gpu::upload(engine().device, std::as_bytes(std::span(requests)), plan_->requests());
}

void Runner::run(const std::vector<nn::Selection>& selections) {
    if (plan_->options().target >= 0) request(selections);
    engine().scheduler.wait(engine().scheduler.submit(*recording_));
}

void Runner::run_single(const std::vector<nn::Selection>& selections) {
    request(selections);
    const gpu::Recording recording(engine().device, engine().pipelines, plan_->single_steps(), {});
    engine().scheduler.wait(engine().scheduler.submit(recording));
}

std::vector<float> Runner::values(const std::string& tensor) const {
    return read<float>(plan_->tensor(index(tensor)).slice);
}

std::vector<std::uint32_t> Runner::switches(const std::string& tensor) const {
    return read<std::uint32_t>(plan_->tensor(index(tensor)).slice);
}

std::vector<float> Runner::reconstruction() const {
    return read<float>(plan_->reconstruction().slice);
}

std::vector<nn::ResolvedSelection> Runner::selections() const {
    return read<nn::ResolvedSelection>(plan_->selections());
}

PretendedRange::PretendedRange(std::uint64_t bytes) : before_(storage_range()) {
    storage_range() = bytes;
}
PretendedRange::~PretendedRange() {
    storage_range() = before_;
}

double relative_error(const std::vector<float>& a, const std::vector<double>& b) {
    if (a.size() != b.size()) return INFINITY;
    double difference = 0;
    double norm = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        difference += (a[i] - b[i]) * (a[i] - b[i]);
        norm += b[i] * b[i];
    }
    if (difference == 0) return 0;
    return norm > 0 ? std::sqrt(difference / norm) : INFINITY;
}

std::string shared_folder() {
    const char* from_environment = std::getenv("DECONV_SHARED");
    const std::string folder = from_environment != nullptr ? from_environment : DECONV_SHARED_DIR;
    return std::filesystem::is_directory(folder) ? folder : std::string();
}

}  // namespace deconv::testing
