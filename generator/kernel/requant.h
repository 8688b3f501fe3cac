// The scalar formulas of every profile: what each kernel, program and lowering must equal bit for bit. RN32 is one
// binary32 operation rounded to nearest even, rne the nearest integer with ties to even (design/numerics.md).
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "generator/graph/graph.h"
#include "generator/kernel/spec.h"

namespace octet {

// rne of any finite x within s32.
int32_t round_to_int(double x);

// Storage byte of an accumulator that holds its s32 bias and zero-point corrections, as RequantForm says. Monotonic in
// acc. Where the scale comes from: conv_scale.h.
//
// Why clamping first changes nothing, and why no conversion can overflow: let v = RN32(f32(acc) * m), L = lo - zero and
// H = hi - zero. L and H are integers of at most 9 bits, so f32 holds them exactly. rne is monotonic and rne(L) = L, so
//   v <= L  =>  rne(v) <= L  and  max(v, L) = L        v >= L  =>  rne(v) >= L  and  max(v, L) = v,
// hence rne(max(v, L)) = max(rne(v), L) everywhere; the same holds for min and H. After the float clamp the value lies
// in [-255, 255]: converting to s32 is exact rounding, and adding zero cannot wrap. acc and m are finite, so v is never
// NaN; it may be infinite, which the clamp takes away too.
//
// Kernels may convert first and clamp integers where |acc * m| < 2^31 is proved (Requant::wide is false): then rne(v)
// fits s32, and clamp(rne(v) + zero, lo, hi) is the same integer.
uint8_t requantize(int32_t acc, const ChannelScale& scale, const Requant& requant);

// Requant::wide: whether some accumulator of magnitude at most `largest` gives a number that no s32 holds.
bool requant_is_wide(int64_t largest, const ChannelScale& scale, const Requant& requant);

// q = sat(rne(RN32(x / scale)) + zero_point) as a storage byte; NaN gives the lowest, infinities saturate.
uint8_t quantize(float x, const QuantView& quant, int lo = 0, int hi = 255);
// RN32(f32(q - zero_point) * scale).
float dequantize(uint8_t byte, const QuantView& quant);

// Storage bytes of a + b as the formula says: clamp(rne(fma(a, ra, fma(b, rb, k)))) on q values, clamped in float.
uint8_t add_bytes(uint8_t a, uint8_t b, const AddFormula& formula);
// RN32(RN32(s_a * s_b) / s_y).
float mul_multiplier(Profile profile, const QuantView& a, const QuantView& b, const QuantView& out);
uint8_t mul_bytes(uint8_t a, uint8_t b, const MulSpec& spec);

// Pooling, each with the channel's own bytes in row-major order (taps outside the image left out).
// average: f32 sum of RN32(f32(q - z) * s) from left to right; RN32(sum / count); RN32(. / s_y); RN32(. + z_y); rne.
// count is kh * kw with count_include_pad, in windows that ceil_mode lets stick out as well, else the taps inside. ORT
// 1.31, u8 and s8: 0 of 38,448 differ, and 0 of 40,320 with ceil_mode (clipping those windows: 6,107).
uint8_t average_bytes(std::span<const uint8_t> taps, int count, const PoolSpec& spec);
// global average: rne(RN32(f32(sum(q - z)) * m)) + z_y, m = RN32(s_x / RN32(s_y * count)).
float global_average_multiplier(Profile profile, const QuantView& src, const QuantView& dst, int count);
uint8_t global_average_bytes(std::span<const uint8_t> taps, const PoolSpec& spec);
// mean: ORT sums with Eigen's 16-byte vectors, whose loads start at aligned addresses of the dense n, c, h, w tensor.
// So the order depends on where the row of channel `row` (counted over the batch) starts: first the whole vectors, two
// interleaved sums of four lanes; lanes (0 + 2) + (1 + 3); then the elements before the first vector, then those after
// the last. 0 of 16,800 f32 sums differ from ORT 1.31 over lengths 1..784. Then RN32(sum / count) and quantize.
uint8_t mean_bytes(std::span<const uint8_t> taps, int64_t row, const PoolSpec& spec);

// v = RN32(RN32(RN32(f32(q - z) * s) * scale) + shift), quantized.
uint8_t affine_byte(uint8_t byte, float scale, float shift, const AffineSpec& spec);
// ORT's batch normalization as scale and shift, all in f32: inv = RN32(1 / RN32(sqrt(RN32(variance + epsilon)))),
// scale = RN32(inv * gamma), shift = RN32(beta - RN32(mean * scale)). 0 of 51,840 f32 results differ from ORT 1.31.
struct Affine {
  float scale = 1, shift = 0;
};
Affine batch_norm_affine(float gamma, float beta, float mean, float variance, float epsilon);

// The tensor's storage bytes that a range of q values leaves.
ByteRange byte_range(const QRange& range, const QuantView& quant);

// A clamp in real numbers, fused: quantize is monotonic, so clamp(real, l, h) then quantize equals quantize then
// clamp(q, Q(l), Q(h)). Relu is (0, inf), giving lo = zero point; relu6 is (0, 6), giving hi = z + rne(RN32(6 / s)).
// `range` in q values is narrowed.
QRange clamp_range(float low, float high, const QuantView& quant, const QRange& range = {});

}  // namespace octet
