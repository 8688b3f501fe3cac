// The most vector registers that a Program keeps alive at once.
#pragma once

#include "generator/program/program.h"

namespace octet {

// As a linear scan sees it: a register defined before a loop and touched in it lives to the loop's end, and a result
// may take the place of an operand that dies unless the op forbids it.
int register_pressure(const Program& program);

}  // namespace octet
