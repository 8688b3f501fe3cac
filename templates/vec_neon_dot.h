// The vocabulary for the target neon_dot: AArch64 with dot products of bytes. Include it first in a file, and end the
// file with OCTET_TARGET_END: what lies between is compiled for these instructions whatever the compiler's flags say.
// C++17 and -ffp-contract=off, because g++ joins even vmulq_f32 and vaddq_f32 into one rounding otherwise.
#ifndef OCTET_VEC_NEON_DOT_H
#define OCTET_VEC_NEON_DOT_H

#include <arm_neon.h>
#include <stdint.h>
#include <string.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#define OCTET_TARGET_END _Pragma("clang attribute pop")
#else
#pragma GCC target("arch=armv8.2-a+dotprod")
#define OCTET_TARGET_END
#endif

#define OCTET_VEC_NAMESPACE octet_neon_dot
#include "vec_neon_base.h"

namespace octet_neon_dot {

template <int G>
OCTET_VEC void dot4s(Bytes& d, Bytes a, Bytes b) {
  if constexpr (G >= 0) OCTET_DOT("sdot %0.4s, %2.16b, %1.4b[%c3]" : "+w"(d) : "w"(a), "w"(b), "i"(G));
  if constexpr (G < 0) OCTET_DOT("sdot %0.4s, %2.16b, %1.16b" : "+w"(d) : "w"(a), "w"(b));
}

template <int G>
OCTET_VEC void dot4s(Bytes& d, Bytes a, const uint8_t* b) {
  dot4s<G>(d, a, load<16>(b));
}

}  // namespace octet_neon_dot

#endif
