// vpmaddubsw adds two u8 * s8 products with s16 saturation. Weights are constants, so whether a pair can ever saturate
// is decided here, when the kernel is generated (design/numerics.md 3.2).
#pragma once

#include <cstdint>
#include <string>

#include "generator/kernel/spec.h"

namespace octet {

// The bytes that an activation can hold.
struct ActivationRange {
  int lo = 0, hi = 255;
};

// Whether some activations a0, a1 in `range` take a0 * w0 + a1 * w1 out of s16.
constexpr bool pair_saturates(int w0, int w1, ActivationRange range = {}) {
  const auto most = [range](int w) { return w > 0 ? w * range.hi : w * range.lo; };
  const auto least = [range](int w) { return w > 0 ? w * range.lo : w * range.hi; };
  return most(w0) + most(w1) > 32767 || least(w0) + least(w1) < -32768;
}

struct PairScan {
  int64_t pairs = 0;  // neighbours in packed order: input channels (0, 1), (2, 3), ... of each tap
  int64_t saturating = 0;
  bool exact() const { return saturating == 0; }
};
PairScan scan_pairs(const ConvSpec& spec, const ConvData& data, ActivationRange range = {});

}  // namespace octet
