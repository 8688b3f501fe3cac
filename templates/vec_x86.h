// The vocabulary of vec_scalar.h in x86 intrinsics; the meaning of an op stands there. Included by vec_avx2.h (vectors
// of 16 and 32 bytes) and vec_avx512.h (64 bytes too) after they have switched their instructions on and defined
// OCTET_VEC_NAMESPACE and OCTET_512(...), which drops its argument where there are no 64 bytes.
#ifndef OCTET_VEC_X86_H
#define OCTET_VEC_X86_H

#include "vec_inline.h"

namespace OCTET_VEC_NAMESPACE {

OCTET_VEC __m128i load_16(const uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i_u*>(p)); }
OCTET_VEC __m256i load_32(const uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(p)); }
OCTET_VEC __m128i load_8(const uint8_t* p) { return _mm_loadl_epi64(reinterpret_cast<const __m128i_u*>(p)); }

// ---- memory ----

// What depends on the width alone; the functions below choose a row.
template <int W>
struct Width;

template <>
struct Width<16> {
  typedef __m128i vec;
  static OCTET_INLINE vec load(const uint8_t* p) { return load_16(p); }
  static OCTET_INLINE vec repeat4(int32_t x) { return _mm_set1_epi32(x); }
  static OCTET_INLINE vec repeat8(int64_t x) { return _mm_set1_epi64x(x); }
  static OCTET_INLINE vec repeat16(__m128i x) { return x; }
  static OCTET_INLINE vec widen8_16(const uint8_t* p) { return _mm_cvtepu8_epi16(load_8(p)); }
  static OCTET_INLINE vec widen8_32(const uint8_t* p) { return _mm_cvtepu8_epi32(_mm_cvtsi32_si128(dword_at(p))); }
};

template <>
struct Width<32> {
  typedef __m256i vec;
  static OCTET_INLINE vec load(const uint8_t* p) { return load_32(p); }
  static OCTET_INLINE vec repeat4(int32_t x) { return _mm256_set1_epi32(x); }
  static OCTET_INLINE vec repeat8(int64_t x) { return _mm256_set1_epi64x(x); }
  static OCTET_INLINE vec repeat16(__m128i x) { return _mm256_broadcastsi128_si256(x); }
  static OCTET_INLINE vec widen8_16(const uint8_t* p) { return _mm256_cvtepu8_epi16(load_16(p)); }
  static OCTET_INLINE vec widen8_32(const uint8_t* p) { return _mm256_cvtepu8_epi32(load_8(p)); }
};

OCTET_512(template <> struct Width<64> {
  typedef __m512i vec;
  static OCTET_INLINE vec load(const uint8_t* p) { return _mm512_loadu_si512(p); }
  static OCTET_INLINE vec repeat4(int32_t x) { return _mm512_set1_epi32(x); }
  static OCTET_INLINE vec repeat8(int64_t x) { return _mm512_set1_epi64(x); }
  static OCTET_INLINE vec repeat16(__m128i x) { return _mm512_broadcast_i32x4(x); }
  static OCTET_INLINE vec widen8_16(const uint8_t* p) { return _mm512_cvtepu8_epi16(load_32(p)); }
  static OCTET_INLINE vec widen8_32(const uint8_t* p) { return _mm512_cvtepu8_epi32(load_16(p)); }
};)

template <int W>
using Vec = typename Width<W>::vec;

template <int W>
OCTET_VEC Vec<W> load(const uint8_t* p) {
  return Width<W>::load(p);
}

template <int W, int N>
OCTET_VEC Vec<W> load_act(const uint8_t* p) {
  static_assert(N == 4 || N == 8 || N == 16, "activation bytes");
  if constexpr (N == 4) return Width<W>::repeat4(dword_at(p));
  if constexpr (N == 8) return Width<W>::repeat8(qword_at(p));
  if constexpr (N == 16) return Width<W>::repeat16(load_16(p));
}

template <int W>
OCTET_VEC Vec<W> broadcast32(const uint8_t* p) {
  return Width<W>::repeat4(dword_at(p));
}

template <int W>
OCTET_VEC Vec<W> widen8_16(const uint8_t* p) {
  return Width<W>::widen8_16(p);
}

template <int W>
OCTET_VEC Vec<W> widen8_32(const uint8_t* p) {
  return Width<W>::widen8_32(p);
}

OCTET_VEC void store(uint8_t* p, __m128i a) { _mm_storeu_si128(reinterpret_cast<__m128i_u*>(p), a); }
OCTET_VEC void store(uint8_t* p, __m256i a) { _mm256_storeu_si256(reinterpret_cast<__m256i_u*>(p), a); }
OCTET_512(OCTET_VEC void store(uint8_t* p, __m512i a) { _mm512_storeu_si512(p, a); })

