#include "generator/program/epilogue.h"

#include <algorithm>
#include <array>

#include "generator/program/binary_code.h"

namespace octet {
namespace {

// Registers with f32 multipliers, or their memory operands where registers are short.
class Scales {
 public:
  Scales(Builder& b, const Epilogue& e, const OutputTile& t) : b_(b), t_(t) {
    const int n = t.one_scale ? 1 : t.group.vectors;
    int live = t.live + n + (e.residual ? 4 : 0);  // a residual holds bytes, words, lanes and a factor
    for (const auto& pixel : t.acc) live += static_cast<int>(pixel.size());
    const bool used_again = static_cast<int>(t.acc.size()) > 4 / t.group.vectors;
    if (live > e.registers || !used_again) return;
    for (int j = 0; j < n; ++j) regs_.push_back(b.load(t.group.bytes, Role::scale, at(j)));
  }

  void multiply(Reg x, int vector) {
    if (t_.one_scale) vector = 0;
    if (regs_.empty())
      b_.op(Op::mul_f32, t_.group.bytes, x, x, at(vector));
    else
      b_.op(Op::mul_f32, t_.group.bytes, x, x, regs_[static_cast<size_t>(vector)]);
  }

 private:
  Mem at(int vector) const {
    if (t_.one_scale) return t_.scale_at;
    return {t_.scale, 4 * t_.group.oc + vector * t_.group.bytes};
  }

  Builder& b_;
  const OutputTile& t_;
  std::vector<Reg> regs_;
};

// The float work of one vector, acc -> q.
class Formula {
 public:
  Formula(Builder& b, const Epilogue& e, const OutputTile& t)
      : b_(b),
        e_(e),
        t_(t),
        w_(t.group.bytes),
        scales_(b, e, t),
        add_(b, e.add, 0),
        src2_(b, t.group, t.src2, e.residual_is_first ? add_.lane_zero_a() : add_.lane_zero_b()) {}

  Reg operator()(int pixel, int vector, Reg x) {
    const Requant& r = e_.requant;
    b_.unary(Op::cvt_f32, w_, x, x);
    scales_.multiply(x, vector);
    if (r.wide) clamp_f32(x, r.lo - r.zero, r.hi - r.zero);
    b_.unary(Op::cvt_i32, w_, x, x);
    return e_.residual ? add_residual(pixel, vector, x) : x;
  }

 private:
  void clamp_f32(Reg x, int lo, int hi) {
    b_.op(Op::max_f32, w_, x, x, b_.constant_f32(static_cast<float>(lo)));
    b_.op(Op::min_f32, w_, x, x, b_.constant_f32(static_cast<float>(hi)));
  }

  // The inner result becomes the byte that a convolution of its own would have stored, then the add's formula.
  Reg add_residual(int pixel, int vector, Reg x) {
    const Requant& r = e_.requant;
    if (!r.wide) {
      b_.op(Op::max_i32, w_, x, x, b_.constant32(r.lo - r.zero));
      b_.op(Op::min_i32, w_, x, x, b_.constant32(r.hi - r.zero));
    }
    const int shift = r.zero - (e_.residual_is_first ? add_.lane_zero_b() : add_.lane_zero_a());
    if (shift) b_.op(Op::add32, w_, x, x, b_.constant32(shift));
    const Reg own = e_.residual_is_first ? kNone : add_.a_part(w_, x);
    const Reg y = src2_.lanes(t_.src2_offset[static_cast<size_t>(pixel)] + t_.group.oc, vector);
    if (own != kNone) return add_.sum(w_, own, add_.b_part(w_, y));
    const Reg b = add_.b_part(w_, x);
    return add_.sum(w_, add_.a_part(w_, y), b);
  }

  Builder& b_;
  const Epilogue& e_;
  const OutputTile& t_;
  int w_;
  Scales scales_;
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
    Split split{.exist = std::min(at_once, pixels - i)};
    for (int q = 0; q < split.exist; ++q)
      split.offset[static_cast<size_t>(q)] = t.dst_offset[static_cast<size_t>(i + q)];
    b.store_split(w, {t.dst, t.group.oc}, bytes, at_once, split);
  }
}

void emit_epilogue(Builder& b, const Epilogue& e, const OutputTile& tile) {
  Formula formula(b, e, tile);
  BytePack pack{e.requant.zero, e.requant.lo, e.requant.hi};
  if (e.requant.wide) pack = {e.requant.zero, 0, 255};  // clamped already
  if (e.residual) pack = {e.add.offset_out, e.add.lo, e.add.hi};
  emit_bytes(b, pack, tile, [&](int pixel, int vector, Reg acc) { return formula(pixel, vector, acc); });
}

}  // namespace octet
