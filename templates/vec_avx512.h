// vec_x86.h and what else the targets with vectors of 64 bytes have in common. Included by vec_avx512_vnni.h and
// vec_avx512_vbmi.h as vec_x86.h says.
#ifndef OCTET_VEC_AVX512_H
#define OCTET_VEC_AVX512_H

#include "vec_x86.h"

namespace OCTET_VEC_NAMESPACE {

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

// Pairs of words: as dot4, for the same reason.
template <class V>
OCTET_VEC void dot2(V& d, V a, V b) {
#if defined(__clang__)
  if constexpr (sizeof(V) == 16) d = _mm_dpwssd_epi32(d, a, b);
  if constexpr (sizeof(V) == 32) d = _mm256_dpwssd_epi32(d, a, b);
  if constexpr (sizeof(V) == 64) d = _mm512_dpwssd_epi32(d, a, b);
#else
  asm("vpdpwssd %2, %1, %0" : "+v"(d) : "v"(a), "v"(b));
#endif
}

template <class V>
OCTET_VEC void dot2(V& d, V a, const uint8_t* b) {
  asm("vpdpwssd %2, %1, %0" : "+v"(d) : "v"(a), "m"(*reinterpret_cast<const V*>(b)));
}

}  // namespace OCTET_VEC_NAMESPACE

#endif
