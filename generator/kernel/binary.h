// Sums, differences and products of two quantized values, in the form of each runtime (design/numerics.md 2.3). RN32 is
// one binary32 operation rounded to nearest even, rne the nearest integer with ties to even.
#pragma once

#include <cstdint>

#include "generator/graph/profile.h"
#include "generator/kernel/fixed_point.h"
#include "generator/kernel/quant_view.h"

namespace octet {

enum class AddForm : uint8_t {
  fused,         // rne(fma(a, ra, fma(b, rb, kb))): ONNX Runtime's QLinearAdd
  product,       // rne(RN32(RN32(fma(a, ra, ka) + fma(b, rb, kb)) * r_out)): PyTorch
  quotient,      // the same divided by r_out: ONNX Runtime's subtraction of dequantized tensors, then quantize
  shifted_up,    // (a * ma + b * mb) / 2^shift, ties up: XNNPACK
  shifted_away,  // the same, ties away from zero: QNNPACK
  doubling,      // scale_away(x + y, m_out), x = scale_away(a << 20, ma), y alike (or -y): TensorFlow Lite
};
const char* add_form_name(AddForm form);

// The result byte is clamp(formula + offset_out, lo, hi), where a and b are storage bytes minus offset_a and offset_b.
// Fields that a form does not name stay at their defaults.
struct AddFormula {
  AddForm form = AddForm::fused;
  float ra = 0, ka = 0, rb = 0, kb = 0, r_out = 1;
  FixedPoint ma, mb, m_out;  // shifted_*: signed multipliers of at most 22 bits, exponents 0
  int shift = 0;             // shifted_*: 12 to 31
  bool subtracts = false;    // doubling: -y. The other forms have negative factors for b
  int offset_a = 0, offset_b = 0, offset_out = 0;
  int lo = 0, hi = 255;  // storage bytes
  bool operator==(const AddFormula&) const = default;
};

// a + b, or a - b. User error where the runtime itself refuses these scales, or where the profile has no formula.
//   ort: ra = RN32(s_a / s_y), k = RN32(z_y - fma(ra, z_a, RN32(rb * z_b))); 0 of 19.7M differ. Subtraction by
//   `quotient`, d = RN32((q - z) s): 0 of 3.9M.
//   PyTorch: d = fma(s, q, RN32(s * -z)), r_out = RN32(1 / s_y): 0 of 26.2M; qnnpack: factors rne(r * 2^shift),
//   shift = 21 - floor(log2 max r), 0 of 26.2M. It has no quantized difference: float between dequantize and quantize.
//   TensorFlow Lite: ma = s_a / (2 max), m_out = 2 max / (2^20 s_y), max the larger scale, in binary64: 0 of 3.9M;
//   xnn: as qnnpack but shift = 20 - floor(log2 max r): 0 of 3.9M. Scales that XNNPACK does not take
//   (a ratio outside [2^-10, 2^8)) go to the builtin kernels, whose form is `doubling`.
//   tidl: scales are powers of two; the exact sum, rounded once, ties up.
AddFormula add_formula(Profile profile, const QuantView& a, const QuantView& b, const QuantView& out, int lo, int hi);
AddFormula sub_formula(Profile profile, const QuantView& a, const QuantView& b, const QuantView& out, int lo, int hi);
uint8_t add_bytes(uint8_t a, uint8_t b, const AddFormula& formula);
// Whether the result rises, or stays, with each operand that has a positive factor and falls with one that has a
// negative factor: no operand gives an infinity, so none gives a NaN.
bool is_monotonic(const AddFormula& formula);

enum class MulForm : uint8_t {
  real,   // rne(RN32(RN32(f32(a * b) * m) + z)): `z` is the zero point where it is added before rounding, else 0
  fixed,  // scale_away(a * b, fixed): TensorFlow Lite
};

// The result byte is clamp(formula + offset_out, lo, hi), where a and b are storage bytes minus a_zero and b_zero.
struct MulFormula {
  MulForm form = MulForm::real;
  int a_zero = 0, b_zero = 0;  // storage bytes
  float m = 1;
  int z = 0;
  FixedPoint fixed;
  int offset_out = 0;
  int lo = 0, hi = 255;  // storage bytes
  bool operator==(const MulFormula&) const = default;
};

// ort: m = RN32(RN32(s_a * s_b) / s_y), the zero point inside: 0 of 7.9M differ. xnn: the same m, the zero point after
// rounding: 0 of 3.9M; outside of [2^-16, 2^8) the builtin kernels' fixed point. PyTorch: m = RN32(RN32(s_a * s_b) *
// RN32(1 / s_y)): 0 of 13.1M. TensorFlow Lite: fixed_point(f64(RN32(s_a * s_b)) / f64(s_y)): 0 of 3.9M. User error as
// in add_formula.
MulFormula mul_formula(Profile profile, const QuantView& a, const QuantView& b, const QuantView& out, int lo, int hi);
uint8_t mul_bytes(uint8_t a, uint8_t b, const MulFormula& formula);
bool is_monotonic(const MulFormula& formula);  // in each operand, up or down as the other one's sign says

}  // namespace octet
