#include "tests/support/compile_cpp.h"

#include <fmt/format.h>

#include "generator/emit_cpp/embedded.h"
#include "generator/emit_cpp/kernel.h"

namespace octet {

CompiledKernels compile_kernels(const std::vector<Program>& programs, const Target& target,
                                const std::string& compiler) {
  std::string text = kernels_begin(target), table;
  for (const Program& p : programs) {
    text += emit_kernel(p, target) + "\n";
    table += fmt::format("  {}::{},\n", kernel_namespace(target), p.name);
  }
  text += kernels_end(target);
  text += fmt::format(
      "extern \"C\" {{\nextern const OctetKernel octet_kernels[];\nconst OctetKernel octet_kernels[] = {{\n{}}};\n}}\n",
      table);

  const TemporaryFolder folder;
  for (const std::string& header : kernel_headers(target)) write_file(folder.path() / header, embedded(header));
  write_file(folder.path() / "kernels.cpp", text);
  CompiledKernels result;
  const auto path = build_shared(folder.path(), compiler, "-Wall -Wextra -Wconversion -Werror");
  result.library = std::make_shared<SharedLibrary>(path);
  const auto* first = static_cast<const OctetKernel*>(result.library->symbol("octet_kernels"));
  result.kernels.assign(first, first + programs.size());
  return result;
}

}  // namespace octet
