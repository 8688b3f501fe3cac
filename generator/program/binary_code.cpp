#include "generator/program/binary_code.h"

#include "generator/program/elementwise.h"
#include "generator/program/fixed_code.h"

namespace octet {
namespace {

constexpr double kLargestS32 = 2147483520.0;  // the largest float below 2^31: what a conversion can take

}  // namespace

AddCode::AddCode(Builder& b, const AddFormula& f, int factor_bytes) : b_(b), f_(f) {
  const bool real = f.form == AddForm::fused || f.form == AddForm::product || f.form == AddForm::quotient;
  if (real && factor_bytes) {
    ra_ = b.load(factor_bytes, Role::scale, b.constant_f32(f.ra));
    rb_ = b.load(factor_bytes, Role::scale, b.constant_f32(f.rb));
  }
  double most =
      255.0 * (std::abs(double(f.ra)) + std::abs(double(f.rb))) + std::abs(double(f.ka)) + std::abs(double(f.kb));
  if (f.form == AddForm::product) most *= double(f.r_out);
  if (f.form == AddForm::quotient) most /= double(f.r_out);
  wide_ = !(most < kLargestS32);
}

Reg AddCode::factor(int w, Reg kept, float value) {
  return kept != kNone ? kept : b_.load(w, Role::scale, b_.constant_f32(value));
}

// fma(lanes, r, k).
Reg AddCode::real_part(int w, Reg lanes, Reg kept, float r, float k) {
  b_.unary(Op::cvt_f32, w, lanes, lanes);
  if (k != 0)
    b_.fma(w, lanes, lanes, factor(w, kept, r), b_.constant_f32(k));
  else if (kept != kNone)
    b_.op(Op::mul_f32, w, lanes, lanes, kept);
  else
    b_.op(Op::mul_f32, w, lanes, lanes, b_.constant_f32(r));
  return lanes;
}

// scale_away(q << 20, m) for q of 9 bits: with m's multiplier = high * 2^16 + low, srdhm(q << 20, multiplier) is
// floor((q * multiplier + 2^10) / 2^11) = q * high * 2^5 + ((q * low + 2^10) >> 11), all of them within 32 bits.
Reg AddCode::doubled_part(int w, Reg q, const FixedPoint& m) {
  const int32_t high = m.multiplier >> 16 << 5, low = m.multiplier & 0xFFFF;
  Reg rest = kNone;
  if (low) {
    rest = b_.reg(Role::temp);
    b_.op(Op::mul32, w, rest, q, b_.constant32(low));
    b_.op(Op::add32, w, rest, rest, b_.constant32(1 << 10));
    b_.unary(Op::sra32, w, rest, rest, 11);
  }
  emit_times(b_, w, q, high);
  if (low) b_.op(Op::add32, w, q, q, rest);
  emit_shift_away(b_, w, q, -m.exponent);
  return q;
}

Reg AddCode::a_part(int w, Reg lanes) {
  switch (f_.form) {
    case AddForm::fused: b_.unary(Op::cvt_f32, w, lanes, lanes); break;
    case AddForm::product:
    case AddForm::quotient: return real_part(w, lanes, ra_, f_.ra, f_.ka);
    case AddForm::shifted_up:
    case AddForm::shifted_away: emit_times(b_, w, lanes, f_.ma.multiplier); break;
    case AddForm::doubling: return doubled_part(w, lanes, f_.ma);
  }
  return lanes;
}

// The shifted forms take both zero points, and the half that rounds up, in with b.
Reg AddCode::b_part(int w, Reg lanes) {
  switch (f_.form) {
    case AddForm::fused: {
      b_.unary(Op::cvt_f32, w, lanes, lanes);
      b_.fma(w, lanes, lanes, factor(w, rb_, f_.rb), b_.constant_f32(f_.kb));
      break;
    }
    case AddForm::product:
    case AddForm::quotient: return real_part(w, lanes, rb_, f_.rb, f_.kb);
    case AddForm::shifted_up:
    case AddForm::shifted_away: {
      const int32_t zeros = -f_.offset_a * f_.ma.multiplier - f_.offset_b * f_.mb.multiplier;
      const int32_t half = f_.form == AddForm::shifted_up ? int32_t{1} << (f_.shift - 1) : 0;
      emit_times(b_, w, lanes, f_.mb.multiplier);
      if (zeros + half) b_.op(Op::add32, w, lanes, lanes, b_.constant32(zeros + half));
      break;
    }
    case AddForm::doubling: return doubled_part(w, lanes, f_.mb);
  }
  return lanes;
}

Reg AddCode::sum(int w, Reg a, Reg b, Reg keep) {
  const Reg d = keep == kNone ? a : keep == a ? b : a;
  const auto clamped = [&] {
    if (wide_) clamp_f32(b_, w, d, f_.lo - f_.offset_out, f_.hi - f_.offset_out);
    b_.unary(Op::cvt_i32, w, d, d);
    return d;
  };
  switch (f_.form) {
    case AddForm::fused:
      if (ra_ != kNone)
        b_.fma(w, d, a, ra_, b);
      else
        b_.fma(w, d, a, b_.constant_f32(f_.ra), b);
      return clamped();
    case AddForm::product:
    case AddForm::quotient:
      b_.op(Op::add_f32, w, d, a, b);
      if (f_.r_out != 1)
        b_.op(f_.form == AddForm::product ? Op::mul_f32 : Op::div_f32, w, d, d, b_.constant_f32(f_.r_out));
      return clamped();
    case AddForm::shifted_up:
      b_.op(Op::add32, w, d, a, b);
      b_.unary(Op::sra32, w, d, d, f_.shift);
      return d;
    case AddForm::shifted_away: {  // shift_away in two steps, the first without a half that could overflow
      b_.op(Op::add32, w, d, a, b);
      const Reg sign = b_.reg(Role::temp);
      b_.unary(Op::sra32, w, sign, d, 31);
      b_.op(Op::add32, w, d, d, sign);
      b_.unary(Op::sra32, w, d, d, f_.shift - 1);
      b_.op(Op::add32, w, d, d, b_.constant32(1));
      b_.unary(Op::sra32, w, d, d, 1);
      return d;
    }
    case AddForm::doubling:
      b_.op(f_.subtracts ? Op::sub32 : Op::add32, w, d, a, b);
      return emit_scale_away(b_, w, d, f_.m_out);
  }
  return d;
}

Reg MulCode::factor_a(int w, Mem m) {
  return is_real() ? load_floats(b_, w, m, f_.a_zero) : load_lanes(b_, w, m, f_.a_zero);
}

Reg MulCode::factor_b(int w, Mem m) {
  return is_real() ? load_floats(b_, w, m, f_.b_zero) : load_lanes(b_, w, m, f_.b_zero);
}

Reg MulCode::product(int w, Reg a, Reg b) {
  b_.op(is_real() ? Op::mul_f32 : Op::mul32, w, a, a, b);
  return scaled(w, a);
}

// A product is an integer below 2^17 and so exact in f32.
Reg MulCode::scaled(int w, Reg x) {
  if (!is_real()) return emit_scale_away(b_, w, x, f_.fixed);
  b_.op(Op::mul_f32, w, x, x, b_.constant_f32(f_.m));
  if (f_.z) b_.op(Op::add_f32, w, x, x, b_.constant_f32(static_cast<float>(f_.z)));
  if (!(65025.0 * double(f_.m) + 256.0 < kLargestS32))
    clamp_f32(b_, w, x, f_.lo - f_.offset_out, f_.hi - f_.offset_out);
  b_.unary(Op::cvt_i32, w, x, x);
  return x;
}

}  // namespace octet
