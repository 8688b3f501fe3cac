// Kernels of another machine under its emulator: compiled into one program per batch, which stays and serves calls,
// because starting one per call would cost more than the call.
#pragma once

#include <vector>

#include "tests/support/engines.h"
#include "tests/support/toolchain.h"

namespace octet {

// Programs for `target`, in the order given, on the least processor that has what it needs. A kernel that dies is an
// internal error.
std::vector<RunKernel> load_emulated(const std::vector<Program>& programs, const Target& target,
                                     const Toolchain& toolchain, const std::string& extra_flags);

}  // namespace octet
