#include "jit/llvm/codegen.h"

#include <dlfcn.h>
#include <link.h>

#include <filesystem>

#include "jit/llvm/module.h"
#include "runtime/status.h"

namespace octet {
namespace {

namespace fs = std::filesystem;

#if OCTET_HAS_LLVM

// The program or library that this code is part of.
fs::path own_file() {
  Dl_info info{};
  link_map* map = nullptr;
  const auto* inside = reinterpret_cast<const void*>(&own_file);
  const bool known = dladdr1(inside, &info, reinterpret_cast<void**>(&map), RTLD_DL_LINKMAP) != 0;
  const bool is_program = !known || !map || map->l_name[0] == '\0';
  return fs::path(is_program ? "/proc/self/exe" : map->l_name);
}

// Beside us, or where the package keeps libraries; a bare name where it is in neither, for the system to look.
fs::path module_file() {
  constexpr const char* kName = "liboctet_llvm.so";
  std::error_code none;
  const fs::path folder = fs::canonical(own_file(), none).parent_path();
  for (const fs::path& file : {folder / kName, folder / ".." / OCTET_LIBDIR / kName})
    if (fs::exists(file, none)) return file;
  return kName;
}

const LlvmModule& open_module() {
  const std::string file = module_file();
  void* handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) user_error(std::string("LLVM cannot be used: ") + dlerror());
  const auto* module = static_cast<const LlvmModule*>(dlsym(handle, "octet_llvm_module"));
  if (!module || std::string_view(module->version) != OCTET_VERSION)
    user_error(file + " is of another version of Octet than " OCTET_VERSION);
  return *module;
}

#else

fs::path module_file() {
  return {};
}

const LlvmModule& open_module() {
  user_error("this Octet was built without LLVM, which makes the machine code of AArch64 targets");
}

#endif

// Opened once and never closed: code of its linker may be running.
const LlvmModule& module() {
  static const LlvmModule& opened = open_module();
  return opened;
}

}  // namespace

bool has_llvm() {
  return OCTET_HAS_LLVM;
}

std::string llvm_build() {
  std::error_code none;
  const fs::path file = module_file();
  const auto changed = fs::last_write_time(file, none);
  return none ? std::string() : std::to_string(changed.time_since_epoch().count());
}

std::vector<uint8_t> llvm_object(std::span<const Program* const> programs, const Target& target) {
  return module().object(programs, target);
}

std::vector<std::vector<uint8_t>> code_of_object(std::span<const uint8_t> object, std::span<const std::string> names) {
  return module().code_of_object(object, names);
}

std::vector<uint8_t> llvm_code(const Program& program, const Target& target) {
  const Program* const one = &program;
  return std::move(code_of_object(llvm_object({&one, 1}, target), {&program.name, 1}).front());
}

LinkedKernels orc_link(std::span<const uint8_t> object, std::span<const std::string> names) {
  return module().link(object, names);
}

}  // namespace octet
