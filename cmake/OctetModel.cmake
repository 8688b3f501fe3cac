# octet_add_model(NAME <name> MODEL <file> TARGETS <target>... [PROFILE <name>] [BATCH <n>]
#                 [KERNEL_FILES <n>] [EMIT cpp|obj] [STRICT_INT8] [NO_WINOGRAD])
#
# Makes a static library <name> of a quantized network, with the header <name>.h: what `octet compile` writes, built with
# this project's C++ compiler. Link to it; it needs nothing else, and it is made again when the model or octet changes.
#
#   NAME          C++ identifier: the library, its namespace and its header
#   MODEL         the network, .onnx or .tflite, relative to the current source folder
#   TARGETS       scalar; avx2, avx512_vnni, avx512_vbmi; neon, neon_dot, neon_i8mm: what the program picks from when it
#                 runs. scalar runs everywhere. x86's and AArch64's may stand together: each machine builds its own.
#   PROFILE       whose rounding the bytes follow, instead of what the file asks for
#   BATCH         images at a time, where the file leaves it open
#   KERNEL_FILES  sources per target that the kernels are spread over, so that they compile side by side (default 4)
#   EMIT          obj: kernels as machine code that octet makes itself, for targets of one architecture; default cpp
#   STRICT_INT8   refuse networks of which anything would work outside of int8
#   NO_WINOGRAD   smaller weights, slower 3x3 convolutions: none takes Winograd's form
#
# Works after find_package(octet) and inside of Octet's own build. A project that is cross-compiled includes this file
# alone and needs the octet command of the machine that builds: the one of the package that this file belongs to, one in
# PATH, or OCTET_EXECUTABLE, which comes first in any project:
#
#   include(/usr/local/lib/cmake/octet/OctetModel.cmake)
#   octet_add_model(NAME digits MODEL digits.onnx TARGETS scalar neon_dot)    # with -DCMAKE_TOOLCHAIN_FILE=aarch64.cmake

# The command that runs on the machine that builds.
function(octet_find_command result)
  if(NOT OCTET_EXECUTABLE AND NOT CMAKE_CROSSCOMPILING AND TARGET octet::cli)
    set(${result} octet::cli PARENT_SCOPE)
    return()
  endif()
  # lib/cmake/octet, or lib/x86_64-linux-gnu/cmake/octet
  set(here ${CMAKE_CURRENT_FUNCTION_LIST_DIR})
  find_program(OCTET_EXECUTABLE octet HINTS ${here}/../../../bin ${here}/../../../../bin NO_CMAKE_FIND_ROOT_PATH)
  if(NOT OCTET_EXECUTABLE)
    message(FATAL_ERROR "octet_add_model: there is no octet command; install Octet on this machine, or set "
                        "OCTET_EXECUTABLE to one that runs here")
  endif()
  set(${result} ${OCTET_EXECUTABLE} PARENT_SCOPE)
endfunction()

function(octet_add_model)
  cmake_parse_arguments(PARSE_ARGV 0 ARG "STRICT_INT8;NO_WINOGRAD" "NAME;MODEL;PROFILE;BATCH;KERNEL_FILES;EMIT" "TARGETS")
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "octet_add_model: what is \"${ARG_UNPARSED_ARGUMENTS}\"?")
  endif()
  foreach(word IN ITEMS NAME MODEL TARGETS)
    if(NOT ARG_${word})
      message(FATAL_ERROR "octet_add_model: ${word} is missing")
    endif()
  endforeach()
  if("host" IN_LIST ARG_TARGETS)
    message(FATAL_ERROR "octet_add_model: name the targets; `host` would differ from machine to machine")
  endif()
  if(NOT ARG_KERNEL_FILES)
    set(ARG_KERNEL_FILES 4)
  endif()
  cmake_path(ABSOLUTE_PATH ARG_MODEL BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}" NORMALIZE OUTPUT_VARIABLE model)
  if(NOT EXISTS "${model}")
    message(FATAL_ERROR "octet_add_model: there is no ${model}")
  endif()

  set(folder "${CMAKE_CURRENT_BINARY_DIR}/octet_models/${ARG_NAME}")
  octet_find_command(octet)
  set(command ${octet} compile "${model}" --output "${folder}" --name "${ARG_NAME}" --kernel-files ${ARG_KERNEL_FILES})
  if(ARG_PROFILE)
    list(APPEND command --profile ${ARG_PROFILE})
  endif()
  if(ARG_STRICT_INT8)
    list(APPEND command --strict-int8)
  endif()
  if(ARG_NO_WINOGRAD)
    list(APPEND command --no-winograd)
  endif()
  if(ARG_BATCH)
    list(APPEND command --batch ${ARG_BATCH})
  endif()
  if(ARG_EMIT)
    list(APPEND command --emit ${ARG_EMIT})
  endif()
  set(sources "${folder}/${ARG_NAME}.cpp")
  set(objects "")
  set(weights "")
  foreach(target IN LISTS ARG_TARGETS)
    list(APPEND command --target ${target})
    set(prefix "${folder}/${ARG_NAME}_${target}")
    list(APPEND weights "${prefix}_weights.cpp")
    list(APPEND sources "${prefix}.cpp" "${prefix}_weights.cpp")
    set(kernel_files ${ARG_KERNEL_FILES})
    if(ARG_EMIT STREQUAL obj AND NOT target STREQUAL scalar)
      set(kernel_files 1)
      list(APPEND objects "${prefix}_kernels.o")
    endif()
    foreach(number RANGE 1 ${kernel_files})
      list(APPEND sources "${prefix}_kernels_${number}.cpp")
    endforeach()
  endforeach()
  add_custom_command(
    OUTPUT ${sources} ${objects} "${folder}/${ARG_NAME}.h"
    COMMAND ${command}
    DEPENDS ${octet} "${model}"
    COMMENT "Compiling ${ARG_NAME} with octet"
    VERBATIM
  )

  add_library(${ARG_NAME} STATIC ${sources} ${objects} "${folder}/${ARG_NAME}.h")
  target_include_directories(${ARG_NAME} PUBLIC "$<BUILD_INTERFACE:${folder}>")
  target_compile_features(${ARG_NAME} PUBLIC cxx_std_17)
  # Two roundings must not become one.
  target_compile_options(${ARG_NAME} PRIVATE -O3 -ffp-contract=off)
  set_target_properties(${ARG_NAME} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  set_source_files_properties(${objects} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
  # Their assembler code names a file: as CMake knows it, whatever happens to __FILE__, and not when everything is linked.
  foreach(file IN LISTS weights)
    set_source_files_properties("${file}" PROPERTIES COMPILE_DEFINITIONS "OCTET_WEIGHTS_FILE=\"${file}.bin\""
                                                     COMPILE_OPTIONS "-fno-lto")
  endforeach()
endfunction()
