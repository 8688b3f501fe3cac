// The vocabulary: every op a Program may contain, one row each. Lowerings translate row by row and decide nothing.
//
// `w` is the vector width of the instruction in bytes (16, 32 or 64); a register may be read narrower than it was
// written. Ops that cross lanes work inside 16-byte blocks, so one meaning serves every width. The exact meaning of
// each op is the function of the same name in templates/vec_scalar.h.
#pragma once

#include <cstdint>

namespace octet {

enum class Op : uint8_t {
#define OCTET_OP(name, ...) name,
#include "generator/program/ops.inc"
#undef OCTET_OP
};

enum Operands : uint8_t {
  kNoRegs = 0,
  kD = 1,              // writes d
  kA = 2,              // reads a
  kB = 4,              // reads b; absent b means the memory operand m
  kC = 8,              // reads c; absent c means the memory operand m
  kReadsD = 16,        // d is read too (accumulates in place)
  kMem = 32,           // always uses m
  kEarlyClobber = 64,  // d is written before the operands are read for the last time: they must differ
  kScratch = 128       // c is a register that the op destroys on its way, none of the others
};

struct OpRow {
  const char* name;
  uint8_t operands;
};

const OpRow& op_row(Op op);

}  // namespace octet
