// Real factors as integers: how TensorFlow Lite's kernels scale accumulators (design/numerics.md 2.1; the products
// themselves, srdhm and the rounding shifts, stand in templates/exact_math.h).
#pragma once

#include <cstdint>

#include "templates/exact_math.h"

namespace octet {

// multiplier * 2^(exponent - 31), the multiplier in [2^30, 2^31), or 0.
struct FixedPoint {
  int32_t multiplier = 0;
  int exponent = 0;
  bool operator==(const FixedPoint&) const = default;
};

// The nearest to a real factor >= 0, ties away from zero; factors below 2^-32 give 0. Factors must lie below 2^31.
FixedPoint fixed_point(double real);

// x times the factor: shifted left where the exponent is positive (x << exponent must fit s32), then srdhm, then
// shifted right where it is negative, ties away from zero or ties up.
inline int32_t scale_away(int32_t x, const FixedPoint& m) {
  const int32_t shifted = static_cast<int32_t>(static_cast<int64_t>(x) << (m.exponent > 0 ? m.exponent : 0));
  return octet_math::shift_away(octet_math::srdhm(shifted, m.multiplier), m.exponent < 0 ? -m.exponent : 0);
}
inline int32_t scale_up(int32_t x, const FixedPoint& m) {
  const int32_t shifted = static_cast<int32_t>(static_cast<int64_t>(x) << (m.exponent > 0 ? m.exponent : 0));
  return octet_math::shift_up(octet_math::srdhm(shifted, m.multiplier), m.exponent < 0 ? -m.exponent : 0);
}

}  // namespace octet
