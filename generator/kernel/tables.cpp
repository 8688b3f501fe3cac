#include "generator/kernel/tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "generator/kernel/fixed_point.h"
#include "generator/kernel/requant.h"
#include "runtime/status.h"

namespace octet {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// value(q) for every q of the source's type, clamped: how far the result lies above its storage byte's zero.
template <class Value>
Lut tabulated(const QuantView& src, int offset, int lo, int hi, Value value) {
  Lut table{};
  for (int byte = 0; byte < 256; ++byte)
    table[static_cast<size_t>(byte)] =
        static_cast<uint8_t>(std::clamp<int64_t>(value(byte - src.offset()) + offset, lo, hi));
  return table;
}

double round_away(float x) {
  return std::round(static_cast<double>(x));
}

int64_t saturated(double x) {
  return static_cast<int64_t>(std::clamp(x, -1e9, 1e9));
}

float product_dequantized(int q, const QuantView& v) {
  return static_cast<float>(q - v.zero_point) * v.scale;
}

float torch_dequantized(int q, const QuantView& v) {
  const float bias = v.scale * static_cast<float>(-v.zero_point);
  return octet_math::fma_once(v.scale, static_cast<float>(q), bias);
}

// rne(RN32(x * RN32(1 / s))); NaN gives the lowest, as in quantize.
uint8_t torch_quantized(float x, const QuantView& v, int lo, int hi) {
  const float inverse = 1.0f / v.scale;
  return round_to_byte(x * inverse, v.zero(), lo, hi);
}

// ---- TensorFlow Lite ------------------------------------------------------------------------------------------------

[[noreturn]] void no_function(Profile profile, Unary function) {
  user_error(
      fmt::format("profile {} has no quantized {}; supported are relu, clip, sigmoid, tanh, elu, gelu, exp, "
                  "leaky_relu and hard_swish",
                  profile_name(profile), unary_name(function)));
}

float tflite_value(Unary function, float alpha, float x) {
  if (function != Unary::sigmoid) return unary_value(function, alpha, 0, x);
  const auto e = static_cast<float>(std::exp(-static_cast<double>(x)));
  return 1.0f / (1.0f + e);
}

Lut tflite_real_table(Profile profile, Unary function, float alpha, const QuantView& src, const QuantView& dst, int lo,
                      int hi) {
  const float inverse = 1.0f / dst.scale;
  const bool xnnpack =
      profile == Profile::xnn && (function == Unary::sigmoid || function == Unary::tanh || function == Unary::elu);
  if (xnnpack)
    return tabulated(src, dst.offset(), lo, hi, [&](int q) {
      const float scaled = tflite_value(function, alpha, product_dequantized(q, src)) * inverse;
      return saturated(std::nearbyint(scaled + static_cast<float>(dst.zero_point)));
    });
  return tabulated(src, dst.zero(), lo, hi, [&](int q) {
    return saturated(round_away(tflite_value(function, alpha, product_dequantized(q, src)) * inverse));
  });
}

// scale_away(q - z, ratio), where the left shift of a ratio above 1 cannot overflow.
FixedPoint ratio_of(double ratio) {
  if (!(ratio < 0x1p22)) user_error(fmt::format("the scales' ratio is {}; supported are ratios below 2^22", ratio));
  return fixed_point(ratio);
}

Lut tflite_clamp_table(Profile profile, float low, float high, const QuantView& src, const QuantView& dst, int lo,
                       int hi) {
  const auto bound = [](float real, const QuantView& v) { return v.zero() + saturated(round_away(real / v.scale)); };
  if (profile == Profile::tflm && low == 0 && high == 6) {
    const auto most = static_cast<int>(std::min<int64_t>(255, bound(6, src)));
    return tabulated(src, dst.offset(), lo, hi,
                     [&](int q) { return std::clamp<int64_t>(q, src.zero_point, most - src.offset()); });
  }
  const FixedPoint m = ratio_of(static_cast<double>(src.scale / dst.scale));
  const auto least = std::max<int64_t>(lo, low == -kInfinity ? lo : bound(low, dst));
  const auto most = std::min<int64_t>(hi, high == kInfinity ? hi : bound(high, dst));
  return tabulated(src, 0, static_cast<int>(least), static_cast<int>(most),
                   [&](int q) { return int64_t{scale_away(q - src.zero_point, m)} + dst.zero(); });
}

// XNNPACK's products of differences by factors of 1/256.
int64_t eighth_bits(int v, float ratio) {
  return (v * int64_t{round_to_int(static_cast<double>(256.0f * ratio))} + 128) >> 8;
}

bool xnnpack_takes(float ratio) {
  return ratio >= 0x1p-8f && ratio <= 0x1p7f;
}

Lut leaky_relu_table(Profile profile, float alpha, const QuantView& src, const QuantView& dst, int lo, int hi) {
  const float ratio = src.scale / dst.scale, negative = ratio * alpha;
  if (profile == Profile::xnn && xnnpack_takes(ratio) && std::abs(negative) >= 0x1p-8f && negative >= -127.99609375f &&
      negative <= 0x1p7f)
    return tabulated(src, dst.zero(), lo, hi, [&](int q) {
      const int v = q - src.zero_point;
      return eighth_bits(v, v >= 0 ? ratio : negative);
    });
  const float scaled = src.scale * alpha;
  double positive_factor = static_cast<double>(ratio), negative_factor = static_cast<double>(scaled / dst.scale);
  if (profile == Profile::tflm) {
    positive_factor = static_cast<double>(src.scale) / static_cast<double>(dst.scale);
    negative_factor = static_cast<double>(src.scale) * static_cast<double>(alpha) / static_cast<double>(dst.scale);
  }
  const FixedPoint m = ratio_of(positive_factor), n = ratio_of(std::abs(negative_factor));
  return tabulated(src, dst.zero(), lo, hi, [&](int q) -> int64_t {
    const int v = q - src.zero_point;
    if (v >= 0) return scale_away(v, m);
    return negative_factor < 0 ? -scale_away(v, n) : scale_away(v, n);
  });
}

// ---- TensorFlow Lite's hard swish: x * relu6(x + 3) / 6 in 16 bits, x with seven more fraction bits

struct Short {  // multiplier * 2^(exponent - 15)
  int32_t multiplier;
  int exponent;
};

Short short_factor(double real) {
  const FixedPoint m = fixed_point(real);
  constexpr int32_t kMost = std::numeric_limits<int32_t>::max() - (1 << 15);
  return {(std::min(m.multiplier, kMost) + (1 << 15)) >> 16, m.exponent};
}

int32_t sat16(int64_t x) {
  return static_cast<int32_t>(std::clamp<int64_t>(x, -32768, 32767));
}

// Twice the product's high half, rounded: ties up.
int32_t doubled_high(int32_t a, int32_t b) {
  return sat16((int64_t{a} * b + (1 << 14)) >> 15);
}

Lut hard_swish_table(const QuantView& src, const QuantView& dst, int lo, int hi) {
  const float fine = src.scale * (1.0f / 128.0f);
  const Short to_dst = short_factor(static_cast<double>(fine / dst.scale));
  if (to_dst.exponent > 0)
    user_error(
        fmt::format("the source's scale {} is more than 128 times the result's {}; TensorFlow Lite supports less",
                    src.scale, dst.scale));
  const float reluish_scale = 3.0f / 32768.0f;
  const Short to_gate = short_factor(static_cast<double>(fine / reluish_scale));
  return tabulated(src, dst.zero(), lo, hi, [&](int q) -> int64_t {
    const int32_t x = (q - src.zero_point) * 128;
    int32_t gate = x;  // x / 3 as a fraction of 15 bits, saturating
    if (to_gate.exponent > 0) gate = sat16(int64_t{gate} << (to_gate.exponent - 1));
    gate = doubled_high(gate, to_gate.multiplier);
    if (to_gate.exponent > 0) gate = sat16(int64_t{gate} << 1);
    if (to_gate.exponent < 0) gate = octet_math::shift_away(gate, -to_gate.exponent);
    gate = (gate + (1 << 15)) >> 1;  // from [-1, 1] to [0, 1]
    const int64_t product = int64_t{gate} * doubled_high(x, to_dst.multiplier);
    const auto truncated = static_cast<int32_t>(product / (1 << 15));
    return octet_math::shift_away(truncated, -to_dst.exponent);
  });
}

Lut tflite_table(Profile profile, Unary function, float alpha, float beta, const QuantView& src, const QuantView& dst,
                 int lo, int hi) {
  switch (function) {
    case Unary::relu: return tflite_clamp_table(profile, 0, kInfinity, src, dst, lo, hi);
    case Unary::clip: return tflite_clamp_table(profile, alpha, beta, src, dst, lo, hi);
    case Unary::leaky_relu: return leaky_relu_table(profile, alpha, src, dst, lo, hi);
    case Unary::hard_swish: return hard_swish_table(src, dst, lo, hi);
    case Unary::sigmoid:
    case Unary::tanh:
    case Unary::elu:
    case Unary::gelu:
    case Unary::exp: return tflite_real_table(profile, function, alpha, src, dst, lo, hi);
    default: no_function(profile, function);
  }
}

// ---- the others -----------------------------------------------------------------------------------------------------

Lut torch_table(Unary function, float alpha, float beta, const QuantView& src, const QuantView& dst, int lo, int hi) {
  Lut table{};
  for (int byte = 0; byte < 256; ++byte) {
    const float d = torch_dequantized(byte - src.offset(), src);
    table[static_cast<size_t>(byte)] = torch_quantized(unary_value(function, alpha, beta, d), dst, lo, hi);
  }
  return table;
}

// floor(x / s + 1/2).
Lut tidl_table(Unary function, float alpha, float beta, const QuantView& src, const QuantView& dst, int lo, int hi) {
  return tabulated(src, dst.zero(), lo, hi, [&](int q) {
    const float x = unary_value(function, alpha, beta, product_dequantized(q, src)) / dst.scale;
    return std::isnan(x) ? -saturated(kInfinity) : saturated(std::floor(static_cast<double>(x) + 0.5));
  });
}

template <class Scale>
Lut scaled_table(const QuantView& src, const QuantView& dst, int lo, int hi, Scale scale) {
  const FixedPoint m = ratio_of(static_cast<double>(src.scale) / static_cast<double>(dst.scale));
  return tabulated(src, dst.zero(), lo, hi, [&](int q) { return int64_t{scale(q - src.zero_point, m)}; });
}

bool has_eighth_bits(Profile profile, const QuantView& src, const QuantView& dst) {
  return profile == Profile::xnn && src.is_signed == dst.is_signed && xnnpack_takes(src.scale / dst.scale);
}

}  // namespace

