// The vocabulary for the target neon: what every AArch64 machine has. C++17 and -ffp-contract=off, because g++ joins
// even vmulq_f32 and vaddq_f32 into one rounding otherwise.
#ifndef OCTET_VEC_NEON_H
#define OCTET_VEC_NEON_H

#include <arm_neon.h>
#include <stdint.h>
#include <string.h>

#define OCTET_TARGET_END

#define OCTET_VEC_NAMESPACE octet_neon
#include "vec_neon_base.h"

namespace octet_neon {

// There is no such instruction: 16-bit products, which fit, then sums of two and of four. In one piece, because
// compilers start more of these sums at a time than they have registers for.
template <int G>
OCTET_VEC void dot4s(Bytes& d, Bytes a, Bytes b) {
  Bytes act = a, low, high;
  if constexpr (G >= 0) act = bytes(vdupq_laneq_s32(as_s32(a), G));
  OCTET_DOT(
      "smull %1.8h, %3.8b, %4.8b\n\t"
      "smull2 %2.8h, %3.16b, %4.16b\n\t"
      "saddlp %1.4s, %1.8h\n\t"
      "saddlp %2.4s, %2.8h\n\t"
      "addp %1.4s, %1.4s, %2.4s\n\t"
      "add %0.4s, %0.4s, %1.4s"
      : "+w"(d), "=&w"(low), "=&w"(high)
      : "w"(act), "w"(b));
}

template <int G>
OCTET_VEC void dot4s(Bytes& d, Bytes a, const uint8_t* b) {
  dot4s<G>(d, a, load<16>(b));
}

}  // namespace octet_neon

#endif
