// Generated code for people to read.
#pragma once

#include <string>

#include "jit/backend.h"

namespace octet {

// Writes three files into the directory, made if need be: NAME.program.txt (the Program), NAME.bin (its machine code as
// it is), and NAME.asm.txt: each line of the Program with the offset and the bytes of the code made of it. `offsets` is
// what compile() gave: where it gave none, the whole code follows the whole Program.
void dump_kernel(const std::string& directory, const Program& program, const Target& target,
                 const CompiledKernel& kernel, const CodeOffsets& offsets);

}  // namespace octet
