// The vocabulary for the target neon_i8mm: AArch64 with dot products of bytes, of mixed signs too. Include it first in
// a file, and end the file with OCTET_TARGET_END: what lies between is compiled for these instructions whatever the
// compiler's flags say. C++17 and -ffp-contract=off, because g++ joins even vmulq_f32 and vaddq_f32 into one rounding
// otherwise.
#ifndef OCTET_VEC_NEON_I8MM_H
#define OCTET_VEC_NEON_I8MM_H

#include <arm_neon.h>
#include <stdint.h>
#include <string.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("dotprod,i8mm"))), apply_to = function)
#define OCTET_TARGET_END _Pragma("clang attribute pop")
#else
#pragma GCC target("arch=armv8.2-a+dotprod+i8mm")
#define OCTET_TARGET_END
#endif

#define OCTET_VEC_NAMESPACE octet_neon_i8mm
#include "vec_neon_base.h"

namespace octet_neon_i8mm {

// The element is the second factor, so by element the signed bytes come first and the instruction is its mirror.
template <int G>
OCTET_VEC void dot4(Bytes& d, Bytes a, Bytes b) {
  if constexpr (G >= 0) OCTET_DOT("sudot %0.4s, %2.16b, %1.4b[%c3]" : "+w"(d) : "w"(a), "w"(b), "i"(G));
  if constexpr (G < 0) OCTET_DOT("usdot %0.4s, %1.16b, %2.16b" : "+w"(d) : "w"(a), "w"(b));
}

template <int G>
OCTET_VEC void dot4(Bytes& d, Bytes a, const uint8_t* b) {
  dot4<G>(d, a, load<16>(b));
}

OCTET_VEC Bytes mmla(Bytes d, Bytes a, Bytes b) {
  OCTET_DOT("usmmla %0.4s, %1.16b, %2.16b" : "+w"(d) : "w"(a), "w"(b));
  return d;
}

}  // namespace octet_neon_i8mm

#endif
