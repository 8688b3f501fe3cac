// The vocabulary for the target avx512_vnni. Include it first in a file, and end the file with OCTET_TARGET_END: what
// lies between is compiled for these instructions whatever the compiler's flags say. C++17 and -ffp-contract=off,
// because g++ joins even _mm512_mul_ps and _mm512_add_ps into one rounding otherwise.
#ifndef OCTET_VEC_AVX512_VNNI_H
#define OCTET_VEC_AVX512_VNNI_H

#if defined(__GNUC__) && !defined(__clang__)
// g++ 12 takes the operands that its own intrinsics leave undefined for mistakes of their callers (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define OCTET_INSTRUCTIONS "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target(OCTET_INSTRUCTIONS))), apply_to = function)
#define OCTET_TARGET_END _Pragma("clang attribute pop")
#else
#pragma GCC target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#define OCTET_TARGET_END
#endif

#define OCTET_VEC_NAMESPACE octet_avx512_vnni
#define OCTET_512(...) __VA_ARGS__
#include "vec_x86.h"

namespace octet_avx512_vnni {

// As its own instruction every time: compilers merge equal loads into a register that must then stay alive, one more
// than there is. The same holds for weights straight from memory in dot4 below.
template <int W>
OCTET_VEC Vec<W> load_acc(const uint8_t* p) {
  Vec<W> d;
  asm volatile("vmovdqu64 %1, %0" : "=v"(d) : "m"(*reinterpret_cast<const Vec<W>*>(p)));
  return d;
}

// Group 0 means an activation of load_act, whose four bytes are everywhere. To g++, each dot of a weight register is a
// chance to load the weights again, so it must not know what the instruction is; clang++ makes the best of knowing.
template <int G, class V>
OCTET_VEC void dot4(V& d, V a, V b) {
  static_assert(G == 0 || G == -1, "x86 has no dot by element");
#if defined(__clang__)
  if constexpr (sizeof(V) == 16) d = _mm_dpbusd_epi32(d, a, b);
  if constexpr (sizeof(V) == 32) d = _mm256_dpbusd_epi32(d, a, b);
  if constexpr (sizeof(V) == 64) d = _mm512_dpbusd_epi32(d, a, b);
#else
  asm("vpdpbusd %2, %1, %0" : "+v"(d) : "v"(a), "v"(b));
#endif
}

template <int G, class V>
OCTET_VEC void dot4(V& d, V a, const uint8_t* b) {
  static_assert(G == 0 || G == -1, "x86 has no dot by element");
  asm("vpdpbusd %2, %1, %0" : "+v"(d) : "v"(a), "m"(*reinterpret_cast<const V*>(b)));
}

}  // namespace octet_avx512_vnni

#endif
