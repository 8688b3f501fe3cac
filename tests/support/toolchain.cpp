#include "tests/support/toolchain.h"

#include <cstring>
#include <map>

#include "generator/emit_cpp/build.h"

namespace octet {
namespace {

#if defined(__aarch64__)
constexpr Arch kHere = Arch::aarch64;
#elif defined(__x86_64__)
constexpr Arch kHere = Arch::x86_64;
#else
constexpr Arch kHere = Arch::any;
#endif

// Debian's cross compiler; clang++ uses its headers and libraries.
constexpr const char* kCrossCompiler = "aarch64-linux-gnu-g++";

Toolchain aarch64(const char* name, const char* compiler, const char* flags) {
  return {name, compiler, flags, "-static", "qemu-aarch64-static", Arch::aarch64, {"cortex-a53", "cortex-a76", "max"}};
}

}  // namespace

std::string Toolchain::runner(const std::string& processor) const {
  if (emulator.empty()) return {};
  return emulator + " -cpu " + (processor.empty() ? processors.back() : processor) + " ";
}

std::vector<const Target*> Toolchain::targets() const {
  std::vector<const Target*> all;
  for (const Target& t : all_targets())
    if (t.arch == Arch::any || (t.arch == arch && (!emulator.empty() || host_runs(t)))) all.push_back(&t);
  return all;
}

std::string Toolchain::missing() const {
  std::vector<std::string> programs = {compiler};
  if (!emulator.empty()) programs.insert(programs.end(), {kCrossCompiler, emulator});
  static std::map<std::string, bool> found;  // asked once: many engines want to know
  for (const std::string& program : programs) {
    if (!found.contains(program)) found[program] = has_compiler(program);
    if (!found[program]) return "there is no " + program + " on this machine";
  }
  return {};
}

const std::vector<Toolchain>& toolchains() {
  static const std::vector<Toolchain> all = [] {
    std::vector<Toolchain> list = {{"gcc", "g++", "", "", "", kHere, {}}, {"clang", "clang++", "", "", "", kHere, {}}};
    if (kHere != Arch::aarch64) {
      list.push_back(aarch64("aarch64_gcc", kCrossCompiler, ""));
      list.push_back(aarch64("aarch64_clang", "clang++", "--target=aarch64-linux-gnu"));
    }
    return list;
  }();
  return all;
}

const std::string& least_processor(const Toolchain& toolchain, const Target& target) {
  const size_t rank = std::strstr(target.features, "i8mm") ? 2 : std::strstr(target.features, "dotprod") ? 1 : 0;
  return toolchain.processors.at(rank);
}

}  // namespace octet
