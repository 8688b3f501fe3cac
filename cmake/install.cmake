# What `cmake --install` leaves: the command, both libraries, five headers, and the package for find_package(octet).
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/octet)
set_target_properties(octet_cli PROPERTIES EXPORT_NAME cli)
set_target_properties(octet_shared PROPERTIES EXPORT_NAME octet)
add_executable(octet::cli ALIAS octet_cli)
add_library(octet::octet ALIAS octet_shared)
add_library(octet::octet_static ALIAS octet_static)
foreach(library octet_shared octet_static)
  target_include_directories(${library} INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_compile_features(${library} INTERFACE cxx_std_20)
endforeach()
# What the static library leaves to be linked.
target_link_libraries(octet_static INTERFACE
  $<INSTALL_INTERFACE:fmt> $<INSTALL_INTERFACE:onnx_proto> $<INSTALL_INTERFACE:protobuf>
  $<INSTALL_INTERFACE:pthread> $<INSTALL_INTERFACE:dl> $<INSTALL_INTERFACE:xxhash>
  $<INSTALL_INTERFACE:-Wl,--build-id>)  # which the cache on disk tells builds apart by

install(TARGETS octet_cli octet_shared octet_static EXPORT octetTargets)
if(TARGET octet_llvm)
  install(TARGETS octet_llvm LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
install(FILES runtime/octet.h runtime/octet_c.h runtime/dtype.h runtime/status.h runtime/tensor_info.h
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/octet)
install(EXPORT octetTargets NAMESPACE octet:: DESTINATION ${package_dir})
configure_package_config_file(cmake/octetConfig.cmake.in ${PROJECT_BINARY_DIR}/octetConfig.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/octetConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/octetConfig.cmake ${PROJECT_BINARY_DIR}/octetConfigVersion.cmake
  DESTINATION ${package_dir})
install(FILES cmake/OctetModel.cmake DESTINATION ${package_dir})
