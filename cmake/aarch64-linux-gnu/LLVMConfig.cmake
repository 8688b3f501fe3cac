# The LLVM of scripts/arm64-sysroot for find_package(LLVM CONFIG). LLVM's own package wants all of its tools and 600 MB.
string(REGEX MATCH "^[0-9]+" major ${LLVM_VERSION})
set(LLVM_INCLUDE_DIRS ${OCTET_A64_SYSROOT}/usr/include/llvm-${major} ${OCTET_A64_SYSROOT}/usr/include/llvm-c-${major})
add_library(LLVM SHARED IMPORTED)
set_target_properties(LLVM PROPERTIES
  IMPORTED_LOCATION ${OCTET_A64_SYSROOT}/usr/lib/aarch64-linux-gnu/libLLVM-${major}.so)
