// Everything that can execute a Program, as a list: a test that runs its programs through all of it has checked every
// lowering. One row here adds an engine to every such test.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "generator/program/program.h"
#include "targets/target.h"
#include "tests/support/memory.h"

namespace octet {

using RunKernel = std::function<void(const OctetArgs&, const Memory&)>;

struct Engine {
  std::string name;         // "interpreter", "cpp/avx2/gcc", "jit/avx2"
  const Target* target;     // the facts its programs must respect: widths, act_groups
  std::string unavailable;  // why this machine cannot run it; empty if it can
  std::function<std::vector<RunKernel>(const std::vector<Program>&)> load;  // all programs at once, in order
};

const std::vector<Engine>& all_engines();

}  // namespace octet
