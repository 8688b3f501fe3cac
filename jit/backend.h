// Machine code from Programs. Nothing of the assembler shows here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "generator/program/program.h"
#include "jit/code_memory.h"
#include "runtime/abi.h"
#include "targets/target.h"

namespace octet {

struct CompiledKernel {
  OctetKernel entry = nullptr;  // to be called after CodeMemory::seal()
  size_t code_bytes = 0;        // tables behind the code included
};

// For each instruction of a Program the offset of its code, and one more entry for what follows the last; nothing where
// LLVM made the code, for it orders instructions itself.
using CodeOffsets = std::vector<uint32_t>;

// Whether this build of Octet makes machine code for the target.
bool can_compile(const Target& target);

// Translates op by op for a target that it can compile for, on any machine; running it needs host_runs(target). Keeps
// no state of its own, so threads may compile at the same time into different memories. A Program that asks for more
// registers than there are, or for an op that the target does not have, is an internal error.
CompiledKernel compile(const Program& program, const Target& target, CodeMemory& memory,
                       CodeOffsets* offsets = nullptr);

}  // namespace octet
