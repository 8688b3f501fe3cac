# Toolchain file for AArch64 Linux on another Debian machine: g++-aarch64-linux-gnu, the libraries of
# scripts/arm64-sysroot, and qemu-aarch64-static to run what was built. `cmake --preset arm64` uses it.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

# CMake's checks of the compiler read this file too: they are told the folder instead of looking for it again.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES OCTET_A64_SYSROOT)
if(NOT OCTET_A64_SYSROOT)
  execute_process(COMMAND ${CMAKE_CURRENT_LIST_DIR}/../../scripts/arm64-sysroot OUTPUT_VARIABLE OCTET_A64_SYSROOT
                  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  set(OCTET_A64_SYSROOT ${OCTET_A64_SYSROOT} CACHE PATH "What scripts/arm64-sysroot has made")
endif()

# Not CMAKE_SYSROOT: the C library's headers and start files are the compiler's own.
set(CMAKE_FIND_ROOT_PATH ${OCTET_A64_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
foreach(kind LIBRARY INCLUDE PACKAGE)
  set(CMAKE_FIND_ROOT_PATH_MODE_${kind} ONLY)
endforeach()
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(LLVM_DIR ${CMAKE_CURRENT_LIST_DIR})  # LLVMConfig.cmake
set(libraries ${OCTET_A64_SYSROOT}/usr/lib/aarch64-linux-gnu)
foreach(language C CXX)
  set(CMAKE_${language}_FLAGS_INIT "-isystem ${OCTET_A64_SYSROOT}/usr/include")
endforeach()
foreach(kind EXE SHARED)
  set(CMAKE_${kind}_LINKER_FLAGS_INIT
      "-L${libraries} -Wl,-rpath-link,${libraries}:${OCTET_A64_SYSROOT}/lib/aarch64-linux-gnu")
endforeach()

# The newest of the processors that qemu knows; tests name others.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static -cpu max -L ${OCTET_A64_SYSROOT})
