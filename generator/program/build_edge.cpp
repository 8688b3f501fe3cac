#include <utility>

#include "generator/program/build.h"

namespace octet {

std::optional<Program> build_edge(const EdgeSpec& s, const Target& target, std::string name) {
  constexpr int kSmallest = 16;
  const bool same_order = !s.channels_first || s.pixels == 1 || s.channels == 1;
  const bool dense = s.pitch == s.channels || int64_t{s.n} * s.pixels == 1;
  const int64_t bytes = int64_t{s.n} * s.pixels * s.channels;
  if (!same_order || !dense || bytes < kSmallest) return std::nullopt;
  Builder b(std::move(name));
  int w = target.vector_bytes;
  while (w > bytes) w /= 2;
  const auto flip_vector = [&] {
    const Reg x = b.load(w, Role::temp, {OCTET_SRC, 0});
    if (s.quant.is_signed) b.op(Op::xor_, w, x, x, b.constant8(128));
    b.store(w, {OCTET_DST, 0}, x);
  };
  b.loop(bytes / w, {{OCTET_SRC, w}, {OCTET_DST, w}}, flip_vector);
  // The last vector ends with the tensor and overlaps what is done: a caller's bytes have no slack behind them.
  if (const auto rest = static_cast<int>(bytes % w); rest > 0) {
    b.ptr_add(OCTET_SRC, rest - w);
    b.ptr_add(OCTET_DST, rest - w);
    flip_vector();
  }
  Program p = b.finish();
  p.heading = {to_string(s), "schedule: vectors of " + std::to_string(target.vector_bytes) + " bytes"};
  return p;
}

}  // namespace octet
