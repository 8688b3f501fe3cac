#include "generator/passes/resize_axis.h"

#include <algorithm>
#include <cmath>

namespace octet {
namespace {

float scale_of(const Resize& resize, size_t axis, int64_t in, int64_t out) {
  return resize.scales.empty() ? static_cast<float>(out) / static_cast<float>(in) : resize.scales[axis];
}

// Elements of the result in one of the source, where the kernel is as much wider; else 1.
double shrinking(const Resize& resize, size_t axis, int64_t in, int64_t out) {
  return resize.antialias ? std::min(static_cast<double>(scale_of(resize, axis, in, out)), 1.0) : 1.0;
}

double kernel(const Resize& resize, double distance) {
  const double d = std::abs(distance), a = static_cast<double>(resize.cubic_a);
  if (resize.mode == Resize::Mode::linear) return std::max(1 - d, 0.0);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

}  // namespace

float resize_source(const Resize& resize, size_t axis, int64_t in, int64_t out, int64_t o) {
  using C = Resize::Coordinates;
  const auto x = static_cast<float>(o);
  const float scale = scale_of(resize, axis, in, out);
  switch (resize.coordinates) {
    case C::asymmetric: return x / scale;
    case C::align_corners: return out == 1 ? 0.0f : x * static_cast<float>(in - 1) / static_cast<float>(out - 1);
    case C::tf_half_pixel_nearest: return (x + 0.5f) / scale;
    case C::pytorch_half_pixel:
      if (out == 1) return 0.0f;
      break;
    case C::half_pixel: break;
    case C::half_pixel_symmetric: {
      const float exact = scale * static_cast<float>(in);
      const float offset = static_cast<float>(in) / 2 * (1 - static_cast<float>(out) / exact);
      const float from_middle = (x + 0.5f) / scale;
      return offset + from_middle - 0.5f;
    }
  }
  const float place = (x + 0.5f) / scale;
  return place - 0.5f;
}

int32_t nearest_pixel(const Resize& resize, size_t axis, int64_t in, int64_t out, int64_t o) {
  const float x = resize_source(resize, axis, in, out, o);
  const auto rounded = [&] {
    switch (resize.nearest) {
      case Resize::Nearest::round_prefer_floor: return std::ceil(x - 0.5f);
      case Resize::Nearest::round_prefer_ceil: return std::floor(x + 0.5f);
      case Resize::Nearest::floor: return std::floor(x);
      default: return std::ceil(x);
    }
  };
  return static_cast<int32_t>(std::clamp<int64_t>(static_cast<int64_t>(rounded()), 0, in - 1));
}

int64_t tap_count(const Resize& resize, size_t axis, int64_t in, int64_t out) {
  const double reach = resize.mode == Resize::Mode::linear ? 1 : 2;
  return 2 * static_cast<int64_t>(std::ceil(reach / shrinking(resize, axis, in, out)));
}

Taps resize_taps(const Resize& resize, size_t axis, int64_t in, int64_t out) {
  const double shrink = shrinking(resize, axis, in, out);
  Taps taps{.count = tap_count(resize, axis, in, out)};
  std::vector<double> weights(static_cast<size_t>(taps.count));
  for (int64_t o = 0; o < out; ++o) {
    const auto x = static_cast<double>(resize_source(resize, axis, in, out, o));
    const int64_t first = static_cast<int64_t>(std::floor(x)) + 1 - taps.count / 2;
    double sum = 0;
    for (int64_t k = 0; k < taps.count; ++k) {
      const bool outside = first + k < 0 || first + k >= in;
      double& w = weights[static_cast<size_t>(k)];
      w = resize.exclude_outside && outside ? 0 : kernel(resize, (static_cast<double>(first + k) - x) * shrink);
      sum += w;
      taps.index.push_back(static_cast<int32_t>(std::clamp<int64_t>(first + k, 0, in - 1)));
    }
    for (double w : weights) taps.weight.push_back(static_cast<float>(w / sum));
  }
  return taps;
}

}  // namespace octet