Lut function_table(Profile profile, Unary function, float alpha, float beta, const QuantView& src, const QuantView& dst,
                   int lo, int hi) {
  if (is_tflite(profile)) return tflite_table(profile, function, alpha, beta, src, dst, lo, hi);
  if (is_torch(profile)) return torch_table(function, alpha, beta, src, dst, lo, hi);
  if (profile == Profile::tidl) return tidl_table(function, alpha, beta, src, dst, lo, hi);
  return unary_table(function, alpha, beta, src, dst, lo, hi);
}

Lut requantize_table(Profile profile, const QuantView& src, const QuantView& dst, int lo, int hi) {
  if (src == dst) return tabulated(src, src.offset(), lo, hi, [](int q) { return int64_t{q}; });
  if (has_eighth_bits(profile, src, dst))
    return tabulated(src, dst.zero(), lo, hi,
                     [&](int q) { return eighth_bits(q - src.zero_point, src.scale / dst.scale); });
  switch (profile) {
    case Profile::ort: return requantize_table(src, dst, lo, hi);
    case Profile::tfl_ref:
    case Profile::tflm: return scaled_table(src, dst, lo, hi, scale_away);
    case Profile::xnn:
    case Profile::tfl_ruy: return scaled_table(src, dst, lo, hi, scale_up);
    case Profile::tidl: return tidl_table(Unary::clip, -kInfinity, kInfinity, src, dst, lo, hi);
    default: break;
  }
  Lut table{};
  for (int byte = 0; byte < 256; ++byte)
    table[static_cast<size_t>(byte)] = torch_quantized(product_dequantized(byte - src.offset(), src), dst, lo, hi);
  return table;
}

bool differs_at_ties(Profile profile, const QuantView& src, const QuantView& dst) {
  if ((profile != Profile::xnn && profile != Profile::tfl_ruy) || src == dst || has_eighth_bits(profile, src, dst))
    return false;
  return scaled_table(src, dst, 0, 255, scale_up) != scaled_table(src, dst, 0, 255, scale_away);
}

Lut concat_table(Profile profile, const QuantView& src, const QuantView& dst) {
  if (src == dst || profile == Profile::ort || profile == Profile::tidl) return requantize_table(profile, src, dst);
  if (is_torch(profile)) return torch_table(Unary::clip, -kInfinity, kInfinity, src, dst, 0, 255);
  const float inverse = 1.0f / dst.scale, r = src.scale * inverse;
  const float bias = static_cast<float>(-src.zero_point) * r;
  return tabulated(src, dst.zero(), 0, 255, [&](int q) {
    const float scaled = static_cast<float>(q) * r;
    return saturated(round_away(scaled + bias));
  });
}

}  // namespace octet
