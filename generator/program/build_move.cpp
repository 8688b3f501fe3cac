// Bytes that move, looked up in a table on the way or as they are.
#include <optional>

#include "generator/program/build.h"
#include "generator/program/byte_table.h"
#include "generator/program/elementwise.h"

namespace octet {

Program build_lut(const LutSpec& s, const Target& target, std::string name) {
  Builder b(std::move(name));
  const int dense = round_up(s.channels, 4);
  const Rows r =
      rows_of(s.pixels, s.channels, s.src_pitch == dense && s.dst_pitch == dense, target.vector_bytes, byte_tiles);
  std::optional<ByteTable> table;
  if (!s.copy) table.emplace(b, target, Mem{OCTET_WEIGHTS, 0});
  for_each_tile(b, r.rows, r.row, {{OCTET_SRC, s.src_pitch}, {OCTET_DST, s.dst_pitch}},
                [&](const Tile& t, const std::vector<Ptr>& p) {
                  const Mem from{p[0], t.at};
                  store_bytes(b, t, p[1], table ? table->look_up(t.bytes, from) : b.load(t.bytes, Role::temp, from));
                });
  return finished(b, s, target);
}

// A word of two neighbours: a's byte, and b's byte above it.
Program build_interleave(const InterleaveSpec& s, const Target& target, std::string name) {
  Builder b(std::move(name));
  const auto emit = [&](const Tile& t) {
    const Reg low = b.widen8_16(t.bytes, {OCTET_SRC, t.at / 2}), high = b.widen8_16(t.bytes, {OCTET_SRC2, t.at / 2});
    b.unary(Op::sll32, t.bytes, high, high, 8);
    b.op(Op::or_, t.bytes, low, low, high);
    store_bytes(b, t, OCTET_DST, low);
  };
  b.loop(s.pixels, {{OCTET_SRC, s.a_pitch}, {OCTET_SRC2, s.b_pitch}, {OCTET_DST, s.dst_pitch}}, [&] {
    for (Tile t : byte_tiles(s.channels, target.vector_bytes))
      for (int i = 0; i < t.count; ++i, t.at += t.channels()) emit(t);
  });
  return finished(b, s, target);
}

}  // namespace octet
