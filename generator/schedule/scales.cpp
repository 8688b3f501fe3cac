#include "generator/schedule/scales.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace octet {
namespace {

using Words = std::array<uint32_t, 5>;

Words fixed_words(const FixedPoint& f, bool ties_up) {
  const bool zero = f.multiplier == 0 || f.exponent < -30;
  const int n = zero ? 30 : std::max(0, -f.exponent), left = zero ? 0 : std::max(0, f.exponent);
  Words words{};
  words[kWordRound] = n == 0 ? 1 : (uint32_t{1} << n) + 1;
  words[kWordRight] = static_cast<uint32_t>(n + 1);
  words[kWordMultiplier] = static_cast<uint32_t>(zero ? 0 : f.multiplier);
  words[kWordLeft] = static_cast<uint32_t>(2 + left);
  words[kWordSign] = n == 0 || ties_up ? 0 : static_cast<uint32_t>(-2);
  return words;
}

Words words_of(const ChannelScale& c, RequantForm form) {
  switch (form) {
    case RequantForm::fixed_away:
    case RequantForm::fixed_up: return fixed_words(c.fixed, c.ties_up);
    case RequantForm::shift: {
      const int k = -c.fixed.exponent;
      return {k == 0 ? 0 : uint32_t{1} << (k - 1), static_cast<uint32_t>(k)};
    }
    default: return {std::bit_cast<uint32_t>(c.m), std::bit_cast<uint32_t>(c.b)};
  }
}

}  // namespace

int scale_words(const Requant& r) {
  switch (r.form) {
    case RequantForm::scaled: return 1;
    case RequantForm::biased:
    case RequantForm::affine:
    case RequantForm::shift:
    case RequantForm::doubles: return 2;
    case RequantForm::fixed_up: return r.mixed ? 4 : 3;
    case RequantForm::fixed_away: return r.mixed ? 5 : 3;
  }
  return 1;
}

void put_scale(const ChannelScale& c, const Requant& r, uint32_t* words, int lanes, int lane) {
  if (r.form == RequantForm::doubles) {
    const double twice = 2 * c.real;
    std::memcpy(words + 2 * lane, &twice, sizeof twice);
    return;
  }
  const Words all = words_of(c, r.form);
  for (int k = 0; k < scale_words(r); ++k) words[k * lanes + lane] = all[static_cast<size_t>(k)];
}

}  // namespace octet
