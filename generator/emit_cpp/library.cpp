#include "generator/emit_cpp/library.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <thread>

#include "generator/emit_cpp/build.h"
#include "generator/emit_cpp/embedded.h"
#include "generator/emit_cpp/kernel.h"
#include "generator/emit_cpp/kernel_files.h"
#include "generator/io/file.h"

namespace octet {
namespace {

std::string table(size_t index, const std::string& name_space, const std::vector<std::string>& names) {
  std::string text = fmt::format("extern \"C\" {{\nextern const OctetKernel {0}[];\nconst OctetKernel {0}[] = {{\n",
                                 table_name(index));
  for (const std::string& name : names) text += fmt::format("    {}::{},\n", name_space, name);
  return text + "};\n}\n";
}

// `counts`: how many kernels each table has.
KernelLibrary load(const std::filesystem::path& file, const std::vector<size_t>& counts) {
  const auto library = std::make_shared<SharedLibrary>(file);
  KernelLibrary result{library, {}};
  for (size_t t = 0; t < counts.size(); ++t) {
    const auto* kernels = static_cast<const OctetKernel*>(library->symbol(table_name(t)));
    result.kernels.insert(result.kernels.end(), kernels, kernels + counts[t]);
  }
  return result;
}

std::string source_of(size_t index, std::span<const Program> programs, const Target& target) {
  std::string text = kernels_begin(target);
  std::vector<std::string> names;
  for (const Program& p : programs) {
    text += emit_kernel(p, target) + "\n";
    names.push_back(p.name);
  }
  return text + kernels_end(target) + table(index, kernel_namespace(target), names);
}

}  // namespace

std::string table_name(size_t index) {
  return fmt::format("octet_kernels_{}", index);
}

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
  write_file(folder.path() / "table.cpp", "#include \"kernels.h\"\n\n" + table(0, "octet_library", names));
  return load(build_shared(folder.path(), compiler), {names.size()});
}

std::vector<size_t> write_programs(const std::filesystem::path& folder, const std::vector<Program>& programs,
                                   const Target& target) {
  for (const std::string& header : kernel_headers(target)) write_file(folder / header, embedded(header));
  // Headers cost half a second per file, so that few kernels had better share one.
  const size_t files = std::clamp<size_t>(programs.size() / 8, 1, std::max(1u, std::thread::hardware_concurrency()));
  std::vector<size_t> counts;
  for (size_t f = 0, begin = 0; f < files; ++f) {
    const size_t end = programs.size() * (f + 1) / files;
    write_file(folder / fmt::format("kernels_{}.cpp", f),
               source_of(f, std::span(programs).subspan(begin, end - begin), target));
    counts.push_back(end - begin);
    begin = end;
  }
  return counts;
}

KernelLibrary build_program_library(const std::vector<Program>& programs, const Target& target,
                                    const std::string& compiler, const std::string& extra_flags) {
  if (programs.empty()) return {};
  const TemporaryFolder folder;
  const std::vector<size_t> counts = write_programs(folder.path(), programs, target);
  return load(build_shared(folder.path(), compiler, extra_flags), counts);
}

}  // namespace octet
