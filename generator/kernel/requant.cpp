#include "generator/kernel/requant.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/status.h"
#include "templates/exact_math.h"

namespace octet {
namespace {

// max(lo, min(hi, v)) as the vector ops order it: NaN becomes lo.
float clamp_f32(float v, float lo, float hi) {
  const float above = v > lo ? v : lo;
  return above < hi ? above : hi;
}

}  // namespace

int32_t round_to_int(double x) {
  return octet_math::round_even(x);
}

namespace {

uint8_t clamp_byte(int64_t q, const Requant& r) {
  return static_cast<uint8_t>(std::clamp<int64_t>(q + r.zero, r.lo, r.hi));
}

// rne(v) + zero, clamped; v before its clamp may be infinite.
uint8_t round_byte(float v, const Requant& r, int zero) {
  const float clamped = clamp_f32(v, static_cast<float>(r.lo - zero), static_cast<float>(r.hi - zero));
  return static_cast<uint8_t>(round_to_int(clamped) + zero);
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
    case RequantForm::scaled: return round_byte(x * c.m, r, r.zero);
    case RequantForm::biased: return round_byte(octet_math::fma_once(c.b, r.factor, x) * c.m, r, r.zero);
    case RequantForm::affine: return round_byte(affine_value(x, c, r), r, r.offset);
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
  const int zero = quant.zero();
  const float v = clamp_f32(x / quant.scale, static_cast<float>(lo - zero), static_cast<float>(hi - zero));
  return static_cast<uint8_t>(round_to_int(v) + zero);
}

float dequantize(uint8_t byte, const QuantView& quant) {
  return static_cast<float>(byte - quant.zero()) * quant.scale;
}

AddFormula add_formula(Profile, const QuantView& a, const QuantView& b, const QuantView& out, int lo, int hi) {
  AddFormula f;
  f.ra = a.scale / out.scale;
  f.rb = b.scale / out.scale;
  const float b_part = f.rb * static_cast<float>(b.zero_point);
  f.k = static_cast<float>(out.zero_point) - octet_math::fma_once(f.ra, static_cast<float>(a.zero_point), b_part);
  f.offset_a = a.offset();
  f.offset_b = b.offset();
  f.offset_out = out.offset();
  f.lo = lo;
  f.hi = hi;
  return f;
}

uint8_t add_bytes(uint8_t a, uint8_t b, const AddFormula& f) {
  const float qa = static_cast<float>(a - f.offset_a), qb = static_cast<float>(b - f.offset_b);
  const float v = octet_math::fma_once(qa, f.ra, octet_math::fma_once(qb, f.rb, f.k));
  const float clamped = clamp_f32(v, static_cast<float>(f.lo - f.offset_out), static_cast<float>(f.hi - f.offset_out));
  return static_cast<uint8_t>(round_to_int(clamped) + f.offset_out);
}

float mul_multiplier(Profile, const QuantView& a, const QuantView& b, const QuantView& out) {
  const float product = a.scale * b.scale;
  return product / out.scale;
}

uint8_t mul_bytes(uint8_t a, uint8_t b, const MulSpec& s) {
  const float scaled = static_cast<float>((a - s.a_zero) * (b - s.b_zero)) * s.m;
  const float v = scaled + static_cast<float>(s.out_zero_point);  // before rounding: ties depend on it
  const float clamped = clamp_f32(v, static_cast<float>(s.lo - s.out_offset), static_cast<float>(s.hi - s.out_offset));
  return static_cast<uint8_t>(round_to_int(clamped) + s.out_offset);
}

uint8_t average_bytes(std::span<const uint8_t> taps, int count, const PoolSpec& s) {
  float sum = 0;
  for (uint8_t tap : taps) sum += dequantize(tap, s.src);
  const float mean = sum / static_cast<float>(std::max(1, count));
  const float scaled = mean / s.dst.scale;
  const float v = scaled + static_cast<float>(s.dst.zero_point);  // before rounding: ties depend on it
  const int offset = s.dst.offset();
  const float clamped = clamp_f32(v, static_cast<float>(s.lo - offset), static_cast<float>(s.hi - offset));
  return static_cast<uint8_t>(round_to_int(clamped) + offset);
}

float global_average_multiplier(Profile, const QuantView& src, const QuantView& dst, int count) {
  const float divisor = dst.scale * static_cast<float>(count);
  return src.scale / divisor;
}

uint8_t global_average_bytes(std::span<const uint8_t> taps, const PoolSpec& s) {
  int32_t sum = 0;
  for (uint8_t tap : taps) sum += tap - s.src.zero();
  const float m = global_average_multiplier(s.profile, s.src, s.dst, static_cast<int>(taps.size()));
  return requantize(sum, {.m = m}, {.zero = s.dst.zero(), .lo = s.lo, .hi = s.hi, .wide = true});
}

uint8_t mean_bytes(std::span<const uint8_t> taps, int64_t row, const PoolSpec& s) {
  const auto count = static_cast<int64_t>(taps.size());
  const auto value = [&](int64_t i) { return dequantize(taps[static_cast<size_t>(i)], s.src); };
  const int64_t first = std::min((4 - row * count % 4) % 4, count);  // of the vectors
  const int64_t vectors = (count - first) / 4, last = first + 4 * vectors;
  float sum = 0;  // adding to zero is exact
  if (vectors > 0) {
    float part[2][4] = {};  // even and odd vectors; an odd one out at the end joins after the two are added
    const int64_t paired = vectors == 1 ? 1 : vectors / 2 * 2;
    for (int64_t i = 0; i < 4 * paired; ++i) part[i / 4 % 2][i % 4] += value(first + i);
    for (int64_t lane = 0; lane < 4; ++lane) {
      part[0][lane] += part[1][lane];
      if (paired < vectors) part[0][lane] += value(last - 4 + lane);
    }
    sum = (part[0][0] + part[0][2]) + (part[0][1] + part[0][3]);
  }
  for (int64_t i = 0; i < first; ++i) sum += value(i);
  for (int64_t i = last; i < count; ++i) sum += value(i);
  return quantize(sum / static_cast<float>(count), s.dst, s.lo, s.hi);
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

QRange clamp_range(float low, float high, const QuantView& quant, const QRange& range) {
  const int lo = quantize(low, quant) - quant.offset(), hi = quantize(high, quant) - quant.offset();
  // An input range that the clamp lies wholly beside leaves the clamp's nearer end alone.
  const QRange whole = {std::max(range.lo, -quant.offset()), std::min(range.hi, 255 - quant.offset())};
  return {std::clamp(whole.lo, lo, hi), std::clamp(whole.hi, lo, hi)};
}

}  // namespace octet
