// Shaders with NVIDIA's cooperative matrices, translated to the common extension's.
#include "vk/cooperative_matrix.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "vk/shaders.h"

namespace deconv {
namespace {

struct Instruction {
    std::uint32_t opcode;
    std::vector<std::uint32_t> operands;
};

std::vector<Instruction> instructions_of(const std::vector<std::uint32_t>& code) {
    std::vector<Instruction> result;
    for (std::size_t i = 5; i < code.size();) {
        const std::size_t count = code[i] >> 16U;
        if (count == 0 || i + count > code.size()) {
            ADD_FAILURE() << "an instruction of " << count << " words at " << i << " of " << code.size();
            break;
        }
        result.push_back({code[i] & 0xffffU, std::vector<std::uint32_t>(&code[i] + 1, &code[i] + count)});
        i += count;
    }
    return result;
}

TEST(CooperativeMatrices, OfShadersWithoutAnyNothingChanges) {
    int others = 0;
    for (const gpu::EmbeddedShader& shader : gpu::embedded_shaders()) {
        if (shader.name.find(".matrix") != std::string_view::npos) continue;
        const std::vector<std::uint32_t> code = gpu::translate_matrices(shader.code);
        EXPECT_TRUE(std::equal(code.begin(), code.end(), shader.code.begin(), shader.code.end())) << shader.name;
        ++others;
    }
    EXPECT_GT(others, 50);
}

// Every product takes a left side, a right side and a sum of the same sizes; matrices come from loads, sums and
// variables of their own type; ids are declared once, before their use among types and constants, below the bound.
TEST(CooperativeMatrices, HaveTheUseThatProductsMakeOfThem) {
    int shaders = 0;
    for (const gpu::EmbeddedShader& shader : gpu::embedded_shaders()) {
        if (shader.name.find(".matrix") == std::string_view::npos) continue;
        SCOPED_TRACE(shader.name);
        ++shaders;
        const std::vector<std::uint32_t> code = gpu::translate_matrices(shader.code);
        std::map<std::uint32_t, std::uint32_t> type_of, numbers, pointee;
        std::map<std::uint32_t, std::vector<std::uint32_t>> matrices;  // component, scope, rows, columns, use
        std::set<std::uint32_t> declared;
        int products = 0;
        const auto use = [&](std::uint32_t value) {
            const auto matrix = matrices.find(type_of[value]);
            return matrix == matrices.end() ? -1 : static_cast<int>(numbers[matrix->second[4]]);
        };
        for (const auto& [opcode, o] : instructions_of(code)) {
            EXPECT_FALSE(opcode >= 5358 && opcode <= 5362) << "NVIDIA's opcode " << opcode;
            switch (opcode) {
                case 17:
                    EXPECT_NE(o[0], 5357U) << "NVIDIA's capability";
                    break;
                case 32:
                    pointee[o[0]] = o[2];
                    EXPECT_TRUE(declared.insert(o[0]).second) << o[0];
                    break;
                case 43:
                    numbers[o[1]] = o[2];
                    EXPECT_TRUE(declared.insert(o[1]).second) << o[1];
                    break;
                case 4456:
                    for (std::size_t i = 2; i < 6; ++i) EXPECT_TRUE(declared.count(o[i])) << "operand " << i;
                    EXPECT_TRUE(declared.insert(o[0]).second) << o[0];
                    EXPECT_LT(o[0], code[3]);
                    matrices[o[0]] = {o.begin() + 1, o.end()};
                    break;
                case 59:
                    type_of[o[1]] = pointee[o[0]];
                    break;
                case 61:
                    if (matrices.count(o[0])) {
                        EXPECT_EQ(o[0], type_of[o[2]]);
                    }
                    type_of[o[1]] = o[0];
                    break;
                case 62:
                    if (matrices.count(type_of[o[0]]) && type_of.count(o[1])) {
                        EXPECT_EQ(type_of[o[0]], type_of[o[1]]);
                    }
                    break;
                case 4457:
                    EXPECT_LE(numbers.at(o[3]), 1U);
                    type_of[o[1]] = o[0];
                    break;
                case 4459:
                    ++products;
                    EXPECT_EQ(use(o[2]), 0);
                    EXPECT_EQ(use(o[3]), 1);
                    EXPECT_EQ(use(o[4]), 2);
                    EXPECT_EQ(o[0], type_of[o[4]]);
                    type_of[o[1]] = o[0];
                    break;
                default:
                    break;
            }
        }
        EXPECT_GE(products, 2);
        EXPECT_EQ(matrices.size(), 3U);
    }
    EXPECT_GE(shaders, 2);
}

}  // namespace
}  // namespace deconv