// The halves and quarters of a vector.
template <int H>
OCTET_VEC void store_half(uint8_t* p, __m128i a) {
  if constexpr (H == 0) {
    _mm_storel_epi64(reinterpret_cast<__m128i_u*>(p), a);
  } else {
    _mm_storel_epi64(reinterpret_cast<__m128i_u*>(p), _mm_unpackhi_epi64(a, a));
  }
}

template <int Q>
OCTET_VEC void store_quarter(uint8_t* p, __m128i a) {
  put_dword(p, _mm_extract_epi32(a, Q));
}

template <int H>
OCTET_VEC void store_half(uint8_t* p, __m256i a) {
  store(p, _mm256_extracti128_si256(a, H));
}

template <int Q>
OCTET_VEC void store_quarter(uint8_t* p, __m256i a) {
  store_half<Q % 2>(p, _mm256_extracti128_si256(a, Q / 2));
}

OCTET_512(template <int H>
          OCTET_VEC void store_half(uint8_t* p, __m512i a) { store(p, _mm512_extracti64x4_epi64(a, H)); })

OCTET_512(template <int Q>
          OCTET_VEC void store_quarter(uint8_t* p, __m512i a) { store(p, _mm512_extracti32x4_epi32(a, Q)); })

template <int N>
OCTET_VEC void store_low(uint8_t* p, __m128i a) {
  static_assert(N == 4 || N == 8 || N == 12, "whole dwords");
  if constexpr (N == 4) store_quarter<0>(p, a);
  if constexpr (N >= 8) store_half<0>(p, a);
  if constexpr (N == 12) store_quarter<2>(p + 8, a);
}

template <int N>
OCTET_VEC void store_low(uint8_t* p, __m256i a) {
  if constexpr (N >= 16) store_half<0>(p, a);
  if constexpr (N > 16) store_low<N - 16>(p + 16, _mm256_extracti128_si256(a, 1));
  if constexpr (N < 16) store_low<N>(p, _mm256_castsi256_si128(a));
}

OCTET_512(template <int N> OCTET_VEC void store_low(uint8_t* p, __m512i a) {
  if constexpr (N >= 32) store_half<0>(p, a);
  if constexpr (N > 32) store_low<N - 32>(p + 32, _mm512_extracti64x4_epi64(a, 1));
  if constexpr (N < 32) store_low<N>(p, _mm512_castsi512_si256(a));
})

// Brings the N pieces of every block side by side.
template <int N>
OCTET_VEC __m128i gather_pieces(__m128i a) {
  return a;
}

template <int N>
OCTET_VEC __m256i gather_pieces(__m256i a) {
  if constexpr (N == 1) return a;
  if constexpr (N == 2) return _mm256_permute4x64_epi64(a, 0xd8);
  if constexpr (N == 4) return _mm256_permutevar8x32_epi32(a, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

OCTET_512(template <int N> OCTET_VEC __m512i gather_pieces(__m512i a) {
  if constexpr (N == 1) return a;
  if constexpr (N == 2) return _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), a);
  if constexpr (N == 4) {
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_permutexvar_epi32(order, a);
  }
})

// A register read narrower than it was written, and one whose low bytes are a narrower one (zeros above).
template <int W>
OCTET_VEC Vec<W> low(__m256i a) {
  return _mm256_castsi256_si128(a);
}

OCTET_512(template <int W> OCTET_VEC Vec<W> low(__m512i a) {
  if constexpr (W == 16) return _mm512_castsi512_si128(a);
  if constexpr (W == 32) return _mm512_castsi512_si256(a);
})

template <int W>
OCTET_VEC Vec<W> extend(__m128i a) {
  if constexpr (W == 32) return _mm256_zextsi128_si256(a);
  OCTET_512(if constexpr (W == 64) return _mm512_zextsi128_si512(a);)
}

OCTET_512(template <int W> OCTET_VEC Vec<W> extend(__m256i a) { return _mm512_zextsi256_si512(a); })

// ---- integer ----

