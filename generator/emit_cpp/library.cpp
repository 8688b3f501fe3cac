#include "generator/emit_cpp/library.h"

#include <fmt/format.h>

#include "generator/emit_cpp/build.h"
#include "generator/emit_cpp/embedded.h"
#include "generator/emit_cpp/kernel.h"
#include "generator/emit_cpp/kernel_files.h"

namespace octet {
namespace {

// What dlsym finds: the kernels in their order.
std::string table(const std::string& name_space, const std::vector<std::string>& names) {
  std::string text =
      "extern \"C\" {\nextern const OctetKernel octet_kernels[];\nconst OctetKernel octet_kernels[] = {\n";
  for (const std::string& name : names) text += fmt::format("    {}::{},\n", name_space, name);
  return text + "};\n}\n";
}

KernelLibrary load(const std::filesystem::path& file, size_t count) {
  const auto library = std::make_shared<SharedLibrary>(file);
  const auto* kernels = static_cast<const OctetKernel*>(library->symbol("octet_kernels"));
  return {library, std::vector<OctetKernel>(kernels, kernels + count)};
}

}  // namespace

KernelLibrary build_kernel_library(const CompiledModel& model, const std::string& compiler) {
  if (model.kernels.empty()) return {};
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.path() / "octet");
  for (const TextFile& f : vocabulary_files({model.target})) write_file(folder.path() / f.name, f.text);
  for (const TextFile& f :
       emit_kernel_files(model, {.name_space = "octet_library", .prefix = "kernels", .title = in_comment(model.name)}))
    write_file(folder.path() / f.name, f.text);
  std::vector<std::string> names;
  for (const KernelUnit& u : model.kernels) names.push_back(u.name);
  write_file(folder.path() / "table.cpp", "#include \"kernels.h\"\n\n" + table("octet_library", names));
  return load(build_shared(folder.path(), compiler), names.size());
}

KernelLibrary build_program_library(const std::vector<Program>& programs, const Target& target,
                                    const std::string& compiler, const std::string& extra_flags) {
  if (programs.empty()) return {};
  std::string text = kernels_begin(target);
  std::vector<std::string> names;
  for (const Program& p : programs) {
    text += emit_kernel(p, target) + "\n";
    names.push_back(p.name);
  }
  text += kernels_end(target) + table(kernel_namespace(target), names);

  const TemporaryFolder folder;
  for (const std::string& header : kernel_headers(target)) write_file(folder.path() / header, embedded(header));
  write_file(folder.path() / "kernels.cpp", text);
  return load(build_shared(folder.path(), compiler, extra_flags), names.size());
}

}  // namespace octet
