// The larger or smaller of two tensors, and PReLU. An operand of one pixel per image stays in registers.
#include <cmath>

#include "generator/program/build.h"
#include "generator/program/elementwise.h"
#include "generator/program/fixed_code.h"

namespace octet {
namespace {

class PairBuilder {
 public:
  PairBuilder(const PairSpec& spec, const Target& target, std::string name)
      : s_(spec), f_(spec.pair), target_(target), b_(std::move(name)) {}

  Program run() {
    const bool extremum = f_.form == PairForm::maximum || f_.form == PairForm::minimum;
    TilesOf* tiling = extremum ? byte_tiles : tiles;
    const auto tile = [&](const Tile& t, Ptr a, Ptr b, const std::vector<Reg>& kept, Ptr dst) {
      if (extremum)
        extremum_tile(t, a, b, kept, dst);
      else
        prelu_tile(t, a, b, kept, dst);
    };
    if (s_.broadcast)
      one_pixel(tiling, extremum, tile);
    else
      same_shape(tiling, tile);
    return finished(b_, s_, target_);
  }

 private:
  template <class TileCode>
  void same_shape(TilesOf* tiling, TileCode tile) {
    const int dense = round_up(s_.channels, 4);
    const Rows r =
        rows_of(int64_t{s_.n} * s_.pixels, s_.channels,
                s_.a_pitch == dense && s_.b_pitch == dense && s_.dst_pitch == dense, target_.vector_bytes, tiling);
    const std::vector<Walk> walks = {{OCTET_SRC, s_.a_pitch}, {OCTET_SRC2, s_.b_pitch}, {OCTET_DST, s_.dst_pitch}};
    for_each_tile(b_, r.rows, r.row, walks,
                  [&](const Tile& t, const std::vector<Ptr>& p) { tile(t, p[0], p[1], {}, p[2]); });
  }

  template <class TileCode>
  void one_pixel(TilesOf* tiling, bool extremum, TileCode tile) {
    const std::vector<Walk> walks = {{OCTET_SRC, int64_t{s_.pixels} * s_.a_pitch},
                                     {OCTET_SRC2, s_.b_pitch},
                                     {OCTET_DST, int64_t{s_.pixels} * s_.dst_pitch}};
    const Ptr a = b_.ptr(), dst = b_.ptr();
    for_each_tile(b_, s_.n, tiling(s_.channels, target_.vector_bytes), walks,
                  [&](const Tile& t, const std::vector<Ptr>& p) {
                    std::vector<Reg> kept;
                    if (extremum)
                      kept.push_back(b_.load(t.bytes, Role::scale, {p[1], t.at}));
                    else
                      for (int piece = 0; piece < t.pieces; ++piece)
                        kept.push_back(slope(t.bytes, {p[1], t.piece_at(piece)}));
                    b_.ptr_set(a, {p[0], 0});
                    b_.ptr_set(dst, {p[2], 0});
                    b_.loop(s_.pixels, {{a, s_.a_pitch}, {dst, s_.dst_pitch}}, [&] { tile(t, a, p[1], kept, dst); });
                  });
  }

  void extremum_tile(const Tile& t, Ptr a, Ptr b, const std::vector<Reg>& kept, Ptr dst) {
    const Op op = f_.form == PairForm::maximum ? Op::max_u8 : Op::min_u8;
    const Reg x = b_.load(t.bytes, Role::temp, {a, t.at});
    if (kept.empty())
      b_.op(op, t.bytes, x, x, Mem{b, t.at});
    else
      b_.op(op, t.bytes, x, x, kept[0]);
    if (f_.lo > 0) b_.op(Op::max_u8, t.bytes, x, x, b_.constant8(f_.lo));
    if (f_.hi < 255) b_.op(Op::min_u8, t.bytes, x, x, b_.constant8(f_.hi));
    store_bytes(b_, t, dst, x);
  }

  // What multiplies negative values.
  Reg slope(int w, Mem m) {
    if (f_.form == PairForm::prelu_fixed) return load_lanes(b_, w, m, f_.b_zero);
    const Reg x = load_floats(b_, w, m, f_.b_zero);
    b_.op(Op::mul_f32, w, x, x, b_.constant_f32(f_.rb));
    return x;
  }

  // One side of zero is 0 in each of the two terms, and adding 0 changes nothing.
  void prelu_tile(const Tile& t, Ptr a, Ptr b, const std::vector<Reg>& kept, Ptr dst) {
    store_tile(b_, t, {f_.offset_out, f_.lo, f_.hi}, dst, [&](int piece) {
      const int w = t.bytes;
      const Reg by = kept.empty() ? slope(w, {b, t.piece_at(piece)}) : kept[static_cast<size_t>(piece)];
      const Reg x = load_lanes(b_, w, {a, t.piece_at(piece)}, f_.a_zero), negative = b_.reg(Role::temp);
      return f_.form == PairForm::prelu_fixed ? fixed(w, x, negative, by) : real(w, x, negative, by);
    });
  }

  Reg fixed(int w, Reg x, Reg negative, Reg by) {
    b_.op(Op::min_i32, w, negative, x, b_.constant32(0));
    b_.op(Op::max_i32, w, x, x, b_.constant32(0));
    b_.op(Op::mul32, w, negative, negative, by);
    const Reg below = emit_scale_away(b_, w, negative, f_.negative);
    const Reg above = emit_scale_away(b_, w, x, f_.positive);
    b_.op(Op::add32, w, above, above, below);
    return above;
  }

  Reg real(int w, Reg x, Reg negative, Reg by) {
    b_.unary(Op::cvt_f32, w, x, x);
    b_.op(Op::mul_f32, w, x, x, b_.constant_f32(f_.ra));
    b_.op(Op::min_f32, w, negative, x, b_.constant_f32(0));
    b_.op(Op::max_f32, w, x, x, b_.constant_f32(0));
    b_.op(Op::mul_f32, w, negative, negative, by);
    b_.op(Op::add_f32, w, x, x, negative);
    b_.op(f_.form == PairForm::prelu_product ? Op::mul_f32 : Op::div_f32, w, x, x, b_.constant_f32(f_.r_out));
    clamp_f32(b_, w, x, f_.lo - f_.offset_out, f_.hi - f_.offset_out);
    b_.unary(Op::cvt_i32, w, x, x);
    return x;
  }

  const PairSpec& s_;
  const PairFormula& f_;
  const Target& target_;
  Builder b_;
};

}  // namespace

Program build_pair(const PairSpec& spec, const Target& target, std::string name) {
  return PairBuilder(spec, target, std::move(name)).run();
}

}  // namespace octet
