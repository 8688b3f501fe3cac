#include "generator/schedule/edges.h"

#include <algorithm>

namespace octet {
namespace {

AxisClasses classify(int out, int in, int kernel, int stride, int dilation, int pad) {
  AxisClasses a{.count = out};
  // A row of any length: the one tap lies inside from the first output to the last.
  if (const Taps first = taps_at(0, in, kernel, stride, dilation, pad);
      kernel == 1 && first.count() == 1 && first == taps_at(out - 1, in, kernel, stride, dilation, pad)) {
    a.classes = {first};
    return a;
  }
  for (int o = 0; o < out; ++o) {
    const Taps t = taps_at(o, in, kernel, stride, dilation, pad);
    const auto at = std::find(a.classes.begin(), a.classes.end(), t);
    a.of.push_back(static_cast<int>(at - a.classes.begin()));
    if (at == a.classes.end()) a.classes.push_back(t);
  }
  if (a.classes.size() == 1) a.of.clear();
  return a;
}

}  // namespace

Taps taps_at(int o, int in, int kernel, int stride, int dilation, int pad) {
  const int first = o * stride - pad;        // input index of tap 0
  const auto taps_before = [&](int index) {  // taps that lie before input `index`
    return std::clamp((index - first + dilation - 1) / dilation, 0, kernel);
  };
  Taps t{first < 0 ? taps_before(0) : 0, first < in ? taps_before(in) : 0};
  return t.count() > 0 ? t : Taps{};
}

int zero_of(const ConvSpec& spec, DotForm dot) {
  return spec.src_zero - (dot == DotForm::flipped ? 128 : 0);
}

PixelClasses pixel_classes(const ConvSpec& s, DotForm dot) {
  const Window& w = s.window;
  PixelClasses p;
  p.rows = classify(s.oh, s.ih, w.kh, w.stride_h, w.dilation_h, w.pad_top);
  p.columns = classify(s.ow, s.iw, w.kw, w.stride_w, w.dilation_w, w.pad_left);
  p.biases = zero_of(s, dot) == 0 ? 1 : static_cast<int>(p.rows.classes.size() * p.columns.classes.size());
  return p;
}

ConvSpec flattened(const ConvSpec& spec) {
  const bool same_pixels = spec.window == Window{} && spec.ih == spec.oh && spec.iw == spec.ow;
  if (!same_pixels) return spec;
  ConvSpec flat = spec;
  flat.iw = flat.ow = spec.n * spec.oh * spec.ow;
  flat.n = flat.ih = flat.oh = 1;
  return flat;
}

}  // namespace octet
