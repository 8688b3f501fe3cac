#include "generator/kernel/resize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/status.h"

namespace octet {
namespace {

using Coordinates = Resize::Coordinates;

float ratio(bool corners, int in, int out) {
  const int less = corners && out > 1 ? 1 : 0;
  return static_cast<float>(in - less) / static_cast<float>(out - less);
}

ResizeNeighbours fixed11(Coordinates coordinates, int in, int out, int x) {
  const float scale = ratio(coordinates == Coordinates::align_corners, in, out);
  float v = static_cast<float>(x) * scale;
  if (coordinates == Coordinates::half_pixel) {
    const float half = 0.5f * scale;
    const float shift = half - 0.5f;
    v = std::max(v + shift, 0.0f);
  }
  v = std::min(v, static_cast<float>(in - 1));
  ResizeNeighbours n{.first = static_cast<int32_t>(v)};
  n.second = std::min(n.first + 1, in - 1);
  n.part = v - static_cast<float>(n.first);
  n.fixed = static_cast<int32_t>(std::nearbyint(n.part * 2048.0f));
  return n;
}

ResizeNeighbours fixed10(Coordinates coordinates, int in, int out, int x) {
  const int less = coordinates == Coordinates::align_corners && out > 1 ? 1 : 0;
  const int32_t scale = (1024 * (in - less) + (out - less) / 2) / (out - less);
  const int32_t v = x * scale + (coordinates == Coordinates::half_pixel ? scale / 2 - 512 : 0);
  ResizeNeighbours n{.first = std::max(v / 1024, 0), .second = std::min((v + 1023) / 1024, in - 1)};
  n.fixed = v - 1024 * n.first;
  return n;
}

ResizeNeighbours floats(Coordinates coordinates, int in, int out, int x) {
  const float scale = ratio(coordinates == Coordinates::align_corners, in, out);
  float v = static_cast<float>(x) * scale;
  if (coordinates == Coordinates::half_pixel) {
    const float middle = (static_cast<float>(x) + 0.5f) * scale;
    v = middle - 0.5f;
  }
  ResizeNeighbours n{.first = std::max(static_cast<int32_t>(std::floor(v)), 0),
                     .second = std::min(static_cast<int32_t>(std::ceil(v)), in - 1)};
  n.part = v - static_cast<float>(n.first);
  return n;
}

}  // namespace

const char* blend_form_name(BlendForm form) {
  static const char* const names[] = {"fixed11", "fixed10", "terms", "weights"};
  return names[static_cast<size_t>(form)];
}

BlendForm blend_form(Profile profile, const QuantView& src, const QuantView& dst) {
  if (!is_tflite(profile))
    user_error(
        fmt::format("profile {} has no linear resize of quantized tensors; supported are xnn, tfl-ref, tflm and "
                    "tfl-ruy",
                    profile_name(profile)));
  if (!(src == dst))
    user_error("source and result of a linear resize have different parameters; supported are equal ones");
  if (profile == Profile::xnn) return BlendForm::fixed11;
  if (src.is_signed) return BlendForm::fixed10;
  return profile == Profile::tfl_ruy ? BlendForm::weights : BlendForm::terms;
}

std::vector<ResizeNeighbours> resize_neighbours(BlendForm form, Coordinates coordinates, int in, int out) {
  std::vector<ResizeNeighbours> all;
  for (int x = 0; x < out; ++x) switch (form) {
      case BlendForm::fixed11: all.push_back(fixed11(coordinates, in, out, x)); break;
      case BlendForm::fixed10: all.push_back(fixed10(coordinates, in, out, x)); break;
      default: all.push_back(floats(coordinates, in, out, x)); break;
    }
  return all;
}

uint8_t blend_bytes(BlendForm form, const std::array<uint8_t, 4>& corners, const ResizeNeighbours& y,
                    const ResizeNeighbours& x, int offset) {
  const auto q = [&](size_t i) { return corners[i] - offset; };
  const auto value = [&](size_t i) { return static_cast<float>(corners[i]); };
  const auto truncated = [](float v) { return static_cast<uint8_t>(static_cast<int32_t>(v + 0.5f)); };
  const float top = 1 - y.part, left = 1 - x.part;
  switch (form) {
    case BlendForm::fixed11: {
      const int32_t t = q(0) * 2048 + (q(1) - q(0)) * x.fixed, b = q(2) * 2048 + (q(3) - q(2)) * x.fixed;
      return static_cast<uint8_t>(((t * 2048 + (b - t) * y.fixed + (1 << 21)) >> 22) + offset);
    }
    case BlendForm::fixed10: {
      const int32_t above = 1024 - y.fixed, before = 1024 - x.fixed;
      const int32_t sum =
          q(0) * above * before + q(1) * above * x.fixed + q(2) * y.fixed * before + q(3) * y.fixed * x.fixed;
      return static_cast<uint8_t>((sum > 0 ? sum + (1 << 19) : sum - (1 << 19)) / (1 << 20) + offset);
    }
    case BlendForm::terms: {
      const float tl = value(0) * top * left, bl = value(2) * y.part * left;
      const float tr = value(1) * top * x.part, br = value(3) * y.part * x.part;
      return truncated(tl + bl + tr + br);
    }
    case BlendForm::weights: {
      const float w00 = top * left, w01 = top * x.part, w10 = y.part * left, w11 = y.part * x.part;
      const float tl = value(0) * w00, tr = value(1) * w01, bl = value(2) * w10, br = value(3) * w11;
      return truncated(tl + tr + bl + br);
    }
  }
  return 0;
}

}  // namespace octet
