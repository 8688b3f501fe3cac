// Functions of real numbers without a library, the same on every machine: computed in binary64 by products and sums
// that round once each, in a fixed order, and rounded to binary32 by whoever calls. Their own error is below 2^-36 of
// the result, so that a rounded result is within 0.501 units of the last place of binary32. NaN gives NaN.
//
// Build with -ffp-contract=off.
#ifndef OCTET_FLOAT_MATH_H
#define OCTET_FLOAT_MATH_H

#include <stdint.h>
#include <string.h>

#include "exact_math.h"

namespace octet_float {
namespace {  // as in plain_ops.h

constexpr double kInfinity = __builtin_inf();
constexpr double kNan = __builtin_nan("");

inline uint64_t bits_of(double x) {
  uint64_t bits;
  memcpy(&bits, &x, 8);
  return bits;
}
inline double double_of(uint64_t bits) {
  double x;
  memcpy(&x, &bits, 8);
  return x;
}
inline double absolute(double x) { return double_of(bits_of(x) & ~(uint64_t{1} << 63)); }
inline double with_sign(double x, double sign) {
  const uint64_t top = uint64_t{1} << 63;
  return double_of((bits_of(x) & ~top) | (bits_of(sign) & top));
}

// All NaNs are one: which of two operands' an instruction hands on, compilers decide.
inline float settled(float v) { return v == v ? v : __builtin_nanf(""); }
inline float settled(double v) { return v == v ? static_cast<float>(v) : __builtin_nanf(""); }

// Horner's rule, the coefficient of the highest power first.
template <int N>
inline double polynomial(const double (&coefficients)[N], double x) {
  double sum = coefficients[0];
  for (int i = 1; i < N; ++i) sum = sum * x + coefficients[i];
  return sum;
}

// x = n ln 2 + r with |r| <= ln 2 / 2; ln 2 in two parts, the first short enough for n times it to be exact; then a
// Taylor series whose first omitted term is below 2^-46. Beyond what binary32 can hold the result only stays beyond.
inline double exp_of(double x) {
  const double least = x < -160.0 ? -160.0 : x;
  const double c = least > 130.0 ? 130.0 : least;
  const int32_t n = octet_math::round_even(c * 1.4426950408889634);
  const double r = (c - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10;
  const double sum = polynomial({1.0 / 39916800.0, 1.0 / 3628800.0, 1.0 / 362880.0, 1.0 / 40320.0, 1.0 / 5040.0,
                                 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0},
                                r);
  return sum * double_of(static_cast<uint64_t>(int64_t{n} + 1023) << 52);
}

// exp(x) - 1, near zero by its own series.
inline double expm1_of(double x) {
  const double near = x * polynomial({1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0}, x);
  return absolute(x) < 0.03125 ? near : exp_of(x) - 1.0;
}

// ln x of a finite x > 0 that is no denormal of binary64: x = 2^e m, m within [sqrt(1/2), sqrt(2)), and ln m = 2 atanh
// s, s = (m - 1) / (m + 1), by its series in s^2 <= 0.0295.
inline double log_of(double x) {
  const uint64_t shifted = bits_of(x) - 0x3FE6A09E667F3BCDu + (uint64_t{1024} << 52);
  const int32_t e = static_cast<int32_t>(shifted >> 52) - 1024;
  const double m = double_of(bits_of(x) - (static_cast<uint64_t>(int64_t{e}) << 52));
  const double s = (m - 1.0) / (m + 1.0), z = s * s;
  const double tail = polynomial(
      {1.0 / 23, 1.0 / 21, 1.0 / 19, 1.0 / 17, 1.0 / 15, 1.0 / 13, 1.0 / 11, 1.0 / 9, 1.0 / 7, 1.0 / 5, 1.0 / 3}, z);
  return e * 0.693147180369123816490 + ((2.0 * s + 2.0 * s * z * tail) + e * 1.90821492927058770002e-10);
}

// ln(1 + x) of 0 <= x <= 1.
inline double log1p_of(double x) {
  const double near = x * polynomial({-0.25, 1.0 / 3, -0.5, 1.0}, x);
  return x >= 0.0001 ? log_of(1.0 + x) : near;
}

inline double log_value(double x) {
  if (x > 0.0) return x < kInfinity ? log_of(x) : x;
  return x == 0.0 ? -kInfinity : kNan;
}

// 1 / sqrt(x) of a normal x > 0: Newton's iteration from a guess that is 3.5 % off.
inline double rsqrt_of(double x) {
  double y = double_of(0x5FE6EB50C7B537A9u - (bits_of(x) >> 1));
  for (int i = 0; i < 4; ++i) y = y * (1.5 - (0.5 * x) * (y * y));
  return y;
}

inline double sqrt_value(double x) {
  if (x > 0.0) return x < kInfinity ? x * rsqrt_of(x) : x;
  return x == 0.0 ? x : kNan;
}

inline double rsqrt_value(double x) {
  if (x > 0.0) return x < kInfinity ? rsqrt_of(x) : 0.0;
  return x == 0.0 ? with_sign(kInfinity, x) : kNan;
}

inline double sigmoid_of(double x) { return 1.0 / (1.0 + exp_of(-x)); }

inline double tanh_of(double x) {
  const double z = x * x;
  const double near = x * polynomial({-1382.0 / 155925, 62.0 / 2835, -17.0 / 315, 2.0 / 15, -1.0 / 3, 1.0}, z);
  return z < 0.0039 ? near : 1.0 - 2.0 / (exp_of(2.0 * x) + 1.0);
}

// ln(1 + exp(x)).
inline double softplus_of(double x) {
  const double tail = log1p_of(exp_of(-absolute(x)));
  return x > 0.0 ? x + tail : tail;
}

// erfc x of x >= 1: exp(-x^2) u P(u), u = 2 / (2 + x); P interpolates erfcx(x) / u at 13 Chebyshev points of 1 <= x <=
// 10.5 and is within 5e-13 of it there. Beyond, the result is below the least binary32.
inline double erfc_tail(double x) {
  const double u = 2.0 / (2.0 + x);
  const double p = polynomial(
      {-0.08019119263428691, 0.4439879357701399, -1.0425568878398166, 1.3047950064964184, -0.9040669337425891,
       0.39252168481760186, -0.21556144045384307, 0.036767104223739154, 0.07602305372468358, 0.17733129723930185,
       0.24674247043905412, 0.2820995966646009, 0.2820946761209905},
      u);
  return exp_of(-(x * x)) * (u * p);
}

// erf x of |x| <= 1: 2 / sqrt(pi) times the sum of (-1)^n x^(2n+1) / (n! (2n+1)).
inline double erf_near(double x) {
  const double series = polynomial(
      {-1.0 / (6227020800.0 * 27), 1.0 / (479001600.0 * 25), -1.0 / (39916800.0 * 23), 1.0 / (3628800.0 * 21),
       -1.0 / (362880.0 * 19), 1.0 / (40320.0 * 17), -1.0 / (5040.0 * 15), 1.0 / (720.0 * 13), -1.0 / (120.0 * 11),
       1.0 / (24.0 * 9), -1.0 / (6.0 * 7), 1.0 / (2.0 * 5), -1.0 / 3, 1.0},
      x * x);
  return x * series * 1.1283791670955126;
}

inline double erf_of(double x) {
  const double a = absolute(x);
  if (a <= 1.0) return erf_near(x);
  return with_sign(1.0 - erfc_tail(a), x);
}

// x / 2 erfc(-x / sqrt(2)): no cancellation where x is negative.
inline double gelu_of(double x) {
  const double v = x * 0.7071067811865476, a = absolute(v);
  if (a <= 1.0) return 0.5 * x * (1.0 + erf_near(v));
  if (a > 20.0) return x > 0.0 ? x : -0.0;
  const double tail = erfc_tail(a);
  return 0.5 * x * (v < 0.0 ? tail : 2.0 - tail);
}

// x / 2 (1 + tanh u) = x / (1 + exp(-2 u)), u = sqrt(2 / pi) (x + 0.044715 x^3).
inline double gelu_by_tanh_of(double x) {
  if (x < -30.0) return -0.0;
  return x * sigmoid_of(1.5957691216057308 * (x + 0.044715 * x * x * x));
}

// ---- sine and cosine ------------------------------------------------------------------------------------------------

struct Quarter {
  uint32_t turn;  // quarter turns, modulo 4
  double rest;    // within pi / 4
};

// For |x| < 2^20: pi / 2 in three parts of 33 bits, so that the products are exact.
inline Quarter quarter_near(double x) {
  const int32_t n = octet_math::round_even(x * 0.6366197723675814);
  const double r = ((x - n * 1.57079632673412561417) - n * 6.07710050630396597660e-11) - n * 2.02226624879595063154e-21;
  return {static_cast<uint32_t>(n), r};
}

// For a larger x = m 2^e, m of 24 bits: bits of 2 / pi that m 2^e makes multiples of four quarters are left out; m
// times the next 96 has the quarter and at least 62 bits of what is left.
inline Quarter quarter_far(double x) {
  constexpr uint32_t kTwoOverPi[] = {0xA2F9836E, 0x4E441529, 0xFC2757D1, 0xF534DDC0,
                                     0xDB629599, 0x3C439041, 0xFE5163AB, 0xDEBBC561};
  const uint64_t bits = bits_of(x), m = ((bits >> 29) & 0x7FFFFF) | 0x800000;
  const int32_t e = static_cast<int32_t>((bits >> 52) & 2047) - 1023 - 23;
  const int32_t skip = e > 2 ? e - 2 : 0, word = skip / 32, shift = skip % 32;
  const int32_t drop = e > 2 ? 0 : 2 - e;  // then the product has so many bits more
  uint64_t w[3];
  for (int32_t i = 0; i < 3; ++i) {
    const uint64_t pair = uint64_t{kTwoOverPi[word + i]} << 32 | kTwoOverPi[word + i + 1];
    w[i] = (pair << shift) >> 32;
  }
  const uint64_t p1 = m * w[1] + (m * w[2] >> 32), p0 = m * w[0] + (p1 >> 32);
  const uint64_t turns = p0 << (32 - drop) | (p1 & 0xFFFFFFFF) >> drop;  // modulo 4, 62 bits behind the point
  const uint64_t turn = (turns + (uint64_t{1} << 61)) >> 62;
  const double rest = static_cast<double>(static_cast<int64_t>(turns - (turn << 62))) * 0x1.921fb54442d18p-62;
  const uint32_t quarters = static_cast<uint32_t>(turn);
  return x < 0.0 ? Quarter{0u - quarters, -rest} : Quarter{quarters, rest};
}

inline double sine(Quarter q) {
  const double z = q.rest * q.rest;
  const double s = q.rest * polynomial({-1.0 / 1307674368000.0, 1.0 / 6227020800.0, -1.0 / 39916800.0, 1.0 / 362880.0,
                                        -1.0 / 5040.0, 1.0 / 120.0, -1.0 / 6.0, 1.0},
                                       z);
  const double c = polynomial({1.0 / 20922789888000.0, -1.0 / 87178291200.0, 1.0 / 479001600.0, -1.0 / 3628800.0,
                               1.0 / 40320.0, -1.0 / 720.0, 1.0 / 24.0, -0.5, 1.0},
                              z);
  const double v = q.turn & 1 ? c : s;
  return q.turn & 2 ? -v : v;
}

// x is a binary32 number; `turns`: quarter turns added, 1 for the cosine.
inline double sine_value(double x, uint32_t turns) {
  const double a = absolute(x);
  if (!(a < kInfinity)) return kNan;
  Quarter q = a < 1048576.0 ? quarter_near(x) : quarter_far(x);
  q.turn += turns;
  return sine(q);
}

// ---- powers ---------------------------------------------------------------------------------------------------------

// As C's pow has it for zeros, ones and infinities; x and y are binary32 numbers.
inline double pow_value(double x, double y) {
  if (y == 0.0 || x == 1.0) return 1.0;
  if (!(x == x) || !(y == y)) return kNan;
  const double a = absolute(x), b = absolute(y);
  const bool whole = b >= 16777216.0 || b == octet_math::round_even(b < 16777216.0 ? b : 0.0);
  const bool odd = whole && b < 16777216.0 && (octet_math::round_even(b) & 1);
  if (x < 0.0 && !whole && a < kInfinity) return kNan;
  const double logarithm = a == 0.0 ? -kInfinity : a < kInfinity ? log_of(a) : a;
  const double size = a == 1.0 ? 1.0 : exp_of(y * logarithm);
  return odd ? with_sign(size, x) : size;
}

// Remainder with the sign of b, exact. |a| less multiples of |b| 2^k, the largest first.
inline float floor_mod_value(float a, float b) {
  const double x = absolute(static_cast<double>(a)), y = absolute(static_cast<double>(b));
  if (!(x < kInfinity) || !(y > 0.0)) return __builtin_nanf("");
  double rest = x, part = y;
  while (part <= rest * 0.5) part *= 2.0;
  for (; part >= y && y < kInfinity; part *= 0.5)
    if (rest >= part) rest -= part;
  const float signed_rest = static_cast<float>(with_sign(rest, static_cast<double>(a)));
  if (rest == 0.0) return static_cast<float>(with_sign(0.0, static_cast<double>(b)));
  return (a < 0.0f) == (b < 0.0f) ? signed_rest : signed_rest + b;
}

// ---- rounding -------------------------------------------------------------------------------------------------------

// To an integer, ties to even: below 2^23, adding 2^23 does it.
inline float round_value(float x) {
  const float a = static_cast<float>(absolute(static_cast<double>(x)));
  const float r = a < 8388608.0f ? (a + 8388608.0f) - 8388608.0f : a;
  return static_cast<float>(with_sign(static_cast<double>(r), static_cast<double>(x)));
}
inline float floor_value(float x) {
  const float r = round_value(x);
  return r > x ? r - 1.0f : r;
}
inline float ceil_value(float x) {
  const float r = round_value(x);
  return r < x ? static_cast<float>(with_sign(static_cast<double>(r + 1.0f), static_cast<double>(x))) : r;
}

}  // namespace
}  // namespace octet_float

#endif
