// Runs a Program in plain C++, op by op with the functions of templates/vec_scalar.h: the third opinion beside emitted
// C++ and machine code, and what executes kernels on a target that has neither.
#pragma once

#include "generator/program/program.h"

namespace octet {

// The Program's own constants are used where args.p[OCTET_CONSTANTS] is null.
void interpret(const Program& program, const OctetArgs& args);

}  // namespace octet
