#include "generator/program/epilogue.h"

#include <algorithm>
#include <array>

#include "generator/program/binary_code.h"
#include "generator/program/requantize.h"

namespace octet {
namespace {

// acc -> q.
class Formula {
 public:
  Formula(Builder& b, const Epilogue& e, OutputTile& t)
      : b_(b),
        e_(e),
        t_(t),
        w_(t.group.bytes),
        requantize_(b, e.requant, {t.group, t.scale}),
        add_(b, e.add, 0),
        src2_(b, t.group, t.src2, e.residual_is_first ? add_.lane_zero_a() : add_.lane_zero_b(), e.flips.src2) {
    if (requantize_.words() == 1)
      hold_all();
    else
      requantize_by_vector();
  }

  Reg operator()(int pixel, int vector, Reg x) {
    if (requantize_.words() == 1) x = requantize_(vector, x);
    return e_.residual ? add_residual(pixel, vector, x) : x;
  }

  // What is left to do with the lanes.
  BytePack pack() const {
    const bool flipped = e_.flips.dst;
    if (e_.residual) return {e_.add.offset_out, e_.add.lo, e_.add.hi, flipped};
    if (requantize_.clamped()) return {requantize_.add(), 0, 255, flipped};
    return {requantize_.add(), e_.requant.lo, e_.requant.hi, flipped};
  }

 private:
  // Registers that neither accumulators take nor `needed` ones.
  int spare(int needed) const {
    int live = t_.live + needed;
    for (const auto& pixel : t_.acc) live += static_cast<int>(pixel.size());
    return e_.registers - live;
  }

  // Multipliers stay in registers where all fit, a residual's bytes, words, lanes and factor beside them.
  void hold_all() {
    const int n = t_.group.vectors;
    const bool used_again = static_cast<int>(t_.acc.size()) > 4 / n;
    if (used_again && n <= spare(e_.residual ? 4 : 0)) requantize_.hold(0, n, n);
  }

  // Where a lane has several constants, each vector's are loaded once and serve all pixels.
  void requantize_by_vector() {
    for (int v = 0; v < t_.group.vectors; ++v) {
      if (t_.acc.size() > 1) requantize_.hold(v, v + 1, spare(requantize_.temporaries()));
      for (auto& pixel : t_.acc) {
        Reg& acc = pixel[static_cast<size_t>(v)];
        acc = requantize_(v, acc);
      }
    }
  }

  // The inner result becomes the byte that a convolution of its own would have stored, then the add's formula.
  Reg add_residual(int pixel, int vector, Reg x) {
    const Requant& r = e_.requant;
    if (!requantize_.clamped()) {
      b_.op(Op::max_i32, w_, x, x, b_.constant32(r.lo - requantize_.add()));
      b_.op(Op::min_i32, w_, x, x, b_.constant32(r.hi - requantize_.add()));
    }
    const int shift = requantize_.add() - (e_.residual_is_first ? add_.lane_zero_b() : add_.lane_zero_a());
    if (shift) b_.op(Op::add32, w_, x, x, b_.constant32(shift));
    const Reg own = e_.residual_is_first ? kNone : add_.a_part(w_, x);
    const Reg y = src2_.lanes(t_.src2_offset[static_cast<size_t>(pixel)] + t_.group.oc, vector);
    if (own != kNone) return add_.sum(w_, own, add_.b_part(w_, y));
    const Reg b = add_.b_part(w_, x);
    return add_.sum(w_, add_.a_part(w_, y), b);
  }

  Builder& b_;
  const Epilogue& e_;
  OutputTile& t_;
  int w_;
  Requantizer requantize_;
  AddCode add_;
  ByteLanes src2_;
};

}  // namespace

Reg ByteLanes::lanes(int32_t at, int vector) {
  const int w = group_.bytes;
  const Mem zero = b_.constant32(0);
  if (vector == 0) {
    switch (group_.vectors) {
      case 4: bytes_ = b_.load(w, Role::temp, {src_, at}); break;
      case 2: words_ = b_.widen8_16(w, {src_, at}); break;
      default: words_ = b_.widen8_32(w, {src_, at}); break;
    }
    if (flipped_ && group_.vectors == 4) b_.op(Op::xor_, w, bytes_, bytes_, b_.constant8(0x80));
    if (flipped_ && group_.vectors == 2) b_.op(Op::xor_, w, words_, words_, b_.constant16(0x80));
    if (flipped_ && group_.vectors == 1) b_.op(Op::xor_, w, words_, words_, b_.constant32(0x80));
  }
  Reg y = words_;
  if (group_.vectors == 4 && vector % 2 == 0)
    b_.op(vector == 0 ? Op::zip_lo8 : Op::zip_hi8, w, words_ = b_.reg(Role::temp), bytes_, zero);
  if (group_.vectors > 1) b_.op(vector % 2 == 0 ? Op::zip_lo16 : Op::zip_hi16, w, y = b_.reg(Role::temp), words_, zero);
  if (offset_) b_.op(Op::add32, w, y, y, b_.constant32(-offset_));
  return y;
}

void emit_bytes(Builder& b, const BytePack& pack, const OutputTile& t, const Finish& finish) {
  const int n = t.group.vectors, w = t.group.bytes, pixels = static_cast<int>(t.acc.size());
  const int at_once = 4 / n;  // pixels that make one vector of bytes
  Reg add = kNone;
  for (int i = 0; i < pixels; i += at_once) {
    std::array<Reg, 4> v{};
    for (int q = 0; q < 4; ++q) {
      const int px = i + q / n, j = q % n;
      const auto k = static_cast<size_t>(q);
      // Pixels beyond the tile: what is packed in their place is not stored.
      v[k] = px < pixels ? finish(px, j, t.acc[static_cast<size_t>(px)][static_cast<size_t>(j)])
                         : v[k - static_cast<size_t>(n)];
    }
    std::array<Reg, 2> half{};
    for (size_t h = 0; h < 2; ++h) {
      if (h == 1 && v[2] == v[0] && v[3] == v[1]) {
        half[1] = half[0];
        break;
      }
      b.op(Op::packs32, w, half[h] = b.reg(Role::temp), v[2 * h], v[2 * h + 1]);
      if (pack.add == 0) continue;
      if (add == kNone) add = b.load(w, Role::scale, b.constant16(pack.add));
      b.op(Op::adds16, w, half[h], half[h], add);
    }
    const Reg bytes = b.reg(Role::temp);
    b.op(Op::packus16, w, bytes, half[0], half[1]);
    if (pack.lo > 0) b.op(Op::max_u8, w, bytes, bytes, b.constant8(pack.lo));
    if (pack.hi < 255) b.op(Op::min_u8, w, bytes, bytes, b.constant8(pack.hi));
    if (pack.flipped) b.op(Op::xor_, w, bytes, bytes, b.constant8(0x80));
    if (t.channels && t.channels < t.group.channels()) {
      b.store_low(w, {t.dst, t.group.oc + t.dst_offset[static_cast<size_t>(i)]}, bytes, t.channels);
      continue;
    }
    Split split{.exist = std::min(at_once, pixels - i)};
    for (int q = 0; q < split.exist; ++q)
      split.offset[static_cast<size_t>(q)] = t.dst_offset[static_cast<size_t>(i + q)];
    b.store_split(w, {t.dst, t.group.oc}, bytes, at_once, split);
  }
}

void emit_epilogue(Builder& b, const Epilogue& e, OutputTile tile) {
  Formula formula(b, e, tile);
  emit_bytes(b, formula.pack(), tile, [&](int pixel, int vector, Reg acc) { return formula(pixel, vector, acc); });
}

}  // namespace octet
