# VkFFT, header-only, for one source of a target; it compiles its shaders by shaderc (src/vk/vkfft is the adapter).
# Where a package is missing the source is built without it, and convolutions by FFT are not offered.
function(deconv_use_vkfft target source)
    find_path(VKFFT_INCLUDE vkFFT.h)
    find_path(SHADERC_INCLUDE shaderc/shaderc.h)
    # Debian's shared shaderc leaves glslang's symbols open; its static one wants these beside it, in this order.
    set(libraries "")
    set(missing "")
    foreach(name shaderc_combined glslang MachineIndependent GenericCodeGen OSDependent OGLCompiler HLSL SPIRV
            SPIRV-Tools-opt SPIRV-Tools)
        find_library(DECONV_LIB_${name} NAMES lib${name}.a)
        if(DECONV_LIB_${name})
            list(APPEND libraries ${DECONV_LIB_${name}})
        elseif(name STREQUAL "shaderc_combined" OR name STREQUAL "glslang")
            list(APPEND missing lib${name}.a)
        endif()
    endforeach()
    if(NOT VKFFT_INCLUDE OR NOT SHADERC_INCLUDE OR missing)
        message(WARNING "VkFFT or shaderc not found (Debian: libvkfft-dev, libshaderc-dev, glslang-dev): "
                        "building without convolutions by FFT")
        return()
    endif()
    set(options "-I${CMAKE_SOURCE_DIR}/src/vk/vkfft")
    foreach(folder ${VKFFT_INCLUDE} ${SHADERC_INCLUDE})
        if(NOT folder IN_LIST CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES)
            list(APPEND options -isystem ${folder})
        endif()
    endforeach()
    set_source_files_properties(${source} PROPERTIES
        COMPILE_DEFINITIONS DECONV_VKFFT
        COMPILE_OPTIONS "${options}"
        SKIP_PRECOMPILE_HEADERS ON)
    target_link_libraries(${target} PRIVATE ${libraries} Threads::Threads)
endfunction()
