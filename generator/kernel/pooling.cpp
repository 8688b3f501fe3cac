#include "generator/kernel/pooling.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "generator/kernel/requant.h"
#include "runtime/status.h"

namespace octet {
namespace {

// Sum of the dequantized values in the order of 16-byte vectors whose loads start at aligned addresses of the dense n,
// c, h, w tensor: first the whole vectors, two interleaved sums of four lanes; lanes (0 + 2) + (1 + 3); then the
// elements before the first vector, then those after the last. So ORT sums, by Eigen: 0 of 16,800 f32 sums differ from
// ORT 1.31 over lengths 1..784.
float sum_by_vectors(std::span<const uint8_t> taps, int64_t row, const QuantView& src) {
  const auto count = static_cast<int64_t>(taps.size());
  const auto value = [&](int64_t i) { return dequantize(taps[static_cast<size_t>(i)], src); };
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
  return sum;
}

// round(sum / count), ties away from zero.
int32_t divide_away(int32_t sum, int32_t count) {
  const int32_t half = count / 2;
  return sum < 0 ? -((-sum + half) / count) : (sum + half) / count;
}

void want_equal_parameters(const char* what, const QuantView& src, const QuantView& dst) {
  if (src.scale != dst.scale || src.zero_point != dst.zero_point)
    user_error(
        fmt::format("source and result have different parameters, scales {} and {}, zero points {} and {}; {} "
                    "supports equal ones",
                    src.scale, dst.scale, src.zero_point, dst.zero_point, what));
}

}  // namespace

const char* mean_form_name(MeanForm form) {
  static const char* const names[] = {"sequential",  "vectors",    "reciprocal", "scaled",
                                      "scaled_away", "fixed_away", "fixed_up",   "integer"};
  return names[static_cast<size_t>(form)];
}

MeanFormula average_formula(Profile profile, const QuantView& src, const QuantView& dst, int lo, int hi) {
  MeanFormula f{.src = src, .dst = dst, .offset_out = dst.offset(), .lo = lo, .hi = hi};
  if (profile == Profile::ort) return f;
  f.src = f.dst = {};
  if (is_tflite(profile)) {  // the zero point stays in
    want_equal_parameters("TensorFlow Lite's average pool", src, dst);
    f.form = MeanForm::integer;
    f.sum_zero = src.offset();
    return f;
  }
  if (is_torch(profile)) {
    want_equal_parameters("PyTorch's average pool", src, dst);
    f.form = MeanForm::reciprocal;
    f.sum_zero = src.zero();
    f.offset_out = dst.zero();
    return f;
  }
  user_error("profile tidl has no average pool; supported is every other profile");
}

MeanFormula global_average_formula(Profile profile, const QuantView& src, const QuantView& dst, int count, int lo,
                                   int hi) {
  MeanFormula f{.form = MeanForm::scaled, .sum_zero = src.zero(), .offset_out = dst.zero(), .lo = lo, .hi = hi};
  const float ratio = src.scale / dst.scale;
  switch (profile) {
    case Profile::ort: {
      const float divisor = dst.scale * static_cast<float>(count);
      f.m = src.scale / divisor;
      return f;
    }
    case Profile::xnn: {
      f.sum_zero = src.offset();
      f.offset_out = dst.offset();
      const float share = 1.0f / static_cast<float>(count);
      f.m = ratio * share;
      const float zeros = static_cast<float>(count * src.zero_point) * f.m;
      f.z = static_cast<float>(dst.zero_point) - zeros;
      return f;
    }
    case Profile::tfl_ref:
    case Profile::tflm:
    case Profile::tfl_ruy: {
      if (!(ratio < 0x1p20f))
        user_error(fmt::format("the scales' ratio is {}; supported are ratios below 2^20", ratio));
      const FixedPoint whole = fixed_point(static_cast<double>(src.scale) / static_cast<double>(dst.scale));
      const int shift = std::min(std::ilogb(count), 31 + whole.exponent);
      f.form = MeanForm::fixed_away;
      f.fixed.multiplier = static_cast<int32_t>((static_cast<int64_t>(whole.multiplier) << shift) / count);
      f.fixed.exponent = whole.exponent - shift;
      return f;
    }
    default: return average_formula(profile, src, dst, lo, hi);
  }
}

MeanFormula sum_formula(Profile profile, const QuantView& src, const QuantView& dst, int count, int lo, int hi) {
  MeanFormula f = global_average_formula(profile, src, dst, 1, lo, hi);
  if (profile == Profile::xnn) {
    const float zeros = static_cast<float>(count * src.zero_point) * f.m;
    f.z = static_cast<float>(dst.zero_point) - zeros;
    return f;
  }
  if (profile == Profile::tfl_ruy) {
    const float m = src.scale / dst.scale, zero = static_cast<float>(-src.zero_point) * m;
    return {.form = MeanForm::scaled_away,
            .sum_zero = src.offset(),
            .m = m,
            .z = zero * static_cast<float>(count),
            .offset_out = dst.zero(),
            .lo = lo,
            .hi = hi};
  }
  if (profile == Profile::tflm || (profile == Profile::tfl_ref && !src.is_signed)) return f;
  user_error(fmt::format("profile {} has no sum of {} tensors; supported are xnn, tflm, tfl-ruy, and tfl-ref for u8",
                         profile_name(profile), src.is_signed ? "s8" : "u8"));
}

MeanFormula reduce_mean_formula(Profile profile, const QuantView& src, const QuantView& dst, int count, int lo,
                                int hi) {
  if (profile != Profile::ort) return global_average_formula(profile, src, dst, count, lo, hi);
  return {.form = MeanForm::vectors, .src = src, .dst = dst, .offset_out = dst.zero(), .lo = lo, .hi = hi};
}

MeanFormula images_mean_formula(bool vectors, const QuantView& src, const QuantView& dst, int count, int lo, int hi) {
  const float divisor = static_cast<float>(count) * dst.scale,
              real_zero = static_cast<float>(src.zero_point) * src.scale;
  const float zero = real_zero / dst.scale;
  if (!(src.scale / dst.scale < 0x1p20f))
    user_error(fmt::format("the scales' ratio is {}; supported are ratios below 2^20", src.scale / dst.scale));
  const float rounded = zero > 0 ? zero + 0.5f : zero - 0.5f;
  return {.form = vectors ? MeanForm::fixed_up : MeanForm::fixed_away,
          .sum_zero = src.offset(),
          .fixed = fixed_point(static_cast<double>(src.scale / divisor)),
          .offset_out = dst.zero() - static_cast<int>(rounded),
          .lo = lo,
          .hi = hi};
}

uint8_t mean_bytes(std::span<const uint8_t> taps, int count, int64_t row, const MeanFormula& f) {
  const auto divisor = static_cast<float>(std::max(1, count));
  const int offset = f.offset_out;
  const auto byte = [&](int32_t rounded) {
    return static_cast<uint8_t>(std::clamp(rounded, f.lo - offset, f.hi - offset) + offset);
  };
  int32_t sum = 0;
  for (const uint8_t tap : taps) sum += tap - f.sum_zero;
  switch (f.form) {
    case MeanForm::sequential: {
      float real = 0;
      for (const uint8_t tap : taps) real += dequantize(tap, f.src);
      const float mean = real / divisor;
      const float scaled = mean / f.dst.scale;
      return round_to_byte(scaled + static_cast<float>(f.dst.zero_point), offset, f.lo, f.hi);
    }
    case MeanForm::vectors: return quantize(sum_by_vectors(taps, row, f.src) / divisor, f.dst, f.lo, f.hi);
    case MeanForm::reciprocal: {
      const float m = 1.0f / divisor;
      return round_to_byte(static_cast<float>(sum) * m, offset, f.lo, f.hi);
    }
    case MeanForm::scaled: {
      const float scaled = static_cast<float>(sum) * f.m;
      return round_to_byte(scaled + f.z, offset, f.lo, f.hi);
    }
    case MeanForm::scaled_away: {
      const float scaled = static_cast<float>(sum) * f.m;
      const float moved = scaled + f.z;
      return byte(static_cast<int32_t>(std::round(std::clamp(moved, -1024.0f, 1024.0f))));
    }
    case MeanForm::fixed_away: return byte(scale_away(sum, f.fixed));
    case MeanForm::fixed_up: return byte(scale_up(sum, f.fixed));
    case MeanForm::integer: return byte(divide_away(sum, std::max(1, count)));
  }
  internal_error("a mean without a form");
}

}  // namespace octet
