find_program(SPIRV_OPT spirv-opt REQUIRED)

# Compiles every shaders/**/*.comp to SPIR-V and embeds it.  A shader is named by its path without the extension, e.g.
# "nn/conv".  A line "// variant: SUFFIX -DA=1 -DB=2" in it adds the shader "nn/conv.SUFFIX" with those definitions, and
# then the plain name does not exist.  One that ends in "[wide]" is also compiled with -DWIDE, as "nn/conv.SUFFIX.wide"
# (shaders/quads.glsl): Pipelines takes that one where the device writes wide words faster.
function(deconv_embed_shaders target)
    set(folder ${CMAKE_SOURCE_DIR}/shaders)
    set(output ${CMAKE_BINARY_DIR}/shaders)
    file(GLOB_RECURSE shaders RELATIVE ${folder} CONFIGURE_DEPENDS ${folder}/*.comp ${folder}/*.vert ${folder}/*.frag)
    file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${folder}/*.glsl)
    # What glslc -O leaves out: unrolling, and then arrays become variables.  Some drivers do neither, and an
    # accumulator in a local array costs them a factor of twenty.
    set(optimisations --eliminate-local-single-block --eliminate-local-single-store --eliminate-dead-code-aggressive
        --ssa-rewrite --ccp --loop-unroll --eliminate-dead-branches --simplify-instructions --scalar-replacement=0
        --ssa-rewrite -O)
    set(table "")
    set(includes "")
    set(generated "")
    set(index 0)
    foreach(shader IN LISTS shaders)
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${folder}/${shader})
        string(REGEX REPLACE "\\.comp$" "" name ${shader})  # of other stages the extension stays
        file(STRINGS ${folder}/${shader} variants REGEX "^// variant: ")
        if(NOT variants)
            set(variants "plain")
        endif()
        set(all "")
        foreach(variant IN LISTS variants)
            string(REPLACE " [wide]" "" narrow "${variant}")
            list(APPEND all "${narrow}")
            if(NOT narrow STREQUAL variant)
                string(REGEX REPLACE "^// variant: +([^ ]+)" "// variant: \\1.wide -DWIDE" wide "${narrow}")
                list(APPEND all "${wide}")
            endif()
        endforeach()
        foreach(variant IN LISTS all)
            set(full ${name})
            set(definitions "")
            if(NOT variant STREQUAL "plain")
                string(REGEX REPLACE "^// variant: +" "" variant ${variant})
                separate_arguments(words UNIX_COMMAND "${variant}")
                list(POP_FRONT words suffix)
                set(full ${name}.${suffix})
                set(definitions ${words})
            endif()
            set(file ${output}/${full}.inc)
            get_filename_component(place ${file} DIRECTORY)
            file(MAKE_DIRECTORY ${place})
            add_custom_command(OUTPUT ${file}
                COMMAND Vulkan::glslc --target-env=vulkan1.2 -O0 -Werror -I ${folder} ${definitions}
                        ${folder}/${shader} -o ${file}.spv
                COMMAND ${SPIRV_OPT} --target-env=vulkan1.2 ${optimisations} ${file}.spv -o ${file}.opt.spv
                COMMAND ${CMAKE_COMMAND} -DINPUT=${file}.opt.spv -DOUTPUT=${file}
                        -P ${CMAKE_SOURCE_DIR}/cmake/EmbedSpirv.cmake
                DEPENDS ${folder}/${shader} ${headers} ${CMAKE_SOURCE_DIR}/cmake/EmbedSpirv.cmake
                COMMENT "Shader ${full}" VERBATIM)
            list(APPEND generated ${file})
            string(APPEND includes "const std::uint32_t shader_${index}[] =\n#include \"${file}\"\n;\n")
            string(APPEND table "    {\"${full}\", shader_${index}},\n")
            math(EXPR index "${index} + 1")
        endforeach()
    endforeach()
    file(GENERATE OUTPUT ${output}/embedded.cpp CONTENT
"// Generated: every shader's SPIR-V.
#include \"vk/shaders.h\"

namespace deconv::gpu {
namespace {
${includes}
const EmbeddedShader shaders[] = {
${table}};
}  // namespace

std::span<const EmbeddedShader> embedded_shaders() { return shaders; }
}  // namespace deconv::gpu
")
    target_sources(${target} PRIVATE ${output}/embedded.cpp)
    set_source_files_properties(${output}/embedded.cpp PROPERTIES OBJECT_DEPENDS "${generated}")
endfunction()
