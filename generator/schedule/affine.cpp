#include "generator/schedule/affine.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace octet {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

using Staircase = std::array<float, 256>;  // per source byte, the result before the zero point, clamped

// affine_byte of requant.h for all bytes of a channel, in a form that compilers vectorize: five roundings, then to the
// nearest even integer.
Staircase staircase(const AffineSpec& s, float scale, float shift) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it leaves no bits for a fraction
  const auto lo = static_cast<float>(s.lo - s.dst.zero()), hi = static_cast<float>(s.hi - s.dst.zero());
  Staircase steps;
  for (int byte = 0; byte < 256; ++byte) {
    const float d = static_cast<float>(byte - s.src.zero()) * s.src.scale;
    const float product = d * scale;
    const float v = (product + shift) / s.dst.scale;
    const float above = v > lo ? v : lo;
    const float clamped = above < hi ? above : hi;
    const float raised = clamped + kRound;
    steps[static_cast<size_t>(byte)] = raised - kRound;
  }
  return steps;
}

// The shifts with which a line of this slope rounds to every step; `margin` covers the rounding of the line itself.
struct Shifts {
  double least = -kInfinity, most = kInfinity;
};

Shifts shifts(const Staircase& steps, double slope, double margin, float lo, float hi) {
  constexpr size_t kLanes = 4;  // apart, so that compilers vectorize the comparisons
  const double reach = 0.5 - margin;
  std::array<double, kLanes> least, most;
  least.fill(-kInfinity);
  most.fill(kInfinity);
  for (size_t byte = 0; byte < steps.size(); byte += kLanes)
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const float step = steps[byte + lane];
      const double needed = static_cast<double>(step) - slope * static_cast<double>(static_cast<int>(byte + lane));
      const double low = step > lo ? needed - reach : -kInfinity, high = step < hi ? needed + reach : kInfinity;
      least[lane] = low > least[lane] ? low : least[lane];
      most[lane] = high < most[lane] ? high : most[lane];
    }
  return {*std::max_element(least.begin(), least.end()), *std::min_element(most.begin(), most.end())};
}

// One channel's line; false if there is none.
bool fuse_channel(const AffineSpec& s, float scale, float shift, float& line_scale, float& line_shift) {
  const double unit = static_cast<double>(s.dst.scale);
  const double slope = static_cast<double>(s.src.scale) * static_cast<double>(scale) / unit;
  const double start = static_cast<double>(shift) / unit - slope * s.src.zero();
  const double most = std::max(std::abs(start), std::abs(start + 255 * slope));
  if (!(most < 1e9)) return false;
  const Staircase steps = staircase(s, scale, shift);
  const double margin = std::ldexp(most + 1, -22);  // a float's last place at least, twice over
  const auto lo = static_cast<float>(s.lo - s.dst.zero()), hi = static_cast<float>(s.hi - s.dst.zero());
  // Where steps near ties pull the line both ways, a slope beside the given one may satisfy both.
  const auto nearest = static_cast<float>(slope);
  for (int nudge : {0, 1, -1, 2, -2, 4, -4, 8, -8, 16, -16}) {
    line_scale = nearest + static_cast<float>(nudge) * std::abs(nearest) * 0x1p-23f;
    const Shifts fit = shifts(steps, static_cast<double>(line_scale), margin, lo, hi);
    if (!(fit.least <= fit.most)) continue;
    line_shift = static_cast<float>(std::clamp(start, fit.least, fit.most));
    if (std::abs(static_cast<double>(line_shift) - start) < 1) return true;  // the margin counts on it
  }
  return false;
}

}  // namespace

std::optional<FusedAffine> fuse_affine(const AffineSpec& spec, std::span<const float> scale,
                                       std::span<const float> shift) {
  FusedAffine fused{std::vector<float>(scale.size()), std::vector<float>(scale.size())};
  for (size_t c = 0; c < scale.size(); ++c)
    if (!fuse_channel(spec, scale[c], shift[c], fused.scale[c], fused.shift[c])) return std::nullopt;
  return fused;
}

}  // namespace octet
