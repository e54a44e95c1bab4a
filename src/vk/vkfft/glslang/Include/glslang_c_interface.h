// The part of glslang's C interface that VkFFT calls, over shaderc: found first on the include path of vk/fft.cpp
// alone. VkFFT 1.2 initialises glslang_resource_t by position, in the order of an older glslang than Debian's.
#pragma once

#include <shaderc/shaderc.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

// NOLINTBEGIN: the names are glslang's.
enum glslang_source_t { GLSLANG_SOURCE_GLSL };
enum glslang_stage_t { GLSLANG_STAGE_COMPUTE };
enum glslang_client_t { GLSLANG_CLIENT_VULKAN };
enum glslang_target_client_version_t { GLSLANG_TARGET_VULKAN_1_0, GLSLANG_TARGET_VULKAN_1_1 };
enum glslang_target_language_t { GLSLANG_TARGET_SPV };
enum glslang_target_language_version_t { GLSLANG_TARGET_SPV_1_0, GLSLANG_TARGET_SPV_1_3 };
enum glslang_profile_t { GLSLANG_NO_PROFILE };
enum glslang_messages_t {
    GLSLANG_MSG_DEFAULT_BIT = 0,
    GLSLANG_MSG_SPV_RULES_BIT = 8,
    GLSLANG_MSG_VULKAN_RULES_BIT = 16
};

/// Limits of a GL driver: 93 numbers and nine switches, which shaderc has defaults for.
struct glslang_resource_t {
    int numbers[93];
    struct {
        bool switches[9];
    } limits;
};

struct glslang_input_t {
    glslang_source_t language;
    glslang_stage_t stage;
    glslang_client_t client;
    glslang_target_client_version_t client_version;
    glslang_target_language_t target_language;
    glslang_target_language_version_t target_language_version;
    const char* code;
    int default_version;
    glslang_profile_t default_profile;
    int force_default_version_and_profile;
    int forward_compatible;
    glslang_messages_t messages;
    const glslang_resource_t* resource;
};

struct glslang_shader_t {
    std::string log;
    std::vector<std::uint32_t> code;
};

/// Owns its SPIR-V: VkFFT deletes the shader before it reads that.
struct glslang_program_t {
    std::string log;
    std::vector<std::uint32_t> code;
};

inline int glslang_initialize_process() {
    return 1;
}
inline void glslang_finalize_process() {}

inline glslang_shader_t* glslang_shader_create(const glslang_input_t*) {
    return new glslang_shader_t;
}
inline void glslang_shader_delete(glslang_shader_t* shader) {
    delete shader;
}
inline int glslang_shader_preprocess(glslang_shader_t*, const glslang_input_t*) {
    return 1;
}

/// All of the work: from GLSL to SPIR-V.
inline int glslang_shader_parse(glslang_shader_t* shader, const glslang_input_t* input) {
    const shaderc_compiler_t compiler = shaderc_compiler_initialize();
    const shaderc_compile_options_t options = shaderc_compile_options_initialize();
    shaderc_compile_options_set_target_env(options, shaderc_target_env_vulkan,
                                           input->client_version == GLSLANG_TARGET_VULKAN_1_0
                                               ? shaderc_env_version_vulkan_1_0
                                               : shaderc_env_version_vulkan_1_1);
    shaderc_compile_options_set_optimization_level(options, shaderc_optimization_level_performance);
    const std::string source(input->code);
    const shaderc_compilation_result_t result = shaderc_compile_into_spv(
        compiler, source.data(), source.size(), shaderc_compute_shader, "vkfft", "main", options);
    const bool good = shaderc_result_get_compilation_status(result) == shaderc_compilation_status_success;
    if (good) {
        const auto* words = reinterpret_cast<const std::uint32_t*>(shaderc_result_get_bytes(result));
        shader->code.assign(words, words + shaderc_result_get_length(result) / sizeof(std::uint32_t));
    } else {
        shader->log = shaderc_result_get_error_message(result);
    }
    shaderc_result_release(result);
    shaderc_compile_options_release(options);
    shaderc_compiler_release(compiler);
    return good ? 1 : 0;
}
inline const char* glslang_shader_get_info_log(glslang_shader_t* shader) {
    return shader->log.c_str();
}

inline glslang_program_t* glslang_program_create() {
    return new glslang_program_t;
}
inline void glslang_program_delete(glslang_program_t* program) {
    delete program;
}
inline void glslang_program_add_shader(glslang_program_t* program, glslang_shader_t* shader) {
    program->code = shader->code;
}
inline int glslang_program_link(glslang_program_t* program, int) {
    return program->code.empty() ? 0 : 1;
}
inline const char* glslang_program_get_info_log(glslang_program_t* program) {
    return program->log.c_str();
}
inline void glslang_program_SPIRV_generate(glslang_program_t*, glslang_stage_t) {}
inline const char* glslang_program_SPIRV_get_messages(glslang_program_t*) {
    return nullptr;
}
inline std::uint32_t* glslang_program_SPIRV_get_ptr(glslang_program_t* program) {
    return program->code.data();
}
inline std::size_t glslang_program_SPIRV_get_size(glslang_program_t* program) {
    return program->code.size();
}
// NOLINTEND
