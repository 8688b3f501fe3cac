#include <utility>

#include "generator/program/binary_code.h"
#include "generator/program/build.h"
#include "generator/program/elementwise.h"

namespace octet {
namespace {

void add_same_shape(Builder& b, const AddSpec& s, int vector_bytes) {
  const int dense = round_up(s.channels, 4);
  const Rows r = rows_of(int64_t{s.n} * s.pixels, s.channels,
                         s.a_pitch == dense && s.b_pitch == dense && s.dst_pitch == dense, vector_bytes);
  AddCode code(b, s.add, vector_bytes);
  const std::vector<Walk> walks = {{OCTET_SRC, s.a_pitch}, {OCTET_SRC2, s.b_pitch}, {OCTET_DST, s.dst_pitch}};
  for_each_tile(b, r.rows, r.row, walks, [&](const Tile& t, const std::vector<Ptr>& p) {
    store_tile(b, t, code.pack(), p[2], [&](int piece) {
      const int w = t.bytes, at = t.piece_at(piece);
      const Reg y = code.b_part(w, load_lanes(b, w, {p[1], at}, code.lane_zero_b()));
      const Reg x = code.a_part(w, load_lanes(b, w, {p[0], at}, code.lane_zero_a()));
      return code.sum(w, x, y);
    });
  });
}

// The one pixel's part stays in registers while the image's pixels of the other operand pass.
void add_broadcast(Builder& b, const AddSpec& s, int vector_bytes) {
  const bool one_a = s.broadcast == Broadcast::a;
  const int many_pitch = one_a ? s.b_pitch : s.a_pitch;
  const std::vector<Walk> walks = {{one_a ? OCTET_SRC2 : OCTET_SRC, int64_t{s.pixels} * many_pitch},
                                   {one_a ? OCTET_SRC : OCTET_SRC2, one_a ? s.a_pitch : s.b_pitch},
                                   {OCTET_DST, int64_t{s.pixels} * s.dst_pitch}};
  AddCode code(b, s.add, vector_bytes);
  const auto a_at = [&](int w, Mem m) { return code.a_part(w, load_lanes(b, w, m, code.lane_zero_a())); };
  const auto b_at = [&](int w, Mem m) { return code.b_part(w, load_lanes(b, w, m, code.lane_zero_b())); };
  const Ptr many = b.ptr(), dst = b.ptr();
  for_each_tile(b, s.n, tiles(s.channels, vector_bytes), walks, [&](const Tile& t, const std::vector<Ptr>& p) {
    const int w = t.bytes;
    std::vector<Reg> kept;
    for (int piece = 0; piece < t.pieces; ++piece) {
      const Mem m{p[1], t.piece_at(piece)};
      kept.push_back(one_a ? a_at(w, m) : b_at(w, m));
    }
    b.ptr_set(many, {p[0], 0});
    b.ptr_set(dst, {p[2], 0});
    b.loop(s.pixels, {{many, many_pitch}, {dst, s.dst_pitch}}, [&] {
      store_tile(b, t, code.pack(), dst, [&](int piece) {
        const Mem m{many, t.piece_at(piece)};
        const Reg one = kept[static_cast<size_t>(piece)];
        return one_a ? code.sum(w, one, b_at(w, m), one) : code.sum(w, a_at(w, m), one, one);
      });
    });
  });
}

}  // namespace

Program build_add(const AddSpec& s, const Target& target, std::string name) {
  Builder b(std::move(name));
  if (s.broadcast == Broadcast::none)
    add_same_shape(b, s, target.vector_bytes);
  else
    add_broadcast(b, s, target.vector_bytes);
  return finished(b, s, target);
}

namespace {

void mul_same_shape(Builder& b, const MulSpec& s, int vector_bytes) {
  const int dense = round_up(s.channels, 4);
  const Rows r = rows_of(int64_t{s.n} * s.pixels, s.channels,
                         s.a_pitch == dense && s.b_pitch == dense && s.dst_pitch == dense, vector_bytes);
  const std::vector<Walk> walks = {{OCTET_SRC, s.a_pitch}, {OCTET_SRC2, s.b_pitch}, {OCTET_DST, s.dst_pitch}};
  MulCode code(b, s.mul);
  for_each_tile(b, r.rows, r.row, walks, [&](const Tile& t, const std::vector<Ptr>& p) {
    store_tile(b, t, code.pack(), p[2], [&](int piece) {
      const int at = t.piece_at(piece);
      const Reg x = code.factor_a(t.bytes, {p[0], at});
      return code.product(t.bytes, x, code.factor_b(t.bytes, {p[1], at}));
    });
  });
}

// One factor per channel and image stays in registers while the pixels pass: (a - a_zero) * factor is a * factor +
// start, all of them integers.
void mul_broadcast(Builder& b, const MulSpec& s, int vector_bytes) {
  const std::vector<Walk> walks = {{OCTET_SRC, int64_t{s.pixels} * s.a_pitch},
                                   {OCTET_SRC2, s.b_pitch},
                                   {OCTET_DST, int64_t{s.pixels} * s.dst_pitch}};
  const Ptr src = b.ptr(), dst = b.ptr();
  MulCode code(b, s.mul);
  for_each_tile(b, s.n, tiles(s.channels, vector_bytes), walks, [&](const Tile& t, const std::vector<Ptr>& p) {
    std::vector<Reg> factors, starts;
    for (int piece = 0; piece < t.pieces; ++piece) {
      factors.push_back(code.factor_b(t.bytes, {p[1], t.piece_at(piece)}));
      if (s.mul.a_zero == 0) continue;
      starts.push_back(b.reg(Role::scale));
      if (code.is_real())
        b.op(Op::mul_f32, t.bytes, starts.back(), factors.back(), b.constant_f32(static_cast<float>(-s.mul.a_zero)));
      else
        b.op(Op::mul32, t.bytes, starts.back(), factors.back(), b.constant32(-s.mul.a_zero));
    }
    b.ptr_set(src, {p[0], 0});
    b.ptr_set(dst, {p[2], 0});
    b.loop(s.pixels, {{src, s.a_pitch}, {dst, s.dst_pitch}}, [&] {
      store_tile(b, t, code.pack(), dst, [&](int piece) {
        const Mem m = {src, t.piece_at(piece)};
        const Reg a = code.is_real() ? load_floats(b, t.bytes, m, 0) : load_lanes(b, t.bytes, m, 0),
                  factor = factors[static_cast<size_t>(piece)];
        if (starts.empty()) return code.product(t.bytes, a, factor);
        const Reg start = starts[static_cast<size_t>(piece)];
        if (code.is_real()) {
          b.fma(t.bytes, a, a, factor, start);
        } else {
          b.op(Op::mul32, t.bytes, a, a, factor);
          b.op(Op::add32, t.bytes, a, a, start);
        }
        return code.scaled(t.bytes, a);
      });
    });
  });
}

}  // namespace

Program build_mul(const MulSpec& s, const Target& target, std::string name) {
  Builder b(std::move(name));
  if (s.broadcast)
    mul_broadcast(b, s, target.vector_bytes);
  else
    mul_same_shape(b, s, target.vector_bytes);
  return finished(b, s, target);
}

Program build_affine(const AffineSpec& s, const Target& target, std::string name) {
  Builder b(std::move(name));
  const int zero = s.dst.zero();
  const std::vector<Walk> walks = {
      {OCTET_SRC, s.src_pitch}, {OCTET_DST, s.dst_pitch}, {OCTET_SCALE, 0, 4}, {OCTET_BIAS, 0, 4}};
  for_each_tile(b, s.pixels, tiles(s.channels, target.vector_bytes), walks,
                [&](const Tile& t, const std::vector<Ptr>& p) {
                  store_tile(b, t, {zero, 0, 255}, p[1], [&](int piece) {
                    const int w = t.bytes, at = t.piece_at(piece);
                    const Reg x = load_floats(b, w, {p[0], at}, s.src.zero());
                    b.op(Op::mul_f32, w, x, x, b.constant_f32(s.src.scale));
                    b.op(Op::mul_f32, w, x, x, Mem{p[2], 4 * at});
                    b.op(Op::add_f32, w, x, x, Mem{p[3], 4 * at});
                    b.op(Op::div_f32, w, x, x, b.constant_f32(s.dst.scale));
                    clamp_f32(b, w, x, s.lo - zero, s.hi - zero);
                    b.unary(Op::cvt_i32, w, x, x);
                    return x;
                  });
                });
  return finished(b, s, target);
}

// The channels' lines stay in registers while the pixels pass.
Program build_fused_affine(const AffineSpec& s, const Target& target, std::string name) {
  Builder b(std::move(name));
  const Ptr src = b.ptr(), dst = b.ptr();
  const std::vector<Walk> walks = {{OCTET_SRC}, {OCTET_DST}, {OCTET_SCALE, 0, 4}, {OCTET_BIAS, 0, 4}};
  for_each_tile(b, 1, tiles(s.channels, target.vector_bytes), walks, [&](const Tile& t, const std::vector<Ptr>& p) {
    const int w = t.bytes;
    std::vector<Reg> scale, shift;
    for (int piece = 0; piece < t.pieces; ++piece) {
      scale.push_back(b.load(w, Role::scale, {p[2], 4 * t.piece_at(piece)}));
      shift.push_back(b.load(w, Role::scale, {p[3], 4 * t.piece_at(piece)}));
    }
    b.ptr_set(src, {p[0], 0});
    b.ptr_set(dst, {p[1], 0});
    b.loop(s.pixels, {{src, s.src_pitch}, {dst, s.dst_pitch}}, [&] {
      store_tile(b, t, {s.dst.zero(), s.lo, s.hi}, dst, [&](int piece) {
        const Reg x = load_floats(b, w, {src, t.piece_at(piece)}, 0);
        b.fma(w, x, x, scale[static_cast<size_t>(piece)], shift[static_cast<size_t>(piece)]);
        b.unary(Op::cvt_i32, w, x, x);
        return x;
      });
    });
  });
  return finished(b, s, target);
}

namespace {

// One vector of pixels: byte c of each dword is channel c.
void quantize_pixels(Builder& b, const QuantizeSpec& s, int w, Ptr src, Ptr dst) {
  const int zero = s.quant.zero();
  Reg word = kNone;
  for (int c = 0; c < s.channels; ++c) {
    const Reg x = b.load(w, Role::temp, {src, 4 * c * s.pixels});
    if (s.form == QuantizeForm::product_even)
      b.op(Op::mul_f32, w, x, x, b.constant_f32(1.0f / s.quant.scale));
    else
      b.op(Op::div_f32, w, x, x, b.constant_f32(s.quant.scale));
    clamp_f32(b, w, x, -zero, 255 - zero);  // max gives its second operand where x is NaN: the lowest
    b.unary(Op::cvt_i32, w, x, x);
    if (zero) b.op(Op::add32, w, x, x, b.constant32(zero));
    if (c > 0) b.unary(Op::sll32, w, x, x, 8 * c);
    if (word != kNone) b.op(Op::or_, w, x, x, word);
    word = x;
  }
  b.store(w, {dst, 0}, word);
}

}  // namespace

std::optional<Program> build_quantize(const QuantizeSpec& s, const Target& target, std::string name) {
  constexpr int kSmallest = 4;  // pixels of the narrowest vector
  if (s.form == QuantizeForm::quotient_away || s.form == QuantizeForm::quotient_up) return std::nullopt;
  if (!s.channels_first || s.channels > 4 || s.pitch != 4 || s.pixels < kSmallest) return std::nullopt;
  Builder b(std::move(name));
  int w = target.vector_bytes;
  while (w / 4 > s.pixels) w /= 2;
  const int step = w / 4, full = s.pixels / step, rest = s.pixels % step;
  const Ptr src = b.ptr(), dst = b.ptr();
  b.loop(s.n, {{OCTET_SRC, 4 * s.channels * s.pixels}, {OCTET_DST, 4 * s.pixels}}, [&] {
    b.ptr_set(src, {OCTET_SRC, 0});
    b.ptr_set(dst, {OCTET_DST, 0});
    b.loop(full, {{src, w}, {dst, w}}, [&] { quantize_pixels(b, s, w, src, dst); });
    if (rest == 0) return;
    // The last vector ends with the image and overlaps what is done: a caller's floats have no slack behind them.
    b.ptr_add(src, -4 * (step - rest));
    b.ptr_add(dst, -4 * (step - rest));
    quantize_pixels(b, s, w, src, dst);
  });
  return finished(b, s, target);
}

}  // namespace octet
