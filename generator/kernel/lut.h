// Tables of 256 bytes: any unary chain between two quantized tensors is one.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "generator/graph/graph.h"
#include "generator/kernel/spec.h"

namespace octet {

using Lut = std::array<uint8_t, 256>;  // storage byte -> storage byte

// The real function as ONNX Runtime computes it. Those that it computes in binary32 by a few additions and products are
// computed so here, since their results hit ties: hard_sigmoid = min(1, max(0, RN32(RN32(alpha * x) + beta))),
// hard_swish = RN32(x * hard_sigmoid(x; 1/6, 1/2)), leaky_relu = RN32(alpha * x), relu, clip, neg, abs, reciprocal,
// sqrt. The others are computed in binary64 and rounded once. Against ONNX Runtime 1.31, all 256 bytes at 150 pairs of
// scales, a third of them powers of two, u8 and s8: 0 of 76,800 differ for each of sigmoid, tanh, hard_sigmoid (in
// binary64: 40), hard_swish, leaky_relu, elu and relu.
float unary_value(Unary function, float alpha, float beta, float x);

// T[q] = sat(rne(RN32(f(d) / s_y)) + z), d = RN32((q - z) s). lo, hi are storage bytes.
Lut unary_table(Unary function, float alpha, float beta, const QuantView& src, const QuantView& dst, int lo = 0,
                int hi = 255);

// Equal parameters give the identity (clamped), others dequantize and quantize.
Lut requantize_table(const QuantView& src, const QuantView& dst, int lo = 0, int hi = 255);

// second after first.
Lut compose(const Lut& first, const Lut& second);
bool is_identity(const Lut& table);

// Softmax of quantized rows, as ONNX Runtime computes it, every operation in f32: the exponentials of a row are summed
// in its order, and each byte is sat(rne(RN32(RN32(E * inverse) / sum)) + z_y), inverse = floor(RN32(1 / s_y)).
// E[d], d the distance from the row's largest byte, is RN32(exp(s_x * (b - d))), with b = (log(RN32(FLT_MAX / length))
// - 5) / s_x in binary64 around a log in f32: as large as a sum of `length` of them may be. Here it is 2^-32 of that,
// which changes no byte, but keeps E * inverse finite; what ORT gives where it is not (rows shorter than inverse / 148)
// is no softmax. 0 of 30.5 million bytes differ elsewhere (ORT 1.31, u8 and s8, rows of 1 to 4096).
std::vector<float> softmax_table(float src_scale, int64_t length);
float softmax_inverse(float dst_scale);

}  // namespace octet
