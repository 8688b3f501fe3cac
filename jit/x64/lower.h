// Program -> x86-64 machine code, one function per target. Each writes position-independent code for the System V ABI
// at the start of `room`, returns its bytes and fills `offsets` if given.
#pragma once

#include <span>

#include "generator/program/program.h"
#include "jit/backend.h"

namespace octet {

// Room that is always enough for a Program.
size_t most_code_bytes(const Program& program);

size_t lower_avx2(const Program& program, int registers, std::span<uint8_t> room, CodeOffsets* offsets);
size_t lower_avx512_vnni(const Program& program, int registers, std::span<uint8_t> room, CodeOffsets* offsets);
size_t lower_avx512_vbmi(const Program& program, int registers, std::span<uint8_t> room, CodeOffsets* offsets);

}  // namespace octet
