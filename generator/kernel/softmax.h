// Softmax and log softmax of quantized rows, in the form of each runtime: what the plain ops of
// templates/plain_softmax.h compute, with the tables that are made here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "generator/graph/profile.h"
#include "generator/kernel/quant_view.h"

namespace octet {

// d is a byte's distance from the largest of its row; E[d] and the like come as tables of 256.
enum class SoftmaxForm : uint8_t {
  quotient,    // f32: sat(rne(RN32(RN32(E[d] * floor(RN32(1 / s_y))) / sum))): ONNX Runtime (lut.h)
  reciprocal,  // f32: E[d] = expf(RN32(-s_x * d)), inverse = RN32(1 / RN32(sum * s_y)), RN32(E[d] * inverse) rounded
               // with ties away from zero (u8: trunc(RN32(. + 1/2))): LiteRT's optimized kernels; 0 of 84k differ
  fixed,       // gemmlowp's fixed point, E in Q0.31: LiteRT's reference kernels and tflite-micro; 0 of 67k
  exact,      // E[d] = rne(exp(-d * s_x) * 2^b), b = min(24, 31 - ceil(log2(length))), sums in 64 bits, the quotient in
              // binary64: what PyTorch's float softmax between dequantize and quantize gives but for 3 in 10^6
  log_real,   // f32: rne(RN32(RN32(r * q) - RN32(RN32(RN32(s_x * largest) + log(sum)) / s_y))) + z_y, r = RN32(s_x /
              // s_y): LiteRT's optimized kernels
  log_fixed,  // LiteRT's reference kernels and tflite-micro; 0 of 333k
};
const char* softmax_form_name(SoftmaxForm form);

// The form that a profile has for softmax and for log softmax. User error where it has none, or where the runtime wants
// other parameters: LiteRT's softmax has scale 1/256 and the type's least value as zero point, its log
// softmax scale 16/256 and the type's largest value; rows of its fixed-point forms hold at most 4095 values, whose sum
// surely fits, and their source's scale times beta is above 2^-26. `beta`: what TensorFlow Lite multiplies the source
// by.
SoftmaxForm softmax_form(Profile profile, bool is_log, int64_t length, const QuantView& src, const QuantView& dst,
                         float beta = 1);

// The form's tables as the plain op reads them: 256 f32 (quotient, reciprocal, log_real), 256 u32 (exact), or 3 x 256
// s32 (fixed: exponentials, and those in Q12.19 for the sum; log_fixed: also the scaled distances in Q5.26).
// The source's scale is times beta in them: binary32 in reciprocal, binary64 in fixed.
std::vector<std::byte> softmax_tables(SoftmaxForm form, const QuantView& src, int64_t length, float beta = 1);

// log_fixed: the distance below which nothing counts, and the factor from logarithms back to distances.
struct LogSoftmaxLimits {
  int32_t least = 0;
  int32_t multiplier = 0, exponent = 0;
};
LogSoftmaxLimits log_softmax_limits(const QuantView& src);

}  // namespace octet
