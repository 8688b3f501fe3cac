# As LLVM's own: major and minor version must be those asked for.
file(GLOB header ${OCTET_A64_SYSROOT}/usr/include/llvm-*/llvm/Config/llvm-config.h)
file(STRINGS ${header} PACKAGE_VERSION REGEX "LLVM_VERSION_STRING \"")
string(REGEX REPLACE ".*\"(.*)\"" "\\1" PACKAGE_VERSION ${PACKAGE_VERSION})
string(REGEX MATCH "^[0-9]+\\.[0-9]+" major_minor ${PACKAGE_VERSION})
if("${PACKAGE_FIND_VERSION_MAJOR}.${PACKAGE_FIND_VERSION_MINOR}" VERSION_EQUAL major_minor)
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
endif()
