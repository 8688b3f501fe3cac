#include "generator/kernel/binary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "generator/kernel/requant.h"
#include "runtime/status.h"

namespace octet {
namespace {

constexpr int kLeftShift = 20;  // TensorFlow Lite's, of the addends

// The factors of an addend's scales, in the order a, b; b's is negative in a difference.
struct Ratios {
  float a, b;
  float most() const { return std::max(std::abs(a), std::abs(b)); }
  float least() const { return std::min(std::abs(a), std::abs(b)); }
};

AddFormula fused_form(const Ratios& r, const QuantView& a, const QuantView& b, const QuantView& out) {
  AddFormula f;
  f.ra = r.a;
  f.rb = r.b;
  const float b_part = f.rb * static_cast<float>(b.zero_point);
  f.kb = static_cast<float>(out.zero_point) - octet_math::fma_once(f.ra, static_cast<float>(a.zero_point), b_part);
  f.offset_a = a.offset();
  f.offset_b = b.offset();
  f.offset_out = out.offset();
  return f;
}

// PyTorch's quantized::add dequantizes within its kernel: fma(s, q, RN32(s * -z)).
AddFormula product_form(const QuantView& a, const QuantView& b, const QuantView& out) {
  AddFormula f{.form = AddForm::product};
  f.ra = a.scale;
  f.ka = a.scale * static_cast<float>(-a.zero_point);
  f.rb = b.scale;
  f.kb = b.scale * static_cast<float>(-b.zero_point);
  f.r_out = 1.0f / out.scale;
  f.offset_a = a.offset();
  f.offset_b = b.offset();
  f.offset_out = out.zero();
  return f;
}

// A float operation between dequantize and quantize nodes: RN32((q - z) s).
AddFormula float_difference(AddForm form, float r_out, const QuantView& a, const QuantView& b, const QuantView& out) {
  AddFormula f{.form = form};
  f.ra = a.scale;
  f.rb = -b.scale;
  f.r_out = r_out;
  f.offset_a = a.zero();
  f.offset_b = b.zero();
  f.offset_out = out.zero();
  return f;
}

AddFormula shifted_form(AddForm form, int bits, const Ratios& r, const QuantView& a, const QuantView& b,
                        const QuantView& out) {
  AddFormula f{.form = form};
  f.shift = bits - std::ilogb(r.most());
  const auto factor = [&f](float ratio) {
    return FixedPoint{round_to_int(std::ldexp(static_cast<double>(ratio), f.shift)), 0};
  };
  f.ma = factor(r.a);
  f.mb = factor(r.b);
  f.offset_a = a.zero();
  f.offset_b = b.zero();
  f.offset_out = out.zero();
  return f;
}

AddFormula doubling_form(const QuantView& a, const QuantView& b, const QuantView& out, float sign) {
  AddFormula f{.form = AddForm::doubling};
  const double twice = 2.0 * static_cast<double>(std::max(a.scale, b.scale));
  f.ma = fixed_point(static_cast<double>(a.scale) / twice);
  f.mb = fixed_point(static_cast<double>(b.scale) / twice);
  const double real = twice / (static_cast<double>(1 << kLeftShift) * static_cast<double>(out.scale));
  f.m_out = real < 1 ? fixed_point(real) : FixedPoint{0, 1};
  if (f.m_out.exponent > 0)
    user_error(
        fmt::format("the result's scale {} is 2^19 times finer than the addends' {}; TensorFlow Lite's kernels "
                    "support less",
                    out.scale, std::max(a.scale, b.scale)));
  f.subtracts = sign < 0;
  f.offset_a = a.zero();
  f.offset_b = b.zero();
  f.offset_out = out.zero();
  return f;
}

void want_ratio(const char* runtime, float ratio, float least, float below) {
  if (!(ratio >= least && ratio < below))
    user_error(
        fmt::format("the scales' ratio {} is outside of [{}, {}), what {} supports", ratio, least, below, runtime));
}

AddFormula formula_of(Profile profile, const QuantView& a, const QuantView& b, const QuantView& out, float sign) {
  const Ratios r = {a.scale / out.scale, sign * (b.scale / out.scale)};
  switch (profile) {
    case Profile::ort:
      if (sign < 0) return float_difference(AddForm::quotient, out.scale, a, b, out);
      return fused_form(r, a, b, out);
    case Profile::xnn:
      if (r.least() < 0x1p-10f || !(r.most() < 0x1p8f)) return doubling_form(a, b, out, sign);
      return shifted_form(AddForm::shifted_up, 20, r, a, b, out);
    case Profile::tfl_ref:
    case Profile::tflm:
    case Profile::tfl_ruy: return doubling_form(a, b, out, sign);
    case Profile::torch_x86:
    case Profile::fbgemm:
    case Profile::onednn:
      if (sign < 0) return float_difference(AddForm::product, 1.0f / out.scale, a, b, out);
      return product_form(a, b, out);
    case Profile::qnnpack:
      if (sign < 0) return float_difference(AddForm::product, 1.0f / out.scale, a, b, out);
      want_ratio("QNNPACK", r.most(), 0x1p-10f, 0x1p8f);
      return shifted_form(AddForm::shifted_away, 21, r, a, b, out);
    case Profile::tidl:
      want_ratio("profile tidl", r.most(), 0x1p-10f, 0x1p8f);
      return shifted_form(AddForm::shifted_up, 20, r, a, b, out);
  }
  internal_error("a profile without a sum");
}

AddFormula clamped(AddFormula f, int lo, int hi) {
  f.lo = lo;
  f.hi = hi;
  return f;
}

}  // namespace

const char* add_form_name(AddForm form) {
  static const char* const names[] = {"fused", "product", "quotient", "shifted_up", "shifted_away", "doubling"};
  return names[static_cast<size_t>(form)];
}

AddFormula add_formula(Profile profile, const QuantView& a, const QuantView& b, const QuantView& out, int lo, int hi) {
  return clamped(formula_of(profile, a, b, out, 1), lo, hi);
}

AddFormula sub_formula(Profile profile, const QuantView& a, const QuantView& b, const QuantView& out, int lo, int hi) {
  return clamped(formula_of(profile, a, b, out, -1), lo, hi);
}

uint8_t add_bytes(uint8_t a_byte, uint8_t b_byte, const AddFormula& f) {
  using octet_math::fma_once;
  const int a = a_byte - f.offset_a, b = b_byte - f.offset_b;
  const auto fa = static_cast<float>(a), fb = static_cast<float>(b);
  const auto byte = [&f](int32_t rounded) {
    return static_cast<uint8_t>(std::clamp(rounded, f.lo - f.offset_out, f.hi - f.offset_out) + f.offset_out);
  };
  switch (f.form) {
    case AddForm::fused: return round_to_byte(fma_once(fa, f.ra, fma_once(fb, f.rb, f.kb)), f.offset_out, f.lo, f.hi);
    case AddForm::product:
    case AddForm::quotient: {
      const float sum = fma_once(fa, f.ra, f.ka) + fma_once(fb, f.rb, f.kb);
      return round_to_byte(f.form == AddForm::product ? sum * f.r_out : sum / f.r_out, f.offset_out, f.lo, f.hi);
    }
    case AddForm::shifted_up: return byte(octet_math::shift_up(a * f.ma.multiplier + b * f.mb.multiplier, f.shift));
    case AddForm::shifted_away: return byte(octet_math::shift_away(a * f.ma.multiplier + b * f.mb.multiplier, f.shift));
    case AddForm::doubling: {
      const int32_t x = scale_away(a << kLeftShift, f.ma), y = scale_away(b << kLeftShift, f.mb);
      return byte(scale_away(f.subtracts ? x - y : x + y, f.m_out));
    }
  }
  internal_error("a sum without a form");
}

bool is_monotonic(const AddFormula& f) {
  for (const float v : {f.ra, f.rb, f.ka, f.kb, f.r_out})
    if (!std::isfinite(1024 * v)) return false;
  const float most = 255 * (std::abs(f.ra) + std::abs(f.rb)) + std::abs(f.ka) + std::abs(f.kb);
  return std::isfinite(f.form == AddForm::product ? 2 * most * f.r_out : 2 * most / f.r_out);
}

MulFormula mul_formula(Profile profile, const QuantView& a, const QuantView& b, const QuantView& out, int lo, int hi) {
  MulFormula f{.a_zero = a.zero(), .b_zero = b.zero(), .offset_out = out.zero(), .lo = lo, .hi = hi};
  const float product = a.scale * b.scale, m = product / out.scale;
  const auto fixed = [&] {
    const double factor = static_cast<double>(product) / static_cast<double>(out.scale);
    if (!(factor < 0x1p13))
      user_error(fmt::format("the scales' product over the result's is {}; supported are factors below 2^13", factor));
    f.form = MulForm::fixed;
    f.m = 1;
    f.fixed = fixed_point(factor);
    return f;
  };
  f.m = m;
  switch (profile) {
    case Profile::ort:
      f.z = out.zero_point;
      f.offset_out = out.offset();
      return f;
    case Profile::xnn: return m >= 0x1p-16f && m < 0x1p8f ? f : fixed();
    case Profile::tfl_ref:
    case Profile::tflm:
    case Profile::tfl_ruy: return fixed();
    case Profile::torch_x86:
    case Profile::fbgemm:
    case Profile::onednn:
    case Profile::qnnpack: {
      const float inverse = 1.0f / out.scale;
      f.m = product * inverse;
      return f;
    }
    case Profile::tidl: user_error("profile tidl has no product of two activations; supported is every other profile");
  }
  internal_error("a profile without a product");
}

uint8_t mul_bytes(uint8_t a, uint8_t b, const MulFormula& f) {
  const int32_t product = (a - f.a_zero) * (b - f.b_zero);
  if (f.form == MulForm::fixed)
    return static_cast<uint8_t>(std::clamp(scale_away(product, f.fixed), f.lo - f.offset_out, f.hi - f.offset_out) +
                                f.offset_out);
  const float scaled = static_cast<float>(product) * f.m;
  return round_to_byte(scaled + static_cast<float>(f.z), f.offset_out, f.lo, f.hi);
}

bool is_monotonic(const MulFormula& f) {
  return std::isfinite(65536 * f.m);
}

}  // namespace octet