// One op at every width, named after its intrinsic without the prefix.
#define OCTET_OP(name, intrinsic)                                                   \
  OCTET_VEC __m128i name(__m128i a, __m128i b) { return _mm_##intrinsic(a, b); }    \
  OCTET_VEC __m256i name(__m256i a, __m256i b) { return _mm256_##intrinsic(a, b); } \
  OCTET_512(OCTET_VEC __m512i name(__m512i a, __m512i b) { return _mm512_##intrinsic(a, b); })

OCTET_OP(maddubs, maddubs_epi16)
OCTET_OP(madd16, madd_epi16)
OCTET_OP(add16, add_epi16)
OCTET_OP(sub16, sub_epi16)
OCTET_OP(sub32, sub_epi32)
OCTET_OP(max_i32, max_epi32)
OCTET_OP(min_i32, min_epi32)
OCTET_OP(max_u8, max_epu8)
OCTET_OP(min_u8, min_epu8)
OCTET_OP(adds16, adds_epi16)
OCTET_OP(packs32, packs_epi32)
OCTET_OP(packus16, packus_epi16)
OCTET_OP(zip_lo8, unpacklo_epi8)
OCTET_OP(zip_hi8, unpackhi_epi8)
OCTET_OP(zip_lo16, unpacklo_epi16)
OCTET_OP(zip_hi16, unpackhi_epi16)
OCTET_OP(zip_lo64, unpacklo_epi64)
OCTET_OP(zip_hi64, unpackhi_epi64)
OCTET_OP(shuffle8, shuffle_epi8)
OCTET_OP(mul32, mullo_epi32)
OCTET_OP(sllv32, sllv_epi32)
OCTET_OP(srav32, srav_epi32)
#undef OCTET_OP

// The products of the even and of the odd dwords.
OCTET_VEC __m128i mulhi32(__m128i a, __m128i b) {
  const __m128i even = _mm_mul_epi32(a, b), odd = _mm_mul_epi32(_mm_srli_epi64(a, 32), _mm_srli_epi64(b, 32));
  return _mm_blend_epi32(_mm_srli_epi64(even, 32), odd, 0xa);
}

OCTET_VEC __m256i mulhi32(__m256i a, __m256i b) {
  const __m256i even = _mm256_mul_epi32(a, b),
                odd = _mm256_mul_epi32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32));
  return _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
}

OCTET_512(OCTET_VEC __m512i mulhi32(__m512i a, __m512i b) {
  const __m512i even = _mm512_mul_epi32(a, b),
                odd = _mm512_mul_epi32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32));
  return _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd);
})

// Opaque: what compilers know to be a sum of many terms they add up in another order, with all terms alive at once.
template <class V>
OCTET_VEC V add32(V a, V b) {
  V d;
  asm("vpaddd %2, %1, %0" : "=v"(d) : "v"(a), "v"(b));
  return d;
}

