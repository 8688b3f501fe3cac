#include "generator/kernel/softmax.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>

#include "generator/kernel/fixed_point.h"
#include "generator/kernel/lut.h"
#include "runtime/status.h"

namespace octet {
namespace {

using octet_math::shift_away, octet_math::srdhm;

constexpr int64_t kLongestFixedRow = 4095;

// ---- gemmlowp's exponential (its exp_on_negative_values) ------------------------------------------------------------

// exp of a Q0.31 in [-1/4, 0): exp(-1/8) times a polynomial of degree 4 around -1/8.
int32_t exp_near_zero(int32_t a) {
  constexpr int32_t kExpOfMinusEighth = 1895147668, kThird = 715827883;
  const int32_t x = a + (1 << 28), x2 = srdhm(x, x), x3 = srdhm(x2, x), x4 = srdhm(x2, x2);
  const int32_t tail = shift_away(int64_t{srdhm(shift_away(x4, 2) + x3, kThird)} + x2, 1);
  return kExpOfMinusEighth + srdhm(kExpOfMinusEighth, x + tail);
}

// exp of a Q5.26 <= 0 as a Q0.31.
int32_t exp_of_negative(int32_t a) {
  if (a == 0) return std::numeric_limits<int32_t>::max();
  constexpr int32_t kQuarter = 1 << 24;
  const int32_t part = (a & (kQuarter - 1)) - kQuarter;  // in [-1/4, 0)
  int32_t result = exp_near_zero(part * (1 << 5));
  // exp(-2^k) for the quarters that are left.
  static constexpr int32_t kPowers[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
  const int32_t rest = part - a;
  for (int k = 0; k < 7; ++k)
    if (rest & (1 << (24 + k))) result = srdhm(result, kPowers[k]);
  return result;
}

// The factor from distances to Q5.26, and the distance below which an exponential is 0.
struct Distances {
  FixedPoint factor;
  int32_t least = 0;

  explicit Distances(double scale) {
    factor = fixed_point(std::min(scale * 0x1p26, 0x1p31 - 1.0));  // above 1: softmax_form
    least = -static_cast<int32_t>(std::floor(31.0 * 0x1p26 / std::ldexp(1.0, factor.exponent)));
  }
  bool counts(int d) const { return -d >= least; }
  int32_t scaled(int d) const {  // -d as Q5.26
    return srdhm(static_cast<int32_t>(-(int64_t{d} << factor.exponent)), factor.multiplier);
  }
};

double scaled(const QuantView& src, float beta) {
  return static_cast<double>(beta) * static_cast<double>(src.scale);
}

template <class T>
std::vector<std::byte> bytes_of(const std::vector<T>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

std::vector<std::byte> fixed_tables(double scale) {
  const Distances distances(scale);
  std::vector<int32_t> tables(3 * 256, 0);
  for (int d = 0; d < 256; ++d) {
    if (!distances.counts(d)) continue;
    const auto i = static_cast<size_t>(d);
    tables[i] = exp_of_negative(distances.scaled(d));
    tables[256 + i] = shift_away(tables[i], 12);
    tables[512 + i] = distances.scaled(d);
  }
  return bytes_of(tables);
}

// ---- the others -----------------------------------------------------------------------------------------------------

// With expf as the host has it, whose last bit LiteRT's bytes depend on.
std::vector<std::byte> reciprocal_table(float scale) {
  std::vector<float> table;
  for (int d = 0; d < 256; ++d) table.push_back(std::exp(-scale * static_cast<float>(d)));
  return bytes_of(table);
}

std::vector<std::byte> exact_table(const QuantView& src, int64_t length) {
  const int bits = std::min(24, 31 - static_cast<int>(std::ceil(std::log2(static_cast<double>(length)))));
  std::vector<uint32_t> table;
  for (int d = 0; d < 256; ++d)
    table.push_back(
        static_cast<uint32_t>(std::nearbyint(std::ldexp(std::exp(-d * static_cast<double>(src.scale)), bits))));
  return bytes_of(table);
}

void want_result(const QuantView& dst, float scale, int zero) {
  if (dst.scale != scale || dst.zero() != zero)
    user_error(fmt::format("its result has scale {} and zero point {}; TensorFlow Lite supports {} and {}", dst.scale,
                           dst.zero_point, scale, zero - dst.offset()));
}

}  // namespace

const char* softmax_form_name(SoftmaxForm form) {
  static const char* const names[] = {"f32", "quotient", "reciprocal", "fixed", "exact", "log_real", "log_fixed"};
  return names[static_cast<size_t>(form)];
}

SoftmaxForm softmax_form(Profile profile, bool is_log, int64_t length, const QuantView& src, const QuantView& dst,
                         float beta) {
  if (is_tflite(profile)) {
    want_result(dst, is_log ? 16.0f / 256 : 1.0f / 256, is_log ? 255 : 0);
    if (profile == Profile::xnn || profile == Profile::tfl_ruy)
      return is_log ? SoftmaxForm::log_real : SoftmaxForm::reciprocal;
    if (length > kLongestFixedRow)
      user_error(fmt::format("rows of {} values; profile {} supports {}, whose sum surely fits", length,
                             profile_name(profile), kLongestFixedRow));
    if (const double scale = scaled(src, beta); !(scale > 0x1p-26))
      user_error(
          fmt::format("an input of scale {}; profile {} supports scales above 2^-26", scale, profile_name(profile)));
    return is_log ? SoftmaxForm::log_fixed : SoftmaxForm::fixed;
  }
  if (is_log)
    user_error(fmt::format("profile {} has no quantized log softmax; supported are xnn, tfl-ref, tflm and tfl-ruy",
                           profile_name(profile)));
  if (profile == Profile::ort) return SoftmaxForm::quotient;
  if (is_torch(profile)) return SoftmaxForm::exact;
  user_error("profile tidl has no softmax; supported is every other profile");
}

std::vector<std::byte> softmax_tables(SoftmaxForm form, const QuantView& src, int64_t length, float beta) {
  switch (form) {
    case SoftmaxForm::quotient: return bytes_of(softmax_table(src.scale, length));
    case SoftmaxForm::reciprocal:
    case SoftmaxForm::log_real: return reciprocal_table(src.scale * beta);
    case SoftmaxForm::fixed:
    case SoftmaxForm::log_fixed: return fixed_tables(scaled(src, beta));
    case SoftmaxForm::exact: return exact_table(src, length);
  }
  internal_error("a softmax without a form");
}

LogSoftmaxLimits log_softmax_limits(const QuantView& src) {
  const Distances distances(scaled(src, 1));
  const FixedPoint back =
      fixed_point(std::ldexp(1.0, 31 - distances.factor.exponent) / static_cast<double>(distances.factor.multiplier));
  return {distances.least, back.multiplier, back.exponent};
}

}  // namespace octet
