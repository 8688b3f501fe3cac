#include <cmath>
#include <utility>

#include "generator/program/build.h"
#include "generator/program/elementwise.h"

namespace octet {
namespace {

constexpr double kLargestS32 = 2147483520.0;  // the largest float below 2^31: what a conversion can take

// fma(a, ra, fma(b, rb, k)) and its rounding. What depends on one operand alone is apart: a broadcast computes it once.
class AddCode {
 public:
  AddCode(Builder& b, const AddFormula& f, int vector_bytes) : b_(b), f_(f) {
    ra_ = b.load(vector_bytes, Role::scale, b.constant_f32(f.ra));
    rb_ = b.load(vector_bytes, Role::scale, b.constant_f32(f.rb));
    const double most = 255.0 * (std::abs(double(f.ra)) + std::abs(double(f.rb))) + std::abs(double(f.k));
    wide_ = most >= kLargestS32;
  }

  Reg a_part(int w, Mem m) { return load_floats(b_, w, m, f_.offset_a); }
  Reg b_part(int w, Mem m) {
    const Reg y = load_floats(b_, w, m, f_.offset_b);
    b_.fma(w, y, y, rb_, b_.constant_f32(f_.k));
    return y;
  }
  // Into `result`, which is one of the parts.
  Reg sum(int w, Reg result, Reg a, Reg b) {
    b_.fma(w, result, a, ra_, b);
    if (wide_) clamp_f32(b_, w, result, f_.lo - f_.offset_out, f_.hi - f_.offset_out);
    b_.unary(Op::cvt_i32, w, result, result);
    return result;
  }
  BytePack pack() const { return {f_.offset_out, f_.lo, f_.hi}; }

 private:
  Builder& b_;
  const AddFormula& f_;
  Reg ra_ = kNone, rb_ = kNone;
  bool wide_ = false;
};

void add_same_shape(Builder& b, const AddSpec& s, int vector_bytes) {
  const int dense = round_up(s.channels, 4);
  const Rows r = rows_of(int64_t{s.n} * s.pixels, s.channels,
                         s.a_pitch == dense && s.b_pitch == dense && s.dst_pitch == dense, vector_bytes);
  AddCode code(b, s.add, vector_bytes);
  const std::vector<Walk> walks = {{OCTET_SRC, s.a_pitch}, {OCTET_SRC2, s.b_pitch}, {OCTET_DST, s.dst_pitch}};
  for_each_tile(b, r.rows, r.row, walks, [&](const Tile& t, const std::vector<Ptr>& p) {
    store_tile(b, t, code.pack(), p[2], [&](int piece) {
      const int w = t.bytes, at = t.piece_at(piece);
      const Reg y = code.b_part(w, {p[1], at});
      const Reg x = code.a_part(w, {p[0], at});
      return code.sum(w, x, x, y);
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
  const Ptr many = b.ptr(), dst = b.ptr();
  for_each_tile(b, s.n, tiles(s.channels, vector_bytes), walks, [&](const Tile& t, const std::vector<Ptr>& p) {
    const int w = t.bytes;
    std::vector<Reg> kept;
    for (int piece = 0; piece < t.pieces; ++piece) {
      const Mem m{p[1], t.piece_at(piece)};
      kept.push_back(one_a ? code.a_part(w, m) : code.b_part(w, m));
    }
    b.ptr_set(many, {p[0], 0});
    b.ptr_set(dst, {p[2], 0});
    b.loop(s.pixels, {{many, many_pitch}, {dst, s.dst_pitch}}, [&] {
      store_tile(b, t, code.pack(), dst, [&](int piece) {
        const Mem m{many, t.piece_at(piece)};
        const Reg one = kept[static_cast<size_t>(piece)], x = one_a ? code.b_part(w, m) : code.a_part(w, m);
        return one_a ? code.sum(w, x, one, x) : code.sum(w, x, x, one);
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

// `product`, an integer below 2^17 and so exact in f32, by the formula.
Reg scale_product(Builder& b, const MulSpec& s, int w, Reg product) {
  b.op(Op::mul_f32, w, product, product, b.constant_f32(s.m));
  if (s.out_zero_point) b.op(Op::add_f32, w, product, product, b.constant_f32(static_cast<float>(s.out_zero_point)));
  if (65025.0 * s.m + 256.0 >= kLargestS32) clamp_f32(b, w, product, s.lo - s.out_offset, s.hi - s.out_offset);
  b.unary(Op::cvt_i32, w, product, product);
  return product;
}

void mul_same_shape(Builder& b, const MulSpec& s, int vector_bytes) {
  const int dense = round_up(s.channels, 4);
  const Rows r = rows_of(int64_t{s.n} * s.pixels, s.channels,
                         s.a_pitch == dense && s.b_pitch == dense && s.dst_pitch == dense, vector_bytes);
  const std::vector<Walk> walks = {{OCTET_SRC, s.a_pitch}, {OCTET_SRC2, s.b_pitch}, {OCTET_DST, s.dst_pitch}};
  for_each_tile(b, r.rows, r.row, walks, [&](const Tile& t, const std::vector<Ptr>& p) {
    store_tile(b, t, {s.out_offset, s.lo, s.hi}, p[2], [&](int piece) {
      const int at = t.piece_at(piece);
      const Reg x = load_floats(b, t.bytes, {p[0], at}, s.a_zero);
      b.op(Op::mul_f32, t.bytes, x, x, load_floats(b, t.bytes, {p[1], at}, s.b_zero));
      return scale_product(b, s, t.bytes, x);
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
  for_each_tile(b, s.n, tiles(s.channels, vector_bytes), walks, [&](const Tile& t, const std::vector<Ptr>& p) {
    std::vector<Reg> factors, starts;
    for (int piece = 0; piece < t.pieces; ++piece) {
      factors.push_back(load_floats(b, t.bytes, {p[1], t.piece_at(piece)}, s.b_zero));
      if (s.a_zero == 0) continue;
      starts.push_back(b.reg(Role::scale));
      b.op(Op::mul_f32, t.bytes, starts.back(), factors.back(), b.constant_f32(static_cast<float>(-s.a_zero)));
    }
    b.ptr_set(src, {p[0], 0});
    b.ptr_set(dst, {p[2], 0});
    b.loop(s.pixels, {{src, s.a_pitch}, {dst, s.dst_pitch}}, [&] {
      store_tile(b, t, {s.out_offset, s.lo, s.hi}, dst, [&](int piece) {
        const Reg a = load_floats(b, t.bytes, {src, t.piece_at(piece)}, 0),
                  factor = factors[static_cast<size_t>(piece)];
        if (starts.empty())
          b.op(Op::mul_f32, t.bytes, a, a, factor);
        else
          b.fma(t.bytes, a, a, factor, starts[static_cast<size_t>(piece)]);
        return scale_product(b, s, t.bytes, a);
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
