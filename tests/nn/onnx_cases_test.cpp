// The ONNX standard's own test cases on the device: every float32 case of up to four dimensions that uses only the
// supported operators, each a test of its own name.  Those left out are skipped with the reason; counts at the end.
#include <filesystem>
#include <fstream>
#include <set>

#include "engine_cases.h"

namespace deconv::testing {
namespace {

namespace fs = std::filesystem;

const fs::path cases_folder = "/usr/share/libonnx-testdata/data";

template <typename Message>
Message read_message(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    Message message;
    if (!message.ParseFromIstream(&file)) throw std::runtime_error("cannot read " + path.string());
    return message;
}

/// What runs on the device, without what only computes shapes.
const std::set<std::string>& operators() {
    static const std::set<std::string> all = [] {
        const auto& list = nn::supported_operators();
        std::set<std::string> names(list.begin(), list.end());
        for (const char* name :
             {"Shape", "Gather", "ConstantOfShape", "Floor", "Ceil", "Range", "Equal", "Where", "Expand"}) {
            names.erase(name);
        }
        return names;
    }();
    return all;
}

std::vector<onnx::ValueInfoProto> free_inputs(const onnx::ModelProto& model) {
    std::set<std::string> constants;
    for (const auto& tensor : model.graph().initializer()) constants.insert(tensor.name());
    std::vector<onnx::ValueInfoProto> inputs;
    for (const auto& input : model.graph().input()) {
        if (constants.count(input.name()) == 0) inputs.push_back(input);
    }
    return inputs;
}

bool belongs(const onnx::ModelProto& model) {
    using Types = onnx::TensorProto;
    for (const auto& node : model.graph().node()) {
        const bool standard = node.domain().empty() || node.domain() == "ai.onnx";
        if (!standard || operators().count(node.op_type()) == 0) return false;
    }
    const auto fits = [](const onnx::ValueInfoProto& value) {
        const int type = value.type().tensor_type().elem_type();
        return value.type().has_tensor_type() && value.type().tensor_type().shape().dim_size() <= 4 &&
               (type == Types::FLOAT || type == Types::INT64 || type == Types::BOOL);
    };
    const auto inputs = free_inputs(model);
    const auto& outputs = model.graph().output();
    const auto real = [](const onnx::ValueInfoProto& value) {
        return value.type().tensor_type().elem_type() == Types::FLOAT;
    };
    return std::all_of(model.graph().input().begin(), model.graph().input().end(), fits) &&
           std::all_of(outputs.begin(), outputs.end(), fits) && (inputs.empty() || real(inputs[0])) && real(outputs[0]);
}

std::vector<fs::path> find_cases() {
    std::vector<fs::path> found;
    for (const char* set : {"node", "simple", "pytorch-converted", "pytorch-operator"}) {
        if (!fs::exists(cases_folder / set)) continue;
        for (const auto& entry : fs::directory_iterator(cases_folder / set)) {
            const fs::path file = entry.path() / "model.onnx";
            if (fs::exists(file) && belongs(read_message<onnx::ModelProto>(file))) found.push_back(entry.path());
        }
    }
    std::sort(found.begin(), found.end());
    return found;
}

class OnnxCases : public ::testing::TestWithParam<fs::path> {
  public:
    static void TearDownTestSuite() {
        std::printf("[ cases    ] %d run, %d passed, %zu left out\n", run, passed, left_out.size());
        for (const auto& [name, reason] : left_out) std::printf("[ left out ] %s: %s\n", name.c_str(), reason.c_str());
    }

