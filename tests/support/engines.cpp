#include "tests/support/engines.h"

#include "generator/program/interpret.h"

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

}  // namespace

const std::vector<Engine>& all_engines() {
  static const std::vector<Engine> engines = {interpreter()};
  return engines;
}

}  // namespace octet
