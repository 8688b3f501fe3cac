// Means and sums over pixels, in the form of each runtime (design/numerics.md 2.3).
#pragma once

#include <cstdint>
#include <span>

#include "generator/graph/profile.h"
#include "generator/kernel/fixed_point.h"
#include "generator/kernel/quant_view.h"

namespace octet {

// How quantized values become their mean, or their sum. S is the sum of bytes minus sum_zero.
enum class MeanForm : uint8_t {
  sequential,   // f32 sum of RN32(f32(q - z_x) * s_x) from left to right; RN32(sum / count); RN32(. / s_y);
                // RN32(. + z_y); rne: ONNX Runtime's AveragePool. u8 and s8: 0 of 38,448 differ, 0 of 40,320 with
                // ceil_mode
  vectors,      // the same values summed in the order of ONNX Runtime's ReduceMean, RN32(sum / count), quantize
  reciprocal,   // rne(RN32(f32(S) * RN32(1 / count))): PyTorch's pools of channels-last tensors, 0 of 780k
  scaled,       // rne(RN32(RN32(f32(S) * m) + z)): ONNX Runtime's global average, XNNPACK's mean
  scaled_away,  // round(RN32(RN32(f32(S) * m) + z)), ties away from zero: LiteRT's optimized sum
  fixed_away,   // scale_away(S, fixed): TensorFlow Lite's reference mean
  fixed_up,     // scale_up(S, fixed): its optimized one
  integer,      // S / count, ties away from zero: TensorFlow Lite's average pool, 0 of 75k
};
const char* mean_form_name(MeanForm form);

// The result byte is clamp(formula + offset_out, lo, hi). Fields that a form does not name stay at their defaults.
struct MeanFormula {
  MeanForm form = MeanForm::sequential;
  QuantView src, dst;  // sequential, vectors
  int sum_zero = 0;    // the other forms
  float m = 1, z = 0;
  FixedPoint fixed;
  int offset_out = 0;
  int lo = 0, hi = 255;  // storage bytes
  bool operator==(const MeanFormula&) const = default;
};

// Average over windows. User error where the profile has no formula.
MeanFormula average_formula(Profile profile, const QuantView& src, const QuantView& dst, int lo, int hi);

// Mean of `count` values, as GlobalAveragePool and TensorFlow Lite's MEAN have it (LiteRT 2.3.0: 0 differ).
//   ort: m = RN32(s_x / RN32(s_y * count)): 0 of 160k.
//   xnn: S of q itself; m = RN32(RN32(s_x / s_y) * RN32(1 / count)), z = RN32(f32(z_y) - RN32(f32(count * z_x) * m)).
//   tfl-ref, tflm: M, e = fixed_point(s_x / s_y), l = min(floor(log2(count)), 32, 31 + e): floor(M * 2^l / count) *
//   2^(e - l - 31).
//   tfl-ruy: as tfl-ref, but images_mean_formula where it means whole images.
MeanFormula global_average_formula(Profile profile, const QuantView& src, const QuantView& dst, int count, int lo,
                                   int hi);
// Sum of `count` values: TensorFlow Lite's SUM, whose kernels differ from its MEAN's only in what they multiply with.
//   xnn: m = RN32(s_x / s_y), the rest as in its mean. tfl-ref for u8, tflm: fixed_point(f64(s_x) / f64(s_y)). LiteRT
//   2.3.0: 0 of 810 differ each. tfl-ruy: S of q itself, m = RN32(s_x / s_y), z = RN32(RN32(-z_x * m) * count): 0 of
//   1620. User error for tfl-ref's s8 (it reads the bytes as u8).
MeanFormula sum_formula(Profile profile, const QuantView& src, const QuantView& dst, int count, int lo, int hi);

// ONNX's ReduceMean over height and width: ort alone tells it from GlobalAveragePool.
MeanFormula reduce_mean_formula(Profile profile, const QuantView& src, const QuantView& dst, int count, int lo, int hi);
// tfl-ruy's mean over height and width that keeps the dimensions: S of q itself, fixed_point(f64(RN32(s_x / RN32(count
// * s_y)))), ties up in the channels below 16 * floor(channels / 16) (`vectors`), away from zero in the others; then
// z_y - trunc(t), t = RN32(RN32(f32(z_x) * s_x) / s_y) + 0.5 with the sign of t.
MeanFormula images_mean_formula(bool vectors, const QuantView& src, const QuantView& dst, int count, int lo, int hi);

// The mean of one channel's bytes in row-major order, `count` of them counting. `row`, which `vectors` alone needs, is
// the channel counted over the batch.
uint8_t mean_bytes(std::span<const uint8_t> taps, int count, int64_t row, const MeanFormula& formula);

}  // namespace octet
