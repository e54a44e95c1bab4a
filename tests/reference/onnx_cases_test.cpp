// The reference's forward pass against the ONNX standard's own test cases.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "reference/operators.h"
#include "reference/test_models.h"

namespace deconv::reference {
namespace {

const std::filesystem::path cases_folder = "/usr/share/libonnx-testdata/data";

template <typename Message>
Message read_message(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    Message message;
    if (!message.ParseFromIstream(&file)) throw std::runtime_error("cannot read " + path.string());
    return message;
}

/// Why a case is outside of what the reference computes; empty where it is not.
std::string reason_to_skip(const std::filesystem::path& folder) {
    const auto model = read_message<onnx::ModelProto>(folder / "model.onnx");
    for (const auto& set : model.opset_import()) {
        if (set.domain().empty() && (set.version() < 7 || set.version() > 17)) {
            return "opset " + std::to_string(set.version());
        }
    }
    for (const auto& node : model.graph().node()) {
        try {
            Node probe;
            probe.op = node.op_type();
            find_operator(probe);
        } catch (const std::runtime_error&) {
            return "operator " + node.op_type();
        }
        for (const auto& a : node.attribute()) {
            if (a.name() == "training_mode" && a.i() != 0) return "training mode";
        }
    }
    const std::string name = folder.filename().string();
    if (name.rfind("test_training_dropout", 0) == 0) return "training mode";
    for (const auto& input : model.graph().input()) {
        if (input.type().tensor_type().shape().dim_size() > 4) return "more than four dimensions";
        const auto type = input.type().tensor_type().elem_type();
        if (type == onnx::TensorProto::STRING) return "strings";
        if (type == onnx::TensorProto::BFLOAT16 || type == onnx::TensorProto::FLOAT16) return "half precision";
        if (input.type().has_optional_type() || input.type().has_sequence_type()) return "not a tensor";
    }
    for (const auto& output : model.graph().output()) {
        const auto type = output.type().tensor_type().elem_type();
        if (type == onnx::TensorProto::STRING) return "strings";
        if (type == onnx::TensorProto::BFLOAT16 || type == onnx::TensorProto::FLOAT16) return "half precision";
        if (type == onnx::TensorProto::UINT8 && name.rfind("test_div", 0) != 0 && name != "test_maxpool_2d_uint8") {
            return "arithmetic modulo 256";
        }
    }
    return {};
}

std::vector<std::filesystem::path> cases(const std::string& set) {
    std::vector<std::filesystem::path> found;
    const auto folder = cases_folder / set;
    if (!std::filesystem::exists(folder)) return found;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (std::filesystem::exists(entry.path() / "model.onnx")) found.push_back(entry.path());
    }
    std::sort(found.begin(), found.end());
    return found;
}

void run_case(const std::filesystem::path& folder) {
    const Network network = Network::load((folder / "model.onnx").string());
    for (const auto& data : std::filesystem::directory_iterator(folder)) {
        if (!data.is_directory()) continue;
        const auto tensor = [&](const std::string& kind, std::size_t i) {
            const auto path = data.path() / (kind + "_" + std::to_string(i) + ".pb");
            if (!std::filesystem::exists(path)) throw std::runtime_error("no " + path.string());
            return to_tensor(read_message<onnx::TensorProto>(path));
        };
        Network::Values inputs;
        for (std::size_t i = 0; i < network.inputs().size(); ++i) {
            inputs[network.inputs()[i].first] = tensor("input", i);
        }
        const auto values = network.forward(inputs);
        for (std::size_t i = 0; i < network.outputs().size(); ++i) {
            const Tensor expected = tensor("output", i);
            const Tensor& out = values.at(network.outputs()[i]);
            EXPECT_EQ(out.shape, expected.shape);
            EXPECT_LT(relative_error(out, expected), 1e-5) << network.outputs()[i];
        }
    }
}

TEST(OnnxCases, ForwardAgreesWithEveryCaseOfItsOperators) {
    if (!std::filesystem::exists(cases_folder)) GTEST_SKIP() << "libonnx-testdata is not installed";
    int run = 0;
    std::map<std::string, int> skipped;
    for (const char* set : {"node", "simple", "pytorch-converted", "pytorch-operator"}) {
        for (const auto& folder : cases(set)) {
            const std::string reason = reason_to_skip(folder);
            if (!reason.empty()) {
                ++skipped[reason];
                continue;
            }
            SCOPED_TRACE(folder.string());
            try {
                run_case(folder);
            } catch (const std::exception& e) {
                ADD_FAILURE() << e.what();
            }
            ++run;
        }
    }
    std::printf("%d cases run\n", run);
    for (const auto& [reason, count] : skipped) {
        if (reason.rfind("operator", 0) != 0) std::printf("%d left out: %s\n", count, reason.c_str());
    }
    EXPECT_GT(run, 180);
}

}  // namespace
}  // namespace deconv::reference
