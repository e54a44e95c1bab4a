#include "vk/cooperative_matrix.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <string>

namespace deconv::gpu {
namespace {

// From the SPIR-V specification and its extensions SPV_NV_cooperative_matrix and SPV_KHR_cooperative_matrix.
enum Opcode : std::uint32_t {
    op_extension = 10,
    op_capability = 17,
    op_type_int = 21,
    op_type_float = 22,
    op_type_pointer = 32,
    op_constant_true = 41,
    op_constant = 43,
    op_variable = 59,
    op_load = 61,
    op_store = 62,
    op_control_barrier = 224,
    op_type_matrix = 4456,
    op_matrix_load = 4457,
    op_matrix_store = 4458,
    op_matrix_product = 4459,
    op_type_matrix_nv = 5358,
    op_matrix_load_nv = 5359,
    op_matrix_store_nv = 5360,
    op_matrix_product_nv = 5361,
};
constexpr std::uint32_t capability_nv = 5357;
constexpr std::uint32_t capability_khr = 6022;
constexpr std::uint32_t non_private_pointer = 0x20;
constexpr std::uint32_t of_shared_memory = 0x108;    // a barrier's semantics: acquire, release, workgroup memory
constexpr std::uint32_t available_visible = 0x6000;  // and those of both sides
constexpr std::size_t header_words = 5;

/// Operands follow the opcode.
struct Instruction {
    std::uint32_t opcode;
    std::vector<std::uint32_t> operands;
};

std::vector<Instruction> read(std::span<const std::uint32_t> code) {
    std::vector<Instruction> instructions;
    for (std::size_t i = header_words; i < code.size();) {
        const std::uint32_t count = code[i] >> 16U;
        instructions.push_back({code[i] & 0xffffU,
                                {code.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                 code.begin() + static_cast<std::ptrdiff_t>(i + count)}});
        i += count;
    }
    return instructions;
}

class Translator {
  public:
    explicit Translator(std::span<const std::uint32_t> code)
        : header_(code.begin(), code.begin() + header_words), instructions_(read(code)) {}

    std::vector<std::uint32_t> run() {
        find_right_sides();
        for (const Instruction& instruction : instructions_) translate(instruction);
        result_[3] = next_;  // ids are below it
        return std::move(result_);
    }

  private:
    /// Values and variables that products take as their right side.
    void find_right_sides() {
        for (const auto& [opcode, operands] : instructions_) {
            if (opcode == op_matrix_product_nv) right_.insert(operands[3]);
        }
        for (std::size_t before = 0; before != right_.size();) {
            before = right_.size();
            for (const auto& [opcode, operands] : instructions_) {
                // A load's result and pointer; a store's pointer and value.
                const std::size_t first = opcode == op_load ? 1 : 0;
                if (opcode != op_load && opcode != op_store) continue;
                if (right_.count(operands[first]) == 0 && right_.count(operands[first + 1]) == 0) continue;
                right_.insert({operands[first], operands[first + 1]});
            }
        }
    }

    void put(std::uint32_t opcode, const std::vector<std::uint32_t>& operands) {
        result_.push_back(static_cast<std::uint32_t>(operands.size() + 1) << 16U | opcode);
        result_.insert(result_.end(), operands.begin(), operands.end());
    }

    /// Constants 0, 1 and 2, as uses of matrices (left, right, sum) and as layouts (by rows, by columns), and 3, the
    /// semantics of barriers.
    std::uint32_t number(std::uint32_t index) {
        if (numbers_.empty()) {
            for (const std::uint32_t value : {0U, 1U, 2U, of_shared_memory | available_visible}) {
                numbers_.push_back(next_);
                put(op_constant, {uint_, next_++, value});
            }
        }
        return numbers_[index];
    }

    /// Barriers make shared memory visible, not each load for itself: those could not be put in another order then.
    static std::vector<std::uint32_t> with_memory(std::vector<std::uint32_t> operands, const Instruction& from,
                                                  std::size_t before) {
        if (from.operands.size() > before) operands.push_back(from.operands[before] & non_private_pointer);
        return operands;
    }

    /// The operands with their type replaced, where the value or variable is a right side.
    std::vector<std::uint32_t> retyped(std::vector<std::uint32_t> operands) const {
        const auto type = right_types_.find(operands[0]);
        if (type != right_types_.end() && right_.count(operands[1]) > 0) operands[0] = type->second;
        return operands;
    }

