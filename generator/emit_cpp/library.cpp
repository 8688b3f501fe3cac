#include "generator/emit_cpp/library.h"

#include <fmt/format.h>

#include "generator/emit_cpp/build.h"
#include "generator/emit_cpp/kernel_files.h"

namespace octet {
namespace {

// What dlsym finds: the kernels in the model's order.
std::string table(const CompiledModel& model) {
  std::string text = "#include \"kernels.h\"\n\nextern \"C\" {\nextern const OctetKernel octet_kernels[];\n";
  text += "const OctetKernel octet_kernels[] = {\n";
  for (const KernelUnit& u : model.kernels) text += fmt::format("    octet_library::{},\n", u.name);
  return text + "};\n}\n";
}

}  // namespace

KernelLibrary build_kernel_library(const CompiledModel& model, const std::string& compiler) {
  if (model.kernels.empty()) return {};
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.path() / "octet");
  for (const TextFile& f : vocabulary_files({model.target})) write_file(folder.path() / f.name, f.text);
  for (const TextFile& f : emit_kernel_files(model, {.name_space = "octet_library", .prefix = "kernels", .title = in_comment(model.name)}))
    write_file(folder.path() / f.name, f.text);
  write_file(folder.path() / "table.cpp", table(model));

  const auto library = std::make_shared<SharedLibrary>(build_shared(folder.path(), compiler));
  const auto* kernels = static_cast<const OctetKernel*>(library->symbol("octet_kernels"));
  return {library, std::vector<OctetKernel>(kernels, kernels + model.kernels.size())};
}

}  // namespace octet
