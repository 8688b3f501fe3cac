// Where pointers and loop counters live: the general registers of a kernel.
#pragma once

#include <cstdint>
#include <vector>

#include "generator/program/program.h"

namespace octet {

// A home is a register (an index into some pool), a slot on the stack, or nothing for what is never needed.
struct Home {
  enum Kind : uint8_t { none, reg, slot } kind = none;
  int index = 0;
};

struct Homes {
  std::vector<Home> pointers;  // per pointer of the Program
  std::vector<Home> counters;  // per loop, by its row in bumps
  int registers = 0;           // of the pool, the first so many are in use
  int slots = 0;
};

// Places what is used most often first, counting how often each instruction runs, so that what ends on the stack is an
// outer counter or a pointer of the prologue or the epilogue. Pointers and counters with lifetimes apart share a home.
// Pointers that nothing reads through get none, and their steps need no code.
Homes place_pointers_and_counters(const Program& program, int registers);

}  // namespace octet
