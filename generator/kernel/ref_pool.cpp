#include <algorithm>
#include <vector>

#include "generator/kernel/ref_ops.h"
#include "generator/kernel/requant.h"

namespace octet::ref {
namespace {

// The channel's bytes under one window, row by row; taps outside the image are left out.
std::vector<uint8_t> taps_of(const PoolSpec& s, const uint8_t* channel, int y, int x) {
  const Window& w = s.window;
  std::vector<uint8_t> taps;
  for (int ky = 0; ky < w.kh; ++ky)
    for (int kx = 0; kx < w.kw; ++kx) {
      const int iy = y * w.stride_h - w.pad_top + ky * w.dilation_h,
                ix = x * w.stride_w - w.pad_left + kx * w.dilation_w;
      if (iy < 0 || iy >= s.ih || ix < 0 || ix >= s.iw) continue;
      taps.push_back(channel[(int64_t{iy} * s.iw + ix) * s.src_pitch]);
    }
  return taps;
}

uint8_t pool(const PoolSpec& s, const std::vector<uint8_t>& taps, int64_t row) {
  const auto inside = static_cast<int>(taps.size());
  switch (s.kind) {
    case PoolKind::max: {
      const int largest = taps.empty() ? 0 : *std::max_element(taps.begin(), taps.end());
      return static_cast<uint8_t>(std::clamp(largest, s.mean.lo, s.mean.hi));
    }
    case PoolKind::average:
      return mean_bytes(taps, s.count_include_pad ? s.window.kh * s.window.kw : inside, row, s.mean);
    case PoolKind::whole: return mean_bytes(taps, inside, row, s.mean);
  }
  return 0;
}

}  // namespace

void run(const PoolSpec& spec, const OctetArgs& args) {
  PoolSpec s = spec;
  if (s.kind == PoolKind::whole) s.window = {.kh = s.ih, .kw = s.iw};
  const int64_t out_pixels = int64_t{s.n} * s.oh * s.ow;
  for (int64_t pixel = 0; pixel < out_pixels; ++pixel) {
    const int x = static_cast<int>(pixel % s.ow), y = static_cast<int>(pixel / s.ow % s.oh);
    const int64_t n = pixel / s.ow / s.oh;
    const uint8_t* image = in<uint8_t>(args, OCTET_SRC) + n * s.ih * s.iw * s.src_pitch;
    for (int c = 0; c < s.channels; ++c)
      out(args)[pixel * s.dst_pitch + c] = pool(s, taps_of(s, image + c, y, x), n * s.channels + c);
  }
}

}  // namespace octet::ref
