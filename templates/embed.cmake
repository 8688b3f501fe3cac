# Turns text files into one C++ source of string constants:
#   cmake -DOUT=embedded.cpp -DROOT=<source dir> -DFILES=templates/vec_scalar.h,runtime/abi.h -P embed.cmake
# A file is known by its name without the folder, which is how emitted sources and the files
# themselves include it: they stand in one folder.
string(REPLACE "," ";" FILES "${FILES}")
set(rows "")
foreach(file IN LISTS FILES)
  file(READ "${ROOT}/${file}" text)
  string(REGEX REPLACE "#include \"(runtime|templates)/" "#include \"" text "${text}")
  get_filename_component(name "${file}" NAME)
  string(APPEND rows "  if (name == \"${name}\") return R\"octet(${text})octet\";\n")
endforeach()
file(WRITE "${OUT}" "// Made by templates/embed.cmake.
#include \"generator/emit_cpp/embedded.h\"

#include \"runtime/status.h\"

namespace octet {

std::string_view embedded(std::string_view name) {
${rows}  internal_error(\"no embedded file \" + std::string(name));
}

}  // namespace octet
")
