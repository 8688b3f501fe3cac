#include "tests/support/engines.h"

#include <fmt/format.h>

#include <memory>

#include "generator/emit_cpp/build.h"
#include "generator/emit_cpp/library.h"
#include "generator/program/interpret.h"
#include "jit/backend.h"
#include "jit/llvm/codegen.h"
#include "tests/support/emulated.h"

namespace octet {
namespace {

// The interpreter runs every width and every group, whatever the machine.
Engine interpreter() {
  static const Target anything = {"interpreter",      64,        1 << 20,      1 << 20, DotForm::fused, 4,
                                  TableForm::permute, Arch::any, Backend::none};
  return {"interpreter", &anything, "", [](const std::vector<Program>& programs) {
            std::vector<RunKernel> kernels;
            for (const Program& p : programs)
              kernels.emplace_back([p](const OctetArgs& args, const Memory&) { interpret(p, args); });
            return kernels;
          }};
}

Engine machine_code(const Target& target) {
  return {std::string("jit/") + target.name, &target,
          host_runs(target) ? "" : "this machine does not run it, or OCTET_MAX_TARGET caps it",
          [&target](const std::vector<Program>& programs) {
            const auto memory = std::make_shared<CodeMemory>();
            std::vector<RunKernel> kernels;
            for (const Program& p : programs)
              kernels.emplace_back([memory, entry = compile(p, target, *memory).entry](
                                       const OctetArgs& args, const Memory&) { entry(&args); });
            memory->seal();
            return kernels;
          }};
}

// LLVM's code, linked into this process by LLVM too.
Engine through_llvm(const Target& target) {
  std::string unavailable;
  if (!host_runs(target)) unavailable = "this machine does not run it, or OCTET_MAX_TARGET caps it";
  if (!has_llvm()) unavailable = "Octet was built without LLVM";
  return {
      std::string("llvm/") + target.name, &target, unavailable, [&target](const std::vector<Program>& programs) {
        std::vector<const Program*> pointers;
        std::vector<std::string> names;
        for (const Program& p : programs) {
          pointers.push_back(&p);
          names.push_back(p.name);
        }
        const LinkedKernels linked = orc_link(llvm_object(pointers, target), names);
        std::vector<RunKernel> kernels;
        for (const OctetKernel entry : linked.entries)
          kernels.emplace_back([entry, keep = linked.owner](const OctetArgs& args, const Memory&) { entry(&args); });
        return kernels;
      }};
}

Engine emitted_cpp(const Target& target, const Toolchain& toolchain) {
  std::string unavailable = toolchain.missing();
  if (toolchain.emulator.empty() && !host_runs(target))
    unavailable = "this machine does not run it, or OCTET_MAX_TARGET caps it";
  return {fmt::format("cpp/{}/{}", target.name, toolchain.name), &target, unavailable,
          [&target, &toolchain](const std::vector<Program>& programs) {
            // With every warning that emitted code promises to be free of.
            const char* const strict = "-Wall -Wextra -Wconversion -Werror";
            if (!toolchain.emulator.empty()) return load_emulated(programs, target, toolchain, strict);
            const KernelLibrary library = build_program_library(programs, target, toolchain.compiler, strict);
            std::vector<RunKernel> kernels;
            for (const OctetKernel kernel : library.kernels)
              kernels.emplace_back(
                  [kernel, keep = library.handle](const OctetArgs& args, const Memory&) { kernel(&args); });
            return kernels;
          }};
}

}  // namespace

const std::vector<Engine>& all_engines() {
  static const std::vector<Engine> engines = [] {
    std::vector<Engine> all = {interpreter()};
    for (const Target& target : all_targets())
      if (can_compile(target)) all.push_back(machine_code(target));
    for (const Target& target : all_targets())
      if (target.arch != Arch::any && is_native(target)) all.push_back(through_llvm(target));
    for (const Target& target : all_targets())
      for (const Toolchain& toolchain : toolchains())
        if (toolchain.emulator.empty() ? is_native(target) : target.arch == toolchain.arch)
          all.push_back(emitted_cpp(target, toolchain));
    return all;
  }();
  return engines;
}

}  // namespace octet
