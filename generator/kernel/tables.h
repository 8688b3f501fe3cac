// Functions of one quantized tensor as tables of 256 bytes, as each runtime computes them. What ONNX Runtime does
// stands in lut.h; "LiteRT" below is 2.3.0, all its kernel sets and tflite-micro: 0 bytes differ in some 10^5 per
// function (the oracle tests).
#pragma once

#include "generator/graph/graph.h"
#include "generator/kernel/lut.h"

namespace octet {

// A real function of one tensor. User error where the profile has none.
//   ort: lut.h. tidl: the same, rounded floor(x / s_y + 1/2) + z.
//   PyTorch: d = fma(s, q, RN32(s * -z)), f in binary64 rounded once (clamps, leaky_relu and the hard functions as in
//   lut.h), rne(RN32(f * RN32(1 / s_y))) + z: 0 of 150k each.
//   LiteRT sigmoid, tanh, elu, gelu, exp: d = RN32(s * (q - z)), f in binary64 rounded once, the sigmoid as RN32(1 /
//   RN32(1 + RN32(exp(-d)))); ties away from zero of RN32(f * RN32(1 / s_y)), + z. Under xnn, whose XNNPACK takes
//   sigmoid, tanh and elu: rne(RN32(RN32(f * RN32(1 / s_y)) + z)). LiteRT relu, clip: scale_away(q - z, s_x / s_y) +
//   z_y, then the clamp; tflm's relu6 leaves bytes and clamps them by the source's parameters. LiteRT leaky_relu:
//   scale_away by s_x / s_y or by s_x * alpha / s_y; XNNPACK by eight-bit factors (see requantize_table) where 2^-8 <=
//   s_x / s_y <= 2^7, 2^-8 <= |alpha * s_x / s_y|, -127.996 <= alpha * s_x / s_y <= 128. LiteRT hard_swish: 16-bit
//   fixed point.
Lut function_table(Profile profile, Unary function, float alpha, float beta, const QuantView& src, const QuantView& dst,
                   int lo = 0, int hi = 255);

// Quantized to quantized with other parameters.
//   ort: dequantize, quantize. PyTorch: the same, but times RN32(1 / s_y).
//   tfl-ref, tflm: scale_away(q - z, s_x / s_y) + z_y; tfl-ruy: scale_up. The last elements below a multiple of 16 have
//   tfl-ref's there (passes/split_ties.cpp); differs_at_ties says whether any byte tells.
//   xnn, equal types and 2^-8 <= s_x / s_y <= 2^7: ((q - z) * rne(256 * RN32(s_x / s_y)) + 256 * z_y + 128) >> 8; else
//   tfl-ruy.
Lut requantize_table(Profile profile, const QuantView& src, const QuantView& dst, int lo = 0, int hi = 255);
// Whether tfl-ruy's table depends on where in the tensor an element stands.
bool differs_at_ties(Profile profile, const QuantView& src, const QuantView& dst);

// An input of a concatenation: as requantize_table, but for LiteRT round(RN32(RN32(q * r) + RN32(-z * r))) + z_y, r =
// RN32(s_x * RN32(1 / s_y)), ties away from zero, and for PyTorch d = fma(s, q, RN32(s * -z)).
Lut concat_table(Profile profile, const QuantView& src, const QuantView& dst);

}  // namespace octet
