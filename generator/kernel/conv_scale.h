// How a profile requantizes convolutions, linear layers and matrix products: the form and the constants of every
// channel. Nothing else asks for the profile (design/numerics.md 2.1).
#pragma once

#include <cstdint>
#include <optional>

#include "generator/graph/profile.h"
#include "generator/kernel/spec.h"

namespace octet {

// `matmul` is a product with a constant right side that is no fully connected layer in the file's own terms, `product`
// one of two activations.
enum class ConvKind : uint8_t { conv, depthwise, transposed, fully_connected, matmul, product };

// What the formula depends on besides the numbers of a channel.
struct ConvTraits {
  Profile profile = Profile::ort;
  ConvKind kind = ConvKind::conv;
  int64_t groups = 1, channels = 1;                      // channels of the result
  bool is_signed = true;                                 // the source
  bool per_tensor = true;                                // one weight scale for all channels
  bool centred = true;                                   // weight zero points are 0
  float src_scale = 1, weight_scale = 1, dst_scale = 1;  // weight_scale: of the first channel
};

// Whether a bias that the file has in float stays float. Otherwise it becomes s32 at the accumulators' scale.
bool keeps_float_bias(Profile profile);

// s32 bias of a float one, or nothing if s32 cannot hold it (ONNX Runtime only warns).
// rne(f64(b) / (f64(s_x) * f64(s_w))); qnnpack: rne(RN32(b * RN32(1 / a))), a = RN32(s_x * s_w).
std::optional<int32_t> quantize_bias(Profile profile, float bias, float src_scale, float weight_scale);

// form and factor; the other fields are not touched. `float_bias`: b is not zero in every channel.
void set_form(const ConvTraits& traits, bool float_bias, Requant& requant);

// The constants of one channel with that weight scale and float bias, all of them:
//   ort, xnn, tflm and tfl-ref, tfl-ruy: m = RN32(RN32(s_x * s_w) / s_y); real = f64(s_x) * f64(s_w) / f64(s_y), in
//   fixed
//     point the nearest to it; for tfl-ruy's per-tensor linear layers real = f64(RN32(s_x * s_w)) / f64(s_y)
//   fbgemm: a = RN32(s_x * s_w), m = RN32(a / s_y), b = RN32(bias / a); per tensor b = bias and factor = RN32(1 / a)
//   onednn: s = RN32(1 / RN32(1 / s_x)), m = RN32(s * s_w), b = bias, factor = RN32(1 / s_y)
//   qnnpack: m = RN32(RN32(s_x * s_w) * RN32(1 / s_y))
//   torch-x86: as onednn in convolutions of at most 100 groups whose weights have zero point 0, else as fbgemm
// What XNNPACK does not take goes by tfl-ruy under xnn too: products of two activations. And what ruy's matrix product
// does not reach rounds ties away from zero: grouped convolutions, u8 depthwise, matrix products, and the last channels
// % 8 of s8 depthwise and transposed convolutions. (LiteRT 2.3.0: 0 of 56M outputs differ, but for the last elements of
// u8 transposed convolutions under tfl-ruy, which round by their place in the tensor.)
ChannelScale channel_scale(const ConvTraits& traits, int64_t c, float weight_scale, float bias);

// The k of a rounding shift: real = 2^-k, 0 <= k <= 30; nothing for other factors.
std::optional<int> power_of_two(double real);

}  // namespace octet
