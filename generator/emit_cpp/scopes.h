// Where a Program's registers and pointers are declared in C++: at their first definition, or before the loops that
// others of their uses lie outside of.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "generator/program/program.h"

namespace octet {

struct Variable {
  bool used = false;       // something reads it
  bool changes = false;    // written more than once, or in place
  bool stored_to = false;  // a pointer: something is written through it, or through one that is set from it
  int bytes = 0;           // a register: its type's width, the widest that is written to it
  size_t declare = 0;      // instruction before which, or by which, it is declared
};

struct Variables {
  std::vector<Variable> registers;
  std::vector<Variable> pointers;
};

Variables find_variables(const Program& program);

}  // namespace octet
