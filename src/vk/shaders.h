// The SPIR-V that the build made from shaders/, by name.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace deconv::gpu {

struct EmbeddedShader {
    std::string_view name;  // path under shaders/ without extension, e.g. "nn/conv", and ".variant" where it has any
    std::span<const std::uint32_t> code;
};

std::span<const EmbeddedShader> embedded_shaders();

}  // namespace deconv::gpu