    void translate(const Instruction& instruction) {
        const std::vector<std::uint32_t>& o = instruction.operands;
        switch (instruction.opcode) {
            case op_capability:
                put(op_capability, {o[0] == capability_nv ? capability_khr : o[0]});
                return;
            case op_extension: {
                const std::string text(reinterpret_cast<const char*>(o.data()));
                std::vector<std::uint32_t> words = o;
                if (text == "SPV_NV_cooperative_matrix") {
                    const char name[] = "SPV_KHR_cooperative_matrix";
                    words.assign(sizeof name / 4 + 1, 0);
                    std::memcpy(words.data(), name, sizeof name);
                }
                put(op_extension, words);
                return;
            }
            case op_type_int:
                if (o[1] == 32 && o[2] == 0) uint_ = o[0];
                break;
            case op_type_float:
                if (o[1] == 16) half_ = o[0];
                break;
            case op_constant_true:
                true_ = o[1];
                break;
            case op_constant:
                if (o[0] == uint_ && o[2] == of_shared_memory) shared_semantics_ = o[1];
                break;
            case op_control_barrier:
                put(op_control_barrier, {o[0], o[1], o[2] == shared_semantics_ ? number(3) : o[2]});
                return;
            case op_type_matrix_nv: {
                const bool half = o[1] == half_;
                std::vector<std::uint32_t> type = o;
                type.push_back(number(half ? 0 : 2));
                put(op_type_matrix, type);
                if (half) {
                    type[0] = right_types_[o[0]] = next_++;
                    type.back() = number(1);
                    put(op_type_matrix, type);
                }
                return;
            }
            case op_type_pointer:
                put(op_type_pointer, o);
                if (const auto to = right_types_.find(o[2]); to != right_types_.end()) {
                    const std::uint32_t type = to->second;
                    put(op_type_pointer, {right_types_[o[0]] = next_++, o[1], type});
                }
                return;
            case op_variable:
            case op_load:
                put(instruction.opcode, retyped(o));
                return;
            case op_matrix_load_nv:
                put(op_matrix_load,
                    with_memory(retyped({o[0], o[1], o[2], number(o[4] == true_ ? 1 : 0), o[3]}), instruction, 5));
                return;
            case op_matrix_store_nv:
                put(op_matrix_store, with_memory({o[0], o[1], number(o[3] == true_ ? 1 : 0), o[2]}, instruction, 4));
                return;
            case op_matrix_product_nv:
                put(op_matrix_product, o);
                return;
            default:
                break;
        }
        put(instruction.opcode, o);
    }

    std::vector<std::uint32_t> header_;
    std::vector<Instruction> instructions_;
    std::vector<std::uint32_t> result_ = header_;
    std::uint32_t next_ = header_[3];
    std::set<std::uint32_t> right_;
    std::map<std::uint32_t, std::uint32_t> right_types_;  // of matrices and of pointers to them
    std::vector<std::uint32_t> numbers_;
    std::uint32_t uint_ = 0, half_ = 0, true_ = 0, shared_semantics_ = 0;
};

/// VkCooperativeMatrixPropertiesKHR.
struct Properties {
    VkStructureType structure = static_cast<VkStructureType>(1000506001);
    void* next = nullptr;
    std::uint32_t m = 0, n = 0, k = 0;
    std::uint32_t a = 0, b = 0, c = 0, result = 0;  // 0: halves, 1: floats
    VkBool32 saturates = VK_FALSE;
    std::uint32_t scope = 0;
};

}  // namespace

bool multiplies_matrices(vk::Instance instance, vk::PhysicalDevice device) {
    const auto list = reinterpret_cast<VkResult (*)(VkPhysicalDevice, std::uint32_t*, Properties*)>(
        instance.getProcAddr("vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR"));
    std::uint32_t count = 0;
    if (list == nullptr || list(device, &count, nullptr) != VK_SUCCESS) return false;
    std::vector<Properties> kinds(count);
    if (list(device, &count, kinds.data()) != VK_SUCCESS) return false;
    constexpr std::uint32_t subgroup = 3;
    return std::any_of(kinds.begin(), kinds.end(), [](const Properties& kind) {
        return kind.m == 16 && kind.n == 16 && kind.k == 16 && kind.a == 0 && kind.b == 0 && kind.c == 1 &&
               kind.result == 1 && kind.scope == subgroup;
    });
}

bool validation_layer_knows_matrices() {
    const auto layers = vk::enumerateInstanceLayerProperties();
    return std::any_of(layers.begin(), layers.end(), [](const vk::LayerProperties& layer) {
        return std::string(layer.layerName.data()) == "VK_LAYER_KHRONOS_validation" &&
               layer.specVersion >= VK_MAKE_API_VERSION(0, 1, 3, 255);
    });
}

std::vector<std::uint32_t> translate_matrices(std::span<const std::uint32_t> code) {
    // Capabilities come first, two words each: nothing else of other shaders is read.
    constexpr std::uint32_t capability = 2U << 16U | op_capability;
    for (std::size_t i = header_words; i < code.size() && code[i] == capability; i += 2) {
        if (code[i + 1] == capability_nv) return Translator(code).run();
    }
    return {code.begin(), code.end()};
}

}  // namespace deconv::gpu
