#include "generator/kernel/fixed_point.h"

#include <fmt/format.h>

#include <cmath>

#include "runtime/status.h"

namespace octet {

FixedPoint fixed_point(double real) {
  if (!(real >= 0 && real < 0x1p31))
    user_error(fmt::format("a factor of {:.6g} between scales; supported in fixed point are those below 2^31", real));
  FixedPoint m;
  const double fraction = std::frexp(real, &m.exponent);  // in [1/2, 1), or 0
  auto multiplier = static_cast<int64_t>(std::round(fraction * 0x1p31));
  if (multiplier == int64_t{1} << 31) {
    multiplier /= 2;
    ++m.exponent;
  }
  if (m.exponent < -31) return {};
  m.multiplier = static_cast<int32_t>(multiplier);
  return m;
}

}  // namespace octet
