#include "generator/kernel/requant.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/status.h"
#include "templates/exact_math.h"

namespace octet {

int32_t round_to_int(double x) {
  return octet_math::round_even(x);
}

// max(lo, min(hi, v)) as the vector ops order it.
uint8_t round_to_byte(float v, int offset, int lo, int hi) {
  const auto least = static_cast<float>(lo - offset), most = static_cast<float>(hi - offset);
  const float above = v > least ? v : least;
  return static_cast<uint8_t>(round_to_int(above < most ? above : most) + offset);
}

namespace {

uint8_t clamp_byte(int64_t q, const Requant& r) {
  return static_cast<uint8_t>(std::clamp<int64_t>(q + r.zero, r.lo, r.hi));
}

float affine_value(float acc, const ChannelScale& c, const Requant& r) {
  const float product = acc * c.m;
  const float sum = product + c.b;
  const float scaled = sum * r.factor;
  return scaled + static_cast<float>(r.zero - r.offset);
}

}  // namespace

uint8_t requantize(int32_t acc, const ChannelScale& c, const Requant& r) {
  const auto x = static_cast<float>(acc);
  switch (r.form) {
    case RequantForm::scaled: return round_to_byte(x * c.m, r.zero, r.lo, r.hi);
    case RequantForm::biased: return round_to_byte(octet_math::fma_once(c.b, r.factor, x) * c.m, r.zero, r.lo, r.hi);
    case RequantForm::affine: return round_to_byte(affine_value(x, c, r), r.offset, r.lo, r.hi);
    case RequantForm::fixed_away:
      if (!c.ties_up) return clamp_byte(scale_away(acc, c.fixed), r);
      [[fallthrough]];
    case RequantForm::fixed_up: return clamp_byte(scale_up(acc, c.fixed), r);
    case RequantForm::doubles: {
      const double v = std::round(static_cast<double>(acc) * c.real);  // ties away from zero
      return clamp_byte(static_cast<int64_t>(std::clamp(v, -1024.0, 1024.0)), r);
    }
    case RequantForm::shift: return clamp_byte(octet_math::shift_up(acc, -c.fixed.exponent), r);
  }
  internal_error("an unknown form of requantization");
}

bool requant_is_wide(int64_t largest, const ChannelScale& c, const Requant& r) {
  // Each operation rounds up by at most one part in 2^24.
  constexpr double kRoundings = 1.0 + 0x1p-20, kLargestS32 = 2147483647.0;
  const auto acc = static_cast<double>(largest);
  const double m = static_cast<double>(c.m), b = std::abs(static_cast<double>(c.b)),
               factor = static_cast<double>(r.factor);
  double most = 0;
  switch (r.form) {
    case RequantForm::scaled: most = acc * m; break;
    case RequantForm::biased: most = (acc + b * factor) * m; break;
    case RequantForm::affine: most = (acc * m + b) * factor + std::abs(r.zero - r.offset); break;
    case RequantForm::doubles: most = 2 * acc * c.real; break;  // kernels convert twice the value
    case RequantForm::fixed_away:
    case RequantForm::fixed_up:
    case RequantForm::shift: return false;  // integers that cannot be held are refused where constants are made
  }
  return !(most * kRoundings < kLargestS32);
}

uint8_t quantize(float x, const QuantView& quant, int lo, int hi) {
  return round_to_byte(x / quant.scale, quant.zero(), lo, hi);
}

uint8_t quantize_as(QuantizeForm form, float x, const QuantView& quant, int lo, int hi) {
  if (form == QuantizeForm::quotient_even) return quantize(x, quant, lo, hi);
  const int zero = quant.zero();
  if (form == QuantizeForm::product_even) {
    const float inverse = 1.0f / quant.scale;
    return round_to_byte(x * inverse, zero, lo, hi);
  }
  const float v = x / quant.scale;
  if (std::isnan(v)) return static_cast<uint8_t>(lo);
  const double clamped = std::clamp(static_cast<double>(v), -1000.0, 1000.0);
  const double rounded = form == QuantizeForm::quotient_up ? std::floor(clamped + 0.5) : std::round(clamped);
  return static_cast<uint8_t>(std::clamp(static_cast<int>(rounded) + zero, lo, hi));
}

std::optional<QuantizeForm> quantize_form(Profile profile) {
  switch (profile) {
    case Profile::ort: return QuantizeForm::quotient_even;
    case Profile::tfl_ref:
    case Profile::tflm: return QuantizeForm::quotient_away;
    case Profile::tfl_ruy: return std::nullopt;
    case Profile::tidl: return QuantizeForm::quotient_up;
    default: return QuantizeForm::product_even;
  }
}

float dequantize(uint8_t byte, const QuantView& quant) {
  return static_cast<float>(byte - quant.zero()) * quant.scale;
}

uint8_t affine_byte(uint8_t byte, float scale, float shift, const AffineSpec& s) {
  const float product = dequantize(byte, s.src) * scale;
  return quantize(product + shift, s.dst, s.lo, s.hi);
}

Affine batch_norm_affine(float gamma, float beta, float mean, float variance, float epsilon) {
  const float inverse = 1.0f / std::sqrt(variance + epsilon);
  Affine a;
  a.scale = inverse * gamma;
  const float moved = mean * a.scale;
  a.shift = beta - moved;
  return a;
}

ByteRange byte_range(const QRange& range, const QuantView& quant) {
  const int smallest = -quant.offset();
  return {std::clamp(range.lo, smallest, smallest + 255) + quant.offset(),
          std::clamp(range.hi, smallest, smallest + 255) + quant.offset()};
}

QRange clamp_range(float low, float high, const QuantView& quant, const QRange& range, QuantizeForm form) {
  const int lo = quantize_as(form, low, quant) - quant.offset(), hi = quantize_as(form, high, quant) - quant.offset();
  // An input range that the clamp lies wholly beside leaves the clamp's nearer end alone.
  const QRange whole = {std::max(range.lo, -quant.offset()), std::min(range.hi, 255 - quant.offset())};
  return {std::clamp(whole.lo, lo, hi), std::clamp(whole.hi, lo, hi)};
}

}  // namespace octet
