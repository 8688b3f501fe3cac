// A per-channel affine as one fused multiply-add of the byte, where that provably gives the same bytes.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "generator/kernel/spec.h"

namespace octet {

// dst byte = clamp(rne(fma(f32(src byte), scale, shift)) + dst.zero(), lo, hi), per channel.
struct FusedAffine {
  std::vector<float> scale, shift;
};

// `scale` and `shift` as AffineSpec reads them, one per channel. Nothing where some channel has no line that runs
// through all 256 steps of its staircase (ties of round scales), or values beyond s32.
std::optional<FusedAffine> fuse_affine(const AffineSpec& spec, std::span<const float> scale,
                                       std::span<const float> shift);

}  // namespace octet
