#include "tests/support/engines.h"

#include <memory>

#include "generator/program/interpret.h"
#include "jit/backend.h"

namespace octet {
namespace {

// The interpreter runs every width and every group, whatever the machine.
Engine interpreter() {
  static const Target anything = {"interpreter", 64, 1 << 20, 1 << 20, DotForm::fused, 4, false, false};
  return {"interpreter", &anything, "", [](const std::vector<Program>& programs) {
            std::vector<RunKernel> kernels;
            for (const Program& p : programs) kernels.emplace_back([p](const OctetArgs& args) { interpret(p, args); });
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
              kernels.emplace_back(
                  [memory, entry = compile(p, target, *memory).entry](const OctetArgs& args) { entry(&args); });
            memory->seal();
            return kernels;
          }};
}

}  // namespace

const std::vector<Engine>& all_engines() {
  static const std::vector<Engine> engines = [] {
    std::vector<Engine> all = {interpreter()};
    for (const Target& target : all_targets())
      if (target.has_jit) all.push_back(machine_code(target));
    return all;
  }();
  return engines;
}

}  // namespace octet
