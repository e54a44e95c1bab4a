// Cooperative matrices, VK_KHR_cooperative_matrix.  Debian 12 has neither its headers nor a compiler for its GLSL, but
// a compiler for that of VK_NV_cooperative_matrix, whose matrices do not say what they are used for.  Drivers that run
// those turn every right side round by instructions of their own, twice a product (an H200 took twice as long), so
// shaders are written for NVIDIA's extension and translated to the common one, which other vendors have as well.
#pragma once

#include <cstdint>
#include <span>
#include <vector>
#include <vulkan/vulkan.hpp>

namespace deconv::gpu {

constexpr const char* cooperative_matrix_extension = "VK_KHR_cooperative_matrix";

/// VkPhysicalDeviceCooperativeMatrixFeaturesKHR.
struct CooperativeMatrixFeatures {
    VkStructureType type = static_cast<VkStructureType>(1000506000);
    void* next = nullptr;
    VkBool32 cooperative_matrix = VK_TRUE;
    VkBool32 robust_buffer_access = VK_FALSE;
};

/// Does the device, which has the extension, multiply halves and add them up in floats, in matrices of 16 × 16 that a
/// subgroup shares?
bool multiplies_matrices(vk::Instance instance, vk::PhysicalDevice device);

/// A validation layer that is older than the extension takes all of it for errors.
bool validation_layer_knows_matrices();

/// The SPIR-V of a shader with NVIDIA's cooperative matrices, in those of the common extension; of others, the same.
/// Matrices of halves are left sides, but for those that products take as their right side; what is loaded must go
/// there through variables only.
std::vector<std::uint32_t> translate_matrices(std::span<const std::uint32_t> code);

}  // namespace deconv::gpu
