// Looking bytes up in a table of 256 entries, in the target's form.
#pragma once

#include <array>

#include "generator/program/program.h"
#include "targets/target.h"

namespace octet {

class ByteTable {
 public:
  // Emits what happens once, before any loop. The table's 256 bytes lie at `table`.
  ByteTable(Builder& b, const Target& target, Mem table);

  // The entries of the w bytes at m. Reads up to target.vector_bytes bytes there, as slack allows.
  Reg look_up(int w, Mem m);

 private:
  Reg permuted(Mem m);
  Reg shuffled(int w, Mem m);

  Builder& b_;
  TableForm form_;
  Mem table_;
  std::array<Reg, 4> quarters_{};  // of the table, for permutes
};

}  // namespace octet