#define OCTET_OP(name, bitwise)                                                           \
  OCTET_VEC __m128i name(__m128i a, __m128i b) { return _mm_##bitwise##_si128(a, b); }    \
  OCTET_VEC __m256i name(__m256i a, __m256i b) { return _mm256_##bitwise##_si256(a, b); } \
  OCTET_512(OCTET_VEC __m512i name(__m512i a, __m512i b) { return _mm512_##bitwise##_si512(a, b); })

OCTET_OP(and_, and)
OCTET_OP(or_, or)
OCTET_OP(xor_, xor)
#undef OCTET_OP

OCTET_VEC __m128i blend8(__m128i a, __m128i b, __m128i c) { return _mm_blendv_epi8(a, b, c); }
OCTET_VEC __m256i blend8(__m256i a, __m256i b, __m256i c) { return _mm256_blendv_epi8(a, b, c); }
OCTET_512(OCTET_VEC __m512i blend8(__m512i a, __m512i b, __m512i c) {
  return _mm512_mask_blend_epi8(_mm512_movepi8_mask(c), a, b);
})

#define OCTET_OP(name, shift)         \
  template <int N>                    \
  OCTET_VEC __m128i name(__m128i a) { \
    return _mm_##shift(a, N);         \
  }                                   \
  template <int N>                    \
  OCTET_VEC __m256i name(__m256i a) { \
    return _mm256_##shift(a, N);      \
  }                                   \
  OCTET_512(template <int N> OCTET_VEC __m512i name(__m512i a) { return _mm512_##shift(a, N); })

OCTET_OP(srl16, srli_epi16)
OCTET_OP(sll16, slli_epi16)
OCTET_OP(sll32, slli_epi32)
OCTET_OP(sra32, srai_epi32)
#undef OCTET_OP

// ---- float ----

OCTET_VEC __m128 as_float(__m128i a) { return _mm_castsi128_ps(a); }
OCTET_VEC __m256 as_float(__m256i a) { return _mm256_castsi256_ps(a); }
OCTET_512(OCTET_VEC __m512 as_float(__m512i a) { return _mm512_castsi512_ps(a); })
OCTET_VEC __m128i as_bits(__m128 a) { return _mm_castps_si128(a); }
OCTET_VEC __m256i as_bits(__m256 a) { return _mm256_castps_si256(a); }
OCTET_512(OCTET_VEC __m512i as_bits(__m512 a) { return _mm512_castps_si512(a); })

OCTET_VEC __m128i cvt_f32(__m128i a) { return as_bits(_mm_cvtepi32_ps(a)); }
OCTET_VEC __m256i cvt_f32(__m256i a) { return as_bits(_mm256_cvtepi32_ps(a)); }
OCTET_512(OCTET_VEC __m512i cvt_f32(__m512i a) { return as_bits(_mm512_cvtepi32_ps(a)); })

// Rounds as MXCSR says: nearest even unless somebody changed it.
OCTET_VEC __m128i cvt_i32(__m128i a) { return _mm_cvtps_epi32(as_float(a)); }
OCTET_VEC __m256i cvt_i32(__m256i a) { return _mm256_cvtps_epi32(as_float(a)); }
OCTET_512(OCTET_VEC __m512i cvt_i32(__m512i a) { return _mm512_cvtps_epi32(as_float(a)); })

#define OCTET_OP(name, intrinsic)                                                                                \
  OCTET_VEC __m128i name(__m128i a, __m128i b) { return as_bits(_mm_##intrinsic(as_float(a), as_float(b))); }    \
  OCTET_VEC __m256i name(__m256i a, __m256i b) { return as_bits(_mm256_##intrinsic(as_float(a), as_float(b))); } \
  OCTET_512(                                                                                                     \
      OCTET_VEC __m512i name(__m512i a, __m512i b) { return as_bits(_mm512_##intrinsic(as_float(a), as_float(b))); })

OCTET_OP(add_f32, add_ps)
OCTET_OP(sub_f32, sub_ps)
OCTET_OP(mul_f32, mul_ps)
OCTET_OP(div_f32, div_ps)
OCTET_OP(max_f32, max_ps)
OCTET_OP(min_f32, min_ps)
#undef OCTET_OP

// What is too small for s32 converts to the smallest anyway.
OCTET_VEC __m128i scale64(__m128i a, const uint8_t* m) {
  const double* f = reinterpret_cast<const double*>(m);
  const __m128d most = _mm_set1_pd(2147483647.0);
  const __m128d low = _mm_mul_pd(_mm_cvtepi32_pd(a), _mm_loadu_pd(f));
  const __m128d high = _mm_mul_pd(_mm_cvtepi32_pd(_mm_unpackhi_epi64(a, a)), _mm_loadu_pd(f + 2));
  return _mm_unpacklo_epi64(_mm_cvttpd_epi32(_mm_min_pd(low, most)), _mm_cvttpd_epi32(_mm_min_pd(high, most)));
}

OCTET_VEC __m256i scale64(__m256i a, const uint8_t* m) {
  const double* f = reinterpret_cast<const double*>(m);
  const __m256d most = _mm256_set1_pd(2147483647.0);
  const __m256d low = _mm256_mul_pd(_mm256_cvtepi32_pd(_mm256_castsi256_si128(a)), _mm256_loadu_pd(f));
  const __m256d high = _mm256_mul_pd(_mm256_cvtepi32_pd(_mm256_extracti128_si256(a, 1)), _mm256_loadu_pd(f + 4));
  return _mm256_setr_m128i(_mm256_cvttpd_epi32(_mm256_min_pd(low, most)),
                           _mm256_cvttpd_epi32(_mm256_min_pd(high, most)));
}

OCTET_512(OCTET_VEC __m512i scale64(__m512i a, const uint8_t* m) {
  const __m512d most = _mm512_set1_pd(2147483647.0);
  const __m512d low = _mm512_mul_pd(_mm512_cvtepi32_pd(_mm512_castsi512_si256(a)), _mm512_loadu_pd(m));
  const __m512d high = _mm512_mul_pd(_mm512_cvtepi32_pd(_mm512_extracti64x4_epi64(a, 1)), _mm512_loadu_pd(m + 64));
  return _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvttpd_epi32(_mm512_min_pd(low, most))),
                            _mm512_cvttpd_epi32(_mm512_min_pd(high, most)), 1);
})

OCTET_VEC __m128i fma_f32(__m128i a, __m128i b, __m128i c) {
  return as_bits(_mm_fmadd_ps(as_float(a), as_float(b), as_float(c)));
}

OCTET_VEC __m256i fma_f32(__m256i a, __m256i b, __m256i c) {
  return as_bits(_mm256_fmadd_ps(as_float(a), as_float(b), as_float(c)));
}

OCTET_512(OCTET_VEC __m512i fma_f32(__m512i a, __m512i b, __m512i c) {
  return as_bits(_mm512_fmadd_ps(as_float(a), as_float(b), as_float(c)));
})

}  // namespace OCTET_VEC_NAMESPACE

#include "vec_split.h"

#endif
