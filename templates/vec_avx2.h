// The vocabulary for the target avx2. Include it first in a file, and end the file with OCTET_TARGET_END: what lies
// between is compiled for AVX2 and FMA whatever the compiler's flags say. C++17 and -ffp-contract=off, because g++
// joins even _mm256_mul_ps and _mm256_add_ps into one rounding otherwise.
#ifndef OCTET_VEC_AVX2_H
#define OCTET_VEC_AVX2_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define OCTET_TARGET_END _Pragma("clang attribute pop")
#else
#pragma GCC target("avx2,fma")
#define OCTET_TARGET_END
#endif

#define OCTET_VEC_NAMESPACE octet_avx2
#define OCTET_512(...)
#include "vec_x86.h"

namespace octet_avx2 {

// As its own instruction every time: two loads of a row of biases made into one register that must stay alive cost more
// than they save. The same reason gives the x86 dots of memory operands.
template <int W>
OCTET_VEC Vec<W> load_acc(const uint8_t* p) {
  Vec<W> d;
  asm volatile("vmovdqu %1, %0" : "=x"(d) : "m"(*reinterpret_cast<const Vec<W>*>(p)));
  return d;
}

// There is no such instruction: even and odd bytes as words, so that nothing saturates. Schedules spell their dots out
// (maddubs where the weights prove it safe, or widened); this serves the rest. Group 0 means an activation of load_act.
template <int G>
OCTET_VEC void dot4(__m128i& d, __m128i a, __m128i b) {
  static_assert(G == 0 || G == -1, "x86 has no dot by element");
  const __m128i even = _mm_madd_epi16(_mm_and_si128(a, _mm_set1_epi16(255)), _mm_srai_epi16(_mm_slli_epi16(b, 8), 8));
  const __m128i odd = _mm_madd_epi16(_mm_srli_epi16(a, 8), _mm_srai_epi16(b, 8));
  d = _mm_add_epi32(d, _mm_add_epi32(even, odd));
}

template <int G>
OCTET_VEC void dot4(__m256i& d, __m256i a, __m256i b) {
  static_assert(G == 0 || G == -1, "x86 has no dot by element");
  const __m256i even =
      _mm256_madd_epi16(_mm256_and_si256(a, _mm256_set1_epi16(255)), _mm256_srai_epi16(_mm256_slli_epi16(b, 8), 8));
  const __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(a, 8), _mm256_srai_epi16(b, 8));
  d = _mm256_add_epi32(d, _mm256_add_epi32(even, odd));
}

template <int G, class V>
OCTET_VEC void dot4(V& d, V a, const uint8_t* b) {
  dot4<G>(d, a, load<static_cast<int>(sizeof(V))>(b));
}

// Neither this one: schedules spell it out as well.
template <class V>
OCTET_VEC void dot2(V& d, V a, V b) {
  d = add32(d, madd16(a, b));
}

template <class V>
OCTET_VEC void dot2(V& d, V a, const uint8_t* b) {
  dot2(d, a, load<static_cast<int>(sizeof(V))>(b));
}

}  // namespace octet_avx2

#endif
