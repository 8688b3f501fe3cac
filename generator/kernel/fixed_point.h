// Real factors as integers: how TensorFlow Lite's kernels scale accumulators (design/numerics.md 2.1; the products
// themselves stand in templates/exact_math.h).
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

// The nearest to a real factor >= 0, ties away from zero; factors below 2^-32 give 0. User error for factors from 2^31
// on.
FixedPoint fixed_point(double real);

// x times the factor; x << exponent must fit s32.
inline int32_t scale_away(int32_t x, const FixedPoint& m) {
  return octet_math::scale_away(x, m.multiplier, m.exponent);
}
inline int32_t scale_up(int32_t x, const FixedPoint& m) {
  return octet_math::scale_up(x, m.multiplier, m.exponent);
}

}  // namespace octet
