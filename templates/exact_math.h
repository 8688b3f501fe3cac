// Rounding without a library: what the vector vocabulary and the plain ops share. Embedded verbatim in emitted C++.
//
// Needs binary32 and binary64 that round to nearest even, and nothing else. Build with -ffp-contract=off.
#ifndef OCTET_EXACT_MATH_H
#define OCTET_EXACT_MATH_H

#include <stdint.h>
#include <string.h>

#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ == 2
#error "Octet needs floats that round to their own type (on 32-bit x86: -msse2 -mfpmath=sse)"
#endif

namespace octet_math {

// Nearest integer, ties to even: adding 1.5 * 2^52 leaves an ulp of 1, so the addition itself rounds, and the low half
// of the sum is the integer in two's complement. Exact for every |x| < 2^31; garbage, but defined, beyond.
[[maybe_unused]] static inline int32_t round_even(double x) {
  const double sum = x + 6755399441055744.0;
  uint64_t bits;
  memcpy(&bits, &sum, 8);
  const uint32_t low = static_cast<uint32_t>(bits);
  int32_t i;
  memcpy(&i, &low, 4);
  return i;
}

// The same within binary32, for |x| <= 2^22: what has been clamped to bytes first. Half the width, so it vectorizes
// twice as well.
[[maybe_unused]] static inline int32_t round_small(float x) {
  const float sum = x + 12582912.0f;
  int32_t bits;
  memcpy(&bits, &sum, 4);
  return bits - 0x4B400000;
}

// a * b + c with one rounding. The product is exact in binary64 (48 bits). The sum is not: its rounding error is found
// exactly (Knuth's TwoSum) and folded into the last bit (round to odd), after which the conversion to binary32 rounds
// as if from the exact value, because 53 >= 24 + 2 bits. It is immune to contraction, since the product is exact.
[[maybe_unused]] static inline float fma_once(float a, float b, float c) {
  const double p = static_cast<double>(a) * static_cast<double>(b), q = static_cast<double>(c);
  const double sum = p + q;
  const double p_part = sum - q, q_part = sum - p_part;
  const double error = (p - p_part) + (q - q_part);  // NaN where the sum is not finite: then nothing is folded in
  uint64_t bits;
  memcpy(&bits, &sum, 8);
  const uint64_t inexact = (error < 0) | (error > 0);
  const uint64_t toward_zero = (error < 0) != (sum < 0);  // the exact value is nearer to zero than the sum
  bits -= toward_zero & inexact;                          // the magnitude truncated...
  bits |= inexact;                                        // ...and its last bit sticky
  double odd;
  memcpy(&odd, &bits, 8);
  return static_cast<float>(odd);
}

// ---- fixed point: TensorFlow Lite's products of integers by real factors --------------------------------------------

// The high half of twice the product, rounded, ties up: floor((a * b + 2^30) / 2^31). Fits but for a = b = -2^31.
[[maybe_unused]] static inline int32_t srdhm(int32_t a, int32_t b) {
  return static_cast<int32_t>((static_cast<int64_t>(a) * b + (int64_t{1} << 30)) >> 31);
}

// x / 2^n rounded, 0 <= n <= 31: ties up, and ties away from zero.
[[maybe_unused]] static inline int32_t shift_up(int64_t x, int32_t n) {
  return static_cast<int32_t>(n == 0 ? x : (x + (int64_t{1} << (n - 1))) >> n);
}
[[maybe_unused]] static inline int32_t shift_away(int64_t x, int32_t n) {
  return n == 0 ? static_cast<int32_t>(x) : shift_up(x - (x < 0), n);
}

// x times multiplier * 2^(exponent - 31): shifted left where the exponent is positive, which must fit, and right after
// the product where it is negative; ties away from zero, and ties up.
[[maybe_unused]] static inline int32_t scale_away(int32_t x, int32_t multiplier, int32_t exponent) {
  const int32_t left = exponent > 0 ? exponent : 0;
  return shift_away(srdhm(static_cast<int32_t>(static_cast<uint32_t>(x) << left), multiplier), left - exponent);
}
[[maybe_unused]] static inline int32_t scale_up(int32_t x, int32_t multiplier, int32_t exponent) {
  const int32_t left = exponent > 0 ? exponent : 0;
  return shift_up(srdhm(static_cast<int32_t>(static_cast<uint32_t>(x) << left), multiplier), left - exponent);
}

}  // namespace octet_math

#endif
