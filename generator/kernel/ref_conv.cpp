#include <algorithm>

#include "generator/kernel/ref_ops.h"
#include "generator/kernel/requant.h"

namespace octet::ref {
namespace {

// A storage byte as it lies in memory, and back.
uint8_t stored(uint8_t byte, bool flipped) {
  return flipped ? byte ^ 0x80 : byte;
}

int32_t dot(const uint8_t* x, bool flipped, int zero, const int8_t* w, int count) {
  int32_t sum = 0;
  for (int c = 0; c < count; ++c) sum += (stored(x[c], flipped) - zero) * w[c];
  return sum;
}

// Σ (x - src_zero) * w over one output's window. Padding holds src_zero, so taps outside the image add nothing.
int32_t window_sum(const ConvSpec& s, const uint8_t* image, const int8_t* weights, int y, int x) {
  const Window& w = s.window;
  const int per_group = s.ic / s.groups;
  int32_t sum = 0;
  for (int ky = 0; ky < w.kh; ++ky)
    for (int kx = 0; kx < w.kw; ++kx) {
      const int iy = y * w.stride_h - w.pad_top + ky * w.dilation_h,
                ix = x * w.stride_w - w.pad_left + kx * w.dilation_w;
      if (iy < 0 || iy >= s.ih || ix < 0 || ix >= s.iw) continue;
      const uint8_t* pixel = image + (int64_t{iy} * s.iw + ix) * s.src_pitch;
      sum += dot(pixel, s.flips.src, s.src_zero, weights + (ky * w.kw + kx) * per_group, per_group);
    }
  return sum;
}

}  // namespace

void run(const ConvSpec& s, const OctetArgs& args) {
  const auto* weights = in<int8_t>(args, OCTET_WEIGHTS);
  const auto* bias = in<int32_t>(args, OCTET_BIAS);
  const auto* scale = in<ChannelScale>(args, OCTET_SCALE);
  const int per_group = s.ic / s.groups, oc_per_group = s.oc / s.groups;
  const int64_t row = int64_t{s.window.kh} * s.window.kw * per_group;
  const int64_t out_pixels = int64_t{s.n} * s.oh * s.ow;
  for (int64_t pixel = 0; pixel < out_pixels; ++pixel) {
    const int x = static_cast<int>(pixel % s.ow), y = static_cast<int>(pixel / s.ow % s.oh);
    const uint8_t* image = in<uint8_t>(args, OCTET_SRC) + pixel / s.ow / s.oh * s.ih * s.iw * s.src_pitch;
    for (int oc = 0; oc < s.oc; ++oc) {
      const uint8_t* group = image + oc / oc_per_group * per_group;
      int32_t acc = bias[oc];
      for (int term = 0; term < s.weight_terms; ++term)
        acc += window_sum(s, group, weights + (int64_t{term} * s.oc + oc) * row, y, x);
      uint8_t q = requantize(acc, scale[oc], s.requant);
      if (s.residual) {
        const uint8_t other = stored(in<uint8_t>(args, OCTET_SRC2)[pixel * s.src2_pitch + oc], s.flips.src2);
        q = s.residual_is_first ? add_bytes(other, q, s.add) : add_bytes(q, other, s.add);
      }
      out(args)[pixel * s.dst_pitch + oc] = stored(q, s.flips.dst);
    }
  }
}

}  // namespace octet::ref
