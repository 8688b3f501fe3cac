// The larger and the smaller of two quantized values, and PReLU: a second operand that acts on one side of zero.
#pragma once

#include <cstdint>

#include "generator/graph/profile.h"
#include "generator/kernel/fixed_point.h"
#include "generator/kernel/quant_view.h"

namespace octet {

enum class PairForm : uint8_t {
  maximum,         // of bytes
  minimum,         // of bytes
  prelu_quotient,  // x = RN32(a * ra), rne(RN32((x >= 0 ? x : RN32(x * RN32(b * rb))) / r_out)): ONNX Runtime between
                   // dequantize and quantize
  prelu_product,   // the same times r_out: PyTorch
  prelu_fixed,     // a >= 0 ? scale_away(a, positive) : scale_away(a * b, negative): TensorFlow Lite, all its kernels
};
const char* pair_form_name(PairForm form);

// The result byte is clamp(formula + offset_out, lo, hi), where a and b are storage bytes minus a_zero and b_zero.
struct PairFormula {
  PairForm form = PairForm::maximum;
  int a_zero = 0, b_zero = 0;
  float ra = 1, rb = 1, r_out = 1;
  FixedPoint positive, negative;
  int offset_out = 0;
  int lo = 0, hi = 255;  // storage bytes
  bool operator==(const PairFormula&) const = default;
};

// Of tensors with equal parameters; user error elsewhere (which is what TensorFlow Lite's converter promises its
// kernels, and what requantize_operands makes of other files).
PairFormula extremum_formula(bool largest, const QuantView& a, const QuantView& b, const QuantView& out, int lo,
                             int hi);
// LiteRT: factors RN32(s_x / s_y) and RN32(RN32(s_x * s_slope) / s_y); 0 of 9k differ. User error where a factor is too
// large for fixed point.
PairFormula prelu_formula(Profile profile, const QuantView& x, const QuantView& slope, const QuantView& out, int lo,
                          int hi);
uint8_t pair_bytes(uint8_t a, uint8_t b, const PairFormula& formula);

}  // namespace octet
