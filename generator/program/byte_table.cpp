#include "generator/program/byte_table.h"

#include <functional>

namespace octet {

ByteTable::ByteTable(Builder& b, const Target& target, Mem table) : b_(b), form_(target.table), table_(table) {
  if (form_ != TableForm::permute) return;
  for (int q = 0; q < 4; ++q)
    quarters_[static_cast<size_t>(q)] = b.load(64, Role::weight, {table.ptr, table.offset + 64 * q});
}

Reg ByteTable::look_up(int w, Mem m) {
  return form_ == TableForm::permute ? permuted(m) : shuffled(w, m);
}

Reg ByteTable::permuted(Mem m) {
  const Reg low = b_.load(64, Role::temp, m), high = b_.reg(Role::temp), index = b_.reg(Role::temp);
  b_.copy(64, high, low);
  b_.copy(64, index, low);
  b_.op(Op::permute128, 64, low, quarters_[0], quarters_[1]);
  b_.op(Op::permute128, 64, high, quarters_[2], quarters_[3]);
  b_.blend8(64, low, low, high, index);
  return low;
}

// Bits 0 to 3 are the place in a row. Bits 4 to 7 choose the row, each one between the halves of those that are left;
// shifted to the top of its byte, a bit is what blend8 chooses by.
Reg ByteTable::shuffled(int w, Mem m) {
  const Reg x = b_.load(w, Role::temp, m), place = b_.reg(Role::temp);
  std::array<Reg, 4> bit{};
  for (int i = 0; i < 3; ++i) b_.unary(Op::sll32, w, bit[static_cast<size_t>(i)] = b_.reg(Role::temp), x, 3 - i);
  bit[3] = x;
  b_.op(Op::and_, w, place, x, b_.constant8(15));
  const std::function<Reg(int, int)> rows = [&](int row, int bits) {
    if (bits == 0) {
      const Reg entries = b_.load_act(w, {table_.ptr, table_.offset + 16 * row}, 16);
      b_.op(Op::shuffle8, w, entries, entries, place);
      return entries;
    }
    const Reg lower = rows(row, bits - 1), upper = rows(row + (1 << (bits - 1)), bits - 1);
    b_.blend8(w, lower, lower, upper, bit[static_cast<size_t>(bits - 1)]);
    return lower;
  };
  return rows(0, 4);
}

}  // namespace octet