    inline static int run = 0, passed = 0;
    inline static std::map<std::string, std::string> left_out;
};

/// Why a case does not concern a network that is looked at; empty where it does.
std::string reason_to_leave_out(const onnx::ModelProto& model, const std::string& name) {
    if (free_inputs(model).empty()) return "a graph without an input sees nothing";
    for (const auto& output : model.graph().output()) {
        for (const auto& size : output.type().tensor_type().shape().dim()) {
            if (size.has_dim_value() && size.dim_value() == 0) return "its output has no elements";
        }
    }
    for (const auto& node : model.graph().node()) {
        for (const auto& attribute : node.attribute()) {
            if (attribute.name() == "training_mode" && attribute.i() != 0) {
                return "training: statistics of the batch itself";
            }
        }
    }
    if (name.rfind("test_training_dropout", 0) == 0) return "training: drops at random";
    return {};
}

/// Models of opset 1 to 6, written anew for opset 7, where that changes nothing but how they are written.
void raise_opset(onnx::ModelProto& model) {
    auto& opset = *model.mutable_opset_import(0);
    if (opset.version() >= 7) return;
    opset.set_version(7);
    std::map<std::string, onnx::TensorProto*> constants;
    for (auto& tensor : *model.mutable_graph()->mutable_initializer()) constants[tensor.name()] = &tensor;
    for (auto& node : *model.mutable_graph()->mutable_node()) {
        auto& attributes = *node.mutable_attribute();
        for (int i = attributes.size() - 1; i >= 0; --i) {
            const std::string name = attributes[i].name();
            // Inference needs no attribute since opset 7, and a Gemm's bias broadcasts as its flag asked for.
            const bool inference = name == "is_test" && attributes[i].i() == 1;
            const bool broadcast = name == "broadcast" && node.op_type() == "Gemm";
            if (inference || broadcast) attributes.DeleteSubrange(i, 1);
        }
        if (node.op_type() == "PRelu") {
            // One slope a channel: since opset 7 the trailing ones must be written.
            onnx::TensorProto& slope = *constants.at(node.input(1));
            const auto& shape = model.graph().input(0).type().tensor_type().shape();
            if (slope.dims_size() == 1 && slope.dims(0) > 1) {
                for (int d = 2; d < shape.dim_size(); ++d) slope.add_dims(1);
            }
        }
    }
    for (auto& input : *model.mutable_graph()->mutable_input()) {
        const auto constant = constants.find(input.name());
        if (constant == constants.end()) continue;
        auto& shape = *input.mutable_type()->mutable_tensor_type()->mutable_shape();
        shape.clear_dim();
        for (const auto size : constant->second->dims()) shape.add_dim()->set_dim_value(size);
    }
}

/// Inputs that are weights, shapes and the like in any network become constants here.
std::set<std::string> inputs_to_fix(const onnx::ModelProto& model) {
    static const std::set<std::string> of_tensors{"Add", "Sub", "Mul", "Div", "Sum", "Concat"};
    std::set<std::string> fixed;
    for (const auto& node : model.graph().node()) {
        if (of_tensors.count(node.op_type()) > 0) continue;
        // MaxUnpool's switches come from a pool, never from the file.
        for (int i = node.op_type() == "MaxUnpool" ? 2 : 1; i < node.input_size(); ++i) fixed.insert(node.input(i));
    }
    return fixed;
}

/// ONNX's index into the whole tensor (rows first, or columns with storage_order) from a switch, a place in its plane.
std::vector<double> to_indices(const std::vector<std::uint32_t>& switches, const reference::Planes& in,
                               std::int64_t pooled, bool column_major) {
    std::vector<double> indices;
    for (std::size_t i = 0; i < switches.size(); ++i) {
        const std::int64_t plane = static_cast<std::int64_t>(i) / pooled;
        const std::int64_t y = switches[i] / in.width;
        const std::int64_t x = switches[i] % in.width;
        indices.push_back(
            static_cast<double>(plane * in.area() + (column_major ? x * in.height + y : y * in.width + x)));
    }
    return indices;
}

void run_case(onnx::ModelProto model, const fs::path& data) {
    raise_opset(model);
    const auto tensor = [&](const std::string& kind, int i) {
        return read_message<onnx::TensorProto>(data / (kind + "_" + std::to_string(i) + ".pb"));
    };
    const std::set<std::string> fixed = inputs_to_fix(model);
    std::map<std::string, reference::Tensor> fed;
    const auto inputs = free_inputs(model);
    for (int i = 0; i < static_cast<int>(inputs.size()); ++i) {
        onnx::TensorProto value = tensor("input", i);
        const std::string& name = inputs[static_cast<std::size_t>(i)].name();
        if (fixed.count(name) > 0) {
            value.set_name(name);
            *model.mutable_graph()->add_initializer() = value;
        } else {
            fed[name] = reference::to_tensor(value);
        }
    }
    const onnx::GraphProto graph = model.graph();
    Runner runner(nn::import_onnx_bytes(model.SerializeAsString(), "case", "."));
    runner.plan();
    for (const auto& [name, value] : fed) {
        if (!value.integer) {
            runner.set_input(name, to_floats(value.data));
            continue;
        }
        // Indices of a MaxUnpool, in a map of which the test data say the size: twice that of the pooled one.
        const reference::Planes pooled = reference::planes_of(value.shape);
        std::vector<std::uint32_t> switches;
        for (const double index : value.data) {
            switches.push_back(static_cast<std::uint32_t>(static_cast<std::int64_t>(index) % (4 * pooled.area())));
        }
        runner.set_switches(name, switches);
    }
    runner.run();
    for (int i = 0; i < graph.output_size(); ++i) {
        const reference::Tensor expected = reference::to_tensor(tensor("output", i));
        const std::string& name = graph.output(i).name();
        SCOPED_TRACE(name);
        const int type = graph.output(i).type().tensor_type().elem_type();
        if (type == onnx::TensorProto::BOOL) continue;  // a Dropout's mask, which nobody looks at
        const int index = runner.network().find_tensor(name);
        ASSERT_GE(index, 0);
        const auto& info = runner.network().tensors()[static_cast<std::size_t>(index)];
        EXPECT_EQ(info.shape, expected.shape);
        if (type == onnx::TensorProto::FLOAT) {
            EXPECT_LE(relative_error(runner.values(name), expected.data), 1e-5);
            continue;
        }
        const auto& node = runner.network().nodes()[static_cast<std::size_t>(info.producer)];
        const auto& pooled_from = runner.network().tensors()[static_cast<std::size_t>(node.inputs[0])];
        const bool column_major = node.node->attributes.integer("storage_order", 0) != 0;
        EXPECT_EQ(to_indices(runner.switches(name), reference::planes_of(pooled_from.shape),
                             reference::planes_of(expected.shape).area(), column_major),
                  expected.data);
    }
}

TEST_P(OnnxCases, Agrees) {
    const fs::path& folder = GetParam();
    const auto model = read_message<onnx::ModelProto>(folder / "model.onnx");
    const std::string name = folder.filename().string();
    const std::string reason = reason_to_leave_out(model, name);
    if (!reason.empty()) {
        left_out[name] = reason;
        GTEST_SKIP() << "left out: " << reason;
    }
    ++run;
    int data_sets = 0;
    for (const auto& data : fs::directory_iterator(folder)) {
        if (!data.is_directory()) continue;
        ASSERT_NO_THROW(run_case(model, data.path()));
        ++data_sets;
    }
    EXPECT_GT(data_sets, 0);
    if (!HasFailure()) ++passed;
}

std::string test_name(const ::testing::TestParamInfo<fs::path>& info) {
    std::string name = info.param.parent_path().filename().string() + "_" + info.param.filename().string();
    for (char& c : name) {
        if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
    }
    return name;
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(OnnxCases);
INSTANTIATE_TEST_SUITE_P(Engine, OnnxCases, ::testing::ValuesIn(find_cases()), test_name);

/// Enough of the standard's cases are there and count; where the package is missing this says so.
TEST(EngineOnnxCases, AreThere) {
    if (!fs::exists(cases_folder)) GTEST_SKIP() << "SKIPPED: the package libonnx-testdata is not installed";
    int runnable = 0;
    for (const fs::path& folder : find_cases()) {
        const auto model = read_message<onnx::ModelProto>(folder / "model.onnx");
        runnable += reason_to_leave_out(model, folder.filename().string()).empty() ? 1 : 0;
    }
    EXPECT_GE(runnable, 180);
}

}  // namespace
}  // namespace deconv::testing
