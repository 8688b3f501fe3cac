#include "generator/program/fixed_code.h"

#include <algorithm>
#include <bit>

namespace octet {
namespace {

int left_shift(const FixedPoint& m) {
  return 2 + std::max(0, m.exponent);
}

// floor(x * m.multiplier / 2^30), x shifted left first where the exponent is positive.
Reg emit_high_product(Builder& b, int w, Reg x, const FixedPoint& m) {
  b.unary(Op::sll32, w, x, x, left_shift(m));
  const Reg d = b.reg(Role::temp);
  b.op(Op::mulhi32, w, d, x, b.constant32(m.multiplier));
  return d;
}

// srdhm is (high product + 1) >> 1, and the shift that rounds up after it joins that one.
void emit_rounding_shift(Builder& b, int w, Reg d, int n) {
  b.op(Op::add32, w, d, d, b.constant32(n == 0 ? 1 : (int32_t{1} << n) + 1));
  b.unary(Op::sra32, w, d, d, n + 1);
}

// A shift of a value below 2^29 that leaves nothing.
constexpr int kAllShift = 31;

Reg zeros(Builder& b, int w) {
  return b.load(w, Role::temp, b.constant32(0));
}

}  // namespace

void emit_shift_away(Builder& b, int w, Reg x, int n) {
  if (n == 0) return;
  const Reg sign = b.reg(Role::temp);
  b.unary(Op::sra32, w, sign, x, 31);
  b.op(Op::add32, w, x, x, sign);
  b.op(Op::add32, w, x, x, b.constant32(int32_t{1} << (n - 1)));
  b.unary(Op::sra32, w, x, x, n);
}

void emit_times(Builder& b, int w, Reg x, int32_t factor) {
  if (factor == 1) return;
  if (factor > 0 && std::has_single_bit(static_cast<uint32_t>(factor)))
    b.unary(Op::sll32, w, x, x, std::countr_zero(static_cast<uint32_t>(factor)));
  else
    b.op(Op::mul32, w, x, x, b.constant32(factor));
}

// Away from zero: negative values lose 1 before their ties are rounded up.
Reg emit_scale_away(Builder& b, int w, Reg x, const FixedPoint& m) {
  const int right = std::max(0, -m.exponent);
  if (right >= kAllShift) return zeros(b, w);
  const Reg d = emit_high_product(b, w, x, m);
  if (right == 0) {
    emit_rounding_shift(b, w, d, 0);
    return d;
  }
  const Reg sign = b.reg(Role::temp);
  b.unary(Op::sra32, w, sign, x, 31);
  b.op(Op::add32, w, sign, sign, sign);
  b.op(Op::add32, w, d, d, sign);
  emit_rounding_shift(b, w, d, right);
  return d;
}

Reg emit_scale_up(Builder& b, int w, Reg x, const FixedPoint& m) {
  if (-m.exponent >= kAllShift) return zeros(b, w);
  const Reg d = emit_high_product(b, w, x, m);
  emit_rounding_shift(b, w, d, std::max(0, -m.exponent));
  return d;
}

bool fits_scale(int64_t largest, const FixedPoint& m) {
  const int left = left_shift(m);
  return left < 31 && largest < int64_t{1} << (31 - left);
}

}  // namespace octet
