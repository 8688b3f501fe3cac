#include "generator/kernel/pair.h"

#include <fmt/format.h>

#include <algorithm>

#include "generator/kernel/requant.h"
#include "runtime/status.h"

namespace octet {
namespace {

FixedPoint factor_below(double real, double limit) {
  if (!(real < limit))
    user_error(fmt::format("a factor of its scales is {}; supported are factors below {}", real, limit));
  return fixed_point(real);
}

}  // namespace

const char* pair_form_name(PairForm form) {
  static const char* const names[] = {"maximum", "minimum", "prelu_quotient", "prelu_product", "prelu_fixed"};
  return names[static_cast<size_t>(form)];
}

PairFormula extremum_formula(bool largest, const QuantView& a, const QuantView& b, const QuantView& out, int lo,
                             int hi) {
  if (a != b || a != out)
    user_error(
        fmt::format("its operands and result have scales {}, {} and {}, zero points {}, {} and {}; supported are "
                    "equal ones",
                    a.scale, b.scale, out.scale, a.zero_point, b.zero_point, out.zero_point));
  return {.form = largest ? PairForm::maximum : PairForm::minimum, .lo = lo, .hi = hi};
}

PairFormula prelu_formula(Profile profile, const QuantView& x, const QuantView& slope, const QuantView& out, int lo,
                          int hi) {
  PairFormula f{.a_zero = x.zero(), .b_zero = slope.zero(), .offset_out = out.zero(), .lo = lo, .hi = hi};
  if (is_tflite(profile)) {
    const float product = x.scale * slope.scale;
    f.form = PairForm::prelu_fixed;
    f.positive = factor_below(static_cast<double>(x.scale / out.scale), 0x1p13);
    f.negative = factor_below(static_cast<double>(product / out.scale), 0x1p13);
    return f;
  }
  if (profile == Profile::tidl) user_error("profile tidl has no prelu; supported is every other profile");
  f.form = is_torch(profile) ? PairForm::prelu_product : PairForm::prelu_quotient;
  f.ra = x.scale;
  f.rb = slope.scale;
  f.r_out = is_torch(profile) ? 1.0f / out.scale : out.scale;
  return f;
}

uint8_t pair_bytes(uint8_t a_byte, uint8_t b_byte, const PairFormula& f) {
  const int a = a_byte - f.a_zero, b = b_byte - f.b_zero;
  const auto byte = [&f](int32_t rounded) {
    return static_cast<uint8_t>(std::clamp(rounded, f.lo - f.offset_out, f.hi - f.offset_out) + f.offset_out);
  };
  switch (f.form) {
    case PairForm::maximum: return byte(std::max(a, b));
    case PairForm::minimum: return byte(std::min(a, b));
    case PairForm::prelu_fixed: return byte(a >= 0 ? scale_away(a, f.positive) : scale_away(a * b, f.negative));
    case PairForm::prelu_quotient:
    case PairForm::prelu_product: {
      const float x = static_cast<float>(a) * f.ra, slope = static_cast<float>(b) * f.rb;
      const float y = a >= 0 ? x : x * slope;
      return round_to_byte(f.form == PairForm::prelu_product ? y * f.r_out : y / f.r_out, f.offset_out, f.lo, f.hi);
    }
  }
  internal_error("a pair without a form");
}

}  // namespace octet
